"""What a study shows of itself in the live dashboard: notes on its trials, and three figures."""

import warnings

import plotly.graph_objects as go
from optuna.exceptions import ExperimentalWarning
from optuna.study import Study
from optuna_dashboard import save_plotly_graph_object

from hpo import analysis, figures, maps, records, space_figures
from hpo.notes import save_notes

MAX_TRIALS = 200  # trials in a figure: it lies in the database, and every page loads it
MAX_PARAMETERS = 12
FRAME_HEIGHT = 440  # pixels of the dashboard's frame, which cuts off the rest


def dashboard_figures(study: Study) -> dict[str, go.Figure]:
    """Return the study's figures by title."""
    frame = records.trial_frame(study)
    went = records.progress_frame(frame)
    good = records.best_rows(frame)
    n_complete = int(frame["state"].isin(["complete", "died"]).sum())
    return {
        "Progress against training time": figures.history_plot(
            went.tail(MAX_TRIALS), against="cost", full=False
        ),
        f"Learning rates and momenta of the {len(good)} best trials": maps.layer_rate_plot(
            records.layer_rate_frame(good)
        ),
        "Importance of the parameters (PED-ANOVA)": space_figures.importance_plot(
            analysis.importance_frame(study).head(MAX_PARAMETERS), n_complete
        ),
    }


def save_dashboard(study: Study) -> None:
    """Write the notes and figures into the study's storage, over what was there."""
    save_notes(study)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # names of values are called so
        study.set_metric_names([figures.VALUE])
    for number, (title, figure) in enumerate(dashboard_figures(study).items()):
        title_of = {"text": title, "font": {"size": 15}}
        figure.update_layout(title=title_of, height=FRAME_HEIGHT, margin={"t": 96})
        save_plotly_graph_object(study, figure, graph_object_id=f"siamese-{number}")
