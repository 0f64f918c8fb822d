"""Cached data sets on disk, in one file each, which loads in a fraction of a second.

Tensor suffixes: N images, H W pixels.
"""

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

CACHE_FORMAT = 3  # incremented when the meaning of the file changes


def resize_drawings(drawings: Drawings, image_size: int) -> Drawings:
    """Return the drawings at another size by area resampling (105 → 35 is a mean over 3×3)."""
    return replace(drawings, images_NHW=resize_images(drawings.images_NHW, image_size))


def resize_images(images_NHW: Tensor, image_size: int) -> Tensor:
    """Return images at another size by area resampling.

    Args:
        images_NHW: uint8; N×3×H×W for colour images.
        image_size: height and width of the result in pixels.

    Returns:
        Uint8, N×H×W or N×3×H×W with the new size.
    """
    if image_size == images_NHW.shape[-1]:
        return images_NHW
    shape = (image_size, image_size)
    planes = images_NHW.view(-1, 1, *images_NHW.shape[-2:])
    resized = [
        F.interpolate(batch.float(), size=shape, mode="area").round_().to(torch.uint8)
        for batch in planes.split(2048)
    ]
    return torch.cat(resized).view(*images_NHW.shape[:-2], *shape)


def write_cache(path: Path, dataset: Dataset, source: str) -> None:
    """Write a data set to a file.

    Args:
        path: file to write.
        dataset: data set to store.
        source: fingerprint of the files from which the data set was made.
    """
    values = {
        field.name: getattr(part, field.name)
        for part in (dataset.drawings, dataset.official)
        for field in fields(part)
    }
    arrays: dict[str, Any] = {n: v.numpy() for n, v in values.items() if torch.is_tensor(v)}
    header = {name: v for name, v in values.items() if not isinstance(v, torch.Tensor)}
    text = json.dumps({**header, "format": CACHE_FORMAT, "source": source})

    def write(temporary: Path) -> None:
        with temporary.open("wb") as file:
            np.savez(file, header=np.array(text), **arrays)

    write_atomically(path, write)


def read_cache(path: Path, source: str | None = None) -> Dataset | None:
    """Return the data set stored in a file, or None if the file cannot be used.

    Args:
        path: file written by :func:`write_cache`.
        source: fingerprint that the file must have; None accepts any.

    Returns:
        The data set; None if the file is missing or corrupt, or has another format or source.
    """
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            header = json.loads(str(file["header"]))
            stored_source = header.pop("source")
            if header.pop("format") != CACHE_FORMAT or source not in (None, stored_source):
                return None
            tensors: dict[str, Any] = {
                name: torch.from_numpy(file[name]) for name in file.files if name != "header"
            }
        values = header | tensors
        official = Episodes(**{field.name: values.pop(field.name) for field in fields(Episodes)})
        values |= {name: tuple(values[name]) for name in ("alphabets", "classes")}
        return Dataset(Drawings(**values), official)
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
        return None  # the caller creates it again
