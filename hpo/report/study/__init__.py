"""The report of a study."""

__all__ = ["analysis", "frames", "history_plots", "page", "pair_plots", "parameter_plots", "text"]
