"""The report of compare.py: its queries and their most similar classes, as one page.

Tensor suffixes: Q queries, H W pixels.
"""

from pathlib import Path

from data.pictures import drawing_png
from data.text import make_printable
from hpo.report.html_page import Page, Picture, Section
from model.comparison import Comparison, Match
from model.comparison_output import format_match

MAX_QUERIES_SHOWN = 200


def comparison_page(comparison: Comparison, checkpoint: Path, top: int) -> Page:
    """Return a page that shows each query next to the first drawing of its most similar classes.

    Args:
        comparison: queries and their ranked classes.
        checkpoint: file of the network.
        top: number of classes shown for each query.
    """
    pictures = []
    for i, query in enumerate(comparison.queries[:MAX_QUERIES_SHOWN]):
        images = [(f"{make_printable(query.name)}\nquery", drawing_png(comparison.query_QHW[i]))]
        images += [_match_image(comparison, match) for match in comparison.rankings[i][:top]]
        pictures.append(Picture(images))
    n_queries, n_classes = len(comparison.queries), len(comparison.class_drawings)
    headline = f"{n_queries} {'query' if n_queries == 1 else 'queries'}, "
    headline += f"{n_classes} {'class' if n_classes == 1 else 'classes'}"
    scale = (
        "A higher logit means a greater similarity; no threshold was chosen for this network."
        if comparison.threshold is None
        else "Pairs with a similarity of at least 50 % are classified as the same character."
    )
    lead = [f"The images are shown as {make_printable(checkpoint.name)} received them. {scale}"]
    if n_queries > MAX_QUERIES_SHOWN:
        lead.append(f"Only the first {MAX_QUERIES_SHOWN} queries are shown.")
    return Page("Compared drawings", headline, lead, [Section("Ranking", pictures=pictures)])


def _match_image(comparison: Comparison, match: Match) -> tuple[str, bytes]:
    """Return the label and the image of a class."""
    label = f"{make_printable(match.name)}\n{format_match(match)}"
    return label, drawing_png(comparison.class_drawings[match.name])
