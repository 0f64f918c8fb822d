"""The report of a retraining: what was reached on the test, and what goes wrong there."""

import pandas as pd
from torch import Tensor

from data.splits import Split
from hpo import drawings_shown, fit_figures, result_figures, result_records
from hpo.report import Page, Section
from hpo.result import official_n_way
from hpo.result_facts import result_facts, result_headline, headline_table, table_2_with_ours
from hpo.result_records import Result
from hpo.wording import data_caveat, test_episodes_label

MOST_ERRORS = 120
CHOSE = "The validation alphabets (orange) chose configuration and epoch."
EASIER = (
    "The official 400 are easier: the marks at N = 20 compare with each other, not with the curve."
)
VERIFIED = (
    "Same character or not, 10,000 pairs of the test alphabets. The threshold was chosen on "
    "validation pairs."
)
HOW_SURE = (
    "The surest error comes first; under each drawing, its similarity to the query: 50\u00a0% is "
    "where verification begins to say “same”, if validation pairs have chosen it."
)
CHOSEN = (
    "Nothing was chosen on the test alphabets: configuration, epoch and verification threshold "
    "come from validation."
)
CONFIGURED = (
    "Nothing was chosen on the test alphabets: the configuration comes from validation, whose "
    "alphabets were then trained on too, to the last epoch."
)


def held_out(result: Result) -> bool:
    """Return whether the validation alphabets were kept from training."""
    return result["summary"]["verification"] is not None


def accuracy_sections(result: Result) -> list[Section]:
    """Return the parts that say how often the networks are right, and where."""
    omniglot, official = result["data"] == "omniglot", result["summary"]["official"]["mean"]
    ways = result_records.n_way_frame(result)
    fine = "Random episodes; the fine bars go from the least to the most of the fits."
    return [
        Section("Figures", table=headline_table(result)),
        Section(
            "N-way accuracy",
            "Random within-alphabet episodes of the test alphabets."
            + (f" {EASIER}" if omniglot else ""),
            figures=[result_figures.n_way_plot(ways, official, official_n_way(result), omniglot)],
        ),
        Section(
            "Alphabet by alphabet",
            f"{fine} {CHOSE}" if held_out(result) else fine,
            figures=[result_figures.alphabet_plot(result_records.alphabet_frame(result))],
            wide=True,
        ),
        Section(
            "Official run by run" if omniglot else "Block by block",
            figures=[result_figures.lake_run_plot(result_records.lake_run_frame(result))],
        ),
        Section(
            "Verification",
            VERIFIED if held_out(result) else "",
            figures=[fit_figures.roc_plot(result["seeds"])],
        ),
    ]


def error_sections(
    result: Result, predictions: pd.DataFrame, confusions: pd.DataFrame, full_size: Split
) -> list[Section]:
    """Return the parts that show what is taken for what."""
    errors = result_records.error_frame(predictions, result_records.thresholds(result))
    top = result_records.top_confusions(confusions)
    n_episodes = result["baseline"]["official"]["n_episodes"]
    whose = test_episodes_label(result["data"])
    return [
        Section(
            f"Every {whose} error" if len(errors) <= MOST_ERRORS else f"The surest {whose} errors",
            f"{len(errors)} of {n_episodes} episodes were answered wrongly by at least one fit. "
            + HOW_SURE,
            pictures=drawings_shown.error_images(errors.head(MOST_ERRORS), full_size.test),
        ),
        Section(
            "Confusion within each alphabet",
            "The widest random episodes, all fits together. Choose an alphabet from the list.",
            figures=[result_figures.confusion_plot(result_records.confusion_shares(confusions))],
        ),
        Section("Confused most often", pictures=drawings_shown.confusion_images(top, full_size)),
    ]


def paper_figure_sections(whose: str, filters_NHW: Tensor | None, full_size: Split) -> list[Section]:
    """Return the pictures that the paper has, too."""
    parts = [
        Section(
            f"A block of {whose} episodes",
            "As the paper's Figure 1: which of the support drawings shows the query's character?",
            pictures=[drawings_shown.episode_image(full_size)],
        ),
        Section(
            "Distortions",
            "As the paper's Figure 5: what training sees of one drawing.",
            pictures=[drawings_shown.distortion_image(full_size)],
        ),
    ]
    if filters_NHW is None:
        return parts
    pictures = [drawings_shown.filter_image(filters_NHW)]
    note = "As the paper's Figure 7: the first fit's."
    return [*parts, Section("First-layer filters", note, pictures=pictures)]


def retrain_page(
    result: Result,
    predictions: pd.DataFrame,
    confusions: pd.DataFrame,
    filters_NHW: Tensor | None,
    full_size: Split,
) -> Page:
    """Return the report of a retraining, or of one network's evaluation.

    Args:
        result: content of result.json.
        predictions: content of predictions.csv.
        confusions: content of confusions.csv.
        filters_NHW: the first layer's, of the first fit, if it is convolutional.
        full_size: the split of the same data at 105 pixels, for the pictures.
    """
    lead = [CHOSEN if held_out(result) else CONFIGURED]
    if said := data_caveat(result["data"]):
        lead.append(said)
    title = f"One-shot test of {result.get('study', 'a saved network')}"
    if "trial" in result:
        title += f", trial {result['trial']}"
    shown = [
        *accuracy_sections(result),
        Section("Training", figures=[fit_figures.training_plot(result_records.fit_frame(result))]),
        *error_sections(result, predictions, confusions, full_size),
        *paper_figure_sections(test_episodes_label(result["data"]), filters_NHW, full_size),
    ]
    if result["data"] == "omniglot":
        shown.append(Section("The paper's Table 2, with our row", table=table_2_with_ours(result)))
    shown.append(Section("What was run", facts=result_facts(result)))
    return Page(title, result_headline(result), lead, shown)
