"""Find the columns of a table that hold stamps, and read the stamps."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from datetime import date

import numpy as np
import pandas as pd

from kerasseq.data.series.columns import is_numeric
from kerasseq.data.series.frequency import infer_frequency, positions

__all__ = ["find_time", "read_stamps"]

_NAMES = {"date", "time", "datetime", "timestamp", "date_time", "ds", "stamp", "period"}
_COUNTERS = {"step", "timestep", "time_step", "time_idx"}
_PARTS = ("year", "month", "day", "hour", "minute", "second")
_NAMES_OF_PARTS = {"month", "year", "day", "week", "quarter"}
_SAMPLE = 20  # first values by which a column of text is recognised as dates
_DATE = re.compile(r"\d{4}|\d+[-/.]\d+[-/.]\d+")  # in nearly every date, and in few other words
_MIDNIGHT = re.compile(r"(.+)[T ]00:00(?::00(?:[.]0+)?)? ?(Z|[+-]\d\d(?::?\d\d)?)")
_EARLIEST = 1000  # earlier years are misread: pandas reads Jan-20 as 20 January of the year 1
_CLOCK = re.compile(r"\d\d?:\d\d(:\d\d)?([.]\d+)?( ?[AaPp][Mm])?|\d\d?[.]\d\d[.]\d\d")
_DOTTED = re.compile(r"^(\d\d?)[.](\d\d)[.](\d\d)$")  # a time of day, as 18.00.00
_HOURS = ("hour", "hr")

# Whole numbers that stand for a point in time: lowest and highest value, and unit or format.
_SECONDS = ((10**8, 10**10, "s"), (10**11, 10**13, "ms"), (10**14, 10**16, "us"))
_DIGITS = ((1500, 2200, "%Y"), (150001, 220012, "%Y%m"), (15000101, 22001231, "%Y%m%d"))


def find_time(frame: pd.DataFrame, taken: Sequence[str] = ()) -> list[str]:
    """Find the column of stamps, or the columns that form a stamp; none where steps are counted.

    A column of text with a usual name for stamps is returned even if its stamps cannot be read:
    `read_stamps` then says what is wrong.

    Args:
        frame: a table whose column names are strings.
        taken: columns that have another role.

    Raises:
        ValueError: if several columns could be meant.

    Example:

    >>> find_time(pd.DataFrame({"Month": ["1949-01", "1949-02"], "Passengers": [112, 118]}))
    ['Month']
    """
    columns = [name for name in frame.columns if name not in taken]
    lower = {name.strip().lower(): name for name in reversed(columns)}
    datetimes = [name for name in columns if _is_datetime(frame[name])]
    named = [name for name in columns if name.strip().lower() in _NAMES | _COUNTERS]
    for day, hour in ((lower.get("date"), lower.get(name)) for name in _HOURS):
        if day is not None and hour is not None and _are_hours_of_days(frame[day], frame[hour]):
            return [day, hour]
    if datetimes:
        return _only_column([name for name in datetimes if name in named] or datetimes)
    if "date" in lower and "time" in lower and _is_clock(frame[lower["time"]]):
        return [lower["date"], lower["time"]]
    readable = [name for name in named if _whole_numbers(frame[name]) is not None]
    readable += [name for name in named if _holds_dates(frame[name])]
    if len(readable) != 1 and "year" in lower and "month" in lower:
        return [lower[part] for part in _PARTS if part in lower]
    if not readable and "year" in lower and len({"week", "quarter"} & {*lower}) == 1:
        return [lower["year"], lower.get("week") or lower["quarter"]]
    if readable:
        return _only_column(readable)
    parts = [lower[name] for name in lower if name in _NAMES_OF_PARTS]
    parts = [
        name for name in parts if _is_ordered_or_date(frame[name]) or _holds_dates(frame[name])
    ]
    candidates = parts or [name for name in columns if _holds_dates(frame[name])]
    if not candidates:
        usual_names = _NAMES | _NAMES_OF_PARTS | {"ts"}
        words = [name for name in columns if _is_text(frame[name]) and not is_numeric(frame[name])]
        return [name for name in words if name.strip().lower() in usual_names][:1]
    return _only_column(candidates)


def read_stamps(
    frame: pd.DataFrame, time: Sequence[str], where: str
) -> tuple[pd.DatetimeIndex | np.ndarray, list[str]]:
    """Read the stamp of each row of a table.

    Args:
        frame: the table.
        time: the column of stamps; or columns of year, month, day and so on, or of date and time.
        where: name of the table in error messages.

    Returns:
        Points in time, or int64 (rows,) where the column counts steps; and notes on how they were
        read.

    Raises:
        ValueError: if a row has no stamp, or one that cannot be read.
    """
    for name in time:
        missing = np.flatnonzero(frame[name].isna())
        if len(missing):
            raise ValueError(
                f"{where}: column {name!r} has no stamp in row {missing[0]} (counted from 0). "
                "Fill it in, or leave the row out."
            )
    if len(time) == 2 and _is_clock(frame[time[1]]):
        clock = frame[time[1]].astype(str).str.strip().str.replace(_DOTTED, r"\1:\2:\3", regex=True)
        return _from_text(frame[time[0]].astype(str) + " " + clock, " ".join(time), where)
    if len(time) == 2 and time[1].strip().lower() in _HOURS:
        days, notes = read_stamps(frame, time[:1], where)
        hours = _read_part(frame, time[1], where)
        return pd.DatetimeIndex(days) + pd.to_timedelta(hours, unit="h"), notes
    if len(time) > 1:
        return _from_parts(frame, time, where), []
    column = frame[time[0]]
    if _is_datetime(column):
        if isinstance(column.dtype, pd.PeriodDtype):
            return pd.DatetimeIndex(column.dt.to_timestamp()).rename(None), []
        return pd.DatetimeIndex(column).rename(None), []
    numbers = _whole_numbers(column)
    if numbers is not None:
        return _from_numbers(numbers, time[0], where)
    return _from_text(column, time[0], where)


def _is_datetime(column: pd.Series) -> bool:
    return isinstance(column.dtype, pd.PeriodDtype) or pd.api.types.is_datetime64_any_dtype(column)


def _holds_dates(column: pd.Series) -> bool:
    """Whether most of the first values are dates, or text that can be read as dates."""
    values = column.dropna().head(_SAMPLE)
    likely = values[[_DATE.search(str(value)) is not None for value in values]]
    if not _is_text(column) or not pd.to_numeric(likely, errors="coerce").isna().all():
        return False
    if 2 * len(likely) <= len(values):
        return False
    if any(_parse(likely, day_first) is not None for day_first in (False, True)):
        return True
    readable = sum(map(_is_date, likely))
    return 2 * readable > len(values)


def _is_text(column: pd.Series) -> bool:
    """Whether the first values are text or Python date objects."""
    values = column.dropna().head(_SAMPLE)
    if len(values) == 0 or isinstance(column.dtype, pd.CategoricalDtype):
        return False
    return all(isinstance(value, str | date) for value in values)


def _is_date(value: object) -> bool:
    return any(_parse(pd.Series([value]), day_first) is not None for day_first in (False, True))


def _is_clock(column: pd.Series) -> bool:
    values = column.dropna().head(_SAMPLE).astype(str)
    return len(values) > 0 and all(_CLOCK.fullmatch(value.strip()) for value in values)


def _are_hours_of_days(days: pd.Series, hours: pd.Series) -> bool:
    """Whether a column holds days without a time, and another one the hour of the day."""
    numbers = _whole_numbers(hours)
    if numbers is None or numbers.min() < 0 or numbers.max() > 24 or days.is_unique:
        return False
    text = days.dropna().head(_SAMPLE).astype(str)
    return not text.str.contains(r"[T ](?!00:00)\d", regex=True).any()


def _is_ordered_or_date(column: pd.Series) -> bool:
    """Whether numbers only rise, or are dates such as 1949, 194901 or 19490131."""
    numbers = _whole_numbers(column)
    if numbers is None:
        return False
    return bool(np.all(np.diff(numbers) > 0)) or _date_format(numbers) is not None


def _whole_numbers(column: pd.Series) -> np.ndarray | None:
    """The values as int64 (rows,); None unless all of them are whole numbers."""
    numbers = pd.to_numeric(column, errors="coerce")
    if pd.api.types.is_bool_dtype(numbers) or numbers.isna().any():
        return None
    floats = numbers.to_numpy(dtype=np.float64)
    if not np.all(np.isfinite(floats)) or np.any(floats != np.round(floats)):
        return None
    return numbers.to_numpy().astype(np.int64)


def _date_format(numbers: np.ndarray) -> str | None:
    """Date format of numbers such as 1949, 194901 or 19490131; None if they are no dates."""
    low, high = numbers.min(), numbers.max()
    return next((form for least, most, form in _DIGITS if least <= low and high <= most), None)


def _from_numbers(
    numbers: np.ndarray, name: str, where: str
) -> tuple[pd.DatetimeIndex | np.ndarray, list[str]]:
    form = _date_format(numbers)
    # A counter may pass through numbers such as 1949: only a column named year or date has years.
    if form is not None and (form != "%Y" or "year" in name.lower() or "date" in name.lower()):
        try:
            stamps = pd.to_datetime(pd.Series(numbers).astype(str), format=form)
            return pd.DatetimeIndex(stamps), []
        except ValueError:
            pass  # such as 194913, which is no month
    low, high = numbers.min(), numbers.max()
    unit = next((unit for least, most, unit in _SECONDS if least <= low and high <= most), None)
    if unit is not None:
        note = f"column {name!r} is read as Unix time in {unit}, UTC"
        return pd.DatetimeIndex(pd.to_datetime(numbers, unit=unit)), [note]
    return numbers, [f"column {name!r} counts steps"]


def _from_text(column: pd.Series, name: str, where: str) -> tuple[pd.DatetimeIndex, list[str]]:
    if len(walls := _strip_offsets(column)):
        note = f"column {name!r} has several offsets from UTC, and midnights only: days are kept"
        stamps, more = _from_text(walls, name, where)
        return stamps, [*more, note]
    month_first = _parse(column, False)
    # After a leading year comes the month, even if pandas could also read a day there.
    year_first = re.match(r"\s*\d{4}", str(column.iloc[0]))
    day_first = month_first if year_first else _parse(column, True)
    if month_first is None and day_first is None:
        raise ValueError(
            f"{where}: column {name!r} does not hold dates throughout: "
            f"{_describe_unreadable(column)}. {_remedy(column)}"
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


def _parse(column: pd.Series, day_first: bool) -> pd.DatetimeIndex | None:
    """Parse dates from text, all in one format; None if a value has another format."""
    text = column.astype(str).str.strip()
    if _is_clock(text):  # pandas would read a time of day as one of today
        return None
    # Tried in this order: one format; the same with several offsets from UTC, as in summer and
    # winter; ISO 8601, with or without a time in each value.
    for options in (
        {"dayfirst": day_first},
        {"dayfirst": day_first, "utc": True},
        {"format": "ISO8601"},
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the order of day and month: the caller decides
            try:
                dates = pd.DatetimeIndex(pd.to_datetime(text, **options)).rename(None)
            except (ValueError, TypeError, OverflowError):
                continue
            return None if dates.isna().any() or dates.year.min() < _EARLIEST else dates
    return None


def _strip_offsets(column: pd.Series) -> pd.Series:
    """Remove the offsets from UTC of dates if these differ and all times are midnight.

    Such dates are days of one place in summer and winter. In all other cases the result is empty.
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
    """Choose the reading of dates such as 01/02/2024 that gives even steps, and a note on it."""
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
    steps = positions(stamps, stamps[np.zeros(len(stamps), dtype=np.intp)], infer_frequency(stamps))
    return bool(np.all(np.diff(steps) == 1) and steps[0] == 0)


