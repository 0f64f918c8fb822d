"""What the table of ``benchmarks/curves.py`` says, without the held-out alphabets."""

from statistics import fmean
from typing import Any

import pandas as pd
from curves_plan import FIT, LENGTH, RUNGS
from held_out import HELD_OUT

from model.train import CHANCE_ACCURACY

GOOD = 0.8  # accuracy of the fits among which a search has to choose


def curve_of(entry: dict[str, Any]) -> list[float]:
    """Return the accuracies of a stored fit at all rungs, without the held-out alphabets."""
    recorded, last = recorded_of(entry), last_of(entry)
    return [recorded.get(rung, last) for rung in RUNGS]


def recorded_of(entry: dict[str, Any]) -> dict[int, float]:
    """Return the recorded accuracies of a stored fit by epoch, without the held-out alphabets."""
    return {
        row["epoch"]: fmean(a for name, a in row["alphabets"].items() if name not in HELD_OUT)
        for row in entry["curve"]
        if "alphabets" in row
    }


def last_of(entry: dict[str, Any]) -> float:
    """Return the accuracy of a stored fit at its end; chance if it has diverged."""
    recorded = recorded_of(entry)
    return recorded[max(recorded)] if entry["stopped"] == "all epochs done" else CHANCE_ACCURACY


def curves(fits: list[dict[str, Any]], epochs: int, schedule: str) -> pd.DataFrame:
    """Return the accuracies of the fits of a length and schedule.

    Returns:
        One row for each fit, by number of the configuration and seed; one column for each rung.
    """
    rows = {
        (entry["number"], entry["seed"]): curve_of(entry)
        for entry in fits
        if (entry["epochs"], entry["schedule"]) == (epochs, schedule)
    }
    index = pd.MultiIndex.from_tuples(list(rows), names=["number", "seed"])
    return pd.DataFrame(list(rows.values()), index=index, columns=list(RUNGS))


def rank_correlations(fits: list[dict[str, Any]]) -> pd.DataFrame:
    """Return Spearman's correlation of the accuracy at each rung with that of the whole fit."""
    table = curves(fits, *FIT)
    first = table[table.index.get_level_values("seed") == 0]
    learning = first[first[LENGTH] > CHANCE_ACCURACY]
    groups = {"that learn": learning, f"above {GOOD:.0%}": learning[learning[LENGTH] > GOOD]}
    columns = {
        f"{len(group)} {name}": group.corrwith(group[LENGTH], method="spearman")
        for name, group in groups.items()
    }
    return pd.DataFrame(columns).round(2).rename_axis("epoch").reset_index()


def schedules(fits: list[dict[str, Any]]) -> pd.DataFrame:
    """Return the last accuracy of each configuration that was fitted under several schedules.

    Only the fits with seed 0 are used.

    Beside a short fit stands the whole fit at the same epoch, whose rate is still high there.
    """
    whole = curves(fits, *FIT).xs(0, level="seed")
    columns = {"whole fit": whole[LENGTH]}
    for epochs, schedule in dict.fromkeys((f["epochs"], f["schedule"]) for f in fits):
        if epochs > LENGTH:
            continue
        if (epochs, schedule) != FIT:
            last = curves(fits, epochs, schedule).xs(0, level="seed")[LENGTH]
            columns[f"{schedule} of {epochs}"] = last
        if epochs in RUNGS[:-1]:
            columns[f"whole fit, epoch {epochs}"] = whole[epochs]
    table = pd.DataFrame(columns)
    others = [name for name in columns if not name.startswith("whole")]
    return table.dropna(subset=others, how="all").round(4).rename_axis("number").reset_index()


def lengths(fits: list[dict[str, Any]]) -> pd.DataFrame:
    """Return the final mean accuracy of cosine fits of each length, by configuration and processor.

    Only configurations of at least three lengths are listed.
    """
    names = ["number", "epochs", "cpu", "precision"]
    cosines = [entry for entry in fits if entry["schedule"] == "cosine"]
    table = pd.DataFrame([{n: f[n] for n in names} | {"accuracy": last_of(f)} for f in cosines])
    n_lengths = table.groupby("number")["epochs"].transform("nunique")
    several = table[n_lengths > 2]
    return several.groupby(names)["accuracy"].agg(["count", "mean"]).round(4).reset_index()


def noise(fits: list[dict[str, Any]]) -> pd.DataFrame:
    """Return mean and standard deviation between seeds of the repeated fits, at the end."""
    last = curves(fits, *FIT)[LENGTH].groupby("number").agg(["count", "mean", "std"])
    return last[last["count"] > 1].round(4).reset_index()
