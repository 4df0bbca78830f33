"""Columns that say when: finding them in a table, and reading stamps from them."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from datetime import date

import numpy as np
import pandas as pd

from kerasseq.data.series.columns import is_numeric
from kerasseq.data.series.frequency import infer, positions

__all__ = ["find_time", "read_stamps"]

_NAMES = {"date", "time", "datetime", "timestamp", "date_time", "ds", "stamp", "period"}
_COUNTERS = {"step", "timestep", "time_step", "time_idx"}
_PARTS = ("year", "month", "day", "hour", "minute", "second")
_NAMES_OF_PARTS = {"month", "year", "day", "week", "quarter"}
_LOOKED_AT = 20  # values, to see whether a column of text holds dates
_DATE = re.compile(r"\d{4}|\d+[-/.]\d+[-/.]\d+")  # what a date has, and few other words
_MIDNIGHT = re.compile(r"(.+)[T ]00:00(?::00(?:[.]0+)?)? ?(Z|[+-]\d\d(?::?\d\d)?)")
_EARLIEST = 1000  # a year before it is none: pandas reads Jan-20 as the 20th of January of year 1
_CLOCK = re.compile(r"\d\d?:\d\d(:\d\d)?([.]\d+)?( ?[AaPp][Mm])?")

# Whole numbers that stand for a point in time: their least and greatest value, and how to read it.
_SECONDS = ((10**8, 10**10, "s"), (10**11, 10**13, "ms"), (10**14, 10**16, "us"))
_DIGITS = ((1500, 2200, "%Y"), (150001, 220012, "%Y%m"), (15000101, 22001231, "%Y%m%d"))


def find_time(frame: pd.DataFrame, taken: Sequence[str] = ()) -> list[str]:
    """The column that holds the stamps, or the columns that do together; none where steps count.

    A column of text with a usual name for stamps is one even if they cannot be read: `read_stamps`
    says what is wrong with it.

    Args:
        frame: a table whose columns have strings for names.
        taken: columns that hold something else.

    Raises:
        ValueError: if several columns could be meant.

    Example:

    >>> find_time(pd.DataFrame({"Month": ["1949-01", "1949-02"], "Passengers": [112, 118]}))
    ['Month']
    """
    columns = [name for name in frame.columns if name not in taken]
    lower = {name.strip().lower(): name for name in reversed(columns)}
    dated = [name for name in columns if _is_dated(frame[name])]
    named = [name for name in columns if name.strip().lower() in _NAMES | _COUNTERS]
    if dated:
        return _the_one([name for name in dated if name in named] or dated)
    if "date" in lower and "time" in lower and _is_clock(frame[lower["time"]]):
        return [lower["date"], lower["time"]]
    readable = [name for name in named if _whole_numbers(frame[name]) is not None]
    readable += [name for name in named if _holds_dates(frame[name])]
    if len(readable) != 1 and "year" in lower and "month" in lower:
        return [lower[part] for part in _PARTS if part in lower]
    if readable:
        return _the_one(readable)
    parts = [lower[name] for name in lower if name in _NAMES_OF_PARTS]
    parts = [name for name in parts if _goes_on(frame[name]) or _holds_dates(frame[name])]
    found = parts or [name for name in columns if _holds_dates(frame[name])]
    if not found:
        usual = _NAMES | _NAMES_OF_PARTS | {"ts"}
        words = [name for name in columns if _is_text(frame[name]) and not is_numeric(frame[name])]
        return [name for name in words if name.strip().lower() in usual][:1]
    return _the_one(found)


def read_stamps(
    frame: pd.DataFrame, time: Sequence[str], where: str
) -> tuple[pd.DatetimeIndex | np.ndarray, list[str]]:
    """The stamps of a table's rows.

    Args:
        frame: the table.
        time: the column, or the columns of year, month, day and so on, or of date and time of day.
        where: what to call the table in an error.

    Returns:
        Points in time, or int64 where the column counts steps; and notes on how they were read.

    Raises:
        ValueError: if there is a row that has none, or one that cannot be read.
    """
    for name in time:
        missing = np.flatnonzero(frame[name].isna())
        if len(missing):
            raise ValueError(
                f"{where}: column {name!r} has no stamp in row {missing[0]} (counted from 0). "
                "Fill it in, or leave the row out."
            )
    if len(time) == 2 and _is_clock(frame[time[1]]):
        text = frame[time[0]].astype(str) + " " + frame[time[1]].astype(str)
        return _from_text(text, " ".join(time), where)
    if len(time) > 1:
        return _from_parts(frame, time, where), []
    column = frame[time[0]]
    if _is_dated(column):
        if isinstance(column.dtype, pd.PeriodDtype):
            return pd.DatetimeIndex(column.dt.to_timestamp()).rename(None), []
        return pd.DatetimeIndex(column).rename(None), []
    numbers = _whole_numbers(column)
    if numbers is not None:
        return _from_numbers(numbers, time[0], where)
    return _from_text(column, time[0], where)


def _is_dated(column: pd.Series) -> bool:
    return isinstance(column.dtype, pd.PeriodDtype) or pd.api.types.is_datetime64_any_dtype(column)


def _holds_dates(column: pd.Series) -> bool:
    """Whether most of the first few values are dates, or text that can be read as dates."""
    values = column.dropna().head(_LOOKED_AT)
    likely = values[[_DATE.search(str(value)) is not None for value in values]]
    if not _is_text(column) or not pd.to_numeric(likely, errors="coerce").isna().all():
        return False
    if 2 * len(likely) <= len(values):
        return False
    if any(_parsed(likely, day_first) is not None for day_first in (False, True)):
        return True
    readable = sum(map(_is_date, likely))
    return 2 * readable > len(values)


def _is_text(column: pd.Series) -> bool:
    """Whether the first few values are text, or dates that are objects."""
    values = column.dropna().head(_LOOKED_AT)
    if len(values) == 0 or isinstance(column.dtype, pd.CategoricalDtype):
        return False
    return all(isinstance(value, str | date) for value in values)


def _is_date(value: object) -> bool:
    return any(_parsed(pd.Series([value]), day_first) is not None for day_first in (False, True))


def _is_clock(column: pd.Series) -> bool:
    values = column.dropna().head(_LOOKED_AT).astype(str)
    return len(values) > 0 and all(_CLOCK.fullmatch(value.strip()) for value in values)


def _goes_on(column: pd.Series) -> bool:
    """Whether numbers are years, or months of them, or do nothing but rise."""
    numbers = _whole_numbers(column)
    if numbers is None:
        return False
    return bool(np.all(np.diff(numbers) > 0)) or _format_of(numbers) is not None


def _whole_numbers(column: pd.Series) -> np.ndarray | None:
    """The values as int64; None unless all of them are whole numbers."""
    numbers = pd.to_numeric(column, errors="coerce")
    if pd.api.types.is_bool_dtype(numbers) or numbers.isna().any():
        return None
    floats = numbers.to_numpy(dtype=np.float64)
    if not np.all(np.isfinite(floats)) or np.any(floats != np.round(floats)):
        return None
    return numbers.to_numpy().astype(np.int64)


def _format_of(numbers: np.ndarray) -> str | None:
    """How numbers such as 1949, 194901 and 19490131 are read as dates; None if they are not."""
    low, high = numbers.min(), numbers.max()
    return next((form for least, most, form in _DIGITS if least <= low and high <= most), None)


def _from_numbers(
    numbers: np.ndarray, name: str, where: str
) -> tuple[pd.DatetimeIndex | np.ndarray, list[str]]:
    form = _format_of(numbers)
    # A counter may well pass through the numbers of years: years have a name that says so.
    if form is not None and (form != "%Y" or "year" in name.lower() or "date" in name.lower()):
        try:
            stamps = pd.to_datetime(pd.Series(numbers).astype(str), format=form)
            return pd.DatetimeIndex(stamps), []
        except ValueError:
            pass  # 194913: no month, so a number
    low, high = numbers.min(), numbers.max()
    unit = next((unit for least, most, unit in _SECONDS if least <= low and high <= most), None)
    if unit is not None:
        note = f"column {name!r} is read as Unix time in {unit}, UTC"
        return pd.DatetimeIndex(pd.to_datetime(numbers, unit=unit)), [note]
    return numbers, [f"column {name!r} counts steps"]


def _from_text(column: pd.Series, name: str, where: str) -> tuple[pd.DatetimeIndex, list[str]]:
    if len(walls := _midnights(column)):
        note = f"column {name!r} has several offsets from UTC, and midnights only: days are kept"
        stamps, more = _from_text(walls, name, where)
        return stamps, [*more, note]
    month_first = _parsed(column, False)
    # What begins with the year goes on with the month; pandas could be talked into the day.
    year_first = re.match(r"\s*\d{4}", str(column.iloc[0]))
    day_first = month_first if year_first else _parsed(column, True)
    if month_first is None and day_first is None:
        raise ValueError(
            f"{where}: column {name!r} does not hold dates throughout: {_first_unread(column)}. "
            "Write them as 2024-01-31 06:00, or pass another column as time=, or time=() to count "
            "rows."
        )
    notes: list[str] = []
    if month_first is None or day_first is None:
        stamps = day_first if month_first is None else month_first
        assert stamps is not None
    elif month_first.equals(day_first):
        stamps = month_first
    else:
        stamps, notes = _more_regular(month_first, day_first, column, name, where)
    if stamps.tz is not None and column.astype(str).str[-6:].nunique() > 1:
        notes.append(f"column {name!r} has several offsets from UTC: its stamps are in UTC")
    return stamps, notes


def _parsed(column: pd.Series, day_first: bool) -> pd.DatetimeIndex | None:
    """Dates from text, all in one format; None if there is a value that is not in it."""
    text = column.astype(str).str.strip()
    if _is_clock(text):  # which pandas takes to be of today
        return None
    # In turn: one format; offsets from UTC that differ, as summer and winter have; ISO, some with
    # a time and some without.
    for how in (
        {"dayfirst": day_first},
        {"dayfirst": day_first, "utc": True},
        {"format": "ISO8601"},
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on the order of day and month, which is seen to here
            try:
                found = pd.DatetimeIndex(pd.to_datetime(text, **how)).rename(None)
            except (ValueError, TypeError, OverflowError):
                continue
            return None if found.isna().any() or found.year.min() < _EARLIEST else found
    return None


def _midnights(column: pd.Series) -> pd.Series:
    """Dates without their offsets from UTC, where these differ and all clocks show midnight.

    Summer and winter of one place are such. Nothing where that is not so.
    """
    text = column.astype(str).str.strip()
    if not _MIDNIGHT.fullmatch(text.iloc[0]):
        return text[:0]
    parts = text.str.extract(rf"\A{_MIDNIGHT.pattern}\Z")
    several = parts.notna().to_numpy().all() and parts[1].nunique() > 1
    return parts[0] if several else text[:0]


def _more_regular(
    month_first: pd.DatetimeIndex,
    day_first: pd.DatetimeIndex,
    column: pd.Series,
    name: str,
    where: str,
) -> tuple[pd.DatetimeIndex, list[str]]:
    """Of two readings of dates such as 01/02/2024 the one that gives even steps."""
    even = [_is_even(stamps) for stamps in (month_first, day_first)]
    if even[0] == even[1]:
        raise ValueError(
            f"{where}: column {name!r} can be read as month/day or as day/month, as "
            f"{column.iloc[0]!r}. Write the dates as 2024-01-31."
        )
    order = "month/day" if even[0] else "day/month"
    note = f"column {name!r} is read as {order}: so its steps are even"
    return (month_first if even[0] else day_first), [note]


def _is_even(stamps: pd.DatetimeIndex) -> bool:
    stamps = stamps.unique().sort_values()
    if len(stamps) < 3:
        return False
    found = positions(stamps, stamps[np.zeros(len(stamps), dtype=np.intp)], infer(stamps))
    return bool(np.all(np.diff(found) == 1) and found[0] == 0)


def _first_unread(column: pd.Series) -> str:
    """The first value that is no date, in words."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read = pd.to_datetime(column.astype(str).str.strip(), errors="coerce", utc=True)
    doubtful = (read.isna() | (read.dt.year < _EARLIEST)).to_numpy()
    for row in (*np.flatnonzero(doubtful), *np.flatnonzero(~doubtful)[:_LOOKED_AT]):
        if not _is_date(column.iloc[row]):
            return f"row {row} (counted from 0) holds {str(column.iloc[row])[:40]!r}"
    return f"it begins with {str(column.iloc[0])[:40]!r} and goes on in another format"


