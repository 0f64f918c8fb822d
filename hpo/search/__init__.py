"""The search: the objective, the files of its trials, and the choice of the winner."""

__all__ = [
    "choice",
    "configuration",
    "finalist_objective",
    "finalists",
    "kept_networks",
    "networks",
    "objective",
    "trial_files",
    "winner",
]
