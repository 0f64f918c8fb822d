"""The networks in the folder of a retraining: saved after their fit, and reused later."""

import logging
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from data.errors import InputError
from data.seen_classes import training_metadata
from hpo.refit.plan import RetrainPlan
from hpo.refit.result import RESULT_FILE, EpochRecord, FitRecord, RetrainResult
from hpo.study.dataset import task_metadata
from model.checkpoint import CONTENT_ERRORS, load_network, save_network
from model.fit_state import FIT_FORMAT, FitState
from model.provenance import provenance
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
    networks = [replace(network.fit, history=[]) if network else None for network in stored]
    fits = [replace(seed.fit, history=[]) if seed.fit else None for seed in result.seeds]
    is_same = [seed.seed for seed in result.seeds] == plan.seeds and networks == fits
    return result if is_same and None not in networks else None


def save_fit(plan: RetrainPlan, state: FitState) -> None:
    """Save the network of a finished fit, and print its number of epochs and its time."""
    record = _fit_record(state)
    metadata = asdict(plan.origin) | {"seed": state.seed} | asdict(record)
    metadata |= training_metadata(plan.train, plan.start.seen if plan.start else ())
    metadata |= task_metadata(plan.settings)
    metadata |= {"fit_format": FIT_FORMAT, "provenance": provenance(plan.compute)}
    save_network(plan.network(state.seed), state.best_net(), plan.config, metadata)
    epochs = f"{record.epochs} epoch{'s' * (record.epochs > 1)}"
    logger.info("seed %s   %s in %.0f s", state.seed, epochs, record.seconds)


def load_stored(plan: RetrainPlan, seed: int) -> StoredNetwork | None:
    """Return the network of a seed in the folder of a plan, or None if there is none.

    Raises:
        InputError: the network in the file does not belong to this plan. It is not overwritten.
    """
    path = plan.network(seed)
    if not path.exists():
        return None
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
    yield "--train-on", metadata.get("train_on") == plan.origin.train_on
    yield "--precision", str(metadata.get("device")).split()[-1] == plan.compute.precision
    yield "version of the training", metadata["fit_format"] == FIT_FORMAT


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


def _fit_record(state: FitState) -> FitRecord:
    facts = {name: value for name, value in state.metadata().items() if name != "seed"}
    history = [
        EpochRecord(
            epoch=result.epoch,
            loss=result.loss if math.isfinite(result.loss) else None,
            accuracy=None if math.isnan(result.accuracy) else result.accuracy,
        )
        for result in state.history
    ]
    return FitRecord(**facts, history=history)
