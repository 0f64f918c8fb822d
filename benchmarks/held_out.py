"""The validation alphabets that choose nothing in the benchmarks of the search.

They were named before any accuracy by alphabet was seen. Curves, surrogate, epochs, winners and
defaults rest on the other seven validation alphabets.
"""

from data.division import Division
from data.splits import Split

HELD_OUT = ("Atemayar_Qelisayer", "Mongolian", "Sylheti")


def division_without_held_out(parts: Split) -> Division:
    """Return a division of Omniglot in which the held-out alphabets take the place of the test.

    Args:
        parts: Omniglot, divided as usual.
    """
    val = tuple(name for name in parts.val.alphabets if name not in HELD_OUT)
    return Division(tuple(parts.train.alphabets), val, HELD_OUT)
