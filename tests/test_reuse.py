"""A retraining uses the networks of its study: one tiny study with finalists, and its refits."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
import pytest
from crashing import tiny_run

from data.errors import InputError
from hpo.cli.retrain import evaluate_checkpoint, retrain_best
from hpo.refit import retrain as refit
from hpo.refit.networks import find_result
from hpo.refit.plan import RetrainPlan, make_plan
from hpo.refit.result import RetrainResult
from hpo.refit.retrain import TEST_LOG, fit_networks
from hpo.refit.reuse import copy_fresh
from hpo.refit.settings import RetrainConfig
from hpo.runtime.in_process import InProcessLauncher
from hpo.runtime.phases import run_phases
from hpo.search.finalists import finalist_studies
from hpo.search.trial_files import trials_folder
from hpo.search.winner import winning_trial
from hpo.settings.study_settings import StudySettings
from hpo.space.files import parse_space
from hpo.study.open import open_stored_study
from model.checkpoint import load_network, save_network
from model.fit_state import EpochResult, FitState
from model.summary import summarize_metrics
from model.train import fit

pytestmark = pytest.mark.usefixtures("console", "small_data")

SPACE: dict[str, Any] = {
    "width": {"fixed": 0.1},
    "fit.mirrors": {"fixed": False},
    "lr": {"low": 0.01, "high": 0.1, "log": True, "default": 0.03},
}
SETTINGS = StudySettings(
    data="glyphs",
    image_size=20,
    max_epochs=2,
    steps_per_epoch=2,
    space=parse_space(SPACE, "small", "the test"),
    pruner="none",
)


@dataclass(frozen=True)
class Retrained:
    """A study whose winner was refitted to ``out``.

    Args:
        folder: folder of the study.
        winner: winner of its finalists.
        own_seed: seed of the winner in the search.
        fits: accuracy of each epoch, of each fit of the winner, by seed.
        fitted: seeds that the retraining has fitted.
        networks: files that it returned.
    """

    folder: Path
    winner: int
    own_seed: int
    fits: dict[int, list[float]]
    fitted: list[int]
    networks: list[Path]


def request(folder: Path, **changes: Any) -> RetrainConfig:
    defaults: dict[str, Any] = {"storage": f"sqlite:///{folder}/study.db", "n_seeds": 3}
    defaults |= {"out": folder / "out", "var": folder / "var"}
    return RetrainConfig(**defaults | {"device": "cpu", "precision": "float32"} | changes)


def fits_of(storage: Any, study: optuna.Study, number: int) -> dict[int, list[float]]:
    """The accuracies of the epochs of each fit of a trial by seed: search, finalists, winner."""
    trial = study.trials[number]
    fits = [t for s in finalist_studies(storage, study) for t in s.trials]
    seeds = {t.params["seed"]: t for t in fits if t.params["trial"] == number}
    seeds[trial.user_attrs["seed"]] = trial
    return {seed: list(t.intermediate_values.values()) for seed, t in seeds.items()}


@pytest.fixture(scope="module")
def searched(small_data: None, one_thread: None, tmp_path_factory: Any) -> Path:
    """The folder of a study of three trials with two finalists."""
    folder: Path = tmp_path_factory.mktemp("searched")
    run = tiny_run(folder, folder, 3, SETTINGS, n_finalists=2, n_finalist_seeds=2, device="cpu")
    run_phases(replace(run, packed=None), InProcessLauncher())
    return folder


@pytest.fixture(scope="module")
def retrained(searched: Path) -> Iterator[Retrained]:
    fitted: list[int] = []

    def counted(state: FitState, *arguments: Any, **more: Any) -> Iterator[EpochResult]:
        fitted.append(state.seed)
        return fit(state, *arguments, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(searched)
        patch.setattr(refit, "fit", counted)
        networks = retrain_best(request(searched))
    with open_stored_study(f"sqlite:///{searched}/study.db", "s") as (storage, study, _):
        winner = winning_trial(study)
        assert winner is not None
        fits = fits_of(storage, study, winner.number)
        own_seed = winner.user_attrs["seed"]
        yield Retrained(searched, winner.number, own_seed, fits, fitted, networks)


@pytest.fixture
def here(retrained: Retrained, monkeypatch: pytest.MonkeyPatch) -> Retrained:
    monkeypatch.chdir(retrained.folder)
    return retrained


def result_in(folder: Path) -> RetrainResult:
    return RetrainResult.read(folder / "result.json")


def test_no_fit_of_the_study_is_made_twice(here: Retrained) -> None:
    assert here.fitted == [3], "the study has fitted seeds 1 and 2 to evaluate its winner"
    assert set(here.fits) == {here.own_seed, 1000, 1001, 1, 2}
    result = result_in(here.folder / "out")
    assert [seed.seed for seed in result.seeds] == [1, 2, 3]
    assert [seed.seed for seed in result.chosen] == sorted([here.own_seed, 1000, 1001])
    for seed in [*result.seeds[:2], *result.chosen]:
        assert seed.fit is not None
        assert [epoch.accuracy for epoch in seed.fit.history] == here.fits[seed.seed]
        assert seed.metrics.validation_accuracy == pytest.approx(max(here.fits[seed.seed]))
    in_study = [bool(seed.fit and seed.fit.in_study) for seed in [*result.seeds, *result.chosen]]
    assert in_study == [True, True, False, True, True, True]


def test_every_mean_and_table_rests_on_fresh_seeds(here: Retrained) -> None:
    result = result_in(here.folder / "out")
    assert result.summary == summarize_metrics([seed.metrics for seed in result.seeds])
    for name in ("predictions", "confusions"):
        assert set(pd.read_csv(here.folder / f"out/{name}.csv")["seed"]) == {1, 2, 3}


def test_each_network_is_evaluated_on_the_test_once(here: Retrained) -> None:
    entries = [json.loads(line) for line in TEST_LOG.read_text().splitlines()][:6]
    result = result_in(here.folder / "out")
    seeds = [*result.seeds, *result.chosen]
    accuracies = [[round(seed.metrics.official.accuracy, 4)] for seed in seeds]
    assert [entry["accuracies"] for entry in entries] == accuracies
    chose = [entry["what"].endswith(", chose the winner") for entry in entries]
    assert chose == [False] * 3 + [True] * 3


def test_all_networks_are_returned_to_be_exported(here: Retrained) -> None:
    seeds = [f"seed-{seed}.pt" for seed in (1, 2, 3)]
    chosen = [f"chosen-{seed}.pt" for seed in sorted([here.own_seed, 1000, 1001])]
    assert [path.name for path in here.networks] == seeds + chosen
    assert all(path.exists() for path in here.networks)
    for path in here.networks:
        metadata = load_network(path)[2]
        assert (metadata["study"], metadata["trial"]) == ("s", here.winner)
        assert metadata["verification"], "its threshold was added"


def test_a_repeated_retraining_finds_its_result(
    here: Retrained, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    n_looks = len(TEST_LOG.read_text().splitlines())
    monkeypatch.setattr(refit, "fit", lambda *_, **__: pytest.fail("nothing is trained"))
    monkeypatch.setattr(refit, "evaluate_network", lambda *_, **__: pytest.fail("no test"))
    assert retrain_best(request(here.folder)) == here.networks
    printed = capsys.readouterr().out
    assert "\nfits that chose the winner (3)  " in printed
    assert "too high on average" in printed.splitlines()[-2]
    retrain_best(request(here.folder, var=here.folder / "deleted"))
    assert len(TEST_LOG.read_text().splitlines()) == n_looks


def test_a_result_is_incomplete_without_the_networks_that_chose(
    here: Retrained, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(here.folder / "out", out)
    plan = make_plan(request(here.folder, out=out))
    assert find_result(plan) == result_in(out)
    (out / "chosen-1000.pt").unlink()
    assert find_result(plan) is None


def test_without_the_test_validation_shows_the_fits_that_chose(
    here: Retrained, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    retrain_best(request(here.folder, out=tmp_path, n_seeds=2, test=False))
    printed = capsys.readouterr().out
    assert "reused   seeds 1, 2: " in printed
    assert "fits that chose the winner (3), validation episodes" in printed
    assert "too high on average" in printed
    content = json.loads((tmp_path / "validation.json").read_text())
    assert [seed["seed"] for seed in content["seeds"]] == [1, 2]
    plain = {seed["seed"]: seed["plain"] for seed in content["chosen"]}
    assert plain == pytest.approx(
        {seed: max(here.fits[seed]) for seed in (here.own_seed, 1000, 1001)}
    )


def files_after(
    plan: RetrainPlan, monkeypatch: pytest.MonkeyPatch, **options: Any
) -> tuple[list[int], list[str]]:
    """The seeds that are fitted, and the networks that are copied; no fit is made."""
    fitted: list[int] = []

    def fit_seeds(_: RetrainPlan, seeds: list[int]) -> list[FitState]:
        fitted.extend(seeds)
        return []

    monkeypatch.setattr(refit, "fit_seeds", fit_seeds)
    fit_networks(plan, **options)
    return fitted, sorted(path.name for path in plan.folder.glob("*.pt"))


@pytest.mark.parametrize(
    "changes",
    [
        {"max_epochs": 3},
        {"mirrors": True},
        {"image_size": 25},
        {"precision": "bfloat16"},
        {"train_on": "train+val"},
        {"var": Path("deleted")},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_networks_of_another_fit_or_deleted_ones_are_not_used(
    changes: dict[str, Any], here: Retrained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = make_plan(request(here.folder, out=tmp_path, **changes))
    assert files_after(plan, monkeypatch) == ([1, 2, 3], [])


@pytest.mark.parametrize("changes", [{"n_way": 5}, {"validation": "paper"}])
def test_networks_of_another_task_are_refused(
    changes: dict[str, Any], here: Retrained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    shutil.copytree(here.folder / "out", out)
    plan = make_plan(request(here.folder, out=out))
    other = replace(plan, settings=replace(plan.settings, **changes))
    with pytest.raises(InputError, match="its division or kind of episodes differs"):
        files_after(other, monkeypatch)


def test_a_trial_that_did_not_win_has_no_fresh_networks(
    here: Retrained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = [n for n in range(3) if n != here.winner]
    copied = []
    for number in others:
        plan = make_plan(request(here.folder, out=tmp_path / str(number), trial=number))
        fitted, names = files_after(plan, monkeypatch)
        assert fitted == [1, 2, 3]
        copied.append(len(names))
    assert sorted(copied) == [1, 3], "one of the two was a finalist"


def test_again_fits_the_seeds_that_the_study_has_fitted(
    here: Retrained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = make_plan(request(here.folder, out=tmp_path))
    fitted, names = files_after(plan, monkeypatch, again=True)
    assert fitted == [1, 2, 3]
    assert len(names) == 3
    assert all(name.startswith("chosen-") for name in names)


@pytest.mark.parametrize("damage", ["truncated", "trial", "diverged", "seed", "version"])
def test_a_network_that_is_not_what_it_should_be_is_not_used(
    damage: str, here: Retrained, tmp_path: Path
) -> None:
    plan = make_plan(request(here.folder, out=tmp_path / "out"))
    net, config, metadata = load_network(plan.kept.fresh[1])
    changes: dict[str, dict[str, Any]] = {
        "trial": {"trial": 99},
        "diverged": {"diverged": "collapsed"},
        "seed": {"seed": 2},
        "version": {"fit_format": "another"},
    }
    path = tmp_path / "network.pt"
    if damage == "truncated":
        path.write_bytes(plan.kept.fresh[1].read_bytes()[:1000])
    else:
        save_network(path, net, config, metadata | changes[damage])
    damaged = replace(plan, kept=replace(plan.kept, fresh={1: path}))
    assert copy_fresh(damaged, [1, 2]) == []
    assert not (tmp_path / "out").exists()
    save_network(path, net, config, metadata)
    assert copy_fresh(damaged, [1, 2]) == [1], "it was the damage"


def test_a_kept_network_is_evaluated_by_itself(
    here: Retrained, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_stored_study(f"sqlite:///{here.folder}/study.db", "s") as (_, study, _):
        network = trials_folder(study, here.folder / "var") / f"{here.winner}.network.pt"
    evaluate_checkpoint(network, RetrainConfig(device="cpu", precision="float32", test=False))
    assert f"validation episodes  {max(here.fits[here.own_seed]):.1%}" in capsys.readouterr().out
