"""Runs a worker in the calling process, for Python programs: callbacks and networks stay local."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from optuna.study import Study
from optuna.trial import FrozenTrial

from data.errors import InputError
from hpo.runtime.launcher import Outcome
from hpo.runtime.requeue import WorkerId, own_id
from hpo.runtime.worker import run_worker
from hpo.search.objective import EpochCallback
from hpo.settings.study_settings import StudyConfig

TrialCallback = Callable[[Study, FrozenTrial], None]


@dataclass
class InProcessLauncher:
    """A launcher whose one worker runs in this process, before :meth:`start` returns.

    Args:
        on_epoch: called after every epoch of a fit, with the trial and the result of the epoch.
        on_trial: called after every trial, with the study and the trial, like Optuna's callbacks.
        after_trial: further function that is called after every trial; the supervisor sets it.
    """

    on_epoch: EpochCallback | None = None
    on_trial: TrialCallback | None = None
    after_trial: Callable[[], object] = lambda: None
    _outcomes: dict[int, Outcome] = field(default_factory=dict)

    def start(self, run: StudyConfig, phase: str, index: int) -> None:
        """Run trials until no work is left."""
        self._outcomes[index] = None
        try:
            run_worker(run, phase, index, on_epoch=self.on_epoch, callbacks=self._callbacks())
        except InputError as error:
            self._outcomes[index] = error

    def _callbacks(self) -> Sequence[TrialCallback]:
        own = [self.on_trial] if self.on_trial else []
        return [*own, self._after_trial]

    def _after_trial(self, study: Study, trial: FrozenTrial) -> None:
        self.after_trial()

    def wait(self, seconds: float) -> dict[int, Outcome]:
        """Return the outcome of the worker, which has ended."""
        outcomes, self._outcomes = self._outcomes, {}
        return outcomes

    def running(self) -> dict[int, WorkerId]:
        """Return the worker whose outcome has not been returned yet."""
        return dict.fromkeys(self._outcomes, own_id())

    def kill(self, index: int) -> None:
        """Do nothing: the worker has ended."""

    def stop(self) -> set[WorkerId]:
        """Return the worker of this process: it lives on, but runs no trial any more."""
        return {own_id()}
