"""The scales at which the tables of the paper are reproduced."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """The size of the networks of a reproduction and the length of their training.

    Args:
        name: name on the command line.
        image_size: height and width of a drawing in pixels; 35 for Table 3, as in the paper.
        pairs: number of training pairs in the three rows of Table 1; 30k, 90k and 150k in the
            paper.
        visits: number of pairs that a fit with the paper's recipe processes in all epochs together;
            None for the paper's rule: at most 200 epochs, stopping after 20 epochs without
            improvement.
        narrowed: divisor of the numbers of filters and units of the convolutional network.
        hidden: number of units of each layer of the network without convolutions.
        episode_epochs: number of epochs of the episode recipe.
        steps_per_epoch: number of steps per epoch of the episode recipe.
        n_seeds: number of fits of each row.
        l2: L2 penalty of all layers with the paper's recipe.
    """

    name: str
    image_size: int
    pairs: tuple[int, int, int]
    visits: int | None
    narrowed: int
    hidden: int
    episode_epochs: int
    steps_per_epoch: int
    n_seeds: int
    l2: float = 0.0


SCALES = {
    scale.name: scale
    for scale in (
        Scale(
            name="smoke",
            image_size=35,
            pairs=(256, 512, 1024),
            visits=1024,
            narrowed=8,
            hidden=128,
            episode_epochs=1,
            steps_per_epoch=4,
            n_seeds=1,
        ),
        Scale(
            name="reduced",
            image_size=35,
            pairs=(30_000, 90_000, 150_000),
            visits=300_000,
            narrowed=2,
            hidden=2048,
            episode_epochs=24,
            steps_per_epoch=100,
            n_seeds=3,
        ),
        # The penalty is that of the best long fit of benchmarks/paper_recipe.py.
        Scale(
            name="day",
            image_size=35,
            pairs=(30_000, 90_000, 150_000),
            visits=6_000_000,
            narrowed=2,
            hidden=2048,
            episode_epochs=54,
            steps_per_epoch=100,
            n_seeds=3,
            l2=4e-4,
        ),
        Scale(
            name="full",
            image_size=105,
            pairs=(30_000, 90_000, 150_000),
            visits=None,
            narrowed=1,
            hidden=4096,
            episode_epochs=48,
            steps_per_epoch=50,
            n_seeds=1,
        ),
    )
}
