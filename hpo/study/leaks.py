"""Whether a network has seen a class of the validation or the test part of a study.

The accuracies of a study that starts from the weights of such a network would be too high.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from data.division import PARTS
from data.errors import InputError
from data.image_folder import parse_dataset_name
from data.seen_classes import TRAIN, SeenData, class_paths, recurring_classes, shared_classes
from data.splits import Split
from hpo.settings.study_settings import StudySettings

UNSEEN_PARTS = ("validation", "test")


def require_unseen(settings: StudySettings, parts: Split) -> list[str]:
    """Return notes about what cannot be checked; raise InputError if a network saw held-out data.

    Args:
        settings: settings of a study.
        parts: its data.

    Raises:
        InputError: the network from which the fits start has seen a class of validation or test, or
            it cannot be known whether it has.
    """
    if settings.start_from is None:
        return []
    seen = settings.start_from.seen
    return [note for data in seen for note in _check(settings, parts, data)]


def _check(settings: StudySettings, parts: Split, seen: SeenData) -> Iterator[str]:
    """Yield notes about one data set that a network has seen; see :func:`require_unseen`."""
    if seen.classes is None or not parts.test.classes:
        yield from _check_without_classes(settings, parts, seen)
        return
    recurring: list[str] = []
    for part, drawings in zip(UNSEEN_PARTS, (parts.val, parts.test), strict=True):
        paths = class_paths(drawings.classes, drawings.name)
        if shared := shared_classes(paths, seen.paths):
            raise InputError(
                f"The network of --start-from must not have seen a class of validation or test, "
                f"but was trained on '{shared[0]}' of {seen.data}, which is in {part}. Choose "
                "another network, or put the class into train."
            )
        recurring += recurring_classes(paths, seen.paths)
    is_other_folder = seen.digest != parts.test.digest and parse_dataset_name(parts.test.name)
    if recurring and is_other_folder:
        yield (
            f"{len(recurring)} of the classes of validation and test have the name of a class of "
            f"another group of {seen.data}, on which {_name(settings)} was trained, for example "
            f"{recurring[0]}: different classes, unless --same-name-is-same-class"
        )


def _check_without_classes(settings: StudySettings, parts: Split, seen: SeenData) -> Iterator[str]:
    """Yield notes about data whose classes the file of a network does not name."""
    if seen.data is not None and _base_name(seen.data) != _base_name(parts.test.name):
        yield (
            f"{_name(settings)} was trained on {seen.data}; an earlier version wrote it, so its "
            "classes cannot be compared with those of validation and test"
        )
        return
    is_same = seen.digest == parts.test.digest
    if is_same and seen.train_on == TRAIN and _groups(seen.task) == _groups(vars(settings)):
        return
    data = f"{seen.data} with another content or division" if seen.data else "unknown data"
    if is_same and seen.train_on != TRAIN:
        data = f"{seen.train_on} of {seen.data}"
    raise InputError(
        f"The network of --start-from must not have seen a class of validation or test, but "
        f"{_name(settings)} was trained on {data} and does not name its classes. Choose a network "
        "that this version has trained on train."
    )


def _name(settings: StudySettings) -> str:
    assert settings.start_from is not None
    return settings.start_from.name


def _base_name(data: str) -> str:
    """Return the name of a data set without the options of an image folder."""
    return data.partition("+")[0]


def _groups(task: Mapping[str, Any]) -> list[set[str]]:
    """Return the groups of train, val and test of a user's own division, spelled alike."""
    return [{str(name).replace(" ", "_") for name in task.get(part, ())} for part in PARTS]
