"""Calendar features of stamps (hour, weekday, day of year, month), known ahead for any stamp."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from pandas.tseries.frequencies import to_offset

from kerasseq.data.series.frequency import Stamps, next_stamps
from kerasseq.data.series.panel import Panel
from kerasseq.data.series.public_holidays import holiday_feature

__all__ = ["CYCLES", "add_calendar", "cycles", "calendar_features"]

#: Cycles of the calendar by name: the length, and the longest step at which a cycle is resolved.
CYCLES = {
    "hour": (pd.Timedelta(days=1), pd.Timedelta(hours=12)),
    "weekday": (pd.Timedelta(days=7), pd.Timedelta(days=1)),
    "day of year": (pd.Timedelta(days=365), pd.Timedelta(days=27)),
    "month": (pd.Timedelta(days=334), pd.Timedelta(days=184)),
}


def cycles(stamps: Sequence[Stamps], frequency: str | None) -> list[str]:
    """Calendar cycles that a frequency resolves and that the stamps cover at least once.

    The month is not used beside the day of the year, which contains it.

    Args:
        stamps: the stamps of each series.
        frequency: a pandas offset alias, or None where steps are counted: no cycles then.

    Example:

    >>> cycles([pd.date_range("2024-01-01", periods=24 * 30, freq="h")], "h")
    ['hour', 'weekday']
    """
    if frequency is None:
        return []
    start = pd.Timestamp("2001-01-01") + to_offset(frequency)
    step = (start + to_offset(frequency)) - start
    span = max((index[-1] - index[0] for index in stamps if len(index)), default=pd.Timedelta(0))
    names = [
        name
        for name, (length, longest) in CYCLES.items()
        if step <= longest and span + step >= length
    ]
    return [name for name in names if name != "month" or "day of year" not in names]


def calendar_features(
    stamps: Stamps, frequency: str | None, which: Sequence[str] | None = None
) -> tuple[np.ndarray, list[str]]:
    """Sine and cosine of the position of stamps within calendar cycles.

    Args:
        stamps: the stamps of one series.
        frequency: a pandas offset alias, or None where steps are counted.
        which: names of cycles; by default the ones that `cycles` returns.

    Returns:
        float64 (time, 2 x cycles), and the names of the columns.

    Raises:
        ValueError: if a cycle is unknown, or if cycles are requested where steps are counted.

    Example:

    >>> values, names = calendar_features(pd.date_range("2024-01-01", periods=24, freq="h"), "h")
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
    angles = [2 * np.pi * _phase(stamps, name) for name in which]
    columns = [wave(angle) for angle in angles for wave in (np.sin, np.cos)]
    names = [f"{name} {wave}" for name in which for wave in ("sine", "cosine")]
    return np.column_stack(columns) if columns else np.empty((len(stamps), 0)), names


def add_calendar(
    panel: Panel, ahead: int, which: Sequence[str] | None = None, place: str | None = None
) -> Panel:
    """Add calendar features to the future covariates of a panel.

    Args:
        panel: any series.
        ahead: steps after the end of each series for which features are added, too. If the panel
            has other future covariates, the features reach as far as these instead.
        which: names of cycles; by default the ones that `cycles` returns.
        place: place whose public holidays are added, see `holiday_feature`; None for none.

    Example:

    >>> from kerasseq.data.series.read import read_series
    >>> panel = add_calendar(read_series("demo"), ahead=12)
    >>> panel.names["future"], panel.future[0].shape
    (['month sine', 'month cosine'], (156, 2))
    """
    which = cycles(panel.stamps, panel.frequency) if which is None else which
    if not which and place is None:
        return panel
    future, names = [], list(panel.names["future"])
    for observed, covariates in zip(panel.stamps, panel.future):
        steps = len(covariates) - len(observed) if names else ahead
        stamps = (
            observed.append(next_stamps(observed, steps, panel.frequency)) if steps else observed
        )
        values, added = calendar_features(stamps, panel.frequency, which)
        if place is not None:
            on_holiday, name = holiday_feature(stamps, place)
            values, added = np.concatenate([values, on_holiday], axis=1), [*added, *name]
        future.append(np.concatenate([covariates, values], axis=1) if names else values)
    return replace(panel, future=future, names={**panel.names, "future": [*names, *added]})


def _phase(stamps: pd.DatetimeIndex, name: str) -> np.ndarray:
    """Position of stamps within a cycle, from 0 to below 1."""
    if name == "hour":
        local = stamps.tz_localize(None)
        return np.asarray((local - local.normalize()) / pd.Timedelta(days=1))
    if name == "weekday":
        return stamps.day_of_week.to_numpy() / 7
    if name == "day of year":
        return (stamps.day_of_year.to_numpy() - 1) / np.where(stamps.is_leap_year, 366, 365)
    return (stamps.month.to_numpy() - 1) / 12
