"""The rows of ``benchmarks/paper_recipe.py``: their configurations, fits and results."""

from argparse import Namespace
from pathlib import Path

import pytest
from paper_curve import curve_frame, curve_plot, shown_rows
from paper_recipe_fits import Fits, milestone_epochs
from paper_recipe_rows import CHANGES, Row, read_list, row_entry, row_of, store_row
from paper_recipe_table import table
from started import CPU

from data.errors import InputError
from data.paths import PROJECT
from data.splits import Split
from model.architecture import DenseConfig
from model.checkpoint import load_network
from model.config import Config
from model.evaluate import one_shot_accuracy
from model.losses import images_per_epoch


def paper_flags(**changes: object) -> Namespace:
    made: dict[str, object] = {"image_size": 35, "n_pairs": 1000, "pairs": 3e4, "winner": None}
    made |= {"lr": 0.05, "momentum": 0.9, "l2": 1e-4, "width": 0.5, "init": "scaled"}
    return Namespace(**made | {"label": None, "dense": False} | changes)


def row_config(recipe: str, args: Namespace) -> Config:
    return row_of(recipe, args).config


def test_the_row_of_the_paper_has_only_the_recipe_of_the_paper() -> None:
    row = row_of("paper", paper_flags())
    made = row.config
    assert (row.label, row.recipe, row.n_epochs) == ("paper", "paper", 30)
    fit, first = made.fit, made.fit.rates[0]
    assert (fit.recipe, fit.schedule, fit.ema, fit.nesterov) == ("paper", "exponential", 0.0, False)
    assert (fit.n_drawers, fit.new_pairs, fit.n_pairs, fit.max_epochs) == (12, False, 1000, 200)
    assert (first.lr, first.momentum, first.l2_penalty) == (0.05, 0.9, 1e-4)
    assert (made.conv.filters, made.conv.conv_norm) == ((32, 64, 64, 128), "none")


def test_a_row_has_the_changes_of_its_name() -> None:
    strict = row_config("paper", paper_flags())
    changed = {name: row_config(f"paper+{name}", paper_flags()) for name in CHANGES}
    assert len({each.digest for each in (strict, *changed.values())}) == 1 + len(CHANGES)
    both = row_config("paper+cosine+averaging", paper_flags()).fit
    assert (both.schedule, both.ema) == ("cosine", 0.999)
    for name in ("episodes", "paper+magic", "paper+", "episode+cosine"):
        with pytest.raises(InputError, match=r"--rows must be episode, paper.*averaging"):
            row_config(name, paper_flags())


def test_the_row_of_the_episode_recipe_embeds_as_many_drawings() -> None:
    made = row_config("episode", paper_flags())
    assert (made.fit.recipe, made.conv.conv_norm) == ("episode", "batch")
    per_epoch = images_per_epoch(made.fit)
    assert abs(made.fit.max_epochs * per_epoch - 2 * 3e4) <= per_epoch / 2
    with pytest.raises(InputError, match=r"rows paper\[\+NAME\]. Leave them out"):
        row_config("episode", paper_flags(dense=True))


def test_the_winner_of_a_study_gives_the_values_of_a_row(tmp_path: Path) -> None:
    space = PROJECT / "docs/examples/paper_recipe.toml"
    file = tmp_path / "winner.toml"
    file.write_text(
        '[training]\nrecipe = "paper"\nn_pairs = 2000\n[data]\nimage_size = 28\n'
        f'[search]\nspace = "{space}"\n[point]\nlr = 0.02\nl2 = 1e-3\n"conv1.l2_factor" = 0.5\n'
    )
    made = row_config("paper+averaging", paper_flags(winner=file))
    first, second = made.fit.rates[:2]
    assert (first.lr, first.l2_penalty, second.l2_penalty) == (0.02, 5e-4, 1e-3)
    assert (made.conv.filters[0], made.fit.n_pairs, made.fit.ema) == (32, 1000, 0.999)
    assert (made.model.image_size, made.fit.max_epochs) == (35, 200)
    file.write_text('[training]\nrecipe = "paper"\n')
    with pytest.raises(InputError, match=r"must have a \[point\] table"):
        row_config("paper", paper_flags(winner=file))


def test_the_milestones_end_with_the_last_epoch() -> None:
    assert milestone_epochs(1) == [1]
    assert milestone_epochs(20) == [1, 2, 3, 5, 8, 11, 17, 20]


def test_a_row_without_convolutions_has_the_rates_of_its_layers() -> None:
    made = row_config("paper", paper_flags(dense=True))
    assert isinstance(made.model, DenseConfig)
    assert (made.model.layers, made.model.units) == (("fc1", "fc2", "head"), 2048)
    assert {layer.lr for layer in made.fit.rates} == {0.05}


def test_a_longer_fit_of_the_paper_continues_a_shorter_one() -> None:
    short, long = (row_of("paper", paper_flags(pairs=pairs)) for pairs in (2e4, 9e4))
    assert (short.n_epochs, long.n_epochs) == (20, 90)
    assert short.config == long.config
    with pytest.raises(InputError, match="at most 200 epochs of 1000 pairs, but is 300000"):
        row_of("paper", paper_flags(pairs=3e5))
    assert row_of("paper+cosine", paper_flags(pairs=3e5)).config.fit.max_epochs == 300


