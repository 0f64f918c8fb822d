"""What retrain_best.py does: refit a winner and evaluate it, or evaluate a checkpoint."""

import math
import sys
from collections.abc import Iterator
from dataclasses import replace

from data.errors import InputError
from data.labels import test_episodes_label
from hpo.refit.plan import RetrainPlan
from hpo.refit.test_log import log_test_evaluation
from model.checkpoint import save_network
from model.fit_state import FitState
from model.provenance import provenance
from model.tensorboard_log import log_epochs
from model.test_metrics import TestMetrics, evaluate_network
from model.train import fit


def fit_seeds(plan: RetrainPlan) -> Iterator[FitState]:
    """Yield one finished fit per seed; a fit that was killed goes on where it was.

    Raises:
        InputError: a fit died, or its checkpoint is torn or of another configuration.
    """
    for seed in plan.seeds:
        state = FitState(plan.config, seed, plan.compute)
        path = plan.checkpoint(seed)
        epochs = fit(state, plan.train, plan.validation, checkpoint_path=path)
        for result in log_epochs(epochs, plan.tensorboard_folder(seed)):
            if sys.stderr.isatty():
                known = not math.isnan(result.accuracy)
                shown = f" · {result.accuracy:.1%} validation" if known else ""
                line = f"seed {seed} epoch {result.epoch}/{plan.config.fit.max_epochs}"
                end = "\n" if result.stopped else "\r"
                print(f"{line} · loss {result.loss:.3f}{shown}   ", end=end, file=sys.stderr)
        if state.history[-1].diverged:
            why = state.history[-1].stopped
            raise InputError(f"The fit of seed {seed} died: {why}. Choose another --trial.")
        yield state


def fit_and_score(plan: RetrainPlan) -> list[TestMetrics]:
    """Fit every seed, keep its network, and evaluate it once on the test."""
    scores = []
    for state in fit_seeds(plan):
        net, facts = state.best_net(), state.facts()
        score = evaluate_network(net, plan.split, val_is_held_out=plan.validation is not None)
        figures = facts | {"history": history_records(state)} | score.figures
        scores.append(with_seed(replace(score, figures=figures), state.seed))
        about = plan.facts | facts | {"verification": score.figures["verification"]}
        about |= {"data": plan.split.test.name, "data_digest": plan.split.test.digest}
        about["provenance"] = provenance(plan.compute)
        save_network(plan.network(state.seed), net, plan.config, about)
        log_test_evaluation(f"retrain_best.py, {describe_plan(plan)}", official_accuracies([score]))
        accuracy, seconds = score.figures["official"]["accuracy"], facts["seconds"]
        whose = test_episodes_label(plan.split.test.name)
        print(f"seed {state.seed}   {accuracy:.1%} {whose}, {seconds:.0f} s", flush=True)
    return scores


def history_records(state: FitState) -> list[dict[str, float | None]]:
    """Return loss and validation accuracy by epoch, as JSON values."""
    return [
        {
            "epoch": result.epoch,
            "loss": result.loss if math.isfinite(result.loss) else None,
            "accuracy": None if math.isnan(result.accuracy) else result.accuracy,
        }
        for result in state.history
    ]


def with_seed(score: TestMetrics, seed: int) -> TestMetrics:
    """Return a score whose rows bear the fit's seed."""
    frames = {n: getattr(score, n).assign(seed=seed) for n in ("predictions", "confusions")}
    return replace(score, figures={"seed": seed} | score.figures, **frames)


def describe_plan(plan: RetrainPlan) -> str:
    """Return what a retraining fits, in a few words."""
    facts, pixels = plan.facts, plan.config.model.image_size
    epochs, mirrors = plan.config.fit.max_epochs, plan.config.fit.mirrors
    said = f"{facts['study']} trial {facts['trial']} on {facts['train_on']}, {pixels} pixels"
    return f"{said}, {epochs} epochs, {'with' if mirrors else 'no'} mirrors"


def official_accuracies(scores: list[TestMetrics]) -> list[float]:
    """Return the official figure of every network."""
    return [score.figures["official"]["accuracy"] for score in scores]
