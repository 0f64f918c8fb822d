"""Does the search pay? A study's winner against fixed configurations, refitted at equal compute.

Every network is trained for as many steps as make up the same measured cost, over several seeds.
Validation chooses the epoch of a fit and nothing else; the official episodes are asked once.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import fmean

import pandas as pd
from harness import finish, machine_of, parser
from optuna.trial import FixedTrial

from data.episodes import dense_validation
from data.load import load_dataset
from data.splits import Split, split_dataset
from hpo.cli.entry_point import run_command
from hpo.cli.flags import add_storage
from hpo.refit.plan import refit_config
from hpo.refit.result import format_mean, mean_and_sd
from hpo.refit.test_log import log_test_evaluation
from hpo.search.winner import choose_trial
from hpo.space.configuration import starting_points, suggest_config
from hpo.space.ranges import GROUPS
from hpo.study.open import open_stored_study, storage_or_reference
from hpo.study.settings import StudySettings, base_config
from model.config import Config
from model.evaluate import episode_logits, wilson_interval
from model.network_cache import NetworkCache
from model.test_metrics import scorer_accuracy

EPOCHS_FACTOR = 4  # a refit's length in trials
PAPER_RECIPE = "paper's recipe on its architecture, as many drawings"


def fixed_rates(settings: StudySettings, epochs: int, which: int) -> Config:
    """Return an anchor: the paper's architecture (0) or half its width, and rates set by hand."""
    base = base_config(replace(settings, max_epochs=epochs))
    return suggest_config(FixedTrial(starting_points(base, GROUPS)[which]), base, GROUPS)


def paper_recipe(settings: StudySettings, like: Config) -> Config:
    """Return the paper's recipe with as many drawings an epoch as another fit."""
    base = base_config(replace(settings, recipe="paper", max_epochs=like.fit.max_epochs))
    n_pairs = like.fit.steps_per_epoch * like.fit.n_characters
    return replace(base, fit=replace(base.fit, n_pairs=n_pairs))


def contenders(url: str, name: str | None, rival: str | None, quick: bool) -> dict[str, Config]:
    """Return the configurations by name: winners of two studies, and what nobody searched."""
    with open_stored_study(url, name) as (_, study, settings):
        epochs = 1 if quick else EPOCHS_FACTOR * settings.max_epochs
        found = {
            f"winner of {study.study_name}": refit_config(
                settings, choose_trial(study, None), epochs
            )
        }
    if rival is not None:
        with open_stored_study(url, rival) as (_, study, theirs):
            winner = refit_config(theirs, choose_trial(study, None), epochs)
            found[f"winner of {rival}, random search"] = winner
    found["paper's architecture, rates set by hand"] = fixed_rates(settings, epochs, 0)
    found["half its width, rates set by hand"] = fixed_rates(settings, epochs, 1)
    found[PAPER_RECIPE] = paper_recipe(settings, fixed_rates(settings, epochs, 0))
    return found


def shares(config: Config, fits: NetworkCache, n_seeds: int) -> dict[str, list[float]]:
    """Fit a configuration over the seeds, and ask each network about validation and test once."""
    parts = fits.parts
    found: dict[str, list[float]] = {"validation": [], "official": []}
    for net in fits.networks(config, n_seeds):
        scorer = partial(episode_logits, net)
        found["validation"].append(scorer_accuracy(scorer, parts.val, dense_validation(parts.val)))
        found["official"].append(scorer_accuracy(scorer, parts.test, parts.official))
    return found


def line(name: str, found: dict[str, list[float]], n_official: int) -> dict[str, object]:
    """Return a configuration's line of the table."""
    low, high = wilson_interval(fmean(found["official"]), n_official)
    return {
        "": name,
        "seeds": len(found["official"]),
        **{part: format_mean(mean_and_sd(values)) for part, values in found.items()},
        "official, 95 % interval": f"{low:.1%}–{high:.1%}",
    }


def main() -> None:
    """Refit every contender; print and keep the table."""
    flags = parser(__doc__)
    add_storage(flags)
    flags.add_argument("--rival", metavar="STUDY", help="random search in the same storage")
    flags.add_argument("--n-seeds", type=int, default=3, help="quick: 1")
    args = flags.parse_args()
    compute, n_seeds = machine_of(args), 1 if args.quick else args.n_seeds
    url = storage_or_reference(args.storage)
    configs = contenders(url, args.study_name, args.rival, args.quick)
    size = next(iter(configs.values())).model.image_size
    parts: Split = split_dataset(load_dataset("omniglot", args.data_root, size)).to(compute.device)
    fits = NetworkCache(parts, compute, Path("var/search_pays"))
    each: dict[str, dict[str, list[float]]] = {}
    for name, config in configs.items():
        each[name] = shares(config, fits, 1 if name == PAPER_RECIPE else n_seeds)
        log_test_evaluation(f"benchmarks/search_pays.py, {name}", each[name]["official"])
        print(line(name, each[name], len(parts.official)), flush=True)
    table = pd.DataFrame([line(name, found, len(parts.official)) for name, found in each.items()])
    finish(args, compute, {"Refitted at equal compute": table}, each=each)


if __name__ == "__main__":
    run_command(main, "Run the same command again.")
