"""Drawings, filters and accuracy curves as small PNG images.

Tensor suffixes: N images, H W pixels.
"""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from data.division import Division
from data.drawings import Drawings
from data.files import write_atomically
from data.splits import alphabets_by_part

PAPER, INK, GRID = 255, 0, 200  # grey levels
LINE = (0, 114, 178)  # a blue that colour-blind readers can distinguish
PREVIEW_CLASSES, PREVIEW_IMAGES = 4, 8  # classes of each part, images of each class
GAP = 2  # pixels between two tiles


def encode_png(image: Image.Image) -> bytes:
    """Return an image as PNG."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def to_image(ink_HW: Tensor) -> Image.Image:
    """Return a drawing as an image, black on white; colours stay as they are.

    Args:
        ink_HW: uint8, ink 255, paper 0; or float, ink 1, paper 0; 3×H×W for colour images.
    """
    ink = ink_HW if ink_HW.dtype == torch.uint8 else ink_HW.clamp(0, 1).mul(255).round().byte()
    if ink.dim() == 3:
        return Image.fromarray(ink.cpu().permute(1, 2, 0).contiguous().numpy())
    return Image.fromarray((255 - ink.cpu()).numpy())


def drawing_png(ink_HW: Tensor) -> bytes:
    """Return a drawing as PNG, black on white; with one bit per pixel if it has no greys.

    Args:
        ink_HW: see :func:`to_image`.
    """
    image = to_image(ink_HW)
    is_binary = image.mode == "L" and set(np.unique(np.asarray(image))) <= {0, 255}
    return encode_png(image.convert("1") if is_binary else image)


def tile_images(ink_NHW: Tensor, n_columns: int, zoom: int = 1) -> Image.Image:
    """Return N images as tiles in rows on a grey background.

    Args:
        ink_NHW: N images; see :func:`to_image`.
        n_columns: number of tiles per row.
        zoom: factor by which each image is enlarged.
    """
    n, height, width = len(ink_NHW), *ink_NHW.shape[-2:]
    n_rows = -(-n // n_columns)
    step_x, step_y = width * zoom + GAP, height * zoom + GAP
    mode, grid = ("L", GRID) if ink_NHW.dim() == 3 else ("RGB", (GRID,) * 3)
    sheet = Image.new(mode, (n_columns * step_x + GAP, n_rows * step_y + GAP), grid)
    for i, ink_HW in enumerate(ink_NHW):
        tile = to_image(ink_HW).resize((width * zoom, height * zoom), Image.Resampling.NEAREST)
        sheet.paste(tile, (i % n_columns * step_x + GAP, i // n_columns * step_y + GAP))
    return sheet


def write_preview(path: Path, drawings: Drawings, division: Division | None = None) -> None:
    """Write the first images of the first classes of each part as PNG, one row for each class.

    Args:
        path: file to write.
        drawings: all drawings of a data set.
        division: a user's own division; None for that of the data set.

    Raises:
        InputError: the file cannot be written.
    """
    rows = []
    for names in alphabets_by_part(drawings, division).values():
        part = drawings.subset(names)
        for first, n in list(zip(part.first_C, part.count_C, strict=True))[:PREVIEW_CLASSES]:
            images = part.images_NHW[first : first + n][:PREVIEW_IMAGES]
            blank = images.new_zeros(PREVIEW_IMAGES - len(images), *images.shape[1:])
            rows.append(torch.cat([images, blank]))
    png = encode_png(tile_images(torch.cat(rows), PREVIEW_IMAGES, zoom=2))
    write_atomically(path, lambda temporary: temporary.write_bytes(png))


def stretch_contrast(filters_NHW: Tensor) -> Tensor:
    """Return float32 filters scaled to [0, 1], each from its lowest to its highest weight."""
    weights = filters_NHW.detach().float().cpu()
    low, high = weights.amin((1, 2), keepdim=True), weights.amax((1, 2), keepdim=True)
    return (weights - low) / (high - low).clamp(min=1e-12)


def curve_png(values: Sequence[float], title: str, size: tuple[int, int] = (480, 270)) -> bytes:
    """Return a line plot of one fraction per epoch, with axes, as PNG.

    Args:
        values: fractions in [0, 1]; the first belongs to epoch 1.
        title: text above the line, ASCII only.
        size: width and height in pixels.
    """
    left, top, right, bottom = 46, 24, size[0] - 12, size[1] - 34
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    for percent in range(0, 101, 20):
        y = bottom - (bottom - top) * percent / 100
        draw.line([(left, y), (right, y)], fill=(GRID,) * 3)
        draw.text((left - 6, y), f"{percent}%", fill="black", anchor="rm")
    step = (right - left) / max(1, len(values) - 1)
    points = [(left + i * step, bottom - (bottom - top) * v) for i, v in enumerate(values)]
    for epoch in sorted({1, (len(values) + 1) // 2, len(values)}):
        draw.text((left + (epoch - 1) * step, bottom + 4), str(epoch), fill="black", anchor="mt")
    draw.line(points, fill=LINE, width=2)
    for x, y in points if len(points) <= 40 else ():
        draw.ellipse([x - 3, y - 3, x + 3, y + 3], fill=LINE)
    draw.text(((left + right) / 2, size[1] - 4), "epoch", fill="black", anchor="mb")
    draw.text((left, 4), title, fill="black")
    return encode_png(image)
