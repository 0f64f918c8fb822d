"""What run_study.py prints before and after its trials."""

from collections import Counter
from dataclasses import asdict

import optuna
from optuna.trial import TrialState

from data.errors import hide_password
from hpo.owner import OWNER
from hpo.storage import open_storage, storage_errors
from hpo.study import best_trial, count_ended
from hpo.workers import Job


def print_start(job: Job) -> None:
    """Print which study is started or resumed, and with which settings."""
    settings = asdict(job.settings)
    shown = {n: " ".join(v) if isinstance(v, tuple) else v for n, v in settings.items()}
    print(f"study    {job.study_name} in {hide_password(job.storage)}")
    print("settings " + " · ".join(f"{name} {value}" for name, value in shown.items()), flush=True)
    if job.settings.data == "glyphs":
        print(
            "note     these are the built-in glyphs, not Omniglot: no figure compares to the paper"
        )


def print_summary(job: Job, seconds: float) -> None:
    """Print how many trials ended, which is best and what can be done next."""
    with storage_errors(job.storage):
        study = optuna.load_study(storage=open_storage(job.storage), study_name=job.study_name)
        counts = Counter(trial.state.name.lower() for trial in study.get_trials(deepcopy=False))
        ended, best = count_ended(study), best_trial(study)
        running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    states = ", ".join(f"{n} {state}" for state, n in sorted(counts.items()))
    finished = ended >= job.n_trials
    print(
        f"{'finished' if finished else 'paused'}: {ended} of {job.n_trials} trials ({states}), "
        f"{seconds / 60:.1f} min in this run"
    )
    if best is not None:
        print(f"best     trial {best.number}: {best.value:.1%} of the validation episodes")
        for name, value in best.params.items():
            print(f"         {name:15} {value:.4g}")
    if finished:
        print("The study is finished; a larger --n-trials goes on with it.")
    else:
        for trial in running:
            host, pid, _ = trial.user_attrs.get(OWNER, ("an unknown host", "?", ""))
            print(f"waiting  trial {trial.number} is running on {host} (process {pid})")
        print("Run the same command again to go on.")
    print("next     uv run dashboard.py · uv run retrain_best.py")
