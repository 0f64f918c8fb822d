"""The report of a study: what was run, how the search went, and what it found."""

import pandas as pd
from optuna.storages import RDBStorage
from optuna.study import Study

from data.labels import data_caveat
from hpo.report.html_page import Page, Section
from hpo.report.study import analysis, frames, history_plots
from hpo.report.study.parameter_sections import parameter_sections
from hpo.report.study.text import (
    N_BEST_SHOWN,
    best_table,
    stored_settings,
    study_facts,
    study_headline,
)
from hpo.search.choice import stored_gain
from hpo.search.finalists import finalist_studies
from hpo.settings.config_text import format_config, study_sections
from hpo.settings.study_settings import StudySettings
from hpo.study.goals import front_table, has_one_goal
from hpo.study.trials import finalist_accuracies

FRONT_NOTE = (
    "Complete trials. A trial is on the Pareto front if all other trials of the same or a lower "
    "cost are worse."
)
FINALISTS_NOTE = " Of the finalists: all fits with new seeds, further ones of the winner included."


def study_page(storage: RDBStorage, study: Study, url: str) -> Page:
    """Return the report of a study.

    Args:
        storage: storage of the study.
        study: study with any number of trials.
        url: database address; it is shown without password and folders.
    """
    lead = [
        "All accuracies were measured on the validation alphabets. The test alphabets were not "
        "used."
    ]
    settings = stored_settings(study)
    if settings and (caveat := data_caveat(settings.data)):
        lead.append(caveat)
    frame = frames.trial_frame(study)
    costs = frames.cost_frame(frame, finalist_fit_frame(storage, study))
    sections = [
        Section("What was run", facts=study_facts(study, frame, costs["seconds"].sum(), url)),
        *history_sections(storage, study, frame, costs),
        *parameter_sections(study, frame),
        *(best_trial_sections if has_one_goal(study) else front_sections)(study, frame),
    ]
    if settings:
        sections.append(settings_section(settings))
    return Page(f"Study {study.study_name}", study_headline(study), lead, sections)


def settings_section(settings: StudySettings) -> Section:
    """Return the settings file that repeats a study."""
    note = "Save it as study.toml. `uv run run_study.py --config study.toml` repeats the study."
    code = format_config(study_sections(settings))
    return Section("Settings file", note, code=code)


def finalist_fit_frame(storage: RDBStorage, study: Study) -> pd.DataFrame | None:
    """Return the fits of a study's finalists as a trial frame, or None if there are none."""
    parts = [frames.trial_frame(finalists) for finalists in finalist_studies(storage, study)]
    return pd.concat(parts, ignore_index=True) if parts else None


def history_sections(
    storage: RDBStorage, study: Study, frame: pd.DataFrame, costs: pd.DataFrame
) -> list[Section]:
    """Return the sections on how the search went and what it cost."""
    random_searches = analysis.random_search_studies(storage, study)
    random_by_trial, random_by_cost = (
        analysis.best_so_far_frame(random_searches, by) for by in ("trial", "end")
    )
    by_trial = history_plots.history_plot(frames.progress_frame(frame, by="trial"), random_by_trial)
    by_cost = history_plots.history_plot(
        frames.progress_frame(frame), random_by_cost, against="cost", with_params=False
    )
    dotted = "" if random_by_cost.empty else " Dotted line: random search in the same space."
    return [
        Section(
            "Optimisation history",
            "Validation accuracy of every trial (of a pruned trial: the last reported one) and the "
            f"best so far, first by trial number, then by training time.{dotted}",
            figures=[by_trial, by_cost],
        ),
        Section(
            "Pruning" if has_one_goal(study) else "Learning curves",
            "Learning curve of every trial. The marker at its end shows how the trial ended.",
            figures=[history_plots.learning_curve_plot(frames.curve_frame(study))],
        ),
        Section(
            "Training time",
            "By state of the trials." + (FINALISTS_NOTE if has_one_goal(study) else ""),
            figures=[history_plots.cost_plot(costs)],
        ),
    ]


def best_trial_sections(study: Study, frame: pd.DataFrame) -> list[Section]:
    """Return the sections on the best trials."""
    note = "Complete trials only."
    if finalist_accuracies(study):
        note = (
            "“As a finalist”: mean (lowest–highest) accuracy of its fits with new seeds on new "
            "validation episodes. The highest mean of these fits and the fit in the search is too "
            "high on average, because it is the highest."
        )
    if gain := stored_gain(study):
        note += f" {gain}"
    pareto = history_plots.pareto_plot(frames.pareto_frame(frame))
    return [
        Section(
            "Accuracy against cost",
            FRONT_NOTE,
            figures=[pareto],
        ),
        Section(f"The best {N_BEST_SHOWN} trials", note, table=best_table(study, frame)),
    ]


def front_sections(study: Study, frame: pd.DataFrame) -> list[Section]:
    """Return the sections on the Pareto front and the most accurate trials of two goals."""
    note = (
        f"{FRONT_NOTE} The accuracies on the front are too high on average, because they are the "
        "highest of many noisy values. `uv run retrain_best.py --trial N` refits a trial."
    )
    pareto = history_plots.pareto_plot(frames.pareto_frame(frame))
    return [
        Section("Pareto front", note, figures=[pareto], table=front_table(study)),
        Section(f"The {N_BEST_SHOWN} most accurate trials", table=best_table(study, frame)),
    ]
