"""Retraining in this process: one tiny study, refitted once, and everything that follows."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import made_studies
import pandas as pd
import pytest
import torch
from optuna.trial import FrozenTrial, create_trial
from tiny import TINY_20, opened, part_of_paper

from data.errors import InputError
from data.splits import Split
from hpo.cli.retrain import evaluate_checkpoint, export_networks, retrain_best
from hpo.cli.retrain_output import result_table
from hpo.refit import networks
from hpo.refit import retrain as refit
from hpo.refit.plan import make_plan, refit_config, require_digest
from hpo.refit.progress import show_epochs
from hpo.refit.result import RetrainResult
from hpo.refit.retrain import TEST_LOG, describe_plan, fit_seeds, log_test_evaluation
from hpo.refit.settings import RetrainConfig
from hpo.search.networks import fit_metadata
from hpo.search.winner import TOO_HIGH
from hpo.settings.study_settings import StudySettings
from hpo.space.distributions import search_space
from hpo.space.files import built_in_space
from model.checkpoint import load_network, save_network
from model.fit_state import EpochResult, FitState
from model.schema import upgrade

pytestmark = pytest.mark.usefixtures("console")

REQUEST = RetrainConfig(n_seeds=2, max_epochs=1, out=Path("out"), device="cpu", precision="float32")
ALONE = RetrainConfig(device="cpu", precision="float32")  # of a saved network
SETTINGS = replace(TINY_20, space=built_in_space("paper"))


@dataclass(frozen=True)
class Refitted:
    """A folder with a study that was refitted to ``out``, and what the retraining printed."""

    folder: Path
    result: RetrainResult
    networks: list[Path]


def smallest_network() -> FrozenTrial:
    """A complete trial with the smallest network of the search space."""
    space: dict[str, Any] = search_space(SETTINGS.space, SETTINGS.image_size)
    params = {name: distribution.low for name, distribution in space.items()}
    return create_trial(value=0.7, params=params, distributions=space)


@pytest.fixture(scope="module")
def refitted(
    small_data: None, parts_20: Split, tmp_path_factory: pytest.TempPathFactory
) -> Refitted:
    folder = tmp_path_factory.mktemp("refitted")
    study = opened(folder, parts_20, SETTINGS)
    study.add_trial(smallest_network())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        networks = [path.absolute() for path in retrain_best(REQUEST)]
    return Refitted(folder, RetrainResult.read(folder / "out/result.json"), networks)


@pytest.fixture
def here(refitted: Refitted, monkeypatch: pytest.MonkeyPatch) -> Refitted:
    """Work in the folder of the refitted study."""
    monkeypatch.chdir(refitted.folder)
    return refitted


def test_a_retraining_writes_result_tables_report_and_networks(here: Refitted) -> None:
    result, out = here.result, here.folder / "out"
    names = {"result.json", "predictions.csv", "confusions.csv", "report.html"}
    assert {path.name for path in out.iterdir()} == names | {"seed-1.pt", "seed-2.pt"}
    assert [seed.seed for seed in result.seeds] == [1, 2], "not the study's own seed 0"
    assert result.origin is not None
    assert (result.origin.study, result.origin.trial) == ("s", 0)
    assert result.origin.value_text == f"70.0% of the validation episodes, {TOO_HIGH}"
    predictions = pd.read_csv(out / "predictions.csv")
    for seed in result.seeds:
        rows = predictions[predictions["seed"] == seed.seed]
        assert rows["credit"].mean() == pytest.approx(seed.metrics.official.accuracy)
        assert seed.fit is not None
        assert seed.fit.epochs == len(seed.fit.history) == 1
    assert set(pd.read_csv(out / "confusions.csv")["seed"]) == {1, 2}
    assert "One-shot test of s, trial 0" in (out / "report.html").read_text()


def test_a_repeated_retraining_finds_its_result(
    here: Refitted, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    n_looks = len(TEST_LOG.read_text().splitlines())
    monkeypatch.setattr(refit, "fit", lambda *_, **__: pytest.fail("nothing is trained"))
    monkeypatch.setattr(refit, "evaluate_network", lambda *_, **__: pytest.fail("no test"))
    assert [path.absolute() for path in retrain_best(REQUEST)] == here.networks
    output = capsys.readouterr().out
    assert result_table(here.result) in output
    assert "--again" in output
    assert len(TEST_LOG.read_text().splitlines()) == n_looks


def test_networks_without_a_result_are_evaluated_but_not_trained_again(
    here: Refitted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in here.networks:
        shutil.copy(path, tmp_path)
    (tmp_path / "result.json").write_text("{")
    monkeypatch.setattr(refit, "fit", lambda *_, **__: pytest.fail("nothing is trained"))
    retrain_best(replace(REQUEST, out=tmp_path))
    again = RetrainResult.read(tmp_path / "result.json")
    assert [s.metrics for s in again.seeds] == [s.metrics for s in here.result.seeds]
    assert [s.fit for s in again.seeds] == [s.fit for s in here.result.seeds]


def test_again_trains_a_new_network(here: Refitted, tmp_path: Path) -> None:
    shutil.copy(here.networks[0], tmp_path)
    before = (tmp_path / "seed-1.pt").read_bytes()
    retrain_best(replace(REQUEST, out=tmp_path, n_seeds=1, again=True))
    assert (tmp_path / "seed-1.pt").read_bytes() != before, "the seconds differ"
    again = RetrainResult.read(tmp_path / "result.json")
    assert again.seeds[0].metrics == here.result.seeds[0].metrics


def test_a_network_of_another_retraining_is_not_overwritten(here: Refitted, tmp_path: Path) -> None:
    shutil.copy(here.networks[0], tmp_path / "seed-1.pt")
    before = (tmp_path / "seed-1.pt").read_bytes()
    with pytest.raises(InputError, match=r"seed-1\.pt.*configuration.*--out"):
        retrain_best(replace(REQUEST, out=tmp_path, max_epochs=2))
    assert (tmp_path / "seed-1.pt").read_bytes() == before


def test_without_the_test_only_validation_is_evaluated(
    here: Refitted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    n_looks = len(TEST_LOG.read_text().splitlines())
    for path in here.networks:
        shutil.copy(path, tmp_path)
    monkeypatch.setattr(refit, "evaluate_network", lambda *_, **__: pytest.fail("the test"))
    retrain_best(replace(REQUEST, out=tmp_path, test=False))
    files = {path.name for path in tmp_path.iterdir()}
    assert files == {"validation.json", "seed-1.pt", "seed-2.pt"}
    seeds = json.loads((tmp_path / "validation.json").read_text())["seeds"]
    expected = [seed.metrics.validation_accuracy for seed in here.result.seeds]
    assert [seed["plain"] for seed in seeds] == expected
    assert len(TEST_LOG.read_text().splitlines()) == n_looks


def test_a_saved_network_is_evaluated_on_validation_only(
    here: Refitted, capsys: pytest.CaptureFixture[str]
) -> None:
    n_looks = len(TEST_LOG.read_text().splitlines())
    evaluate_checkpoint(here.networks[0], replace(ALONE, test=False))
    assert f"{here.result.seeds[0].metrics.validation_accuracy:.1%}" in capsys.readouterr().out
    assert len(TEST_LOG.read_text().splitlines()) == n_looks


def test_each_network_is_evaluated_on_the_test_once(here: Refitted) -> None:
    entries = [json.loads(line) for line in TEST_LOG.read_text().splitlines()]
    refits = [entry for entry in entries if "--checkpoint" not in entry["what"]]
    accuracies = [round(seed.metrics.official.accuracy, 4) for seed in here.result.seeds]
    assert [entry["accuracies"] for entry in refits[:2]] == [[accuracy] for accuracy in accuracies]
    assert all("s, trial 0 on train, 20 pixels, 1 epoch, " in entry["what"] for entry in refits)


def test_the_terminal_table_shows_ours_and_the_baseline(here: Refitted) -> None:
    lines = result_table(here.result).splitlines()
    assert lines[0].split("  ")[-1].strip() == "paper's 1-NN"
    assert "ours (2 seeds)" in lines[0]
    assert lines[1].startswith("glyph 80 episodes, 20-way")
    assert f"{here.result.baseline.official.accuracy:.1%}" in lines[1]
    assert "92.0 %" not in lines[1], "the paper did not use glyphs"
    assert "92.0 %" in result_table(replace(here.result, data="omniglot")).splitlines()[1]
    low, high = here.result.official_interval
    assert lines[-2].endswith(f"{low:.1%} to {high:.1%}")
    assert "2 alphabets" in lines[-3]


def test_the_terminal_table_has_a_row_of_the_fits_that_chose_the_winner(here: Refitted) -> None:
    table = result_table(here.result)
    assert "chose" not in table, "the study has kept no network"
    first = here.result.seeds[0]
    *lines, row, low, wilson, sd, meaning, bias = result_table(
        replace(here.result, chosen=[first])
    ).splitlines()
    assert [*lines, low, wilson, sd] == table.splitlines()
    accuracy = f"{100 * first.metrics.official.accuracy:.1f} %"
    assert row.split("  ", 1)[0] == "fits that chose the winner (1)"
    assert row.split()[-5:] == [*accuracy.split(), "–", "–", "–"]
    assert "glyph episodes" in meaning
    assert f"{first.metrics.validation_accuracy:.1%}, is too high on average" in bias


def test_a_saved_network_repeats_the_metrics_of_its_fit(
    here: Refitted, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluate_checkpoint(here.networks[0], replace(ALONE, out=tmp_path))
    again = RetrainResult.read(tmp_path / "result.json")
    assert again.seeds[0].metrics == here.result.seeds[0].metrics
    assert again.origin is None
    assert again.baseline == here.result.baseline
    assert again.config == here.result.config
    assert str(tmp_path) in capsys.readouterr().out


def test_a_network_of_other_data_or_without_metadata_is_refused(
    here: Refitted, tmp_path: Path
) -> None:
    net, config, metadata = load_network(here.networks[0])
    assert metadata["value_text"] == f"70.0% of the validation episodes, {TOO_HIGH}"
    path = tmp_path / "network.pt"
    save_network(path, net, config, metadata | {"data_digest": "another"})
    with pytest.raises(InputError, match="--data-root"):
        evaluate_checkpoint(path, ALONE)
    save_network(path, net, config, {"data": "glyphs", "data_digest": "", "seed": 1})
    with pytest.raises(InputError, match=r"network\.pt must contain its train_on"):
        evaluate_checkpoint(path, ALONE)
    require_digest("same", "same")


def test_networks_are_exported_to_their_folder_or_another(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[Any] = []

    def export(network: Path, form: str, folder: Path | None) -> tuple[Path, ...]:
        calls.append((network, form, folder))
        return (Path("a.onnx"), Path("b.onnx"))

    monkeypatch.setattr("hpo.cli.retrain.export_network", export)
    export_networks([Path("1.pt"), Path("2.pt")], "onnx", None)
    export_networks([Path("3.pt")], "onnx", tmp_path / "new")
    assert calls == [
        (Path("1.pt"), "onnx", None),
        (Path("2.pt"), "onnx", None),
        (Path("3.pt"), "onnx", tmp_path / "new"),
    ]
    assert (tmp_path / "new").is_dir()
    assert capsys.readouterr().out == "wrote    a.onnx, b.onnx\n" * 3


def test_a_plan_follows_the_request(here: Refitted, tmp_path: Path) -> None:
    request = replace(
        REQUEST,
        n_seeds=1,
        max_epochs=None,
        train_on="train+val",
        image_size=30,
        mirrors=False,
        out=None,
        tensorboard=tmp_path,
    )
    new = make_plan(request)
    assert new.validation is None
    assert len(new.train.alphabets) == 6
    assert new.config.fit.max_epochs == SETTINGS.max_epochs
    assert not new.config.fit.mirrors
    assert new.split.test.image_size == new.config.model.image_size == 30
    old = here.result.config.conv.kernels
    assert new.config.conv.kernels[0] == round(old[0] * 30 / 20)
    prefix, digest = new.folder.name.rsplit("-", 1)
    assert prefix == "s-0-train-val-30px-no-mirrors-float32-seeds1-1"
    assert len(digest) == 8
    assert new.tensorboard_folder(1) == tmp_path / new.folder.name / "seed-1"
    assert describe_plan(new).endswith("no mirrors")
    plain = make_plan(replace(REQUEST, max_epochs=7, out=None))
    assert plain.folder.name.startswith("s-0-train-7epochs-float32-seeds1-2-")
    assert plain.folder.parent == Path("var/retrain")
    assert plain.validation is not None
    assert plain.tensorboard_folder(1) is None
    assert plain.config.fit.mirrors


def test_the_papers_recipe_is_not_longer_and_has_mirrors_only_if_asked() -> None:
    settings = StudySettings(recipe="paper", max_epochs=9, space=part_of_paper("lr"))
    params = made_studies.trial("COMPLETE", [0.5]).params
    config = refit_config(settings, params)
    assert (config.fit.max_epochs, config.fit.mirrors) == (9, False)
    assert refit_config(settings, params, mirrors=True).fit.mirrors


def test_a_fit_that_diverges_is_an_error(
    here: Refitted, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def diverge(state: Any, *_: Any, **__: Any) -> Iterator[EpochResult]:
        epochs = [
            EpochResult(1, 0.5, 0.25, 10, 0.1, None),
            EpochResult(2, float("nan"), float("nan"), 20, 0.1, "non-finite loss"),
        ]
        for epoch in epochs:
            state.history.append(epoch)
            yield epoch

    monkeypatch.setattr(refit, "fit", diverge)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with pytest.raises(InputError, match=r"seed 1 diverged: non-finite loss.*--trial"):
        list(fit_seeds(make_plan(REQUEST), [1]))
    first, last = capsys.readouterr().err.rstrip("\n").split("\r")
    assert first.startswith("seed 1 epoch 1/1 · loss 0.500 · 25.0% validation")
    assert "validation" not in last


def test_without_a_terminal_a_long_fit_is_logged_once_a_minute(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    results = [EpochResult(epoch, 0.5, 0.25, 10, 25.0, None) for epoch in range(1, 8)]
    results.append(EpochResult(8, 0.5, 0.25, 10, 25.0, "all epochs done"))
    for _ in show_epochs(results, 1, 8):
        now[0] += 25.0
    assert [record.getMessage() for record in caplog.records] == [
        "seed 1 epoch 4/8 · loss 0.500 · 25.0% validation · about 2 min left",
        "seed 1 epoch 7/8 · loss 0.500 · 25.0% validation · about 1 min left",
    ]


def test_a_record_of_a_diverged_epoch_is_valid_json(here: Refitted) -> None:
    plan = make_plan(REQUEST)
    state = FitState(here.result.config, 1, plan.compute)
    state.history.append(EpochResult(1, float("inf"), float("nan"), 10, 0.1, "collapsed"))
    metadata = fit_metadata(state, plan.train, plan.settings)
    json.dumps(metadata, allow_nan=False)
    record = networks._stored_fit(Path("network.pt"), upgrade("refit", metadata))
    assert (record.history[0].loss, record.history[0].accuracy) == (None, None)
    assert record.diverged == "collapsed"
    assert record.n_parameters == sum(p.numel() for p in state.net.parameters())
    assert torch.isfinite(torch.tensor(record.seconds))


def test_every_evaluation_on_the_test_adds_a_line_to_the_log(in_tmp: Path) -> None:
    log_test_evaluation("a", [0.5])
    log_test_evaluation("b", [0.25, 0.123456])
    entries = [json.loads(line) for line in (in_tmp / TEST_LOG).read_text().splitlines()]
    assert [(e["what"], e["accuracies"]) for e in entries] == [("a", [0.5]), ("b", [0.25, 0.1235])]
    with pytest.raises(InputError, match="Correct the path"):
        log_test_evaluation("c", [], in_tmp)
