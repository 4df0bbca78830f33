"""Series that go on: new rows, what is known ahead, and what they were before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from kerasseq.data.series.columns import read_columns
from kerasseq.data.series.frequency import Stamps, after, positions, shown
from kerasseq.data.series.panel import Panel
from kerasseq.data.series.rows import Rows, check_unique, filled, in_order, read_rows
from kerasseq.data.series.tables import check_known, load_table

__all__ = ["add_lags", "appended", "known_ahead"]


def known_ahead(panel: Panel, data: Any, steps: int) -> Panel:
    """A panel with what is known of the steps after its end.

    Args:
        panel: series as `read_series` gave them, with future covariates.
        data: a table with the same columns for stamps, series and future covariates as the one
            that the panel was read from; rows before the end of a series are passed over.
        steps: how many steps after the end of each series must be there.

    Raises:
        ValueError: if there is a series for which it does not hold them all.

    Example:

    >>> from kerasseq.data.series.read import read_series
    >>> months = [f"2024-{month:02}" for month in range(1, 9)]
    >>> sale = [0, 1, 0, 0, 1, 0, 1, 0]
    >>> table = pd.DataFrame({"month": months[:5], "y": [5, 9, 4, 6, 9], "sale": sale[:5]})
    >>> panel = read_series(table, target="y", future="sale")
    >>> more = known_ahead(panel, pd.DataFrame({"month": months[5:], "sale": sale[5:]}), steps=3)
    >>> more.future[0].ravel().tolist()
    [0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0]
    """
    roles = panel.encoding["roles"]
    frame, where, _ = load_table(data)
    used = {role: roles[role] for role in ("time", "series", "future")}
    check_known(frame, where, used)
    block = read_columns(frame, roles["future"], where, panel.encoding["categories"])
    rows, _ = read_rows(frame, roles["time"], roles["series"], block.values, where, panel.encoding)
    rows, _ = in_order(rows)
    check_unique(rows)
    places = {name: code for code, name in enumerate(rows.ids)}
    bounds, future = rows.bounds, []
    for i, name in enumerate(panel.ids):
        if name not in places:
            raise ValueError(
                f"{where} does not have series {name!r}, and its next {steps:,} steps are to be "
                "forecast. Add rows for it."
            )
        own = rows.take(np.arange(bounds[places[name]], bounds[places[name] + 1]))
        if not roles["time"]:  # they are counted from the end of the series on
            own = replace(own, stamps=np.asarray(after(panel.stamps[i], len(own.stamps), None)))
        values = _next_rows(own, panel.stamps[i], panel.frequency, steps, rows.called(places[name]))
        future.append(np.concatenate([panel.future[i][: len(panel.stamps[i])], values]))
    return replace(panel, future=future)


def appended(panel: Panel, more: Panel, called: str = "the new rows") -> Panel:
    """A panel with new rows at the end of some or all of its series.

    Args:
        panel: any series.
        more: new rows of them, read in the same way: `read_series(..., encoding=panel.encoding)`.
        called: what to call the rows in an error.

    Raises:
        ValueError: if there is a series that the panel does not have, or one that does not go on
            where it ended, or has another value in a static column.

    Example:

    >>> from kerasseq.data.series.read import read_series
    >>> panel = read_series(pd.DataFrame({"time": [0, 1, 2], "y": [1.0, 4.0, 9.0]}))
    >>> new = pd.DataFrame({"time": [3], "y": [16.0]})
    >>> appended(panel, read_series(new, encoding=panel.encoding)).targets[0].ravel().tolist()
    [1.0, 4.0, 9.0, 16.0]
    """
    stamps, targets, past, future = (
        list(own) for own in (panel.stamps, panel.targets, panel.past, panel.future)
    )
    made = _made(panel)
    places = {name: place for place, name in enumerate(panel.ids)}
    for i, name in enumerate(more.ids):
        place = places.get(name)
        if place is None:
            raise ValueError(f"series {name!r} is new: there is nothing that its rows could go on.")
        next_, first = after(stamps[place], 1, panel.frequency)[0], more.stamps[i][0]
        if panel.encoding.get("roles", {}).get("time") == []:
            first = next_  # rows are counted
        if first != next_:
            raise ValueError(
                f"{_titled(name)} goes on with {shown(next_)}, and {called} begin with "
                f"{shown(first)}. Give the rows from {shown(next_)} on."
            )
        _check_static(panel, place, more, i, called)
        length = len(stamps[place])
        stamps[place] = stamps[place].append(
            after(stamps[place], len(more.targets[i]), panel.frequency)
        )
        targets[place] = np.concatenate([targets[place], more.targets[i]])
        made[place] = np.concatenate([made[place], _made(more)[i]])
        if more.encoding.get("fill") == "forward":  # also from before the first of the new rows
            missing = np.isnan(targets[place])
            targets[place] = filled(targets[place], np.zeros(len(missing), dtype=int), "forward")
            made[place] |= missing & ~np.isnan(targets[place])
        past[place] = np.concatenate([past[place], more.past[i]])
        known = future[place][length + len(more.future[i]) :]
        future[place] = np.concatenate([future[place][:length], more.future[i], known])
    known = made if any(own.any() for own in made) else None
    return replace(panel, stamps=stamps, targets=targets, past=past, future=future, filled=known)


def add_lags(panel: Panel, lags: Sequence[int]) -> Panel:
    """A panel with earlier targets among its past covariates.

    They reach further back than the lookback: what was a week or a year before. Where a series is
    too young for one, it is NaN, and `Windows` gives 0.

    Args:
        panel: any series.
        lags: steps back, each at least 1.

    Raises:
        ValueError: if one is no such number.

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
        np.concatenate([own, *(_shifted(values, lag) for lag in lags)], axis=1)
        for own, values in zip(panel.past, panel.targets)
    ]
    added = [f"{name} lag {lag}" for lag in lags for name in panel.names["targets"]]
    return replace(panel, past=past, names={**panel.names, "past": [*panel.names["past"], *added]})


