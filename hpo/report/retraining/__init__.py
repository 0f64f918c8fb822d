"""The report of a retraining."""

__all__ = ["page"]
