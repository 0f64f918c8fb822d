"""How large a reproduction is: from a smoke test to the paper's own size.

The paper's three tables: what it reports, and what our networks come to."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial

from data.drawings import Drawings
from data.episodes import Episodes
from data.mnist import load_mnist, mnist_episodes
from data.splits import Split
from hpo.refit import published
from hpo.study.settings import StudySettings, base_config
from model.architecture import DenseConfig
from model.config import Config
from model.evaluate import episode_logits, nearest_neighbour_scores, pixel_distance_scores
from model.hausdorff import hausdorff_scores
from model.network_cache import NetworkCache
from model.test_metrics import scorer_accuracy, verification_metrics

RAMP_SHARE = 0.5  # of the epochs, at most the ten of Deviation D5


@dataclass(frozen=True)
class Scale:
    """What a reproduction fits.

    Args:
        name: how it is called on the command line.
        image_size: pixels of every drawing; Table 3 is at 35 in the paper too.
        pairs: training pairs of Table 1's three rows; the paper's are 30k, 90k and 150k.
        visits: pairs that a fit of the paper's recipe sees, epochs after epochs; None for the
            paper's own rule: 200 epochs, or 20 without a gain.
        narrowed: by how much the convolutional network's filters and units are divided.
        hidden: widths of the network without convolutions.
        episode_epochs: length of a fit of the episode recipe.
        steps_per_epoch: of the episode recipe.
        n_seeds: fits of each row.
    """

    name: str
    image_size: int
    pairs: tuple[int, int, int]
    visits: int | None
    narrowed: int
    hidden: int
    episode_epochs: int
    steps_per_epoch: int
    n_seeds: int


SCALES = {
    scale.name: scale
    for scale in (
        Scale("smoke", 35, (256, 512, 1024), 1024, 8, 128, 1, 4, 1),
        Scale("reduced", 35, (30_000, 90_000, 150_000), 300_000, 2, 2048, 24, 100, 3),
        Scale("full", 105, (30_000, 90_000, 150_000), None, 1, 4096, 48, 50, 1),
    )
}


def paper_recipe(scale: Scale, n_pairs: int, *, distort: bool, dense: bool = False) -> Config:
    """Return a fit of the paper's recipe, of the network with convolutions or ``dense``."""
    base = base_config(StudySettings(image_size=scale.image_size, recipe="paper"))
    epochs = 200 if scale.visits is None else max(1, round(scale.visits / n_pairs))
    ramp = min(base.fit.ramp_epochs, round(RAMP_SHARE * epochs))
    fit = replace(base.fit, n_pairs=n_pairs, max_epochs=epochs, ramp_epochs=ramp, distort=distort)
    return network(scale, replace(base, fit=fit), dense=dense)


def episode_recipe(scale: Scale, *, dense: bool = False) -> Config:
    """Return a fit of the episode recipe, of the network with convolutions or ``dense``."""
    base = base_config(StudySettings(image_size=scale.image_size))
    fit = replace(base.fit, max_epochs=scale.episode_epochs, steps_per_epoch=scale.steps_per_epoch)
    return network(scale, replace(base, fit=fit), dense=dense)


def network(scale: Scale, base: Config, *, dense: bool) -> Config:
    """Return the same fit of the scale's network of either kind."""
    if dense:
        model = DenseConfig(base.model.image_size, scale.hidden, scale.hidden, base.model.init)
        # The rates of the layers that remain; all of the base's are equal.
        return Config(model, replace(base.fit, rates=base.fit.rates[-len(model.layers) :]))
    f1, f2, f3, f4 = (n // scale.narrowed for n in base.conv.filters)
    units = base.conv.units // scale.narrowed
    return replace(base, model=replace(base.conv, filters=(f1, f2, f3, f4), units=units))


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
    for pairs, distort, share in published.TABLE_1:
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
        ours = [
            scorer_accuracy(partial(episode_logits, net), drawings, episodes) for net in networks
        ]
        yield TableRow(name, None, ours, len(episodes))


def table_2(scale: Scale, fits: NetworkCache, full_size: Split) -> Iterator[TableRow]:
    """Yield accuracies on the official 20-way episodes; those without a network at 105 pixels."""
    yield from (TableRow(name, share, note="cited") for name, share in published.CITED.items())
    rows = one_shot_rows(scale, fits, fits.parts.test, fits.parts.official)
    for row, share in zip(rows, (published.CONVNET, published.DENSE_NET, None, None), strict=True):
        row.paper = share
        yield row
    baselines = (
        ("1-NN on pixels, cosine", published.NEAREST, nearest_neighbour_scores),
        ("1-NN on pixels, Euclidean", None, pixel_distance_scores),
        (
            "modified Hausdorff distance (Lake's demonstration)",
            published.HAUSDORFF,
            hausdorff_scores,
        ),
    )
    for name, share, scorer in baselines:
        ours = scorer_accuracy(scorer, full_size.test, full_size.official)
        yield TableRow(name, share, [ours], len(full_size.official))


def table_3(scale: Scale, fits: NetworkCache, full_size: Split) -> Iterator[TableRow]:
    """Yield accuracies on 10-way episodes of MNIST, of networks that have seen Omniglot alone."""
    digits = load_mnist(fits.parts.test.image_size).to(fits.compute.device)
    episodes = mnist_episodes(digits)
    rows = one_shot_rows(scale, fits, digits, episodes)
    for row, share in zip(rows, (published.MNIST_CONVNET, None, None, None), strict=True):
        row.paper = share
        yield row
    note = "the paper does not say how its episodes or its distance are made"
    share = scorer_accuracy(nearest_neighbour_scores, digits, episodes)
    yield TableRow("1-NN on pixels, cosine", published.MNIST_NEAREST, [share], len(episodes), note)
    share = scorer_accuracy(pixel_distance_scores, digits, episodes)
    yield TableRow("1-NN on pixels, Euclidean", None, [share], len(episodes))


Table = Callable[[Scale, NetworkCache, Split], Iterator[TableRow]]

TABLES: dict[int, tuple[str, Table]] = {
    1: ("Table 1, verification", table_1),
    2: ("Table 2, 20-way one-shot on the official episodes", table_2),
    3: ("Table 3, MNIST, 10-way one-shot", table_3),
}
