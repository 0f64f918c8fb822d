"""The search space: parameters and their ranges, their files, and how values become a fit."""

__all__ = [
    "configuration",
    "distributions",
    "files",
    "kernels",
    "parameter",
    "paths",
    "space",
    "tables",
]
