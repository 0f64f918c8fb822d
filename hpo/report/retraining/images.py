"""Pictures of a retraining's report: errors, confusions, and the paper's Figures 1, 5 and 7.

Tensor suffixes: N images or filters, A alphabets, C characters, R runs, Q queries, S support
drawings, H W pixels, 7 parameters of a distortion.
"""

from math import ceil, sqrt

import pandas as pd
import torch
from torch import Tensor

from data.affine import distort, identity_parameters, sample_distortions
from data.drawings import Drawings
from data.pictures import drawing_png, encode_png, stretch_contrast, tile_images
from data.splits import Split
from hpo.report.html_page import Picture
from model.losses import to_input


def error_images(errors: pd.DataFrame, test: Drawings) -> list[Picture]:
    """Return one picture per error: the query, and the correct and the chosen support drawing.

    Args:
        errors: from :func:`hpo.report.retraining.frames.error_frame`.
        test: test drawings of any size.
    """

    def png(character: int, drawer: int) -> bytes:
        return drawing_png(test.images_NHW[_position(test, character, drawer)])

    return [
        Picture(
            [
                ("query", png(row.character, row.query_drawer)),
                (
                    f"correct\n{format_similarity(row.p_correct)}",
                    png(row.character, row.support_drawer),
                ),
                (
                    f"chosen\n{format_similarity(row.p_answer)}",
                    png(row.answer, row.answer_drawer),
                ),
            ],
            f"{row.alphabet}, run {row.lake_run:02} item {row.item} · wrong in {row.n_wrong} of "
            f"{row.n_fits} fits",
        )
        for row in errors.itertuples()
    ]


def episode_image(split: Split) -> Picture:
    """Return an official episode: the query, and its support drawings as tiles.

    Source: Koch 2015 Figure 1.
    """
    official, images = split.official, split.test.images_NHW
    support = official.support_RS[0]
    n_columns = ceil(sqrt(len(support)))
    number = int(official.target_RQ[0, 0]) * official.n_shot + 1
    return Picture(
        [
            ("query", drawing_png(images[official.query_RQ[0, 0]])),
            (
                f"support drawings; number {number} is correct",
                encode_png(tile_images(images[support], n_columns)),
            ),
        ],
    )


def distortion_image(split: Split, n: int = 15) -> Picture:
    """Return a training drawing and ``n`` distorted copies of it.

    Source: Koch 2015 Figure 5.
    """
    x_1CHW = to_input(split.train.images_NHW[:1])
    generator = torch.Generator().manual_seed(0)
    T_N7 = torch.cat(
        [identity_parameters(torch.device("cpu"))[None], sample_distortions(n, generator=generator)]
    )
    copies = distort(x_1CHW.expand(n + 1, -1, -1, -1), T_N7).squeeze(1)
    return Picture(
        [("a drawing (top left) and distorted copies", encode_png(tile_images(copies, 4)))]
    )


def filter_image(filters_NHW: Tensor) -> Picture:
    """Return the filters of the first layer; the contrast of each is stretched to its range.

    Args:
        filters_NHW: float32 weights, averaged over the input channels.

    Source: Koch 2015 Figure 7.
    """
    n_columns = ceil(sqrt(2 * len(filters_NHW)))
    zoom = max(1, 32 // filters_NHW.shape[-1])
    sheet = encode_png(tile_images(stretch_contrast(filters_NHW), n_columns, zoom))
    return Picture([("filters of conv1, highest weight black", sheet)])


def confusion_images(top: pd.DataFrame, split: Split, character: str) -> list[Picture]:
    """Return the most frequent confusions of characters, as pairs of drawings.

    Args:
        top: from :func:`hpo.report.retraining.frames.top_confusions`.
        split: data set with the test and validation drawings.
        character: word for a character of the data set.
    """
    pictures = []
    for row in top.itertuples():
        part = split.test if row.alphabet in split.test.alphabets else split.val
        first = int(part.first_A[part.alphabets.index(row.alphabet)])
        images = [
            drawing_png(part.images_NHW[int(part.first_C[first + number])])
            for number in (row.character, row.answer)
        ]
        labels = (f"{character} {row.character + 1}", f"answered as {row.answer + 1}")
        caption = f"{row.alphabet}: in {row.share:.1%} of its episodes"
        pictures.append(Picture(list(zip(labels, images, strict=True)), caption))
    return pictures


def format_similarity(p: float) -> str:
    """Return a similarity in (0, 1) as percent; below 0.05 % as a power of ten."""
    if p < 1e-30:
        return "<1e-30"
    return f"{p:.1%}" if p >= 0.0005 else f"{p:.0e}".replace("e-0", "e-")


def _position(drawings: Drawings, character: int, drawer: int) -> int:
    """Return the position of a drawing; drawers are numbered from 1 as in the archives."""
    matches_N = (drawings.character_N == character) & (drawings.drawer_N == drawer - 1)
    return int(matches_N.nonzero()[0, 0])
