"""What a person sees while a study runs: a bar on a terminal, a line per trial anywhere."""

import sys
import time

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState
from tqdm import tqdm

from hpo.study import best_trial, count_ended
from model.state import EpochResult


class Progress:
    """Shows trial, epoch, best so far and time left.

    Args:
        study: whose trials are shown.
        n_trials: trials in all.
        max_epochs: epochs of a trial at most.
    """

    def __init__(self, study: Study, n_trials: int, max_epochs: int) -> None:
        """Draw the bar, if standard error is a terminal."""
        self._study, self._n_trials, self._max_epochs = study, n_trials, max_epochs
        self._started, self._ended_before = time.monotonic(), count_ended(study)
        self._bar = tqdm(
            total=n_trials,
            initial=self._ended_before,
            unit="trial",
            disable=not sys.stderr.isatty(),
            bar_format="{desc} |{bar:20}| {n_fmt}/{total_fmt} trials{postfix}",
        )

    def epoch(self, number: int, result: EpochResult) -> None:
        """Show an epoch's result in the bar."""
        text = f"trial {number} epoch {result.epoch}/{self._max_epochs} {result.accuracy:.1%}"
        self._bar.set_description_str(text)

    def trial(self, study: Study, trial: FrozenTrial) -> None:
        """Print the ended trial's line and move the bar; an Optuna callback."""
        ended = count_ended(study)
        shown = [f"trial {trial.number:3}", _outcome(trial)]
        if "seconds" in trial.user_attrs:
            attrs = trial.user_attrs
            shown.append(f"{attrs['epochs']} epochs in {attrs['seconds']:.0f} s")
        outlook = []
        if (best := best_trial(study)) is not None:
            outlook.append(f"best {best.value:.1%} (trial {best.number})")
        if (left := self._seconds_left(ended)) is not None:
            outlook.append(f"about {left / 60:.0f} min left")
        tqdm.write(" · ".join([*shown, *outlook]), file=sys.stdout)
        sys.stdout.flush()
        self._bar.n = ended
        self._bar.set_postfix_str(" · ".join(outlook))

    def _seconds_left(self, ended: int) -> float | None:
        done = ended - self._ended_before
        if done <= 0 or ended >= self._n_trials:
            return None
        return (time.monotonic() - self._started) / done * (self._n_trials - ended)

    def close(self) -> None:
        """Leave the terminal as it was."""
        self._bar.close()


def _outcome(trial: FrozenTrial) -> str:
    if trial.state == TrialState.COMPLETE:
        died = trial.user_attrs.get("died")
        return f"{trial.value:6.1%} validation" + (f" ({died})" if died else "")
    if trial.state == TrialState.PRUNED:
        return f"{trial.value or 0:6.1%} pruned    "
    return "failed"