def _from_parts(frame: pd.DataFrame, time: Sequence[str], where: str) -> pd.DatetimeIndex:
    """From columns of year, month, day, hour, ...; day 1 of the month where there are no days."""
    parts = {}
    for name in time:
        part = name.strip().lower()
        if part not in _PARTS:
            raise ValueError(
                f"several columns given as time= must be named {', '.join(_PARTS)}. "
                f"Received: {list(time)!r}"
            )
        numbers = _whole_numbers(frame[name])
        if numbers is None:
            raise ValueError(
                f"{where}: column {name!r}, a part of the time, must hold a whole number in each "
                "row. Mend it, or leave such rows out."
            )
        parts[part] = numbers
    if not {"year", "month"} <= set(parts):
        raise ValueError(
            f"year and month must be among the columns given as time=. Received: {list(time)!r}"
        )
    parts.setdefault("day", np.ones(len(frame), dtype=np.int64))
    try:
        return pd.DatetimeIndex(pd.to_datetime(pd.DataFrame(parts)))
    except ValueError:
        pass
    found = pd.to_datetime(pd.DataFrame(parts), errors="coerce")
    row = int(np.flatnonzero(found.isna())[0])
    values = ", ".join(f"{part} {numbers[row]}" for part, numbers in parts.items())
    raise ValueError(
        f"{where}: row {row} (counted from 0) is no point in time: {values}. Mend it, or leave it "
        "out."
    )


def _the_one(columns: list[str]) -> list[str]:
    """The only column of stamps that there is, if there is one."""
    if len(columns) > 1:
        listed = " and ".join(map(repr, columns))
        raise ValueError(f"columns {listed} all hold dates. Pass one of them as time=.")
    return columns
