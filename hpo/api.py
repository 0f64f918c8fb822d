"""The Python interface: run a study, look at its best configuration, refit it.

``hpo`` exports these names. Nothing is printed; the logger ``hpo`` gets what the commands print. A
study runs in the calling process. To use more processes, run the same program
again: they share the study.
"""

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from optuna.study import Study

from data.arrays import register_arrays
from data.errors import InputError
from hpo.refit.networks import find_result
from hpo.refit.plan import make_plan, refit_config
from hpo.refit.result import RetrainResult
from hpo.refit.run import run_retraining
from hpo.refit.settings import RETRAIN_SECTIONS, RetrainConfig
from hpo.report.retraining.files import write_results
from hpo.runtime.in_process import InProcessLauncher, TrialCallback
from hpo.runtime.phases import run_phases
from hpo.runtime.start import StudyStart
from hpo.search.configuration import settings_of_trial
from hpo.search.objective import EpochCallback
from hpo.search.winner import choose_trial
from hpo.settings.base_config import check_settings
from hpo.settings.config_file import ConfigFile, make_config, read_config_file
from hpo.settings.start_space import resolve_start
from hpo.settings.study_settings import SECTIONS, StudyConfig
from hpo.space.files import read_space
from hpo.space.space import Point
from hpo.study.dataset import load_data, resolve_data, split_data
from hpo.study.identity import settings_of
from hpo.study.leaks import require_unseen
from model.config import Config
from model.own_network import register_network

__all__ = [
    "BestConfig",
    "InputError",
    "RetrainConfig",
    "StudyConfig",
    "StudyStart",
    "best_config",
    "read_config",
    "read_space",
    "register_arrays",
    "register_network",
    "retrain",
    "run_study",
]

T = TypeVar("T", StudyConfig, RetrainConfig)


@dataclass(frozen=True)
class BestConfig:
    """The best configuration of a study.

    Args:
        trial: number of the trial.
        params: searched parameters by name.
        config: configuration of network and fit, as ``retrain`` uses it.
    """

    trial: int
    params: Point
    config: Config


def run_study(
    config: StudyConfig,
    *,
    start: StudyStart | None = None,
    on_epoch: EpochCallback | None = None,
    on_trial: TrialCallback | None = None,
) -> Study:
    """Start or resume a study in this process; return it when its budget is spent.

    Args:
        config: settings of the study, as in a settings file.
        start: points to evaluate first, another study to start from, or a wider space.
        on_epoch: called after every epoch with the trial (``optuna.Trial``) and the result
            (:class:`model.fit_state.EpochResult`).
        on_trial: called after every trial with the study and the trial (``optuna.FrozenTrial``).

    Returns:
        The study, a plain ``optuna.Study``.

    Raises:
        InputError: settings, data, storage or device cannot be used.
    """
    if config.workers > 1 or config.ray is not None:
        raise InputError(
            "workers must be 1 and ray None from Python, because a study runs in this process. To "
            "use more processes, run this program several times: they share the study."
        )
    config = _validated(config)
    check_settings(config.settings)
    config = resolve_start(resolve_data(config))
    if config.start_from is not None:  # checked before anything is stored
        data = load_data(config.settings, config.data_root)
        require_unseen(config.settings, split_data(config.settings, data))
    return run_phases(config, InProcessLauncher(on_epoch, on_trial), start=start)


def _validated(config: T) -> T:
    """Return a configuration whose values were checked and converted, as those of a file are."""
    given = {f.name: (getattr(config, f.name), f.default) for f in fields(config)}
    values = {name: value for name, (value, default) in given.items() if value != default}
    validated: T = make_config(type(config), ConfigFile(type(config).__name__, values))
    return validated


def read_config(path: str | Path) -> StudyConfig:
    """Return the settings of a study from a settings file.

    Args:
        path: TOML file, as ``run_study.py --print-config`` prints it.

    Raises:
        InputError: the file cannot be read, or a setting is wrong.
    """
    file = read_config_file(Path(path), SECTIONS, RETRAIN_SECTIONS)
    config: StudyConfig = make_config(StudyConfig, file)
    return config


def best_config(study: Study, trial: int | None = None) -> BestConfig:
    """Return the configuration of the winner of a study, or of one of its trials.

    Args:
        study: study of :func:`run_study`.
        trial: number of a complete trial; None for the winner, or for the best trial without one.

    Raises:
        InputError: the study has no complete trial.
    """
    chosen = choose_trial(study, trial)
    config = refit_config(settings_of_trial(settings_of(study), chosen), chosen.params)
    return BestConfig(chosen.number, dict(chosen.params), config)


def retrain(config: StudyConfig | RetrainConfig, **changes: Any) -> RetrainResult:
    """Refit the best trial of a study over several seeds, evaluate it on the test, write a report.

    Args:
        config: the study, or all settings of the retraining.
        changes: settings of :class:`hpo.refit.settings.RetrainConfig`, for example ``n_seeds=1``,
            or ``study_name=study.study_name`` for the study that ``run_study`` returned.

    Returns:
        The content of ``result.json``.

    Raises:
        InputError: study, data or device cannot be used, or a fit has diverged.
    """
    if isinstance(config, StudyConfig):
        config = _retrain_config(resolve_data(_validated(config)))
    config = _validated(replace(config, **changes))
    if not config.test:
        raise InputError(
            "From Python, test must be True, because retrain evaluates its networks on the test, "
            "but is False. Use retrain_best.py --no-test for validation only."
        )
    plan = make_plan(config)
    if not config.again and (found := find_result(plan)):
        return found
    retraining = run_retraining(plan, config)
    write_results(plan.folder, *retraining)
    return retraining.result


def _retrain_config(config: StudyConfig) -> RetrainConfig:
    """Return the settings of a retraining of a study: its name, storage, folders and device."""
    names = {f.name for f in fields(RetrainConfig)} & {f.name for f in fields(StudyConfig)}
    shared = {n: getattr(config, n) for n in names - {"image_size", "max_epochs", "test"}}
    return RetrainConfig(**shared | {"study_name": config.name})
