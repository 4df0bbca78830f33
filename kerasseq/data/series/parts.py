"""Append a validation or test part that is given as a separate table of series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from kerasseq.data.series.frequency import format_stamp
from kerasseq.data.series.new_rows import append_rows
from kerasseq.data.series.panel import Panel

__all__ = ["add_parts"]


def add_parts(panel: Panel, parts: Mapping[str, Panel]) -> Panel:
    """Append the validation and test parts that are given as separate tables to the series.

    Each table must continue where the rows before it end. Earlier rows that overlap with a table
    (stamps at or after its first one) are dropped, so that no row is in two parts.

    Args:
        panel: the rows to train on.
        parts: "validation", "test" or both, read in the same way as the panel.

    Returns:
        The series with all parts; `begins` holds the first row of each part.

    Raises:
        ValueError: if a table lacks a series, or does not continue where the rows before it end.

    Example:

    >>> import pandas as pd
    >>> from kerasseq.data.series.read import read_series
    >>> table = pd.DataFrame({"time": range(5), "y": [0.0, 1.0, 4.0, 9.0, 16.0]})
    >>> train = read_series(table[:3])
    >>> whole = add_parts(train, {"test": read_series(table[3:], encoding=train.encoding)})
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
            panel, begins[name] = _append_part(panel, parts[name], name)
    return replace(panel, begins=begins)


def _append_part(panel: Panel, part: Panel, name: str) -> tuple[Panel, np.ndarray]:
    """Append a part to the series; the series, and the row of each at which the part begins."""
    missing, unknown = sorted({*panel.ids} - {*part.ids}), sorted({*part.ids} - {*panel.ids})
    if missing or unknown:
        present, lacking = ("data", f"{name}=") if missing else (f"{name}=", "data")
        raise ValueError(
            f"series {(missing or unknown)[0]!r} is in {present} and not in {lacking}: give each "
            "series in both, or leave it out."
        )
    ends = panel.lengths
    firsts = {id_: stamps[0] for id_, stamps in zip(part.ids, part.stamps)}
    if panel.encoding["roles"]["time"]:  # without stamps, rows are counted on and never overlap
        begins = [index.searchsorted(firsts[id_]) for id_, index in zip(panel.ids, panel.stamps)]
        ends = np.minimum(ends, np.array(begins, dtype=np.int64))
    if not ends.all():
        id_ = panel.ids[int(np.argmin(ends))]
        called = f"series {id_!r}" if id_ else "the series"
        raise ValueError(
            f"{called} has no row before the first one of {name}=, {format_stamp(firsts[id_])}: "
            "give data that comes before it."
        )
    shared = int((panel.lengths - ends).sum())
    notes = [*panel.notes, *(f"{name}=: {note}" for note in part.notes)]
    notes.append(f"a separate {name} part of {int(part.lengths.sum()):,} rows")
    if shared:
        notes.append(f"{shared:,} rows of data that overlap with the {name} part were left out")
    rows_of = f"the rows of {name}="
    whole = append_rows(panel.cut(np.zeros_like(ends), ends), part, called=rows_of)
    return replace(whole, notes=notes), ends
