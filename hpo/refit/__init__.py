"""Refits of the best trial over several seeds, their evaluation on the test, and the result."""

__all__ = ["folder", "networks", "plan", "progress", "result", "retrain", "run", "settings"]
