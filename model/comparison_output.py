"""The answers of compare.py, for people and for programs."""

import json
from typing import Any

from data.errors import InputError
from data.text import printable
from model.comparison import Comparison, Match


def comparison_json(found: Comparison, top: int) -> str:
    """Return the answers for programs."""
    answers: list[dict[str, Any]] = [
        {"query": str(query), "ranking": [vars(match) for match in ranking[:top]]}
        for query, ranking in zip(found.queries, found.rankings, strict=True)
    ]
    answers += [{"query": str(query), "error": why} for query, why in found.unread.items()]
    return json.dumps({"threshold": found.threshold, "answers": answers}, indent=1)


def require_all_readable(found: Comparison) -> None:
    """Pass if every query could be read; said after the others have been answered.

    Raises:
        InputError: else; it tells the first of them.
    """
    if found.unread:
        n, first = len(found.unread), next(iter(found.unread.values()))
        more = f"; and {n - 1} more, all told by --json" if n > 1 else ""
        raise InputError(
            f"The other queries are answered, but {n} could not be read: {first}{more}"
        )


def comparison_text(found: Comparison, top: int) -> str:
    """Return the answers for people."""
    lines = []
    for query, ranking in zip(found.queries, found.rankings, strict=True):
        if len(ranking) == 1:
            match = ranking[0]
            lines.append(
                f"{query} and {match.name}: {format_similarity(match)}"
                f"{format_verdict(found, match)}"
            )
            continue
        lines.append(str(query))
        width = max(len(match.name) for match in ranking[:top])
        lines += [
            f"{place:4}. {match.name:{width}}  {format_similarity(match)}"
            for place, match in enumerate(ranking[:top], 1)
        ]
    return "\n".join(map(printable, lines))


def format_similarity(match: Match) -> str:
    """Return how similar two images are, as text."""
    if match.similarity is None:
        return f"logit {match.logit:.2f}"
    return f"similarity {match.similarity:.2%}"


def format_verdict(found: Comparison, match: Match) -> str:
    """Return whether two images show the same character, if the network says so."""
    if found.threshold is None:
        return " · the higher, the likelier; no threshold was chosen for this network"
    return " · the same character" if match.logit >= found.threshold else " · not the same"
