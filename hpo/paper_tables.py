"""The paper's three tables: what it reports, and what our networks come to."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from data.drawings import Drawings
from data.episodes import Episodes
from data.mnist import load_mnist, mnist_episodes
from data.splits import Split
from hpo import paper
from hpo.fits import NetworkCache
from hpo.scales import Scale, episode_recipe, paper_recipe
from model.config import Config
from model.evaluate import episode_logits, nearest_neighbour_scores, pixel_distance_scores
from model.hausdorff import hausdorff_scores
from model.score import scorer_accuracy, verification_metrics


@dataclass
class TableRow:
    """A line of a table.

    Args:
        name: what was measured.
        paper: the paper's figure as a share, or None where it has none.
        ours: a share per fit, or one; empty where nothing of ours was measured.
        n: episodes or pairs that a share rests on.
        note: what must be known to compare the two.
    """

    name: str
    paper: float | None = None
    ours: list[float] = field(default_factory=list)
    n: int = 0
    note: str = ""


def table_1(scale: Scale, fits: NetworkCache, full_size: Split) -> Iterator[TableRow]:
    """Yield verification accuracies on test pairs; checkpoint and threshold from validation."""
    counts = dict(zip(("30k", "90k", "150k"), scale.pairs, strict=True))
    for pairs, distort, share in paper.TABLE_1:
        config = paper_recipe(scale, counts[pairs], distort=distort)
        networks = fits.networks(config, scale.n_seeds)
        found = [verification_metrics(net, fits.parts) for net in networks]
        ours = [figures["test_accuracy"] for figures in found]
        name = f"{pairs} pairs, {'affine distortions ×8' if distort else 'no distortions'}"
        few = "" if pairs == f"{counts[pairs] // 1000}k" else f"{counts[pairs]} pairs"
        yield TableRow(name, share, ours, found[0]["n_pairs"], few)


def one_shot_rows(
    scale: Scale, fits: NetworkCache, drawings: Drawings, episodes: Episodes
) -> Iterator[TableRow]:
    """Yield accuracies of four networks, of either kind and by either recipe, on episodes."""
    n_pairs = scale.pairs[-1]
    rows: list[tuple[str, Config]] = [
        ("convolutional siamese net", paper_recipe(scale, n_pairs, distort=True)),
        (
            "siamese net without convolutions",
            paper_recipe(scale, n_pairs, distort=True, dense=True),
        ),
        ("convolutional siamese net, episode recipe", episode_recipe(scale)),
        ("siamese net without convolutions, episode recipe", episode_recipe(scale, dense=True)),
    ]
    for name, config in rows:
        networks = fits.networks(config, scale.n_seeds)
        ours = [scorer_accuracy(partial(episode_logits, net), drawings, episodes) for net in networks]
        yield TableRow(name, None, ours, len(episodes))


def table_2(scale: Scale, fits: NetworkCache, full_size: Split) -> Iterator[TableRow]:
    """Yield accuracies on the official 20-way episodes; those without a network at 105 pixels."""
    yield from (TableRow(name, share, note="cited") for name, share in paper.CITED.items())
    rows = one_shot_rows(scale, fits, fits.parts.test, fits.parts.official)
    for row, share in zip(rows, (paper.CONVNET, paper.DENSE_NET, None, None), strict=True):
        row.paper = share
        yield row
    baselines = (
        ("1-NN on pixels, cosine", paper.NEAREST, nearest_neighbour_scores),
        ("1-NN on pixels, Euclidean", None, pixel_distance_scores),
        ("modified Hausdorff distance (Lake's demonstration)", paper.HAUSDORFF, hausdorff_scores),
    )
    for name, share, scorer in baselines:
        ours = scorer_accuracy(scorer, full_size.test, full_size.official)
        yield TableRow(name, share, [ours], len(full_size.official))


def table_3(scale: Scale, fits: NetworkCache, full_size: Split) -> Iterator[TableRow]:
    """Yield accuracies on 10-way episodes of MNIST, of networks that have seen Omniglot alone."""
    digits = load_mnist(fits.parts.test.image_size).to(fits.machine.device)
    episodes = mnist_episodes(digits)
    rows = one_shot_rows(scale, fits, digits, episodes)
    for row, share in zip(rows, (paper.MNIST_CONVNET, None, None, None), strict=True):
        row.paper = share
        yield row
    note = "the paper does not say how its episodes or its distance are made"
    share = scorer_accuracy(nearest_neighbour_scores, digits, episodes)
    yield TableRow("1-NN on pixels, cosine", paper.MNIST_NEAREST, [share], len(episodes), note)
    share = scorer_accuracy(pixel_distance_scores, digits, episodes)
    yield TableRow("1-NN on pixels, Euclidean", None, [share], len(episodes))


Table = Callable[[Scale, NetworkCache, Split], Iterator[TableRow]]
TABLES: dict[int, tuple[str, Table]] = {
    1: ("Table 1, verification", table_1),
    2: ("Table 2, 20-way one-shot on the official episodes", table_2),
    3: ("Table 3, MNIST, 10-way one-shot", table_3),
}
