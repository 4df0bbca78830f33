"""Rows of a table of series: sort them, check for duplicates and gaps, fill missing values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from pandas.tseries.frequencies import to_offset

from kerasseq.data.series.frequency import (
    Stamps,
    format_stamp,
    infer_frequency,
    is_span,
    most_common_step,
    next_stamps,
    positions,
)
from kerasseq.data.series.snapping import snap_stamps
from kerasseq.data.series.timestamps import read_stamps
from kerasseq.io.limits import encodable

__all__ = [
    "FILLS",
    "Rows",
    "check_unique",
    "fill_missing",
    "sort_rows",
    "align_to_grid",
    "read_rows",
    "resample_rows",
    "series_id",
]

FILLS = ("forward", "linear", "zero", "mask")

_INFERENCE_ROWS = 100_000  # the frequency is inferred from these rows, then all are checked
_MIN_REGULAR_ROWS = 6  # fewer rows may be evenly spaced by chance
_RESAMPLE_ALIASES = ["5s", "min", "15min", "h", "D", "W-SUN", "MS", "QS-JAN", "YS-JAN"]


@dataclass(frozen=True)
class Rows:
    """The rows of a table, each of one series at one time.

    Args:
        ids: names of the series.
        keys: for each series, its values in the columns that identify the series.
        codes: series of each row, as an index into `ids`, int64 (rows,).
        stamps: stamp of each row: points in time, or int64 (rows,) where steps are counted.
        values: float (rows, columns), NaN where a value is missing.
        where: name of the table in error messages.
    """

    ids: list[str]
    keys: list[list[Any]]
    codes: np.ndarray
    stamps: pd.DatetimeIndex | np.ndarray
    values: np.ndarray
    where: str

    @property
    def bounds(self) -> np.ndarray:
        """First row of each series, and the number of rows; only for sorted rows."""
        return np.searchsorted(self.codes, np.arange(len(self.ids) + 1))

    @property
    def dated(self) -> bool:
        """Whether the stamps are points in time; if not, they are integers that count steps."""
        return isinstance(self.stamps, pd.DatetimeIndex)

    def describe(self, code: int) -> str:
        """Name of a series, and of the table, in error messages."""
        return f"{self.where}: series {self.ids[code]!r}" if self.ids[code] else self.where

    def take(self, rows: np.ndarray) -> Rows:
        """Select rows by their indices."""
        return replace(
            self, codes=self.codes[rows], stamps=self.stamps[rows], values=self.values[rows]
        )


def read_rows(
    frame: pd.DataFrame,
    time: Sequence[str],
    series: Sequence[str],
    values: np.ndarray,
    where: str,
    encoding: Mapping[str, Any],
) -> tuple[Rows, list[str]]:
    """Read the series and the stamp of each row of a table, in the order of the table.

    Args:
        frame: the table.
        time: columns of stamps; none where rows are counted.
        series: columns that identify the series; none for a single series.
        values: float (rows, columns), the numbers of the table.
        where: name of the table in error messages.
        encoding: encoding of the panel to which the rows belong; empty for a new panel.

    Returns:
        The rows, and notes on how they were read.

    Raises:
        ValueError: if a row has no series or no stamp, or the stamps have another time zone than
            the panel.
    """
    codes, keys = _read_series_codes(frame, series, where)
    ids = [series_id(key) for key in keys]
    if not time:
        return Rows(ids, keys, codes, _row_numbers(codes), values, where), []
    stamps, notes = read_stamps(frame, time, where)
    return Rows(ids, keys, codes, _convert_zone(stamps, encoding, where), values, where), notes


def _row_numbers(codes: np.ndarray) -> np.ndarray:
    """Number of each row within its series, from 0 on, int64 (rows,)."""
    if not codes.any():
        return np.arange(len(codes))
    return pd.Series(codes).groupby(codes).cumcount().to_numpy(dtype=np.int64)


def _read_series_codes(
    frame: pd.DataFrame, names: Sequence[str], where: str
) -> tuple[np.ndarray, list[list[Any]]]:
    """Series of each row, int64 (rows,), and the key of each series, in order of appearance."""
    if not names:
        return np.zeros(len(frame), dtype=np.int64), [[]]
    missing = np.flatnonzero(frame[list(names)].isna().any(axis=1))
    if len(missing):
        raise ValueError(
            f"{where}: row {missing[0]} (counted from 0) belongs to no series: column "
            f"{names[0]!r} is empty there. Fill it in, or leave the row out."
        )
    named = {name: frame[name].map(_as_text) for name in names if frame[name].dtype == object}
    whole = {  # 7.0 is the series 7
        name: frame[name].astype(np.int64)
        for name in names
        if pd.api.types.is_float_dtype(frame[name]) and (frame[name] % 1 == 0).all()
    }
    frame = frame[list(names)].assign(**named, **whole)
    levels = [pd.factorize(frame[name].astype(str))[0] for name in names]
    codes = levels[0]
    for level in levels[1:]:
        codes = pd.factorize(codes.astype(np.int64) * (level.max() + 1) + level)[0]
    first = np.unique(codes, return_index=True)[1]
    columns = [frame[name].iloc[first].tolist() for name in names]
    keys = [[part if _is_plain(part) else str(part) for part in key] for key in zip(*columns)]
    return codes.astype(np.int64), keys


def _as_text(value: Any) -> Any:
    return encodable(value) if isinstance(value, str) else value


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float)


def series_id(key: Sequence[Any]) -> str:
    """Name of a series: its key joined by slashes, which are escaped so that names are unique.

    >>> series_id(["north", 7])
    'north/7'
    """
    if len(key) < 2:
        return "".join(map(str, key))
    return "/".join(str(part).replace("\\", "\\\\").replace("/", "\\/") for part in key)


def _convert_zone(
    stamps: pd.DatetimeIndex | np.ndarray, encoding: Mapping[str, Any], where: str
) -> pd.DatetimeIndex | np.ndarray:
    """Convert stamps to the time zone of the panel to which they belong."""
    if not encoding or not isinstance(stamps, pd.DatetimeIndex):
        return stamps
    zone = encoding["timezone"]
    if zone is None and stamps.tz is not None and not is_span(encoding["frequency"]):
        local = stamps.tz_localize(None)
        if local.equals(local.normalize()):  # whole days need no time zone
            return local
    if (zone is None) != (stamps.tz is None):
        new, expected = (
            "have no time zone" if tz is None else f"are in {tz}" for tz in (stamps.tz, zone)
        )
        raise ValueError(
            f"{where}: its stamps {new}, but the stamps of the series that they belong to "
            f"{expected}. Give both with the same time zone, or both without one."
        )
    return stamps if zone is None else stamps.tz_convert(zone)


def sort_rows(rows: Rows) -> tuple[Rows, list[str]]:
    """Sort rows by series and stamp; and a note if the rows of a series were not in order."""
    stamps = _comparable_stamps(rows)
    same, later = rows.codes[1:] == rows.codes[:-1], rows.codes[1:] > rows.codes[:-1]
    if np.all(later | same & (stamps[1:] >= stamps[:-1])):
        return rows, []
    # A table often lists all series of one day, then all of the next: no note for that.
    order = np.lexsort((stamps, rows.codes))
    by_series = np.argsort(rows.codes, kind="stable")
    notes = [] if np.array_equal(order, by_series) else ["rows were sorted by time"]
    return rows.take(order), notes


def resample_rows(rows: Rows, alias: str) -> Rows:
    """Average the rows of each series within each step of a frequency; skip steps without rows.

    Raises:
        ValueError: if the alias is not a pandas offset alias, or steps are counted.
    """
    if not rows.dated:
        raise ValueError("resample= needs stamps, and here steps are counted. Leave it out.")
    _check_alias(alias)
    table = pd.DataFrame(rows.values, index=rows.stamps)
    groups = table.groupby(rows.codes).resample(alias)
    means, sizes = groups.mean(), groups.size()
    nonempty = sizes.to_numpy().reshape(-1) > 0
    codes = means.index.get_level_values(0).to_numpy()[nonempty]
    stamps = pd.DatetimeIndex(means.index.get_level_values(1))[nonempty]
    values = means.to_numpy()[nonempty].astype(rows.values.dtype, copy=False)
    return replace(rows, codes=codes, stamps=stamps, values=values)


def align_to_grid(
    rows: Rows, frequency: str | None, fill: str | None
) -> tuple[Rows, list[Stamps], str | None, list[str]]:
    """Insert missing rows, so that each series has one row per step from its first to its last.

    Args:
        rows: sorted rows.
        frequency: a pandas offset alias, or None to infer it.
        fill: one of `FILLS` to insert rows of NaN into gaps, or None to refuse gaps.

    Returns:
        The rows; the stamps of each series; the frequency, None where steps are counted; and notes.

    Raises:
        ValueError: for a duplicate stamp, a stamp that is not a multiple of the step after the
            first one, or a gap if `fill` is None.
    """
    # The grid of a series starts at its first stamp and has the frequency of the longest series.
    # `places` counts the steps from that first stamp to each row: -1 marks a row off the grid, and
    # a difference above 1 between neighbouring rows is a gap.
    bounds, stamps, known = rows.bounds, rows.stamps, frequency
    longest = int(np.argmax(np.diff(bounds)))
    starts = stamps[bounds[:-1]].repeat(np.diff(bounds))
    check_unique(rows)
    step = 1
    if isinstance(stamps, pd.DatetimeIndex):
        if frequency is None:
            longest_stamps = stamps[bounds[longest] : bounds[longest + 1]]
            if len(longest_stamps) < 2:
                raise ValueError(
                    f"{rows.describe(longest)} has a single row, from which no frequency can be "
                    "inferred. Give more rows."
                )
            frequency = infer_frequency(longest_stamps[:_INFERENCE_ROWS])
        places = positions(stamps, starts, frequency)
        if (places < 0).any() and (snapped := snap_stamps(stamps, rows.codes)) is not None:
            moved, note = replace(rows, stamps=snapped[0]), snapped[1]
            rows, index, frequency, notes = align_to_grid(moved, known, fill)
            return rows, index, frequency, [note, *notes]
    else:
        step = most_common_step(stamps[bounds[longest] : bounds[longest + 1]])
        places, remainder = np.divmod(stamps - starts, step)
        places[remainder != 0] = -1
    _check_steps(rows, places, frequency, fill)
    lengths = places[bounds[1:] - 1] + 1
    index = [
        _grid_stamps(stamps[low:high], int(length), frequency, step)
        for low, high, length in zip(bounds[:-1], bounds[1:], lengths)
    ]
    missing = int(lengths.sum()) - len(places)
    if not missing:
        return rows, index, frequency, []
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    values = np.full((offsets[-1], rows.values.shape[1]), np.nan, rows.values.dtype)
    values[offsets[rows.codes] + places] = rows.values
    codes = np.repeat(np.arange(len(rows.ids)), lengths)
    note = f"{missing:,} missing rows were inserted (fill={fill!r})"
    return replace(rows, codes=codes, stamps=stamps[:0], values=values), index, frequency, [note]


def fill_missing(values: np.ndarray, codes: np.ndarray, fill: str) -> np.ndarray:
    """Return a copy of the values in which NaN is replaced.

    Args:
        values: float (rows, columns), sorted by series and evenly spaced.
        codes: series of each row, int (rows,).
        fill: "forward" (repeat the last value of the series), "linear" (interpolate between the
            values before and after) or "zero" (0 for every NaN). With "forward" and "linear", NaN
            stays before the first value of a series; with "linear" also after its last value.

    Example:

    >>> values = np.array([[1.0], [np.nan], [3.0]])
    >>> fill_missing(values, np.zeros(3, int), "linear").ravel().tolist()
    [1.0, 2.0, 3.0]
    """
    if fill == "zero":
        return np.nan_to_num(values, nan=0.0, posinf=np.inf, neginf=-np.inf)
    result = values.copy()
    for column in result.T:
        gaps, before, after = _find_neighbours(column, codes)
        has_source = before >= 0
        if fill == "linear":
            has_source &= after >= 0
            gaps, before, after = gaps[has_source], before[has_source], after[has_source]
            share = (gaps - before) / (after - before)
            column[gaps] = (1 - share) * column[before] + share * column[after]
        else:
            column[gaps[has_source]] = column[before[has_source]]
    return result


def _find_neighbours(column: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, ...]:
    """Rows with NaN, and for each the nearest rows of its series before and after with a value.

    -1 stands where the series has no such row.
    """
    missing = np.isnan(column)
    full, gaps = np.flatnonzero(~missing), np.flatnonzero(missing)
    place = np.searchsorted(full, gaps)
    padded = np.concatenate([[-1], full, [-1]])
    sides = [padded[place], padded[place + 1]]
    return gaps, *(np.where((s >= 0) & (codes[s] == codes[gaps]), s, -1) for s in sides)


def _comparable_stamps(rows: Rows) -> np.ndarray:
    """Stamps as a NumPy array, which can be sorted and compared."""
    if isinstance(rows.stamps, pd.DatetimeIndex):
        return rows.stamps.to_numpy(dtype=f"datetime64[{rows.stamps.unit}]")
    return rows.stamps


def check_unique(rows: Rows) -> None:
    """Raise a ValueError for the first duplicate stamp within a series; only for sorted rows."""
    stamps = _comparable_stamps(rows)
    same = np.flatnonzero((stamps[1:] == stamps[:-1]) & (rows.codes[1:] == rows.codes[:-1]))
    if len(same) == 0:
        return
    first, code = int(same[0]), int(rows.codes[same[0]])
    ways = ["leave one of them out"]
    if len(rows.ids) == 1:
        ways.append("name the column that identifies the series as series=")
    if isinstance(rows.stamps, pd.DatetimeIndex):
        unique = rows.stamps[rows.codes == code].unique()
        alias = infer_frequency(unique) if len(unique) > 1 else "D"
        ways.append(f"take their mean with resample={alias!r}")
    raise ValueError(
        f"{rows.describe(code)} has two rows for {format_stamp(rows.stamps[first])}, and "
        f"{len(same):,} such rows in all: {_join_alternatives(ways)}."
    )


def _check_steps(rows: Rows, places: np.ndarray, frequency: str | None, fill: str | None) -> None:
    """Raise a ValueError for the first row off the grid, and for the first gap if `fill` is None.

    Args:
        rows: sorted rows.
        places: steps from the start of its series to each row; -1 for a row off the grid.
        frequency: frequency of the grid; None where steps are counted.
        fill: how gaps will be filled; None if they are refused.
    """
    inside = rows.codes[1:] == rows.codes[:-1]
    steps = np.where(inside, np.diff(places), 1)
    off_grid = np.flatnonzero(places < 0)
    if fill is not None:
        # A series with a longer step than the others has a gap after nearly every row.
        wide = np.bincount(rows.codes[1:][steps > 1], minlength=len(rows.ids))
        for place in np.flatnonzero(wide > np.diff(rows.bounds) / 2):
            _check_same_frequency(rows, int(place), frequency, _MIN_REGULAR_ROWS)
    gaps = np.flatnonzero(steps > 1) if fill is None else np.array([], dtype=np.int64)
    if len(off_grid) == 0 and len(gaps) == 0:
        return
    first = int(off_grid[0] if len(off_grid) else gaps[0])
    code = int(rows.codes[first])
    _check_same_frequency(rows, code, frequency)
    every = f"frequency {frequency!r}" if frequency else "even steps"
    if len(off_grid):
        remedy = "Leave it out"
        if isinstance(rows.stamps, pd.DatetimeIndex):
            remedy = f"Take means of even steps with resample={_suggest_alias(rows, code)!r}"
        raise ValueError(
            f"{rows.describe(code)} is irregular: {format_stamp(rows.stamps[first])} does not fit "
            f"{every}, and {len(off_grid):,} of {len(places):,} rows do not. {remedy}."
        )
    first = int(gaps[0])
    stamps = rows.stamps[first : first + 1]
    if isinstance(stamps, pd.DatetimeIndex):
        missing = next_stamps(stamps, 1, frequency)[0]
    else:
        missing = stamps[0] + (rows.stamps[first + 1] - stamps[0]) // steps[first]
    count = int((steps[gaps] - 1).sum())
    ways = _join_alternatives([f"fill={way!r}" for way in FILLS])
    raise ValueError(
        f"{rows.describe(code)} has a gap: {format_stamp(missing)} is missing after "
        f"{format_stamp(stamps[0])} ({every}; {count:,} step{'s' * (count > 1)} missing in all). "
        f"Pass {ways}."
    )


def _check_same_frequency(rows: Rows, code: int, frequency: str | None, least: int = 3) -> None:
    """Raise a ValueError if a series is regular, but with another frequency than the others."""
    if not isinstance(rows.stamps, pd.DatetimeIndex) or len(rows.ids) < 2:
        return
    stamps = rows.stamps[rows.codes == code]
    if len(stamps) < least:
        return
    alias = infer_frequency(stamps)
    places = positions(stamps, stamps[np.zeros(len(stamps), dtype=np.intp)], alias)
    if alias != frequency and np.array_equal(places, np.arange(len(stamps))):
        raise ValueError(
            f"{rows.describe(code)} has frequency {alias!r}, and others have {frequency!r}. Give "
            "series of one frequency, or take means with resample= (the longer step of the two)."
        )


def _suggest_alias(rows: Rows, code: int) -> str:
    """Shortest common frequency at which resampling an irregular series leaves no gap."""
    assert isinstance(rows.stamps, pd.DatetimeIndex)
    stamps = _comparable_stamps(replace(rows, stamps=rows.stamps[rows.codes == code]))
    widest_gap = np.diff(stamps).max()
    for alias in _RESAMPLE_ALIASES[:-1]:
        offset = to_offset(alias)
        days = [pd.Timestamp("2000-01-01")]
        days += [days[0] + offset, days[0] + offset + offset]
        if max(days[1] - days[0], days[2] - days[1]).to_timedelta64() >= widest_gap:
            return alias
    return _RESAMPLE_ALIASES[-1]


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


def _grid_stamps(
    stamps: pd.DatetimeIndex | np.ndarray, length: int, frequency: str | None, step: int
) -> Stamps:
    """Stamps of one series without gaps, from its first one on."""
    if not isinstance(stamps, pd.DatetimeIndex):
        return pd.RangeIndex(int(stamps[0]), int(stamps[0]) + length * step, step)
    if len(stamps) == length:
        return stamps
    return pd.date_range(stamps[0], periods=length, freq=frequency, unit=stamps.unit)


def _join_alternatives(ways: list[str]) -> str:
    return ways[0] if len(ways) == 1 else f"{', '.join(ways[:-1])} or {ways[-1]}"
