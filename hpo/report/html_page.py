"""Pages of sections, rendered as one HTML file that needs no other file and no internet connection.

All text is escaped: names chosen by a user cannot become markup.
"""

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

PLOTLY_CONFIG = {"responsive": True, "displaylogo": False}


@dataclass(frozen=True)
class Picture:
    """Images side by side, with a caption.

    Args:
        images: label and PNG of each image.
        caption: text below the images.
    """

    images: list[tuple[str, bytes]]
    caption: str = ""


@dataclass(frozen=True)
class Section:
    """A heading and its contents. All text is data, never markup.

    Args:
        title: heading.
        note: how to read the section.
        facts: value by name, shown as one line each.
        table: rows of cells; the first row contains the column headers.
        figures: plotly figures.
        wide: whether figures scroll on a narrow screen instead of shrinking.
        pictures: images with captions.
        code: text of a file.
    """

    title: str
    note: str = ""
    facts: dict[str, str] = field(default_factory=dict)
    table: list[list[str]] = field(default_factory=list)
    figures: list[go.Figure] = field(default_factory=list)
    wide: bool = False
    pictures: list[Picture] = field(default_factory=list)
    code: str = ""


@dataclass(frozen=True)
class Page:
    """A report.

    Args:
        title: title of the page and of the browser's tab.
        headline: the most important result.
        lead: introductory paragraphs, for example how the accuracies were measured.
        sections: sections from top to bottom.
    """

    title: str
    headline: str
    lead: list[str]
    sections: list[Section]


def data_uri(png: bytes) -> str:
    """Return a URI that contains a PNG."""
    return "data:image/png;base64," + base64.b64encode(png).decode()


def render_page(page: Page) -> str:
    """Return a page as HTML. It contains plotly's script once if it has a figure."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
    )
    sections, n_figures = [], 0
    for section in page.sections:
        sections.append(_template_section(section, n_figures))
        n_figures += len(section.figures)
    content = {
        "title": page.title,
        "headline": page.headline,
        "lead": page.lead,
        "sections": sections,
    }
    script = Markup(get_plotlyjs()) if n_figures else None
    return environment.get_template("page.html.jinja").render(page=content, script=script)


def write_page(path: Path, page: Page) -> None:
    """Write a page to a file, completely or not at all.

    Raises:
        InputError: the folder cannot be written to, or the disk is full.
    """
    text = render_page(page)
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def _template_section(section: Section, first_figure: int) -> dict[str, Any]:
    """Return the values of a section for the template; figures count from ``first_figure``."""
    return {
        "title": section.title,
        "note": section.note,
        "facts": section.facts,
        "table": section.table,
        "wide": section.wide,
        "code": section.code,
        "figures": [_figure_html(f, first_figure + i) for i, f in enumerate(section.figures)],
        "pictures": [
            {"images": [(label, data_uri(png)) for label, png in p.images], "caption": p.caption}
            for p in section.pictures
        ],
    }


def _figure_html(figure: go.Figure, number: int) -> Markup:
    """Return the HTML element of a figure; plotly escapes ``<`` in its texts."""
    name = f"figure-{number}"
    return Markup(
        to_html(figure, PLOTLY_CONFIG, include_plotlyjs=False, full_html=False, div_id=name)
    )
