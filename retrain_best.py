"""Refit a study's best trial over several seeds and evaluate each fit once on the test.

``--checkpoint FILE`` evaluates a saved network without training. See README.md.
"""

import argparse
from pathlib import Path

from hpo.cli.entry_point import run_command
from hpo.cli.flags import add_data_and_device, add_storage, add_tensorboard, positive_int


def flags() -> argparse.ArgumentParser:
    """Return the command line's flags."""
    parser = argparse.ArgumentParser(description="Refit and evaluate the best trial of a study.")
    add_storage(parser)
    parser.add_argument(
        "--trial", type=int, metavar="N", help="default: the finalists' winner, else the best"
    )
    parser.add_argument(
        "--image-size",
        type=positive_int,
        help="pixels; kernels grow with it (default: the study's)",
    )
    parser.add_argument("--n-seeds", type=positive_int, default=3, help="number of fits")
    parser.add_argument(
        "--max-epochs", type=positive_int, help="default: 6 × the study's (episode)"
    )
    parser.add_argument(
        "--train-on",
        default="train",
        choices=("train", "train+val"),
        help="train+val: 40 alphabets, for the full number of epochs",
    )
    parser.add_argument(
        "--mirrors",
        default=True,
        action=argparse.BooleanOptionalAction,
        help="whether mirrored alphabets train as further ones (episode)",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="default: var/retrain/STUDY-TRIAL")
    parser.add_argument(
        "--checkpoint", type=Path, metavar="FILE", help="evaluate it, or --export it; train nothing"
    )
    parser.add_argument(
        "--export",
        choices=("onnx", "torch"),
        help="write every network's embedding and comparison as graphs, too",
    )
    add_data_and_device(parser, "Omniglot, or a folder of images of your own")
    add_tensorboard(parser)
    parser.add_argument(
        "--compile", action="store_true", help="torch.compile the network (CUDA graphs on a GPU)"
    )
    return parser


FOR_FITS = (
    *("storage", "study_name", "trial", "image_size", "n_seeds", "max_epochs", "train_on"),
    *("mirrors", "tensorboard", "compile"),
)


def parsed() -> argparse.Namespace:
    """Return the flags; those that a checkpoint would leave unheeded are refused."""
    parser = flags()
    args = parser.parse_args()
    idle = [name for name in FOR_FITS if getattr(args, name) != parser.get_default(name)]
    if args.checkpoint and idle:
        named = ", ".join(f"--{name.replace('_', '-')}" for name in idle)
        parser.error(f"--checkpoint trains nothing; leave out {named}")
    return args


def main() -> None:
    """Evaluate a checkpoint, or refit the best trial."""
    args = parsed()
    from hpo.cli.retrain import evaluate_checkpoint, print_exported, retrain
    from hpo.refit.plan import RetrainRequest
    from model.export import require_libraries

    if args.export:
        require_libraries(args.export)
    if args.checkpoint:
        if args.export:
            print_exported([args.checkpoint], args.export, args.out)
            return
        evaluate_checkpoint(args.checkpoint, args.data_root, args.device, args.precision, args.out)
        return
    networks = retrain(
        RetrainRequest(
            storage=args.storage,
            study_name=args.study_name,
            trial=args.trial,
            image_size=args.image_size,
            n_seeds=args.n_seeds,
            max_epochs=args.max_epochs,
            train_on=args.train_on,
            mirrors=args.mirrors,
            out=args.out,
            data_root=args.data_root,
            device=args.device,
            precision=args.precision,
            compile=args.compile,
            tensorboard=args.tensorboard,
        )
    )
    if args.export:
        print_exported(networks, args.export, None)


if __name__ == "__main__":
    run_command(main, "Fits under way are kept; run the same command again to go on.")
