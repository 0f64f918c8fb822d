"""What a study was and came to, in words: headline, facts, the best trials as a table."""

from collections import Counter
from typing import Any

import pandas as pd
from optuna.study import Study

from data.text import redact_storage
from hpo.report.study import frames, history_plots
from hpo.search.winner import winning_trial
from hpo.study.open import IDENTITY, N_EPISODES
from hpo.study.trials import best_trials, trial_attributes
from model.evaluate import wilson_interval

N_BEST_SHOWN = 10

# Of an alphabet of Omniglot, for studies that do not say it: those before 0.5.0.
EPISODES = {"dense": 480, "paper": 32}

INTERVAL = "95\u00a0% interval over the episodes"


def settings_of(study: Study) -> dict[str, Any]:
    """Return what was asked of a study, empty for a foreign one."""
    return dict(study.user_attrs.get(IDENTITY, {}).get("settings", {}))


def study_headline(study: Study) -> str:
    """Return the winner's figure with its interval, or what stands in its place."""
    best = best_trials(study, 1)
    if not best:
        return "No trial is complete yet."
    if trial_attributes(best[0]).get("diverged"):
        return "No fit has learned anything yet: all that were complete had died."
    n_episodes = n_episodes_of(study)
    chosen, scores = winning_trial(study), frames.finalist_frame(study)
    if chosen is None or scores.empty:
        low, high = wilson_interval(best[0].value or 0.0, n_episodes)
        return (
            f"Best so far: trial {best[0].number} with {best[0].value:.1%} of the validation "
            f"episodes ({INTERVAL} {low:.1%} to {high:.1%}; the highest of many values owes a part "
            "of its rank to luck)."
        )
    row = scores.set_index("trial").loc[chosen.number]
    low, high = wilson_interval(row["mean"], n_episodes)
    several = f"mean of {row['n']:.0f} fits from {row['least']:.1%} to {row['most']:.1%}"
    return (
        f"Winner: trial {chosen.number} with {row['mean']:.1%} of fresh validation episodes, "
        f"{several if row['n'] > 1 else 'one fit'} ({INTERVAL} {low:.1%} to {high:.1%})."
    )


def n_episodes_of(study: Study) -> int:
    """Return the number of validation episodes that each trial was asked."""
    identity = study.user_attrs.get(IDENTITY, {})
    kind, alphabets = settings_of(study).get("validation"), identity.get("val_alphabets", [])
    return study.user_attrs.get(N_EPISODES) or EPISODES[str(kind)] * len(alphabets) or 1


def study_facts(study: Study, frame: pd.DataFrame, spent: float, url: str) -> dict[str, str]:
    """Return what was run: configuration, data, versions, machine, cost, a line each."""
    identity, made = study.user_attrs.get(IDENTITY, {}), study.user_attrs.get("provenance", {})
    counts = Counter(frame["state"])
    settings = " · ".join(
        f"{n} {' '.join(map(str, v)) if isinstance(v, list) else v}"
        for n, v in settings_of(study).items()
    )
    versions = " · ".join(f"{n} {v}" for n, v in made.get("versions", {}).items())
    compute = " · ".join(str(made.get(n, "?")) for n in ("cpu", "device", "precision"))
    ended = study.get_trials(deepcopy=False)
    changed = " with changes" if made.get("dirty") else ""
    devices = Counter(t.user_attrs["device"] for t in ended if "device" in t.user_attrs)
    span = (frame["end"].max() - frame["start"].min()) if frame["end"].notna().any() else None
    cost = f"{spent / 3600:.2f} h of training"
    if span is not None:
        cost += f", {span.total_seconds() / 3600:.2f} h from the first trial to the last"
    return {
        "study": study.study_name,
        "storage": redact_storage(url),
        "settings": settings,
        "data": f"digest {str(identity.get('data_digest', '?'))[:12]}",
        "training alphabets": ", ".join(identity.get("train_alphabets", [])),
        "validation alphabets": ", ".join(identity.get("val_alphabets", [])),
        "trials": ", ".join(f"{n} {state}" for state, n in counts.most_common()) or "none",
        "cost": cost,
        "trained on": ", ".join(f"{d} ({n} trials)" for d, n in devices.most_common()) or "–",
        "versions of the last run": versions or "?",
        "machine of the last run": f"{compute} · {made.get('n_cores', '?')} cores",
        "commit of the last run": f"{made.get('commit', '?')}{changed}",
    }


def best_table(study: Study, frame: pd.DataFrame) -> list[list[str]]:
    """Return the best complete trials, a column each: value, finalists' fits, cost, parameters."""
    done = (
        frame[frame["state"] == "complete"].sort_values("value", ascending=False).head(N_BEST_SHOWN)
    )
    if done.empty:
        return []
    scores = frames.finalist_frame(study).set_index("trial")
    again = {
        number: f"{score['mean']:.1%} ({score['least']:.1%}–{score['most']:.1%})"
        for number, score in scores.iterrows()
    }
    rows = [
        ["trial", *map(str, done["trial"])],
        ["value", *(f"{value:.1%}" for value in done["value"])],
        ["fitted again", *(again.get(number, "–") for number in done["trial"])],
        ["epochs", *map(str, done["epochs"])],
        ["training (s)", *(f"{seconds:.0f}" for seconds in done["seconds"])],
        ["an image's cost (MFLOP)", *(f"{flops / 1e6:.1f}" for flops in done["flops"])],
    ]
    return rows + [
        [name, *map(history_plots.format_value, done[name])]
        for name in frames.parameter_names(frame)
    ]
