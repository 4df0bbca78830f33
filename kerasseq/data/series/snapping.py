"""Stamps that are nearly even: months on another day than the first or last, and jitter."""

from __future__ import annotations

import numpy as np
import pandas as pd

__all__ = ["snap_stamps"]

_STEPS = ("s", "5s", "10s", "15s", "30s", "min", "5min", "10min", "15min", "30min", "h", "2h",
          "3h", "4h", "6h", "8h", "12h", "D")  # fmt: skip
_TOLERANCE = 0.1  # largest distance of a stamp from its step, as a share of the step


def snap_stamps(stamps: pd.DatetimeIndex, codes: np.ndarray) -> tuple[pd.DatetimeIndex, str] | None:
    """Move stamps that are nearly even to even steps.

    One stamp a month, on any day, becomes the first of the month. Stamps that are at most a tenth
    of a step away from full steps of the clock become these.

    Args:
        stamps: stamps, sorted within each series.
        codes: series of each stamp, int (rows,).

    Returns:
        The moved stamps, and a note for the user; None if no stamp would move, or two stamps of a
        series would coincide.

    Example:

    >>> months = pd.DatetimeIndex(["2024-01-15", "2024-02-16", "2024-03-15"])
    >>> snap_stamps(months, np.zeros(3, int))[0].strftime("%d %b").tolist()
    ['01 Jan', '01 Feb', '01 Mar']
    """
    same = codes[1:] == codes[:-1]
    gaps = np.diff(stamps.to_numpy(dtype="datetime64[ns]"))[same]
    if len(gaps) == 0:
        return None
    step = pd.Timedelta(np.median(gaps.astype(np.int64)), unit="ns")
    result = (
        _to_months(stamps) if 28 <= step / pd.Timedelta("1D") <= 31 else _to_steps(stamps, step)
    )
    if result is None or result[0].equals(stamps):
        return None
    moved = result[0].to_numpy(dtype="datetime64[ns]")
    return None if (np.diff(moved)[same] <= np.timedelta64(0)).any() else result


def _to_months(stamps: pd.DatetimeIndex) -> tuple[pd.DatetimeIndex, str]:
    local = stamps.tz_localize(None)
    first = (local - pd.to_timedelta(local.day - 1, unit="D")).normalize()
    low, high = int(local.day.min()), int(local.day.max())
    days = f"{low}" + f" to {high}" * (low < high)
    note = f"there is one stamp a month, on day {days}: they count as the first of the month"
    return first.tz_localize(stamps.tz), note


def _to_steps(stamps: pd.DatetimeIndex, step: pd.Timedelta) -> tuple[pd.DatetimeIndex, str] | None:
    alias = min(_STEPS, key=lambda each: abs(_span(each) - step))
    if abs(_span(alias) - step) > _TOLERANCE * _span(alias) or (alias == "D" and stamps.tz):
        return None
    if stamps.tz is None:
        moved = stamps.round(alias)
    else:  # in UTC no hour comes twice
        moved = stamps.tz_convert("UTC").round(alias).tz_convert(stamps.tz)
    away = abs(stamps - moved).max()
    if away > _TOLERANCE * _span(alias):
        return None
    note = f"stamps are up to {away.total_seconds():g} s off even steps of {alias!r}: they count as"
    return moved, f"{note} these steps"


def _span(alias: str) -> pd.Timedelta:
    return pd.Timedelta(1, unit=alias) if alias.isalpha() else pd.Timedelta(alias)
