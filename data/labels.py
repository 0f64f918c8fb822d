"""Labels of results that depend on the data set."""

from data.image_folder import parse_dataset_name

OFFICIAL = "official"  # episodes of the paper's Omniglot; nothing else is compared with the paper
NOT_COMPARABLE = "no number can be compared with the paper"


def data_caveat(data: str) -> str:
    """Return a warning for results on other data than the paper's; empty for Omniglot.

    Args:
        data: name of the data set.
    """
    if data == "glyphs":
        return f"These are the built-in glyphs, not Omniglot: {NOT_COMPARABLE}."
    if parse_dataset_name(data):
        return f"These are images of '{data}', not Omniglot: {NOT_COMPARABLE}."
    return ""


def episodes_label(data: str, is_official: bool = True) -> str:
    """Return the adjective for the test episodes of a data set, for example official.

    Args:
        data: name of the data set.
        is_official: False if random episodes replace the official ones of the data set.
    """
    labels = {"omniglot": OFFICIAL, "glyphs": "glyph"}
    return labels.get(data, "test") if is_official else "random test"


def alphabet_label(data: str) -> str:
    """Return the word for an alphabet of a data set: alphabet, or group of a folder of images.

    Args:
        data: name of the data set.
    """
    return "group" if parse_dataset_name(data) else "alphabet"


def character_label(data: str) -> str:
    """Return the word for a character of a data set: character, or class of a folder of images.

    Args:
        data: name of the data set.
    """
    return "class" if parse_dataset_name(data) else "character"
