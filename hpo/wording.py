"""What is said of a data set, so that nobody compares what does not compare."""

from data.tree import tree_named


def caution(data: str) -> str:
    """Return the sentence that goes with figures of other data than the paper's; else nothing."""
    if data == "glyphs":
        return "These are the built-in glyphs, not Omniglot: no figure compares to the paper."
    if tree_named(data):
        return f"These are images of '{data}', not Omniglot: no figure compares to the paper."
    return ""


def whose_episodes(data: str) -> str:
    """Return the adjective of the test episodes."""
    return "official" if data == "omniglot" else "glyph" if data == "glyphs" else "test"
