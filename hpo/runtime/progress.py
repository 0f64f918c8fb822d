"""What a person sees while a study runs: a bar on a terminal, a line per trial anywhere."""

import sys
import time
from collections.abc import Callable
from datetime import datetime

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState
from tqdm import tqdm

from hpo.study.budget import count_finished
from hpo.study.trials import best_trials, retry_numbers, trial_attributes


def trial_label(trial: FrozenTrial) -> str:
    """Return what a trial of the search is called."""
    return f"trial {trial.number:3}"


def finalist_label(trial: FrozenTrial) -> str:
    """Return what a finalist's fit is called."""
    params = trial.params
    return f"final   trial {params.get('trial', '?'):3} seed {params.get('seed', '?')}"


class Progress:
    """Shows trials, epochs, best so far and time left, as the storage knows them.

    Args:
        study: whose trials are shown, whichever process works on them.
        n_trials: trials in all.
        max_epochs: epochs of a trial at most.
        name: of a trial.
        then: what follows, which the time left does not count; or nothing.
    """

    def __init__(
        self,
        study: Study,
        n_trials: int,
        max_epochs: int,
        name: Callable[[FrozenTrial], str] = trial_label,
        then: str = "",
    ) -> None:
        """Draw the bar, if standard error is a terminal."""
        self.study, self._n_trials, self._max_epochs, self._name = study, n_trials, max_epochs, name
        self._then = f", then {then}" if then else ""
        self._shown = {t.number for t in self._ended()}
        self._started, self._ended_before = time.monotonic(), count_finished(study)
        self._bar = tqdm(
            total=n_trials,
            initial=self._ended_before,
            unit="trial",
            disable=not sys.stderr.isatty(),
            bar_format="{desc} |{bar:20}| {n_fmt}/{total_fmt} trials{postfix}",
        )

    def _ended(self) -> list[FrozenTrial]:
        """Return the ended trials in the order in which they ended."""
        trials = self.study.get_trials(deepcopy=False)
        ended = [trial for trial in trials if trial.state.is_finished()]
        return sorted(ended, key=lambda trial: trial.datetime_complete or datetime.max)

    def update(self) -> bool:
        """Print what has ended since the last time; return whether a trial ended by itself."""
        new = [trial for trial in self._ended() if trial.number not in self._shown]
        for trial in new:
            self._shown.add(trial.number)
            tqdm.write(self._line(trial), file=sys.stdout)
            sys.stdout.flush()
        if not self._bar.disable:
            self._draw()
        return any(trial.state != TrialState.FAIL for trial in new)

    def _draw(self) -> None:
        running = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        self._bar.n = count_finished(self.study)
        self._bar.set_description_str(" · ".join(self._epoch(trial) for trial in running))
        self._bar.set_postfix_str(" · ".join(self._outlook()))

    def _epoch(self, trial: FrozenTrial) -> str:
        values = trial.intermediate_values
        last = f" {values[max(values)]:.1%}" if values else ""
        return f"{self._name(trial)} epoch {max(values, default=0)}/{self._max_epochs}{last}"

    def _line(self, trial: FrozenTrial) -> str:
        shown = [self._name(trial), self._outcome(trial)]
        attrs = trial.user_attrs
        if "seconds" in attrs:
            shown.append(f"{attrs['epochs']} epochs in {attrs['seconds']:.0f} s")
        return " · ".join([*shown, *self._outlook()])

    def _outcome(self, trial: FrozenTrial) -> str:
        if trial.state == TrialState.COMPLETE:
            diverged = trial_attributes(trial).get("diverged")
            return f"{trial.value:6.1%} validation" + (f" ({diverged})" if diverged else "")
        if trial.state == TrialState.PRUNED:
            return f"{trial.value or 0:6.1%} pruned    "
        again = retry_numbers(self.study).get(trial.number)
        return "failed" if again is None else f"interrupted, goes on as trial {again}"

    def _outlook(self) -> list[str]:
        best = best_trials(self.study, 1)
        outlook = [f"best {t.value:.1%} ({' '.join(self._name(t).split())})" for t in best]
        ended = count_finished(self.study)
        done = ended - self._ended_before
        if done > 0 and ended < self._n_trials:
            seconds = (time.monotonic() - self._started) / done * (self._n_trials - ended)
            outlook.append(f"about {seconds / 60:.0f} min left{self._then}")
        return outlook

    def close(self) -> None:
        """Leave the terminal as it was."""
        self._bar.close()
