"""The search space: parameters with their ranges, and how parameters become a configuration."""

__all__ = ["configuration", "ranges"]
