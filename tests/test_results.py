"""The committed results: what the README says is what the files say."""

import json
from collections import Counter
from pathlib import Path

import pytest
from headlines import RESULTS, headlines, table

from hpo.reference import STUDY
from hpo.stored import stored_study

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


def test_the_reference_study_is_a_search_of_the_whole_space() -> None:
    with stored_study(f"sqlite:///{STUDY}", "omniglot-35-episode") as (_, study, settings):
        states = Counter(trial.state.name for trial in study.get_trials(deepcopy=False))
        assert states["COMPLETE"] + states["PRUNED"] >= 60
        assert len(study.trials[0].params) == 27
        assert settings.validation == "dense"
    assert (STUDY.parent / "report.html").stat().st_size < 6e6


def test_what_the_readme_says_a_study_learnt_is_in_its_tables() -> None:
    learnt = json.loads((STUDY.parent / "learnt.json").read_text())
    counted = {line["state"]: line["trials"] for line in learnt["Trials"]}
    assert f"({counted['complete']} complete, {counted['pruned']} pruned;" in README
    first = learnt["Finalists"][0]
    assert f"trial {first['trial']}, has {first['fitted again'].replace('%', ' %')}" in README
    for line in learnt["Importance (PED-ANOVA)"][:3]:
        assert f"{line['parameter']} {line['importance'].replace('%', ' %')}" in README
    for line in learnt["Accuracy against cost"]:
        assert line["best"].replace("%", " %") in README
