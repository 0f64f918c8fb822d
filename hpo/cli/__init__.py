"""What the scripts share: flags, exit statuses, and the output of run_study.py and retrain_best.py.

Only the scripts import this package. A script parses its flags before it imports torch and optuna,
so that ``--help`` and the error message for a wrong flag appear without delay.
"""
