"""Hyperparameter optimisation: search spaces, studies, their workers, refits and reports.

The rooms import in one direction, each from those above it::

    space      what may vary, and the one function from parameters to a configuration
    study      settings and identity, storage, sampler, pruner, budget, trials
    search     the objective, the files of a trial, the choice of the winner
    runtime    workers, their supervisor and launchers, re-queueing, signals
    refit      the winner refitted over several seeds, and its test results
    report     frames, plots and HTML pages
    dashboard  the live dashboard and the status in a terminal
    paper      the tables of Koch et al. (2015)
    cli        what the scripts share: flags, output, exit status

The ``__all__`` of a room names the modules that other rooms may import.
"""
