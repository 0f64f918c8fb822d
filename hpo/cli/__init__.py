"""What the scripts share: flags, exit statuses, and the output of run_study.py and retrain_best.py.

Only the scripts import this package. A script parses its flags before it imports torch and optuna,
so that ``--help`` and the error message for a wrong flag appear without delay.
"""

import os
import signal
import sys
from types import TracebackType


def _report_interruption(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    """Print one line for a Ctrl-C during the imports, before a script handles signals itself."""
    if not issubclass(kind, KeyboardInterrupt):
        return sys.__excepthook__(kind, error, traceback)
    print("stopped. Nothing has been started yet.", file=sys.stderr, flush=True)
    os._exit(128 + signal.SIGINT)


sys.excepthook = _report_interruption
