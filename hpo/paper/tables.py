"""The three tables of the paper and their rows.

A table is a generator. For each row it fits the networks, evaluates them and yields the row.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from data import published
from data.distortions import NO_DISTORTIONS
from data.drawings import Drawings
from data.episodes import Episodes
from data.mnist import load_mnist, mnist_episodes
from data.splits import Split
from hpo.paper.scales import Scale
from hpo.settings.base_config import base_config
from hpo.settings.study_settings import StudySettings
from model.architecture import DenseConfig
from model.config import Config
from model.evaluate import episode_logits, nearest_neighbour_scores, pixel_distance_scores
from model.hausdorff import hausdorff_scores
from model.intervals import ClusterAccuracies, merge_fits
from model.metrics import scorer_clusters
from model.network_cache import NetworkCache
from model.predictions import Scorer
from model.verification import verification_metrics

MAX_EPOCHS = 200  # §3.2: maximum number of epochs of the paper's recipe
MAX_RAMP_SHARE = 0.5  # maximum fraction of the epochs in which momentum rises (Deviation D5)


@dataclass
class TableRow:
    """One row of a table; accuracies in [0, 1].

    Args:
        name: description of the row.
        paper: accuracy in the paper; None if the paper does not report it.
        ours: our accuracy, one per fit; empty if we did not measure it.
        clusters: accuracies of all fits by alphabet or character; None if we did not measure them.
        note: remark on how the accuracies can be compared.
    """

    name: str
    paper: float | None = None
    ours: list[float] = field(default_factory=list)
    clusters: ClusterAccuracies | None = None
    note: str = ""


Table = Callable[[Scale, NetworkCache, Split], Iterator[TableRow]]


def paper_recipe_config(
    scale: Scale, n_pairs: int, *, distort: bool, dense: bool = False
) -> Config:
    """Return the configuration of a fit with the paper's recipe.

    Args:
        scale: size of network and training.
        n_pairs: number of training pairs per epoch.
        distort: whether training drawings are distorted.
        dense: whether the network is the one without convolutions.
    """
    base = base_config(StudySettings(image_size=scale.image_size, recipe="paper"))
    epochs = MAX_EPOCHS if scale.visits is None else max(1, round(scale.visits / n_pairs))
    ramp = min(base.fit.ramp_epochs, round(MAX_RAMP_SHARE * epochs))
    rates = tuple(replace(layer, l2_penalty=scale.l2) for layer in base.fit.rates)
    fit = replace(base.fit, n_pairs=n_pairs, max_epochs=epochs, ramp_epochs=ramp, rates=rates)
    if not distort:
        fit = replace(fit, distort=NO_DISTORTIONS)
    return _scale_network(scale, replace(base, fit=fit), dense=dense)


def episode_recipe_config(scale: Scale, *, dense: bool = False) -> Config:
    """Return the configuration of a fit with the episode recipe.

    Args:
        scale: size of network and training.
        dense: whether the network is the one without convolutions.
    """
    base = base_config(StudySettings(image_size=scale.image_size))
    fit = replace(base.fit, max_epochs=scale.episode_epochs, steps_per_epoch=scale.steps_per_epoch)
    return _scale_network(scale, replace(base, fit=fit), dense=dense)


def table_1(scale: Scale, networks: NetworkCache, full_size: Split) -> Iterator[TableRow]:
    """Yield accuracies of verification on test pairs. Validation chooses epoch and threshold."""
    counts = dict(zip(("30k", "90k", "150k"), scale.pairs, strict=True))
    for pairs, distort, paper in published.TABLE_1:
        config = paper_recipe_config(scale, counts[pairs], distort=distort)
        metrics = [
            verification_metrics(net, networks.split)
            for net in networks.networks(config, scale.n_seeds)
        ]
        name = f"{pairs} pairs, {'affine distortions ×8' if distort else 'no distortions'}"
        note = "" if pairs == f"{counts[pairs] // 1000}k" else f"{counts[pairs]} pairs"
        accuracies = [m.test_accuracy for m in metrics]
        clusters = merge_fits([m.clusters for m in metrics if m.clusters])
        yield TableRow(name, paper, accuracies, clusters, note)


def table_2(scale: Scale, networks: NetworkCache, full_size: Split) -> Iterator[TableRow]:
    """Yield accuracies on the official 20-way episodes. The baselines use the full-size images."""
    for name, paper in published.CITED_ACCURACY.items():
        yield TableRow(name, paper, note="cited")
    rows = _network_rows(scale, networks, networks.split.test, networks.split.official)
    papers = (published.CONVNET, published.DENSE_NET, None, None)
    for row, row_paper in zip(rows, papers, strict=True):
        row.paper = row_paper
        yield row
    hausdorff = "modified Hausdorff distance (Lake's demonstration)"
    for name, baseline_paper, scorer in (
        ("1-NN on pixels, cosine", published.NEAREST, nearest_neighbour_scores),
        ("1-NN on pixels, Euclidean", None, pixel_distance_scores),
        (hausdorff, published.HAUSDORFF, hausdorff_scores),
    ):
        yield _row(name, baseline_paper, [scorer], full_size.test, full_size.official)


def table_3(scale: Scale, networks: NetworkCache, full_size: Split) -> Iterator[TableRow]:
    """Yield accuracies on 10-way episodes of MNIST. The networks were trained on Omniglot only."""
    digits = load_mnist(networks.split.test.image_size).to(networks.compute.device)
    episodes = mnist_episodes(digits)
    rows = _network_rows(scale, networks, digits, episodes)
    for row, paper in zip(rows, (published.MNIST_CONVNET, None, None, None), strict=True):
        row.paper = paper
        yield row
    note = "the paper does not define its episodes or its distance"
    for name, row_paper, scorer in (
        ("1-NN on pixels, cosine", published.MNIST_NEAREST, nearest_neighbour_scores),
        ("1-NN on pixels, Euclidean", None, pixel_distance_scores),
    ):
        baseline = _row(name, row_paper, [scorer], digits, episodes)
        baseline.note = note if row_paper else ""
        yield baseline


TABLES: dict[int, tuple[str, Table]] = {
    1: ("Table 1, verification", table_1),
    2: ("Table 2, 20-way one-shot on the official episodes", table_2),
    3: ("Table 3, MNIST, 10-way one-shot", table_3),
}


def _network_rows(
    scale: Scale, networks: NetworkCache, drawings: Drawings, episodes: Episodes
) -> Iterator[TableRow]:
    """Yield the accuracies of both networks, with the paper's recipe and the episode recipe."""
    n_pairs = scale.pairs[-1]
    conv, dense = "convolutional siamese net", "siamese net without convolutions"
    for name, config in (
        (conv, paper_recipe_config(scale, n_pairs, distort=True)),
        (dense, paper_recipe_config(scale, n_pairs, distort=True, dense=True)),
        (f"{conv}, episode recipe", episode_recipe_config(scale)),
        (f"{dense}, episode recipe", episode_recipe_config(scale, dense=True)),
    ):
        scorers = [partial(episode_logits, net) for net in networks.networks(config, scale.n_seeds)]
        yield _row(name, None, scorers, drawings, episodes)


def _row(
    name: str,
    paper: float | None,
    scorers: Sequence[Scorer],
    drawings: Drawings,
    episodes: Episodes,
) -> TableRow:
    """Return the row of one or more scorers on episodes."""
    fits = [scorer_clusters(scorer, drawings, episodes) for scorer in scorers]
    return TableRow(name, paper, [fit.mean for fit in fits], merge_fits(fits))


def without_convolutions(base: Config, hidden: int) -> Config:
    """Return a configuration with the network without convolutions and the fit of ``base``.

    Args:
        base: configuration of a convolutional network with equal rates in all layers.
        hidden: number of units of both layers.
    """
    model = DenseConfig(base.model.image_size, hidden, hidden, base.conv.init)
    return Config(model, replace(base.fit, rates=base.fit.rates[-len(model.layers) :]))


def _scale_network(scale: Scale, base: Config, *, dense: bool) -> Config:
    """Return a configuration with the network of the scale and the fit of ``base``."""
    if dense:
        return without_convolutions(base, scale.hidden)
    f1, f2, f3, f4 = (n // scale.narrowed for n in base.conv.filters)
    units = base.conv.units // scale.narrowed
    return replace(base, model=replace(base.conv, filters=(f1, f2, f3, f4), units=units))
