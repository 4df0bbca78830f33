"""Limits of a server, so that no request takes it all."""

from __future__ import annotations

from dataclasses import dataclass, fields

from kerasseq.params.spec import positive_int

__all__ = ["Limits"]


@dataclass(frozen=True)
class Limits:
    """Limits of a server.

    Args:
        rows: largest number of rows of a request, and largest value of its whole numbers (the
            number of samples, say).
        characters: largest number of characters of a text.
        length: largest number of tokens to generate.
        bytes: largest size of the body of a request.
        queue: largest number of requests that wait.
        batch: largest number of rows of several requests that are predicted in one call.
        wait: milliseconds that a request waits for others at most, to be predicted with them.

    Raises:
        ValueError: if a limit is not positive; `wait` may be 0.

    Example:

    >>> Limits(rows=0)
    Traceback (most recent call last):
    ValueError: `rows` must be a positive integer. Received: rows=0
    """

    rows: int = 10_000
    characters: int = 20_000
    length: int = 1_000
    bytes: int = 10_000_000
    queue: int = 256
    batch: int = 256
    wait: float = 2.0

    def __post_init__(self) -> None:
        for field in fields(self):
            if field.name != "wait":
                positive_int(field.name, getattr(self, field.name))
        if not 0 <= self.wait <= 1000:
            raise ValueError(
                f"wait must be from 0 to 1000 milliseconds. Received: wait={self.wait!r}"
            )
