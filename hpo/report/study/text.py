"""The text of a study's report: headline, facts, and the table of the best trials."""

from collections import Counter

import pandas as pd
from optuna.study import Study

from data.text import redact_storage
from hpo.report.study import frames
from hpo.search.winner import (
    describe_accuracies,
    format_fits,
    is_chosen_for_its_mean,
    winner_accuracy,
    winning_trial,
)
from hpo.settings.config_text import settings_texts
from hpo.settings.study_settings import StudySettings
from hpo.study.goals import describe_point, has_one_goal, pareto_front
from hpo.study.identity import settings_from_dict
from hpo.study.open import IDENTITY, N_EPISODES
from hpo.study.trials import (
    best_trials,
    count_diverged_finalists,
    finalist_accuracies,
    summarize_trials,
)

N_BEST_SHOWN = 10


def stored_settings(study: Study) -> StudySettings | None:
    """Return the settings of a study; None if run_study.py did not create it."""
    settings = study.user_attrs.get(IDENTITY, {}).get("settings")
    return settings_from_dict(settings) if settings else None


def study_headline(study: Study) -> str:
    """Return the accuracy of the winner with its interval, or of the best trials so far."""
    best, winner = best_trials(study, 1), winning_trial(study)
    if not best:
        return "No trial is complete yet."
    summary = summarize_trials(study)[(winner or best[0]).number]
    if summary.state == "diverged":
        return "No fit has learned anything yet: all complete trials have diverged."
    if not has_one_goal(study):
        return front_headline(study)
    if winner and (accuracies := winner_accuracy(study)):
        return f"Winner: trial {summary.number} with {describe_accuracies(accuracies)}."
    if winner and summary.finalist_value is None:
        reason = (
            "Its new fits failed, so no trial was compared with it."
            if finalist_accuracies(study)
            else "No trial was better, so none was refitted."
        )
        return (
            f"Winner: trial {summary.number} with {summary.value:.1%} in the search. {reason} "
            "No unbiased accuracy was measured."
        )
    if winner is None:
        return (
            f"Best so far: trial {summary.number} with {summary.value:.1%} validation accuracy. "
            "This is too high on average: it is the highest of many noisy values."
        )
    bias = (
        "This is too high on average, because the trial was chosen for it. "
        if is_chosen_for_its_mean(study)
        else ""
    )
    return (
        f"Winner: trial {summary.number} with {summary.finalist_value:.1%} as a finalist, "
        f"{format_fits(len(summary.finalist_values))}. {bias}No unbiased accuracy was measured."
    )


def front_headline(study: Study) -> str:
    """Return the ends of the Pareto front of a study of two goals with at least one trial on it."""
    front = pareto_front(study)
    ends = [f"trial {trial.number} with {describe_point(trial)}" for trial in (front[0], front[-1])]
    shown = (
        f"has {len(front)} trials, from {' to '.join(ends)}" if len(front) > 1 else f"is {ends[0]}"
    )
    return (
        f"The study has two goals. Its Pareto front so far {shown} per image. These accuracies are "
        "too high on average: they are the highest of many noisy values."
    )


def study_facts(study: Study, frame: pd.DataFrame, seconds: float, url: str) -> dict[str, str]:
    """Return the configuration, data, cost and environment of a study as text by name.

    Args:
        study: study of the report.
        frame: its frame of :func:`hpo.report.study.frames.trial_frame`.
        seconds: training time of all its fits.
        url: database address; it is shown without password and folders.
    """
    identity, provenance = (study.user_attrs.get(n, {}) for n in (IDENTITY, "provenance"))
    settings = stored_settings(study)
    texts = settings_texts(settings) if settings else {}
    cost_of_step = texts.pop("step_cost", None)
    versions = [f"{name} {version}" for name, version in provenance.get("versions", {}).items()]
    machine = [str(provenance.get(name, "?")) for name in ("cpu", "device", "precision")]
    machine.append(f"{provenance.get('n_cores', '?')} cores")
    changed = " with uncommitted changes" if provenance.get("dirty") else ""
    states = Counter(frame["state"]).most_common()
    n_by_device = Counter(s.cost.device for s in summarize_trials(study) if s.cost).most_common()
    devices = [f"{device} ({n} trial{'s' * (n > 1)})" for device, n in n_by_device]
    cost = f"{seconds / 3600:.2f} h of training"
    if frame["end"].notna().any():
        span = frame["end"].max() - frame["start"].min()
        cost += f", {span.total_seconds() / 3600:.2f} h from the first trial to the last"
    return {
        "study": study.study_name,
        "storage": redact_storage(url),
        "settings": " · ".join(f"{name} {text}" for name, text in texts.items()),
        "costs of a step (FLOP, activation, comparison, weight, step)": f"{cost_of_step} ns"
        if cost_of_step
        else "–",
        "validation": f"{study.user_attrs.get(N_EPISODES, '?')} different episodes",
        "data": f"digest {str(identity.get('data_digest', '?'))[:12]}",
        "training alphabets": ", ".join(identity.get("train_alphabets", [])),
        "validation alphabets": ", ".join(identity.get("val_alphabets", [])),
        "trials": ", ".join(f"{n} {state}" for state, n in states) or "none",
        "cost": cost,
        "trained on": ", ".join(devices) or "–",
        "versions of the last run": " · ".join(versions) or "?",
        "machine of the last run": " · ".join(machine),
        "commit of the last run": f"{provenance.get('commit', '?')}{changed}",
    }


def best_table(study: Study, frame: pd.DataFrame) -> list[list[str]]:
    """Return the best complete trials as a table with a column per trial; empty if there is none.

    Args:
        study: study of the report.
        frame: its frame of :func:`hpo.report.study.frames.trial_frame`.
    """
    best = frames.best_rows(frame, share=0, at_least=N_BEST_SHOWN)
    if best.empty:
        return []
    n_diverged = count_diverged_finalists(study)
    as_finalist = {
        row.trial: f"{n_diverged[row.trial]} of {row.n} fits diverged"
        if n_diverged[row.trial]
        else f"{row.mean:.1%} ({row.lowest:.1%}–{row.highest:.1%})"
        for row in frames.finalist_frame(study).itertuples()
    }
    finalists = ["as a finalist", *(as_finalist.get(number, "–") for number in best["trial"])]
    rows = [
        ["trial", *map(str, best["trial"])],
        ["value", *(f"{value:.1%}" for value in best["value"])],
        *([finalists] if as_finalist else []),
        ["epochs", *map(str, best["n_epochs"])],
        ["training (s)", *(f"{seconds:.0f}" for seconds in best["seconds"])],
        ["embedding an image (MFLOP)", *(f"{flops / 1e6:.1f}" for flops in best["flops"])],
    ]
    names = frames.parameter_names(frame)
    return rows + [[name, *map(format_value, best[name])] for name in names]


def format_value(value: object) -> str:
    """Return the value of a parameter as text; data frames turn its integers into floats."""
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() else f"{value:.3g}"
    return str(value)
