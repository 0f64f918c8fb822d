"""The output of compare.py: text for people, JSON for programs."""

import json
from typing import Any

from data.errors import InputError
from data.text import make_printable
from model.comparison import Comparison, Match


def comparison_json(comparison: Comparison, top: int) -> str:
    """Return a comparison as JSON.

    Args:
        comparison: queries and their ranked classes.
        top: number of classes for each query.
    """
    answers: list[dict[str, Any]] = [
        {"query": str(query), "ranking": [vars(match) for match in ranking[:top]]}
        for query, ranking in zip(comparison.queries, comparison.rankings, strict=True)
    ]
    answers += [
        {"query": str(query), "error": message} for query, message in comparison.errors.items()
    ]
    return json.dumps({"threshold": comparison.threshold, "answers": answers}, indent=1)


def comparison_text(comparison: Comparison, top: int) -> str:
    """Return a comparison as text: one line per query if there is one class, otherwise a ranking.

    Args:
        comparison: queries and their ranked classes.
        top: number of classes for each query.
    """
    lines = []
    for query, ranking in zip(comparison.queries, comparison.rankings, strict=True):
        if len(ranking) == 1:
            match = ranking[0]
            verdict = format_verdict(comparison, match)
            lines.append(f"{query} and {match.name}: {format_match(match)}{verdict}")
            continue
        lines.append(str(query))
        width = max(len(match.name) for match in ranking[:top])
        lines += [
            f"{rank:4}. {match.name:{width}}  {format_match(match)}"
            for rank, match in enumerate(ranking[:top], 1)
        ]
    return "\n".join(map(make_printable, lines))


def format_match(match: Match) -> str:
    """Return the similarity of a class as text; its logit if there is no similarity."""
    if match.similarity is None:
        return f"logit {match.logit:.2f}"
    return f"similarity {match.similarity:.2%}"


def format_verdict(comparison: Comparison, match: Match) -> str:
    """Return as text whether a query and a class are classified as same."""
    if comparison.threshold is None:
        return " · higher means more similar; no threshold was chosen for this network"
    is_same = match.logit >= comparison.threshold
    return " · the same character" if is_same else " · not the same"


def require_all_readable(comparison: Comparison) -> None:
    """Raise InputError if a query could not be read; call this after printing the others.

    Raises:
        InputError: at least one query could not be read; the message contains the first error.
    """
    if comparison.errors:
        n, message = len(comparison.errors), next(iter(comparison.errors.values()))
        n_queries = n + len(comparison.queries)
        others = f" (--json lists the other {n - 1})" if n > 1 else ""
        raise InputError(f"{n} of {n_queries} queries could not be read: {message}{others}")
