"""The sections of a study's report on its parameters: changes, importance and values."""

import pandas as pd
from optuna.study import Study

from hpo.report.html_page import Section
from hpo.report.study import analysis, frames, parallel_plots, parameter_plots
from hpo.report.study.changes import change_table

N_PARALLEL_AXES = 8
MAX_SMALL_PLOT_TRIALS = 400  # trials in each of many small plots


def parameter_sections(study: Study, frame: pd.DataFrame) -> list[Section]:
    """Return the sections on the parameters that the trials of a study allow."""
    return [*change_sections(study), *importance_sections(study), *value_sections(study, frame)]


def change_sections(study: Study) -> list[Section]:
    """Return the section on what the trials changed; none if only the default has ended."""
    table = change_table(study)
    note = (
        "The trials that trained longest, and what they changed. “Default then” is the accuracy of "
        f"the default after as many epochs. With {analysis.MIN_TRIALS} complete trials or more, "
        "plots of the parameters follow."
    )
    return [Section("Changes of the default", note, table=table)] if table else []


def importance_sections(study: Study) -> list[Section]:
    """Return the section on the importance of the parameters; none with too few trials."""
    if (importances := analysis.importance_frame(study)).empty:
        return []
    n_trials = len(analysis.ranked_trials(study))
    note = (
        "PED-ANOVA (Watanabe et al., 2023): how much the values of the best trials differ from "
        f"those of all {n_trials} trials. A pruned trial counts as worse than those that trained "
        "longer. With fewer than a hundred trials, the order is only a rough indication."
    )
    figures = [parameter_plots.importance_plot(importances, n_trials)]
    return [Section("Importance of the parameters", note, figures=figures)]


def value_sections(study: Study, frame: pd.DataFrame) -> list[Section]:
    """Return the plots of the values of the parameters; none with too few complete trials."""
    if int((frame["state"] == "complete").sum()) < analysis.MIN_TRIALS:
        return []
    names, log = frames.parameter_names(frame), frames.log_scale_parameters(study)
    importances = analysis.importance_frame(study)
    names = [*importances["parameter"]] or names
    complete, selection = thin_complete_trials(frame)
    sections = [
        Section(
            "Parallel coordinates",
            f"Complete trials and up to {N_PARALLEL_AXES} parameters, the most important ones if "
            "they are known. Brighter lines are trials with a higher accuracy.",
            figures=[parallel_plots.parallel_plot(frame, names[:N_PARALLEL_AXES], log)],
            wide=True,
        ),
        Section(
            "Slices",
            f"Validation accuracy against each parameter. Complete trials only{selection}.",
            figures=[parameter_plots.slice_plot(complete, names, log)],
            wide=True,
        ),
    ]
    if not (rates := frames.layer_rate_frame(complete)).empty:
        note = f"Complete trials only{selection}. Brighter points have a higher accuracy."
        figures = [parameter_plots.layer_rate_plot(rates)]
        sections.append(
            Section("Learning rate and momentum of each layer", note, figures=figures, wide=True)
        )
    numeric = frames.numeric_parameters(frame, names)
    if len(numeric) > 1 and not importances.empty:
        sections.append(contour_section(frame, numeric[0], numeric[1], log))
    return sections


def contour_section(frame: pd.DataFrame, x: str, y: str, log: set[str]) -> Section:
    """Return the section that shows the accuracy over two parameters."""
    grid = analysis.interpolate(frame, x, y, log)
    return Section(
        "The two most important numeric parameters",
        "Accuracy interpolated between the complete trials (white points). The area without "
        "trials is left blank.",
        figures=[parameter_plots.contour_plot(frame, grid, x, y, log)],
    )


def thin_complete_trials(frame: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Return the complete trials for small plots, and a note if only some of them are shown."""
    complete = frame[frame["state"] == "complete"]
    shown = frames.thin_rows(complete, MAX_SMALL_PLOT_TRIALS)
    if len(shown) == len(complete):
        return complete, ""
    return shown, f" ({len(shown)} of {len(complete)}, at regular intervals)"
