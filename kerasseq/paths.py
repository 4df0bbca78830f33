"""Paths as users give them."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["given"]


def given(value: str | os.PathLike[str], name: str) -> Path:
    """The path that a user gave, with `~` as the home folder.

    Args:
        value: the path.
        name: name of the argument, for the error.

    Raises:
        ValueError: if it is empty, no path, or begins with the home folder of nobody.

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
    try:
        return Path(text).expanduser()
    except RuntimeError as error:  # there is no such user
        raise ValueError(
            f"{name} begins with a user that this machine does not have. Give the path in full. "
            f"Received: {name}={text!r}"
        ) from error
