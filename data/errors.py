"""The exception for errors that the user can fix."""


class InputError(ValueError):
    """Invalid input; the message states what must hold, the actual value and the repair.

    The scripts print the message as one line and exit with status 2. Every other exception is a
    bug of this program and keeps its traceback.
    """
