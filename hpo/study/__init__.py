"""An Optuna study: settings and identity, storage, sampler, pruner, budget and trials."""

__all__ = ["budget", "open", "sampler", "settings", "storage", "trials"]
