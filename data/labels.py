"""What figures are called that rest on a data set."""

from data.image_folder import parse_dataset_name


def data_caveat(data: str) -> str:
    """Return the sentence that goes with figures of other data than the paper's; else nothing."""
    if data == "glyphs":
        return "These are the built-in glyphs, not Omniglot: no figure compares to the paper."
    if parse_dataset_name(data):
        return f"These are images of '{data}', not Omniglot: no figure compares to the paper."
    return ""


def test_episodes_label(data: str) -> str:
    """Return the adjective of the test episodes."""
    return "official" if data == "omniglot" else "glyph" if data == "glyphs" else "test"
