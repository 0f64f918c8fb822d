"""Refit the best trial of a study over several seeds, and evaluate each fit once on the test.

``--checkpoint FILE`` evaluates a saved network without training. See README.md.
"""

import argparse
from pathlib import Path

from hpo.cli.entry_point import run_command, warn_if_untested_system
from hpo.cli.flags import (
    add_data_and_device,
    add_storage,
    add_tensorboard,
    parse_args,
    positive_int,
)

# Flags without effect on the evaluation of a saved network.
FIT_FLAGS = (
    *("storage", "study_name", "trial", "image_size", "n_seeds", "max_epochs", "train_on"),
    *("mirrors", "tensorboard", "compile", "again"),
)


def flags() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description="Refit the best trial of a study over several seeds, and evaluate each fit "
        "once on the test."
    )
    add_storage(parser)
    parser.add_argument(
        "--trial",
        type=int,
        metavar="N",
        help="number of the trial (default: winner of the finalists, otherwise the best trial)",
    )
    parser.add_argument(
        "--image-size",
        type=positive_int,
        help="size of the images in pixels; kernels scale with it (default: as in the study)",
    )
    parser.add_argument(
        "--n-seeds", type=positive_int, default=3, help="number of fits (default: %(default)s)"
    )
    parser.add_argument(
        "--max-epochs",
        type=positive_int,
        help="maximum number of epochs of a fit (default: as in the study, times 6 with the "
        "episode recipe)",
    )
    parser.add_argument(
        "--train-on",
        default="train",
        choices=("train", "train+val"),
        help="train+val also trains on the validation alphabets, and always for the maximum "
        "number of epochs (default: %(default)s)",
    )
    parser.add_argument(
        "--mirrors",
        default=True,
        action=argparse.BooleanOptionalAction,
        help="add mirrored alphabets to the training alphabets; episode recipe only (default: yes)",
    )
    add_evaluation(parser)
    return parser


def add_evaluation(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say what is evaluated, where, and where the results are written."""
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="folder of the results (default: in var/retrain/, named after study and flags)",
    )
    parser.add_argument(
        "--no-test",
        dest="test",
        action="store_false",
        help="evaluate the networks on validation only; the test is not used",
    )
    parser.add_argument(
        "--again",
        action="store_true",
        help="repeat the fits and evaluations whose results are already in the folder",
    )
    parser.add_argument(
        "--checkpoint",
        type=Path,
        metavar="FILE",
        help="evaluate this network, or export it with --export, instead of training",
    )
    parser.add_argument(
        "--export",
        choices=("onnx", "torch"),
        help="export every network for other programs, as graphs of embedding and comparison",
    )
    add_data_and_device(parser, "Omniglot, or of your own images")
    add_tensorboard(parser)
    parser.add_argument(
        "--compile",
        action="store_true",
        help="compile the networks with torch.compile, with CUDA graphs on a GPU",
    )


def parse_flags() -> argparse.Namespace:
    """Return the parsed flags; exit if a flag has no effect together with ``--checkpoint``."""
    parser = flags()
    args = parse_args(parser)
    if not args.test and args.train_on != "train":
        parser.error("--no-test needs validation alphabets. Leave out --train-on train+val.")
    unused = [name for name in FIT_FLAGS if getattr(args, name) != parser.get_default(name)]
    if args.checkpoint and unused:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in unused)
        parser.error(f"--checkpoint trains nothing. Leave out {names}.")
    return args


def main() -> None:
    """Refit the best trial, or evaluate or export a saved network."""
    args = parse_flags()
    warn_if_untested_system()
    # Imports come after parsing: --help and a wrong flag need not wait for torch and optuna.
    from hpo.cli.retrain import evaluate_checkpoint, export_networks, retrain
    from hpo.refit.plan import RetrainRequest
    from model.export import require_export_libraries

    if args.export:
        require_export_libraries(args.export)
    if args.checkpoint and args.export:
        export_networks([args.checkpoint], args.export, args.out)
        return
    if args.checkpoint:
        evaluate_checkpoint(
            *(args.checkpoint, args.data_root, args.device, args.precision, args.out),
            test=args.test,
        )
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
            again=args.again,
            test=args.test,
        )
    )
    if args.export:
        export_networks(networks, args.export, None)


if __name__ == "__main__":
    run_command(main, "Finished epochs are saved; run the same command again to resume.")
