"""The report of a study."""

__all__ = ["analysis", "frames", "history_plots", "page", "parameter_plots", "text"]
