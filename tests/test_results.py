"""The committed results: what the README says is what the files say."""

import json
from pathlib import Path

import pytest
from headlines import RESULTS, headlines, table

README = (Path(__file__).parents[1] / "README.md").read_text()


def test_the_readme_and_the_summary_are_made_of_the_results() -> None:
    assert json.loads((RESULTS / "summary.json").read_text()) == headlines()
    assert "\n".join(table(headlines())) in README


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*/result.json")), ids=lambda p: p.parent.name)
def test_a_result_is_the_mean_of_its_fits_and_chose_nothing_on_the_test(path: Path) -> None:
    result = json.loads(path.read_text())
    each = [seed["official"]["accuracy"] for seed in result["seeds"]]
    assert result["summary"]["official"]["mean"] == pytest.approx(sum(each) / len(each))
    assert result["data"] == "omniglot"
    for seed in result["seeds"]:
        known = [epoch["accuracy"] for epoch in seed["history"]]
        if result["train_on"] == "train":
            assert known[seed["best_epoch"] - 1] == max(known)
        else:
            assert seed["best_epoch"] == len(known)
