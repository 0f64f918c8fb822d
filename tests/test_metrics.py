"""The metrics of a network on the test alphabets."""

import json

import pandas as pd
import pytest
import torch

from data.splits import Split
from model.architecture import DenseConfig, ModelConfig
from model.metrics import REPORTED_WAYS, NetworkEvaluation, evaluate_baseline, evaluate_network
from model.networks import build_net
from model.siamese import SiameseNet
from model.verification import RocCurve, RocPoint, roc_curve


@pytest.fixture(scope="module")
def net() -> SiameseNet:
    config = ModelConfig(image_size=20, filters=(8, 8, 8, 8), kernels=(4, 3, 2, 1), units=16)
    return SiameseNet(config, generator=torch.Generator().manual_seed(0)).eval()


@pytest.fixture(scope="module")
def evaluation(net: SiameseNet, parts_20: Split) -> NetworkEvaluation:
    return evaluate_network(net, parts_20)


def test_the_metrics_agree_with_the_predictions(
    evaluation: NetworkEvaluation, parts_20: Split
) -> None:
    official, predictions = evaluation.metrics.official, evaluation.predictions
    assert len(predictions) == len(parts_20.official) == official.n_episodes
    assert official.accuracy == pytest.approx(predictions["credit"].mean())
    is_correct = predictions["character"] == predictions["answer"]
    assert is_correct.mean() == pytest.approx(official.accuracy, abs=0.01)
    assert official.per_alphabet == pytest.approx(
        predictions.groupby("alphabet")["credit"].mean().to_dict()
    )
    assert set(official.per_lake_run) == {"run01", "run02", "run03", "run04"}
    assert list(evaluation.metrics.random_episodes) == list(range(2, 21))


def test_the_metrics_are_json_values(evaluation: NetworkEvaluation) -> None:
    values = evaluation.metrics.to_dict()
    assert json.loads(json.dumps(values)) == values
    assert list(values["random_episodes"]) == [str(n) for n in range(2, 21)]
    assert values["official"]["accuracy"] == evaluation.metrics.official.accuracy


def test_only_a_convolutional_network_has_filters(
    evaluation: NetworkEvaluation, parts_20: Split
) -> None:
    assert evaluation.filters_NHW is not None
    assert evaluation.filters_NHW.shape == (8, 4, 4)
    dense = build_net(DenseConfig(20, 16, 8), generator=torch.Generator().manual_seed(0))
    assert evaluate_network(dense, parts_20, val_is_held_out=False).filters_NHW is None


def test_the_metrics_do_not_depend_on_the_global_random_state(
    net: SiameseNet, evaluation: NetworkEvaluation, parts_20: Split
) -> None:
    torch.manual_seed(99)
    assert evaluate_network(net, parts_20).metrics == evaluation.metrics


def test_the_metrics_of_alphabets_that_were_trained_on_are_left_out(
    net: SiameseNet, evaluation: NetworkEvaluation, parts_20: Split
) -> None:
    assert list(evaluation.metrics.by_alphabet) == ["test", "val"]
    trained_on_val = evaluate_network(net, parts_20, val_is_held_out=False)
    assert list(trained_on_val.metrics.by_alphabet) == ["test"]
    assert trained_on_val.metrics.validation_accuracy is None
    assert trained_on_val.metrics.verification is None
    assert set(trained_on_val.confusions["alphabet"]) == set(parts_20.test.alphabets)
    assert isinstance(trained_on_val.confusions, pd.DataFrame)


def test_the_baseline_is_evaluated_on_the_same_episodes(
    evaluation: NetworkEvaluation, parts_20: Split
) -> None:
    baseline = evaluate_baseline(parts_20)
    assert baseline.official.n_episodes == evaluation.metrics.official.n_episodes
    assert tuple(baseline.random_episodes) == REPORTED_WAYS
    assert baseline.random_episodes[2] > baseline.random_episodes[20] > 1 / 20


def test_the_threshold_of_validation_is_a_point_of_the_roc_curve(
    evaluation: NetworkEvaluation,
) -> None:
    metrics = evaluation.metrics.verification
    assert metrics is not None
    chosen, roc = metrics.chosen, metrics.roc
    assert metrics.test_accuracy == pytest.approx((chosen.true + 1 - chosen.false) / 2)
    points = [RocPoint(f, t) for f, t in zip(roc.false, roc.true, strict=True)]
    below = max(point.true for point in points if point.false <= chosen.false)
    above = min(point.true for point in points if point.false >= chosen.false)
    assert below - 0.02 <= chosen.true <= above + 0.02, "the curve is thinned to 200 points"


def test_the_roc_curve_of_a_known_ranking() -> None:
    curve = roc_curve(torch.tensor([3.0, 2.0, 1.0, 0.0]), torch.tensor([True, False, True, False]))
    assert curve == RocCurve(false=[0, 0, 0.5, 0.5, 1], true=[0, 0.5, 0.5, 1, 1])


def test_pairs_with_equal_logits_are_one_point_of_the_roc_curve() -> None:
    curve = roc_curve(torch.zeros(100), torch.arange(100) < 50)
    assert curve == RocCurve(false=[0.0, 1.0], true=[0.0, 1.0])


def test_a_long_roc_curve_is_thinned_and_ends_at_one() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(5000, generator=generator)
    curve = roc_curve(logits, torch.rand(5000, generator=generator) < 0.5, n_points=50)
    assert len(curve.true) == 51
    assert curve.true[-1] == curve.false[-1] == 1
