"""A server that imports what workers need while the script itself is still importing."""

from multiprocessing import forkserver, get_all_start_methods, get_context, set_forkserver_preload

FORKSERVER = "forkserver" in get_all_start_methods()  # not on Windows
CONTEXT = get_context("forkserver") if FORKSERVER else get_context("spawn")


def preload() -> None:
    """Start the server from which workers are forked."""
    if FORKSERVER:
        set_forkserver_preload(["hpo.steadfast", "hpo.worker"])
        forkserver.ensure_running()
