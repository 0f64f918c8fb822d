"""A note on every ended trial: what came of it, why, and what it cost.

What a study shows of itself in the live dashboard: notes on its trials, and three figures.

When what a study shows of itself in the live dashboard is drawn anew."""

import warnings

import plotly.graph_objects as go
from optuna.exceptions import ExperimentalWarning
from optuna.study import Study
from optuna.trial import FrozenTrial
from optuna_dashboard import save_plotly_graph_object
from optuna_dashboard._note import get_note_from_system_attrs, save_note_with_version

from hpo.report.study import analysis, frames, history_plots, pair_plots, parameter_plots
from hpo.report.study.history_plots import format_value
from hpo.study.trials import retry_numbers, state_of, trial_attributes

REASONS = {
    "complete": "It ran to its end.",
    "pruned": "The pruner found it hopeless beside earlier trials.",
    "interrupted": "Its process ended, and it was put back into the queue.",
    "failed": "It failed, and is not tried again; see what run_study.py printed.",
    "diverged": "Its fit could not learn ({why}); it counts as chance.",
}

NOT_BEGUN = "It was not begun: all had been given out."


def trial_note(trial: FrozenTrial, again: dict[int, int]) -> str:
    """Return a trial's note, as Markdown in which names and values are data."""
    state, attrs = state_of(trial, again), trial_attributes(trial)
    why = REASONS[state] if trial.intermediate_values or state != "pruned" else NOT_BEGUN
    lines = [f"**{state}** · " + why.format(why=attrs.get("diverged"))]
    if trial.number in again:
        lines[0] += f" It goes on as trial {again[trial.number]}."
    if "retry_of" in attrs:
        lines.append(f"It goes on with trial {attrs['retry_of']}.")
    if trial.intermediate_values:
        best = max(trial.intermediate_values.values())
        n = len(trial.intermediate_values)
        lines.append(f"Best of {n} epochs: {best:.1%} of the validation episodes.")
    if "device" in attrs:  # the last of its facts that a trial writes down
        cost = f"{attrs['seconds']:.0f} s on {attrs['device']}, {attrs['n_images']:,} images"
        size = f"{attrs['n_parameters']:,} weights, {attrs['flops_per_image'] / 1e6:.1f} MFLOP"
        lines.append(f"Cost: {cost}; {size} per image.")
    lines.append("| parameter | value |\n|---|---|")
    table = "\n".join(f"| {name} | {format_value(value)} |" for name, value in trial.params.items())
    return "\n\n".join(lines) + ("\n" + table if table else "")


def save_notes(study: Study) -> None:
    """Write the notes of the ended trials that have none; a person's own stays as it is."""
    trials = study.get_trials(deepcopy=False)
    again, storage = retry_numbers(study), study._storage
    written = storage.get_study_system_attrs(study._study_id)
    for trial in trials:
        if not trial.state.is_finished():
            continue
        there, text = get_note_from_system_attrs(written, trial._trial_id), trial_note(trial, again)
        # Ours has version 1, a person's a higher one. What came of a trial may be known late.
        if there["version"] <= 1 and there["body"] != text:
            save_note_with_version(storage, study._study_id, trial._trial_id, 1, text)


MAX_TRIALS = 200  # trials in a figure: it lies in the database, and every page loads it

MAX_PARAMETERS = 12

FRAME_HEIGHT = 440  # pixels of the dashboard's frame, which cuts off the rest


def dashboard_figures(study: Study) -> dict[str, go.Figure]:
    """Return the study's figures by title."""
    frame = frames.trial_frame(study)
    went = frames.progress_frame(frame)
    good = frames.best_rows(frame)
    n_complete = int(frame["state"].isin(["complete", "diverged"]).sum())
    return {
        "Progress against training time": history_plots.history_plot(
            went.tail(MAX_TRIALS), against="cost", full=False
        ),
        f"Learning rates and momenta of the {len(good)} best trials": pair_plots.layer_rate_plot(
            frames.layer_rate_frame(good)
        ),
        "Importance of the parameters (PED-ANOVA)": parameter_plots.importance_plot(
            analysis.importance_frame(study).head(MAX_PARAMETERS), n_complete
        ),
    }


def save_dashboard(study: Study) -> None:
    """Write the notes and figures into the study's storage, over what was there."""
    save_notes(study)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # names of values are called so
        study.set_metric_names([history_plots.VALUE])
    for number, (title, figure) in enumerate(dashboard_figures(study).items()):
        title_of = {"text": title, "font": {"size": 15}}
        figure.update_layout(title=title_of, height=FRAME_HEIGHT, margin={"t": 96})
        save_plotly_graph_object(study, figure, graph_object_id=f"siamese-{number}")
