"""What a retraining's report says in words and tables.

The report of a retraining: what was reached on the test, and what goes wrong there."""

import pandas as pd
from torch import Tensor

from data.labels import data_caveat, test_episodes_label
from data.splits import Split
from data.text import redact_command, redact_storage
from hpo.refit.published import ADDED, CITED
from hpo.refit.result import format_mean, lookup, official_n_way, reported_metrics
from hpo.report.html_page import Page, Section
from hpo.report.retraining import accuracy_plots, fit_plots, frames, images
from hpo.report.retraining.frames import Result


def result_headline(result: Result) -> str:
    """Return the official figure with its spread over fits and its interval."""
    low, high = result["official_interval"]
    n, official = len(result["seeds"]), result["baseline"]["official"]["n_episodes"]
    adjective = test_episodes_label(result["data"])
    whose = f"Lake's official {official}" if adjective == "official" else f"{official} {adjective}"
    fits = "1 fit" if n == 1 else f"mean ± standard deviation of {n} fits"
    return (
        f"{format_mean(result['summary']['official'])} of {whose} episodes ({fits}; "
        f"95\u00a0% interval of one network {low:.1%} to {high:.1%})"
    )


def result_facts(result: Result) -> dict[str, str]:
    """Return what was fitted, on what, by what, a line each."""
    made, config = result["provenance"], result["config"]
    model, fit = config["model"], config["fit"]
    held = ("study", "trial", "study_value", "worth", "train_on", "storage")
    given = {name: str(result[name]) for name in held if name in result}
    if "study_value" in given:
        given["study_value"] = f"{result['study_value']:.1%} of the study's validation episodes"
    rates = [f"{r['lr']:.3g}/{r['momentum']:.3g}/{r['l2_penalty']:.2g}" for r in fit["rates"]]
    return given | {
        "storage": redact_storage(given.get("storage", "–")),
        "network": " · ".join(f"{name} {value}" for name, value in model.items()),
        "lr/momentum/l2": "conv1 … conv4, fc1, head: " + ", ".join(rates),
        "fit": " · ".join(f"{n} {v}" for n, v in fit.items() if n != "rates"),
        "seconds per fit": ", ".join(
            f"{s['seconds']:.0f}" for s in result["seeds"] if "seconds" in s
        ),
        "data": f"{result['data']}, digest {result['data_digest'][:12]}",
        "versions": " · ".join(f"{n} {v}" for n, v in made["versions"].items()),
        "machine": " · ".join(str(made[n]) for n in ("cpu", "device", "precision")),
        "commit": f"{made['commit']}{' with changes' if made['dirty'] else ''}",
        "command": redact_command(made["command"]),
    }


def headline_table(result: Result) -> list[list[str]]:
    """Return mean ± deviation and every fit's figure, a row each."""
    rows = [["", "ours", *(f"seed {s['seed']}" for s in result["seeds"]), "1-NN on pixels"]]
    for name, line in reported_metrics(result):
        each = [f"{lookup(seed, line.seed):.1%}" for seed in result["seeds"]]
        base = lookup(result["baseline"], line.baseline)
        mean = format_mean(lookup(result["summary"], line.summary))
        rows.append([name, mean, *each, "–" if base is None else f"{base:.1%}"])
    return rows


def table_2_with_ours(result: Result) -> list[list[str]]:
    """Return the paper's Table 2 with our row where it belongs."""
    ours = result["summary"]["official"]
    rows = [(share, name, f"{100 * share:.1f} %") for name, share in (CITED | ADDED).items()]
    rows.append((ours["mean"], "ours", format_mean(ours)))
    shown = [[name, said] for _, name, said in sorted(rows, key=lambda row: -row[0])]
    return [["20-way one-shot, official episodes", "right"], *shown]


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
    ways = frames.n_way_frame(result)
    fine = "Random episodes; the fine bars go from the least to the most of the fits."
    return [
        Section("Figures", table=headline_table(result)),
        Section(
            "N-way accuracy",
            "Random within-alphabet episodes of the test alphabets."
            + (f" {EASIER}" if omniglot else ""),
            figures=[accuracy_plots.n_way_plot(ways, official, official_n_way(result), omniglot)],
        ),
        Section(
            "Alphabet by alphabet",
            f"{fine} {CHOSE}" if held_out(result) else fine,
            figures=[accuracy_plots.alphabet_plot(frames.alphabet_frame(result))],
            wide=True,
        ),
        Section(
            "Official run by run" if omniglot else "Block by block",
            figures=[accuracy_plots.lake_run_plot(frames.lake_run_frame(result))],
        ),
        Section(
            "Verification",
            VERIFIED if held_out(result) else "",
            figures=[fit_plots.roc_plot(result["seeds"])],
        ),
    ]


def error_sections(
    result: Result, predictions: pd.DataFrame, confusions: pd.DataFrame, full_size: Split
) -> list[Section]:
    """Return the parts that show what is taken for what."""
    errors = frames.error_frame(predictions, frames.thresholds(result))
    top = frames.top_confusions(confusions)
    n_episodes = result["baseline"]["official"]["n_episodes"]
    whose = test_episodes_label(result["data"])
    return [
        Section(
            f"Every {whose} error" if len(errors) <= MOST_ERRORS else f"The surest {whose} errors",
            f"{len(errors)} of {n_episodes} episodes were answered wrongly by at least one fit. "
            + HOW_SURE,
            pictures=images.error_images(errors.head(MOST_ERRORS), full_size.test),
        ),
        Section(
            "Confusion within each alphabet",
            "The widest random episodes, all fits together. Choose an alphabet from the list.",
            figures=[accuracy_plots.confusion_plot(frames.confusion_shares(confusions))],
        ),
        Section("Confused most often", pictures=images.confusion_images(top, full_size)),
    ]


def paper_figure_sections(
    whose: str, filters_NHW: Tensor | None, full_size: Split
) -> list[Section]:
    """Return the pictures that the paper has, too."""
    parts = [
        Section(
            f"A block of {whose} episodes",
            "As the paper's Figure 1: which of the support drawings shows the query's character?",
            pictures=[images.episode_image(full_size)],
        ),
        Section(
            "Distortions",
            "As the paper's Figure 5: what training sees of one drawing.",
            pictures=[images.distortion_image(full_size)],
        ),
    ]
    if filters_NHW is None:
        return parts
    pictures = [images.filter_image(filters_NHW)]
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
        Section("Training", figures=[fit_plots.training_plot(frames.fit_frame(result))]),
        *error_sections(result, predictions, confusions, full_size),
        *paper_figure_sections(test_episodes_label(result["data"]), filters_NHW, full_size),
    ]
    if result["data"] == "omniglot":
        shown.append(Section("The paper's Table 2, with our row", table=table_2_with_ours(result)))
    shown.append(Section("What was run", facts=result_facts(result)))
    return Page(title, result_headline(result), lead, shown)
