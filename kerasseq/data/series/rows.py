"""The rows of a table of series: put in order, checked for duplicates and gaps, filled in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from pandas.tseries.frequencies import to_offset

from kerasseq.data.series.frequency import Stamps, after, infer, is_span, positions, shown, step_of
from kerasseq.data.series.timestamps import read_stamps
from kerasseq.io.limits import encodable

__all__ = [
    "FILLS",
    "Rows",
    "check_unique",
    "filled",
    "in_order",
    "on_grid",
    "read_rows",
    "resampled",
]

FILLS = ("forward", "linear", "zero", "mask")

_LOOKED_AT = 100_000  # rows, to see a frequency; all are held against it
_REGULAR = 6  # rows in even steps are no chance
_AVERAGED = ["5s", "min", "15min", "h", "D", "W-SUN", "MS", "QS-JAN", "YS-JAN"]


@dataclass(frozen=True)
class Rows:
    """The rows of a table, each of one series at one time.

    Args:
        ids: of the series.
        keys: of each series, what the columns that tell the series apart hold.
        codes: the series of each row, as its place in `ids`.
        stamps: of each row: points in time, or int64 where steps are counted.
        values: (rows, columns) numbers, NaN where there is none.
        where: what to call the table in an error.
    """

    ids: list[str]
    keys: list[list[Any]]
    codes: np.ndarray
    stamps: pd.DatetimeIndex | np.ndarray
    values: np.ndarray
    where: str

    @property
    def bounds(self) -> np.ndarray:
        """Where each series begins, and where the last one ends; the rows are in order."""
        return np.searchsorted(self.codes, np.arange(len(self.ids) + 1))

    @property
    def dated(self) -> bool:
        """Whether the stamps are points in time."""
        return isinstance(self.stamps, pd.DatetimeIndex)

    def called(self, code: int) -> str:
        """What to call a series in an error."""
        return f"{self.where}: series {self.ids[code]!r}" if self.ids[code] else self.where

    def take(self, rows: np.ndarray) -> Rows:
        """Some of the rows."""
        return replace(
            self, codes=self.codes[rows], stamps=self.stamps[rows], values=self.values[rows]
        )


def read_rows(
    frame: pd.DataFrame,
    time: Sequence[str],
    series: Sequence[str],
    values: np.ndarray,
    where: str,
    known: Mapping[str, Any],
) -> tuple[Rows, list[str]]:
    """The rows of a table, as they come.

    Args:
        frame: the table.
        time: its columns of stamps; none where rows are counted.
        series: its columns that tell the series apart; none where there is one.
        values: (rows, columns), its numbers.
        where: what to call it in an error.
        known: the encoding of the panel that it is to go with, or nothing.

    Returns:
        The rows, and notes on how they were read.

    Raises:
        ValueError: for a row of no series, or without a stamp, or stamps that do not go with those
            of the panel.
    """
    codes, keys = _series(frame, series, where)
    ids = [_id(own) for own in keys]
    if not time:
        return Rows(ids, keys, codes, _counted(codes), values, where), []
    stamps, notes = read_stamps(frame, time, where)
    return Rows(ids, keys, codes, _in_zone(stamps, known, where), values, where), notes


def _counted(codes: np.ndarray) -> np.ndarray:
    """For each row how many rows of its series come before it."""
    if not codes.any():
        return np.arange(len(codes))
    return pd.Series(codes).groupby(codes).cumcount().to_numpy(dtype=np.int64)


def _series(
    frame: pd.DataFrame, names: Sequence[str], where: str
) -> tuple[np.ndarray, list[list[Any]]]:
    """The series of each row, and what their columns hold, in the order in which they come."""
    if not names:
        return np.zeros(len(frame), dtype=np.int64), [[]]
    missing = np.flatnonzero(frame[list(names)].isna().any(axis=1))
    if len(missing):
        raise ValueError(
            f"{where}: row {missing[0]} (counted from 0) belongs to no series: column "
            f"{names[0]!r} is empty there. Fill it in, or leave the row out."
        )
    named = {name: frame[name].map(_text) for name in names if frame[name].dtype == object}
    frame = frame[list(names)].assign(**named)
    levels = [pd.factorize(frame[name].astype(str))[0] for name in names]
    codes = levels[0]
    for own in levels[1:]:
        codes = pd.factorize(codes.astype(np.int64) * (own.max() + 1) + own)[0]
    first = np.unique(codes, return_index=True)[1]
    columns = [frame[name].iloc[first].tolist() for name in names]
    keys = [[own if _is_plain(own) else str(own) for own in key] for key in zip(*columns)]
    return codes.astype(np.int64), keys


def _text(value: Any) -> Any:
    return encodable(value) if isinstance(value, str) else value


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float)


def _id(key: Sequence[Any]) -> str:
    """What a series is called: what its columns hold, no two keys alike."""
    if len(key) < 2:
        return "".join(map(str, key))
    return "/".join(str(own).replace("\\", "\\\\").replace("/", "\\/") for own in key)


def _in_zone(
    stamps: pd.DatetimeIndex | np.ndarray, known: Mapping[str, Any], where: str
) -> pd.DatetimeIndex | np.ndarray:
    """Stamps in the time zone of those that they are to go with."""
    if not known or not isinstance(stamps, pd.DatetimeIndex):
        return stamps
    zone = known["timezone"]
    if zone is None and stamps.tz is not None and not is_span(known["frequency"]):
        wall = stamps.tz_localize(None)
        if wall.equals(wall.normalize()):  # days are days, whatever the offset from UTC
            return wall
    if (zone is None) != (stamps.tz is None):
        words = [
            "have no time zone" if one is None else f"are in {one}" for one in (stamps.tz, zone)
        ]
        raise ValueError(
            f"{where}: its stamps {words[0]}, and those of the series that they are to go with "
            f"{words[1]}. Give them alike."
        )
    return stamps if zone is None else stamps.tz_convert(zone)


def in_order(rows: Rows) -> tuple[Rows, list[str]]:
    """The rows series by series, each by its stamps; and a note if that is not how they came."""
    stamps = _numbers(rows)
    same, later = rows.codes[1:] == rows.codes[:-1], rows.codes[1:] > rows.codes[:-1]
    if np.all(later | same & (stamps[1:] >= stamps[:-1])):
        return rows, []
    # Rows of one series may lie apart (all series of a day, then all of the next): that is usual.
    order = np.lexsort((stamps, rows.codes))
    by_series = np.argsort(rows.codes, kind="stable")
    notes = [] if np.array_equal(order, by_series) else ["rows were sorted by time"]
    return rows.take(order), notes


def resampled(rows: Rows, alias: str) -> Rows:
    """The mean of the rows of each series in each step of a frequency; steps without rows stay out.

    Raises:
        ValueError: if the alias is none, or steps are counted.
    """
    if not rows.dated:
        raise ValueError("resample= needs stamps, and here steps are counted. Leave it out.")
    _check_alias(alias)
    table = pd.DataFrame(rows.values, index=rows.stamps)
    groups = table.groupby(rows.codes).resample(alias)
    means, sizes = groups.mean(), groups.size()
    kept = sizes.to_numpy().reshape(-1) > 0
    codes = means.index.get_level_values(0).to_numpy()[kept]
    stamps = pd.DatetimeIndex(means.index.get_level_values(1))[kept]
    values = means.to_numpy()[kept].astype(rows.values.dtype, copy=False)
    return replace(rows, codes=codes, stamps=stamps, values=values)


def on_grid(
    rows: Rows, frequency: str | None, fill: str | None
) -> tuple[Rows, list[Stamps], str | None, list[str]]:
    """The rows with one for each step between the first and the last of their series.

    Args:
        rows: in order.
        frequency: a pandas offset alias, or None to find it out.
        fill: any of `FILLS`, which allows for gaps: rows of NaN; or None.

    Returns:
        The rows; the stamps of each series; the frequency, None where steps are counted; and notes.

    Raises:
        ValueError: for the first stamp that there is twice, or that lies beside the grid, and for
            the first gap if `fill` is None.
    """
    bounds, stamps = rows.bounds, rows.stamps
    longest = int(np.argmax(np.diff(bounds)))
    starts = stamps[bounds[:-1]].repeat(np.diff(bounds))
    check_unique(rows)
    step = 1
    if isinstance(stamps, pd.DatetimeIndex):
        if frequency is None:
            own = stamps[bounds[longest] : bounds[longest + 1]]
            if len(own) < 2:
                raise ValueError(
                    f"{rows.called(longest)} has a single row, from which no frequency can be "
                    "seen. Give more rows."
                )
            frequency = infer(own[:_LOOKED_AT])
        places = positions(stamps, starts, frequency)
    else:
        step = step_of(stamps[bounds[longest] : bounds[longest + 1]])
        places, beside = np.divmod(stamps - starts, step)
        places[beside != 0] = -1
    _check_steps(rows, places, frequency, fill)
    lengths = places[bounds[1:] - 1] + 1
    index = [
        _stamps(stamps[low:high], int(length), frequency, step)
        for low, high, length in zip(bounds[:-1], bounds[1:], lengths)
    ]
    missing = int(lengths.sum()) - len(places)
    if not missing:
        return rows, index, frequency, []
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    values = np.full((offsets[-1], rows.values.shape[1]), np.nan, rows.values.dtype)
    values[offsets[rows.codes] + places] = rows.values
    codes = np.repeat(np.arange(len(rows.ids)), lengths)
    note = f"{missing:,} missing rows were put in (fill={fill!r})"
    return replace(rows, codes=codes, stamps=stamps[:0], values=values), index, frequency, [note]


def filled(values: np.ndarray, codes: np.ndarray, fill: str) -> np.ndarray:
    """Numbers in place of NaN.

    Args:
        values: (rows, columns), the rows of each series together and in even steps.
        codes: the series of each row.
        fill: "forward" (the last value before), "linear" (between the values before and after),
            or "zero". The first two leave what nothing goes before.

    Example:

    >>> filled(np.array([[1.0], [np.nan], [3.0]]), np.zeros(3, int), "linear").ravel().tolist()
    [1.0, 2.0, 3.0]
    """
    if fill == "zero":
        return np.nan_to_num(values, nan=0.0, posinf=np.inf, neginf=-np.inf)
    found = values.copy()
    for column in found.T:
        gaps, before, next_ = _neighbours(column, codes)
        known = before >= 0
        if fill == "linear":
            known &= next_ >= 0
            gaps, before, next_ = gaps[known], before[known], next_[known]
            share = (gaps - before) / (next_ - before)
            column[gaps] = (1 - share) * column[before] + share * column[next_]
        else:
            column[gaps[known]] = column[before[known]]
    return found


def _neighbours(column: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, ...]:
    """Rows without a number, and the next of the same series that have one, or -1, on each side."""
    missing = np.isnan(column)
    full, gaps = np.flatnonzero(~missing), np.flatnonzero(missing)
    place = np.searchsorted(full, gaps)
    padded = np.concatenate([[-1], full, [-1]])
    sides = [padded[place], padded[place + 1]]
    return gaps, *(np.where((s >= 0) & (codes[s] == codes[gaps]), s, -1) for s in sides)


def _numbers(rows: Rows) -> np.ndarray:
    """Stamps as what can be sorted and compared."""
    if isinstance(rows.stamps, pd.DatetimeIndex):
        return rows.stamps.to_numpy(dtype=f"datetime64[{rows.stamps.unit}]")
    return rows.stamps


def check_unique(rows: Rows) -> None:
    """Raise a ValueError for the first stamp that a series has twice; the rows are in order."""
    stamps = _numbers(rows)
    same = np.flatnonzero((stamps[1:] == stamps[:-1]) & (rows.codes[1:] == rows.codes[:-1]))
    if len(same) == 0:
        return
    first, code = int(same[0]), int(rows.codes[same[0]])
    ways = ["leave one of them out"]
    if len(rows.ids) == 1:
        ways.append("name the column that tells the series apart as series=")
    if isinstance(rows.stamps, pd.DatetimeIndex):
        own = rows.stamps[rows.codes == code].unique()
        alias = infer(own) if len(own) > 1 else "D"
        ways.append(f"take their mean with resample={alias!r}")
    raise ValueError(
        f"{rows.called(code)} has two rows for {shown(rows.stamps[first])}, and {len(same):,} such "
        f"rows in all: {_either(ways)}."
    )


def _check_steps(rows: Rows, places: np.ndarray, frequency: str | None, fill: str | None) -> None:
    inside = rows.codes[1:] == rows.codes[:-1]
    steps = np.where(inside, np.diff(places), 1)
    beside = np.flatnonzero(places < 0)
    if fill is not None:
        # What goes in longer steps has gaps of one width wherever it is looked at.
        wide = np.bincount(rows.codes[1:][steps > 1], minlength=len(rows.ids))
        for place in np.flatnonzero(wide > np.diff(rows.bounds) / 2):
            _check_mixed(rows, int(place), frequency, _REGULAR)
    gaps = np.flatnonzero(steps > 1) if fill is None else np.array([], dtype=np.int64)
    if len(beside) == 0 and len(gaps) == 0:
        return
    first = int(beside[0] if len(beside) else gaps[0])
    code = int(rows.codes[first])
    _check_mixed(rows, code, frequency)
    every = f"frequency {frequency!r}" if frequency else "even steps"
    if len(beside):
        mend = "Leave it out"
        if isinstance(rows.stamps, pd.DatetimeIndex):
            mend = f"Take means of even steps with resample={_coarser(rows, code)!r}"
        raise ValueError(
            f"{rows.called(code)} is irregular: {shown(rows.stamps[first])} does not go with "
            f"{every}, and {len(beside):,} of {len(places):,} rows do not. {mend}."
        )
    first = int(gaps[0])
    stamps = rows.stamps[first : first + 1]
    if isinstance(stamps, pd.DatetimeIndex):
        missing = after(stamps, 1, frequency)[0]
    else:
        missing = stamps[0] + (rows.stamps[first + 1] - stamps[0]) // steps[first]
    count = int((steps[gaps] - 1).sum())
    ways = _either([f"fill={way!r}" for way in FILLS])
    raise ValueError(
        f"{rows.called(code)} has a gap: {shown(missing)} is missing after {shown(stamps[0])} "
        f"({every}; {count:,} step{'s' * (count > 1)} missing in all). Pass {ways}."
    )


def _check_mixed(rows: Rows, code: int, frequency: str | None, least: int = 3) -> None:
    """A series that is regular in itself, though not in steps of the others."""
    if not isinstance(rows.stamps, pd.DatetimeIndex) or len(rows.ids) < 2:
        return
    own = rows.stamps[rows.codes == code]
    if len(own) < least:
        return
    alias = infer(own)
    places = positions(own, own[np.zeros(len(own), dtype=np.intp)], alias)
    if alias != frequency and np.array_equal(places, np.arange(len(own))):
        raise ValueError(
            f"{rows.called(code)} has frequency {alias!r}, and others have {frequency!r}. Give "
            f"series of one frequency, or take means with resample= (the longer step of the two)."
        )


def _coarser(rows: Rows, code: int) -> str:
    """A usual frequency that the rows of a series, which come at odd times, fill without gaps."""
    assert isinstance(rows.stamps, pd.DatetimeIndex)
    stamps = _numbers(replace(rows, stamps=rows.stamps[rows.codes == code]))
    apart = np.diff(stamps).max()
    for alias in _AVERAGED[:-1]:
        offset = to_offset(alias)
        start = pd.Timestamp("2000-01-01")
        if ((start + offset + offset) - (start + offset)).to_timedelta64() >= apart:
            return alias
    return _AVERAGED[-1]


def _check_alias(alias: str) -> None:
    try:
        if to_offset(alias).n > 0:
            return
    except (ValueError, AttributeError):
        pass
    raise ValueError(
        "resample must be a pandas offset alias such as 'h', '15min', 'D', 'W-SUN' or 'MS'. "
        f"Received: resample={alias!r}"
    )


def _stamps(
    own: pd.DatetimeIndex | np.ndarray, length: int, frequency: str | None, step: int
) -> Stamps:
    """The stamps of one series, without gaps."""
    if not isinstance(own, pd.DatetimeIndex):
        return pd.RangeIndex(int(own[0]), int(own[0]) + length * step, step)
    if len(own) == length:
        return own
    return pd.date_range(own[0], periods=length, freq=frequency, unit=own.unit)


def _either(ways: list[str]) -> str:
    return ways[0] if len(ways) == 1 else f"{', '.join(ways[:-1])} or {ways[-1]}"
