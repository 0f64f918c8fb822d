"""What a process needs to take part in a study."""

from dataclasses import dataclass
from pathlib import Path

from data.load import VAR
from hpo.budget import Budget
from hpo.retry import MAX_RETRIES
from hpo.settings import StudySettings


@dataclass(frozen=True)
class RunConfig:
    """Plain values, so that they can be sent to another process or host.

    Args:
        settings: of the study.
        storage: database address.
        study_name: of the study.
        budget: what ends the study.
        data_root: folder of the archives, or None.
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` …
        precision: ``"auto"``, ``"float32"`` or ``"bfloat16"``.
        workers: number of training processes.
        heartbeat: seconds between two signs of life of a trial.
        trial_timeout: seconds without a finished epoch after which a trial is taken to hang.
        checkpoint_seconds: time between two checkpoints of a trial under way.
        max_retries: how often an interrupted trial is taken up again.
        n_finalists: trials that are fitted again when the study is finished; also the number of
            trials whose networks are kept.
        n_finalist_seeds: fits of each.
        var: folder of the files that are kept of the trials.
        tensorboard: folder of the fits' courses, or None.
        packed: file of the packed data set, or None for what ``data_root`` holds.
    """

    settings: StudySettings
    storage: str
    study_name: str
    budget: Budget
    data_root: Path | None = None
    device: str = "auto"
    precision: str = "auto"
    workers: int = 1
    heartbeat: int = 60
    trial_timeout: float = 3600.0
    checkpoint_seconds: float = 10.0
    max_retries: int = MAX_RETRIES
    n_finalists: int = 5
    n_finalist_seeds: int = 2
    var: Path = VAR
    tensorboard: Path | None = None
    packed: Path | None = None
