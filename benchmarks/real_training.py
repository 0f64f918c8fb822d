"""Real fits on Omniglot, for the comparison of searches; each fit is made once and stored."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean

import numpy as np
from curves_plan import LENGTH, RUNGS
from search_pays_fits import Fits

from data.episodes import dense_validation
from data.files import make_folder, write_atomically
from data.splits import Split
from hpo.settings.base_config import base_config
from hpo.settings.study_settings import StudySettings
from hpo.space.configuration import build_config
from hpo.space.space import Point
from model.config import REFERENCE_COST, Config
from model.device import ComputeConfig
from model.fit_state import EpochResult, FitState
from model.train import CHANCE_ACCURACY, Validation, fit

N_FRESH = 2  # fits by which a chosen configuration is judged
FIRST_FRESH_SEED = 10**6  # above all seeds of searches


@dataclass
class StoredFit:
    """A fit that trains only as far as it is asked for, and stores the accuracy of every epoch.

    A stored fit is repeated from its beginning if it must go on.

    Args:
        state: state of the fit before its first epoch.
        parts: drawings; the validation part gives the accuracy.
        path: file of the accuracies.
    """

    state: FitState
    parts: Split
    path: Path
    _results: Iterator[EpochResult] | None = None
    _accuracies: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Read the accuracies that are stored."""
        if self.path.exists():
            self._accuracies = json.loads(self.path.read_text())

    def __call__(self, epoch: int) -> float:
        """Return the accuracy after an epoch, counted from 1; chance if the fit has diverged."""
        while len(self._accuracies) < epoch:
            self._train(epoch)
        return self._accuracies[epoch - 1]

    def _train(self, epoch: int) -> None:
        if self._results is None:
            validation = Validation(self.parts.val, dense_validation(self.parts.val))
            self._results = fit(self.state, self.parts.train, validation)
        result = next(self._results, None)
        if result is None or result.diverged:
            missing = epoch - len(self._accuracies)
            self._accuracies += [CHANCE_ACCURACY] * missing
        elif result.epoch > len(self._accuracies):
            self._accuracies.append(round(result.accuracy, 5))
        text = json.dumps(self._accuracies)
        write_atomically(self.path, lambda temporary: temporary.write_text(text))


@dataclass(frozen=True)
class RealTraining:
    """What a search optimises, as real fits; see :class:`search_methods_optuna.Training`.

    Args:
        parts: drawings; the validation part serves the search, the test part judges its choice.
        compute: device and precision.
        folder: folder of the stored fits, which several processes may share.
        seed: seed of the search; its choice is judged by fits with seeds of their own.
        settings: settings of a study, which determine everything that is not searched.
    """

    parts: Split
    compute: ComputeConfig
    folder: Path
    seed: int
    settings: StudySettings = field(
        default_factory=lambda: StudySettings(step_cost=REFERENCE_COST, max_epochs=LENGTH)
    )

    @property
    def epochs(self) -> Sequence[int]:
        """Epochs after which a search sees the accuracy."""
        longest = self.settings.max_epochs
        return [epoch for epoch in RUNGS if epoch < longest] + [longest]

    def config(self, point: Point) -> Config:
        """Return the configuration of a point."""
        config = build_config(base_config(self.settings), self.settings.space.resolve(point))
        return replace(config, fit=replace(config.fit, patience=10**6))

    def start_fit(self, point: Point, rng: np.random.Generator) -> StoredFit:
        """Return a fit of a point with a random seed."""
        config, seed = self.config(point), int(rng.integers(FIRST_FRESH_SEED))
        make_folder(self.folder)
        path = self.folder / f"{config.digest}-{seed}.json"
        return StoredFit(FitState(config, seed, self.compute), self.parts, path)

    def accuracy(self, point: Point) -> float:
        """Return the mean accuracy of fresh fits of a point on the test part."""
        config, first = self.config(point), FIRST_FRESH_SEED + N_FRESH * self.seed
        return fmean(self._fresh_accuracy(config, first + i) for i in range(N_FRESH))

    def _fresh_accuracy(self, config: Config, seed: int) -> float:
        make_folder(self.folder)
        path = self.folder / f"{config.digest}-{seed}-fresh.json"
        if not path.exists():
            result = Fits(self.parts, self.compute, self.folder).evaluate(config, seed)
            write_atomically(path, lambda temporary: temporary.write_text(json.dumps(result)))
        return float(json.loads(path.read_text())["accuracy"])
