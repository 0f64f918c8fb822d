"""The answers of compare.py: for people, for programs, and as one HTML file."""

import json
from pathlib import Path
from typing import Any

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
            lines.append(f"{query} and {match.name}: {pair_line(match, found.threshold)}")
            continue
        lines.append(str(query))
        width = max(len(match.name) for match in ranking[:top])
        lines += [
            f"{place:4}. {match.name:{width}}  {match.similarity:7.2%}"
            for place, match in enumerate(ranking[:top], 1)
        ]
    return "\n".join(lines)


def pair_line(match: Match, threshold: float | None) -> str:
    """Return the answer about two images."""
    verdict = ""
    if threshold is not None:
        verdict = " · the same character" if match.logit >= threshold else " · not the same"
    return f"similarity {match.similarity:.2%}{verdict}"


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
        images = [(f"{query.name}\nquery", png(found.query_QHW[at]))]
        images += [_beside(found, match) for match in found.rankings[at][:top]]
        pictures.append(Picture(images))
    left_out = f" The first {MOST_SHOWN} are shown." if len(found.queries) > MOST_SHOWN else ""
    lead = [
        f"Drawings as the network saw them, after cropping and centring, and its similarities "
        f"({checkpoint.name}). From 50 % on its verification calls two drawings the same character."
        f"{left_out}"
    ]
    headline = f"{len(found.queries)} queries, {len(found.shown)} classes"
    section = Section("Likeliest first", pictures=pictures)
    return Page("Compared drawings", headline, lead, [section])


def _beside(found: Comparison, match: Match) -> tuple[str, bytes]:
    return f"{match.name}\n{match.similarity:.2%}", png(found.shown[match.name])
