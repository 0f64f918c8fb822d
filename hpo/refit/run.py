"""A whole retraining: its fits, their evaluation on the test, and the result."""

import time
from typing import Any, NamedTuple

from data.drawings import FULL_SIZE
from data.splits import Split
from hpo.refit.plan import RetrainPlan
from hpo.refit.result import RetrainResult
from hpo.refit.retrain import EvaluatedFit, evaluate_chosen, evaluate_networks, fit_networks
from hpo.refit.settings import RetrainConfig
from hpo.study.dataset import load_data, split_data
from model.evaluate import wilson_interval
from model.metrics import evaluate_baseline
from model.provenance import provenance
from model.summary import summarize_metrics


class Retraining(NamedTuple):
    """What a retraining writes.

    Args:
        result: content of ``result.json``.
        fits: fits of the fresh seeds, for the tables of predictions and confusions.
        full_size: the data set at 105 pixels, for the pictures of the report.
    """

    result: RetrainResult
    fits: list[EvaluatedFit]
    full_size: Split


def run_retraining(plan: RetrainPlan, request: RetrainConfig) -> Retraining:
    """Fit and evaluate the networks of a plan. Networks in its folder are not fitted again.

    Args:
        plan: plan of the retraining.
        request: its settings.

    Raises:
        InputError: a fit has diverged, or a file cannot be written.
    """
    started, settings = time.monotonic(), plan.settings
    fit_networks(plan, again=request.again)
    # If this fails, the test has not been used yet.
    full_size = split_data(settings, load_data(settings, request.data_root, FULL_SIZE))
    fits, chosen = evaluate_networks(plan), evaluate_chosen(plan)
    wall_seconds = round(time.monotonic() - started, 1)
    result = compose_result(
        fits,
        plan.split,
        full_size,
        config=plan.config,
        provenance=provenance(plan.compute),
        origin=plan.origin,
        wall_seconds=wall_seconds,
        chosen=chosen,
        settings=plan.sections,
    )
    return Retraining(result, fits, full_size)


def compose_result(
    fits: list[EvaluatedFit], split: Split, full_size: Split, **facts: Any
) -> RetrainResult:
    """Return the result of evaluated fits.

    Args:
        fits: at least one fit.
        split: data set of the evaluation.
        full_size: the same data set at 105 pixels, for the 1-NN baseline.
        facts: further fields of :class:`hpo.refit.result.RetrainResult`.
    """
    summary = summarize_metrics([fit.result.metrics for fit in fits])
    return RetrainResult(
        data=split.test.name,
        data_digest=split.test.digest,
        summary=summary,
        n_way=split.official.n_way,
        is_official=split.is_official,
        official_interval=wilson_interval(summary.official.mean, len(split.official)),
        seeds=[fit.result for fit in fits],
        baseline=evaluate_baseline(full_size),
        **facts,
    )
