"""Imported by the server that forks workers: it outlives a SIGTERM to the process group.

The supervisor gets the same signal, ends the workers, and the server with them; a server that
went first would take the workers' exit statuses with it.
"""

import signal

signal.signal(signal.SIGTERM, signal.SIG_IGN)
