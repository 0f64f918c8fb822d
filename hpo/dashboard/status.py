"""The status of a study as text, for a terminal."""

from collections import Counter
from datetime import datetime

from optuna.storages import RDBStorage
from optuna.study import Study
from optuna.trial import TrialState

from data.text import hide_password, text_table
from hpo.report.study import frames
from hpo.report.study.text import format_value, study_headline
from hpo.runtime.requeue import is_orphan
from hpo.search.finalists import finalist_studies
from hpo.search.winner import winning_trial
from hpo.study.budget import N_TRIALS
from hpo.study.goals import front_table, has_one_goal
from hpo.study.trials import STATES, TrialSummary, best_trials, summarize_trials
from model.architecture import LAYERS

INDENT = " " * 9


def status_text(storage: RDBStorage, study: Study, url: str) -> str:
    """Return the number of trials by state, the running trials, the rate and the best trial.

    A study of two goals has its Pareto front in place of a best trial.

    Args:
        storage: storage of the study.
        study: study with any number of trials.
        url: database address; it is shown without password.
    """
    summaries = summarize_trials(study)
    counts = Counter(summary.state for summary in summaries)
    states = " · ".join(f"{counts[s]} {s}" for s in STATES if counts[s]) or "no trial yet"
    n_requested = int(study.user_attrs.get(N_TRIALS, 0))
    n_finished = sum(counts[state] for state in ("complete", "pruned", "diverged", "failed"))
    parts = [study, *finalist_studies(storage, study)]
    lines = [
        f"study    {study.study_name} in {hide_password(url)}",
        f"trials   {states}" + (f" · {n_requested} requested" if n_requested else ""),
        f"rate     {format_rate(study, n_requested - n_finished, datetime.now())}",
        *(line for part in parts for line in _running_lines(part, study)),
        study_headline(study),
    ]
    if not has_one_goal(study):
        lines += [text_table(front, INDENT)] if (front := front_table(study)) else []
    elif best := best_trials(study, 1):
        summary = summaries[(winning_trial(study) or best[0]).number]
        lines += [_parameter_table(summary)] if summary.state != "diverged" else []
    return "\n".join(lines)


def orphaned_trials(study: Study) -> set[int]:
    """Return the numbers of the running trials whose process, on this host, no longer exists."""
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    return {trial.number for trial in running if is_orphan(trial)}


def format_rate(study: Study, n_left: int, now: datetime) -> str:
    """Return the rate of the latest trials and the time left at this rate, as text.

    Args:
        study: study whose trials are counted.
        n_left: number of trials that are not finished; 0 or less if all are.
        now: current time.
    """
    frame = frames.trial_frame(study)
    rate = frames.trials_per_hour(frame[~frame["trial"].isin(orphaned_trials(study))], now)
    if rate is None:
        return "unknown: too few trials have ended"
    text = f"{rate:.0f} trials an hour" if rate >= 10 else f"{rate:.1f} trials an hour"
    if n_left > 0:
        text += f" · about {60 * n_left / rate:.0f} min for the {n_left} left"
    return text


def _running_lines(part: Study, study: Study) -> list[str]:
    """Return a line for each running trial of a study or of the fits of its finalists."""
    orphans = orphaned_trials(part)
    word = "trial" if part is study else "further fit of trial"
    return [
        _running_line(summary, word, is_orphaned=summary.number in orphans)
        for summary in summarize_trials(part)
        if summary.state == "running"
    ]


def _running_line(summary: TrialSummary, word: str, *, is_orphaned: bool) -> str:
    number = summary.params.get("trial", summary.number)  # of a further fit, the trial it repeats
    line = f"running  {word} {number} · epoch {max(summary.accuracies, default=0)}"
    if summary.accuracies:
        line += f" · {list(summary.accuracies.values())[-1]:.1%}"
    if is_orphaned:
        line += " · its process is gone; run_study.py will queue the trial again"
    return line


def _parameter_table(summary: TrialSummary) -> str:
    """Return the parameters of a trial: a table with one row per layer, then all others."""
    params = summary.params
    of_layers = [name for name in params if name.partition(".")[0] in LAYERS]
    layers = list(dict.fromkeys(name.partition(".")[0] for name in of_layers))
    kinds = list(dict.fromkeys(name.partition(".")[2] for name in of_layers))
    rows = [["", *kinds]]
    for layer in layers:
        values = (params.get(f"{layer}.{kind}", "–") for kind in kinds)
        rows.append([layer, *map(format_value, values)])
    others = [[n, format_value(value)] for n, value in params.items() if n not in of_layers]
    tables = [*([rows] if layers else []), *([others] if others else [])]
    return "\n".join(text_table(table, INDENT) for table in tables)
