"""A surrogate of training: a regression of learning curves over the parameters of a space.

It answers in milliseconds what a fit answers in minutes, so that searches can be compared over many
seeds. It is fitted to the table of ``benchmarks/curves.py``. Whether a fit diverges is a logistic
function of the effective rate and of the normalisation. The curves of the other fits are predicted
by a Gaussian process for each of a few principal components; its kernel is a quadratic function of
the parameters, so that effects add up, and a smooth deviation from it.

Tensor suffixes: N configurations, D features, E recorded epochs, K components.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct, WhiteKernel
from sklearn.linear_model import LogisticRegression

from hpo.space.space import Point
from model.train import CHANCE_ACCURACY

N_COMPONENTS = 3
LOWEST = 0.4  # lower accuracies count as this one: how bad a fit is does not matter


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
        curves_NE: accuracy in [0, 1] of each configuration at each recorded epoch; chance after a
            fit has diverged.
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
        """Fit the regressions."""
        self.space, self.epochs, self.noise = space, list(epochs), noise
        diverged_N = curves_NE[:, -1] <= CHANCE_ACCURACY
        self.is_learning_N = ~diverged_N
        self._divergence = _fit_divergence(points, diverged_N)
        # Epochs that diverged fits have learnt for: the positions of their last ones.
        self._last_epochs = [int((curve_E > CHANCE_ACCURACY).sum()) for curve_E in curves_NE]
        self._last_epochs = [n for n in self._last_epochs if n < len(self.epochs)]
        learnt = [point for point, failed in zip(points, diverged_N, strict=True) if not failed]
        x_ND = np.array([features(point, space) for point in learnt])
        logits_NE = to_logit(curves_NE[self.is_learning_N])
        self._mean_E = logits_NE.mean(0)
        _, _, components_KE = np.linalg.svd(logits_NE - self._mean_E, full_matrices=False)
        self._components_KE = components_KE[:N_COMPONENTS]
        weights_NK = (logits_NE - self._mean_E) @ self._components_KE.T
        self._processes = [_fit_process(x_ND, weights_N) for weights_N in weights_NK.T]

    def expected_curve(self, point: Mapping[str, Any]) -> np.ndarray:
        """Return the float64 mean accuracies of the fits of a configuration, at each epoch."""
        if self.diverges(point):
            return np.full(len(self.epochs), CHANCE_ACCURACY)
        return np.asarray(1 / (1 + np.exp(-self._logits(point))))

    def curve(self, point: Mapping[str, Any], rng: np.random.Generator) -> np.ndarray:
        """Return the float64 accuracies of one fit of a configuration, at each recorded epoch."""
        logits_E = self._logits(point) + rng.normal(0, self.noise.fit)
        logits_E = logits_E + rng.normal(0, self.noise.epoch, len(self.epochs))
        accuracies_E = 1 / (1 + np.exp(-logits_E))
        if self.diverges(point):
            accuracies_E[rng.choice(self._last_epochs) :] = CHANCE_ACCURACY
        return np.asarray(accuracies_E)

    def start_fit(
        self, point: Mapping[str, Any], rng: np.random.Generator
    ) -> Callable[[int], float]:
        """Return a fit of a configuration: its accuracy after an epoch, interpolated."""
        curve_E = self.curve(point, rng)
        return lambda epoch: float(np.interp(epoch, self.epochs, curve_E))

    def accuracy(self, point: Mapping[str, Any]) -> float:
        """Return the mean accuracy of the fits of a configuration after the last epoch."""
        return float(self.expected_curve(point)[-1])

    def diverges(self, point: Mapping[str, Any]) -> bool:
        """Return whether the fits of a configuration diverge."""
        return bool(self._divergence and self._divergence.predict([stability(point)])[0])

    def _logits(self, point: Mapping[str, Any]) -> np.ndarray:
        x_1D = features(point, self.space)[None]
        weights_K = np.array([process.predict(x_1D)[0] for process in self._processes])
        return np.asarray(self._mean_E + weights_K @ self._components_KE)


def stability(point: Mapping[str, Any]) -> list[float]:
    """Return what decides whether a fit diverges.

    Returns:
        The logarithm of the largest effective rate of a layer, lr / (1 − momentum), and whether the
        convolutions are normalised.
    """
    factors = [value for name, value in point.items() if name.endswith("lr_factor")]
    rate = point.get("lr", 1.0) * max(factors, default=1.0) / (1 - point.get("momentum", 0.0))
    return [float(np.log(rate)), float(point.get("model.conv_norm", "none") != "none")]


def _fit_divergence(points: Sequence[Point], diverged_N: np.ndarray) -> LogisticRegression | None:
    """Return the regression of divergence, or None if no fit has diverged."""
    if not diverged_N.any():
        return None
    model = LogisticRegression(C=1e4)
    return model.fit([stability(point) for point in points], diverged_N)


def _fit_process(x_ND: np.ndarray, y_N: np.ndarray) -> GaussianProcessRegressor:
    effects = ConstantKernel(0.1, (1e-4, 1e2)) * DotProduct(1.0, "fixed")
    deviation = ConstantKernel(0.1, (1e-4, 1e2)) * RBF(4.0, (3.0, 30.0))
    kernel = effects + deviation + WhiteKernel(0.01, (1e-3, 1.0))
    process = GaussianProcessRegressor(
        kernel, normalize_y=True, n_restarts_optimizer=2, random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return process.fit(x_ND, y_N)


def leave_one_out(surrogate: Surrogate, points: Sequence[Point]) -> np.ndarray:
    """Return the float64 prediction of each configuration from all others, as final accuracies.

    Args:
        surrogate: fitted surrogate; its kernels are kept.
        points: the configurations to which it was fitted, in the same order.

    Returns:
        N, without the configurations that diverged.
    """
    is_learning = surrogate.is_learning_N
    learnt = [point for point, learns in zip(points, is_learning, strict=True) if learns]
    x_ND = np.array([features(point, surrogate.space) for point in learnt])
    columns = []
    for process in surrogate._processes:
        precision_NN = np.linalg.inv(process.kernel_(x_ND))
        left_out = process.y_train_ - (precision_NN @ process.y_train_) / np.diag(precision_NN)
        columns.append(left_out * process._y_train_std + process._y_train_mean)
    last = surrogate._mean_E[-1] + np.array(columns).T @ surrogate._components_KE[:, -1]
    return np.asarray(1 / (1 + np.exp(-last)))
