"""What the trials of a study changed against its default, and what that did."""

import math
from typing import Any

from optuna.study import Study

from hpo.report.study.analysis import ranked_trials
from hpo.report.study.text import format_value
from hpo.study.trials import TrialSummary, position_in_study, summarize_trials

N_TRIALS_SHOWN, N_CHANGES_SHOWN = 20, 8
SHOWN_STATES = ("complete", "pruned", "diverged")
HEADER = ["trial", "state", "epochs", "accuracy", "default then", "changes"]


def change_table(study: Study) -> list[list[str]]:
    """Return the trials that trained longest, best first, with their changes against the default.

    “default then” is the accuracy of the default after as many epochs. The table is empty if no
    trial but the default has ended.

    Args:
        study: study of the report.
    """
    trials = study.get_trials(deepcopy=False)
    summaries = [s for s in summarize_trials(study) if s.state in SHOWN_STATES]
    is_default = [position_in_study(trials, s.number) == 0 for s in summaries]
    others = [s for s, is_first in zip(summaries, is_default, strict=True) if not is_first]
    if True not in is_default or not others:
        return []
    default = summaries[is_default.index(True)]
    order = [trial.number for trial in ranked_trials(study)]
    shown = sorted(others, key=lambda summary: order.index(summary.number))[:N_TRIALS_SHOWN]
    return [HEADER, *(_row(summary, default) for summary in shown)]


def _row(summary: TrialSummary, default: TrialSummary) -> list[str]:
    n_epochs = max(summary.accuracies, default=0)
    then = [accuracy for epoch, accuracy in default.accuracies.items() if epoch <= n_epochs]
    if summary.state == "pruned":  # its accuracy is that of its last epoch
        then = then[-1:]
    return [
        str(summary.number),
        summary.state,
        str(n_epochs),
        "–" if summary.value is None else f"{summary.value:.1%}",
        f"{max(then):.1%}" if then else "–",
        describe_changes(default.params, summary.params),
    ]


def describe_changes(default: dict[str, Any], params: dict[str, Any]) -> str:
    """Return the parameters that differ as text, for example ``lr 0.1 → 0.05, width 0.5 → 0.7``.

    Args:
        default: value by parameter name.
        params: other values of the same parameters.
    """
    changes = [
        f"{name} {format_value(default[name])} → {format_value(value)}"
        for name, value in params.items()
        if name in default and not _is_equal(value, default[name])
    ]
    hidden = len(changes) - N_CHANGES_SHOWN
    more = [f"{hidden} more"] if hidden > 0 else []
    return ", ".join([*changes[:N_CHANGES_SHOWN], *more]) or "none"


def _is_equal(value: Any, other: Any) -> bool:
    if isinstance(value, float) and isinstance(other, float):
        return math.isclose(value, other, rel_tol=1e-6)
    return bool(value == other)
