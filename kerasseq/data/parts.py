"""The arguments `validation=` and `test=` where they are given as data, not as a share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from numbers import Real
from typing import Any

from kerasseq.settings import declarations_of, raise_faults

__all__ = ["NAMES", "check", "is_path", "is_table", "prefix_errors"]

#: Names of the arguments; for series, in the order of time.
NAMES = ("validation", "test")


def is_path(part: Any) -> bool:
    """Whether the value of `validation=` or `test=` is a path, to a file that need not exist.

    An empty string is no path.

    >>> [is_path(part) for part in ("test.csv", "", 0.2)]
    [True, False, False]
    """
    return isinstance(part, str | os.PathLike) and os.fspath(part) != ""


def is_table(part: Any) -> bool:
    """Whether a part is given as a DataFrame."""
    return hasattr(part, "iloc") and hasattr(part, "columns")


def check(settings: Any, accepts: Callable[[Any], bool]) -> None:
    """Raise a ValueError for a part that is neither a number nor accepted as data.

    Args:
        settings: settings with `validation` and `test`.
        accepts: returns whether a value other than a number is accepted as a part.
    """
    declarations = declarations_of(type(settings))
    parts = {name: getattr(settings, name) for name in NAMES}
    raise_faults(
        [
            declarations[name].refusal(part)
            for name, part in parts.items()
            if not (isinstance(part, Real) or accepts(part))
        ]
    )


@contextmanager
def prefix_errors(name: str) -> Iterator[None]:
    """Prefix errors with the name of the argument whose data is being read.

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
