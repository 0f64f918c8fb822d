"""A surrogate of training: a regression of learning curves over the parameters of a space.

It answers in microseconds what a fit answers in minutes, so that searches can be compared over many
seeds. It is fitted to the table of ``benchmarks/curves.py``. A Gaussian process predicts each of a
few principal components of the curves; its kernel is a quadratic function of the parameters, so
that effects add up, and a smooth deviation from it.

Tensor suffixes: N configurations, D features, E recorded epochs, K components.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct, WhiteKernel

from hpo.space.space import Point

N_COMPONENTS = 3
LOWEST = 0.2  # lower accuracies count as this one: how bad a fit is does not matter


def features(point: Mapping[str, Any], space: Mapping[str, BaseDistribution]) -> np.ndarray:
    """Return the float64 features of a point.

    Args:
        point: value by parameter name.
        space: distribution by parameter name.

    Returns:
        For every numeric parameter its position in the range, in [−1, 1], and the square of it; for
        every choice but the first, 1 if it is taken.
    """
    values: list[float] = []
    for name, distribution in space.items():
        d: Any = distribution
        if isinstance(distribution, CategoricalDistribution):
            values += [float(point[name] == choice) for choice in d.choices[1:]]
            continue
        low, high, value = (
            np.log([d.low, d.high, point[name]]) if d.log else (d.low, d.high, point[name])
        )
        position = 2 * (value - low) / (high - low) - 1
        values += [position, position**2]
    return np.array(values, dtype=float)


def to_logit(accuracy: np.ndarray) -> np.ndarray:
    """Return the logit of accuracies in [0, 1], whose noise hardly depends on the accuracy."""
    clipped = np.clip(accuracy, LOWEST, 0.999)
    return np.asarray(np.log(clipped / (1 - clipped)))


@dataclass(frozen=True)
class Noise:
    """How much two fits of one configuration differ, as standard deviations of the logit.

    Args:
        fit: part that all epochs of a fit share.
        epoch: part of each epoch.
    """

    fit: float
    epoch: float


class Surrogate:
    """Learning curves as a function of the parameters.

    Args:
        space: distribution by parameter name.
        points: configurations that were fitted.
        epochs: recorded epochs, ascending.
        curves_NE: accuracy in [0, 1] of each configuration at each recorded epoch.
        noise: noise of a fit.
    """

    def __init__(
        self,
        space: Mapping[str, BaseDistribution],
        points: Sequence[Point],
        epochs: Sequence[int],
        curves_NE: np.ndarray,
        noise: Noise,
    ) -> None:
        """Fit the regression."""
        self.space, self.epochs, self.noise = space, list(epochs), noise
        x_ND = np.array([features(point, space) for point in points])
        logits_NE = to_logit(curves_NE)
        self._mean_E = logits_NE.mean(0)
        _, scale_K, components_KE = np.linalg.svd(logits_NE - self._mean_E, full_matrices=False)
        self._components_KE = components_KE[:N_COMPONENTS]
        weights_NK = (logits_NE - self._mean_E) @ self._components_KE.T
        self._processes = [_fit_process(x_ND, weights_N) for weights_N in weights_NK.T]
        self.explained = float((scale_K[:N_COMPONENTS] ** 2).sum() / (scale_K**2).sum())

    def expected_curve(self, point: Mapping[str, Any]) -> np.ndarray:
        """Return the float64 accuracies of a configuration without noise, at each epoch."""
        return np.asarray(1 / (1 + np.exp(-self._logits(point))))

    def curve(self, point: Mapping[str, Any], rng: np.random.Generator) -> np.ndarray:
        """Return the float64 accuracies of one fit of a configuration, at each recorded epoch."""
        logits_E = self._logits(point) + rng.normal(0, self.noise.fit)
        logits_E = logits_E + rng.normal(0, self.noise.epoch, len(self.epochs))
        return np.asarray(1 / (1 + np.exp(-logits_E)))

    def _logits(self, point: Mapping[str, Any]) -> np.ndarray:
        x_1D = features(point, self.space)[None]
        weights_K = np.array([process.predict(x_1D)[0] for process in self._processes])
        return np.asarray(self._mean_E + weights_K @ self._components_KE)


def _fit_process(x_ND: np.ndarray, y_N: np.ndarray) -> GaussianProcessRegressor:
    effects = ConstantKernel(0.1, (1e-4, 1e2)) * DotProduct(1.0, "fixed")
    deviation = ConstantKernel(0.1, (1e-4, 1e2)) * RBF(3.0, (0.5, 30.0))
    kernel = effects + deviation + WhiteKernel(0.01, (1e-5, 1.0))
    process = GaussianProcessRegressor(kernel, normalize_y=True, n_restarts_optimizer=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return process.fit(x_ND, y_N)


def leave_one_out(surrogate: Surrogate, points: Sequence[Point]) -> np.ndarray:
    """Return the float64 prediction of each configuration from all others, as final accuracies.

    Args:
        surrogate: fitted surrogate; its kernels are kept.
        points: the configurations to which it was fitted, in the same order.
    """
    x_ND = np.array([features(point, surrogate.space) for point in points])
    columns = []
    for process in surrogate._processes:
        precision_NN = np.linalg.inv(process.kernel_(x_ND))
        left_out = process.y_train_ - (precision_NN @ process.y_train_) / np.diag(precision_NN)
        columns.append(left_out * process._y_train_std + process._y_train_mean)
    last = surrogate._mean_E[-1] + np.array(columns).T @ surrogate._components_KE[:, -1]
    return np.asarray(1 / (1 + np.exp(-last)))
