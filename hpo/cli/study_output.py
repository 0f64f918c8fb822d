"""What run_study.py prints before and after the trials.

:mod:`hpo.runtime.progress` prints the trials.
"""

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence

from optuna.study import Study
from optuna.trial import TrialState

from data.contents import data_summary
from data.drawings import Drawings
from data.labels import data_caveat
from data.paths import DEFAULT_STORAGE
from data.text import hide_password, text_table
from hpo.runtime.requeue import worker_of
from hpo.search.choice import Gain, stored_gain
from hpo.search.trial_files import trial_files
from hpo.search.winner import TOO_HIGH, describe_value, winning_trial
from hpo.settings.config_text import settings_texts
from hpo.settings.study_settings import StudyConfig
from hpo.study.budget import Budget, count_finished, study_budget
from hpo.study.goals import front_table
from hpo.study.storage import storage_errors
from hpo.study.trials import (
    STATES,
    TrialSummary,
    best_trials,
    count_diverged_finalists,
    finalist_accuracies,
    summarize_trials,
)

NO_WINNER = (
    "No finalists have been fitted yet. Until then, retrain_best.py refits the trial with the "
    "highest value, which is too high on average."
)
ANY_POINT = (
    "`retrain_best.py --trial N` refits any complete trial. Without --trial, it refits the most "
    "accurate one."
)
INDENT = " " * 9  # aligns continuation lines with the text after a label such as "study"


def print_start(run: StudyConfig, drawings: Drawings) -> None:
    """Print name, storage, settings and data of the study that is started or resumed.

    Args:
        run: configuration of the run.
        drawings: all drawings of its data set.
    """
    texts = settings_texts(run.settings)
    if run.max_epochs is None and run.time_budget is not None:
        del texts["max_epochs"]  # the time budget may choose it
    settings = [f"{name} {value}" for name, value in texts.items()]
    print(f"study    {run.name} in {hide_password(run.storage)}")
    print(f"settings {' · '.join(settings)}")
    print(f"data     {data_summary(drawings, run.data_root, run.division)}", flush=True)
    if caveat := data_caveat(run.settings.data):
        print(f"note     {caveat}")


def print_summary(study: Study, run: StudyConfig, seconds: float) -> None:
    """Print the result of a run: trials by state, finalists, winner or front, files, next commands.

    Args:
        study: study of the run.
        run: configuration of the run.
        seconds: wall time of the run.
    """
    with storage_errors(run.storage):
        summaries = summarize_trials(study)
        counts = Counter(summary.state for summary in summaries)
        states = ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])
        n_finished = count_finished(study)
        budget = study_budget(run, study)
        is_over = budget.is_spent(study)
        n_trials = n_finished if is_over else budget.n_trials
        print(
            f"{'finished' if is_over else 'paused'}: {n_finished} of {n_trials} "
            f"trials ({states}), {seconds / 60:.1f} min in this run"
        )
        if finalist_accuracies(study):
            _print_finalists(summaries, count_diverged_finalists(study), stored_gain(study))
        elif run.has_one_goal and (winner := winning_trial(study)):
            print(f"finalists: none, because no trial is better than trial {winner.number}")
        _print_best(study) if run.has_one_goal else _print_front(study)
        print(f"files    {trial_files(study, run.var).describe()}")
        has_finalists = run.has_one_goal and run.n_finalists > 1 and counts["complete"] > 1
        is_incomplete = has_finalists and winning_trial(study) is None
        if is_incomplete:
            print(f"note     {NO_WINNER}")
        _print_running(study)
        if is_over and not (is_incomplete and budget.can_fit_finalists(study)):
            print(f"The study is finished. To continue it, {_extension(study, budget)}.")
        else:
            print("Run the same command again to resume.")
        print(f"next     {' · '.join(next_commands(run))}")


def _print_finalists(
    summaries: Sequence[TrialSummary], n_diverged: Mapping[int, int], gain: Gain | None
) -> None:
    """Print the accuracies that choose the winner, the best mean first.

    Args:
        summaries: all trials of the study.
        n_diverged: number of fits that diverged, by number of the trial.
        gain: gain of the best trial over the default, if it decided on the winner.
    """
    finalists = [summary for summary in summaries if summary.finalist_values]
    finalists.sort(key=lambda summary: -(summary.choosing_value or 0.0))
    rows = [["trial", "mean", "search", "new fits"]]
    for summary in finalists:
        fits = " ".join(f"{value:.1%}" for value in summary.finalist_values)
        if n := n_diverged.get(summary.number):
            fits += f" ({n} diverged, counted as chance)"
        mean, search = f"{summary.choosing_value:.1%}", f"{summary.value:.1%}"
        rows.append([str(summary.number), mean, search, fits])
    print("finalists, fitted again with new seeds and evaluated on new validation episodes; the")
    print(f"{INDENT}highest mean replaces the default if its new fits are clearly better:")
    print(text_table(rows, INDENT))
    if gain:
        print(f"{INDENT}{gain}")


def _print_best(study: Study) -> None:
    """Print value and parameters of the winner, or of the best trial if there is no winner yet."""
    winner = winning_trial(study)
    for trial in [winner] if winner else best_trials(study, 1):
        label = "winner" if winner else "best"
        first, *others = describe_value(study, trial).split("; ")
        lines = [f"{label:8} trial {trial.number}: {first}", *(INDENT + o for o in others)]
        print("\n".join(lines))
        if rows := [[name, _parameter_text(value)] for name, value in trial.params.items()]:
            print(text_table(rows, INDENT))


def _parameter_text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _print_front(study: Study) -> None:
    """Print the Pareto front of a study of two goals."""
    if rows := front_table(study):
        print(f"Pareto front of accuracy and cost; each accuracy is {TOO_HIGH}:")
        print(text_table(rows, INDENT))
        print(f"note     {ANY_POINT}")


def _extension(study: Study, budget: Budget) -> str:
    """Return how to extend a study at its limit; earlier runs use up the time budget, too."""
    if budget.are_epochs_spent(study) or not budget.can_fit_finalists(study):
        return "raise --time-budget"
    if budget.is_stagnant(study):
        return "raise --patience-trials"
    return "raise --n-trials"


def _print_running(study: Study) -> None:
    """Print the trials that other processes are running."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        worker = worker_of(trial)
        print(f"running  trial {trial.number} on {worker.host} (process {worker.pid})")


def next_commands(run: StudyConfig) -> list[str]:
    """Return the commands that show the study and refit its winner, with the flags they need."""
    is_default = run.storage == DEFAULT_STORAGE
    storage_flags = [] if is_default else ["--storage", hide_password(run.storage)]
    if run.name != run.default_name:
        storage_flags += ["--study-name", run.name]
    data_flags = ["--data-root", str(run.data_root)] if run.data_root else []
    return [
        shlex.join(["uv", "run", "dashboard.py", *storage_flags]),
        shlex.join(["uv", "run", "retrain_best.py", *storage_flags, *data_flags]),
    ]