def _remedy(column: pd.Series) -> str:
    """What to do about dates that cannot be read, for an error."""
    word = str(column.iloc[-1])
    if re.fullmatch(r"\D+", word) and len(column) > 2 and _is_date(column.iloc[-2]):
        return f"Leave the last row out, {word[:40]!r}, if it is a total."
    return (
        "Write them as 2024-01-31 06:00, or pass another column as time=, or time=() to count rows."
    )


def _describe_unreadable(column: pd.Series) -> str:
    """Describe the first value that is no date, for an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dates = pd.to_datetime(column.astype(str).str.strip(), errors="coerce", utc=True)
    doubtful = (dates.isna() | (dates.dt.year < _EARLIEST)).to_numpy()
    for row in (*np.flatnonzero(doubtful), *np.flatnonzero(~doubtful)[:_SAMPLE]):
        if not _is_date(column.iloc[row]):
            return f"row {row} (counted from 0) holds {str(column.iloc[row])[:40]!r}"
    return f"it begins with {str(column.iloc[0])[:40]!r} and goes on in another format"


def _from_parts(frame: pd.DataFrame, time: Sequence[str], where: str) -> pd.DatetimeIndex:
    """Stamps from columns of year, month, day, hour, ...; day 1 if there is no column of days.

    A year and a week make the Monday of that week (ISO 8601), a year and a quarter its first day.
    """
    if [name.strip().lower() for name in time] in (["year", "week"], ["year", "quarter"]):
        return _from_weeks_or_quarters(frame, time[0], time[1], where)
    parts = {}
    for name in time:
        part = name.strip().lower()
        if part not in _PARTS:
            raise ValueError(
                f"several columns given as time= must be named {', '.join(_PARTS)}. "
                f"Received: {list(time)!r}"
            )
        parts[part] = _read_part(frame, name, where)
    if not {"year", "month"} <= set(parts):
        raise ValueError(
            f"year and month must be among the columns given as time=. Received: {list(time)!r}"
        )
    parts.setdefault("day", np.ones(len(frame), dtype=np.int64))
    try:
        return pd.DatetimeIndex(pd.to_datetime(pd.DataFrame(parts)))
    except ValueError:
        pass
    stamps = pd.to_datetime(pd.DataFrame(parts), errors="coerce")
    row = int(np.flatnonzero(stamps.isna())[0])
    values = ", ".join(f"{part} {numbers[row]}" for part, numbers in parts.items())
    raise ValueError(
        f"{where}: row {row} (counted from 0) is no valid date or time: {values}. Correct it, or "
        "leave it out."
    )


def _read_part(frame: pd.DataFrame, name: str, where: str) -> np.ndarray:
    """Whole numbers of a part of the time; a quarter may be written as Q1."""
    numbers = _whole_numbers(frame[name].replace(r"^\s*[Qq]", "", regex=True))
    if numbers is None:
        raise ValueError(
            f"{where}: column {name!r}, a part of the time, must hold a whole number in each "
            "row. Correct it, or leave such rows out."
        )
    return numbers


def _from_weeks_or_quarters(
    frame: pd.DataFrame, year: str, part: str, where: str
) -> pd.DatetimeIndex:
    years, numbers = _read_part(frame, year, where), _read_part(frame, part, where)
    weeks = part.strip().lower() == "week"
    low, high = numbers.min(), numbers.max()
    if low < 1 or high > (53 if weeks else 4):
        raise ValueError(
            f"{where}: column {part!r} must be from 1 to {53 if weeks else 4}. "
            f"Received: {low if low < 1 else high}. Correct it, or leave such rows out."
        )
    if weeks:
        text = pd.Series([f"{y}-{week}-1" for y, week in zip(years, numbers)])
        return pd.DatetimeIndex(pd.to_datetime(text, format="%G-%V-%u"))
    return pd.DatetimeIndex(
        pd.to_datetime(pd.DataFrame({"year": years, "month": 3 * numbers - 2, "day": 1}))
    )


def _only_column(columns: list[str]) -> list[str]:
    """The columns, if there is at most one; raises a ValueError for several."""
    if len(columns) > 1:
        listed = " and ".join(map(repr, columns))
        raise ValueError(f"columns {listed} all hold dates. Pass one of them as time=.")
    return columns
