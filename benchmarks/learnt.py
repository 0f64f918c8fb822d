"""Findings of a study: important parameters, the values of its best trials, accuracy by cost.

``uv run benchmarks/learnt.py`` reads ``study.db``, or the reference study if there is none.
"""

import pandas as pd
from harness import compute_from, finish, parser
from optuna.study import Study
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from hpo.cli.entry_point import run_command
from hpo.cli.flags import add_storage
from hpo.report.study import analysis, frames
from hpo.study.open import open_stored_study, storage_or_reference

N_PARAMETERS = 8  # in the table
COST_CLASSES = 3


def importances(study: Study) -> pd.DataFrame:
    """Return the most important parameters, formatted."""
    found = analysis.importance_frame(study).head(N_PARAMETERS)
    return found.assign(importance=[f"{share:.1%}" for share in found["importance"]])


def values_of_the_good(good: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Return the values of each parameter over the best trials.

    Args:
        good: rows of the trials.
        names: names of the parameters.

    Returns:
        Median, least and most of numbers; of choices, the most frequent one as the median.
    """
    rows = []
    for name in names:
        values = good[name]
        if is_numeric_dtype(values) and not is_bool_dtype(values):
            shown = [_shown(number) for number in (values.median(), values.min(), values.max())]
        else:
            shown = [str(values.mode()[0]), "", ""]
        rows.append(
            dict(zip(("parameter", "median", "least", "most"), (name, *shown), strict=True))
        )
    return pd.DataFrame(rows)


def _shown(value: float) -> str:
    return f"{value:.0f}" if value >= 1000 else f"{value:.3g}"


def by_cost(frame: pd.DataFrame) -> pd.DataFrame:
    """Return best and median accuracy of the complete trials, by classes of FLOPs."""
    done = frame[frame["state"] == "complete"]
    if len(done) < COST_CLASSES:
        return pd.DataFrame()
    cost_class = pd.qcut(done["flops"].rank(method="first"), COST_CLASSES, labels=False)
    return pd.DataFrame([cost_row(group) for _, group in done.groupby(cost_class)])


def cost_row(group: pd.DataFrame) -> dict[str, object]:
    """Return the row of one class of trials."""
    least, most = group["flops"].min() / 1e6, group["flops"].max() / 1e6
    return {
        "MFLOPs per image": f"{least:.0f}–{most:.0f}",
        "complete trials": len(group),
        "best": f"{group['value'].max():.1%}",
        "median": f"{group['value'].median():.1%}",
    }


def finalists(study: Study) -> pd.DataFrame:
    """Return the values of the finalists in the search and after refitting."""
    scores = frames.finalist_frame(study)
    values = {trial.number: trial.value for trial in study.get_trials(deepcopy=False)}
    return pd.DataFrame(
        {
            "trial": scores["trial"],
            "as a trial": [f"{values[number]:.1%}" for number in scores["trial"]],
            "refitted": [f"{mean:.1%}" for mean in scores["mean"]],
            "fits": scores["n"],
        }
    )


def main() -> None:
    """Print and write the tables."""
    flags = parser(__doc__)
    add_storage(flags)
    args = flags.parse_args()
    with open_stored_study(storage_or_reference(args.storage), args.study_name) as (_, study, _):
        frame = frames.trial_frame(study)
        good = frames.best_rows(frame)
        states = frame["state"].value_counts().rename_axis("state").reset_index(name="trials")
        tables = {
            "Trials": states,
            "Finalists": finalists(study),
            "Importance (PED-ANOVA)": importances(study),
            f"The {len(good)} best trials": values_of_the_good(good, frames.parameter_names(frame)),
            "Accuracy against cost": by_cost(frame),
        }
    finish(args, compute_from(args), tables)


if __name__ == "__main__":
    run_command(main, "Run the same command again to start over.")
