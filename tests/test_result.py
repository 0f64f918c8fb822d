"""The typed result of a retraining: what is written can be read, and what is invalid is refused."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import retrained

from data.errors import InputError
from data.paths import PROJECT
from data.splits import Split
from hpo.refit.result import RetrainResult, SeedResult
from model.schema import SCHEMA, upgrade
from model.summary import MeanSd, format_mean, mean_and_sd, summarize_metrics

COMMITTED = sorted((PROJECT / "results").glob("*/result.json"))


@pytest.fixture(scope="module")
def result(parts: Split) -> RetrainResult:
    return retrained.result(parts, {s: retrained.evaluation(parts, s) for s in (1, 2)})


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.parent.name)
def test_a_committed_result_is_read_and_round_trips(path: Path) -> None:
    result = RetrainResult.read(path)
    stored = upgrade("result", json.loads(path.read_text()))
    written = result.to_dict()
    assert written.pop("schema") == SCHEMA
    if "value_text" not in stored:  # fields that were added after the file was written are empty
        assert written.pop("value_text") == ""
        assert all(seed.pop("clusters") == {} for seed in written["seeds"])
        assert all(seed["verification"].pop("clusters") is None for seed in written["seeds"])
    config, stored_config = written.pop("config"), stored.pop("config")
    assert written == {"is_official": True} | stored  # old files lack it
    for part in ("model", "fit"):  # fields that were added later have their defaults
        assert stored_config[part].items() <= config[part].items()
    assert RetrainResult.from_dict(result.to_dict()) == result
    assert [seed.fit is not None and seed.fit.diverged for seed in result.seeds] == [None] * 3


def test_a_result_round_trips_through_json(result: RetrainResult) -> None:
    stored = json.loads(json.dumps(result.to_dict()))
    assert RetrainResult.from_dict(stored) == result
    assert list(stored)[:4] == ["schema", "data", "data_digest", "storage"]
    assert list(stored["seeds"][0])[:3] == ["seed", "stopped", "diverged"]
    assert stored["seeds"][1]["random_episodes"]["5"] == 1 / 7


def test_the_fits_that_chose_the_winner_round_trip_and_are_in_no_mean(parts: Split) -> None:
    evaluations = {seed: retrained.evaluation(parts, seed) for seed in (1, 2)}
    metrics = retrained.evaluation(parts, 9).metrics
    chosen = [SeedResult(1000, retrained.fit_record(9), metrics)]
    result = retrained.result(parts, evaluations, chosen=chosen)
    stored = json.loads(json.dumps(result.to_dict()))
    assert RetrainResult.from_dict(stored) == result
    assert stored["chosen"][0]["official"]["accuracy"] == metrics.official.accuracy
    without = retrained.result(parts, evaluations).to_dict()
    assert stored.pop("chosen")
    assert stored == without, "an old file without them is read as a result without them"
    with pytest.raises(InputError, match=r"chosen\.0.*seconds"):
        RetrainResult.from_dict(changed(result.to_dict(), ["chosen", 0, "seconds"], None))


def test_the_evaluation_of_a_saved_network_has_neither_trial_nor_fit(parts: Split) -> None:
    evaluation = retrained.evaluation(parts, 1, val_is_held_out=False)
    seeds = [SeedResult(1, None, evaluation.metrics)]
    changes = {"origin": None, "wall_seconds": None, "seeds": seeds}
    result = retrained.result(parts, {1: evaluation}, **changes)
    stored = result.to_dict()
    assert not {"study", "train_on", "wall_seconds", "origin"} & stored.keys()
    assert not {"fit", "history", "stopped"} & stored["seeds"][0].keys()
    assert RetrainResult.from_dict(stored) == result
    assert not result.val_is_held_out


def test_names_of_the_first_schema_are_read(result: RetrainResult) -> None:
    stored = result.to_dict()
    del stored["schema"], stored["n_way"]
    stored["worth"] = stored.pop("value_text")
    for seed in stored["seeds"]:
        seed["died"] = seed.pop("diverged")
    assert RetrainResult.from_dict(stored) == result, "official episodes were 20-way"


def changed(values: dict[str, Any], keys: list[str | int], value: Any) -> dict[str, Any]:
    """A copy with the value under the keys replaced; removed if the value is None."""
    values = copy.deepcopy(values)
    inner: Any = values
    for key in keys[:-1]:
        inner = inner[key]
    if value is None:
        del inner[keys[-1]]
    else:
        inner[keys[-1]] = value
    return values


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (["data"], None),
        (["config"], None),
        (["seeds"], None),
        (["trial"], "first"),
        (["summary", "official", "mean"], None),
        (["seeds", 1, "official", "accuracy"], "high"),
        (["seeds", 0, "seconds"], None),
        (["seeds", 0, "history", 0, "epoch"], 1.5),
        (["baseline", "random_episodes", "2"], "low"),
    ],
)
def test_an_invalid_result_names_the_field_and_the_file(
    keys: list[str | int], value: Any, result: RetrainResult, tmp_path: Path
) -> None:
    path = tmp_path / "result.json"
    path.write_text(json.dumps(changed(result.to_dict(), keys, value)))
    with pytest.raises(InputError) as error:
        RetrainResult.read(path)
    assert str(path) in str(error.value)
    assert ".".join(map(str, keys)) in str(error.value)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": 99}', '{"seeds": [1]}'])
def test_another_file_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"result\.json"):
        RetrainResult.read(path)
    with pytest.raises(InputError, match="missing"):
        RetrainResult.read(tmp_path / "missing" / "result.json")


def test_invalid_rates_are_refused(result: RetrainResult) -> None:
    values = changed(result.to_dict(), ["config", "fit", "rates", 0, "momentum"], 2.0)
    with pytest.raises(InputError, match=r"result\.json: .*momentum"):
        RetrainResult.from_dict(values)


def test_the_summary_is_the_mean_over_the_seeds(parts: Split) -> None:
    metrics = [retrained.evaluation(parts, s).metrics for s in (1, 2)]
    summary = summarize_metrics(metrics)
    accuracies = [m.official.accuracy for m in metrics]
    assert summary.official == mean_and_sd(accuracies)
    for mean_sd, values in (
        (summary.verification, [0.61, 0.62]),
        (summary.validation, [0.41, 0.42]),
        (summary.averaged_validation, [0.46, 0.47]),
    ):
        assert mean_sd is not None
        assert mean_sd.mean == pytest.approx(sum(values) / 2)
    assert summary.random_episodes[5] == mean_and_sd([1 / 6, 1 / 7])
    first = parts.test.alphabets[0]
    assert summary.by_alphabet["test"][first][2] == pytest.approx((1 / 3 + 1 / 4) / 2)
    runs = [m.official.per_lake_run["run01"] for m in metrics]
    assert summary.official_per_lake_run["run01"] == pytest.approx(sum(runs) / 2)


def test_mean_and_standard_deviation() -> None:
    assert mean_and_sd([0.25, 0.75]) == MeanSd(0.5, 0.125**0.5)
    assert mean_and_sd([0.5]) == MeanSd(0.5, None)
    assert format_mean(MeanSd(0.923, 0.0041)) == "92.3 ± 0.4 %"
    assert format_mean(MeanSd(0.5, None)) == "50.0 %"
    assert format_mean(None) == "–"
