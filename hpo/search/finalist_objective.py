"""The objective of the finalists: a fit with another seed, evaluated on new episodes."""

from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import optuna
from optuna.study import Study
from optuna.trial import FixedTrial, FrozenTrial

from data.drawings import Drawings
from data.episodes import Episodes
from data.errors import InputError
from data.paths import VAR
from hpo.search.configuration import settings_of_trial
from hpo.search.finalists import CLUSTERS, MAX_NUMBER
from hpo.search.kept_networks import kept_networks
from hpo.search.networks import save_trial_network
from hpo.search.objective import Objective
from hpo.settings.base_config import base_config
from hpo.space.distributions import suggest_config
from hpo.study.optuna_internals import storage_of
from hpo.study.trials import position_in_study
from model.checkpoint import load_network, save_network
from model.config import Config
from model.evaluate import episode_logits
from model.fit_state import FIT_FORMAT
from model.metrics import scorer_clusters
from model.siamese import SiameseNet


@dataclass(frozen=True)
class FinalistObjective:
    """Fits a finalist as the search did, but with another seed, and evaluates it on new episodes.

    Args:
        objective: objective of the search.
        study: study of the search.
        drawings: validation drawings to which the new episodes refer.
        episodes: new episodes, with another seed than those of the search.
        n_fits: total number of fits, over all finalists.
        var: folder in which the study has kept networks.
    """

    objective: Objective
    study: Study
    drawings: Drawings
    episodes: Episodes
    n_fits: int
    var: Path = VAR

    def __call__(self, trial: optuna.Trial) -> float:
        """Return the accuracy on the new episodes, in [0, 1], and save the network.

        The best epoch is chosen on the episodes of the search. The network of an equal fit of
        earlier finalists is used again.

        Raises:
            optuna.TrialPruned: all fits are assigned; two workers may have asked for the last one.
        """
        if position_in_study(trial.study.get_trials(deepcopy=False), trial.number) >= self.n_fits:
            raise optuna.TrialPruned
        number = trial.suggest_int("trial", 0, MAX_NUMBER)
        seed = trial.suggest_int("seed", 0, MAX_NUMBER)
        fitted = self.study.get_trials(deepcopy=False)[number]
        config, file = self._config(fitted), self.objective.files.network(trial.number)
        net = self._earlier_network(fitted, seed, config, file)
        net = self._fit(trial, config, file) if net is None else net
        if net is None:
            return self.objective.validation.chance
        clusters = scorer_clusters(partial(episode_logits, net), self.drawings, self.episodes)
        trial.set_user_attr(CLUSTERS, asdict(clusters))
        return clusters.mean

    def _config(self, fitted: FrozenTrial) -> Config:
        """Return the configuration of a trial of the search."""
        settings = settings_of_trial(self.objective.settings, fitted)
        return suggest_config(FixedTrial(fitted.params), base_config(settings), settings.space)

    def _fit(self, trial: optuna.Trial, config: Config, file: Path) -> SiameseNet | None:
        """Train and save a network; return None if the fit diverged."""
        search, number = self.objective, trial.params["trial"]
        path = search.files.checkpoint(trial)
        state, _ = search.train_network(trial, config, trial.params["seed"], path)
        if state.history[-1].diverged:
            return None
        net = state.best_net()
        save_trial_network(file, net, state, search.train, search.settings, trial=number)
        return net

    def _earlier_network(
        self, fitted: FrozenTrial, seed: int, config: Config, file: Path
    ) -> SiameseNet | None:
        """Return the network of an equal fit that the study has kept, and copy its file, or None.

        An extended study has other finalists, but some of them may have been finalists before.
        """
        kept = kept_networks(storage_of(self.study), self.study, fitted, self.var)
        path, compute = (kept.chosen | kept.fresh).get(seed), self.objective.compute
        if path is None:
            return None
        try:
            net, stored, metadata = load_network(path)
        except InputError:
            return None
        device = f"{compute.device.type} {compute.precision}"
        wanted = {"trial": fitted.number, "seed": seed, "device": device, "fit_format": FIT_FORMAT}
        if stored != config or any(metadata.get(name) != v for name, v in wanted.items()):
            return None
        save_network(file, net, config, metadata)
        net.precision = compute.precision
        return net.to(compute.device)
