"""A page of sections as one HTML file: no other file, no network, no text that is run as markup."""

import base64
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
import plotly.graph_objects as go
from markupsafe import Markup
from plotly.io import to_html
from plotly.offline import get_plotlyjs

from data.files import write_atomically

CONFIG = {"responsive": True, "displaylogo": False}


@dataclass(frozen=True)
class Picture:
    """Images side by side, with a caption.

    Args:
        images: label and PNG of each.
        caption: below them.
    """

    images: list[tuple[str, bytes]]
    caption: str = ""


@dataclass(frozen=True)
class Section:
    """A heading and what is shown under it; all text is data, never markup.

    Args:
        title: the heading.
        note: how it is to be read.
        facts: name and value, a line each.
        table: rows of cells, the first of them the heads.
        figures: plotly's.
        wide: whether the figures are scrolled, not squeezed, on a narrow screen.
        pictures: drawings.
    """

    title: str
    note: str = ""
    facts: dict[str, str] = field(default_factory=dict)
    table: list[list[str]] = field(default_factory=list)
    figures: list[go.Figure] = field(default_factory=list)
    wide: bool = False
    pictures: list[Picture] = field(default_factory=list)


@dataclass(frozen=True)
class Page:
    """A report.

    Args:
        title: also the browser's.
        headline: the one thing to remember.
        lead: what must be known to read it.
        sections: in the order in which they are read.
    """

    title: str
    headline: str
    lead: list[str]
    sections: list[Section]


def data_uri(png: bytes) -> str:
    """Return a PNG as an address that holds it."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _drawn(figure: go.Figure, number: int) -> Markup:
    """Return a figure's element; its texts are harmless, for plotly writes < as an escape."""
    name = f"figure-{number}"
    return Markup(to_html(figure, CONFIG, include_plotlyjs=False, full_html=False, div_id=name))


def _shown(section: Section, first: int) -> dict[str, Any]:
    return {
        "title": section.title,
        "note": section.note,
        "facts": section.facts,
        "table": section.table,
        "wide": section.wide,
        "drawn": [_drawn(figure, first + i) for i, figure in enumerate(section.figures)],
        "pictures": [
            {"images": [(label, data_uri(png)) for label, png in p.images], "caption": p.caption}
            for p in section.pictures
        ],
    }


def render_page(page: Page) -> str:
    """Return the page as HTML; plotly's program is in it once, if there is a figure."""
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    sections, first = [], 0
    for section in page.sections:
        sections.append(_shown(section, first))
        first += len(section.figures)
    shown = {
        "title": page.title,
        "headline": page.headline,
        "lead": page.lead,
        "sections": sections,
    }
    script = Markup(get_plotlyjs()) if first else None
    return environment.get_template("page.html.jinja").render(page=shown, script=script)


def write_page(path: Path, page: Page) -> None:
    """Write the page, whole or not at all.

    Raises:
        InputError: the folder cannot be written, or the disk is full.
    """
    text = render_page(page)
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
