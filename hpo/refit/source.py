"""What is refitted: a trial of a study, or a point of a settings file."""

import hashlib
import json
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data.load import image_folder_name
from data.text import redact_storage
from hpo.refit.result import TrialOrigin
from hpo.refit.settings import RetrainConfig
from hpo.search.configuration import settings_of_trial
from hpo.search.finalists import finalist_studies
from hpo.search.kept_networks import KeptNetworks, kept_networks
from hpo.search.trial_files import TrialFiles, trials_folder
from hpo.search.winner import choose_trial, describe_value
from hpo.settings.study_settings import StudySettings
from hpo.study.budget import busy_seconds
from hpo.study.open import FOLDER, IDENTITY, open_stored_study, storage_or_reference
from hpo.study.trials import accuracy_of

logger = logging.getLogger(__name__)


MOST_ACCURATE = (
    "A study of two goals has no winner, so its most accurate trial is refitted. --trial N refits "
    "another one."
)


@dataclass(frozen=True)
class RefitSource:
    """A configuration of a study that is refitted.

    Args:
        settings: settings of the study.
        params: searched parameters of the configuration.
        data_digest: digest of the data of the study; None for a point.
        origin: where the configuration comes from.
        identifier: text that differs between studies of the same name.
        kept: networks of the trial that the study has kept; none of a point.
        start_copy: the study's copy of the network from which it starts, which need not exist.
    """

    settings: StudySettings
    params: dict[str, Any]
    data_digest: str | None
    origin: TrialOrigin
    identifier: str
    kept: KeptNetworks = field(default_factory=KeptNetworks)
    start_copy: Path | None = None


def refit_source(config: RetrainConfig) -> RefitSource:
    """Return what a retraining refits.

    Raises:
        InputError: study or trial does not exist, or the point is not in the space of its study.
    """
    return _source_of_point(config) if config.point is not None else _source_of_trial(config)


def _source_of_trial(config: RetrainConfig) -> RefitSource:
    url = storage_or_reference(config.storage)
    folder = image_folder_name(config.data_root)
    with open_stored_study(url, config.study_name, folder=folder) as (storage, study, settings):
        trial = choose_trial(study, config.trial)
        if config.trial is None and not settings.has_one_goal:
            logger.info("note     %s", MOST_ACCURATE)
        seconds = busy_seconds(study) + sum(map(busy_seconds, finalist_studies(storage, study)))
        origin = TrialOrigin(
            storage=redact_storage(url),
            study=study.study_name,
            trial=trial.number,
            study_value=accuracy_of(trial),
            study_seconds=round(seconds, 1),
            train_on=config.train_on,
            value_text=describe_value(study, trial),
        )
        return RefitSource(
            settings=settings_of_trial(settings, trial),
            params=trial.params,
            data_digest=study.user_attrs[IDENTITY]["data_digest"],
            origin=origin,
            identifier=f"{redact_storage(url)} {study.user_attrs.get(FOLDER, '')}",
            kept=kept_networks(storage, study, trial, config.var),
            start_copy=TrialFiles(trials_folder(study, config.var)).start
            if settings.start_from
            else None,
        )


def _source_of_point(config: RetrainConfig) -> RefitSource:
    assert config.study is not None
    assert config.point is not None
    settings = config.study.settings
    params = settings.space.require_point(config.point, settings.image_size, "point")
    text = json.dumps(params, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    origin = TrialOrigin(
        storage="",
        study=config.study.study_name or "point",
        trial=None,
        study_value=None,
        study_seconds=0.0,
        train_on=config.train_on,
        value_text=f"point {digest} of a settings file",
    )
    return RefitSource(settings, params, None, origin, text)
