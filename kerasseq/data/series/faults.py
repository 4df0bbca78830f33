"""Faults of a table, collected to tell all of them at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Faults"]

_SHOWN = 10  # faults in one error


class Faults:
    """Collects errors of independent steps, and raises them as one.

    Example:

    >>> faults = Faults()
    >>> for name in ("a", "b"):
    ...     with faults.collect():
    ...         raise ValueError(f"column {name!r} is empty.")
    >>> faults.raise_all()
    Traceback (most recent call last):
    ValueError: the table has 2 faults: column 'a' is empty; column 'b' is empty.
    """

    def __init__(self) -> None:
        self._errors: list[ValueError] = []

    @contextmanager
    def collect(self) -> Iterator[None]:
        """Keep a ValueError of the block for `raise_all`."""
        try:
            yield
        except ValueError as error:
            self._errors.append(error)

    def raise_all(self) -> None:
        """Raise the errors, if there are any; a single one as it is."""
        if len(self._errors) == 1:
            raise self._errors[0]
        if self._errors:
            count, texts = len(self._errors), [str(e).rstrip(".") for e in self._errors[:_SHOWN]]
            raise ValueError(f"the table has {count} faults: {'; '.join(texts)}.")
