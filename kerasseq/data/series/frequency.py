"""Stamps on a grid: the frequency they have, the steps between them, and how they go on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from pandas.tseries.frequencies import to_offset

__all__ = ["Stamps", "after", "infer", "is_span", "positions", "season_of", "shown", "step_of"]

#: Of one series: points in time, or steps that are counted.
Stamps: TypeAlias = pd.DatetimeIndex | pd.RangeIndex

_DAY = np.timedelta64(1, "D")
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_YEARLY = (pd.offsets.YearBegin, pd.offsets.YearEnd, pd.offsets.BYearBegin, pd.offsets.BYearEnd)
_QUARTERLY = (
    pd.offsets.QuarterBegin,
    pd.offsets.QuarterEnd,
    pd.offsets.BQuarterBegin,
    pd.offsets.BQuarterEnd,
)
_MONTHLY = (
    pd.offsets.MonthBegin,
    pd.offsets.MonthEnd,
    pd.offsets.BusinessMonthBegin,
    pd.offsets.BusinessMonthEnd,
)
_SEASONS = ((_YEARLY, 1), (_QUARTERLY, 4), (_MONTHLY, 12), (pd.offsets.Week, 52))


def infer(stamps: pd.DatetimeIndex) -> str:
    """The frequency of stamps, which may have gaps, as a pandas offset alias.

    It is the commonest step: below a day an exact span of time, from a day on one of the calendar
    (days, business days, weeks, months, quarters and years by their first or last day).

    Args:
        stamps: at least two different ones, in any order.

    Raises:
        ValueError: if there are fewer.

    Example:

    >>> infer(pd.DatetimeIndex(["2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30"]))
    'ME'
    """
    stamps = stamps.unique().sort_values()
    if len(stamps) < 2:
        raise ValueError(
            f"at least two different stamps are needed to see a frequency. Received: {len(stamps)}"
        )
    step = _commonest(np.diff(_utc(stamps)))
    if step < _DAY:
        return str(to_offset(pd.Timedelta(step)).freqstr)
    days = stamps.tz_localize(None).normalize().unique()
    return max(_candidates(days), key=lambda alias: _share_on(days, alias))


def season_of(frequency: str | None) -> int:
    """Steps of the season that a frequency has by nature; 1 where there is none.

    A year of weeks, months or quarters, a week of days or business days, a day of steps of at least
    a minute, an hour of steps of at least a second.

    Example:

    >>> [season_of(alias) for alias in ("h", "15min", "D", "B", "MS", "YS", None)]
    [24, 96, 7, 5, 12, 1, 1]
    """
    if frequency is None:
        return 1
    offset = to_offset(frequency)
    for kinds, steps in _SEASONS:
        if isinstance(offset, kinds):
            return _whole(steps, offset.n)
    if isinstance(offset, pd.offsets.Day):
        return _whole(7, offset.n)
    if isinstance(offset, pd.offsets.BusinessDay):
        return _whole(5, offset.n)
    if not isinstance(offset, pd.offsets.Tick):
        return 1
    span = pd.Timedelta(offset)
    if span < pd.Timedelta(seconds=1):
        return 1
    cycle = pd.Timedelta(days=1) if span >= pd.Timedelta(minutes=1) else pd.Timedelta(hours=1)
    return _whole(cycle.value, span.value)


def positions(stamps: pd.DatetimeIndex, starts: pd.DatetimeIndex, frequency: str) -> np.ndarray:
    """How many steps of a frequency lie between each stamp's start and the stamp.

    Steps of at least a day are counted on the clock on the wall, so that days of 23 or 25 hours are
    days; shorter ones are spans of time.

    Args:
        stamps: any stamps.
        starts: for each of them the first one of its series.
        frequency: a pandas offset alias.

    Returns:
        int64, -1 for a stamp that lies between two steps.

    Example:

    >>> stamps = pd.DatetimeIndex(["2024-01-01", "2024-02-01", "2024-02-02", "2024-04-01"])
    >>> positions(stamps, stamps[[0, 0, 0, 0]], "MS").tolist()
    [0, 1, -1, 3]
    """
    offset = to_offset(frequency)
    if is_span(frequency):
        span = pd.Timedelta(offset).to_timedelta64()
        return _steps(_utc(stamps) - _utc(starts), span)
    wall, begun = stamps.tz_localize(None), starts.tz_localize(None)
    days, first = wall.normalize(), begun.normalize()
    if isinstance(offset, pd.offsets.Day):
        found = _steps((days - first).to_numpy(), offset.n * _DAY)
    else:
        grid = pd.date_range(min(first.min(), days.min()), days.max(), freq=offset)
        index = grid.get_indexer(days)
        found = np.where(index < 0, -1, index - grid.get_indexer(first))
    same_time = (wall - days).to_numpy() == (begun - first).to_numpy()
    return np.where(same_time, found, -1)


def after(stamps: Stamps, steps: int, frequency: str | None) -> Stamps:
    """The next stamps of a series.

    Args:
        stamps: those of the series, at least one.
        steps: how many to add.
        frequency: that of the series; None where steps are counted.

    Example:

    >>> after(pd.DatetimeIndex(["2024-01-31"]), 2, "ME").strftime("%Y-%m-%d").tolist()
    ['2024-02-29', '2024-03-31']
    """
    if isinstance(stamps, pd.RangeIndex):
        return pd.RangeIndex(stamps.stop, stamps.stop + steps * stamps.step, stamps.step)
    last = stamps[-1]
    return pd.date_range(last, periods=steps + 1, freq=frequency, unit=stamps.unit)[1:]


def is_span(frequency: str) -> bool:
    """Whether a frequency is a span of time and no step of the calendar.

    >>> is_span("15min"), is_span("D")
    (True, False)
    """
    offset = to_offset(frequency)
    return isinstance(offset, pd.offsets.Tick) and not isinstance(offset, pd.offsets.Day)


def step_of(numbers: np.ndarray) -> int:
    """The commonest step between whole numbers in any order; 1 if there are no two.

    >>> step_of(np.array([0, 10, 20, 40]))
    10
    """
    apart = np.diff(np.sort(numbers))  # np.unique hashes, which takes many times as long
    apart = apart[apart > 0]
    return int(_commonest(apart)) if len(apart) else 1


def shown(stamp: object) -> str:
    """A stamp as a reader writes it: no time where it is midnight, no seconds where there are none.

    >>> shown(pd.Timestamp("2024-01-31 06:00"))
    '2024-01-31 06:00'
    """
    if not isinstance(stamp, pd.Timestamp):
        return str(stamp)
    wall = stamp.tz_localize(None)
    if wall == wall.normalize():
        return str(wall.date())
    return str(stamp).replace(":00", "", 1) if wall == wall.floor("min") else str(stamp)


def _whole(cycle: int, steps: int) -> int:
    """How many times `steps` fit into a cycle; 1 where they do not fit at least twice, evenly."""
    return cycle // steps if cycle % steps == 0 else 1


def _utc(stamps: pd.DatetimeIndex) -> np.ndarray:
    return stamps.to_numpy(dtype=f"datetime64[{stamps.unit}]")


def _steps(apart: np.ndarray, step: np.timedelta64) -> np.ndarray:
    """Spans in whole steps, -1 where they are none."""
    whole, rest = np.divmod(apart, step)
    return np.where(rest == np.timedelta64(0), whole, -1).astype(np.int64)


def _commonest(steps: np.ndarray) -> Any:
    """The value that most steps have, and the least of them where there are several."""
    values, counts = np.unique(steps, return_counts=True)
    return values[np.argmax(counts)]


def _candidates(days: pd.DatetimeIndex) -> Iterator[str]:
    """Frequencies that days may have, the preferred ones first."""
    if len(days) < 2:
        yield "D"
        return
    step = int(_commonest(np.diff(days.to_numpy())) / _DAY)
    months = round(step / 30.4375)
    if step == 1:
        weekdays = days.day_of_week.to_numpy()
        over_weekend = (weekdays[:-1] == 4) & (weekdays[1:] == 0) & (np.diff(days) == 3 * _DAY)
        yield "B" if np.all(weekdays < 5) and over_weekend.any() else "D"
    elif step % 7 == 0 and step // 7 < 4:
        several = "" if step == 7 else str(step // 7)
        yield from (f"{several}W-{day}" for day in _WEEKDAYS)
    elif months >= 1 and abs(step - 30.4375 * months) < 4:
        yield from _by_months(months)
    else:
        yield f"{step}D"


def _by_months(months: int) -> Iterator[str]:
    if months == 1:
        yield from ("MS", "ME", "BMS", "BME")
    elif months == 3:
        yield from (f"QS-{month}" for month in _MONTHS[:3])
        yield from (f"QE-{month}" for month in _MONTHS[9:][::-1])
    elif months == 12:
        yield from (f"YS-{month}" for month in _MONTHS)
        yield from (f"YE-{month}" for month in _MONTHS[::-1])
    else:
        yield from (f"{months}MS", f"{months}ME")


def _share_on(days: pd.DatetimeIndex, alias: str) -> float:
    """The share of days that lie on the grid of a frequency."""
    grid = pd.date_range(days[0], days[-1], freq=alias)
    return float(np.mean(grid.get_indexer(days) >= 0)) if len(grid) else 0.0
