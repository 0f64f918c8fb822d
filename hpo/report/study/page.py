"""The report of a study: what was run, how the search went, what it found."""

import pandas as pd
from optuna.storages import RDBStorage
from optuna.study import Study

from data.labels import data_caveat
from hpo.report.html_page import Page, Section
from hpo.report.study import analysis, frames, history_plots, pair_plots, parameter_plots
from hpo.report.study.analysis import interpolate
from hpo.report.study.text import N_BEST_SHOWN, best_table, settings_of, study_facts, study_headline
from hpo.search.finalists import finalist_studies

N_AXES = 8

MAX_SMALL_PLOT_TRIALS = 400  # trials in each of many small figures


def finalists_of(storage: RDBStorage, study: Study) -> pd.DataFrame | None:
    """Return a trial frame of the finalists' fits, or None if there are none."""
    parts = [frames.trial_frame(each) for each in finalist_studies(storage, study)]
    return pd.concat(parts, ignore_index=True) if parts else None


def history_sections(
    storage: RDBStorage, study: Study, frame: pd.DataFrame, spent: pd.DataFrame
) -> list[Section]:
    """Return the parts that say how the search went, and what it spent."""
    peers = analysis.random_search_studies(storage, study)
    by_trial, by_cost = (analysis.best_so_far_frame(peers, by) for by in ("trial", "end"))
    beside = "" if by_cost.empty else " Dotted: random search in the same space."
    return [
        Section(
            "Optimisation history",
            "Validation accuracy of every trial, a pruned one's last, and the best so far: by "
            "trial, then by the training time spent." + beside,
            figures=[
                history_plots.history_plot(frames.progress_frame(frame, by="trial"), by_trial),
                history_plots.history_plot(
                    frames.progress_frame(frame), by_cost, against="cost", full=False
                ),
            ],
        ),
        Section(
            "Pruning",
            "Every trial's learning curve; the mark at its end says what ended it.",
            figures=[history_plots.learning_curve_plot(frames.curve_frame(study))],
        ),
        Section("Where the budget went", figures=[history_plots.cost_plot(spent)]),
    ]


def parameter_sections(study: Study, frame: pd.DataFrame) -> list[Section]:
    """Return the parts that say which values are good ones."""
    names, log = frames.parameter_names(frame), frames.log_scale_parameters(study)
    ranked = analysis.importance_frame(study)
    order = [*ranked["parameter"]] or names
    n_complete = int(frame["state"].isin(["complete", "diverged"]).sum())
    few, every = thin_complete(frame)
    parts = [
        Section(
            "Importance of the parameters",
            "PED-ANOVA (Watanabe et al., 2023): how the best trials' values differ from all "
            f"trials'. It rests on {n_complete} complete trials; with fewer than a hundred, take "
            "the order as a hint.",
            figures=[parameter_plots.importance_plot(ranked, n_complete)],
        ),
        Section(
            "Parallel coordinates",
            f"The {min(N_AXES, len(order))} most important parameters of the complete trials; "
            "brighter is better.",
            figures=[parameter_plots.parallel_plot(frame, order[:N_AXES], log)],
            wide=True,
        ),
        Section(
            "Slices",
            f"Validation accuracy against each parameter, complete trials alone{every}.",
            figures=[parameter_plots.slice_plot(few, order, log)],
            wide=True,
        ),
        Section(
            "Learning rate and momentum, layer by layer",
            f"Complete trials{every}; brighter is better.",
            figures=[pair_plots.layer_rate_plot(frames.layer_rate_frame(few))],
            wide=True,
        ),
    ]
    return parts if len(order) < 2 else [*parts, landscape(frame, order[0], order[1], log)]


def landscape(frame: pd.DataFrame, x: str, y: str, log: set[str]) -> Section:
    """Return the part that shows the accuracy over two parameters."""
    drawn = pair_plots.contour_plot(frame, interpolate(frame, x, y, log), x, y, log)
    note = "Interpolated between the complete trials (white); outside of them nothing is said."
    return Section("The two most important parameters", note, figures=[drawn])


def thin_complete(frame: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Return complete trials for many small figures, and which ones they are if not all."""
    done = frame[frame["state"] == "complete"]
    few = frames.thin_rows(done, MAX_SMALL_PLOT_TRIALS)
    return few, "" if len(few) == len(done) else f" ({len(few)} of {len(done)}, evenly chosen)"


def best_trial_sections(study: Study, frame: pd.DataFrame) -> list[Section]:
    """Return the parts that say what the best trials are."""
    again = "“Fitted again”: mean (least–most) over fresh seeds and fresh validation episodes."
    return [
        Section(
            "Accuracy against cost", figures=[pair_plots.pareto_plot(frames.pareto_frame(frame))]
        ),
        Section(f"The best {N_BEST_SHOWN} trials", again, table=best_table(study, frame)),
    ]


def study_page(storage: RDBStorage, study: Study, url: str) -> Page:
    """Return the report of a study.

    Args:
        storage: the study's.
        study: with any trials, or none.
        url: database address, shown without folders and password.
    """
    lead = [
        "All accuracies are on validation alphabets; nothing here was chosen on the test. The "
        "episodes share drawings, so intervals over them are a little too narrow."
    ]
    if said := data_caveat(str(settings_of(study).get("data"))):
        lead.append(said)
    title = f"Study {study.study_name}"
    frame = frames.trial_frame(study)
    spent = frames.cost_frame(frame, finalists_of(storage, study))
    shown = [
        Section("What was run", facts=study_facts(study, frame, spent["seconds"].sum(), url)),
        *history_sections(storage, study, frame, spent),
        *parameter_sections(study, frame),
        *best_trial_sections(study, frame),
    ]
    return Page(title, study_headline(study), lead, shown)
