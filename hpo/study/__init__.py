"""An Optuna study: identity, data, storage, sampler, pruner, budget and trials."""

__all__ = [
    "budget",
    "dataset",
    "goals",
    "identity",
    "open",
    "optuna_internals",
    "sampler",
    "storage",
    "trials",
]
