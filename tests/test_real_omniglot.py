"""The real Omniglot, if OMNIGLOT_ROOT names its folder (as in continuous integration)."""

import time
import zipfile
from pathlib import Path

import pytest
import torch

from data import load
from data.alphabets import TEST, VAL
from data.episodes import Dataset, dense_validation, paper_validation
from data.omniglot import read_omniglot
from data.splits import Split
from hpo.settings.base_config import base_config
from hpo.settings.study_settings import StudySettings
from model.device import choose_compute
from model.evaluate import correctness, episode_logits, nearest_neighbour_scores
from model.fit_state import FitState
from model.train import Validation, fit

pytestmark = [pytest.mark.omniglot, pytest.mark.slow]


def test_the_drawings_are_those_of_the_paper(omniglot_105: Dataset) -> None:
    d = omniglot_105.drawings
    assert d.images_NHW.shape == (32_460, 105, 105)
    assert (len(d.alphabets), d.n_characters) == (50, 1623)
    assert set(d.count_C.tolist()) == {20}
    assert sorted(d.drawer_N.unique().tolist()) == list(range(20))
    assert all(((batch == 0) | (batch == 255)).all() for batch in d.images_NHW.split(2048))
    assert (d.images_NHW[::50] > 0).float().mean() < 0.1  # ink is 255, paper 0


def test_the_splits_have_the_papers_sizes(omniglot: Split) -> None:
    assert len(omniglot.train) == 964 * 20
    assert len(omniglot.val) == sum(VAL.values()) * 4
    assert len(omniglot.test) == sum(TEST.values()) * 20
    assert len(omniglot.official) == 400
    assert len(paper_validation(omniglot.val)) == 320
    assert len(dense_validation(omniglot.val)) == 4800


def test_the_official_runs_are_lakes(omniglot: Split) -> None:
    """Two runs per test alphabet, by the drawers that are listed for runs 01 … 20."""
    expected = "8|5 2|3 7|3 2|4 4|6 2|3 2|5 3|8 1|2 3|8 7|3 2|4 4|8 3|7 8|4 2|1 4|1 7|8 3|1 5|8"
    d, official = omniglot.test, omniglot.official
    query, support = official.query_RQ, official.support_RS
    drawers = [
        f"{d.drawer_N[q] + 1}|{d.drawer_N[s] + 1}"
        for q, s in zip(query[:, 0], support[:, 0], strict=True)
    ]
    assert " ".join(drawers) == expected
    alphabets = [d.alphabets[int(d.alphabet_N[q])] for q in query[:, 0]]
    assert sorted(alphabets) == sorted([*TEST] * 2)
    assert len(official.target_RQ[:, 0].unique()) > 5  # the correct candidate has no fixed column


@pytest.mark.parametrize(("distance", "n_correct"), [("cosine", 87), ("euclidean", 76)])
def test_nearest_neighbours_on_pixels_have_the_papers_accuracy(
    distance: str, n_correct: int, omniglot_105: Dataset
) -> None:
    """The paper's Table 2 has 21.7 % for 1-NN; with the cosine it is 87 of 400."""
    official, images = omniglot_105.official, omniglot_105.drawings.images_NHW
    if distance == "cosine":
        scores = nearest_neighbour_scores(omniglot_105.drawings, official)
    else:
        query, support = (
            images[position].flatten(2).float() / 255
            for position in (official.query_RQ, official.support_RS)
        )
        scores = -torch.cdist(query, support)
    assert correctness(scores, official.target_RQ).sum().item() == pytest.approx(n_correct)


def test_an_oracle_has_all_official_episodes_right(omniglot: Split) -> None:
    official, character = omniglot.official, omniglot.test.character_N
    query, support = character[official.query_RQ], character[official.support_RS]
    oracle = (query.unsqueeze(-1) == support.unsqueeze(1)).float()
    assert correctness(oracle, official.target_RQ).sum() == 400


def test_a_short_fit_is_much_better_than_pixels(omniglot: Split) -> None:
    base = base_config(StudySettings(max_epochs=3, steps_per_epoch=25))
    state = FitState(base, 1, choose_compute("cpu"))
    validation = Validation(omniglot.val, dense_validation(omniglot.val))
    results = list(fit(state, omniglot.train, validation))
    assert results[-1].accuracy > 0.5
    logits = episode_logits(state.best_net(), omniglot.test, omniglot.official)
    assert correctness(logits, omniglot.official.target_RQ).mean() > 0.6


def test_a_cached_data_set_loads_in_under_a_second(
    omniglot_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first = load.load_dataset("omniglot", omniglot_root, 35)
    monkeypatch.setattr("data.omniglot.read_omniglot", lambda _: pytest.fail("not from the cache"))
    start = time.perf_counter()
    again = load.load_dataset("omniglot", omniglot_root, 35)
    assert time.perf_counter() - start < 1.0
    assert torch.equal(again.drawings.images_NHW, first.drawings.images_NHW)


def test_unpacked_folders_give_the_same_data_as_the_zips(
    omniglot_root: Path, omniglot_105: Dataset, tmp_path: Path
) -> None:
    subfolder = omniglot_root / "omniglot-py"
    for archive in (subfolder if subfolder.is_dir() else omniglot_root).glob("*.zip"):
        target = tmp_path / ("all_runs" if archive.stem == "all_runs" else "")
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(target)
    unpacked = read_omniglot(tmp_path)
    assert unpacked.drawings.digest == omniglot_105.drawings.digest
    assert torch.equal(unpacked.official.query_RQ, omniglot_105.official.query_RQ)
