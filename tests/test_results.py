"""The committed results: README and documentation show what the files contain."""

import json
from collections import Counter
from pathlib import Path
from statistics import fmean

import pytest
from headlines import RESULTS, headlines, ladder, table
from paper_recipe_rows import read_list
from paper_recipe_table import table as recipe_table
from search_pays_table import RIVALS, markdown
from tables import tables

from data import cache
from data.episodes import Dataset
from data.paths import PRETRAINED, PROJECT, REFERENCE_STUDY
from data.splits import split_dataset
from hpo.refit.result import RetrainResult
from hpo.settings.sections import DEFAULT_EPOCHS
from hpo.space.files import built_in_space
from hpo.study.open import open_stored_study
from model.checkpoint import load_network
from model.evaluate import one_shot_accuracy
from model.summary import summarize_metrics

README = (PROJECT / "README.md").read_text()
DOCS = "".join((PROJECT / f"docs/{page}.md").read_text() for page in ("results", "use"))


def test_readme_documentation_and_summary_show_the_results() -> None:
    assert json.loads((RESULTS / "summary.json").read_text()) == headlines()
    assert "\n".join(ladder(headlines())) in README
    assert "\n".join(table(headlines())) in DOCS


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*/result.json")), ids=lambda p: p.parent.name)
def test_a_result_is_the_mean_of_its_fits_and_nothing_was_chosen_on_the_test(path: Path) -> None:
    result = RetrainResult.read(path)
    summary = summarize_metrics([seed.metrics for seed in result.seeds])
    assert summary.official.mean == pytest.approx(result.summary.official.mean)
    assert summary.official.sd == pytest.approx(result.summary.official.sd)
    assert result.data == "omniglot"
    assert result.origin is not None
    for seed in result.seeds:
        assert seed.fit is not None
        accuracies = [epoch.accuracy or 0.0 for epoch in seed.fit.history]
        if result.origin.train_on == "train":
            assert accuracies[seed.fit.best_epoch - 1] == max(accuracies)
        else:
            assert seed.fit.best_epoch == len(accuracies)


def test_the_reference_study_searches_the_default_space() -> None:
    url = f"sqlite:///{REFERENCE_STUDY}"
    with open_stored_study(url, None) as (_, study, settings):
        states = Counter(trial.state.name for trial in study.get_trials(deepcopy=False))
        assert study.study_name == "omniglot-35-episode", "not the random search"
        assert states["COMPLETE"] + states["PRUNED"] >= 60
        assert settings.space == built_in_space("standard")
        assert settings.max_epochs == DEFAULT_EPOCHS["episode"]
        assert settings.validation == "dense"
        assert study.trials[0].params.keys() == settings.space.searched.keys()
    assert (REFERENCE_STUDY.parent / "report.html").stat().st_size < 6e6


def test_the_documentation_of_the_reference_study_has_the_values_of_its_tables() -> None:
    learnt = json.loads((REFERENCE_STUDY.parent / "learnt.json").read_text())
    counts = {line["state"]: line["trials"] for line in learnt["Trials"]}
    assert f"({counts['complete']} complete, {counts['pruned']} pruned;" in DOCS
    for line in learnt["Lengths"]:
        cells = [str(line[name]) for name in ("epochs", "trials", "best", "default")]
        assert f"| {' | '.join(cells)} |" in DOCS
    best, default = (learnt["Finalists"][i] for i in (0, 1))
    assert f"Trial {best['trial']} has {spaced(best['as a trial'])}" in DOCS
    assert f"have {spaced(best['refitted'])} and {spaced(default['refitted'])}" in DOCS
    for line in learnt["Importance (PED-ANOVA)"][:3]:
        assert f"{line['parameter']} {spaced(line['importance'])}" in DOCS


def spaced(percentage: str) -> str:
    """A percentage as the text of the documentation writes it."""
    return percentage.replace("%", " %")


