"""An Optuna study: settings and identity, storage, sampler, pruner, budget and trials."""

__all__ = ["budget", "open", "optuna_internals", "sampler", "settings", "storage", "trials"]
