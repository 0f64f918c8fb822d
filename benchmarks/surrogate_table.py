"""The surrogate of ``benchmarks/surrogate.py``, fitted to the table of ``benchmarks/curves.py``."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from curves_plan import FIT, RUNGS
from curves_summary import curve_of
from surrogate import Noise, Surrogate, to_logit

from hpo.space.distributions import search_space
from hpo.space.files import built_in_space
from hpo.space.space import Point

IMAGE_SIZE = 35
SPACE = built_in_space("standard")
DISTRIBUTIONS = search_space(SPACE, IMAGE_SIZE)
STARTS = SPACE.starting_points(IMAGE_SIZE)
START = STARTS[0]  # the default


def read_surrogate(path: Path) -> tuple[Surrogate, list[Point], np.ndarray]:
    """Return the surrogate of a table of curves, its configurations, and their final accuracies.

    Only the configurations of the space ``standard`` are used, and only the validation alphabets
    that may choose. A fit that diverged has chance afterwards.
    """
    table = json.loads(path.read_text())
    configurations = table["configurations"]
    points, curves = [], []
    for entry in table["fits"]:
        number = entry["number"]
        is_first = entry["seed"] == 0 and (entry["epochs"], entry["schedule"]) == FIT
        if is_first and configurations[number]["space"] == SPACE.name:
            points.append(configurations[number]["point"])
            curves.append(curve_of(entry))
    curves_NE = np.array(curves)
    surrogate = Surrogate(DISTRIBUTIONS, points, RUNGS, curves_NE, measured_noise(table))
    return surrogate, points, curves_NE[:, -1]


def measured_noise(table: dict[str, Any]) -> Noise:
    """Return the noise between the fits of one configuration with several seeds."""
    fits: dict[int, list[np.ndarray]] = {}
    for entry in table["fits"]:
        if (entry["epochs"], entry["schedule"]) == FIT:
            fits.setdefault(entry["number"], []).append(to_logit(np.array(curve_of(entry))))
    groups = [np.array(curves) for curves in fits.values() if len(curves) > 1]
    residuals_FE = np.concatenate([group - group.mean(0) for group in groups])
    n_free = sum(len(group) - 1 for group in groups)
    shared_F = residuals_FE.mean(1)
    own_FE = residuals_FE - shared_F[:, None]
    fit = np.sqrt((shared_F**2).sum() / n_free)
    return Noise(float(fit), float(np.sqrt((own_FE**2).mean(1).sum() / n_free)))
