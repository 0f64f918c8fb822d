"""The live dashboard of a storage, and the status of a study in the terminal."""

__all__ = ["server", "status", "updates"]
