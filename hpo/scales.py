"""How large a reproduction is: from a smoke test to the paper's own size."""

from dataclasses import dataclass, replace

from hpo.settings import StudySettings, base_config
from model.config import Config
from model.geometry import DenseConfig

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
        epoch_steps: of the episode recipe.
        n_seeds: fits of each row.
    """

    name: str
    image_size: int
    pairs: tuple[int, int, int]
    visits: int | None
    narrowed: int
    hidden: int
    episode_epochs: int
    epoch_steps: int
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
    fit = replace(base.fit, max_epochs=scale.episode_epochs, epoch_steps=scale.epoch_steps)
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
