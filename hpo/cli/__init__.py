"""What the scripts share: flags, exit statuses, and the output of run_study.py and retrain_best.py.

Scripts import this room; no other room does. A script parses its flags before it imports torch and
optuna, so that ``--help`` and a wrong flag need not wait for them.
"""
