"""The report of a retraining: accuracies on the test, errors, and how they were obtained.

Tensor suffixes: N filters, H W pixels.
"""

import pandas as pd
from torch import Tensor

from data.labels import NOT_COMPARABLE, OFFICIAL, alphabet_label, character_label, data_caveat
from data.published import CITED_ACCURACY, KOCH_ACCURACY
from data.splits import Split
from hpo.refit.result import RetrainResult
from hpo.report.html_page import Page, Section
from hpo.report.retraining import accuracy_plots, fit_plots, frames, images
from hpo.report.retraining.chosen import chosen_row, chosen_sections
from hpo.report.retraining.facts import result_facts, settings_sections_of
from model.summary import MeanSd, format_mean

MAX_ERRORS = 120  # pictures of errors
CHOSEN_ON_VALIDATION = (
    "Nothing was chosen on the test alphabets: configuration, epoch and verification threshold "
    "were chosen on validation."
)
TRAINED_ON_VALIDATION = (
    "Nothing was chosen on the test alphabets: the configuration was chosen on validation. The "
    "final networks were also trained on the validation alphabets, for all epochs."
)
RANDOM_EPISODES = (
    "Random test episodes replace the official ones, because of the division, n_way or n_shot: "
    f"{NOT_COMPARABLE}."
)
OFFICIAL_IS_EASIER = (
    " The markers at N = 20 show the official episodes, which are easier than the random "
    "episodes of the curve: compare the markers only with each other."
)
VERIFICATION_NOTE = (
    "Do two drawings show the same character? 10,000 pairs of test drawings; the threshold was "
    "chosen on validation pairs."
)
ERROR_NOTE = (
    "The largest errors come first. Below each drawing is its similarity to the query; "
    "verification classifies a pair as “same” if its similarity is at least 50\u00a0%. If no "
    "threshold was chosen, 50\u00a0% has no such meaning."
)
INTERVAL_NOTE = "The intervals resample whole clusters and fits; each states what it covers."


def retrain_page(
    result: RetrainResult,
    predictions: pd.DataFrame,
    confusions: pd.DataFrame,
    filters_NHW: Tensor | None,
    full_size: Split,
) -> Page:
    """Return the report of a retraining, or of the evaluation of a saved network.

    Args:
        result: content of result.json.
        predictions: content of predictions.csv.
        confusions: content of confusions.csv.
        filters_NHW: float32 filters of the first layer of the first fit, averaged over the input
            channels; None if the first layer is not convolutional.
        full_size: the data set at 105 pixels, for the pictures.
    """
    lead = [CHOSEN_ON_VALIDATION if result.val_is_held_out else TRAINED_ON_VALIDATION]
    if caveat := data_caveat(result.data):
        lead.append(caveat)
    elif not result.is_official:
        lead.append(RANDOM_EPISODES)
    origin = result.origin
    source = str(origin) if origin else "a saved network"
    sections = [
        *accuracy_sections(result),
        *chosen_sections(result),
        Section("Training", figures=[fit_plots.training_plot(frames.fit_frame(result))]),
        *error_sections(result, predictions, confusions, full_size),
        *paper_figure_sections(result.episodes_label, filters_NHW, full_size),
    ]
    if result.episodes_label == OFFICIAL:
        table = table_2_with_ours(result.summary.official)
        sections.append(Section("Table 2 of the paper, with our row", table=table))
    sections.append(Section("What was run", facts=result_facts(result)))
    sections += settings_sections_of(result)
    return Page(f"One-shot test of {source}", result_headline(result), lead, sections)


def result_headline(result: RetrainResult) -> str:
    """Return the official accuracy with its standard deviation and its interval, as a sentence."""
    n, n_episodes = len(result.seeds), result.baseline.official.n_episodes
    label = result.episodes_label
    kind = f"Lake's official {n_episodes}" if label == OFFICIAL else f"{n_episodes} {label}"
    fits = "1 fit" if n == 1 else f"mean ± standard deviation of {n} fits"
    return (
        f"{format_mean(result.summary.official)} of {kind} episodes ({fits}). 95\u00a0% interval: "
        f"{frames.interval_text(result, 'official')}"
    )


