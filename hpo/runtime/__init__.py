"""Who does the work: workers, their supervisor and launchers, re-queueing, signals, progress."""

__all__ = ["launcher", "processes", "progress", "ray_launcher", "requeue", "supervisor", "worker"]
