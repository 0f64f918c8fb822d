"""Built-in glyphs: procedural handwriting for tests and for machines without Omniglot.

An alphabet has a style (how its strokes bend and where they begin); a character is a few strokes
of that style; a drawer has a hand (slant, scale, pen, unsteadiness) and redraws every character
with it. Pixels overlap little between two drawers, so 1-NN does badly and a trained net well.
"""

import hashlib

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from data.cache import Packed
from data.drawings import Drawings
from data.episodes import random_episodes

Array = npt.NDArray[np.float64]

N_ALPHABETS = {"train": 10, "val": 4, "test": 4}
N_CHARACTERS = 20
N_DRAWERS = 20
SIZE = 105
POINTS_PER_STROKE = 160


def _strokes(rng: np.random.Generator) -> list[Array]:
    """Return the control points of one character: 2 to 4 strokes of 4 points each, in [-1, 1]."""
    n_strokes = int(rng.integers(2, 5))
    start = rng.uniform(-0.7, 0.7, (n_strokes, 1, 2))
    steps = rng.normal(0.0, 0.5, (n_strokes, 3, 2))
    points = np.concatenate([start, start + steps.cumsum(axis=1)], axis=1)
    return list(np.clip(points, -0.9, 0.9))


def _curve(points: Array) -> Array:
    """Return points along the cubic Bézier curve of 4 control points."""
    t = np.linspace(0.0, 1.0, POINTS_PER_STROKE)[:, None]
    basis = np.concatenate([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3], axis=1)
    return np.asarray(basis @ points)


def _hand(rng: np.random.Generator) -> tuple[Array, Array, float, int]:
    """Return one drawer's 2×2 map, shift, unsteadiness and pen width in pixels."""
    theta, shear = rng.normal(0.0, 0.3), rng.normal(0.0, 0.3)
    turn = np.array([[np.cos(theta), -np.sin(theta)], [np.sin(theta), np.cos(theta)]])
    scale = np.diag(rng.uniform(0.7, 1.05, 2))
    shift = rng.normal(0.0, 0.1, 2)
    return turn @ np.array([[1.0, shear], [0.0, 1.0]]) @ scale, shift, 0.12, int(rng.integers(2, 5))


def _draw(strokes: list[Array], rng: np.random.Generator, canvas: Array) -> int:
    """Put one drawer's version of a character on a canvas; return the pen width in pixels."""
    matrix, shift, unsteady, width = _hand(rng)
    for stroke in strokes:
        shaken = stroke + rng.normal(0.0, unsteady, stroke.shape)
        at = (_curve(shaken @ matrix.T) + shift) * 0.45 * SIZE + SIZE / 2
        x, y = np.clip(at.round().astype(int), 1, SIZE - 2).T
        canvas[y, x] = 1.0
    return width


def _thicken(canvas_NHW: Tensor, width_N: Tensor) -> Tensor:
    """Widen one-pixel lines to each drawing's pen width."""
    out = torch.empty_like(canvas_NHW)
    for width in width_N.unique().tolist():
        at = width_N == width
        padded = F.pad(canvas_NHW[at].unsqueeze(1), (width // 2, (width - 1) // 2) * 2)
        out[at] = F.max_pool2d(padded, width, stride=1).squeeze(1)
    return out


def make(
    *, seed: int = 0, n_alphabets: dict[str, int] | None = None, n_characters: int = N_CHARACTERS
) -> Packed:
    """Return glyphs at 105×105, with 2 official-like blocks per test alphabet.

    Args:
        seed: fixes every pixel.
        n_alphabets: alphabets per split, by default 10 train, 4 val, 4 test.
        n_characters: characters per alphabet.
    """
    parts = n_alphabets or N_ALPHABETS
    names = sorted(f"{part}{i:02}" for part, n in parts.items() for i in range(1, n + 1))
    rng = np.random.default_rng(seed)
    n = len(names) * n_characters * N_DRAWERS
    canvas = np.zeros((n, SIZE, SIZE))
    width = np.zeros(n, dtype=np.int64)
    for character in range(len(names) * n_characters):
        strokes = _strokes(rng)
        for at in range(character * N_DRAWERS, (character + 1) * N_DRAWERS):
            width[at] = _draw(strokes, rng, canvas[at])
    thick = _thicken(torch.from_numpy(canvas).float(), torch.from_numpy(width))
    images = (thick * 255).to(torch.uint8)
    position = torch.arange(n)
    drawings = Drawings(
        name="glyphs",
        digest=hashlib.sha256(np.packbits(images.numpy() > 0).tobytes()).hexdigest(),
        alphabets=tuple(names),
        images_NHW=images,
        alphabet_N=position // (n_characters * N_DRAWERS),
        character_N=position // N_DRAWERS,
        drawer_N=position % N_DRAWERS,
    )
    at_test = drawings.positions([name for name in names if name.startswith("test")])
    test = drawings.only([name for name in names if name.startswith("test")])
    official = random_episodes(test, n_way=min(20, n_characters), seed=seed)
    return Packed(drawings, official.renumbered(at_test))
