"""A study on a terminal, for those who look at it over ssh."""

from collections import Counter
from datetime import datetime

from optuna.storages import RDBStorage
from optuna.study import Study
from optuna.trial import TrialState

from data.text import hide_password
from hpo.report.study import frames
from hpo.report.study.history_plots import format_value
from hpo.report.study.text import study_headline
from hpo.runtime.requeue import is_orphan
from hpo.search.winner import winning_trial
from hpo.study.budget import N_TRIALS
from hpo.study.trials import STATES, best_trials, trial_attributes


def orphans(study: Study) -> set[int]:
    """Return the numbers of the trials whose process, of this host, is gone."""
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    return {trial.number for trial in running if is_orphan(trial)}


def outlook(study: Study, left: int, now: datetime) -> str:
    """Return the rate of the latest trials, and how long the rest takes at that rate."""
    frame = frames.trial_frame(study)
    rate = frames.trials_per_hour(frame[~frame["trial"].isin(orphans(study))], now)
    if rate is None:
        return "too few trials have ended"
    text = f"{rate:.0f} trials an hour" if rate >= 10 else f"{rate:.1f} trials an hour"
    return f"{text} · about {60 * left / rate:.0f} min for the {left} left" if left > 0 else text


def status_text(storage: RDBStorage, study: Study, url: str) -> str:
    """Return counts by state, trials under way, rate, time left, and the best trial."""
    frame = frames.trial_frame(study)
    counts = Counter(frame["state"])
    shown = " · ".join(f"{counts[s]} {s}" for s in STATES if counts[s]) or "no trial yet"
    wanted = int(study.user_attrs.get(N_TRIALS, 0))
    ended = sum(counts[state] for state in ("complete", "pruned", "diverged", "failed"))
    lines = [
        f"study    {study.study_name} in {hide_password(url)}",
        f"trials   {shown}" + (f" · {wanted} asked for" if wanted else ""),
        f"rate     {outlook(study, wanted - ended, datetime.now())}",
    ]
    running = frame[frame["state"] == "running"]
    curves, gone = frames.curve_frame(study), orphans(study)
    for number in running["trial"]:
        each = curves[curves["trial"] == number]
        last = f" · {each['accuracy'].iloc[-1]:.1%}" if len(each) else ""
        last += " · its process is gone; run_study.py takes it up" if number in gone else ""
        lines.append(f"running  trial {number} · {len(each)} epochs{last}")
    lines.append(study_headline(study))
    return "\n".join([*lines, *_best(study)])


def _best(study: Study) -> list[str]:
    """Return the parameters of the winner, else of the best trial, as a table of layers."""
    best = [winning_trial(study) or trial for trial in best_trials(study, 1)]
    if not best or trial_attributes(best[0]).get("diverged"):
        return []
    params = best[0].params
    layers = list(dict.fromkeys(name.partition(".")[0] for name in params))
    kinds = list(dict.fromkeys(name.partition(".")[2] for name in params))
    rows = [["", *kinds]]
    rows += [[x, *(format_value(params.get(f"{x}.{kind}", "–")) for kind in kinds)] for x in layers]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "         " + "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
