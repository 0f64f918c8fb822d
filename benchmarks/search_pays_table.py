"""The tables of ``benchmarks/search_pays.py``."""

from typing import Any

import pandas as pd
from scipy.stats import t as student

from hpo.settings.sections import DEFAULT_EPOCHS, DEFAULT_SPACE, DEFAULT_TRIALS

SPACE, N_EPOCHS = DEFAULT_SPACE["episode"], DEFAULT_EPOCHS["episode"]
MAX_OTHERS = 2  # gains besides zeros that are too few for an interval
RIVALS = {
    "default": "default of 0.5.0",
    "new_default": "default",
    "default_all_images": "default of 0.5.0, compute of study and refit",
}


def differences(studies: list[dict[str, Any]]) -> pd.DataFrame:
    """Return the mean gain of the winners over each rival, with a paired 95 % interval.

    Args:
        studies: entries of the results; those with one :func:`name_of` belong together.
    """
    table = []
    for name in dict.fromkeys(map(name_of, studies)):
        mine = [study for study in studies if name_of(study) == name]
        for rival in RIVALS:
            gains = pd.Series([gain_over(rival, study) for study in mine], dtype=float).dropna()
            if gains.empty:
                continue
            row = {"studies of": name, "rival": rival, "studies": len(gains), "gain": gains.mean()}
            if has_spread(gains):
                error, free = gains.sem(), len(gains) - 1
                half = error * student.ppf(0.975, free)
                row |= {"low": gains.mean() - half, "high": gains.mean() + half}
                row |= {"p": student.sf(gains.mean() / error, free)}
            table.append(row | {"worst": gains.min()})
    return pd.DataFrame(table)


def has_spread(gains: "pd.Series[float]") -> bool:
    """Return whether a t interval of some gains means something.

    A default that wins gains exactly 0. If at most two gains are left, the interval would hardly
    depend on them.
    """
    n_zeros = int((gains == 0).sum())
    return gains.nunique() > 1 and (n_zeros == 0 or len(gains) - n_zeros > MAX_OTHERS)


def gain_over(rival: str, study: dict[str, Any]) -> float | None:
    """Return how much better the winner of a study is; 0 over the default if it won itself.

    None if the rival was not fitted.
    """
    if rival == "new_default" and study.get("is_default"):
        return 0.0
    return float(study["winner"] - study[rival]) if rival in study else None


def markdown(studies: list[dict[str, Any]]) -> list[str]:
    """Return the gains and the studies as two Markdown tables.

    Args:
        studies: entries of the results.
    """
    head = ["images", "winner minus", "studies", "points", "95 % t interval", "lowest", "p"]
    lines = _head(head)
    for row in differences(studies).to_dict("records"):
        cells = [
            row["studies of"],
            RIVALS[row["rival"]],
            row["studies"],
            f"{100 * row['gain']:+.2f}",
        ]
        interval, p = "–", "–"
        if pd.notna(row.get("p")):
            interval = f"{100 * row['low']:+.2f} to {100 * row['high']:+.2f}"
            p = f"{row['p']:.4f}"
        lines.append(_line([*cells, interval, f"{100 * row['worst']:+.2f}", p]))
    names = [name for name in RIVALS if any(name in study for study in studies)]
    head = ["images", "seed", "winner", *(RIVALS[name] for name in names), "trial", "minutes"]
    lines += ["", *_head(head)]
    for study in studies:
        accuracies = [f"{study[name]:.1%}" if name in study else "–" for name in ("winner", *names)]
        cells = [name_of(study), study["seed"], *accuracies, study["trial"], study["minutes"]]
        lines.append(_line(cells))
    return lines


def name_of(study: dict[str, Any]) -> str:
    """Return the images of a study, and what it began with and its size unless by default."""
    start = study.get("start_from") or study.get("space", SPACE)
    name = study["set"] if start == SPACE else f"{study['set']}, from {start}"
    size = study["n_trials"], study["max_epochs"]
    return name if size == (DEFAULT_TRIALS, N_EPOCHS) else f"{name}, {size[0]} × {size[1]} epochs"


def _head(cells: list[str]) -> list[str]:
    return [_line(cells), "|---" * len(cells) + "|"]


def _line(cells: list[Any]) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"
