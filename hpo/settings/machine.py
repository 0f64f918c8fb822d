"""The settings that belong to a machine: storage, folders, device and worker processes.

The settings files in reports and results do not contain them.
"""

from dataclasses import dataclass
from typing import Literal

from data.paths import DEFAULT_STORAGE
from hpo.settings.value_types import (
    Duration,
    FolderPath,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveDuration,
    PositiveInt,
    StorageAddress,
    WholeSeconds,
)


@dataclass(frozen=True)
class StorageSettings:
    """Where studies are stored.

    Args:
        storage: address of the database that contains the study.
    """

    storage: StorageAddress = DEFAULT_STORAGE


@dataclass(frozen=True)
class DataRootSettings:
    """Where the images are.

    Args:
        data_root: folder of Omniglot, or of your own images (default: $OMNIGLOT_ROOT if it is set,
            otherwise ./var).
    """

    data_root: FolderPath | None = None


@dataclass(frozen=True)
class DeviceSettings:
    """What computes.

    Args:
        device: device to compute on: auto (a GPU if there is one), cpu, cuda, cuda:1, ….
        precision: number format; auto uses bfloat16 where it is fast.
    """

    device: str = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"


@dataclass(frozen=True)
class LogSettings:
    """What is logged.

    Args:
        tensorboard: write TensorBoard logs of all fits to this folder (default: no log).
    """

    tensorboard: FolderPath | None = None


@dataclass(frozen=True)
class WorkerSettings:
    """The processes that train, and the files that they keep.

    Args:
        workers: number of training processes, which share the CPU cores.
        ray: run the workers on the Ray cluster at this address; without an address, on the cluster
            of this host (default: no Ray).
        gpus_per_worker: number of GPUs of each worker on a Ray cluster; a fraction shares a GPU, 0
            uses CPUs.
        epoch_timeout: restart a worker that completes no epoch for this long (default: 1h).
        max_retries: maximum number of retries of a trial whose worker crashed; then it counts as
            failed.
        checkpoint_interval: minimum time between two checkpoints of a running trial (default: 10s).
        heartbeat: time between two heartbeats of a running trial; after five missed heartbeats,
            another host retries the trial (default: 60s).
        n_networks: number of best trials whose networks are kept on disk; those of the finalists
            always are.
    """

    workers: PositiveInt = 1
    ray: str | None = None
    gpus_per_worker: NonNegativeFloat = 0.0
    epoch_timeout: PositiveDuration = 3600.0
    max_retries: NonNegativeInt = 2
    checkpoint_interval: Duration = 10.0
    heartbeat: WholeSeconds = 60
    n_networks: NonNegativeInt = 5


@dataclass(frozen=True)
class MachineSettings(
    LogSettings, WorkerSettings, DeviceSettings, DataRootSettings, StorageSettings
):
    """What belongs to the machine; reports and results do not contain it."""
