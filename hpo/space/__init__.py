"""What may vary: parameters with their ranges, and the way from parameters to a configuration."""

__all__ = ["configuration", "ranges"]
