"""The winner refitted over several seeds, evaluated once on the test, and its result files."""

__all__ = ["plan", "published", "result", "retrain", "test_log"]
