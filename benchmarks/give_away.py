"""Make the pretrained network and its card: ``uv run benchmarks/give_away.py RETRAIN_FOLDER``.

Takes the network of a retraining with the highest validation accuracy, stores it in half precision
in ``results/pretrained/``, and evaluates it as stored.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from data.errors import InputError
from data.load import load_dataset
from data.splits import split_dataset
from hpo.cli.entry_point import run_command
from hpo.cli.flags import add_data_and_device
from hpo.refit.result import RESULT_FILE, RetrainResult
from hpo.refit.retrain import log_test_evaluation
from model.checkpoint import load_network, save_network
from model.device import choose_compute
from model.intervals import ClusterAccuracies, accuracy_interval, format_interval
from model.metrics import evaluate_network

FOLDER = Path(__file__).parents[1] / "results" / "pretrained"
KEPT = (
    *("data", "data_digest", "train_on", "study", "trial", "seed", "epochs", "best_epoch"),
    *("provenance", "task", "classes", "started_from"),
)
LIMITS = """\
- It compares two drawings of characters: ink on paper, one character per square image, as
  `compare.py` prepares them. It was trained only on drawings made with a mouse.
- A similarity is a probability only for pairs like the test pairs. The threshold was chosen on
  validation pairs, half of which show the same character.
- Accuracy may be lower for handwriting that differs from the handwriting of the twenty drawers of
  Omniglot's background set. It differs between alphabets, as the table shows.
- No choice was made using the test alphabets. The network was neither made nor tested to identify
  persons by their handwriting."""


def parse() -> argparse.Namespace:
    """Return the parsed flags."""
    parser = argparse.ArgumentParser(description="Choose, store and describe a pretrained network.")
    parser.add_argument("folder", type=Path, help="folder of a retraining")
    add_data_and_device(parser)
    return parser.parse_args()


def stored(folder: Path) -> Path:
    """Store the network with the best validation accuracy in half precision; return its path.

    Raises:
        InputError: the folder holds no retraining with a validation accuracy.
    """
    result = RetrainResult.read(folder / RESULT_FILE)
    train_on = result.origin.train_on if result.origin else "unknown data"
    if train_on != "train":
        raise InputError(
            "Validation chooses among the seeds, so --train-on must have been train, but it was "
            f"{train_on}. Choose another folder."
        )
    best = max(result.seeds, key=lambda seed: seed.metrics.validation_accuracy or 0.0).seed
    net, config, facts = load_network(folder / f"seed-{best}.pt")
    path = FOLDER / "network.pt"
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = {name: facts[name] for name in KEPT if name in facts}
    kept |= {"precision": "float16", "threshold": facts["verification"]["threshold"]}
    save_network(path, net.half(), config, kept)
    return path


def card(scores: dict[str, Any]) -> str:
    """Return the model card as Markdown."""
    official, facts, model = scores["official"], scores["facts"], scores["config"]["model"]
    low, high = official["interval"]
    alphabets = scores["by_alphabet"]
    lines = [
        "# A pretrained siamese network",
        "",
        f"`network.pt`: {scores['megabytes']:.1f} MB in half precision, {model['image_size']} "
        f"pixels, filters {model['filters']}, kernels {model['kernels']}, {model['units']} units. "
        "`uv run retrain_best.py --checkpoint results/pretrained/network.pt` evaluates it.",
        "",
        f"**Data.** Omniglot (Lake et al. 2015): trained on {facts['train_on']} (the 30 background "
        "alphabets), epoch and threshold chosen on ten evaluation alphabets, tested on the other "
        f"ten. Digest {facts['data_digest'][:12]}.",
        "",
        f"**Training.** Trial {facts['trial']} of study {facts['study']}, refitted with seed "
        f"{facts['seed']}: the best of its seeds on validation.",
        "",
        f"**Scores.** {official['accuracy']:.1%} of Lake's 400 official episodes (95 % interval "
        f"{alphabet_interval(official)}; Wilson interval over the 400 episodes {low:.1%} to "
        f"{high:.1%}), {scores['random_episodes']['20']:.1%} of random 20-way "
        f"episodes within the test alphabets, {scores['validation_accuracy']:.1%} of the "
        f"validation episodes, {scores['verification']['test_accuracy']:.1%} of test pairs at "
        f"logit {scores['verification']['threshold']:.2f}.",
        "",
        "| alphabet | | 5-way | 20-way |",
        "|---|---|---|---|",
    ]
    for part in ("test", "val"):
        for name, ways in alphabets[part].items():
            twenty = f"{ways['20']:.1%}" if "20" in ways else "–"
            lines.append(f"| {name} | {part} | {ways['5']:.1%} | {twenty} |")
    return "\n".join([*lines, "", "**Limits.**", "", LIMITS, ""])


def alphabet_interval(official: dict[str, Any]) -> str:
    """Return the interval of the official accuracy over its ten alphabets of 40 episodes each."""
    accuracies = [[*official["per_alphabet"].values()]]
    return format_interval(accuracy_interval(ClusterAccuracies("alphabet", accuracies, [40] * 10)))


def main() -> None:
    """Store and evaluate the network; write its scores and its card."""
    args = parse()
    compute = choose_compute(args.device, args.precision)
    path = stored(args.folder)
    net, config, facts = load_network(path)
    net.precision = compute.precision
    dataset = load_dataset("omniglot", args.data_root, config.model.image_size)
    if dataset.drawings.digest != facts["data_digest"]:
        raise InputError(
            f"The data must be that of the retraining, but is {dataset.drawings.name}. Set "
            "--data-root to the folder of Omniglot."
        )
    parts = split_dataset(dataset).to(compute.device)
    scores = evaluate_network(net.to(compute.device), parts).metrics.to_dict()
    log_test_evaluation("benchmarks/give_away.py", [scores["official"]["accuracy"]])
    size = {"megabytes": path.stat().st_size / 1e6}
    facts = {name: value for name, value in facts.items() if name != "classes"}
    scores |= size | {"facts": facts, "config": config.to_dict(), "precision": compute.precision}
    scores["verification"].pop("roc")
    (FOLDER / "scores.json").write_text(json.dumps(scores, indent=1) + "\n")
    (FOLDER / "README.md").write_text(card(scores))
    print(f"wrote    {FOLDER.name}/network.pt, scores.json, README.md")


if __name__ == "__main__":
    run_command(main, "Run the same command again to start over.")
