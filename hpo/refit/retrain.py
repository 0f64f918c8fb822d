"""The fits of a retraining: each network is trained once, saved, and evaluated on the test.

Networks that are already in the folder, or that the study has trained, are not trained again. All
fits end before the first evaluation, so a retraining that is interrupted during a fit has not used
the test yet.
"""

import json
import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from data.errors import InputError
from data.files import file_repair
from data.labels import episodes_label
from data.paths import VAR
from hpo.refit.networks import chosen_seeds, load_stored, read_fit, save_fit
from hpo.refit.plan import RetrainPlan
from hpo.refit.progress import show_epochs
from hpo.refit.result import SeedResult
from hpo.refit.reuse import copy_chosen, copy_fresh
from hpo.study.dataset import validation_episodes
from model.checkpoint import save_network
from model.fit_state import FitState
from model.metrics import (
    NetworkEvaluation,
    ValidationAccuracy,
    evaluate_network,
    validation_accuracy,
)
from model.tensorboard_log import log_epochs
from model.train import fit

logger = logging.getLogger(__name__)

TEST_LOG = VAR / "official.jsonl"
CHOSE_WINNER = ", chose the winner"  # note on the evaluation of a network of the study


@dataclass(frozen=True)
class EvaluatedFit:
    """One evaluated network.

    Args:
        result: part of the network in the result.
        evaluation: metrics, tables and filters of the network.
    """

    result: SeedResult
    evaluation: NetworkEvaluation


def fit_networks(plan: RetrainPlan, *, again: bool = False) -> None:
    """Fit and save the network of every seed that is not stored, and copy those of the study.

    Args:
        plan: the plan.
        again: whether to fit seeds whose networks are stored, too.

    Raises:
        InputError: a fit has diverged, a file cannot be read or written, or a network in the folder
            does not belong to this plan.
    """
    stored = [seed for seed in plan.seeds if load_stored(plan, seed) and not again]
    for seed in stored:
        logger.info("seed %s   %s is reused", seed, plan.network(seed))
    copy_chosen(plan, again=again)
    missing = [seed for seed in plan.seeds if seed not in stored]
    copied = [] if again else copy_fresh(plan, missing)
    for state in fit_seeds(plan, [seed for seed in missing if seed not in copied]):
        save_fit(plan, state)
        plan.checkpoint(state.seed).unlink(missing_ok=True)


def evaluate_networks(plan: RetrainPlan) -> list[EvaluatedFit]:
    """Evaluate the stored network of every seed on the test once.

    Raises:
        InputError: a file cannot be read or written.
    """
    return [_evaluate(plan, plan.network(seed), seed) for seed in plan.seeds]


def evaluate_chosen(plan: RetrainPlan) -> list[SeedResult]:
    """Evaluate the networks in the folder whose fits chose the winner on the test once.

    Raises:
        InputError: a file cannot be read or written.
    """
    paths = {seed: plan.chosen_network(seed) for seed in chosen_seeds(plan)}
    return [_evaluate(plan, path, seed, CHOSE_WINNER).result for seed, path in paths.items()]


def validate_networks(plan: RetrainPlan) -> list[ValidationAccuracy]:
    """Evaluate the stored network of every seed on validation only, and print the accuracies.

    Raises:
        InputError: a file cannot be read.
    """
    return [_validate(plan, plan.network(seed), seed) for seed in plan.seeds]


def validate_chosen(plan: RetrainPlan) -> dict[int, ValidationAccuracy]:
    """Evaluate the networks whose fits chose the winner on validation only, by seed.

    Raises:
        InputError: a file cannot be read.
    """
    paths = {seed: plan.chosen_network(seed) for seed in chosen_seeds(plan)}
    return {seed: _validate(plan, path, seed, CHOSE_WINNER) for seed, path in paths.items()}


def fit_seeds(plan: RetrainPlan, seeds: list[int]) -> Iterator[FitState]:
    """Yield one finished fit per seed. An interrupted fit resumes from its checkpoint.

    Raises:
        InputError: a fit has diverged, or its checkpoint is corrupt or belongs to another fit.
    """
    for seed in seeds:
        state = FitState(plan.config, seed, plan.compute, start=plan.start)
        epochs = fit(state, plan.train, plan.validation, checkpoint_path=plan.checkpoint(seed))
        logged = log_epochs(epochs, plan.tensorboard_folder(seed))
        for _ in show_epochs(logged, seed, plan.config.fit.max_epochs):
            pass
        if state.history[-1].diverged:
            reason = state.history[-1].stopped
            raise InputError(f"The fit of seed {seed} diverged: {reason}. Choose another --trial.")
        yield state


def describe_plan(plan: RetrainPlan) -> str:
    """Return a one-line description of a retraining for the log of test evaluations."""
    origin, fit_config = plan.origin, plan.config.fit
    epochs = f"{fit_config.max_epochs} epoch{'s' * (fit_config.max_epochs > 1)}"
    return (
        f"{origin} on {origin.train_on}, "
        f"{plan.config.model.image_size} pixels, {epochs}, "
        f"{'with' if fit_config.mirrors else 'no'} mirrors"
    )


def log_test_evaluation(what: str, accuracies: list[float], path: Path = TEST_LOG) -> None:
    """Append a line to the log of all evaluations on the official episodes.

    The log shows how often the test was used. Choosing between networks by these accuracies means
    choosing on the test.

    Args:
        what: command and networks.
        accuracies: official accuracies in [0, 1], one per network.
        path: file of the log.

    Raises:
        InputError: the file cannot be written.
    """
    now = datetime.now(UTC).isoformat(timespec="seconds")
    entry = {"when": now, "what": what, "accuracies": [round(a, 4) for a in accuracies]}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error}). {file_repair(error)}") from error


def _evaluate(plan: RetrainPlan, path: Path, seed: int, note: str = "") -> EvaluatedFit:
    """Evaluate a stored network, add its threshold to its file, and log and print the accuracy.

    Args:
        plan: the plan.
        path: file of the network.
        seed: seed of its fit.
        note: what is special about the fit, for the two logs.
    """
    stored = read_fit(plan, path, seed)
    held_out = plan.validation is not None
    evaluation = evaluate_network(stored.net, plan.split, val_is_held_out=held_out)
    metrics = evaluation.metrics
    verification = asdict(metrics.verification) if metrics.verification else None
    save_network(path, stored.net, plan.config, stored.metadata | {"verification": verification})
    accuracy = metrics.official.accuracy
    label = episodes_label(plan.split.test.name, plan.split.is_official)
    log_test_evaluation(f"retrain_best.py, {describe_plan(plan)}{note}", [accuracy])
    logger.info("seed %s   %s %s%s", seed, f"{accuracy:.1%}", label, note)
    return EvaluatedFit(SeedResult(seed, stored.fit, metrics), evaluation)


def _validate(plan: RetrainPlan, path: Path, seed: int, note: str = "") -> ValidationAccuracy:
    """Evaluate a stored network on validation, and print the accuracy; see :func:`_evaluate`."""
    net, val = read_fit(plan, path, seed).net, plan.split.val
    accuracy = validation_accuracy(net, val, validation_episodes(plan.settings, val))
    logger.info("seed %s   %s validation%s", seed, f"{accuracy.plain:.1%}", note)
    return accuracy
