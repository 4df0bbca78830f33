"""Types of the saved files of tagging runs, against which the files are checked."""

from __future__ import annotations

from typing import Annotated, TypedDict

from kerasseq.io.schema import Count, Length
from kerasseq.runs.scores import Averages, LossHistory, Share, ShareInterval, Shares

__all__ = ["TaggingHistory", "TaggingMetrics"]


class _TypeScores(TypedDict):
    f1: Share
    precision: Share
    recall: Share
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
    probability: Share


class TaggingHistory(LossHistory, total=False):
    """Entries of history.json."""

    val_f1: Shares


class _TaggingMetrics(TypedDict):
    """Entries of metrics.json that only taggers have, and scores, which are shares."""

    test: dict[str, Share]
    interval: dict[str, ShareInterval]
    baselines: dict[str, dict[str, Share]]
    types: dict[str, _TypeScores]
    confusion: Annotated[_Confusion, _shape_fault]
    mistakes: list[_Mistake]


#: The type of metrics.json of taggers, whose scores are ratios of counts.
TaggingMetrics = Annotated[_TaggingMetrics, Averages()]
