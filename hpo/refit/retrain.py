"""The fits of a retraining: each network is trained, evaluated on the test once, and saved."""

import json
import math
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from data.errors import InputError
from data.labels import episodes_label
from data.paths import VAR
from hpo.refit.plan import RetrainPlan
from hpo.refit.result import EpochRecord, FitRecord, SeedResult
from model.checkpoint import save_network
from model.fit_state import EpochResult, FitState
from model.metrics import NetworkEvaluation, evaluate_network
from model.provenance import provenance
from model.tensorboard_log import log_epochs
from model.train import fit

TEST_LOG = VAR / "official.jsonl"


@dataclass(frozen=True)
class EvaluatedFit:
    """One evaluated network.

    Args:
        result: its part of the result.
        evaluation: its metrics with the tables and filters.
    """

    result: SeedResult
    evaluation: NetworkEvaluation


def fit_and_evaluate(plan: RetrainPlan) -> list[EvaluatedFit]:
    """Fit every seed, save its network, and evaluate it on the test once.

    Raises:
        InputError: a fit has diverged, or a file cannot be read or written.
    """
    return [_evaluate_fit(plan, state) for state in fit_seeds(plan)]


def fit_seeds(plan: RetrainPlan) -> Iterator[FitState]:
    """Yield one finished fit per seed. An interrupted fit resumes from its checkpoint.

    Raises:
        InputError: a fit has diverged, or its checkpoint is corrupt or of another configuration.
    """
    for seed in plan.seeds:
        state = FitState(plan.config, seed, plan.compute)
        epochs = fit(state, plan.train, plan.validation, checkpoint_path=plan.checkpoint(seed))
        for result in log_epochs(epochs, plan.tensorboard_folder(seed)):
            if sys.stderr.isatty():
                _print_epoch(seed, result, plan.config.fit.max_epochs)
        if state.history[-1].diverged:
            reason = state.history[-1].stopped
            raise InputError(f"The fit of seed {seed} diverged: {reason}. Choose another --trial.")
        yield state


def describe_plan(plan: RetrainPlan) -> str:
    """Return what a retraining fits, as one line for the log of test evaluations."""
    origin, fit_config = plan.origin, plan.config.fit
    return (
        f"{origin.study} trial {origin.trial} on {origin.train_on}, "
        f"{plan.config.model.image_size} pixels, {fit_config.max_epochs} epochs, "
        f"{'with' if fit_config.mirrors else 'no'} mirrors"
    )


def log_test_evaluation(what: str, accuracies: list[float], path: Path = TEST_LOG) -> None:
    """Append a line to the log of all evaluations on the official episodes.

    The log shows how often the test was used. A choice between many logged accuracies is a choice
    on the test.

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
        raise InputError(
            f"{path} cannot be written ({error}). Check the path, its permissions and the free "
            "disk space."
        ) from error


def _evaluate_fit(plan: RetrainPlan, state: FitState) -> EvaluatedFit:
    """Evaluate a finished fit, save its network, log the evaluation and print the accuracy."""
    net, data = state.best_net(), plan.split.test
    evaluation = evaluate_network(net, plan.split, val_is_held_out=plan.validation is not None)
    metrics, fit_facts = evaluation.metrics, state.metadata()
    verification = asdict(metrics.verification) if metrics.verification else None
    metadata = asdict(plan.origin) | fit_facts | {"verification": verification}
    metadata |= {"data": data.name, "data_digest": data.digest}
    metadata["provenance"] = provenance(plan.compute)
    save_network(plan.network(state.seed), net, plan.config, metadata)
    accuracy = metrics.official.accuracy
    log_test_evaluation(f"retrain_best.py, {describe_plan(plan)}", [accuracy])
    label = episodes_label(data.name)
    print(f"seed {state.seed}   {accuracy:.1%} {label}, {fit_facts['seconds']:.0f} s", flush=True)
    return EvaluatedFit(SeedResult(state.seed, _fit_record(state), metrics), evaluation)


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


def _print_epoch(seed: int, result: EpochResult, max_epochs: int) -> None:
    """Show an epoch on one line of the terminal, which the next epoch overwrites."""
    accuracy = "" if math.isnan(result.accuracy) else f" · {result.accuracy:.1%} validation"
    line = f"seed {seed} epoch {result.epoch}/{max_epochs} · loss {result.loss:.3f}{accuracy}   "
    print(line, end="\n" if result.stopped else "\r", file=sys.stderr)
