"""The answers of compare.py: for people, for programs, and as one HTML file."""

import json
from pathlib import Path
from typing import Any

from data.errors import printable
from data.pictures import png
from hpo.comparison import Comparison, Match
from hpo.report import Page, Picture, Section

MOST_SHOWN = 200


def as_json(found: Comparison, top: int) -> str:
    """Return the answers for programs."""
    answers: list[dict[str, Any]] = [
        {"query": str(query), "ranking": [vars(match) for match in ranking[:top]]}
        for query, ranking in zip(found.queries, found.rankings, strict=True)
    ]
    return json.dumps({"threshold": found.threshold, "answers": answers}, indent=1)


def as_text(found: Comparison, top: int) -> str:
    """Return the answers for people."""
    lines = []
    for query, ranking in zip(found.queries, found.rankings, strict=True):
        if len(ranking) == 1:
            match = ranking[0]
            lines.append(f"{query} and {match.name}: {likeness(match)}{verdict(found, match)}")
            continue
        lines.append(str(query))
        width = max(len(match.name) for match in ranking[:top])
        lines += [
            f"{place:4}. {match.name:{width}}  {likeness(match)}"
            for place, match in enumerate(ranking[:top], 1)
        ]
    return "\n".join(map(printable, lines))


def likeness(match: Match) -> str:
    """Return how similar two images are, as text."""
    if match.similarity is None:
        return f"logit {match.logit:.2f}"
    return f"similarity {match.similarity:.2%}"


def verdict(found: Comparison, match: Match) -> str:
    """Return whether two images show the same character, if the network says so."""
    if found.threshold is None:
        return " · the higher, the likelier; no threshold was chosen for this network"
    return " · the same character" if match.logit >= found.threshold else " · not the same"


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
        images = [(f"{printable(query.name)}\nquery", png(found.query_QHW[at]))]
        images += [_beside(found, match) for match in found.rankings[at][:top]]
        pictures.append(Picture(images))
    left_out = f" The first {MOST_SHOWN} are shown." if len(found.queries) > MOST_SHOWN else ""
    meaning = (
        "The higher a logit, the likelier; no threshold was chosen for this network."
        if found.threshold is None
        else "From 50 % on its verification calls two drawings the same character."
    )
    lead = [f"Images as {checkpoint.name} saw them, and how similar. {meaning}{left_out}"]
    headline = f"{len(found.queries)} queries, {len(found.shown)} classes"
    section = Section("Likeliest first", pictures=pictures)
    return Page("Compared drawings", headline, lead, [section])


def _beside(found: Comparison, match: Match) -> tuple[str, bytes]:
    return f"{printable(match.name)}\n{likeness(match)}", png(found.shown[match.name])
