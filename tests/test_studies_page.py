"""The page and the plot that compare studies."""

import made_studies
import optuna
import pytest

from hpo.report import html_page, style
from hpo.report.html_page import Page, render_page
from hpo.report.studies.frames import band_frame, compute_frame
from hpo.report.studies.page import studies_page
from hpo.report.studies.plots import compute_plot
from hpo.report.study.frames import trial_frame
from hpo.study.open import IDENTITY

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>%{x}"


@pytest.fixture(autouse=True)
def _without_plotly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html_page, "get_plotlyjs", lambda: "")


def studies_of(*names: str) -> list[optuna.Study]:
    """Studies of one storage, which differ only by their names and seeds."""
    storage = optuna.storages.InMemoryStorage()
    studies = [made_studies.study(name, storage, seed=i) for i, name in enumerate(names)]
    for i, study in enumerate(studies):
        study.add_trial(made_studies.trial("COMPLETE", [0.5 + 0.1 * i]))
    return studies


def page_of(*studies: optuna.Study) -> Page:
    return studies_page(studies[0]._storage, [*studies])  # type: ignore[arg-type]


def test_seeds_are_one_line_with_a_band_and_a_single_study_has_none() -> None:
    page = page_of(*studies_of("tpe-0", "tpe-1", "other"))
    assert page.headline == "3 studies in 2 groups"
    plot, table = page.sections
    assert "band" in plot.note
    assert [row[0] for row in table.table] == ["study", "tpe-0", "tpe-1", "other"]
    lines = plot.figures[0].data
    assert [line.showlegend for line in lines] == [False, False, None, None]
    assert {line.mode for line in lines[2:]} == {"markers"}, "a line of one point is invisible"
    assert [line.fill for line in lines] == [None, "tonexty", None, None]
    lowest, highest, mean, other = (line.y[0] for line in lines)
    assert (lowest, highest, other) == (0.5, 0.6, 0.7)
    assert mean == pytest.approx(0.55)
    layout = plot.figures[0].layout
    assert layout.xaxis.title.text == "embedded images in the search"
    assert layout.yaxis.title.text == "best validation accuracy so far (%)"


def test_every_group_has_a_look_of_its_own() -> None:
    names = [f"study {'x' * i}" for i in range(20)]
    trials = {name: trial_frame(studies_of("made")[0]) for name in names}
    figure = compute_plot(band_frame(compute_frame(trials, {name: name for name in names})))
    looks = {(line.line.color, line.line.dash) for line in figure.data}
    assert len(looks) == len(names)
    assert {line.name for line in figure.data} == set(style.axis_labels(names).values())


def test_studies_without_a_complete_trial_can_be_compared() -> None:
    storage = optuna.storages.InMemoryStorage()
    page = page_of(*(made_studies.study(name, storage) for name in ("a", "b")))
    assert "No trial" in page.sections[0].figures[0].layout.annotations[0].text
    assert [line.split()[0] for line in page.lead] == ["All"], "no warning"
    assert "band" not in page.sections[0].note


def test_other_data_are_named_at_the_top() -> None:
    first, second = studies_of("a", "b")
    identity = second.user_attrs[IDENTITY]
    settings = identity["settings"] | {"data": "glyphs"}
    second.set_user_attr(IDENTITY, identity | {"data_digest": "1", "settings": settings})
    lead = page_of(first, second).lead
    assert "different data (a | b)" in lead[0]
    assert "glyphs" in lead[2]


def test_names_are_escaped() -> None:
    text = render_page(page_of(*studies_of(EVIL, "b")))
    assert "<script>alert" not in text
    assert "<img src=x" not in text
