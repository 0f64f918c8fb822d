"""From a study's best trial to the configuration that is refitted."""

from dataclasses import replace

from optuna.study import Study
from optuna.trial import FixedTrial, FrozenTrial, TrialState

from data.errors import InputError
from hpo.finalists import winning_trial
from hpo.settings import StudySettings, base_config
from hpo.space import resize_model, suggest_config
from hpo.trials import best_trials
from model.config import Config

# A trial is short so that many can be tried; the winner is worth a longer fit.
EPOCHS_FACTOR = {"episode": 6, "paper": 1}


def choose_trial(study: Study, number: int | None) -> FrozenTrial:
    """Return the complete trial of that number; without one, the finalists' winner, else the best.

    Raises:
        InputError: there is none, or it has not been completed.
    """
    best = best_trials(study, 1)
    if not best:
        raise InputError(
            f"Study '{study.study_name}' has no complete trial yet. Let run_study.py finish one."
        )
    if number is None:
        return winning_trial(study) or best[0]
    complete = {t.number: t for t in study.get_trials(states=(TrialState.COMPLETE,))}
    if number not in complete:
        raise InputError(
            f"--trial must be a complete trial of study '{study.study_name}', but {number} is none."
            f" Choose one of {', '.join(map(str, sorted(complete)))}."
        )
    return complete[number]


def refit_config(
    settings: StudySettings,
    trial: FrozenTrial,
    max_epochs: int | None = None,
    image_size: int | None = None,
    mirrors: bool = False,
) -> Config:
    """Return the trial's configuration, rebuilt by the search's own function, with a longer fit.

    Args:
        settings: of the study.
        trial: whose parameters.
        max_epochs: of the fit, or None for the default.
        image_size: in pixels, or None for the study's; kernels grow with it, steps stay.
        mirrors: whether mirrored alphabets train as further ones, which pays in long fits.
    """
    config = suggest_config(FixedTrial(trial.params), base_config(settings), settings.search)
    epochs = max_epochs or settings.max_epochs * EPOCHS_FACTOR[settings.recipe]
    if image_size:
        config = replace(config, model=resize_model(config.conv, image_size))
    return replace(config, fit=replace(config.fit, max_epochs=epochs, mirrors=mirrors))
