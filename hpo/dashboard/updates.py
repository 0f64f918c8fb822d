"""Saves a study's notes and plots for the live dashboard, at most once per interval."""

import time
import warnings

from optuna.study import Study

from data.text import first_line

UPDATE_INTERVAL = 20.0  # between two updates


class DashboardUpdates:
    """Keeps a study's cards up to date, but no oftener than every :data:`UPDATE_INTERVAL`."""

    def __init__(self, study: Study) -> None:
        """Have saved nothing."""
        self._study, self._due, self._stale = study, 0.0, True

    def update(self, *, news: bool) -> None:
        """Save if there is news, now or when it is time again."""
        self._stale |= news
        if self._stale and time.monotonic() >= self._due:
            self.finish()

    def finish(self) -> None:
        """Save now. What is only to be looked at ends no study."""
        try:
            from hpo.dashboard.plots import save_dashboard  # plotly loads while workers train

            save_dashboard(self._study)
        except Exception as error:
            warnings.warn(
                f"The dashboard's cards were not saved: {first_line(error)}", stacklevel=2
            )
        self._stale, self._due = False, time.monotonic() + UPDATE_INTERVAL
