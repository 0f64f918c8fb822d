"""The one exception that means: the user can mend this; and what no message may tell."""


class InputError(ValueError):
    """Input that breaks a law; the message states the law, the value and the repair.

    The scripts print it as one line and exit with status 2. Anything else that is raised is a bug
    of ours and keeps its traceback.
    """
