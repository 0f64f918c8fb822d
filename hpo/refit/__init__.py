"""Refits of the best trial over several seeds, their evaluation on the test, and the result."""

__all__ = ["plan", "result", "retrain"]
