"""A network that has seen a class of validation or test is refused."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from started import MODEL_20, OTHER_DATA, metadata_of, stored_network
from tiny import TINY_20

from data.errors import InputError
from data.seen_classes import seen_data
from data.splits import Split, merge_train_and_val
from hpo.settings.study_settings import StudySettings
from hpo.study.leaks import require_unseen
from model.start_network import StartNetwork

DIVISION: dict[str, Any] = {
    "train": ("train01", "val_01"),
    "val": ("train02",),
    "test": ("test01",),
}


def settings(metadata: dict[str, Any], **changes: Any) -> StudySettings:
    """Settings of a study that starts from a network with this metadata."""
    start = StartNetwork("net.pt", "digest", MODEL_20, seen_data(metadata))
    return replace(TINY_20, start_from=start, **changes)


def old(metadata: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The same metadata as an earlier version stored it."""
    return {name: value for name, value in metadata.items() if name != "classes"} | changes


def refused(parts: Split, metadata: dict[str, Any], **changes: Any) -> str:
    with pytest.raises(InputError) as error:
        require_unseen(settings(metadata, **changes), parts)
    assert "\n" not in str(error.value)
    assert "--start-from" in str(error.value)
    return str(error.value)


def renamed(parts: Split, part: str, classes: tuple[str, ...], data: str = "signs") -> Split:
    """The parts as those of an image folder with other classes in one part."""
    parts = replace(parts, **{p: replace(getattr(parts, p), name=data) for p in PARTS})
    drawings = replace(getattr(parts, part), classes=classes)
    return replace(parts, **{part: drawings})


PARTS = ("train", "val", "test")


def test_without_a_network_nothing_is_checked(parts_20: Split) -> None:
    assert require_unseen(TINY_20, parts_20) == []


def test_the_training_part_of_the_same_data_may_be_seen(parts_20: Split) -> None:
    metadata = metadata_of(parts_20)
    assert require_unseen(settings(metadata), parts_20) == []
    assert require_unseen(settings(old(metadata)), parts_20) == []
    same = {p: [*DIVISION[p]] for p in PARTS}
    same["train"] = ["train01", "val 01"]  # spelled with a space
    assert require_unseen(settings(old(metadata, task=same), **DIVISION), parts_20) == []


@pytest.mark.parametrize("part", ["val", "test"])
def test_a_class_of_a_held_out_part_is_refused(part: str, parts_20: Split) -> None:
    seen = metadata_of(replace(parts_20, train=getattr(parts_20, part)))
    message = refused(parts_20, seen)
    assert f"'{part}01/character01' of glyphs" in message
    assert f"in {'validation' if part == 'val' else 'test'}" in message


def test_a_network_of_train_and_val_is_refused(parts_20: Split, packed: Any) -> None:
    both = replace(parts_20, train=merge_train_and_val(packed.drawings))
    metadata = metadata_of(both, "train+val")
    assert "'val01/character01'" in refused(parts_20, metadata)
    assert "trained on train+val of glyphs" in refused(parts_20, old(metadata))


def test_an_old_network_of_the_same_data_is_refused_if_it_cannot_be_known(
    parts_20: Split,
) -> None:
    metadata = old(metadata_of(parts_20))
    unknown = "another content or division and does not name its classes"
    assert unknown in refused(parts_20, metadata | {"data_digest": "another"})
    assert unknown in refused(parts_20, metadata | {"task": {"train": ["train01"]}})
    assert unknown in refused(parts_20, metadata, **DIVISION)
    assert "unknown data" in refused(parts_20, {})
    folder = renamed(parts_20, "val", parts_20.val.classes, "signs+class+colour")
    assert unknown in refused(folder, metadata | {"data": "signs+class", "data_digest": "x"})


def test_an_old_network_of_other_data_is_accepted_with_a_note(parts_20: Split) -> None:
    [note] = require_unseen(settings(OTHER_DATA), parts_20)
    assert "net.pt was trained on other" in note
    assert "\n" not in note


def test_a_class_of_another_folder_is_found_without_its_group(parts_20: Split) -> None:
    seen = OTHER_DATA | {"data": "pets+class", "classes": ["/cat", "/dog"]}
    parts = renamed(parts_20, "test", ("alice/fish", "bob/cat"))
    assert "'bob/cat' of pets+class, which is in test" in refused(parts, seen)
    grouped = OTHER_DATA | {"data": "pets", "classes": ["bob/cat"]}
    assert "'bob/cat'" in refused(parts, grouped)
    assert "'cat'" in refused(renamed(parts_20, "val", ("b/cat",), "signs+class"), grouped)
    assert require_unseen(settings(OTHER_DATA | {"classes": ["/bird"]}), parts) == []


def test_equal_names_in_other_groups_are_other_classes_with_a_note(parts_20: Split) -> None:
    seen = OTHER_DATA | {"data": "pets", "classes": ["alice/cat", "alice/dog"]}
    parts = renamed(parts_20, "test", ("bob/cat", "bob/fish"))
    [note] = require_unseen(settings(seen), parts)
    assert "1 of the classes" in note
    assert "bob/cat" in note
    same = seen | {"data_digest": parts.test.digest}
    assert require_unseen(settings(same), parts) == [], "the first line of the study says it"


def test_what_an_earlier_network_has_seen_counts(parts_20: Split) -> None:
    first = metadata_of(replace(parts_20, train=parts_20.test))
    second = OTHER_DATA | {"classes": ["a/b"], "started_from": [first]}
    assert "'test01/character01' of glyphs" in refused(parts_20, second)


def test_the_file_of_a_network_stores_what_it_has_seen(parts_20: Split, tmp_path: Path) -> None:
    stored_network(tmp_path / "a.pt", metadata=metadata_of(parts_20))
    start = replace(TINY_20, start_from=str(tmp_path / "a.pt")).start_from  # type: ignore[arg-type]
    assert start is not None
    assert start.seen[0].classes == parts_20.train.classes
