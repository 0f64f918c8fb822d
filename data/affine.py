"""The paper's affine distortions, applied to a whole batch on its device.

Tensor suffixes: B images, 7 parameters T = (θ, ρx, ρy, sx, sy, tx, ty), H W pixels.
"""

import math
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from data.distortions import PAPER_DISTORTIONS, DistortConfig
from data.drawings import FULL_SIZE

IDENTITY = (0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0)
N_PARAMETERS = 7


def identity_parameters(device: torch.device) -> Tensor:
    """Return the float32 parameters T, of shape 7, that leave an image unchanged."""
    return _constant(device, IDENTITY)


def sample_distortions(
    n: int, config: DistortConfig = PAPER_DISTORTIONS, *, generator: torch.Generator
) -> Tensor:
    """Return float32 B×7 random parameters T.

    Args:
        n: number of images, B.
        config: strength of the distortions.
        generator: source of random numbers; the result is on its device.

    Source: Koch 2015 §3.2 "Affine distortions". Deviation D8: the shear is read as a ratio.
    """
    device = generator.device
    low, high = (_constant(device, bound) for bound in config.bounds)
    sampled = low + (high - low) * torch.rand(n, N_PARAMETERS, generator=generator, device=device)
    chance = torch.rand(n, N_PARAMETERS, generator=generator, device=device)
    return torch.where(chance < config.probability, sampled, identity_parameters(device))


def distort(x_B1HW: Tensor, T_B7: Tensor) -> Tensor:
    """Return the images rotated, sheared, scaled and shifted about their centre.

    A point p of the drawing (x to the right, y down, origin at the centre) moves to
    ``R(θ) · [[1, ρx], [ρy, 1]] · diag(sx, sy) · p + t``. A positive θ rotates the image clockwise.
    Pixels that come from outside the image are paper, 0.

    Args:
        x_B1HW: float, ink 1, paper 0; B×3×H×W for colour images.
        T_B7: float32, θ in degrees, ρ and s as ratios, t in pixels of a 105-pixel drawing (images
            of another size shift by the same fraction of their size).

    Returns:
        Float, of the shape of ``x_B1HW``, interpolated bilinearly.
    """
    theta, rho_x, rho_y, s_x, s_y, t_x, t_y = T_B7.unbind(1)
    cos, sin = torch.cos(theta * math.pi / 180), torch.sin(theta * math.pi / 180)
    a, b = (cos - sin * rho_y) * s_x, (cos * rho_x - sin) * s_y
    c, d = (sin + cos * rho_y) * s_x, (sin * rho_x + cos) * s_y
    # grid_sample maps output pixels to input pixels: the inverse map, in half image widths.
    det = a * d - b * c
    u, v = t_x * 2 / FULL_SIZE, t_y * 2 / FULL_SIZE
    inverse = torch.stack([d, -b, b * v - d * u, -c, a, c * u - a * v], dim=1) / det.unsqueeze(1)
    grid = F.affine_grid(inverse.view(-1, 2, 3), list(x_B1HW.shape), align_corners=False)
    return F.grid_sample(x_B1HW, grid, mode="bilinear", align_corners=False)


@cache
def _constant(device: torch.device, values: tuple[float, ...]) -> Tensor:
    """Return cached constants on a device: copying them in each step would wait for the GPU."""
    return torch.tensor(values, device=device)
