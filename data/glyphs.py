"""Built-in glyphs: procedural handwriting for tests and for machines without Omniglot.

An alphabet has a style (how many strokes, how far they reach); a character is a few strokes of
that style; a drawer has a hand (slant, scale, pen) and redraws every character of the alphabet with
it, unsteadily. Pixels overlap little between two drawers: 1-NN does badly, a trained net well.
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

Points = npt.NDArray[np.float64]

Canvas = npt.NDArray[np.float32]

GLYPHS_VERSION = 1  # counted up when the pixels change

N_ALPHABETS = {"train": 10, "val": 4, "test": 4}

N_CHARACTERS = 20

POINTS_PER_STROKE = 160


def _style(rng: np.random.Generator) -> tuple[float, int]:
    """Return how far an alphabet's strokes reach, and how many strokes a character has at most."""
    return float(rng.uniform(0.4, 0.6)), int(rng.integers(2, 5))


def _strokes(style: tuple[float, int], rng: np.random.Generator) -> Points:
    """Return the control points of one character, strokes × 4 points × (x, y), in [-0.9, 0.9]."""
    reach, most = style
    n_strokes = int(rng.integers(2, most, endpoint=True))
    start = rng.uniform(-0.7, 0.7, (n_strokes, 1, 2))
    steps = rng.normal(0.0, reach, (n_strokes, 3, 2))
    points = np.concatenate([start, start + steps.cumsum(axis=1)], axis=1)
    return np.asarray(np.clip(points, -0.9, 0.9))


def _curve(points: Points) -> Points:
    """Return points along the cubic Bézier curve of 4 control points."""
    t = np.linspace(0.0, 1.0, POINTS_PER_STROKE)[:, None]
    basis = np.concatenate([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3], axis=1)
    return np.asarray(basis @ points)


@dataclass(frozen=True)
class Hand:
    """How one drawer draws: a 2×2 map (slant and scale) and a pen of some pixels' width."""

    matrix: Points
    width: int


def _hand(rng: np.random.Generator) -> Hand:
    """Return a random drawer's hand."""
    theta, shear = rng.normal(0.0, 0.3), rng.normal(0.0, 0.3)
    turn = np.array([[np.cos(theta), -np.sin(theta)], [np.sin(theta), np.cos(theta)]])
    scale = np.diag(rng.uniform(0.7, 1.05, 2))
    return Hand(turn @ np.array([[1.0, shear], [0.0, 1.0]]) @ scale, int(rng.integers(2, 5)))


def _draw(strokes: Points, hand: Hand, rng: np.random.Generator, canvas: Canvas) -> None:
    """Put one drawer's unsteady, misplaced version of a character on a canvas, one pixel wide."""
    shift = rng.normal(0.0, 0.1, 2)
    for stroke in strokes + rng.normal(0.0, 0.12, strokes.shape):
        at = (_curve(stroke @ hand.matrix.T) + shift) * 0.45 * FULL_SIZE + FULL_SIZE / 2
        x, y = np.clip(at.round().astype(int), 1, FULL_SIZE - 2).T
        canvas[y, x] = 1.0


def _thicken(canvas_NHW: Tensor, width_N: Tensor) -> Tensor:
    """Widen one-pixel lines to each drawing's pen width."""
    out = torch.empty_like(canvas_NHW)
    for width in width_N.unique().tolist():
        at = width_N == width
        padded = F.pad(canvas_NHW[at].unsqueeze(1), (width // 2, (width - 1) // 2) * 2)
        out[at] = F.max_pool2d(padded, width, stride=1).squeeze(1)
    return out


def make_glyphs(
    *, seed: int = 0, n_alphabets: dict[str, int] | None = None, n_characters: int = N_CHARACTERS
) -> Dataset:
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
    canvas = np.zeros((n, FULL_SIZE, FULL_SIZE), dtype=np.float32)
    width = np.zeros(n, dtype=np.int64)
    at = 0
    for _ in names:
        style, hands = _style(rng), [_hand(rng) for _ in range(N_DRAWERS)]
        for strokes in [_strokes(style, rng) for _ in range(n_characters)]:
            for hand in hands:
                _draw(strokes, hand, rng, canvas[at])
                width[at] = hand.width
                at += 1
    thick = _thicken(torch.from_numpy(canvas), torch.from_numpy(width))
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
    test_names = [name for name in names if name.startswith("test")]
    at_test, test = drawings.positions(test_names), drawings.only(test_names)
    official = random_episodes(test, n_way=min(N_WAY, n_characters), seed=seed)
    return Dataset(drawings, official.renumbered(at_test))
