"""The report of a study: what was run, how the search went, what it found."""

from collections import Counter
from typing import Any

import optuna
import pandas as pd
from optuna.storages import RDBStorage
from optuna.study import Study

from hpo import analysis, figures, maps, records, space_figures
from hpo.finalists import winner
from hpo.keeping import best_trials
from hpo.report import Page, Section, storage_shown
from hpo.study import IDENTITY
from model.evaluate import wilson_interval

N_AXES, N_BEST = 8, 10
MOST = 400  # trials in each of many small figures
EPISODES = {"dense": 480, "paper": 32}  # of an alphabet; see data.episodes
INTERVAL = "95\u00a0% interval over the episodes"


def finalists_of(storage: RDBStorage, study: Study) -> pd.DataFrame | None:
    """Return the fits of the study's finalists, as :func:`hpo.records.trials` does."""
    prefix = f"{study.study_name} finalists "
    names = [s.study_name for s in optuna.get_all_study_summaries(storage)]
    found = [n for n in names if n.startswith(prefix)]
    parts = [records.trials(optuna.load_study(study_name=n, storage=storage)) for n in found]
    return pd.concat(parts, ignore_index=True) if parts else None


def headline(study: Study) -> str:
    """Return the winner's figure with its interval, or what stands in its place."""
    best = best_trials(study, 1)
    if not best:
        return "No trial is complete yet."
    identity = study.user_attrs.get(IDENTITY, {})
    kind, alphabets = _settings(study).get("validation"), identity.get("val_alphabets", [])
    n_episodes = EPISODES[str(kind)] * len(alphabets) or 1
    chosen, scores = winner(study), records.finalist_scores(study)
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


def _settings(study: Study) -> dict[str, Any]:
    return dict(study.user_attrs.get(IDENTITY, {}).get("settings", {}))


def facts(study: Study, frame: pd.DataFrame, spent: float, url: str) -> dict[str, str]:
    """Return what was run: configuration, data, versions, machine, cost, a line each."""
    identity, made = study.user_attrs.get(IDENTITY, {}), study.user_attrs.get("provenance", {})
    counts = Counter(frame["state"])
    settings = " · ".join(
        f"{n} {' '.join(map(str, v)) if isinstance(v, list) else v}"
        for n, v in _settings(study).items()
    )
    versions = " · ".join(f"{n} {v}" for n, v in made.get("versions", {}).items())
    machine = " · ".join(str(made.get(n, "?")) for n in ("cpu", "device", "precision"))
    span = (frame["end"].max() - frame["start"].min()) if frame["end"].notna().any() else None
    cost = f"{spent / 3600:.2f} h of training"
    if span is not None:
        cost += f", {span.total_seconds() / 3600:.2f} h from the first trial to the last"
    return {
        "study": study.study_name,
        "storage": storage_shown(url),
        "settings": settings,
        "data": f"digest {str(identity.get('data_digest', '?'))[:12]}",
        "training alphabets": ", ".join(identity.get("train_alphabets", [])),
        "validation alphabets": ", ".join(identity.get("val_alphabets", [])),
        "trials": ", ".join(f"{n} {state}" for state, n in counts.most_common()) or "none",
        "cost": cost,
        "versions": versions or "?",
        "machine": f"{machine} · {made.get('n_cores', '?')} cores",
        "commit": f"{made.get('commit', '?')}{' with changes' if made.get('dirty') else ''}",
    }


def best_table(study: Study, frame: pd.DataFrame) -> list[list[str]]:
    """Return the best complete trials, a column each: value, finalists' fits, cost, parameters."""
    done = frame[frame["state"] == "complete"].sort_values("value", ascending=False).head(N_BEST)
    scores = records.finalist_scores(study).set_index("trial")
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
    return rows + [[name, *map(figures.said, done[name])] for name in records.parameters(frame)]


def sections(storage: RDBStorage, study: Study, url: str) -> list[Section]:
    """Return the report's parts."""
    frame = records.trials(study)
    went, names, log = (
        records.progress(frame),
        records.parameters(frame),
        (records.log_parameters(study)),
    )
    ranked = analysis.importances(study)
    n_complete = int(frame["state"].isin(["complete", "died"]).sum())
    order = [*ranked["parameter"]] or names
    peers = analysis.best_over_peers(analysis.random_peers(storage, study))
    spent = records.spending(frame, finalists_of(storage, study))
    done = frame[frame["state"] == "complete"]
    few = records.thinned(done, MOST)
    every = "" if len(few) == len(done) else f" ({len(few)} of {len(done)}, evenly chosen)"
    beside = "" if peers.empty else " Dotted: random search in the same space."
    parts = [
        Section("What was run", facts=facts(study, frame, spent["seconds"].sum(), url)),
        Section(
            "Optimisation history",
            "Validation accuracy of every trial, a pruned one's last, and the best so far: by "
            "trial, then by the training time spent." + beside,
            figures=[
                figures.history(went, peers),
                figures.history(went, peers, against="cost", full=False),
            ],
        ),
        Section(
            "Pruning",
            "Every trial's learning curve; the mark at its end says what ended it.",
            figures=[figures.learning_curves(records.curves(study))],
        ),
        Section("Where the budget went", figures=[figures.spending(spent)]),
        Section(
            "Importance of the parameters",
            "PED-ANOVA (Watanabe et al., 2023): how the best trials' values differ from all "
            f"trials'. It rests on {n_complete} complete trials; with fewer than a hundred, take "
            "the order as a hint.",
            figures=[space_figures.importances(ranked, n_complete)],
        ),
        Section(
            "Parallel coordinates",
            f"The {min(N_AXES, len(order))} most important parameters of the complete trials; "
            "brighter is better.",
            figures=[space_figures.parallel(frame, order[:N_AXES], log)],
            wide=True,
        ),
        Section(
            "Slices",
            f"Validation accuracy against each parameter, complete trials alone{every}.",
            figures=[space_figures.slices(few, order, log)],
            wide=True,
        ),
        Section(
            "Learning rate and momentum, layer by layer",
            f"Complete trials{every}; brighter is better.",
            figures=[maps.layer_rates(records.layer_rates(few))],
            wide=True,
        ),
    ]
    if len(order) >= 2:
        x, y = order[:2]
        grid = analysis.surface(frame, x, y, log)
        drawn = maps.contour(frame, grid, x, y, log)
        note = "Interpolated between the complete trials (white); outside of them nothing is said."
        parts.append(Section("The two most important parameters", note, figures=[drawn]))
    parts += [
        Section(
            "Accuracy against cost",
            figures=[maps.pareto(records.pareto(frame))],
        ),
        Section(
            f"The best {N_BEST} trials",
            "“Fitted again”: mean (least–most) over fresh seeds and fresh validation episodes.",
            table=best_table(study, frame),
        ),
    ]
    return parts


def study_page(storage: RDBStorage, study: Study, url: str) -> Page:
    """Return the report of a study.

    Args:
        storage: the study's.
        study: with any trials, or none.
        url: database address, shown without folders and password.
    """
    lead = [
        "All accuracies are on validation alphabets; nothing here was chosen on the test. The "
        "episodes share drawings, so intervals over them are a little too narrow."
    ]
    if _settings(study).get("data") == "glyphs":
        lead.append("These are the built-in glyphs, not Omniglot: no figure compares to the paper.")
    title = f"Study {study.study_name}"
    return Page(title, headline(study), lead, sections(storage, study, url))
