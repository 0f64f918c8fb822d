"""What lies between the trials of a study, over two parameters."""

import numpy as np
import pandas as pd
from scipy.interpolate import griddata
from scipy.spatial import QhullError

from hpo.analysis import MIN_TRIALS

CELLS = 24  # of either axis


def interpolate(
    frame: pd.DataFrame, x: str, y: str, log: set[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Return what lies between the complete trials, as a grid over two parameters.

    Args:
        frame: of :func:`hpo.records.trial_frame`.
        x: a parameter.
        y: another.
        log: those of the two that are interpolated on a log scale.

    Returns:
        Values of x, values of y, and a matrix of shares (rows y, columns x; NaN outside of the
        trials' hull); None where the trials span no area.
    """
    done = frame[frame["state"] == "complete"]
    points = [np.log(done[p]) if p in log else done[p].astype(float) for p in (x, y)]
    span = [np.ptp(p) if len(p) else 0.0 for p in points]
    if min(span) == 0 or len(done) < MIN_TRIALS:
        return None
    scaled = [(p - p.min()) / s for p, s in zip(points, span, strict=True)]
    steps = np.linspace(0, 1, CELLS)
    try:
        inside = griddata(np.stack(scaled, 1), done["value"], tuple(np.meshgrid(steps, steps)))
    except QhullError:  # all trials lie on one line
        return None
    axes = [p.min() + steps * s for p, s in zip(points, span, strict=True)]
    xs, ys = (np.exp(a) if p in log else a for a, p in zip(axes, (x, y), strict=True))
    return xs, ys, inside
