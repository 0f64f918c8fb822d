"""The networks in the folder of a retraining: saved after their fit, and reused later."""

import logging
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from data.errors import InputError
from hpo.refit.fit_record import EpochRecord, FitRecord
from hpo.refit.plan import RetrainPlan
from hpo.refit.result import RESULT_FILE, RetrainResult, SeedResult
from hpo.search.networks import fit_metadata
from hpo.settings.study_settings import StudySettings
from hpo.study.dataset import task_metadata
from model.checkpoint import CONTENT_ERRORS, load_network, save_network
from model.fit_state import FIT_FORMAT, FitState
from model.schema import upgrade
from model.siamese import SiameseNet

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class StoredNetwork:
    """A network in the folder of a retraining.

    Args:
        net: the network, on the device of the plan.
        metadata: metadata of its file.
        fit: how it was trained.
    """

    net: SiameseNet
    metadata: dict[str, Any]
    fit: FitRecord


def find_result(plan: RetrainPlan) -> RetrainResult | None:
    """Return the result in the folder of a plan; None unless it has exactly the plan's networks.

    Raises:
        InputError: a network in the folder does not belong to this plan.
    """
    stored = [load_stored(plan, seed) for seed in plan.seeds]
    try:
        result = RetrainResult.read(plan.folder / RESULT_FILE)
    except InputError:
        return None
    if [seed.seed for seed in result.seeds] != plan.seeds:
        return None
    stored += [load_chosen(plan, seed.seed) for seed in result.chosen]
    is_same = map(_is_same_fit, [*result.seeds, *result.chosen], stored)
    return result if all(is_same) else None


def _is_same_fit(seed: SeedResult, network: StoredNetwork | None) -> bool:
    """Return whether a network is that of a fit in a result. Old files have no history."""
    if network is None or seed.fit is None:
        return False
    return replace(network.fit, history=[]) == replace(seed.fit, history=[])


def save_fit(plan: RetrainPlan, state: FitState) -> None:
    """Save the network of a finished fit, and print its number of epochs and its time."""
    metadata = fit_metadata(state, plan.train, plan.settings) | asdict(plan.origin)
    save_network(plan.network(state.seed), state.best_net(), plan.config, metadata)
    n = len(state.history)
    seconds = metadata["seconds"]
    logger.info("seed %s   %s epoch%s in %.0f s", state.seed, n, "s" * (n > 1), seconds)


def load_stored(plan: RetrainPlan, seed: int) -> StoredNetwork | None:
    """Return the network of a seed in the folder of a plan, or None if there is none.

    Raises:
        InputError: the network in the file does not belong to this plan. It is not overwritten.
    """
    path = plan.network(seed)
    return read_fit(plan, path, seed) if path.exists() else None


def load_chosen(plan: RetrainPlan, seed: int) -> StoredNetwork | None:
    """Return a network in the folder of a plan whose fit chose the winner, or None.

    Raises:
        InputError: the network in the file does not belong to this plan.
    """
    path = plan.chosen_network(seed)
    return read_fit(plan, path, seed) if path.exists() else None


def chosen_seeds(plan: RetrainPlan) -> list[int]:
    """Return the seeds of the networks in the folder of a plan whose fits chose the winner."""
    names = (re.fullmatch(r"chosen-(\d+)\.pt", path.name) for path in plan.folder.glob("*.pt"))
    return sorted(int(name[1]) for name in names if name)


def read_fit(plan: RetrainPlan, path: Path, seed: int) -> StoredNetwork:
    """Return the network in a file, on the device of a plan.

    Args:
        plan: plan whose configuration, data and precision the network must have.
        path: file of the network.
        seed: seed that its fit must have.

    Raises:
        InputError: the file cannot be read, or its network does not belong to this plan.
    """
    net, config, metadata = load_network(path)
    metadata = upgrade("refit", metadata)
    wrong = [name for name, is_equal in _equalities(plan, config.digest, metadata) if not is_equal]
    if wrong or metadata.get("seed") != seed:
        raise InputError(
            f"{path} must belong to this retraining, but its {', '.join(wrong) or 'seed'} differs. "
            "Choose another --out, or move the file."
        )
    net.precision = plan.compute.precision
    return StoredNetwork(net.to(plan.compute.device), metadata, _stored_fit(path, metadata))


def _equalities(
    plan: RetrainPlan, config_digest: str, metadata: dict[str, Any]
) -> Iterator[tuple[str, bool]]:
    """Yield each property that a network must share with a plan, and whether it does."""
    yield "configuration", config_digest == plan.config.digest
    yield "data", metadata.get("data_digest") == plan.train.digest
    yield "division or kind of episodes", _task(metadata) == _task(task_metadata(plan.settings))
    yield "--train-on", metadata.get("train_on") == plan.origin.train_on
    yield "--precision", str(metadata.get("device")).split()[-1] == plan.compute.precision
    yield "version of the training", metadata["fit_format"] == FIT_FORMAT


def _task(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return what is measured on what; older files leave out what has its default."""
    return {**task_metadata(StudySettings())["task"], **metadata.get("task", {})}


def _stored_fit(path: Path, metadata: dict[str, Any]) -> FitRecord:
    """Return how a network was trained; the history is empty in old files."""
    try:
        facts = {field.name: metadata[field.name] for field in fields(FitRecord)}
        facts["history"] = [EpochRecord(**epoch) for epoch in metadata["history"]]
    except CONTENT_ERRORS as error:
        raise InputError(
            f"{path} must contain a record of its training, but does not ({error}). Choose another "
            "--out, or move the file."
        ) from error
    return FitRecord(**facts)
