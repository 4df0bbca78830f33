"""Layouts of tables: no line of names, dates as names of columns, columns of two levels."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from kerasseq.io.tables import list_columns

__all__ = ["check_names", "stack_columns", "unfold_dates"]

_CLOCK = r"(?:[T ]\d{1,2}:\d{2}(?::\d{2})?)?"
_DATE = re.compile(
    rf"\d{{4}}[-/.]\d{{1,2}}(?:[-/.]\d{{1,2}})?{_CLOCK}|\d{{1,2}}[-/.]\d{{1,2}}[-/.]\d{{4}}{_CLOCK}"
)
_YEAR = re.compile(r"1[5-9]\d\d|2[01]\d\d")
_NUMBER = re.compile(r"[-+]?\d+(?:[.,]\d+)?(?:[eE][-+]?\d+)?")
_LEAST_DATES = 3  # fewer columns named by dates may be variables
_SAMPLE = 20
_PRICES = {"open", "high", "low", "close", "adj close", "volume"}


def check_names(frame: pd.DataFrame, where: str) -> None:
    """Raise a ValueError if a file has no line of names: its first line holds values.

    Args:
        frame: the table that was read from the file.
        where: name of the table in error messages.
    """
    names = list(frame.columns)
    dates = any(_DATE.fullmatch(name) and _holds_dates(frame[name]) for name in names)
    numbers = [float(n.replace(",", ".")) for n in names if _NUMBER.fullmatch(n)]
    all_numbers = len(numbers) == len(names)
    counted = all_numbers and any(
        numbers == list(range(start, start + len(names))) for start in (0, 1)
    )
    if dates or (all_numbers and not counted):
        raise ValueError(
            f"{where} has no line of names: its first line holds {list_columns(names)}. Write the "
            "names of the columns into a first line, such as date and value."
        )


def unfold_dates(frame: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]] | None:
    """Reshape a table in which dates, or years, are names of columns, to one row per step.

    Each row is a series, named by the columns before the dates. Empty fields before its first value
    and after its last one are left out.

    Args:
        frame: a table whose column names are strings.

    Returns:
        The columns that name the series, `time` and `value`; and the names of the former. None for
        any other table.

    Example:

    >>> wide = pd.DataFrame({"shop": ["a"], "2024-01": [3], "2024-02": [5], "2024-03": [4]})
    >>> long, ids = unfold_dates(wide)
    >>> long.values.tolist(), ids
    ([['a', '2024-01', 3], ['a', '2024-02', 5], ['a', '2024-03', 4]], ('shop',))
    """
    names = list(frame.columns)
    dates = [name for name in names if _DATE.fullmatch(name)]
    if not dates:
        dates = [name for name in names if _YEAR.fullmatch(name)]
    ids = names[: len(names) - len(dates)]
    if len(dates) < _LEAST_DATES or names[len(ids) :] != dates or "time" in ids or "value" in ids:
        return None
    if not ids and len(frame) > 1:
        frame, ids = frame.assign(series=np.arange(len(frame)).astype(str)), ["series"]
    values = frame[dates].to_numpy()
    full = frame[dates].notna().to_numpy()
    some = full.any(axis=1)
    # An empty series keeps one row, so that a later check can report it.
    first = np.where(some, full.argmax(axis=1), 0)
    last = np.where(some, len(dates) - full[:, ::-1].argmax(axis=1), 1)
    place = np.arange(len(dates))
    inside = (first[:, None] <= place) & (place < last[:, None])
    columns = {name: np.repeat(frame[name].to_numpy(), last - first) for name in ids}
    stamps = [f"{name}-01-01" if _YEAR.fullmatch(name) else name for name in dates]
    times = np.tile(np.array(stamps, dtype=object), (len(frame), 1))[inside]
    return pd.DataFrame({**columns, "time": times, "value": values[inside]}), tuple(ids)


def stack_columns(frame: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Reshape a table whose columns have several levels.

    Of tables of prices, with one level of open, close and so on, the other level becomes series.
    Otherwise the names of a column are joined to one.

    Args:
        frame: a table with a MultiIndex of columns.

    Returns:
        The table, and a note.

    Example:

    >>> columns = pd.MultiIndex.from_product([["Close", "Volume"], ["A", "B"]])
    >>> days = pd.to_datetime(["2024-01-02"])
    >>> prices = pd.DataFrame([[1, 2, 30, 40]], index=days, columns=columns)
    >>> stack_columns(prices)[0].to_numpy().tolist()
    [['A', 1, 30], ['B', 2, 40]]
    """
    levels = [[str(value).strip().lower() for value in level] for level in frame.columns.levels]
    prices = [place for place, level in enumerate(levels) if {*level} & _PRICES]
    if len(levels) == 2 and len(prices) == 1:
        place = 1 - prices[0]
        name = frame.columns.names[place]
        columns = frame.columns.set_names("series", level=place)
        columns = columns.set_names(None, level=prices[0])
        stacked = frame.set_axis(columns, axis=1).stack("series", future_stack=True)
        moved = stacked.reset_index("series").dropna(subset=list(stacked.columns), how="all")
        where = f"the level {name!r} of the columns" if name else "one level of the columns"
        return moved, f"series from {where}"
    names = [" ".join(str(part) for part in column if str(part)) for column in frame.columns]
    return frame.set_axis(names, axis=1), "names of columns of several levels are joined"


def _holds_dates(column: pd.Series) -> bool:
    """Whether the first values are dates."""
    values = column.dropna().head(_SAMPLE).astype(str)
    return bool(len(values) and values.str.fullmatch(_DATE).all())
