"""Extend series: by new rows, by future covariates, and by lags of their targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from kerasseq.data.series.columns import read_columns
from kerasseq.data.series.frequency import Stamps, format_stamp, next_stamps, positions
from kerasseq.data.series.panel import Panel
from kerasseq.data.series.rows import Rows, check_unique, fill_missing, read_rows, sort_rows
from kerasseq.data.series.tables import check_columns, load_table

__all__ = ["add_lags", "append_rows", "add_future_covariates"]


def add_future_covariates(panel: Panel, data: Any, steps: int) -> Panel:
    """Add the future covariates of the steps after the end of each series.

    Args:
        panel: series as `read_series` returns them, with future covariates.
        data: a table with the same columns for stamps, series and future covariates as the one
            that the panel was read from. Rows before the end of a series are ignored.
        steps: number of steps after the end of each series that the table must contain.

    Raises:
        ValueError: if the table lacks one of these steps for a series.

    Example:

    >>> from kerasseq.data.series.read import read_series
    >>> months = [f"2024-{month:02}" for month in range(1, 9)]
    >>> sale = [0, 1, 0, 0, 1, 0, 1, 0]
    >>> table = pd.DataFrame({"month": months[:5], "y": [5, 9, 4, 6, 9], "sale": sale[:5]})
    >>> panel = read_series(table, target="y", future="sale")
    >>> new = pd.DataFrame({"month": months[5:], "sale": sale[5:]})
    >>> add_future_covariates(panel, new, steps=3).future[0].ravel().tolist()
    [0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0]
    """
    roles = panel.encoding["roles"]
    frame, where, _ = load_table(data)
    used = {role: roles[role] for role in ("time", "series", "future")}
    check_columns(frame, where, used)
    block = read_columns(frame, roles["future"], where, panel.encoding["categories"])
    rows, _ = read_rows(frame, roles["time"], roles["series"], block.values, where, panel.encoding)
    rows, _ = sort_rows(rows)
    check_unique(rows)
    codes = {name: code for code, name in enumerate(rows.ids)}
    bounds, future = rows.bounds, []
    for i, name in enumerate(panel.ids):
        if name not in codes:
            raise ValueError(
                f"{where} does not have series {name!r}, and its next {steps:,} steps are to be "
                "forecast. Add rows for it."
            )
        code, stamps = codes[name], panel.stamps[i]
        new = rows.take(np.arange(bounds[code], bounds[code + 1]))
        if not roles["time"]:  # without stamps, rows are counted on from the end of the series
            new = replace(new, stamps=np.asarray(next_stamps(stamps, len(new.stamps), None)))
        values = _read_next_steps(new, stamps, panel.frequency, steps, rows.describe(code))
        future.append(np.concatenate([panel.future[i][: len(stamps)], values]))
    return replace(panel, future=future)


def append_rows(panel: Panel, more: Panel, called: str = "the new rows") -> Panel:
    """Append new rows to some or all series of a panel.

    Args:
        panel: any series.
        more: the new rows, read in the same way: `read_series(..., encoding=panel.encoding)`.
        called: name of the new rows in error messages.

    Raises:
        ValueError: if the panel lacks one of the series, or the new rows of a series do not
            continue where it ends, or have another value in a static column.

    Example:

    >>> from kerasseq.data.series.read import read_series
    >>> panel = read_series(pd.DataFrame({"time": [0, 1, 2], "y": [1.0, 4.0, 9.0]}))
    >>> new = pd.DataFrame({"time": [3], "y": [16.0]})
    >>> append_rows(panel, read_series(new, encoding=panel.encoding)).targets[0].ravel().tolist()
    [1.0, 4.0, 9.0, 16.0]
    """
    stamps, targets, past, future = (
        list(arrays) for arrays in (panel.stamps, panel.targets, panel.past, panel.future)
    )
    filled = _filled_masks(panel)
    places = {name: place for place, name in enumerate(panel.ids)}
    for i, name in enumerate(more.ids):
        place = places.get(name)
        if place is None:
            raise ValueError(f"series {name!r} is new: the panel has no series to append it to.")
        first_new = more.stamps[i][0]
        expected = next_stamps(stamps[place], 1, panel.frequency)[0]
        if panel.encoding.get("roles", {}).get("time") == []:
            first_new = expected  # rows without stamps are counted
        if first_new != expected:
            raise ValueError(
                f"{_series_label(name)} goes on with {format_stamp(expected)}, and {called} begin "
                f"with {format_stamp(first_new)}. Give the rows from {format_stamp(expected)} on."
            )
        _check_static(panel, place, more, i, called)
        length = len(stamps[place])
        stamps[place] = stamps[place].append(
            next_stamps(stamps[place], len(more.targets[i]), panel.frequency)
        )
        targets[place] = np.concatenate([targets[place], more.targets[i]])
        filled[place] = np.concatenate([filled[place], _filled_masks(more)[i]])
        if more.encoding.get("fill") == "forward":  # the last old value may fill the first new rows
            missing = np.isnan(targets[place])
            targets[place] = fill_missing(
                targets[place], np.zeros(len(missing), dtype=int), "forward"
            )
            filled[place] |= missing & ~np.isnan(targets[place])
        past[place] = np.concatenate([past[place], more.past[i]])
        beyond = future[place][length + len(more.future[i]) :]
        future[place] = np.concatenate([future[place][:length], more.future[i], beyond])
    masks = filled if any(mask.any() for mask in filled) else None
    return replace(panel, stamps=stamps, targets=targets, past=past, future=future, filled=masks)


def add_lags(panel: Panel, lags: Sequence[int]) -> Panel:
    """Add lagged targets to the past covariates of a panel.

    Lags show a model values from before its lookback, such as those of a week or a year earlier.
    A lag that lies before the start of a series is NaN; `Windows` replaces it by 0.

    Args:
        panel: any series.
        lags: numbers of steps back, each at least 1.

    Raises:
        ValueError: if a lag is not a whole number above zero.

    Example:

    >>> from kerasseq.data.series.read import read_series
    >>> panel = add_lags(read_series(pd.DataFrame({"y": [1.0, 4.0, 9.0]})), [1])
    >>> panel.names["past"], panel.past[0].ravel().tolist()
    (['y lag 1'], [nan, 1.0, 4.0])
    """
    for lag in lags:
        if isinstance(lag, bool) or not isinstance(lag, int | np.integer) or lag < 1:
            raise ValueError(f"lags must be whole numbers above zero. Received: {lag!r}")
    past = [
        np.concatenate([covariates, *(_shift(values, lag) for lag in lags)], axis=1)
        for covariates, values in zip(panel.past, panel.targets)
    ]
    added = [f"{name} lag {lag}" for lag in lags for name in panel.names["targets"]]
    return replace(panel, past=past, names={**panel.names, "past": [*panel.names["past"], *added]})


def _series_label(name: str) -> str:
    """Name of a series in error messages."""
    return f"series {name!r}" if name else "the series"


def _check_static(panel: Panel, place: int, more: Panel, number: int, called: str) -> None:
    """Raise a ValueError if new rows of a series change the value of a static column."""
    changed = ~np.isclose(panel.static[place], more.static[number], rtol=1e-6)
    if not changed.any():
        return
    column = panel.names["static"][int(np.argmax(changed))]
    name, value_before = _static_value(panel, place, column)
    value_after = _static_value(more, number, column)[1]
    raise ValueError(
        f"{_series_label(panel.ids[place])}: static column {name!r} is {value_before}, and in "
        f"{called} {value_after}. Write one value for the whole series, or give the column as "
        "past= or future=."
    )


def _static_value(panel: Panel, place: int, column: str) -> tuple[str, str]:
    """Table column from which a static column was made, and its value, both for an error."""
    columns, values = panel.names["static"], panel.static[place]
    for name, levels in panel.encoding.get("categories", {}).items():
        level_of = {f"{name}={level}": level for level in levels}
        if column in level_of:
            active = [
                level_of[title]
                for title, value in zip(columns, values)
                if title in level_of and value
            ]
            return name, repr(active[0]) if active else "a word that was not there before"
    return column, f"{values[columns.index(column)]:g}"


def _filled_masks(panel: Panel) -> list[np.ndarray]:
    """Masks of the targets that were filled in, one per series, bool (time, targets)."""
    return list(panel.filled or (np.zeros(values.shape, dtype=bool) for values in panel.targets))


def _shift(values: np.ndarray, steps: int) -> np.ndarray:
    """Delay rows by a number of steps; NaN before the first row."""
    delayed = np.full_like(values, np.nan)
    delayed[steps:] = values[:-steps]
    return delayed


def _read_next_steps(
    rows: Rows, before: Stamps, frequency: str | None, steps: int, called: str
) -> np.ndarray:
    """Values of the rows that continue a series up to the first gap, at least `steps` of them."""
    places = _steps_after(rows.stamps, before, frequency)
    rows, places = rows.take(np.flatnonzero(places != 0)), places[places != 0]
    full = ~np.isnan(rows.values).any(axis=1)
    values, places = rows.values[full], places[full]
    # Number of steps before the first gap: places must be 1, 2, 3, ... up to it.
    available = int(np.cumprod(places == np.arange(1, len(places) + 1)).sum())
    if available < steps:
        missing = next_stamps(before, available + 1, frequency)[-1]
        first = next_stamps(before, 1, frequency)[0]
        raise ValueError(
            f"{called} lacks a row with the future covariates of {format_stamp(missing)}: "
            f"{steps:,} steps from {format_stamp(first)} on are to be forecast. Add that row."
        )
    return values[:available]


def _steps_after(
    stamps: pd.DatetimeIndex | np.ndarray, before: Stamps, frequency: str | None
) -> np.ndarray:
    """Number of steps from the end of a series to each stamp; 0 if it is no later step of it."""
    if isinstance(before, pd.RangeIndex):
        distance = np.asarray(stamps) - before[-1]
        return np.where((distance > 0) & (distance % before.step == 0), distance // before.step, 0)
    assert frequency is not None
    places = np.zeros(len(stamps), dtype=np.int64)
    later = np.flatnonzero(stamps > before[-1])
    starts = before[np.full(len(later), len(before) - 1)]
    if len(later):
        places[later] = np.maximum(positions(stamps[later], starts, frequency), 0)
    return places
