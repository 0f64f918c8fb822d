"""The configuration that supplies the values of all parameters that a study does not search."""

from dataclasses import replace
from typing import Any

from data.errors import InputError, require
from data.image_folder import parse_dataset_name
from hpo.settings.sections import TrainingSettings
from hpo.settings.study_settings import StudySettings
from hpo.space.configuration import build_config, require_possible
from hpo.space.files import BUILT_IN, built_in_space
from hpo.space.kernels import require_image_size
from hpo.space.paths import OWN_PREFIX, WIDTH, require_effective, require_of_network
from model.architecture import LAYERS, ModelConfig
from model.config import REFERENCE_COST, Config, FitConfig, LayerRates
from model.own_network import OwnConfig, find_factory

# Rates of a network of the user's own whose space does not contain them: as in the paper's space.
OWN_RATES = LayerRates(lr=0.03, momentum=0.9, l2_penalty=0.0)
TYPICAL = {WIDTH: 0.5}  # the paper's network at half width, the default of the space "standard"


def base_config(settings: StudySettings) -> Config:
    """Return the base configuration of a study: the defaults of the paper's space.

    Its architecture is the best architecture of the paper. The paper does not report its learning
    rates; ours were chosen by hand on the validation alphabets. A network of the user's own has its
    parameters from the starting point of the study's space. If the fits start from the weights of
    a network, the architecture is that of this network.
    """
    paper, start = _config_of_space(settings), settings.start_from
    base = paper
    if start is not None:
        model = replace(start.model, channels=paper.model.channels)
        base = replace(paper, model=model, start=start.digest)
    if settings.network:
        return base
    typical = base if start else build_config(paper, TYPICAL)
    return replace(base, epoch_cost=_epoch_cost(paper, typical))


def _epoch_cost(paper: Config, typical: Config) -> float:
    """Return the cost of an epoch that gives a network its steps by the reference costs.

    The default of the space ``standard``, or the network of ``--start-from``, is thus trained for
    the same number of steps on every machine.

    Args:
        paper: configuration with the paper's network.
        typical: the same with the other network.

    Returns:
        Nanoseconds by the costs of the study.
    """
    paper_cost, typical_cost = (replace(c, step_cost=REFERENCE_COST).cost for c in (paper, typical))
    return paper.fit.steps_per_epoch * paper_cost / typical_cost * typical.cost


def typical_config(settings: StudySettings) -> Config:
    """Return a configuration whose epoch takes about as long as that of any trial of a study.

    With the paper's recipe, whose epochs differ in cost, it is the base, the paper's network.
    """
    base = base_config(settings)
    if settings.recipe == "paper" or settings.network:
        return base
    return build_config(base, {} if settings.start_from else TYPICAL)


def _default_values(settings: StudySettings) -> dict[str, Any]:
    """Return the default of the space of a study: values of all its parameters, by name."""
    space = settings.space
    return space.resolve(space.starting_points(settings.image_size)[0])


def _config_of_space(settings: StudySettings) -> Config:
    """Return the base configuration of fits that start from random weights."""
    channels = image_channels(settings.data)
    if settings.network is not None:
        values = _default_values(settings)
        own = {n.removeprefix(OWN_PREFIX): v for n, v in values.items() if n.startswith(OWN_PREFIX)}
        network = OwnConfig(settings.network, own, channels, settings.image_size)
        return Config(network, _base_fit(settings, (OWN_RATES,)), settings.cost)
    require_image_size(settings.image_size)
    rates = (LayerRates(lr=1.0, momentum=0.0, l2_penalty=0.0),) * len(LAYERS)
    # The smallest network, of which build_config replaces every size.
    model = ModelConfig(settings.image_size, (1, 1, 1, 1), (1, 1, 1, 1), 1, settings.init, channels)
    paper = built_in_space("paper")
    values = paper.resolve(paper.starting_points(settings.image_size)[0])
    config = build_config(Config(model, _base_fit(settings, rates), settings.cost), values)
    steps = replace(config.fit, steps_per_epoch=settings.steps_per_epoch)
    return replace(config, fit=steps)


def image_channels(data: str) -> int:
    """Return the number of values per pixel of the images of a data set."""
    image_folder = parse_dataset_name(data)
    return image_folder.channels if image_folder else 1


def _base_fit(settings: StudySettings, rates: tuple[LayerRates, ...]) -> FitConfig:
    """Return the base configuration of the fit."""
    fit = FitConfig(
        recipe=settings.recipe,
        rates=rates,
        max_epochs=settings.max_epochs,
        steps_per_epoch=settings.steps_per_epoch,
        n_pairs=settings.n_pairs,
    )
    if settings.recipe == "paper":
        fit = replace(
            fit, schedule="exponential", ramp_epochs=10, nesterov=False, turns=False, ema=0.0
        )
    return fit


def check_settings(settings: StudySettings) -> None:
    """Raise InputError unless the settings fit together, and every point of the space is possible.

    Raises:
        InputError: a setting or a value of the space is impossible.
    """
    n_epochs, seed = settings.max_epochs, settings.seed
    require(n_epochs >= 1, "max_epochs >= 1", n_epochs, "Raise --max-epochs.")
    require(0 <= seed < 2**32, "0 <= seed < 2**32", seed, "Choose another --seed.")
    if settings.objective not in (("accuracy",), ("accuracy", "flops")):
        raise InputError(
            "--objective must be accuracy, or accuracy flops, but is "
            f"{' '.join(settings.objective)}. Correct it."
        )
    if not settings.has_one_goal and settings.pruner != "none":
        raise InputError(
            f"--pruner must be none with two goals, but is {settings.pruner}. Remove --pruner."
        )
    if settings.recipe != "paper" and settings.n_pairs != TrainingSettings.n_pairs:
        raise InputError(
            f"--n-pairs {settings.n_pairs} has no effect with the recipe {settings.recipe}. Remove "
            "--n-pairs, or choose --recipe paper."
        )
    base, space = base_config(settings), settings.space
    source = f"Space '{space.name}'"
    if settings.network is not None:
        _check_network(settings)
    require_of_network(list(space.parameters), settings.network, source)
    require_effective(list(space.parameters), settings.recipe, source)
    require_possible(space, base, source)
    _ = settings.division  # raises InputError if a part has no group


def _check_network(settings: StudySettings) -> None:
    """Raise InputError unless the function of the user's own network exists and can be searched.

    Raises:
        InputError: there is no such function, or another setting does not fit.
    """
    assert settings.network is not None
    if settings.space.name in BUILT_IN:
        raise InputError(
            f"--network {settings.network} needs a space of its own, but --space is "
            f"{settings.space.name}. Give --space FILE; docs/networks.md shows one."
        )
    if settings.init != "scaled":
        raise InputError(
            f"--init {settings.init} has no effect on the network {settings.network}. Remove "
            "--init."
        )
    find_factory(settings.network)
