"""Regular stamps: infer their frequency, count steps between them, and continue them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from pandas.tseries.frequencies import to_offset

__all__ = [
    "Stamps",
    "next_stamps",
    "infer_frequency",
    "is_span",
    "positions",
    "season_of",
    "format_stamp",
    "most_common_step",
]

#: The stamps of one series: points in time, or whole numbers where steps are counted.
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


def infer_frequency(stamps: pd.DatetimeIndex) -> str:
    """Infer the frequency of stamps, which may have gaps, as a pandas offset alias.

    The frequency is the most common step. A step below one day is an exact time span. A longer
    step is one of the calendar: days, business days, weeks, or months, quarters and years that are
    stamped by their first or last day.

    Args:
        stamps: at least two different stamps, in any order.

    Raises:
        ValueError: if there are fewer.

    Example:

    >>> infer_frequency(pd.DatetimeIndex(["2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30"]))
    'ME'
    """
    stamps = stamps.unique().sort_values()
    if len(stamps) < 2:
        raise ValueError(
            f"at least two different stamps are needed to see a frequency. Received: {len(stamps)}"
        )
    step = _most_common(np.diff(_utc(stamps)))
    if step < _DAY:
        return str(to_offset(pd.Timedelta(step)).freqstr)
    days = stamps.tz_localize(None).normalize().unique()
    return max(_candidates(days), key=lambda alias: _share_on(days, alias))


def season_of(frequency: str | None) -> int:
    """Default season of a frequency, in steps; 1 if it has none.

    The season is a year for weeks, months and quarters; a week for days and business days; a day
    for steps of at least a minute; an hour for steps of at least a second.

    Example:

    >>> [season_of(alias) for alias in ("h", "15min", "D", "B", "MS", "YS", None)]
    [24, 96, 7, 5, 12, 1, 1]
    """
    if frequency is None:
        return 1
    offset = to_offset(frequency)
    for kinds, steps in _SEASONS:
        if isinstance(offset, kinds):
            return _steps_per_cycle(steps, offset.n)
    if isinstance(offset, pd.offsets.Day):
        return _steps_per_cycle(7, offset.n)
    if isinstance(offset, pd.offsets.BusinessDay):
        return _steps_per_cycle(5, offset.n)
    if not isinstance(offset, pd.offsets.Tick):
        return 1
    span = pd.Timedelta(offset)
    if span < pd.Timedelta(seconds=1):
        return 1
    cycle = pd.Timedelta(days=1) if span >= pd.Timedelta(minutes=1) else pd.Timedelta(hours=1)
    return _steps_per_cycle(cycle.value, span.value)


def positions(stamps: pd.DatetimeIndex, starts: pd.DatetimeIndex, frequency: str) -> np.ndarray:
    """Number of steps from the first stamp of a series to each of its stamps.

    Steps of days or longer units are counted in local time, so that a day of 23 or 25 hours (a
    change to or from summer time) is one step. Steps of hours or smaller units are counted in
    elapsed time.

    Args:
        stamps: any stamps.
        starts: for each stamp, the first stamp of its series.
        frequency: a pandas offset alias.

    Returns:
        int64 (stamps,); -1 for a stamp that lies between two steps.

    Example:

    >>> stamps = pd.DatetimeIndex(["2024-01-01", "2024-02-01", "2024-02-02", "2024-04-01"])
    >>> positions(stamps, stamps[[0, 0, 0, 0]], "MS").tolist()
    [0, 1, -1, 3]
    """
    offset = to_offset(frequency)
    if is_span(frequency):
        span = pd.Timedelta(offset).to_timedelta64()
        return _whole_steps(_utc(stamps) - _utc(starts), span)
    local, local_starts = stamps.tz_localize(None), starts.tz_localize(None)
    days, first = local.normalize(), local_starts.normalize()
    if isinstance(offset, pd.offsets.Day):
        steps = _whole_steps((days - first).to_numpy(), offset.n * _DAY)
    else:
        grid = pd.date_range(min(first.min(), days.min()), days.max(), freq=offset)
        index = grid.get_indexer(days)
        steps = np.where(index < 0, -1, index - grid.get_indexer(first))
    same_time = (local - days).to_numpy() == (local_starts - first).to_numpy()
    return np.where(same_time, steps, -1)


def next_stamps(stamps: Stamps, steps: int, frequency: str | None) -> Stamps:
    """The stamps that follow a series.

    Args:
        stamps: the stamps of the series, at least one.
        steps: number of stamps to return.
        frequency: frequency of the series; None where steps are counted.

    Example:

    >>> next_stamps(pd.DatetimeIndex(["2024-01-31"]), 2, "ME").strftime("%Y-%m-%d").tolist()
    ['2024-02-29', '2024-03-31']
    """
    if isinstance(stamps, pd.RangeIndex):
        return pd.RangeIndex(stamps.stop, stamps.stop + steps * stamps.step, stamps.step)
    last = stamps[-1]
    return pd.date_range(last, periods=steps + 1, freq=frequency, unit=stamps.unit)[1:]


def is_span(frequency: str) -> bool:
    """Whether a step is a fixed elapsed time: any number of hours or smaller units.

    Steps of days, weeks, months and so on are steps of the calendar instead: with a change to or
    from summer time, a day has 23 or 25 hours.

    >>> [is_span(frequency) for frequency in ("15min", "36h", "D")]
    [True, True, False]
    """
    offset = to_offset(frequency)
    return isinstance(offset, pd.offsets.Tick) and not isinstance(offset, pd.offsets.Day)


def most_common_step(numbers: np.ndarray) -> int:
    """The most common step between whole numbers in any order; 1 if they are all equal.

    >>> most_common_step(np.array([0, 10, 20, 40]))
    10
    """
    steps = np.diff(np.sort(numbers))  # np.unique hashes, which takes many times as long
    steps = steps[steps > 0]
    return int(_most_common(steps)) if len(steps) else 1


def format_stamp(stamp: object) -> str:
    """Format a stamp for a message: no time if it is midnight, no seconds if they are zero.

    >>> format_stamp(pd.Timestamp("2024-01-31 06:00"))
    '2024-01-31 06:00'
    """
    if not isinstance(stamp, pd.Timestamp):
        return str(stamp)
    local = stamp.tz_localize(None)
    if local == local.normalize():
        return str(local.date())
    return str(stamp).replace(":00", "", 1) if local == local.floor("min") else str(stamp)


def _steps_per_cycle(cycle: int, steps: int) -> int:
    """Number of steps of length `steps` in a cycle; 1 if the cycle is no multiple of them."""
    return cycle // steps if cycle % steps == 0 else 1


def _utc(stamps: pd.DatetimeIndex) -> np.ndarray:
    return stamps.to_numpy(dtype=f"datetime64[{stamps.unit}]")


def _whole_steps(spans: np.ndarray, step: np.timedelta64) -> np.ndarray:
    """Time spans as numbers of whole steps; -1 for a span that is no multiple of the step."""
    steps, rest = np.divmod(spans, step)
    return np.where(rest == np.timedelta64(0), steps, -1).astype(np.int64)


def _most_common(steps: np.ndarray) -> Any:
    """The most common step; the smallest one if several are equally common."""
    values, counts = np.unique(steps, return_counts=True)
    return values[np.argmax(counts)]


def _candidates(days: pd.DatetimeIndex) -> Iterator[str]:
    """Frequencies that stamps by the day may have, in order of preference."""
    if len(days) < 2:
        yield "D"
        return
    step = int(_most_common(np.diff(days.to_numpy())) / _DAY)
    months = round(step / 30.4375)
    if step == 1:
        weekdays = days.day_of_week.to_numpy()
        over_weekend = (weekdays[:-1] == 4) & (weekdays[1:] == 0) & (np.diff(days) == 3 * _DAY)
        yield "B" if np.all(weekdays < 5) and over_weekend.any() else "D"
    elif step % 7 == 0 and step // 7 < 4:
        multiple = "" if step == 7 else str(step // 7)
        yield from (f"{multiple}W-{day}" for day in _WEEKDAYS)
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
