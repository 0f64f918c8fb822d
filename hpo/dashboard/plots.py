"""Notes and plots that a study shows in the live dashboard.

Both are stored in the database of the study: a note on every ended trial (why it ended and its
cost) and up to three plots of the study.
"""

import warnings

import plotly.graph_objects as go
from optuna.exceptions import ExperimentalWarning
from optuna.study import Study
from optuna_dashboard import save_plotly_graph_object

from hpo.report.study import analysis, frames, history_plots, parameter_plots
from hpo.report.study.text import format_value
from hpo.study.optuna_internals import load_trial_notes, save_trial_note
from hpo.study.trials import TrialSummary, summarize_trials

# Version of the notes that we write; optuna-dashboard increases it at every edit by a user.
NOTE_VERSION = 1
MAX_TRIALS = 200  # trials in a plot, which is stored in the database and loaded with every page
MAX_PARAMETERS = 12
FRAME_HEIGHT = 440  # pixels; the dashboard crops taller plots


def save_dashboard(study: Study) -> None:
    """Save the notes and plots of a study in its storage, and replace the earlier ones."""
    save_notes(study)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # set_metric_names is experimental
        study.set_metric_names([history_plots.VALUE, history_plots.COST][: len(study.directions)])
    for number, (title, figure) in enumerate(dashboard_figures(study).items()):
        title_layout = {"text": title, "font": {"size": 15}}
        figure.update_layout(title=title_layout, height=FRAME_HEIGHT, margin={"t": 96})
        save_plotly_graph_object(study, figure, graph_object_id=f"siamese-{number}")


def save_notes(study: Study) -> None:
    """Save the notes of the ended trials; a note that a user has edited is not changed."""
    trials, notes = study.get_trials(deepcopy=False), load_trial_notes(study)
    for summary in summarize_trials(study):
        if summary.state not in frames.ENDED_STATES:
            continue
        (version, stored), text = notes[summary.number], trial_note(summary)
        if version <= NOTE_VERSION and stored != text:  # the note changes when its trial is retried
            save_trial_note(study, trials[summary.number], text, NOTE_VERSION)


def trial_note(summary: TrialSummary) -> str:
    """Return the note on an ended trial as Markdown."""
    first = f"**{summary.state}** · {summary.reason}"
    if summary.retried_as is not None:
        first += f" Retried as trial {summary.retried_as}."
    paragraphs = [first]
    if summary.retry_of is not None:
        paragraphs.append(f"Retry of trial {summary.retry_of}.")
    if summary.accuracies and summary.state != "diverged":
        best, n_epochs = max(summary.accuracies.values()), len(summary.accuracies)
        epochs = f"{n_epochs} epoch{'s' * (n_epochs > 1)}"
        paragraphs.append(f"Best of {epochs}: {best:.1%} validation accuracy.")
    if cost := summary.cost:
        paragraphs.append(
            f"Cost: {cost.seconds:.0f} s on {cost.device} for {cost.n_images:,} training images; "
            f"{cost.n_parameters:,} weights, {cost.flops_per_image / 1e6:.1f} MFLOP per image."
        )
    rows = [f"| {name} | {format_value(value)} |" for name, value in summary.params.items()]
    paragraphs.append("\n".join(["| parameter | value |", "|---|---|", *rows]))
    return "\n\n".join(paragraphs)


def dashboard_figures(study: Study) -> dict[str, go.Figure]:
    """Return the plots of a study by title; a plot that would be empty is left out."""
    frame = frames.trial_frame(study)
    progress, best = frames.progress_frame(frame), frames.best_rows(frame)
    figures = {
        "Progress against training time": history_plots.history_plot(
            progress.tail(MAX_TRIALS), against="cost", with_params=False
        )
    }
    if not (rates := frames.layer_rate_frame(best)).empty:
        title = f"Learning rates and momenta of the {len(best)} best trials"
        figures[title] = parameter_plots.layer_rate_plot(rates)
    if not (importance := analysis.importance_frame(study).head(MAX_PARAMETERS)).empty:
        figures["Importance of the parameters (PED-ANOVA)"] = parameter_plots.importance_plot(
            importance, len(analysis.ranked_trials(study))
        )
    return figures
