"""The standard error of a mean over fits and clusters of episodes.

Tensor suffixes: F fits, C clusters.
"""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def two_way_error(accuracy_FC: Array, n_episodes_C: Array) -> tuple[float, float]:
    """Return the standard error of a mean over fits and clusters, and its degrees of freedom.

    Two-way analysis of variance: the fits and the clusters are both samples. With one fit, the
    error covers other clusters only.

    Args:
        accuracy_FC: accuracies of each fit on each cluster; at least two clusters.
        n_episodes_C: number of episodes of each cluster, the weights of the mean.

    Source: Satterthwaite 1946 (degrees of freedom).
    """
    n_fits, n_clusters = accuracy_FC.shape
    weight_C = n_episodes_C * n_clusters / n_episodes_C.sum()
    mean_F = accuracy_FC @ weight_C / n_clusters
    deviation_FC = weight_C * (accuracy_FC - mean_F.mean())  # of a weighted mean, a ratio
    of_clusters = float(deviation_FC.mean(0).var(ddof=1)) / n_clusters
    if n_fits == 1:
        return of_clusters**0.5, n_clusters - 1
    of_fits = float(mean_F.var(ddof=1)) / n_fits
    rest_FC = deviation_FC - deviation_FC.mean(0) - deviation_FC.mean(1, keepdims=True)
    rest_FC = rest_FC + deviation_FC.mean()
    of_rest = float((rest_FC**2).sum()) / ((n_clusters - 1) * (n_fits - 1) * n_clusters * n_fits)
    variance = max(of_clusters + of_fits - of_rest, of_clusters, of_fits)
    scale = of_clusters**2 / (n_clusters - 1) + of_fits**2 / (n_fits - 1)
    return variance**0.5, max(1.0, variance**2 / scale)
