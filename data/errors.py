"""The exception for errors that the user can fix."""


class InputError(ValueError):
    """Invalid input; the message states what must hold, the actual value and the solution.

    The scripts print the message as one line and exit with status 2. Every other exception is a
    bug of this program and keeps its traceback.
    """


def is_interrupt(error: BaseException | None) -> bool:
    """Return whether an exception is a KeyboardInterrupt or was raised while handling one."""
    if error is None or isinstance(error, KeyboardInterrupt):
        return error is not None
    return is_interrupt(error.__cause__ or error.__context__)
