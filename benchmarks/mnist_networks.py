"""Accuracy of trained networks on the 400 10-way episodes of MNIST of Table 3.

The networks are files of ``retrain_best.py`` or ``paper_recipe.py --network``; the two default ones
were trained on Omniglot alone. The digits have the image size of the network (35 pixels in Table
3). ``MNIST_ROOT`` is the folder of MNIST.
"""

from functools import partial
from pathlib import Path

import pandas as pd
from harness import compute_from, finish, parser

from data import published
from data.errors import InputError
from data.mnist import load_mnist, mnist_episodes
from data.paths import PROJECT
from hpo.cli.entry_point import run_command
from model.checkpoint import load_network
from model.device import ComputeConfig
from model.evaluate import episode_logits
from model.intervals import accuracy_interval, format_interval
from model.metrics import scorer_clusters

FILES = [PROJECT / f"results/{folder}/network.pt" for folder in ("paper", "pretrained")]


def row_of(path: Path, compute: ComputeConfig, data_root: Path | None) -> dict[str, str | int]:
    """Return the accuracy of a network.

    Args:
        path: file of the network.
        compute: device and precision.
        data_root: folder of MNIST; None for the default.

    Raises:
        InputError: the file has no network of grey images, or MNIST is missing.
    """
    net, config, _ = load_network(path)
    if config.model.channels != 1:
        raise InputError(f"{path} must be a network of grey images, but is one of colour. Omit it.")
    net.precision = compute.precision
    size = config.model.image_size
    digits = load_mnist(size, data_root).to(compute.device)
    scorer = partial(episode_logits, net.to(compute.device))
    clusters = scorer_clusters(scorer, digits, mnist_episodes(digits))
    name = str(path.relative_to(PROJECT)) if path.is_relative_to(PROJECT) else path.name
    interval = format_interval(accuracy_interval(clusters))
    accuracy = f"{clusters.mean:.1%}"
    return {"network": name, "pixels": size, "accuracy": accuracy, "interval": interval}


def main() -> None:
    """Print the table."""
    flags = parser(__doc__ or "")
    flags.add_argument("networks", nargs="*", type=Path, default=FILES, metavar="FILE")
    args = flags.parse_args()
    compute = compute_from(args)
    files = args.networks[:1] if args.quick else args.networks
    rows = [row_of(path.absolute(), compute, args.data_root) for path in files]
    title = f"MNIST, 10-way; the paper has {published.MNIST_CONVNET:.1%} at 35 pixels"
    finish(args, compute, {title: pd.DataFrame(rows)})


if __name__ == "__main__":
    run_command(main, "Run the same command again.")
