"""The networks of a study that a retraining copies to its folder, so that no fit is made twice."""

import logging
from dataclasses import asdict
from pathlib import Path

from data.errors import InputError
from hpo.refit.networks import read_fit
from hpo.refit.plan import RetrainPlan
from model.checkpoint import save_network

logger = logging.getLogger(__name__)


def copy_chosen(plan: RetrainPlan, *, again: bool = False) -> None:
    """Copy the networks whose fits chose the winner to the folder of a plan.

    Args:
        plan: the plan; a network of another configuration, data set or precision is not copied.
        again: whether to copy networks that are in the folder already.

    Raises:
        InputError: the folder is not writable, or the disk is full.
    """
    for seed, source in plan.kept.chosen.items():
        target = plan.chosen_network(seed)
        if again or not target.exists():
            _copy(plan, source, seed, target)


def copy_fresh(plan: RetrainPlan, seeds: list[int]) -> list[int]:
    """Copy the networks of fresh seeds that the study has trained; return and log these seeds.

    Args:
        plan: the plan; a network of another configuration, data set or precision is not copied.
        seeds: seeds of the plan whose networks are not in its folder.

    Raises:
        InputError: the folder is not writable, or the disk is full.
    """
    kept = [(seed, plan.kept.fresh[seed]) for seed in seeds if seed in plan.kept.fresh]
    copied = [seed for seed, path in kept if _copy(plan, path, seed, plan.network(seed))]
    if copied:
        names = f"seed{'s' * (len(copied) > 1)} {', '.join(map(str, copied))}"
        logger.info("reused   %s: trained by the study, to evaluate its winner", names)
    return copied


def _copy(plan: RetrainPlan, source: Path, seed: int, target: Path) -> bool:
    """Copy a network; return whether it could be read and is a fit of this plan."""
    try:
        stored = read_fit(plan, source, seed)
    except InputError:
        return False
    if stored.fit.diverged or stored.metadata.get("trial") != plan.origin.trial:
        return False
    metadata = stored.metadata | asdict(plan.origin) | {"in_study": True}
    save_network(target, stored.net, plan.config, metadata)
    return True
