"""The three tables of Koch et al. (2015), reproduced at different scales."""

__all__ = ["reproduction", "scales", "tables"]
