"""The Optuna study: its space, objective, storage, workers and what it recorded."""
