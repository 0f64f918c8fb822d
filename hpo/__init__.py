"""Hyperparameter optimisation: search spaces, studies, workers, refits and reports.

Each sub-package imports only from those above it in this list::

    space      which parameters vary, and how parameters become a configuration
    settings   every setting, described once, and settings files
    study      identity, data, storage, sampler, pruner, budget, trials
    search     the objective, the files of a trial, the choice of the winner
    runtime    workers, their supervisor and launchers, retries, signals
    refit      refits of the winner over several seeds, and their test results
    report     data frames, plots and HTML pages
    dashboard  the live dashboard and the status in a terminal
    paper      the tables of Koch et al. (2015)
    cli        what the scripts share: flags, output, exit status

Where to look first:

- The range of a learning rate: ``hpo/space/spaces/paper.toml``.
- A setting: the docstrings of :mod:`hpo.settings.sections`; flags and files are made from them.
- Pruning of a trial: ``Objective.train_network`` in :mod:`hpo.search.objective`.
- First use of the test alphabets: :mod:`hpo.refit.plan` loads them, :mod:`hpo.refit.retrain`
  evaluates the refits on them. The objective of a study gets training and validation drawings only.

``__all__`` of a sub-package lists the modules that other sub-packages may import.

:mod:`hpo.api` is the interface for Python programs; its names can be imported from ``hpo``.
"""

from typing import Any


def __getattr__(name: str) -> Any:
    """Import the names of :mod:`hpo.api` when they are used: torch and Optuna take seconds."""
    if not name.startswith("_"):
        from hpo import api

        if name in api.__all__:
            return getattr(api, name)
    raise AttributeError(f"module 'hpo' has no attribute '{name}'")
