"""The beginning of a play, Shakespeare's Coriolanus, in the public domain."""

from __future__ import annotations

from pathlib import Path

__all__ = ["demo_play"]


def demo_play() -> str:
    """The first hundred thousand characters of the play.

    >>> demo_play().splitlines()[0]
    'First Citizen:'
    """
    return Path(__file__).with_name("coriolanus.txt").read_text(encoding="utf-8")
