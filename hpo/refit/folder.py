"""The folder of the results of a retraining."""

from hashlib import sha256
from pathlib import Path

from data.files import short_name
from data.paths import VAR
from hpo.refit.result import TrialOrigin
from hpo.refit.settings import RefitSettings

RETRAIN_FOLDER = VAR / "retrain"


def default_folder(name: str, identifier: str) -> Path:
    """Return the folder of the results if ``--out`` is not given.

    Args:
        name: from :func:`folder_name`.
        identifier: text that differs between studies of the same name.
    """
    return RETRAIN_FOLDER / short_name(f"{name}-{sha256(identifier.encode()).hexdigest()[:8]}")


def folder_name(
    origin: TrialOrigin, request: RefitSettings, precision: str, seeds: list[int]
) -> str:
    """Return a folder name; different retrainings of a study have different names.

    Args:
        origin: what is refitted.
        request: settings of the retraining.
        precision: number format that is used; ``--precision auto`` chooses it.
        seeds: seed of each fit.
    """
    pixels = f"-{request.image_size}px" if request.image_size else ""
    epochs = f"-{request.max_epochs}epochs" if request.max_epochs else ""
    mirrors = {None: "", True: "-mirrors", False: "-no-mirrors"}[request.mirrors]
    trial = "point" if origin.trial is None else origin.trial
    part = request.train_on.replace("+", "-")
    name = f"{origin.study}-{trial}-{part}{pixels}{epochs}{mirrors}"
    return f"{name}-{precision}-seeds{seeds[0]}-{seeds[-1]}"
