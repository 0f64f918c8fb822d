"""The rows of the throughput table; each runs in its own process."""

import resource
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from harness import seconds

from data.drawings import FULL_SIZE
from data.load import load_dataset
from data.splits import split_dataset
from hpo.settings.base_config import base_config
from hpo.settings.study_settings import StudySettings
from model.architecture import ModelConfig
from model.config import Config
from model.device import ComputeConfig, keep_freed_memory
from model.evaluate import EMBED_BATCH
from model.fit_state import FitState
from model.losses import images_per_epoch, to_input
from model.train import train_epoch


@dataclass(frozen=True)
class Row:
    """Settings of a row; each row adds one ingredient to the row before."""

    recipe: Any = "paper"
    channels_last: bool = True
    precision: str = "bfloat16"
    keep_memory: bool = True
    compile: bool = False


PLAIN = "plain loop"
ON_PAIRS, OURS = "+ freed memory kept", "+ each drawing embedded once: ours"
ROWS = {
    PLAIN: Row(),
    "+ resident uint8, batched distortion": Row("paper", False, "float32", False),
    "+ channels-last": Row("paper", True, "float32", False),
    "+ bfloat16": Row("paper", True, "bfloat16", False),
    ON_PAIRS: Row("paper"),
    OURS: Row("episode"),
    "+ torch.compile": Row("episode", compile=True),
}


@dataclass(frozen=True)
class Job:
    """A row at one image size and network, as plain values for another process."""

    row: str
    size: int
    filters: tuple[int, int, int, int]
    data_root: Path | None
    device: str

    @property
    def n_images(self) -> int:
        """Number of images per round: enough to measure, few enough for the plain loop."""
        return 1280 if self.size < FULL_SIZE or self.device != "cpu" else 256

    def config(self) -> Config:
        """Return the configuration; one epoch is one round."""
        row = ROWS[self.row]
        base = base_config(StudySettings(image_size=self.size, recipe=row.recipe))
        n_steps = self.n_images // (2 * base.fit.n_characters)
        fit = replace(base.fit, n_pairs=self.n_images // 2, steps_per_epoch=n_steps)
        return Config(replace(base.conv, filters=self.filters), fit)


Work = dict[str, Callable[[], object]]
_current: tuple[Job, Work, torch.device]  # of this process, by prepare()


def plain(job: Job, model: ModelConfig) -> Work:
    """Return a round of the plain loop; embedding loads undistorted images through PIL."""
    from plain_loop import BATCH, PlainNet, PlainPairs, plain_epochs  # torchvision takes seconds
    from torch.utils.data import DataLoader

    device = torch.device(job.device)
    net = PlainNet(model).to(device)
    drawings = split_dataset(load_dataset("omniglot", job.data_root, FULL_SIZE)).train
    pairs = PlainPairs(drawings, job.size, job.n_images // 2)
    still = PlainPairs(drawings, job.size, job.n_images // 2, distort=False)

    @torch.no_grad()
    def embed() -> None:
        for x1, x2, _ in DataLoader(still, batch_size=BATCH):
            net(x1.to(device), x2.to(device))

    epochs = plain_epochs(net, pairs)
    return {"training": lambda: next(epochs), "embedding": embed}


def ours(job: Job, row: Row) -> Work:
    """Return a round of training and embedding with the code of this project."""
    compute = ComputeConfig(torch.device(job.device), row.precision, row.compile)
    if row.keep_memory:
        keep_freed_memory()
    state = FitState(job.config(), 0, compute)
    if not row.channels_last:
        state.net.to(memory_format=torch.contiguous_format)
    drawings = split_dataset(load_dataset("omniglot", job.data_root, job.size)).train.to(
        compute.device
    )

    @torch.no_grad()
    def embed() -> None:
        for images_BHW in drawings.images_NHW[: job.n_images].split(EMBED_BATCH):
            state.net.embed(to_input(images_BHW))

    return {"training": lambda: train_epoch(state, drawings), "embedding": embed}


def prepare(job: Job) -> None:
    """Set up a row in this process and run it once."""
    global _current
    work = plain(job, job.config().conv) if job.row == PLAIN else ours(job, ROWS[job.row])
    _current = (job, work, torch.device(job.device))
    run()


def run() -> dict[str, float]:
    """Return images and pairs per second of one round, and the peak memory in GiB."""
    job, work, device = _current
    rates = {
        "training": images_per_epoch(job.config().fit) / seconds(work["training"], device),
        "embedding": job.n_images / seconds(work["embedding"], device),
    }
    fit = job.config().fit
    per_image = 0.5 if fit.recipe == "paper" else fit.n_characters / 2
    rates["pairs"] = per_image * rates["training"]
    return rates | {"GiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20}