def official_accuracy(path: Path, omniglot_105: Dataset) -> float:
    """The accuracy of a committed network on the official episodes, evaluated anew."""
    net, config, metadata = load_network(path)
    assert metadata["data_digest"] == omniglot_105.drawings.digest
    drawings = cache.resize_drawings(omniglot_105.drawings, config.model.image_size)
    split = split_dataset(Dataset(drawings, omniglot_105.official))
    return one_shot_accuracy(net, split.test, split.official)


@pytest.mark.omniglot
@pytest.mark.slow
def test_the_pretrained_network_has_the_accuracy_of_its_card(omniglot_105: Dataset) -> None:
    scores = json.loads((PRETRAINED.parent / "scores.json").read_text())
    # The answers to one or two episodes depend on rounding, which differs between machines.
    expected = pytest.approx(scores["official"]["accuracy"], abs=2.5 / 400)
    assert official_accuracy(PRETRAINED, omniglot_105) == expected


@pytest.mark.omniglot
@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(RESULTS.glob("paper/*.pt")), ids=lambda p: p.stem)
def test_the_network_of_a_row_has_the_accuracy_that_it_names(
    path: Path, omniglot_105: Dataset
) -> None:
    assert path.stat().st_size < 6e6
    named = load_network(path)[2]["official"]
    assert official_accuracy(path, omniglot_105) == pytest.approx(named, abs=2.5 / 400)


def test_the_card_of_the_pretrained_network_has_the_values_of_its_scores() -> None:
    scores = json.loads((PRETRAINED.parent / "scores.json").read_text())
    card = (PRETRAINED.parent / "README.md").read_text()
    assert f"**Scores.** {scores['official']['accuracy']:.1%}" in card
    assert PRETRAINED.stat().st_size < 6e6


@pytest.mark.parametrize(
    ("name", "title", "columns"),
    [
        ("ablation.json", "Validation accuracy", ("", "mean", "sd", "difference")),
        ("preparation.json", "20-way validation", ("", "20-way")),
        ("preparation.json", "MNIST", ("", "10-way")),
    ],
)
def test_the_documentation_shows_the_committed_tables(
    name: str, title: str, columns: tuple[str, ...]
) -> None:
    for row in json.loads((RESULTS / name).read_text())[title]:
        assert "| " + " | ".join(str(row[column]) for column in columns) + " |" in DOCS


def test_the_documentation_shows_the_rows_of_the_papers_recipe() -> None:
    assert "\n".join(recipe_table(read_list(RESULTS / "paper/rows.json"))) in DOCS


def test_the_documentation_shows_whether_the_search_pays() -> None:
    studies = json.loads((RESULTS / "search_pays.json").read_text())["studies"]
    assert all(line in DOCS for line in markdown(studies))
    for study in studies:
        for name in ("winner", *RIVALS):
            if name in study:
                assert study[name] == pytest.approx(fmean(study[f"{name}_fits"]), abs=1e-5)


def test_the_documentation_shows_the_reproduced_tables_of_the_paper() -> None:
    reproduced = tables()
    assert len(reproduced) == 3
    for lines in reproduced:
        assert "\n".join(lines) in DOCS


def test_the_documentation_has_the_accuracy_of_the_network_of_pairs_on_mnist() -> None:
    content = json.loads((PROJECT / "benchmarks/results/mnist_networks.json").read_text())
    [title] = [name for name in content if name.startswith("MNIST")]
    [row] = [row for row in content[title] if row["network"] == "results/paper/network.pt"]
    assert f"{row['accuracy'].replace('%', ' %')} of the [MNIST episodes]" in DOCS


def test_the_documentation_shows_the_comparison_of_searches() -> None:
    text = (PROJECT / "docs/search.md").read_text(encoding="utf-8").replace("−0", "-0")
    content = json.loads((PROJECT / "benchmarks/results/search_methods.json").read_text())
    for row in content["Searches on the surrogate"]:
        starts = (f"| {row['search']} | +", f"| Optuna {row['search']} | +")
        [line] = [each for each in text.splitlines() if each.startswith(starts)]
        assert f"| {row['gain']} | {row['ours − it']}".rstrip() in line
        assert line.endswith(f"| {row['trials']} | {row['complete']} |")
