"""Stochastic gradient descent with rates per layer, and the schedules of the rates."""

import math

import torch

from model.config import FitConfig
from model.siamese import SiameseNet

FIRST_MOMENTUM = 0.5
COOLDOWN_SHARE = 0.25  # share of the epochs in which a trapezoid falls


def lr_factor(fit: FitConfig, epoch: int) -> float:
    """Return the factor of all learning rates in an epoch.

    ``exponential`` is ``0.99 ** epoch``; ``cosine`` falls from 1 to 0 at ``max_epochs``;
    ``trapezoid`` is 1 and falls linearly to 0 in the last quarter; ``constant`` is 1. During the
    warm-up of ``n`` epochs, the factor is multiplied by ``(epoch + 1) / (n + 1)``.

    Args:
        fit: configuration of the fit.
        epoch: index of the epoch, from 0.

    Source: Koch 2015 §3.2 "Learning schedule" (exponential).
    """
    warmup = min((epoch + 1) / (fit.warmup_epochs + 1), 1.0)
    if fit.schedule == "constant":
        return warmup
    if fit.schedule == "exponential":
        return float(warmup * 0.99**epoch)
    if fit.schedule == "trapezoid":
        return warmup * min(1.0, (1 - epoch / fit.max_epochs) / COOLDOWN_SHARE)
    return warmup * 0.5 * (1 + math.cos(math.pi * min(epoch / fit.max_epochs, 1.0)))


def momentum_at(fit: FitConfig, final: float, epoch: int) -> float:
    """Return the momentum of a layer in an epoch; it rises linearly from 0.5 to its final value.

    Args:
        fit: configuration of the fit.
        final: final momentum of the layer.
        epoch: index of the epoch, from 0.

    Source: Koch 2015 §3.2 "Learning schedule". Deviation D5: it rises for ``ramp_epochs``.
    """
    progress = min(epoch / fit.ramp_epochs, 1.0) if fit.ramp_epochs else 1.0
    return FIRST_MOMENTUM + (final - FIRST_MOMENTUM) * progress


def build_optimizer(net: SiameseNet, fit: FitConfig) -> torch.optim.SGD:
    """Return SGD with one parameter group per layer, in the order of the layers.

    The parameters of a normalisation belong to the layer that it follows.

    Deviation D2: the paper's update is read as the gradient of ``λ|w|²``, which is a
    ``weight_decay`` of 2λ.
    """
    groups = [
        {
            "name": layer,
            "params": net.layer_parameters(layer),
            "lr": rates.lr,
            "weight_decay": 2 * rates.l2_penalty,
        }
        for layer, rates in zip(net.config.layers, fit.rates, strict=True)
    ]
    return torch.optim.SGD(
        groups, lr=0.0, momentum=FIRST_MOMENTUM, nesterov=fit.nesterov, fused=True
    )


def set_epoch(optimizer: torch.optim.Optimizer, fit: FitConfig, epoch: int) -> None:
    """Set the learning rate and the momentum of every layer for an epoch.

    Args:
        optimizer: optimiser of :func:`build_optimizer`.
        fit: configuration of the fit.
        epoch: index of the epoch, from 0.
    """
    for group, rates in zip(optimizer.param_groups, fit.rates, strict=True):
        group["lr"] = rates.lr * lr_factor(fit, epoch)
        group["momentum"] = momentum_at(fit, rates.momentum, epoch)
