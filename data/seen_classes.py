"""The data on which a network was trained, and which classes of other data it has seen.

A class is written ``group/name``. Its group does not count if it is empty, if it is the name of a
part, such as ``train``, or if the classes of the data set are divided in place of groups: equal
names are then one class. This module does not import torch.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from data.folder_split import is_plain_part_name

if TYPE_CHECKING:
    from data.drawings import Drawings

TRAIN = "train"  # the value of train_on of a network that has not seen validation

ClassName = str  # ``group/name``


@dataclass(frozen=True)
class SeenData:
    """Data on which a network was trained, as its file stores it.

    Args:
        data: name of the data set; None if the file does not say it.
        digest: digest of the data set, or None.
        train_on: ``"train"`` or ``"train+val"``, or None.
        task: how the data is divided, and what is measured; empty in files of versions up to 0.5.0,
            which knew no division of one's own.
        classes: names of the classes; None in files of earlier versions.

    Raises:
        TypeError: a value has another type.
    """

    data: str | None
    digest: str | None
    train_on: str | None
    task: Mapping[str, Any]
    classes: tuple[ClassName, ...] | None

    def __post_init__(self) -> None:
        """Check the types, because the values come from a file."""
        texts = (self.data, self.digest, self.train_on, *(self.classes or ()))
        if not all(text is None or isinstance(text, str) for text in texts):
            raise TypeError("the data of the training is not described by texts")
        if not isinstance(self.task, Mapping):
            raise TypeError("the task is not a table")

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, Any]) -> "SeenData":
        """Return the data that the metadata of a network names."""
        classes = metadata.get("classes")
        return cls(
            metadata.get("data"),
            metadata.get("data_digest"),
            metadata.get("train_on"),
            metadata.get("task", {}),
            None if classes is None else tuple(classes),
        )

    def to_metadata(self) -> dict[str, Any]:
        """Return the JSON values from which :meth:`from_metadata` restores this."""
        values = {
            "data": self.data,
            "data_digest": self.digest,
            "train_on": self.train_on,
            "task": dict(self.task),
            "classes": None if self.classes is None else list(self.classes),
        }
        return {name: value for name, value in values.items() if value is not None}

    @property
    def paths(self) -> list[str]:
        """The classes as :func:`class_paths` returns them; empty if they are not known."""
        return class_paths(self.classes or (), self.data or "")


def training_metadata(train: "Drawings", before: Sequence[SeenData] = ()) -> dict[str, Any]:
    """Return what the file of a network stores about the drawings that it was trained on.

    Args:
        train: training drawings.
        before: what the network had seen before its training.
    """
    metadata: dict[str, Any] = {"data": train.name, "data_digest": train.digest}
    if train.classes:
        metadata["classes"] = list(train.classes)
    if before:
        metadata["started_from"] = [seen.to_metadata() for seen in before]
    return metadata


def seen_data(metadata: Mapping[str, Any]) -> tuple[SeenData, ...]:
    """Return all data that a network has seen: its own, and that of the networks before it.

    Args:
        metadata: metadata of the file of a network.

    Raises:
        TypeError: a value has another type.
    """
    before = metadata.get("started_from", [])
    return tuple(SeenData.from_metadata(values) for values in (metadata, *before))


def class_paths(classes: Iterable[ClassName], data: str) -> list[str]:
    """Return the classes without groups that do not count.

    Args:
        classes: names of classes.
        data: name of their data set; its options say whether classes are divided.
    """
    by_class = "class" in data.split("+")[1:]
    parts = [name.partition("/") for name in classes]
    return [
        name if by_class or not group or is_plain_part_name(group) else f"{group}/{name}"
        for group, _, name in parts
    ]


def shared_classes(paths: Sequence[str], seen: Iterable[str]) -> list[str]:
    """Return the classes that are among the seen ones.

    Two classes are the same if the path of one ends with that of the other, so that a class without
    a group is the same as those of its name in any group.

    Args:
        paths: classes from :func:`class_paths`.
        seen: seen classes, likewise.
    """
    known = set(seen)
    endings = {ending for path in known for ending in _endings(path)}
    return [p for p in paths if p in endings or any(ending in known for ending in _endings(p))]


def recurring_classes(paths: Sequence[str], seen: Iterable[str]) -> list[str]:
    """Return the classes whose name is that of a seen class of another group.

    Args:
        paths: classes from :func:`class_paths`, none of which was seen.
        seen: seen classes, likewise.
    """
    names = {path.rpartition("/")[2] for path in seen}
    return [path for path in paths if path.rpartition("/")[2] in names]


def _endings(path: str) -> Iterator[str]:
    """Yield a path, then the path without its first folder, and so on."""
    yield path
    while "/" in path:
        path = path.partition("/")[2]
        yield path
