"""An Optuna study: identity, data, storage, sampler, pruner, budget and trials."""

__all__ = [
    "budget",
    "dataset",
    "generations",
    "goals",
    "identity",
    "leaks",
    "open",
    "optuna_internals",
    "plan",
    "points",
    "sampler",
    "storage",
    "trials",
]
