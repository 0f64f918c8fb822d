"""Pages are one HTML file that works offline, and in which text is never markup."""

import json
import re
from pathlib import Path

import plotly.graph_objects as go
import pytest

from hpo.report import html_page
from hpo.report.html_page import Page, Picture, Section, data_uri, render_page, write_page

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"


def page_with(*sections: Section) -> Page:
    return Page("title", "headline", ["lead"], list(sections))


def test_every_text_is_escaped() -> None:
    section = Section(
        EVIL, EVIL, {EVIL: EVIL}, [[EVIL], [EVIL]], [], False, [Picture([(EVIL, b"")], EVIL)]
    )
    text = render_page(Page(EVIL, EVIL, [EVIL], [section]))
    assert "<script>" not in text
    assert "<img src=x" not in text
    assert text.count("&lt;script&gt;alert(1)") >= 10


def test_text_in_a_figure_cannot_end_its_script(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html_page, "get_plotlyjs", lambda: "")
    figure = go.Figure(go.Scatter(x=[1], y=[1], name=EVIL))
    assert "</script><script>alert" not in render_page(page_with(Section("s", figures=[figure])))


def test_a_page_forbids_the_network_and_links_to_nothing_outside() -> None:
    figure = go.Figure(go.Scatter(x=[1], y=[1]))
    text = render_page(page_with(Section("s", figures=[figure], pictures=[Picture([("p", b"")])])))
    assert "default-src 'none'" in text[: text.index("<style>")]
    without_scripts = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    assert re.findall(r"(?:src|href)=\"([^\"#]+)", without_scripts) == ["data:,", data_uri(b"")]


def test_plotly_is_included_once_if_there_is_a_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(html_page, "get_plotlyjs", lambda: "THE SCRIPT")
    assert "THE SCRIPT" not in render_page(page_with(Section("s")))
    figures = [go.Figure(go.Scatter(x=[1], y=[n], name=f"trace {n}")) for n in range(3)]
    text = render_page(
        page_with(Section("a", figures=figures[:1]), Section("b", figures=figures[1:]))
    )
    assert text.count("THE SCRIPT") == 1
    drawn = re.findall(r"Plotly\.newPlot\(\s*\"figure-(\d)\",\s*(\[.*?\]),\s*\{", text, re.DOTALL)
    assert [(int(n), json.loads(data)[0]["name"]) for n, data in drawn] == [
        (n, f"trace {n}") for n in range(3)
    ]


def test_a_page_is_written_completely_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a/b.html"
    write_page(path, page_with())
    written = path.read_text()
    assert written.endswith("</html>")
    broken = page_with(Section("s", pictures=[Picture([("no bytes", None)])]))  # type: ignore[list-item]
    with pytest.raises(TypeError):
        write_page(path, broken)
    assert path.read_text() == written
    assert [p.name for p in path.parent.iterdir()] == ["b.html"]
