"""The report that compares several studies."""

__all__ = ["frames", "page", "plots", "text"]
