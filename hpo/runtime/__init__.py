"""Workers and what runs them: processes, signals, crashes and progress.

worker        takes trials of a study until its budget is spent
worker_phases what it works on in each phase
in_process    a worker in the calling process, for Python
start         what a study begins with: points, trials of a previous generation
step_costs    the costs of a step, measured for a new study
phases        the search, then the finalists, then further fits of the winner
supervisor    starts the workers of a phase, replaces those that crash or hang
launcher      workers as processes of this host
ray_launcher  workers on a Ray cluster
requeue       store which process runs a trial; queue the trials of ended processes again
processes     signals, and the server from which processes are forked
progress      what the terminal shows while a study runs; trials without progress
plan_log      what a time budget allows, as text
"""

__all__ = [
    "in_process",
    "launcher",
    "phases",
    "plan_log",
    "processes",
    "progress",
    "ray_launcher",
    "requeue",
    "start",
    "step_costs",
    "supervisor",
    "worker",
    "worker_phases",
]
