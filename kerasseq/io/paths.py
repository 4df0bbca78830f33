"""Paths as users give them."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["given"]

_SHOWN = 60  # characters of a path in an error


def given(value: str | os.PathLike[str], name: str) -> Path:
    """The path that a user gave, with `~` as the home folder.

    Args:
        value: the path.
        name: name of the argument, for the error.

    Raises:
        ValueError: if it is empty, no path, or begins with the home folder of nobody.
        FileNotFoundError: if no file can have such a name, or it lies where nobody may look.

    Example:

    >>> given("runs/reviews", "out").as_posix()
    'runs/reviews'
    >>> given("", "out")
    Traceback (most recent call last):
    ValueError: out must be a path, and not an empty text. Received: out=''
    """
    if not isinstance(value, str | os.PathLike):
        raise ValueError(f"{name} must be a path. Received: {name}={value!r}")
    text = os.fspath(value)
    if not text:
        raise ValueError(f"{name} must be a path, and not an empty text. Received: {name}={text!r}")
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
    try:
        path = Path(text).expanduser()
        path.is_file()  # raises where no file can have such a name, or nobody may look
    except RuntimeError as error:
        raise ValueError(
            f"{name} begins with a user that this machine does not have. Give the path in full. "
            f"Received: {name}={shown!r}"
        ) from error
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise FileNotFoundError(
            f"{name} is no path of this machine ({reason}). Check it. Received: {name}={shown!r}"
        ) from None
    return path
