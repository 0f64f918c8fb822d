"""Refits of the best trial over several seeds, their evaluation on the test, and the result."""

__all__ = ["networks", "plan", "result", "retrain", "run", "settings"]
