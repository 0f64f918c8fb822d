"""Accuracy of trained networks on the 400 10-way episodes of MNIST of Table 3.

The networks are files of ``retrain_best.py`` or ``paper_recipe.py --network``. None of them has
seen a digit in training.
"""

from functools import partial
from pathlib import Path

import pandas as pd
from harness import compute_from, finish, parser

from data import published
from data.mnist import load_mnist, mnist_episodes
from data.paths import PROJECT
from hpo.cli.entry_point import run_command
from model.checkpoint import load_network
from model.device import ComputeConfig
from model.evaluate import episode_logits
from model.intervals import accuracy_interval, format_interval
from model.metrics import scorer_clusters

FILES = [PROJECT / f"results/{folder}/network.pt" for folder in ("paper", "pretrained")]


def row_of(path: Path, compute: ComputeConfig) -> dict[str, str | int]:
    """Return the accuracy of a network, on drawings of its image size.

    Raises:
        InputError: the file has no network, or MNIST is missing.
    """
    net, config, _ = load_network(path)
    net.precision = compute.precision
    size = config.model.image_size
    digits = load_mnist(size).to(compute.device)
    scorer = partial(episode_logits, net.to(compute.device))
    found = scorer_clusters(scorer, digits, mnist_episodes(digits))
    name = str(path.relative_to(PROJECT)) if path.is_relative_to(PROJECT) else path.name
    interval = format_interval(accuracy_interval(found))
    return {"network": name, "pixels": size, "accuracy": f"{found.mean:.1%}", "interval": interval}


def main() -> None:
    """Print the table."""
    flags = parser(__doc__ or "")
    flags.add_argument("networks", nargs="*", type=Path, default=FILES, metavar="FILE")
    args = flags.parse_args()
    compute = compute_from(args)
    rows = [row_of(path.absolute(), compute) for path in args.networks]
    title = f"MNIST, 10-way; the paper has {published.MNIST_CONVNET:.1%} at 35 pixels"
    finish(args, compute, {title: pd.DataFrame(rows)})


if __name__ == "__main__":
    run_command(main, "Run the same command again.")
