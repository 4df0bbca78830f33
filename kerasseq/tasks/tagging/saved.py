"""Types of the saved files of tagging runs, against which the files are checked."""

from __future__ import annotations

from typing import Annotated, TypedDict

from kerasseq.io.schema import Count, Length, Limits

__all__ = ["TaggingMetrics"]

_Share = Annotated[float, Limits(least=0, most=1 + 1e-6)]


class _TypeScores(TypedDict):
    f1: _Share
    precision: _Share
    recall: _Share
    count: Count


class _Confusion(TypedDict):
    types: Annotated[list[str], Length(1)]
    counts: list[list[Count]]


def _shape_fault(confusion: _Confusion) -> str | None:
    """The fault of a matrix that has another number of rows or columns than types."""
    size = len(confusion["types"])
    if [len(row) for row in confusion["counts"]] == [size] * size:
        return None
    return f"must have counts of {size:,} rows and columns, as many as types"


class _Mistake(TypedDict):
    before: str
    token: str
    after: str
    true: str
    predicted: str
    probability: _Share


class TaggingMetrics(TypedDict):
    """Entries of metrics.json that only taggers have, and scores, which are shares."""

    test: dict[str, _Share]
    interval: dict[str, tuple[_Share, _Share]]
    baselines: dict[str, dict[str, _Share]]
    types: dict[str, _TypeScores]
    confusion: Annotated[_Confusion, _shape_fault]
    mistakes: list[_Mistake]
