"""What a study shows of itself in the live dashboard: notes on its trials, and three figures."""

import warnings

import plotly.graph_objects as go
from optuna.exceptions import ExperimentalWarning
from optuna.study import Study
from optuna_dashboard import save_plotly_graph_object

from hpo import analysis, figures, maps, records, space_figures
from hpo.notes import save_notes

MOST = 200  # trials in a figure: it lies in the database, and every page loads it
MOST_PARAMETERS = 12
HEIGHT = 440  # pixels of the dashboard's frame, which cuts off the rest


def cards(study: Study) -> dict[str, go.Figure]:
    """Return the study's figures by title."""
    frame = records.trials(study)
    went = records.progress(frame)
    good = records.good(frame)
    n_complete = int(frame["state"].isin(["complete", "died"]).sum())
    return {
        "Progress against training time": figures.history(
            went.tail(MOST), against="cost", full=False
        ),
        f"Learning rates and momenta of the {len(good)} best trials": maps.layer_rates(
            records.layer_rates(good)
        ),
        "Importance of the parameters (PED-ANOVA)": space_figures.importances(
            analysis.importances(study).head(MOST_PARAMETERS), n_complete
        ),
    }


def save_cards(study: Study) -> None:
    """Write the notes and figures into the study's storage, over what was there."""
    save_notes(study)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # names of values are called so
        study.set_metric_names([figures.VALUE])
    for number, (title, figure) in enumerate(cards(study).items()):
        title_of = {"text": title, "font": {"size": 15}}
        figure.update_layout(title=title_of, height=HEIGHT, margin={"t": 96})
        save_plotly_graph_object(study, figure, graph_object_id=f"siamese-{number}")
