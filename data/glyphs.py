"""Built-in glyphs: procedural handwriting for tests and for machines without Omniglot.

An alphabet has a style (number and reach of its strokes). A character is a few strokes in that
style. A drawer has a handwriting (slant, scale, pen width) and draws every character of the
alphabet with it, with random errors. The drawings of two drawers share few pixels: 1-NN on pixels
performs poorly, a trained network well.

Tensor suffixes: N drawings, H W pixels.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from data.drawings import FULL_SIZE, N_DRAWERS, Drawings
from data.episodes import N_WAY, Dataset, random_episodes

GLYPHS_VERSION = 1  # incremented when the pixels change
N_ALPHABETS = {"train": 10, "val": 4, "test": 4}
N_CHARACTERS = 20
POINTS_PER_STROKE = 160

Points = npt.NDArray[np.float64]
Canvas = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Handwriting:
    """How one drawer draws.

    Args:
        matrix: 2×2 linear map (slant and scale).
        width: width of the pen in pixels.
    """

    matrix: Points
    width: int


def make_glyphs(
    *, seed: int = 0, n_alphabets: dict[str, int] | None = None, n_characters: int = N_CHARACTERS
) -> Dataset:
    """Return glyphs at 105×105, with two blocks of test episodes per test alphabet.

    Args:
        seed: seed of every pixel.
        n_alphabets: number of alphabets per split, by default 10 train, 4 val, 4 test.
        n_characters: number of characters per alphabet.
    """
    parts = n_alphabets or N_ALPHABETS
    names = sorted(f"{part}{i:02}" for part, n in parts.items() for i in range(1, n + 1))
    images = _draw_alphabets(len(names), n_characters, np.random.default_rng(seed))
    position = torch.arange(len(images))
    drawings = Drawings(
        name="glyphs",
        digest=hashlib.sha256(np.packbits(images.numpy() > 0).tobytes()).hexdigest(),
        alphabets=tuple(names),
        images_NHW=images,
        alphabet_N=position // (n_characters * N_DRAWERS),
        character_N=position // N_DRAWERS,
        drawer_N=position % N_DRAWERS,
        classes=tuple(f"{a}/character{c:02}" for a in names for c in range(1, n_characters + 1)),
    )
    test_names = [name for name in names if name.startswith("test")]
    episodes = random_episodes(
        drawings.subset(test_names), n_way=min(N_WAY, n_characters), seed=seed
    )
    return Dataset(drawings, episodes.reindex(drawings.positions(test_names)))


def _draw_alphabets(n_alphabets: int, n_characters: int, rng: np.random.Generator) -> Tensor:
    """Return uint8 N×105×105 drawings, ordered by alphabet, character and drawer."""
    n = n_alphabets * n_characters * N_DRAWERS
    canvas = np.zeros((n, FULL_SIZE, FULL_SIZE), dtype=np.float32)
    width = np.zeros(n, dtype=np.int64)
    i = 0
    for _ in range(n_alphabets):
        style = _random_style(rng)
        handwritings = [_random_handwriting(rng) for _ in range(N_DRAWERS)]
        for strokes in [_random_strokes(style, rng) for _ in range(n_characters)]:
            for handwriting in handwritings:
                _draw(strokes, handwriting, rng, canvas[i])
                width[i] = handwriting.width
                i += 1
    thick = _thicken(torch.from_numpy(canvas), torch.from_numpy(width))
    return (thick * 255).to(torch.uint8)


def _random_style(rng: np.random.Generator) -> tuple[float, int]:
    """Return the reach of an alphabet's strokes and the maximum number of a character's strokes."""
    return float(rng.uniform(0.4, 0.6)), int(rng.integers(2, 5))


def _random_strokes(style: tuple[float, int], rng: np.random.Generator) -> Points:
    """Return the control points of one character, strokes × 4 points × (x, y), in [-0.9, 0.9]."""
    reach, max_strokes = style
    n_strokes = int(rng.integers(2, max_strokes, endpoint=True))
    start = rng.uniform(-0.7, 0.7, (n_strokes, 1, 2))
    steps = rng.normal(0.0, reach, (n_strokes, 3, 2))
    points = np.concatenate([start, start + steps.cumsum(axis=1)], axis=1)
    return np.asarray(np.clip(points, -0.9, 0.9))


def _random_handwriting(rng: np.random.Generator) -> Handwriting:
    theta, shear = rng.normal(0.0, 0.3), rng.normal(0.0, 0.3)
    rotation = np.array([[np.cos(theta), -np.sin(theta)], [np.sin(theta), np.cos(theta)]])
    scale = np.diag(rng.uniform(0.7, 1.05, 2))
    matrix = rotation @ np.array([[1.0, shear], [0.0, 1.0]]) @ scale
    return Handwriting(matrix, int(rng.integers(2, 5)))


def _draw(
    strokes: Points, handwriting: Handwriting, rng: np.random.Generator, canvas: Canvas
) -> None:
    """Draw a character on a canvas with one-pixel lines, randomly distorted and shifted."""
    shift = rng.normal(0.0, 0.1, 2)
    for stroke in strokes + rng.normal(0.0, 0.12, strokes.shape):
        points = _bezier_curve(stroke @ handwriting.matrix.T) + shift
        pixels = points * 0.45 * FULL_SIZE + FULL_SIZE / 2
        x, y = np.clip(pixels.round().astype(int), 1, FULL_SIZE - 2).T
        canvas[y, x] = 1.0


def _bezier_curve(points: Points) -> Points:
    """Return points along the cubic Bézier curve of 4 control points."""
    t = np.linspace(0.0, 1.0, POINTS_PER_STROKE)[:, None]
    basis = np.concatenate([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3], axis=1)
    return np.asarray(basis @ points)


def _thicken(canvas_NHW: Tensor, width_N: Tensor) -> Tensor:
    """Return the drawings with one-pixel lines widened to each drawing's pen width."""
    thick_NHW = torch.empty_like(canvas_NHW)
    for width in width_N.unique().tolist():
        selected_N = width_N == width
        padding = (width // 2, (width - 1) // 2) * 2
        padded = F.pad(canvas_NHW[selected_N].unsqueeze(1), padding)
        thick_NHW[selected_N] = F.max_pool2d(padded, width, stride=1).squeeze(1)
    return thick_NHW
