"""What a study shows of itself in the live dashboard."""

import json
from pathlib import Path

import made
import optuna
import pytest
import torch
from optuna.trial import TrialState
from optuna_dashboard import get_note
from optuna_dashboard._custom_plot_data import get_plotly_graph_objects
from optuna_dashboard._note import note_ver_key
from PIL import Image
from tiny import objective, opened

from data.episodes import dense_validation
from data.splits import Split
from hpo.dashboard import plots, updates
from hpo.dashboard.plots import save_dashboard, save_notes, trial_note
from hpo.dashboard.updates import DashboardUpdates
from hpo.search.trial_files import most_confident_errors
from hpo.study.trials import RETRY_OF, retry_numbers
from model.architecture import ModelConfig
from model.evaluate import episode_logits
from model.siamese import SiameseNet
from model.train import Validation


def notes(study: optuna.Study) -> list[str]:
    class Of:
        """As much of a trial as get_note asks for."""

        storage = study._storage

    texts = []
    for trial in study.trials:
        one = Of()
        one.study, one._trial_id = study, trial._trial_id  # type: ignore[attr-defined]
        texts.append(get_note(one))
    return texts


def test_every_ended_trial_says_what_came_of_it() -> None:
    study = made.mixed()
    save_notes(study)
    texts = notes(study)
    assert texts[0].startswith("**complete**")
    assert "Best of 2 epochs: 70.0%" in texts[0]
    assert "30 s on cpu float32" in texts[0]
    assert "| conv1.filters | " in texts[0]
    assert "pruner" in texts[1]
    assert "could not learn (collapsed)" in texts[2]
    assert "goes on as trial 4" in texts[3]
    assert "goes on with trial 3" in texts[4]
    assert "not tried again" in texts[5]
    assert texts[8] == ""  # it runs still


def test_a_note_that_is_there_stays() -> None:
    study = made.mixed()
    save_notes(study)
    before = study._storage.get_study_system_attrs(study._study_id)
    study.set_user_attr("anything", 1)
    save_notes(study)
    assert study._storage.get_study_system_attrs(study._study_id) == before


def test_a_note_that_was_cut_off_or_overtaken_is_written_anew() -> None:
    study = made.mixed()
    study._storage.set_study_system_attr(study._study_id, note_ver_key(0), 1)  # and then a kill
    study.add_trial(made.trial("FAIL", [0.1]))
    save_notes(study)
    assert notes(study)[0].startswith("**complete**")
    assert "not tried again" in notes(study)[9]
    study.enqueue_trial({}, user_attrs={RETRY_OF: 9})
    save_notes(study)
    assert "goes on as trial 10" in notes(study)[9]


def test_notes_stay_small() -> None:
    study = made.mixed()
    ended = [trial for trial in study.trials if trial.state.is_finished()]
    assert max(len(trial_note(t, retry_numbers(study))) for t in ended) < 2045  # one attribute each


def test_the_cards_are_three_small_figures_with_titles() -> None:
    study = made.large(1000)
    save_dashboard(study)
    save_dashboard(study)  # over the same ones
    attrs = study._storage.get_study_system_attrs(study._study_id)
    figures = get_plotly_graph_objects(attrs)
    assert len(figures) == 3
    assert sum(map(len, figures.values())) < 200_000
    drawn = [json.loads(figure) for figure in figures.values()]
    titles = {figure["layout"]["title"]["text"] for figure in drawn}
    assert any(title.startswith("Progress") for title in titles)
    assert any(title.startswith("Learning rates and momenta") for title in titles)
    assert any(title.startswith("Importance") for title in titles)
    assert {figure["layout"]["height"] for figure in drawn} == {plots.FRAME_HEIGHT}


def test_cards_are_saved_at_once_and_then_not_too_often(monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[optuna.Study] = []
    monkeypatch.setattr(plots, "save_dashboard", saved.append)
    kept = DashboardUpdates(made.study())
    for _ in range(5):
        kept.update(news=True)
    assert len(saved) == 1
    monkeypatch.setattr(updates, "UPDATE_INTERVAL", 0.0)
    kept.finish()
    kept.update(news=False)
    assert len(saved) == 2
    kept.update(news=True)
    assert len(saved) == 3


def test_a_fault_in_a_card_ends_no_study(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: optuna.Study) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(plots, "save_dashboard", fail)
    with pytest.warns(UserWarning, match="cards were not saved: oh"):
        DashboardUpdates(made.study()).finish()


def test_a_trial_s_pictures_lie_with_it(tmp_path: Path, parts: Split) -> None:
    study, goal = opened(tmp_path, parts), objective(parts, tmp_path, artifacts=tmp_path / "a")
    study.optimize(goal, n_trials=1)
    attrs = study.trials[0].system_attrs
    metas = [json.loads(v) for name, v in attrs.items() if name.startswith("artifacts:")]
    assert {m["filename"] for m in metas} == {
        "curve.png",
        "filters.png",
        "errors (query, right, chosen).png",
    }
    assert {m["mimetype"] for m in metas} == {"image/png"}
    for meta in metas:
        path = tmp_path / "a" / meta["artifact_id"]
        with Image.open(path) as image:
            assert image.width > 100
        assert path.stat().st_size < 40_000


def test_without_room_for_pictures_the_trial_goes_on(tmp_path: Path, parts: Split) -> None:
    blocked = tmp_path / "a"
    blocked.write_text("a file where the folder should be")
    study, goal = opened(tmp_path, parts), objective(parts, tmp_path, artifacts=blocked)
    with pytest.warns(UserWarning, match="pictures were not kept"):
        study.optimize(goal, n_trials=1)
    assert study.trials[0].state == TrialState.COMPLETE


def test_nothing_is_kept_unless_it_is_asked_for(tmp_path: Path, parts: Split) -> None:
    study = opened(tmp_path, parts)
    study.optimize(objective(parts, tmp_path), n_trials=1)
    assert not [name for name in study.trials[0].system_attrs if name.startswith("artifacts")]


def test_the_surest_errors_come_first(parts: Split) -> None:
    generator = torch.Generator().manual_seed(0)
    net = SiameseNet(ModelConfig(filters=(8, 8, 8, 8), units=16), generator=generator).eval()
    episodes = dense_validation(parts.val)
    errors_K3 = most_confident_errors(net, Validation(parts.val, episodes), most=10)
    logits = episode_logits(net, parts.val, episodes)
    right = logits.gather(-1, episodes.target_RQ.unsqueeze(-1)).squeeze(-1)
    margin = (logits.max(-1).values - right).flatten()
    first = int(margin.argmax())
    assert errors_K3[0, 0] == episodes.query_RQ.flatten()[first]
    character = parts.val.character_N
    assert (character[errors_K3[:, 0]] == character[errors_K3[:, 1]]).all()
    assert (character[errors_K3[:, 0]] != character[errors_K3[:, 2]]).all()
    assert errors_K3.shape == (10, 3)
