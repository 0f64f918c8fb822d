"""Updates of a study's notes and plots in the live dashboard, at most one per interval."""

import time
import warnings

from optuna.study import Study

from data.text import first_line

UPDATE_INTERVAL_SECONDS = 20.0


class DashboardUpdates:
    """Saves the notes and plots of a running study.

    Args:
        study: study that is running.
    """

    def __init__(self, study: Study) -> None:
        """Schedule the first update for the first call of :meth:`update`."""
        self._study, self._next_time, self._is_stale = study, 0.0, True

    def update(self, *, news: bool) -> None:
        """Save if there is news and the last save was :data:`UPDATE_INTERVAL_SECONDS` ago or more.

        Args:
            news: whether a trial has finished since the last call.
        """
        self._is_stale |= news
        if self._is_stale and time.monotonic() >= self._next_time:
            self.finish()

    def finish(self) -> None:
        """Save now. Errors become warnings, because the study does not need the dashboard."""
        try:
            from hpo.dashboard.plots import save_dashboard  # plotly loads while workers train

            save_dashboard(self._study)
        except Exception as error:
            warnings.warn(
                f"The dashboard's notes and plots were not saved: {first_line(error)}", stacklevel=2
            )
        self._is_stale, self._next_time = False, time.monotonic() + UPDATE_INTERVAL_SECONDS
