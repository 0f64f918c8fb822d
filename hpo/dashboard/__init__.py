"""The live dashboard of a storage, and its studies in the terminal: list, compare, delete."""

__all__ = ["deletion", "server", "status", "studies", "updates"]
