"""Validation and test parts of series that come as tables of their own."""

from __future__ import annotations

import datetime
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from kerasseq.data.series.frequency import shown
from kerasseq.data.series.new_rows import appended
from kerasseq.data.series.panel import Panel
from kerasseq.io.tables import TABLES

__all__ = ["is_stamp", "is_table", "with_parts"]


def is_table(part: Any) -> bool:
    """Whether a part is given as a table or the path of one: not as a share, steps or a stamp.

    >>> [is_table(part) for part in (0.2, 24, "2024-01-01", "test.csv")]
    [False, False, False, True]
    """
    if isinstance(part, str):
        path = os.path.expanduser(part)
        return os.path.splitext(path)[1].lower() in TABLES or os.path.isfile(path)
    return isinstance(part, os.PathLike) or hasattr(part, "iloc")


def is_stamp(part: Any) -> bool:
    """Whether a part is given by its first stamp: a text that is not empty, or a date.

    >>> [is_stamp(part) for part in ("2024-01-01", np.datetime64("2024"), "", {})]
    [True, True, False, False]
    """
    return isinstance(part, datetime.date | np.datetime64) or (isinstance(part, str) and part != "")


def with_parts(panel: Panel, parts: Mapping[str, Panel]) -> Panel:
    """Series with the validation and test part that were given as tables of their own.

    Each table goes on where the rows before it end. Rows of the same stamps as its own, or later
    ones, leave the part before it.

    Args:
        panel: the rows to train on.
        parts: "validation", "test" or both, read in the same way as the panel.

    Returns:
        The series from first to last row, with `begins`.

    Raises:
        ValueError: if a table has not all series, or does not go on where the rows before it end.

    Example:

    >>> import pandas as pd
    >>> from kerasseq.data.series.read import read_series
    >>> table = pd.DataFrame({"time": range(5), "y": [0.0, 1.0, 4.0, 9.0, 16.0]})
    >>> train = read_series(table[:3])
    >>> whole = with_parts(train, {"test": read_series(table[3:], encoding=train.encoding)})
    >>> len(whole.targets[0]), whole.begins["test"].tolist()
    (5, [3])
    """
    if "test" not in parts:
        raise ValueError(
            "validation= is a table that goes on where data ends, so that no rows are left after "
            "it to score on: give test= as a table, too, which goes on where validation= ends; or "
            "give all rows as data, and both parts as shares, steps or first stamps."
        )
    begins = {}
    for name in ("validation", "test"):
        if name in parts:
            panel, begins[name] = _continued(panel, parts[name], name)
    return replace(panel, begins=begins)


def _continued(panel: Panel, part: Panel, name: str) -> tuple[Panel, np.ndarray]:
    """The series with a part at their end, and the rows at which it begins."""
    absent, strange = sorted({*panel.ids} - {*part.ids}), sorted({*part.ids} - {*panel.ids})
    if absent or strange:
        place, other = ("data", f"{name}=") if absent else (f"{name}=", "data")
        raise ValueError(
            f"series {(absent or strange)[0]!r} is in {place} and not in {other}: give each series "
            "in both, or leave it out."
        )
    ends = panel.lengths
    firsts = {id_: stamps[0] for id_, stamps in zip(part.ids, part.stamps)}
    if panel.encoding["roles"]["time"]:  # else rows are counted on
        begins = [own.searchsorted(firsts[id_]) for id_, own in zip(panel.ids, panel.stamps)]
        ends = np.minimum(ends, np.array(begins, dtype=np.int64))
    if not ends.all():
        id_ = panel.ids[int(np.argmin(ends))]
        called = f"series {id_!r}" if id_ else "the series"
        raise ValueError(
            f"{called} has no row before the first one of {name}=, {shown(firsts[id_])}: give data "
            "that comes before it."
        )
    shared = int((panel.lengths - ends).sum())
    told = [f"{name}=: {note}" for note in part.notes]
    notes = [*panel.notes, *told, f"a {name} part of {int(part.lengths.sum()):,} rows of its own"]
    if shared:
        notes.append(f"{shared:,} rows before it that are not earlier than its first ones left out")
    rows_of = f"the rows of {name}="
    whole = appended(panel.cut(np.zeros_like(ends), ends), part, called=rows_of)
    return replace(whole, notes=notes), ends