def test_a_row_replaces_the_same_row(tmp_path: Path) -> None:
    path = tmp_path / "paper/rows.json"
    entry = {"name": "paper", "image_size": 35, "model": {}, "n_pairs": 5, "pairs_seen": 9}
    for seen, mean in ((9, 0.5), (18, 0.6), (9, 0.7)):
        store_row(path, entry | {"pairs_seen": seen, "rates": [], "official_mean": mean})
    assert [row["official_mean"] for row in read_list(path)] == [0.6, 0.7]


def test_a_curve_is_the_mean_of_its_fits_and_shows_ends_alone_if_the_rate_falls_to_0() -> None:
    def point(pairs: int, official: float) -> dict[str, float]:
        return {"pairs_seen": pairs, "official": official, "validation": official - 0.2, "epoch": 1}

    def row(name: str, *curves: list[dict[str, float]]) -> dict[str, object]:
        fits = {str(seed): curve for seed, curve in enumerate(curves)}
        return {"name": name, "recipe": name, "curves": fits}

    first, second = [point(9, 0.5), point(20, 0.7)], [point(9, 0.6), point(20, 0.9)]
    longer = [point(20, 0.8), point(40, 0.95)]
    rows = [row("paper", first, second), row("episode", longer), row("episode", first)]
    frame = curve_frame(rows)
    points = [(row, x, round(y, 3)) for row, x, y in frame.iloc[:, :3].itertuples(index=False)]
    assert sorted(points) == [
        ("episode", 20, 0.7),
        ("episode", 40, 0.95),
        ("paper", 9, 0.55),
        ("paper", 20, 0.8),
    ]
    names = [(trace.name, trace.line.dash) for trace in curve_plot(frame).data]
    assert names == [(name, dash) for name in ("paper", "episode") for dash in ("solid", "dot")]


def test_the_plot_shows_the_best_row_of_each_kind() -> None:
    rows = [
        {"name": name, "recipe": recipe, "validation_mean": mean}
        for name, recipe, mean in (
            ("paper", "paper", 0.6),
            ("paper, L2 4e-4", "paper", 0.65),
            ("paper, L2 4e-4", "paper", 0.7),
            ("paper+averaging", "paper+averaging", 0.8),
            ("paper+nesterov", "paper+nesterov", 0.75),
            ("paper+cosine", "paper+cosine", 0.8),
            ("paper+cosine, rate 0.1", "paper+cosine", 0.9),
            ("episode", "episode", 0.5),
        )
    ]
    names = [row["name"] for row in shown_rows(rows)]
    strict = ["paper, L2 4e-4"] * 2
    assert names == [*strict, "paper+averaging", "paper+cosine, rate 0.1", "episode"]


def test_fits_resume_and_a_longer_row_continues_them(parts: Split, tmp_path: Path) -> None:
    def row(pairs: float) -> Row:
        return row_of("paper", paper_flags(n_pairs=64, pairs=pairs, width=0.125))

    folder = tmp_path / "continued"
    folder.mkdir()
    fits = Fits(parts, CPU, folder)
    short = fits.curve(row(64), 1)
    assert [point["epoch"] for point in short] == [1]
    continued = fits.curve(row(4 * 64), 1)
    assert continued == fits.curve(row(4 * 64), 1), "a finished fit is not repeated"
    assert fits.curve(row(64), 1) == short
    (tmp_path / "new").mkdir()
    new = Fits(parts, CPU, tmp_path / "new").curve(row(4 * 64), 1)
    assert [without_seconds(p) for p in continued[-2:]] == [without_seconds(p) for p in new[-2:]]
    entry = row_entry(row(4 * 64), {1: new}, CPU)
    assert (entry["pairs_seen"], entry["n_seeds"]) == (256, 1)
    assert entry["official_mean"] == new[-1]["official"]


def test_the_network_of_a_row_is_stored_in_half_precision(parts: Split, tmp_path: Path) -> None:
    row = row_of("paper", paper_flags(n_pairs=64, pairs=128, width=0.125))
    fits, path = Fits(parts, CPU, tmp_path), tmp_path / "best/network.pt"
    fits.curve(row, 1)
    fits.save_network(path, row, 1)
    net, config, metadata = load_network(path)
    assert (config, metadata["row"], metadata["seed"]) == (row.config, "paper", 1)
    assert metadata["official"] == one_shot_accuracy(net, parts.test, parts.official)
    assert path.stat().st_size < 3 * sum(p.numel() for p in net.parameters())


def without_seconds(point: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in point.items() if name != "seconds"}


def test_the_table_of_the_rows_shows_means_and_deviations() -> None:
    one = {"name": "a", "recipe": "paper+new-pairs", "image_size": 35, "n_pairs": 9, "n_seeds": 1}
    one |= {"pairs_seen": 2e6, "validation_mean": 0.5, "validation_sd": None}
    one |= {"official_mean": 0.75, "official_sd": None, "wall_seconds": 5400}
    many = one | {"recipe": "paper", "n_seeds": 3, "official_sd": 0.014, "validation_sd": 0.002}
    one["model"], many["model"] = {"filters": [16, 32, 32, 64]}, {"units": 2048}
    assert table([one, many])[2:] == [
        "| a | 35 | 0.25 | all | 2.00M | 1 | 50.0% | 75.0% | 1.5 |",
        "| a | 35 | – | 9 | 2.00M | 3 | 50.0 ± 0.2 % | 75.0 ± 1.4 % | 1.5 |",
    ]
