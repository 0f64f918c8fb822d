"""The exception for errors that the user can fix, and how to raise it."""


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


def require(condition: bool, law: str, value: object, repair: str) -> None:
    """Raise InputError unless a condition holds.

    Args:
        condition: result of checking the law.
        law: what must hold, such as ``"units >= 1"``.
        value: value that was checked.
        repair: sentence that tells the user what to change.

    Raises:
        InputError: the condition is false; the message contains law, value and repair.
    """
    if not condition:
        raise InputError(f"`{law}` must hold, but the value is {value}. {repair}")
