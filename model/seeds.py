"""Independent random streams from one seed."""

import numpy as np


def derive_seed(seed: int, *path: int) -> int:
    """Return a 32-bit seed for one of the random streams of a seed.

    PyTorch's generator on the CPU uses only 32 bits of a seed, so adding a large number to a seed
    could give the same stream again.

    Args:
        seed: seed of all streams.
        path: numbers that identify the stream.
    """
    return int(np.random.SeedSequence([seed, *path]).generate_state(1)[0])