def accuracy_sections(result: RetrainResult) -> list[Section]:
    """Return the sections with the accuracies, from the headline metrics to verification."""
    is_official, official = result.episodes_label == OFFICIAL, result.summary.official.mean
    alphabet = alphabet_label(result.data)
    ways = frames.n_way_frame(result)
    bars = "Random episodes; the thin bars show the range from the lowest to the highest fit."
    if result.val_is_held_out:
        bars += f" Configuration and epoch were chosen on the validation {alphabet}s (orange)."
    verification = {s.seed: v for s in result.seeds if (v := s.metrics.verification)}
    return [
        Section(
            "Accuracy",
            f"± is {frames.FITS_ONLY}. {INTERVAL_NOTE} {frames.wilson_text(result)}.",
            table=headline_table(result),
        ),
        Section(
            "N-way accuracy",
            f"Random episodes within the test {alphabet}s."
            + (OFFICIAL_IS_EASIER if is_official else ""),
            figures=[accuracy_plots.n_way_plot(ways, official, result.n_way, is_official)],
        ),
        Section(
            f"Accuracy by {alphabet}",
            bars,
            figures=[accuracy_plots.alphabet_plot(frames.alphabet_frame(result))],
            wide=True,
        ),
        Section(
            "Accuracy by official run" if is_official else "Accuracy by block",
            figures=[accuracy_plots.lake_run_plot(frames.lake_run_frame(result))],
        ),
        Section(
            "Verification",
            VERIFICATION_NOTE if result.val_is_held_out else "",
            figures=[fit_plots.roc_plot(verification)],
        ),
    ]


def headline_table(result: RetrainResult) -> list[list[str]]:
    """Return one row per headline metric: mean and standard deviation, every fit, and 1-NN.

    The last row is that of the fits that chose the winner, if the study has kept them.
    """
    seeds = [f"seed {seed.seed}" for seed in result.seeds]
    rows = [["", "ours", "95\u00a0% interval", *seeds, "1-NN on pixels"]]
    for row in frames.headline_rows(result):
        baseline = "–" if row.baseline is None else f"{row.baseline:.1%}"
        fits = [f"{accuracy:.1%}" for accuracy in row.fits]
        rows.append([row.name, format_mean(row.summary), row.interval, *fits, baseline])
    if chosen := chosen_row(result):
        name = f"{chosen.name}, {result.episodes_label} episodes"
        rows.append([name, format_mean(chosen.summary), *["–"] * (2 + len(seeds))])
    return rows


def error_sections(
    result: RetrainResult, predictions: pd.DataFrame, confusions: pd.DataFrame, full_size: Split
) -> list[Section]:
    """Return the sections with the errors and the confused characters."""
    errors = frames.error_frame(predictions, frames.thresholds(result))
    matrices, top = frames.confusion_matrices(confusions), frames.top_confusions(confusions)
    n_episodes, label = result.baseline.official.n_episodes, result.episodes_label
    alphabet, character = alphabet_label(result.data), character_label(result.data)
    return [
        Section(
            f"All {label} errors" if len(errors) <= MAX_ERRORS else f"The largest {label} errors",
            f"{len(errors)} of {n_episodes} episodes were answered incorrectly by at least one "
            "fit. " + ERROR_NOTE,
            pictures=images.error_images(errors.head(MAX_ERRORS), full_size.test),
        ),
        Section(
            f"Confusions by {alphabet}",
            "Random episodes with the largest number of candidates, summed over all fits. Select "
            f"the {alphabet} in the menu.",
            figures=[accuracy_plots.confusion_plot(matrices, character)],
        ),
        Section(
            "Most frequent confusions", pictures=images.confusion_images(top, full_size, character)
        ),
    ]


def paper_figure_sections(
    label: str, filters_NHW: Tensor | None, full_size: Split
) -> list[Section]:
    """Return the sections with pictures like Figures 1, 5 and 7 of the paper."""
    sections = [
        Section(
            f"A block of {label} episodes",
            "Like Figure 1 of the paper: which support drawing shows the character of the query?",
            pictures=[images.episode_image(full_size)],
        ),
        Section(
            "Distortions",
            "Like Figure 5 of the paper: distorted copies of one drawing, as used in training.",
            pictures=[images.distortion_image(full_size)],
        ),
    ]
    if filters_NHW is not None:
        note = "Like Figure 7 of the paper; filters of the first fit."
        pictures = [images.filter_image(filters_NHW)]
        sections.append(Section("First-layer filters", note, pictures=pictures))
    return sections


def table_2_with_ours(official: MeanSd) -> list[list[str]]:
    """Return Table 2 of the paper with our official accuracy, sorted by accuracy."""
    published = CITED_ACCURACY | KOCH_ACCURACY
    rows = [(accuracy, name, f"{100 * accuracy:.1f} %") for name, accuracy in published.items()]
    rows.append((official.mean, "ours", format_mean(official)))
    rows.sort(key=lambda row: -row[0])
    head = ["20-way one-shot, official episodes", "accuracy"]
    return [head, *([name, text] for _, name, text in rows)]
