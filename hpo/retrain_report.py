"""The report of a retraining: what was reached on the test, and what goes wrong there."""

import pandas as pd
from torch import Tensor

from data.splits import Split
from hpo import drawings_shown, fit_figures, result_figures, result_records
from hpo.report import Page, Section, command_shown, storage_shown
from hpo.result import SEED_FIGURES, n_way, percent
from hpo.result_records import Result
from hpo.wording import caution, whose_episodes

MOST_ERRORS = 120
CHOSE = "The validation alphabets (orange) chose configuration and epoch."
EASIER = (
    "The official 400 are easier: the marks at N = 20 compare with each other, not with the curve."
)
TABLE_2 = (
    ("humans", "95.5 %"),
    ("hierarchical Bayesian program learning", "95.2 %"),
    ("convolutional siamese net (the paper's)", "92.0 %"),
    ("affine model", "81.8 %"),
    ("hierarchical deep", "65.2 %"),
    ("deep Boltzmann machine", "62.0 %"),
    ("siamese net without convolutions", "58.3 %"),
    ("simple stroke", "35.2 %"),
    ("1-nearest neighbour", "21.7 %"),
)


def headline(result: Result) -> str:
    """Return the official figure with its spread over fits and its interval."""
    low, high = result["official_interval"]
    n, official = len(result["seeds"]), result["baseline"]["official"]["n_episodes"]
    adjective = whose_episodes(result["data"])
    whose = f"Lake's official {official}" if adjective == "official" else f"{official} {adjective}"
    fits = "1 fit" if n == 1 else f"mean ± standard deviation of {n} fits"
    return (
        f"{percent(result['summary']['official'])} of {whose} episodes ({fits}; "
        f"95\u00a0% interval of one network {low:.1%} to {high:.1%})"
    )


def facts(result: Result) -> dict[str, str]:
    """Return what was fitted, on what, by what, a line each."""
    made, config = result["provenance"], result["config"]
    model, fit = config["model"], config["fit"]
    held = ("study", "trial", "study_value", "train_on", "storage")
    given = {name: str(result[name]) for name in held if name in result}
    if "study_value" in given:
        given["study_value"] = f"{result['study_value']:.1%} of the study's validation episodes"
    rates = [f"{r['lr']:.3g}/{r['momentum']:.3g}/{r['l2_penalty']:.2g}" for r in fit["rates"]]
    return given | {
        "storage": storage_shown(given.get("storage", "–")),
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
        "command": command_shown(made["command"]),
    }


def headline_table(result: Result) -> list[list[str]]:
    """Return mean ± deviation and every fit's figure, a row each."""
    rows = [["", "ours", *(f"seed {s['seed']}" for s in result["seeds"]), "1-NN on pixels"]]
    for name, (mean, of_seed, of_base) in SEED_FIGURES.items():
        if (figure := mean(result["summary"])) is None:
            continue
        each = [f"{of_seed(seed):.1%}" for seed in result["seeds"]]
        base = of_base(result["baseline"])
        name = name.replace("official episodes", f"{whose_episodes(result['data'])} episodes")
        rows.append([name, percent(figure), *each, "–" if base is None else f"{base:.1%}"])
    return rows


def table_2(result: Result) -> list[list[str]]:
    """Return the paper's Table 2 with our row where it belongs."""
    ours = ("ours", percent(result["summary"]["official"]))
    rows = sorted([*TABLE_2, ours], key=lambda row: -float(row[1].split()[0]))
    return [["20-way one-shot, official episodes", "right"], *map(list, rows)]


def sections(
    result: Result,
    predictions: pd.DataFrame,
    confusions: pd.DataFrame,
    filters_NHW: Tensor,
    full_size: Split,
) -> list[Section]:
    """Return the report's parts."""
    omniglot, official = result["data"] == "omniglot", result["summary"]["official"]["mean"]
    errors = result_records.errors(predictions)
    top = result_records.top_confusions(confusions)
    alphabets = result_records.alphabets(result)
    held_out = result["summary"]["verification"] is not None
    parts = [
        Section("Figures", table=headline_table(result)),
        Section(
            "N-way accuracy",
            "Random within-alphabet episodes of the test alphabets."
            + (f" {EASIER}" if omniglot else ""),
            figures=[
                result_figures.n_way(result_records.ways(result), official, n_way(result), omniglot)
            ],
        ),
        Section(
            "Alphabet by alphabet",
            "Random episodes; the fine bars go from the least to the most of the fits."
            + (" " + CHOSE if held_out else ""),
            figures=[result_figures.alphabets(alphabets)],
            wide=True,
        ),
        Section(
            "Official run by run" if omniglot else "Block by block",
            figures=[result_figures.lake_runs(result_records.lake_runs(result))],
        ),
        Section(
            "Verification",
            "Same character or not, 10,000 pairs of the test alphabets. The threshold was chosen "
            "on validation pairs."
            if held_out
            else "",
            figures=[fit_figures.roc(result["seeds"])],
        ),
        Section("Training", figures=[fit_figures.training(result_records.fits(result))]),
        Section(
            "Every official error" if len(errors) <= MOST_ERRORS else "The surest official errors",
            f"{len(errors)} of {result['baseline']['official']['n_episodes']} episodes were "
            "answered wrongly by at least one fit. The surest error comes first; under each "
            "drawing, its similarity to the query. The episode recipe trains similarities to rank, "
            "not to be probabilities: both may be small.",
            pictures=drawings_shown.error_pictures(errors.head(MOST_ERRORS), full_size.test),
        ),
        Section(
            "Confusion within each alphabet",
            "The widest random episodes, all fits together. Choose an alphabet from the list.",
            figures=[result_figures.confusion(confusions)],
        ),
        Section(
            "Confused most often",
            pictures=drawings_shown.confusion_pictures(top, full_size),
        ),
        Section(
            "An official episode",
            "As the paper's Figure 1: which of the support drawings shows the query's character?",
            pictures=[drawings_shown.episode_picture(full_size)],
        ),
        Section(
            "Distortions",
            "As the paper's Figure 5: what training sees of one drawing.",
            pictures=[drawings_shown.distortion_picture(full_size)],
        ),
        Section(
            "First-layer filters",
            "As the paper's Figure 7: the first fit's.",
            pictures=[drawings_shown.filter_picture(filters_NHW)],
        ),
    ]
    if omniglot:
        parts.append(Section("The paper's Table 2, with our row", table=table_2(result)))
    return [*parts, Section("What was run", facts=facts(result))]


def retrain_page(
    result: Result,
    predictions: pd.DataFrame,
    confusions: pd.DataFrame,
    filters_NHW: Tensor,
    full_size: Split,
) -> Page:
    """Return the report of a retraining, or of one network's evaluation.

    Args:
        result: content of result.json.
        predictions: content of predictions.csv.
        confusions: content of confusions.csv.
        filters_NHW: the first layer's, of the first fit.
        full_size: the split of the same data at 105 pixels, for the pictures.
    """
    lead = [
        "Nothing was chosen on the test alphabets: configuration, epoch and verification threshold "
        "come from validation."
        if result["summary"]["verification"]
        else "Nothing was chosen on the test alphabets: the configuration comes from validation, "
        "whose alphabets were then trained on too, to the last epoch."
    ]
    if said := caution(result["data"]):
        lead.append(said)
    title = f"One-shot test of {result.get('study', 'a saved network')}"
    if "trial" in result:
        title += f", trial {result['trial']}"
    shown = sections(result, predictions, confusions, filters_NHW, full_size)
    return Page(title, headline(result), lead, shown)
