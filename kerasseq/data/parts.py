"""Validation and test parts that are given as data of their own: `validation=` and `test=`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from numbers import Real
from typing import Any

from kerasseq.settings import declared, raise_faults

__all__ = ["NAMES", "check", "is_path", "is_table", "prefix_errors"]

#: The arguments, in the order of time.
NAMES = ("validation", "test")


def is_path(part: Any) -> bool:
    """Whether a part is given as a path.

    >>> [is_path(part) for part in ("test.csv", "", 0.2)]
    [True, False, False]
    """
    return isinstance(part, str | os.PathLike) and os.fspath(part) != ""


def is_table(part: Any) -> bool:
    """Whether a part is given as a DataFrame."""
    return hasattr(part, "iloc") and hasattr(part, "columns")


def check(settings: Any, fits: Callable[[Any], bool]) -> None:
    """Raise a ValueError for a part that is neither a number nor data; it lists what is accepted.

    Args:
        settings: settings with `validation` and `test`.
        fits: whether a value that is no number can be a part.
    """
    known = declared(type(settings))
    given = {name: getattr(settings, name) for name in NAMES}
    raise_faults(
        [
            known[name].refusal(part)
            for name, part in given.items()
            if not (isinstance(part, Real) or fits(part))
        ]
    )


@contextmanager
def prefix_errors(name: str) -> Iterator[None]:
    """Errors of reading a part begin with the argument that gave it.

    Args:
        name: "validation" or "test".

    Example:

    >>> with prefix_errors("test"):
    ...     raise ValueError("the DataFrame has no rows.")
    Traceback (most recent call last):
    ValueError: test=: the DataFrame has no rows.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{name}=: {error}") from error
    except ValueError as error:
        raise ValueError(f"{name}=: {error}") from error
