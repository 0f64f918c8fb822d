import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from data.affine import IDENTITY, distort, sample_distortions
from data.distortions import NO_DISTORTIONS, PAPER_DISTORTIONS, DistortConfig
from data.errors import InputError


def parameters(**changes: float) -> Tensor:
    names = ("theta", "rho_x", "rho_y", "s_x", "s_y", "t_x", "t_y")
    values = dict(zip(names, IDENTITY, strict=True)) | changes
    return torch.tensor([[values[name] for name in names]])


def dot(x: int, y: int, size: int = 105) -> Tensor:
    image = torch.zeros(1, 1, size, size)
    image[0, 0, y, x] = 1.0
    return image


def centre_of_mass(image: Tensor) -> tuple[float, float]:
    weight = image[0, 0] / image.sum()
    position = torch.arange(image.shape[-1], dtype=torch.float32)
    return float((weight.sum(0) * position).sum()), float((weight.sum(1) * position).sum())


def test_identity_parameters_change_nothing() -> None:
    x = torch.rand(3, 1, 35, 35, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(distort(x, torch.tensor(IDENTITY).repeat(3, 1)), x)


# The centre is (52, 52); the dot is 20 pixels to its right.
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"theta": 10.0}, (20 * math.cos(math.radians(10)), 20 * math.sin(math.radians(10)))),
        ({"rho_y": 0.3}, (20.0, 6.0)),  # a ratio: 0.3 of 20 pixels, not 0.3 degrees
        ({"rho_x": 0.3}, (20.0, 0.0)),
        ({"s_x": 1.2}, (24.0, 0.0)),
        ({"s_y": 1.2}, (20.0, 0.0)),
        ({"t_x": 2.0}, (22.0, 0.0)),
        ({"t_y": -2.0}, (20.0, -2.0)),
    ],
)
def test_degrees_ratios_and_pixels_move_a_dot_as_documented(
    changes: dict[str, float], expected: tuple[float, float]
) -> None:
    x, y = centre_of_mass(distort(dot(72, 52), parameters(**changes)))
    assert (x - 52, y - 52) == pytest.approx(expected, abs=0.15)


def test_shear_along_x_is_proportional_to_the_height() -> None:
    x, y = centre_of_mass(distort(dot(52, 72), parameters(rho_x=0.3)))
    assert (x - 52, y - 52) == pytest.approx((6.0, 20.0), abs=0.15)


def test_a_shift_is_the_same_fraction_of_a_smaller_image() -> None:
    x, _ = centre_of_mass(distort(dot(20, 17, size=35), parameters(t_x=3.0)))
    assert x == pytest.approx(21.0, abs=0.01)


def test_a_quarter_turn_is_exact() -> None:
    x = torch.rand(1, 1, 35, 35, generator=torch.Generator().manual_seed(0))
    rotated = distort(x, parameters(theta=90.0))
    torch.testing.assert_close(rotated, torch.rot90(x, -1, (2, 3)), atol=1e-4, rtol=0)


def test_pixels_from_outside_the_image_are_paper() -> None:
    x = distort(torch.ones(1, 1, 105, 105), parameters(s_x=0.8, s_y=0.8))
    assert x[0, 0, 0].abs().max() == 0.0
    assert x[0, 0, 52, 52] == pytest.approx(1.0)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31))
def test_parameters_are_in_the_papers_ranges(seed: int) -> None:
    sampled = sample_distortions(200, generator=torch.Generator().manual_seed(seed))
    assert (sampled >= torch.tensor(PAPER_DISTORTIONS.bounds[0])).all()
    assert (sampled <= torch.tensor(PAPER_DISTORTIONS.bounds[1])).all()


def test_each_component_is_changed_half_of_the_time_and_in_both_directions() -> None:
    sampled = sample_distortions(20_000, generator=torch.Generator().manual_seed(0))
    changed = torch.tensor(IDENTITY) != sampled
    torch.testing.assert_close(changed.float().mean(0), torch.full((7,), 0.5), atol=0.02, rtol=0)
    for column in range(7):  # no one-sided rotation or shear
        values = sampled[changed[:, column], column] - IDENTITY[column]
        assert (values > 0).float().mean() == pytest.approx(0.5, abs=0.03)


def test_each_strength_reaches_its_own_parameters() -> None:
    parameters = {"rotation": [0], "shear": [1, 2], "scale": [3, 4], "shift": [5, 6]}
    values = {"rotation": 45.0, "shear": 0.6, "scale": 0.5, "shift": 9.0}
    none = dict.fromkeys(values, 0.0)
    for name, columns in parameters.items():
        config = DistortConfig(**none | {name: values[name]}, probability=1.0)
        T = sample_distortions(4000, config, generator=torch.Generator().manual_seed(0))
        distance = (T - torch.tensor(IDENTITY)).abs().max(0).values
        for column in range(7):
            expected = values[name] if column in columns else 0.0
            assert distance[column].item() == pytest.approx(expected, rel=0.01)


def test_the_probability_is_the_share_of_distorted_parameters() -> None:
    config = DistortConfig(probability=0.2)
    T = sample_distortions(20_000, config, generator=torch.Generator().manual_seed(0))
    share = (torch.tensor(IDENTITY) != T).float().mean().item()
    assert share == pytest.approx(0.2, abs=0.01)


def test_no_distortion_is_the_identity() -> None:
    assert NO_DISTORTIONS.is_identity
    assert DistortConfig(0.0, 0.0, 0.0, 0.0).is_identity
    assert not PAPER_DISTORTIONS.is_identity


@pytest.mark.parametrize(
    "values", [{"rotation": -1}, {"scale": 1}, {"shear": 1}, {"probability": 2}]
)
def test_an_impossible_strength_is_refused(values: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(values))):
        DistortConfig(**values)
