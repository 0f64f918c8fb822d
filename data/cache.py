"""Packed drawings on disk: written whole or not at all, read in a fraction of a second."""

import json
import zipfile
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from data.drawings import Drawings
from data.episodes import Dataset, Episodes
from data.files import write_atomically

PACKED_FORMAT = 1  # counted up when the meaning of the file changes


def resize_drawings(drawings: Drawings, image_size: int) -> Drawings:
    """Return the drawings at another size by area resampling (105 → 35 is a mean over 3×3)."""
    return replace(drawings, images_NHW=resize_images(drawings.images_NHW, image_size))


def resize_images(images_NHW: Tensor, image_size: int) -> Tensor:
    """Return uint8 images at another size by area resampling."""
    if image_size == images_NHW.shape[-1]:
        return images_NHW
    shape = (image_size, image_size)
    planes = images_NHW.view(-1, 1, *images_NHW.shape[-2:])
    small = [
        F.interpolate(part.float(), size=shape, mode="area").round_().to(torch.uint8)
        for part in planes.split(2048)
    ]
    return torch.cat(small).view(*images_NHW.shape[:-2], *shape)


def save_packed(path: Path, packed: Dataset, source: str) -> None:
    """Write a data set; ``source`` is the fingerprint of the files that it was made from."""
    values = {
        field.name: getattr(part, field.name)
        for part in (packed.drawings, packed.official)
        for field in fields(part)
    }
    arrays: dict[str, Any] = {n: v.numpy() for n, v in values.items() if torch.is_tensor(v)}
    header = {name: v for name, v in values.items() if not isinstance(v, torch.Tensor)}
    text = json.dumps({**header, "format": PACKED_FORMAT, "source": source})

    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:
            np.savez(file, header=np.array(text), **arrays)

    write_atomically(path, write)


def load_packed(path: Path, source: str | None = None) -> Dataset | None:
    """Return the data set of a file; None if it was made from another source than is named."""
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            header = json.loads(str(file["header"]))
            made_from = header.pop("source")
            if header.pop("format") != PACKED_FORMAT or source not in (None, made_from):
                return None
            tensors: dict[str, Any] = {
                name: torch.from_numpy(file[name]) for name in file.files if name != "header"
            }
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
        return None  # absent or torn: it is made anew
    official = Episodes(**{field.name: tensors.pop(field.name) for field in fields(Episodes)})
    header["alphabets"] = tuple(header["alphabets"])
    return Dataset(Drawings(**header, **tensors), official)
