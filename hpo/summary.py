"""What run_study.py prints before and after its trials."""

import shlex
from collections import Counter
from dataclasses import asdict
from statistics import mean

from optuna.study import Study
from optuna.trial import TrialState

from data.errors import hide_password
from hpo.budget import count_finished
from hpo.console import DEFAULT_STORAGE
from hpo.finalists import finalist_accuracies, describe_value, winning_trial
from hpo.job import RunConfig
from hpo.keeping import trial_files
from hpo.owner import worker_of
from hpo.storage import storage_errors
from hpo.study import default_study_name
from hpo.trials import best_trials
from hpo.wording import data_caveat


def print_start(job: RunConfig) -> None:
    """Print which study is started or resumed, and with which settings."""
    settings = asdict(job.settings)
    shown = {n: " ".join(v) if isinstance(v, tuple) else v for n, v in settings.items()}
    print(f"study    {job.study_name} in {hide_password(job.storage)}")
    print("settings " + " · ".join(f"{name} {value}" for name, value in shown.items()), flush=True)
    if said := data_caveat(job.settings.data):
        print(f"note     {said}")


def print_summary(study: Study, job: RunConfig, seconds: float) -> None:
    """Print how many trials ended, which won and what can be done next."""
    with storage_errors(job.storage):
        counts = Counter(trial.state.name.lower() for trial in study.get_trials(deepcopy=False))
        ended, wanted = count_finished(study), job.budget.n_trials
        states = ", ".join(f"{n} {state}" for state, n in sorted(counts.items()))
        print(
            f"{'finished' if ended >= wanted else 'paused'}: {ended} of {wanted} trials "
            f"({states}), {seconds / 60:.1f} min in this run"
        )
        _print_finalists(study)
        _print_winner(study)
        print(f"kept     {trial_files(study, job.var).describe()}")
        _print_next(study, job, finished=ended >= wanted)


def _print_finalists(study: Study) -> None:
    """Print what the finalists came to, if they have been fitted since the search ended."""
    if winning_trial(study) is None:
        return
    print("finalists, fitted again with fresh seeds and asked fresh validation episodes:")
    for number, each in sorted(finalist_accuracies(study).items(), key=lambda item: -mean(item[1])):
        values = ", ".join(f"{value:.1%}" for value in each)
        print(f"         trial {number:>3} · mean {mean(each):.1%} ({values})")


def _print_winner(study: Study) -> None:
    for trial in [winning_trial(study) or t for t in best_trials(study, 1)]:
        won = "winner" if winning_trial(study) else "best"
        print(f"{won:8} trial {trial.number}: {describe_value(study, trial)}")
        for name, value in trial.params.items():
            print(f"         {name:15} {value:.4g}")


def _print_next(study: Study, job: RunConfig, *, finished: bool) -> None:
    if finished:
        print("The study is finished; a larger --n-trials goes on with it.")
    else:
        for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            host, pid, _ = worker_of(trial)
            print(f"waiting  trial {trial.number} is running on {host} (process {pid})")
        print("Run the same command again to go on.")
    print(f"next     {' · '.join(next_commands(job))}")


def next_commands(job: RunConfig) -> list[str]:
    """Return what looks at a study and what refits its winner, with the flags that name them."""
    flags = []
    if job.storage != DEFAULT_STORAGE:
        flags += ["--storage", hide_password(job.storage)]
    if job.study_name != default_study_name(job.settings):
        flags += ["--study-name", job.study_name]
    where = ["--data-root", str(job.data_root)] if job.data_root else []
    return [
        shlex.join(["uv", "run", "dashboard.py", *flags]),
        shlex.join(["uv", "run", "retrain_best.py", *flags, *where]),
    ]
