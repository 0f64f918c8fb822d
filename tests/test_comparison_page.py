"""The report of compare.py."""

from pathlib import Path

import pytest
import torch

from hpo.report import comparison
from hpo.report.comparison import comparison_page
from model.comparison import Comparison, Match


def made_comparison(n_queries: int, threshold: float | None) -> Comparison:
    similarities = [None, None] if threshold is None else [0.75, 0.25]
    ranking = [
        Match(name, similarity, logit)
        for name, similarity, logit in zip("ab", similarities, (1.0, -1.0), strict=True)
    ]
    return Comparison(
        queries=[Path(f"folder/{i}.png") for i in range(n_queries)],
        rankings=[ranking] * n_queries,
        query_QHW=torch.zeros(n_queries, 8, 8, dtype=torch.uint8),
        class_drawings={name: torch.zeros(8, 8, dtype=torch.uint8) for name in "ab"},
        threshold=threshold,
        errors={},
    )


def test_a_query_is_next_to_its_best_classes() -> None:
    page = comparison_page(made_comparison(2, 0.0), Path("folder/net.pt"), top=1)
    assert page.headline == "2 queries, 2 classes"
    assert "net.pt" in page.lead[0]
    assert "50 %" in page.lead[0]
    pictures = page.sections[0].pictures
    labels = [[label for label, _ in picture.images] for picture in pictures]
    assert labels == [
        ["0.png\nquery", "a\nsimilarity 75.00%"],
        ["1.png\nquery", "a\nsimilarity 75.00%"],
    ]
    assert all(png.startswith(b"\x89PNG") for picture in pictures for _, png in picture.images)


def test_without_a_threshold_logits_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "MAX_QUERIES_SHOWN", 1)
    page = comparison_page(made_comparison(2, None), Path("net.pt"), top=2)
    assert "logit" in page.lead[0]
    assert "first 1" in page.lead[1]
    assert [label for label, _ in page.sections[0].pictures[0].images][1:] == [
        "a\nlogit 1.00",
        "b\nlogit -1.00",
    ]
    assert len(page.sections[0].pictures) == 1
