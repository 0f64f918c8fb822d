"""Stored fits of the table of learning curves, for tests."""

from typing import Any

from curves_plan import FIT
from held_out import HELD_OUT


def entry(accuracies: dict[int, float], number: int = 0, **changes: Any) -> dict[str, Any]:
    """A stored fit; the held-out alphabets have another accuracy."""
    held_out = dict.fromkeys(HELD_OUT, 0.99)
    curve = [{"epoch": e, "alphabets": {"a": v, "b": v} | held_out} for e, v in accuracies.items()]
    epochs, schedule = FIT
    facts = {"number": number, "seed": 0, "epochs": epochs, "schedule": schedule}
    facts |= {"cpu": "a CPU", "precision": "float32"}
    return {**facts, "stopped": "all epochs done", "curve": curve} | changes
