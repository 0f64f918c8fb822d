"""Start or resume a study that tunes a siamese network.

Repeat the same command to resume; a finished study says so. See README.md.
"""

import argparse
import time

from hpo.console import add_machine, add_storage, positive, run_script
from model.config import INITS, RECIPES


def parse() -> argparse.Namespace:
    """Return the command line's flags."""
    parser = argparse.ArgumentParser(
        description="Start or resume a study that tunes a siamese network for one-shot recognition."
    )
    add_storage(parser)
    parser.add_argument("--n-trials", type=positive, default=30, help="trials of the study in all")
    parser.add_argument(
        "--timeout", type=float, metavar="SECONDS", help="begin no trial after this"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the study and of every fit")
    parser.add_argument(
        "--workers", type=positive, default=1, help="processes that share the cores"
    )
    add_machine(parser)
    add_task(parser)
    add_search(parser)
    return parser.parse_args()


def add_task(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say what a trial trains on, and how."""
    parser.add_argument(
        "--data", default="omniglot", choices=("omniglot", "glyphs"), help="glyphs: built-in ones"
    )
    parser.add_argument(
        "--image-size", type=positive, default=35, metavar="PIXELS", help="105 is the paper's"
    )
    parser.add_argument(
        "--recipe",
        default="episode",
        choices=RECIPES,
        help="episode trains the one-shot task itself, paper on independent pairs",
    )
    parser.add_argument(
        "--pairs", type=positive, default=30_000, help="pairs per epoch (paper recipe)"
    )
    parser.add_argument("--max-epochs", type=positive, help="default: 8 (episode), 200 (paper)")
    parser.add_argument(
        "--epoch-steps",
        type=positive,
        default=50,
        help="steps per epoch of the base network; a costlier one gets fewer (episode recipe)",
    )
    parser.add_argument("--init", default="scaled", choices=INITS, help="initial weights")


def add_search(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say what is searched, and how."""
    parser.add_argument(
        "--search",
        nargs="+",
        default=["paper"],
        metavar="GROUP",
        help="groups of lr momentum l2 filters kernels units, or paper = all (default)",
    )
    parser.add_argument(
        "--validation", default="dense", choices=("dense", "paper"), help="paper: 320 episodes"
    )
    parser.add_argument(
        "--sampler", default="tpe", choices=("tpe", "gp", "random"), help="default: tpe"
    )
    parser.add_argument(
        "--pruner",
        choices=("median", "hyperband", "none"),
        help="what ends hopeless trials (default: median; none for gp, which ignores them)",
    )


def main() -> None:
    """Run the study and say what came of it."""
    args = parse()
    # After parsing: --help and a wrong flag need not wait for torch and optuna.
    from data.load import load
    from hpo.settings import DEFAULT_EPOCHS, StudySettings
    from hpo.space import parse_search
    from hpo.study import default_name
    from hpo.summary import print_start, print_summary
    from hpo.workers import Job, run

    started = time.monotonic()
    # The built-in glyphs take Omniglot's place where there is neither it nor a network.
    data = load(args.data, args.data_root, args.image_size).drawings.name
    settings = StudySettings(
        data=data,
        image_size=args.image_size,
        recipe=args.recipe,
        max_epochs=args.max_epochs or DEFAULT_EPOCHS[args.recipe],
        epoch_steps=args.epoch_steps,
        pairs=args.pairs,
        search=parse_search(args.search),
        init=args.init,
        validation=args.validation,
        sampler=args.sampler,
        pruner=args.pruner or ("none" if args.sampler == "gp" else "median"),
        seed=args.seed,
    )
    job = Job(
        settings=settings,
        storage=args.storage,
        study_name=args.study_name or default_name(settings),
        data_root=args.data_root,
        n_trials=args.n_trials,
        timeout=args.timeout,
        device=args.device,
        precision=args.precision,
        workers=args.workers,
    )
    print_start(job)
    run(job)
    print_summary(job, time.monotonic() - started)


if __name__ == "__main__":
    run_script(main, "Finished trials are kept; run the same command again to resume.")