def _titled(name: str) -> str:
    """A series in an error."""
    return f"series {name!r}" if name else "the series"


def _check_static(panel: Panel, place: int, more: Panel, number: int, called: str) -> None:
    """Raise a ValueError if new rows of a series have another value in a static column."""
    changed = ~np.isclose(panel.static[place], more.static[number], rtol=1e-6)
    if not changed.any():
        return
    column = panel.names["static"][int(np.argmax(changed))]
    name, before = _static_value(panel, place, column)
    after = _static_value(more, number, column)[1]
    raise ValueError(
        f"{_titled(panel.ids[place])}: static column {name!r} is {before}, and in {called} "
        f"{after}. Write one value for the whole series, or give the column as past= or future=."
    )


def _static_value(panel: Panel, place: int, column: str) -> tuple[str, str]:
    """The name of the column of the table that a static column is from, and its value."""
    columns, values = panel.names["static"], panel.static[place]
    for name, levels in panel.encoding.get("categories", {}).items():
        own = {f"{name}={level}": level for level in levels}
        if column in own:
            here = [own[title] for title, value in zip(columns, values) if title in own and value]
            return name, repr(here[0]) if here else "a word that was not there before"
    return column, f"{values[columns.index(column)]:g}"


def _made(panel: Panel) -> list[np.ndarray]:
    """Which targets of each series were filled in."""
    return list(panel.filled or (np.zeros(own.shape, dtype=bool) for own in panel.targets))


def _shifted(values: np.ndarray, steps: int) -> np.ndarray:
    """Each row as it was so many steps before."""
    found = np.full_like(values, np.nan)
    found[steps:] = values[:-steps]
    return found


def _next_rows(
    rows: Rows, before: Stamps, frequency: str | None, steps: int, called: str
) -> np.ndarray:
    """The values of the rows that follow a series, without a gap."""
    places = _steps_after(rows.stamps, before, frequency)
    rows, places = rows.take(np.flatnonzero(places != 0)), places[places != 0]
    full = ~np.isnan(rows.values).any(axis=1)
    values, places = rows.values[full], places[full]
    # How many of the next steps there are before the first that there is not.
    there = int(np.cumprod(places == np.arange(1, len(places) + 1)).sum())
    if there < steps:
        missing = after(before, there + 1, frequency)[-1]
        raise ValueError(
            f"{called} does not tell what is known ahead of {shown(missing)}, and {steps:,} steps "
            f"from {shown(after(before, 1, frequency)[0])} on are to be forecast. Add that row."
        )
    return values[:there]


def _steps_after(
    stamps: pd.DatetimeIndex | np.ndarray, before: Stamps, frequency: str | None
) -> np.ndarray:
    """How many steps after a series each stamp is; 0 for what is no step after it."""
    if isinstance(before, pd.RangeIndex):
        apart = np.asarray(stamps) - before[-1]
        return np.where((apart > 0) & (apart % before.step == 0), apart // before.step, 0)
    assert frequency is not None
    found = np.zeros(len(stamps), dtype=np.int64)
    later = np.flatnonzero(stamps > before[-1])
    starts = before[np.full(len(later), len(before) - 1)]
    if len(later):
        found[later] = np.maximum(positions(stamps[later], starts, frequency), 0)
    return found
