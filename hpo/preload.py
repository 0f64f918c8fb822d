"""A server that imports what workers need while the script itself is still importing."""

import signal
from multiprocessing import forkserver, get_all_start_methods, get_context, set_forkserver_preload

FORKSERVER = "forkserver" in get_all_start_methods()  # not on Windows
CONTEXT = get_context("forkserver") if FORKSERVER else get_context("spawn")
GROUP_SIGNALS = (signal.SIGINT, signal.SIGTERM)  # a terminal or a scheduler sends them to all


def start_forkserver() -> None:
    """Start the server from which workers are forked.

    It ignores what tells the process group to end, from its first moment on: the supervisor gets
    the same signal, ends the workers, and the server with them. A server that went first would
    take the workers' exit statuses with it.
    """
    if not FORKSERVER:
        return
    # An optimiser imports torch._dynamo, which takes seconds: once, not in each worker.
    set_forkserver_preload(["hpo.worker", "torch._dynamo"])
    handlers = [signal.signal(each, signal.SIG_IGN) for each in GROUP_SIGNALS]  # inherited
    try:
        forkserver.ensure_running()
    finally:
        for each, handler in zip(GROUP_SIGNALS, handlers, strict=True):
            signal.signal(each, handler)
