"""Drawings and numbers as small PNG pictures.

Tensor suffixes: N images, H W pixels.
"""

import io
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

PAPER, INK, RULE, LINE = 255, 0, 200, (0, 114, 178)  # the line's blue is told apart by everybody

GAP = 2  # pixels between two tiles


def encode_png(image: Image.Image) -> bytes:
    """Return an image as PNG."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def to_image(ink_HW: Tensor) -> Image.Image:
    """Return ink on paper, black on white; colours as they are.

    Args:
        ink_HW: uint8, ink 255, paper 0; or float, ink 1; 3×H×W for colours.
    """
    ink = ink_HW if ink_HW.dtype == torch.uint8 else ink_HW.clamp(0, 1).mul(255).round().byte()
    if ink.dim() == 3:
        return Image.fromarray(ink.cpu().permute(1, 2, 0).contiguous().numpy())
    return Image.fromarray((255 - ink.cpu()).numpy())


def drawing_png(ink_HW: Tensor) -> bytes:
    """Return a drawing as PNG, black on white; two colours where it has no greys."""
    image = to_image(ink_HW)
    two = image.mode == "L" and set(np.unique(np.asarray(image))) <= {0, 255}
    return encode_png(image.convert("1") if two else image)


def tile(ink_NHW: Tensor, n_columns: int, zoom: int = 1) -> Image.Image:
    """Return N images in rows, on grey, each enlarged ``zoom`` times."""
    n, height, width = len(ink_NHW), *ink_NHW.shape[-2:]
    n_rows = -(-n // n_columns)
    step_x, step_y = width * zoom + GAP, height * zoom + GAP
    mode, rule = ("L", RULE) if ink_NHW.dim() == 3 else ("RGB", (RULE,) * 3)
    sheet = Image.new(mode, (n_columns * step_x + GAP, n_rows * step_y + GAP), rule)
    for i, ink_HW in enumerate(ink_NHW):
        tile = to_image(ink_HW).resize((width * zoom, height * zoom), Image.Resampling.NEAREST)
        sheet.paste(tile, (i % n_columns * step_x + GAP, i // n_columns * step_y + GAP))
    return sheet


def stretch_contrast(filters_NHW: Tensor) -> Tensor:
    """Return filters as ink in [0, 1]: each from its least to its greatest weight."""
    weights = filters_NHW.detach().float().cpu()
    low, high = weights.amin((1, 2), keepdim=True), weights.amax((1, 2), keepdim=True)
    return (weights - low) / (high - low).clamp(min=1e-12)


def curve_png(values: Sequence[float], title: str, size: tuple[int, int] = (480, 270)) -> bytes:
    """Return a line through shares, one per epoch from 1, with its axes, as PNG.

    Args:
        values: shares in [0, 1].
        title: above the line; ASCII.
        size: width and height in pixels.
    """
    left, top, right, bottom = 46, 24, size[0] - 12, size[1] - 34
    image = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(image)
    for percent in range(0, 101, 20):
        y = bottom - (bottom - top) * percent / 100
        draw.line([(left, y), (right, y)], fill=(RULE,) * 3)
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
