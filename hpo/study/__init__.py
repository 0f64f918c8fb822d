"""An Optuna study: settings and identity, storage, sampler, pruner, budget and trials."""

__all__ = [
    "base_config",
    "budget",
    "config_file",
    "config_text",
    "dataset",
    "identity",
    "open",
    "optuna_internals",
    "sampler",
    "sections",
    "setting_types",
    "settings",
    "storage",
    "trials",
]
