"""The initial weights of the networks.

Source: Koch 2015 §3.2 "Weight initialization".
"""

import math

import torch
from torch import nn

from model.architecture import CONVS, DenseConfig, ModelConfig


def initialise(
    net: nn.Module, config: ModelConfig | DenseConfig, *, generator: torch.Generator
) -> None:
    """Draw the initial weights, in the order of the layers; normalisations keep theirs.

    ``paper``: weights of convolutions N(0, 0.01), of fully connected layers N(0, 0.2), biases
    N(0.5, 0.01), where the second number is the standard deviation.
    ``scaled`` (Deviation D10): He's standard deviation before a ReLU, Xavier's before the sigmoid,
    biases 0; the head as in :func:`initialise_head`.

    Args:
        net: network whose layers are its children.
        config: its architecture.
        generator: random state.
    """
    with torch.no_grad():
        for name, layer in net.named_children():
            if not isinstance(layer, nn.Conv2d | nn.Linear):
                continue
            assert layer.bias is not None
            if config.init == "paper":
                std = 0.01 if name in CONVS else 0.2
                layer.weight.normal_(0.0, std, generator=generator)
                layer.bias.normal_(0.5, 0.01, generator=generator)
            elif name == "head":
                assert isinstance(layer, nn.Linear)
                initialise_head(layer)
            else:
                gain = 2.0 if name in config.relu_layers else 1.0
                n_inputs = layer.weight[0].numel()
                layer.weight.normal_(0.0, math.sqrt(gain / n_inputs), generator=generator)
                layer.bias.zero_()


@torch.no_grad()
def initialise_head(head: nn.Linear) -> None:
    """Make the head a negative distance with equal weights.

    Pairs at a shorter distance are then more likely the same character.
    """
    head.weight.fill_(-4.0 / math.sqrt(head.in_features))
    head.bias.zero_()
