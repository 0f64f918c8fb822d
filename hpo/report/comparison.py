"""The answers of compare.py as one HTML file."""

from pathlib import Path

from data.pictures import drawing_png
from data.text import printable
from hpo.report.html_page import Page, Picture, Section
from model.comparison import Comparison, Match
from model.comparison_output import format_similarity

MOST_SHOWN = 200


def comparison_page(found: Comparison, checkpoint: Path, top: int) -> Page:
    """Return a page with every query beside the first drawing of its likeliest classes.

    Args:
        found: what was compared.
        checkpoint: with which network.
        top: classes shown of each query.
    """
    shown = found.queries[:MOST_SHOWN]
    pictures = []
    for at, query in enumerate(shown):
        images = [(f"{printable(query.name)}\nquery", drawing_png(found.query_QHW[at]))]
        images += [_beside(found, match) for match in found.rankings[at][:top]]
        pictures.append(Picture(images))
    left_out = f" The first {MOST_SHOWN} are shown." if len(found.queries) > MOST_SHOWN else ""
    meaning = (
        "The higher a logit, the likelier; no threshold was chosen for this network."
        if found.threshold is None
        else "From 50 % on its verification calls two drawings the same character."
    )
    lead = [
        f"Images as {printable(checkpoint.name)} saw them, and how similar. {meaning}{left_out}"
    ]
    n_queries, n_classes = len(found.queries), len(found.shown)
    headline = f"{n_queries} {'query' if n_queries == 1 else 'queries'}, "
    headline += f"{n_classes} {'class' if n_classes == 1 else 'classes'}"
    section = Section("Likeliest first", pictures=pictures)
    return Page("Compared drawings", headline, lead, [section])


def _beside(found: Comparison, match: Match) -> tuple[str, bytes]:
    return f"{printable(match.name)}\n{format_similarity(match)}", drawing_png(
        found.shown[match.name]
    )
