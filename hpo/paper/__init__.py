"""The three tables of Koch et al. (2015), reproduced at a chosen scale."""

__all__ = ["reproduction", "tables"]
