"""The fits of the paper's tables."""

import pytest

from hpo.paper.scales import SCALES
from hpo.paper.tables import paper_recipe_config


def test_table_1_uses_the_papers_pairs_and_the_same_number_of_visits_in_every_row() -> None:
    scale = SCALES["reduced"]
    for n_pairs in scale.pairs:
        fit = paper_recipe_config(scale, n_pairs, distort=True).fit
        assert fit.n_pairs * fit.max_epochs == pytest.approx(scale.visits, rel=0.11)


def test_a_day_trains_twenty_times_as_long_as_the_reduced_scale() -> None:
    day, reduced = SCALES["day"], SCALES["reduced"]
    assert (day.visits, reduced.visits) == (6_000_000, 300_000)
    fit = paper_recipe_config(day, 30_000, distort=True).fit
    assert (fit.max_epochs, fit.ramp_epochs) == (200, 10)
    assert {layer.l2_penalty for layer in fit.rates} == {day.l2}


def test_at_full_scale_the_fits_are_the_papers() -> None:
    config = paper_recipe_config(SCALES["full"], 150_000, distort=True)
    assert (config.fit.max_epochs, config.fit.patience) == (200, 20)
    assert config.conv.image_size == 105
    assert config.conv.filters == (64, 128, 128, 256)
