"""What a study is going to do, as text for the user."""

import logging
import math

from hpo.settings.sections import DEFAULT_TRIALS
from hpo.settings.study_settings import StudyConfig
from hpo.study.budget import Budget, trial_rungs
from hpo.study.plan import epochs_of_plan

logger = logging.getLogger(__name__)

FEW_TRIALS = 5  # with fewer, a study hardly tries anything but the default
GOOD_TRIALS = DEFAULT_TRIALS


def log_plan(run: StudyConfig, budget: Budget, epoch_seconds: float | None) -> None:
    """Log what the time budget allows, if there is one, and whether it is too small for a search.

    Args:
        run: configuration of the run.
        budget: limits of the study.
        epoch_seconds: how long an epoch took at the start of the study.
    """
    if budget.n_epochs is None or epoch_seconds is None:
        return
    rungs = trial_rungs(run)
    logger.info(
        "plan     %s epochs: about %s of %s epochs, at most %s",
        budget.n_epochs,
        counted(budget.n_trials, "trial"),
        " or ".join(map(str, rungs)),
        counted(budget.n_fits, "further fit"),
    )
    if budget.n_trials < FEW_TRIALS and run.n_trials is None:
        n_epochs = epochs_of_plan(GOOD_TRIALS, rungs, budget.n_fits)
        logger.info(
            "note     this is hardly a search: %s trials need about %s min. Raise --time-budget, "
            "or begin another study (--study-name) with a lower --max-epochs.",
            GOOD_TRIALS,
            math.ceil(n_epochs * epoch_seconds / 60),
        )


def counted(n: int, noun: str) -> str:
    """Return a number with its noun, for example ``1 trial`` or ``2 trials``."""
    return f"{n} {noun}{'s' * (n != 1)}"


def describe_finalists(run: StudyConfig, *, evaluate_winner: bool) -> str:
    """Return how many fits may follow the search, as text; empty if there are no finalists.

    Args:
        run: configuration of the run.
        evaluate_winner: whether the winner is fitted with further seeds.
    """
    n = min(run.n_finalists, run.n_trials)
    if n < 2 or not run.has_one_goal:
        return ""
    return f"at most {counted((n + evaluate_winner) * run.n_finalist_seeds, 'further fit')}"
