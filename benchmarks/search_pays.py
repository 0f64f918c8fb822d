"""Compare the winner of a study with configurations that were not searched, at equal compute.

Every configuration is refitted over several seeds, for the number of steps that has the same cost.
Validation chooses the epoch of a fit only; every network is evaluated once on the official test.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import fmean

import pandas as pd
from harness import add_no_test, compute_from, finish, parser
from optuna.trial import FixedTrial

from data.episodes import dense_validation
from data.load import load_dataset
from data.splits import Split, split_dataset
from hpo.cli.entry_point import run_command
from hpo.cli.flags import add_storage
from hpo.refit.plan import refit_config
from hpo.refit.retrain import log_test_evaluation
from hpo.search.winner import choose_trial
from hpo.settings.base_config import base_config
from hpo.settings.study_settings import StudySettings
from hpo.space.distributions import suggest_config
from hpo.space.files import built_in_space
from hpo.study.open import open_stored_study, storage_or_reference
from model.config import Config
from model.evaluate import episode_logits, wilson_interval
from model.metrics import scorer_accuracy
from model.network_cache import NetworkCache
from model.summary import format_mean, mean_and_sd

EPOCHS_FACTOR = 4  # epochs of a refit per epoch of a trial
PAPER_RECIPE = "paper's recipe on its architecture, as many drawings"


def fixed_rates(settings: StudySettings, epochs: int, which: int) -> Config:
    """Return a starting point: the paper's architecture (0) or half its width, hand-set rates."""
    base = base_config(replace(settings, max_epochs=epochs))
    space = built_in_space("paper")
    point = space.starting_points(base.model.image_size)[which]
    return suggest_config(FixedTrial(point), base, space)


def paper_recipe(settings: StudySettings, like: Config) -> Config:
    """Return the paper's recipe with as many drawings per epoch as another fit."""
    base = base_config(replace(settings, recipe="paper", max_epochs=like.fit.max_epochs))
    n_pairs = like.fit.steps_per_epoch * like.fit.n_characters
    return replace(base, fit=replace(base.fit, n_pairs=n_pairs))


def contenders(url: str, name: str | None, rival: str | None, quick: bool) -> dict[str, Config]:
    """Return the configurations by name: the winners of one or two studies and the fixed ones."""
    with open_stored_study(url, name) as (_, study, settings):
        epochs = 1 if quick else EPOCHS_FACTOR * settings.max_epochs
        found = {
            f"winner of {study.study_name}": refit_config(
                settings, choose_trial(study, None).params, epochs
            )
        }
    if rival is not None:
        with open_stored_study(url, rival) as (_, study, theirs):
            winner = refit_config(theirs, choose_trial(study, None).params, epochs)
            found[f"winner of {rival}, random search"] = winner
    found["paper's architecture, rates set by hand"] = fixed_rates(settings, epochs, 0)
    found["half its width, rates set by hand"] = fixed_rates(settings, epochs, 1)
    found[PAPER_RECIPE] = paper_recipe(settings, fixed_rates(settings, epochs, 0))
    return merge_equal(found)


def merge_equal(configs: dict[str, Config]) -> dict[str, Config]:
    """Return each configuration once; a configuration with several names has all of them."""
    names: dict[str, list[str]] = {}
    for name, config in configs.items():
        names.setdefault(config.digest, []).append(name)
    return {", also ".join(each): configs[each[0]] for each in names.values()}


def fit_and_evaluate(
    config: Config, fits: NetworkCache, n_seeds: int, *, test: bool
) -> dict[str, list[float]]:
    """Fit a configuration over the seeds; evaluate each network, on the test too if ``test``."""
    parts = fits.split
    episodes = {"validation": (parts.val, dense_validation(parts.val))}
    if test:
        episodes["official"] = (parts.test, parts.official)
    scorers = [partial(episode_logits, net) for net in fits.networks(config, n_seeds)]
    return {
        name: [scorer_accuracy(scorer, *asked) for scorer in scorers]
        for name, asked in episodes.items()
    }


def line(name: str, found: dict[str, list[float]], n_official: int) -> dict[str, object]:
    """Return the row of a configuration."""
    row: dict[str, object] = {"": name, "seeds": len(found["validation"])}
    row |= {part: format_mean(mean_and_sd(values)) for part, values in found.items()}
    if "official" in found:
        low, high = wilson_interval(fmean(found["official"]), n_official)
        row["official, 95 % Wilson interval of one network"] = f"{low:.1%}–{high:.1%}"
    return row


def main() -> None:
    """Refit every configuration; print and write the table."""
    flags = parser(__doc__)
    add_storage(flags)
    flags.add_argument("--rival", metavar="STUDY", help="random search in the same storage")
    flags.add_argument(
        "--n-seeds", type=int, default=3, help="number of fits of each row; quick: 1"
    )
    add_no_test(flags)
    args = flags.parse_args()
    compute, n_seeds = compute_from(args), 1 if args.quick else args.n_seeds
    url = storage_or_reference(args.storage)
    configs = contenders(url, args.study_name, args.rival, args.quick)
    size = next(iter(configs.values())).model.image_size
    parts: Split = split_dataset(load_dataset("omniglot", args.data_root, size)).to(compute.device)
    fits = NetworkCache(parts, compute, Path("var/search_pays"))
    each: dict[str, dict[str, list[float]]] = {}
    for name, config in configs.items():
        n_fits = 1 if name == PAPER_RECIPE else n_seeds
        each[name] = fit_and_evaluate(config, fits, n_fits, test=args.test)
        if args.test:
            log_test_evaluation(f"benchmarks/search_pays.py, {name}", each[name]["official"])
        print(line(name, each[name], len(parts.official)), flush=True)
    table = pd.DataFrame([line(name, found, len(parts.official)) for name, found in each.items()])
    finish(args, compute, {"Refitted at equal compute": table}, each=each)


if __name__ == "__main__":
    run_command(main, "Finished fits are saved; run the same command again to resume.")
