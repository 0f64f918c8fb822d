"""Independent random streams from one seed."""

import numpy as np


def derive_seed(seed: int, *path: int) -> int:
    """Return a 32-bit seed for the stream that ``path`` names.

    torch's generator on the CPU uses 32 bits of a seed, so adding a large number to one would give
    the same stream again.
    """
    return int(np.random.SeedSequence([seed, *path]).generate_state(1)[0])
