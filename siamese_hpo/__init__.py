"""The name under which programs import this project after ``pip install``.

``data``, ``model`` and ``hpo`` are common names: a folder may have a ``model.py`` of its own, which
Python would import in place of ours. This package imports ours from where it is installed, and
exports the interface of :mod:`hpo.api` and the pretrained network::

    from siamese_hpo import PRETRAINED, StudyConfig, load_network, run_study

Import it before modules of your own that have one of these names.
"""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("data", "model", "hpo")


def import_packages() -> None:
    """Import our packages from the folder of this one, wherever the program runs.

    Raises:
        ImportError: another module of the same name was imported before.
    """
    for name in PACKAGES:
        path = ROOT / name / "__init__.py"
        if name not in sys.modules:
            spec = spec_from_file_location(
                name, path, submodule_search_locations=[str(path.parent)]
            )
            assert spec is not None
            assert spec.loader is not None
            sys.modules[name] = module = module_from_spec(spec)
            spec.loader.exec_module(module)
        elif (other := getattr(sys.modules[name], "__file__", None)) != str(path):
            raise ImportError(
                f"siamese_hpo needs its own package '{name}', but {other or name} was imported "
                "under this name. Import siamese_hpo before it, or rename it."
            )


import_packages()

from data.paths import PRETRAINED  # noqa: E402 - its package is known only now
from hpo.api import (  # noqa: E402
    BestConfig,
    InputError,
    RetrainConfig,
    StudyConfig,
    StudyStart,
    best_config,
    read_config,
    read_space,
    register_arrays,
    register_network,
    retrain,
    run_study,
)
from model.checkpoint import load_network  # noqa: E402

__all__ = [
    "PRETRAINED",
    "BestConfig",
    "InputError",
    "RetrainConfig",
    "StudyConfig",
    "StudyStart",
    "best_config",
    "load_network",
    "read_config",
    "read_space",
    "register_arrays",
    "register_network",
    "retrain",
    "run_study",
]
