"""Time the stages of a training step separately, forward and backward.

Tensor suffix: B images.
"""

import statistics
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd
import torch
import torch.nn.functional as F
from harness import ceiling, interleaved
from torch import Tensor

from data.affine import distort, sample_distortions
from data.drawings import Drawings
from data.pairs import sample_pairs
from model.architecture import CONVS
from model.config import Config, FitConfig
from model.device import ComputeConfig, autocast
from model.fit_state import FitState
from model.losses import LOSSES, sample_episode, to_input
from model.siamese import SiameseNet
from model.train import train_step, update_ema

ROUNDS = 9
WHOLE, OUTSIDE = "whole step", ("batch, distortion", "optimiser", "average")
Stage = Callable[[Tensor], Tensor]


def stages(state: FitState, x_B1HW: Tensor) -> dict[str, tuple[Stage, Tensor]]:
    """Return each stage of the network with its input, in forward order."""
    net = state.net
    found: dict[str, tuple[Stage, Tensor]] = {}
    x = x_B1HW.contiguous(memory_format=torch.channels_last)
    for name in CONVS:
        last = name == CONVS[-1]
        found[name] = (net.get_submodule(name), x)
        with torch.no_grad(), autocast(x.device, state.compute.precision):
            x = found[name][0](x)
            found[f"{name}: {'relu' if last else 'pool, relu'}"] = (relu if last else pool, x)
            x = relu(x) if last else pool(x)
    found["fc1, sigmoid"] = (lambda y: torch.sigmoid(net.fc1(y.flatten(1)).float()), x)
    return found


def weights_of(state: FitState, stage: str) -> list[Tensor]:
    """Return the weights of a stage that need gradients."""
    layer = dict(state.net.named_children()).get(stage.split(",")[0])
    return list(layer.parameters()) if layer else []


def relu(x: Tensor) -> Tensor:
    """Apply the activation after conv4."""
    return F.relu(x)


def pool(x: Tensor) -> Tensor:
    """Apply pooling and activation after the other convolutions."""
    return F.relu_(F.max_pool2d(x, 2))


def forward_and_backward(
    f: Stage, x: Tensor, compute: ComputeConfig, weights: list[Tensor]
) -> Callable[[], Any]:
    """Return a forward and backward pass of one stage; images need no gradient."""
    x = x.detach().requires_grad_(x.shape[1] > 1)
    wanted = [*weights, x] if x.requires_grad else weights

    def work() -> None:
        with autocast(x.device, compute.precision):
            y = f(x)
        torch.autograd.grad(y, wanted, torch.ones_like(y))

    return work


def episode_loss(net: SiameseNet, h1: Tensor, h2: Tensor) -> Tensor:
    """Return the scalar loss of the episode recipe for first and second drawings, both B×E."""
    target = torch.arange(len(h1), device=h1.device)
    return F.cross_entropy(net.compare(h1.unsqueeze(0), h2.unsqueeze(0))[0], target)


def pair_batch(train: Drawings, fit: FitConfig, *, generator: torch.Generator) -> Tensor:
    """Return the input of one step of the paper's recipe, distorted: B×1×H×W, two of each pair."""
    pairs = sample_pairs(train, fit.batch_size, generator=generator)
    x = to_input(train.images_NHW[torch.cat([pairs.left_B, pairs.right_B])])
    return distort(x, sample_distortions(len(x), fit.distort, generator=generator))


def pair_loss(net: SiameseNet, h1: Tensor, h2: Tensor) -> Tensor:
    """Return the scalar loss of the paper's recipe for pairs of different characters, both B×E."""
    return F.softplus(net.compare(h1, h2)).mean()


PARTS = {"episode": (sample_episode, episode_loss), "paper": (pair_batch, pair_loss)}


def time_stages(
    config: Config, train: Drawings, compute: ComputeConfig, rounds: int = ROUNDS
) -> pd.DataFrame:
    """Return milliseconds, share of the step and share of the peak FLOP/s of every stage."""
    compute = replace(compute, compile=False)  # a compiled step has no separate stages
    state = FitState(config, 0, compute)
    fit, generator = replace(config.fit, steps_per_epoch=10**6, n_pairs=10**6), state.generator
    make_batch, loss_of = PARTS[fit.recipe]
    x = make_batch(train, fit, generator=generator)
    with torch.no_grad():
        h1, h2 = state.net.embed(x).chunk(2)

    def compare() -> None:
        loss_of(state.net, h1.clone().requires_grad_(), h2.clone().requires_grad_()).backward()

    losses = LOSSES[fit.recipe](state.net, train, fit, generator=generator)
    rows: dict[str, Callable[[], object]] = {WHOLE: lambda: train_step(state, next(losses))}
    network = {
        name: forward_and_backward(f, y, compute, weights_of(state, name))
        for name, (f, y) in stages(state, x).items()
    }
    rows |= network | {
        "comparison, loss": compare,
        "batch, distortion": lambda: make_batch(train, fit, generator=generator),
        "optimiser": state.optimizer.step,
        "average": lambda: update_ema(state),
    }
    times = interleaved(rows, rounds, compute.device)
    ms = {name: 1e3 * statistics.median(row) for name, row in times.items()}
    outside = sum(ms[name] for name in OUTSIDE)
    ms["rest (Python, zeroing, overlap)"] = 2 * ms[WHOLE] - sum(ms.values())
    ms["outside the network"] = outside
    return _table(ms, state, len(x))


def _table(ms: dict[str, float], state: FitState, n_images: int) -> pd.DataFrame:
    """Return the table; FLOP/s are given for the stages with matrix products."""
    dtype = torch.bfloat16 if state.compute.precision == "bfloat16" else torch.float32
    best = ceiling(dtype, state.compute.device)
    flops = {name: 6 * macs * n_images for name, macs in state.config.conv.macs.items()}
    flops["conv1"] = flops["conv1"] * 2 // 3  # no gradient of the images
    of = {name: flops[layer] for name in ms if (layer := name.split(",")[0]) in flops}
    of[WHOLE] = sum(of.values())
    rate = {name: n / ms[name] * 1e3 for name, n in of.items()}  # FLOP/s
    table = pd.DataFrame({"stage": ms.keys(), "ms": [round(t, 2) for t in ms.values()]})
    table["share of step"] = [f"{t / ms[WHOLE]:.0%}" for t in ms.values()]
    table["TFLOP/s"] = [f"{rate[name] / 1e12:.2f}" if name in rate else "" for name in ms]
    table["of ceiling"] = [f"{rate[name] / best:.0%}" if name in rate else "" for name in ms]
    return table
