"""Progress: lines and a bar on the terminal, and the detection of trials without progress."""

import logging
import sys
import time
from collections.abc import Callable
from datetime import datetime

from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState
from tqdm import tqdm

from hpo.runtime.requeue import WorkerId, worker_of
from hpo.study.budget import count_finished
from hpo.study.goals import has_one_goal
from hpo.study.trials import TrialSummary, best_trials, summarize_trial, summarize_trials

logger = logging.getLogger(__name__)


def trial_label(summary: TrialSummary) -> str:
    """Return the label of a trial of the search."""
    return f"trial {summary.number:3}"


def finalist_label(summary: TrialSummary, word: str = "final") -> str:
    """Return the label of the fit of a finalist or of the winner, which begins with ``word``."""
    params = summary.params
    return f"{word:7} trial {params.get('trial', '?'):3} seed {params.get('seed', '?')}"


class Progress:
    """Prints trials, epochs, the best value so far and the time left.

    Everything is read from the storage, so trials of other processes are shown too.

    Args:
        study: study whose trials are shown.
        n_trials: number of trials after which the study is finished.
        max_epochs: maximum number of epochs of a trial.
        label: returns the label of a trial.
        next_phase: what follows and is not included in the time left; empty if nothing follows.
    """

    def __init__(
        self,
        study: Study,
        n_trials: int,
        max_epochs: int,
        label: Callable[[TrialSummary], str] = trial_label,
        next_phase: str = "",
    ) -> None:
        """Draw the bar if standard error is a terminal."""
        self.study, self._n_trials, self._max_epochs = study, n_trials, max_epochs
        self._label = label
        self._next_phase = f", then {next_phase}" if next_phase else ""
        self._printed = self._ended_numbers()
        self._n_epochs: dict[int, int] = {}  # number of epochs logged, by running trial
        self._start_time, self._n_before = time.monotonic(), count_finished(study)
        self._bar = tqdm(
            total=n_trials,
            initial=self._n_before,
            unit="trial",
            disable=not (sys.stderr.isatty() and logger.isEnabledFor(logging.INFO)),
            bar_format="{desc} |{bar:20}| {n_fmt}/{total_fmt} trials{postfix}",
        )

    def update(self) -> bool:
        """Print the trials that have ended since the last call, in the order in which they ended.

        Returns:
            Whether at least one of them was completed or pruned.
        """
        new_numbers = self._ended_numbers() - self._printed
        summaries = summarize_trials(self.study) if new_numbers else []
        new = [summary for summary in summaries if summary.number in new_numbers]
        for summary in sorted(new, key=lambda summary: summary.end or datetime.max):
            self._printed.add(summary.number)
            logger.info(self._line(summary))
        self._log_epochs()
        if not self._bar.disable:
            self._draw_bar()
        return any(summary.state not in ("failed", "interrupted") for summary in new)

    def close(self) -> None:
        """Remove the bar from the terminal."""
        self._bar.close()

    def _ended_numbers(self) -> set[int]:
        trials = self.study.get_trials(deepcopy=False)
        return {trial.number for trial in trials if trial.state.is_finished()}

    def _log_epochs(self) -> None:
        """Log every epoch that running trials have reported since the last call."""
        if not logger.isEnabledFor(logging.DEBUG):
            return
        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            n_logged = self._n_epochs.get(trial.number, 0)
            if len(trial.intermediate_values) > n_logged:
                self._n_epochs[trial.number] = len(trial.intermediate_values)
                logger.debug("         %s", self._format_epoch(summarize_trial(trial, {})))

    def _draw_bar(self) -> None:
        running = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        summaries = [summarize_trial(trial, {}) for trial in running]
        self._bar.n = count_finished(self.study)
        self._bar.set_description_str(" · ".join(map(self._format_epoch, summaries)))
        self._bar.set_postfix_str(" · ".join(self._best_and_time_left()))

    def _format_epoch(self, summary: TrialSummary) -> str:
        accuracies = summary.accuracies
        last = f" {accuracies[max(accuracies)]:.1%}" if accuracies else ""
        return f"{self._label(summary)} epoch {max(accuracies, default=0)}/{self._max_epochs}{last}"

    def _line(self, summary: TrialSummary) -> str:
        parts = [self._label(summary), _format_outcome(summary)]
        if summary.cost:
            n_epochs = len(summary.accuracies)
            epochs = f"{n_epochs} epoch{'s' * (n_epochs != 1)}"
            parts.append(f"{epochs} in {summary.cost.seconds:.0f} s")
            if not has_one_goal(self.study):
                parts.append(f"{summary.cost.flops_per_image / 1e6:.2f} MFLOP")
        return " · ".join([*parts, *self._best_and_time_left()])

    def _best_and_time_left(self) -> list[str]:
        parts = []
        for summary in (summarize_trial(trial, {}) for trial in best_trials(self.study, 1)):
            if summary.state == "diverged":  # its value was not measured
                continue
            label = " ".join(self._label(summary).split())
            word = "best" if has_one_goal(self.study) else "most accurate"
            parts.append(f"{word} {summary.value:.1%} ({label})")
        n_finished = count_finished(self.study)
        n_new = n_finished - self._n_before
        if n_new > 0 and n_finished < self._n_trials:
            elapsed = time.monotonic() - self._start_time
            seconds = elapsed / n_new * (self._n_trials - n_finished)
            parts.append(f"about {seconds / 60:.0f} min left{self._next_phase}")
        return parts


def _format_outcome(summary: TrialSummary) -> str:
    if summary.retried_as is not None:
        return f"interrupted, queued again as trial {summary.retried_as}"
    if summary.state == "failed":
        return "failed"
    if summary.state == "diverged":  # its value was not measured
        return f"     – {summary.state:11}"
    state = "validation" if summary.state == "complete" else summary.state
    return f"{summary.value or 0:6.1%} {state:10}"


class HangDetector:
    """Detects running trials that complete no epoch for too long.

    Args:
        seconds: maximum time between two completed epochs.
    """

    def __init__(self, seconds: float) -> None:
        """Start with no known trials."""
        self._seconds = seconds
        # By trial number: completed epochs, and when this number was first seen.
        self._progress: dict[int, tuple[int, float]] = {}

    def hanging(self, running: list[FrozenTrial]) -> list[WorkerId]:
        """Return the workers whose trials have completed no epoch for too long.

        Args:
            running: all running trials of the study, as they are now.
        """
        now, workers = time.monotonic(), []
        for trial in running:
            n_epochs, since = len(trial.intermediate_values), now
            if trial.number in self._progress and self._progress[trial.number][0] == n_epochs:
                since = self._progress[trial.number][1]
            self._progress[trial.number] = n_epochs, since
            if now - since > self._seconds:
                workers.append(worker_of(trial))
        return workers
