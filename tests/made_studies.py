"""Studies written by hand, whose trials did not train."""

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState, create_trial

from hpo.settings.study_settings import StudySettings
from hpo.space.distributions import search_space
from hpo.space.files import built_in_space
from hpo.study.open import IDENTITY
from hpo.study.sampler import local_arguments
from hpo.study.trials import RETRY_OF

SETTINGS = StudySettings(space=built_in_space("paper"))
SPACE = search_space(SETTINGS.space, SETTINGS.image_size)
START = datetime(2026, 1, 1)


def study(name: str = "made", storage: Any = None, **settings: Any) -> optuna.Study:
    """A study without trials, with an identity like those of run_study.py."""
    directions = StudySettings(objective=tuple(settings.get("objective", ["accuracy"]))).directions
    new = optuna.create_study(study_name=name, storage=storage, directions=directions)
    all_settings: dict[str, Any] = {
        "data": "omniglot",
        "validation": "dense",
        "sampler": "tpe",
        "pruner": "median",
        "seed": 0,
        "search": ["lr", "momentum", "l2", "filters", "kernels", "units"],
        **settings,
    }
    identity = {
        "settings": all_settings,
        "data_digest": "0" * 64,
        "train_alphabets": ["Latin"],
        "val_alphabets": ["ULOG"] * 10,
        "local": local_arguments(all_settings["sampler"]),
    }
    new.set_user_attr(IDENTITY, identity)
    return new


def trial(
    state: str,
    accuracies: list[float],
    seed: int = 0,
    minute: int = 0,
    *,
    n_goals: int = 1,
    **attrs: Any,
) -> FrozenTrial:
    """A trial with random parameters; its value is that of the best epoch, its fit took 30 s."""
    rng = np.random.default_rng(seed)
    params = {name: d.to_external_repr(_draw(d, rng)) for name, d in SPACE.items()}
    cost: dict[str, Any] = {
        "seconds": 30.0,
        "flops_per_image": 1e6 * (1 + seed),
        "diverged": None,
        "n_images": 10,
        "n_parameters": 5,
        "device": "cpu float32",
    }
    has_cost = state in ("COMPLETE", "PRUNED")  # stored when a fit has ended
    is_complete = state == "COMPLETE"
    new = create_trial(
        state=TrialState[state],
        values=[max(accuracies), cost["flops_per_image"]][:n_goals] if is_complete else None,
        params=params if state != "WAITING" else {},
        distributions=SPACE if state != "WAITING" else {},
        intermediate_values=dict(enumerate(accuracies, start=1)),
        user_attrs=cost | attrs if has_cost else attrs,
    )
    new.datetime_start = START + timedelta(minutes=minute)
    if new.state.is_finished():
        new.datetime_complete = new.datetime_start + timedelta(minutes=1)
    return new


def _draw(d: Any, rng: np.random.Generator) -> float:
    if isinstance(d, optuna.distributions.IntDistribution):
        return float(rng.integers(0, (d.high - d.low) // d.step + 1) * d.step + d.low)
    if d.log:
        return float(np.exp(rng.uniform(np.log(d.low), np.log(d.high))))
    return float(rng.uniform(d.low, d.high))


def mixed(name: str = "made", storage: Any = None) -> optuna.Study:
    """A study with a trial of every kind; trial 4 retries trial 3, which was interrupted."""
    new = study(name, storage)
    new.add_trials(
        [
            trial("COMPLETE", [0.5, 0.7], seed=0, minute=0),
            trial("PRUNED", [0.2], seed=1, minute=1),
            trial("COMPLETE", [0.05], seed=2, minute=2, diverged="collapsed"),
            trial("FAIL", [0.3], seed=3, minute=3),
            trial("COMPLETE", [0.3, 0.8], seed=3, minute=4, **{RETRY_OF: 3}),
            trial("FAIL", [], seed=5, minute=5),
            trial("COMPLETE", [0.4, 0.6], seed=6, minute=6),
            trial("COMPLETE", [0.4, 0.65], seed=7, minute=7),
            trial("RUNNING", [0.1], seed=8, minute=8),
        ]
    )
    return new


def two_goals(name: str = "two goals", storage: Any = None) -> optuna.Study:
    """A study of two goals; the trials 1, 0 and 4, a retry of trial 3, are its Pareto front."""
    new = study(name, storage, objective=["accuracy", "flops"], pruner="none")
    states: list[tuple[str, list[float], int, dict[str, Any]]] = [
        ("COMPLETE", [0.5, 0.7], 3, {}),
        ("COMPLETE", [0.6], 1, {}),
        ("COMPLETE", [0.05], 0, {"diverged": "collapsed"}),
        ("FAIL", [0.3], 5, {}),
        ("COMPLETE", [0.3, 0.8], 5, {RETRY_OF: 3}),
        ("COMPLETE", [0.4, 0.65], 4, {}),
        ("COMPLETE", [0.7, 0.6], 3, {}),
        ("RUNNING", [0.1], 8, {}),
    ]
    for minute, (state, accuracies, seed, attrs) in enumerate(states):
        new.add_trial(trial(state, accuracies, seed, minute, n_goals=2, **attrs))
    return new


def large(n: int, states: tuple[str, ...] = ("COMPLETE", "PRUNED", "PRUNED")) -> optuna.Study:
    """A study of ``n`` trials, in these states by turns."""
    new, rng = study("large"), np.random.default_rng(0)
    for i in range(n):
        state = states[i % len(states)]
        n_epochs = 8 if state == "COMPLETE" else 3
        new.add_trial(trial(state, list(rng.uniform(0.05, 0.9, n_epochs)), seed=i, minute=i))
    return new
