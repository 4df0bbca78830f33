"""What the calendar tells of a stamp: known ahead, however far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from pandas.tseries.frequencies import to_offset

from kerasseq.data.series.frequency import Stamps, after
from kerasseq.data.series.panel import Panel

__all__ = ["CYCLES", "add_calendar", "cycles", "features"]

#: What goes round, by name: its length, and the longest step that still tells its parts apart.
CYCLES = {
    "hour": (pd.Timedelta(days=1), pd.Timedelta(hours=12)),
    "weekday": (pd.Timedelta(days=7), pd.Timedelta(days=1)),
    "day of year": (pd.Timedelta(days=365), pd.Timedelta(days=27)),
    "month": (pd.Timedelta(days=334), pd.Timedelta(days=184)),
}


def cycles(stamps: Sequence[Stamps], frequency: str | None) -> list[str]:
    """The cycles of the calendar that a frequency resolves and that stamps go round at least once.

    The month is left to the day of the year, where there is one.

    Args:
        stamps: of each series.
        frequency: a pandas offset alias; None, where steps are counted, has no calendar.

    Example:

    >>> cycles([pd.date_range("2024-01-01", periods=24 * 30, freq="h")], "h")
    ['hour', 'weekday']
    """
    if frequency is None:
        return []
    start = pd.Timestamp("2001-01-01") + to_offset(frequency)
    step = (start + to_offset(frequency)) - start
    span = max((own[-1] - own[0] for own in stamps if len(own)), default=pd.Timedelta(0))
    found = [
        name
        for name, (length, longest) in CYCLES.items()
        if step <= longest and span + step >= length
    ]
    return [name for name in found if name != "month" or "day of year" not in found]


def features(
    stamps: Stamps, frequency: str | None, which: Sequence[str] | None = None
) -> tuple[np.ndarray, list[str]]:
    """Where stamps stand in the cycles of the calendar, as a sine and a cosine of each.

    Args:
        stamps: of one series.
        frequency: a pandas offset alias, or None where steps are counted.
        which: cycles by name; those of `cycles` if not given.

    Returns:
        (time, 2 x cycles), and the names of the columns.

    Raises:
        ValueError: if a cycle is unknown, or steps are counted and cycles are asked for.

    Example:

    >>> values, names = features(pd.date_range("2024-01-01", periods=24, freq="h"), "h")
    >>> names, values[6].round(3).tolist()
    (['hour sine', 'hour cosine'], [1.0, 0.0])
    """
    which = cycles([stamps], frequency) if which is None else which
    unknown = [name for name in which if name not in CYCLES]
    if unknown:
        known = ", ".join(map(repr, CYCLES))
        raise ValueError(f"calendar features are {known}. Received: {unknown[0]!r}")
    if which and not isinstance(stamps, pd.DatetimeIndex):
        raise ValueError("steps that are counted have no calendar. Give stamps, or leave it out.")
    angles = [2 * np.pi * _turn(stamps, name) for name in which]
    columns = [wave(angle) for angle in angles for wave in (np.sin, np.cos)]
    names = [f"{name} {wave}" for name in which for wave in ("sine", "cosine")]
    return np.column_stack(columns) if columns else np.empty((len(stamps), 0)), names


def add_calendar(panel: Panel, ahead: int, which: Sequence[str] | None = None) -> Panel:
    """A panel with the cycles of the calendar among its future covariates.

    Args:
        panel: any series.
        ahead: steps after their end for which to give them, too; where there are other future
            covariates, it is those that say how far.
        which: cycles by name; those of `cycles` if not given.

    Example:

    >>> from kerasseq.data.series.read import read_series
    >>> panel = add_calendar(read_series("demo"), ahead=12)
    >>> panel.names["future"], panel.future[0].shape
    (['month sine', 'month cosine'], (156, 2))
    """
    which = cycles(panel.stamps, panel.frequency) if which is None else which
    if not which:
        return panel
    future, names = [], list(panel.names["future"])
    for own, known in zip(panel.stamps, panel.future):
        more = len(known) - len(own) if names else ahead
        stamps = own.append(after(own, more, panel.frequency)) if more else own
        values, added = features(stamps, panel.frequency, which)
        future.append(np.concatenate([known, values], axis=1) if names else values)
    return replace(panel, future=future, names={**panel.names, "future": [*names, *added]})


def _turn(stamps: pd.DatetimeIndex, name: str) -> np.ndarray:
    """Which part of a cycle is over, from 0 to below 1."""
    if name == "hour":
        wall = stamps.tz_localize(None)
        return np.asarray((wall - wall.normalize()) / pd.Timedelta(days=1))
    if name == "weekday":
        return stamps.day_of_week.to_numpy() / 7
    if name == "day of year":
        return (stamps.day_of_year.to_numpy() - 1) / np.where(stamps.is_leap_year, 366, 365)
    return (stamps.month.to_numpy() - 1) / 12
