"""Findings of a study: the lengths of its trials, important parameters, values of its best trials.

``uv run benchmarks/learnt.py`` reads ``study.db``, or the reference study if there is none.
"""

import pandas as pd
from harness import compute_from, finish, parser
from optuna.study import Study
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from hpo.cli.entry_point import run_command
from hpo.cli.flags import add_storage
from hpo.report.study import analysis, frames
from hpo.report.study.changes import change_table
from hpo.study.open import open_stored_study, storage_or_reference
from hpo.study.trials import accuracy_of, default_trial, summarize_trials

N_PARAMETERS = 8  # in the table
N_BEST = 5  # trials whose values are shown
N_CHANGED = 10  # trials whose changes are shown


def importances(study: Study) -> pd.DataFrame:
    """Return the most important parameters, formatted."""
    frame = analysis.importance_frame(study).head(N_PARAMETERS)
    return frame.assign(importance=[f"{share:.1%}" for share in frame["importance"]])


def values_of_the_good(good: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Return the values of each parameter over the best trials.

    Args:
        good: rows of the trials.
        names: names of the parameters.

    Returns:
        Median, lowest and highest of numbers; of choices, the most frequent one as the median.
    """
    rows = []
    for name in names:
        values = good[name]
        if is_numeric_dtype(values) and not is_bool_dtype(values):
            shown = [_shown(number) for number in (values.median(), values.min(), values.max())]
        else:
            shown = [str(values.mode()[0]), "", ""]
        rows.append(
            dict(zip(("parameter", "median", "lowest", "highest"), (name, *shown), strict=True))
        )
    return pd.DataFrame(rows)


def _shown(value: float) -> str:
    return f"{value:.0f}" if value >= 1000 else f"{value:.3g}"


def lengths(study: Study) -> pd.DataFrame:
    """Return how many trials were trained for each number of epochs at which one ended.

    ``"best"`` is the highest accuracy after so many epochs, ``"default"`` that of the default.
    """
    curves = [s.accuracies for s in summarize_trials(study) if s.state in ("complete", "pruned")]
    default = default_trial(study)
    of_default = default.intermediate_values if default else {}
    rows = []
    for n_epochs in sorted({max(curve) for curve in curves}):
        values = [curve[n_epochs] for curve in curves if n_epochs in curve]
        expected = f"{of_default[n_epochs]:.1%}" if n_epochs in of_default else "–"
        rows.append((n_epochs, len(values), f"{max(values):.1%}", expected))
    return pd.DataFrame(rows, columns=["epochs", "trials", "best", "default"])


def changes(study: Study) -> pd.DataFrame:
    """Return the trials that trained longest, with what they changed of the default."""
    header, *rows = change_table(study) or [[]]
    return pd.DataFrame(rows[:N_CHANGED], columns=header)


def finalists(study: Study) -> pd.DataFrame:
    """Return the values of the finalists in the search and after refitting."""
    scores = frames.finalist_frame(study)
    values = {trial.number: accuracy_of(trial) for trial in study.get_trials(deepcopy=False)}
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
        best = [trial.number for trial in analysis.ranked_trials(study)[:N_BEST]]
        good = frame[frame["trial"].isin(best)]
        states = frame["state"].value_counts().rename_axis("state").reset_index(name="trials")
        tables = {
            "Trials": states,
            "Lengths": lengths(study),
            "Finalists": finalists(study),
            "Importance (PED-ANOVA)": importances(study),
            f"The {len(good)} best trials": values_of_the_good(good, frames.parameter_names(frame)),
            "Changes of the default": changes(study),
        }
    finish(args, compute_from(args), tables)


if __name__ == "__main__":
    run_command(main, "Run the same command again to start over.")
