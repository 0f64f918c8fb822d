"""Whether a study is running: whether the process of one of its running trials is alive."""

from collections.abc import Sequence
from datetime import datetime

from optuna.storages import RDBStorage
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from hpo.runtime.processes import host_name
from hpo.runtime.requeue import host_id, is_orphan, worker_of
from hpo.search.winner import winning_trial
from hpo.study.budget import N_TRIALS, count_finished
from hpo.study.optuna_internals import heartbeat_ages

# A process of another host is taken for dead if it has sent no heartbeat for this long. The
# interval of its heartbeats is not stored; the default is a minute.
SILENCE_SECONDS = 3600


def live_trials(storage: RDBStorage, study: Study) -> list[FrozenTrial]:
    """Return the running trials of a study whose process is alive.

    A process of this host is looked up. A process of another host is alive if it has sent a
    heartbeat, or started the trial, in the last :data:`SILENCE_SECONDS`.
    """
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    ages = heartbeat_ages(storage, study) if running else {}
    return [trial for trial in running if _is_alive(trial, ages.get(trial.number))]


def _is_alive(trial: FrozenTrial, heartbeat_age: float | None) -> bool:
    if worker_of(trial).host in (host_id(), host_name()):
        return not is_orphan(trial)
    if heartbeat_age is None:  # its process has not sent the first heartbeat, or sends none
        heartbeat_age = (datetime.now() - (trial.datetime_start or datetime.min)).total_seconds()
    return heartbeat_age < SILENCE_SECONDS


def study_state(storage: RDBStorage, study: Study, finalists: Sequence[Study]) -> str:
    """Return ``"running"``, ``"paused"`` or ``"finished"``.

    A study is finished if it has as many trials as were last requested and a winner, if it has
    finalists.

    Args:
        storage: storage of the study.
        study: study with any number of trials.
        finalists: studies of its finalists.
    """
    if any(live_trials(storage, part) for part in (study, *finalists)):
        return "running"
    n_requested = int(study.user_attrs.get(N_TRIALS, 0))
    has_result = not finalists or winning_trial(study) is not None
    is_finished = 0 < n_requested <= count_finished(study) and has_result
    return "finished" if is_finished else "paused"
