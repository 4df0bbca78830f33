"""Load a table of series, find its layout and the role of each column."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from kerasseq.data.series.columns import is_mostly_numeric, is_numeric
from kerasseq.data.series.faults import Faults
from kerasseq.data.series.layouts import check_names, stack_columns
from kerasseq.data.series.records import are_records, unfold_records
from kerasseq.data.series.spelling import convert_spelled
from kerasseq.data.series.timestamps import find_time
from kerasseq.io.tables import check_few, list_columns, read_table, table_path

__all__ = ["Roles", "check_columns", "find_roles", "has_series_per_row", "load_table", "unfold"]

_IDS = {"unique_id", "series_id", "series", "item_id", "ts_id"}
_TARGETS = ("target", "y", "value", "values")


@dataclass(frozen=True)
class Roles:
    """The columns of a table by their role.

    Args:
        time: the column of stamps, or columns of year, month, day, ...; none where steps are
            counted.
        target: columns to forecast.
        series: columns that identify the series.
        past: covariates that are known up to the present.
        future: covariates that are known ahead.
        static: columns that are constant within a series.
    """

    time: tuple[str, ...] = ()
    target: tuple[str, ...] = ()
    series: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    future: tuple[str, ...] = ()
    static: tuple[str, ...] = ()

    @property
    def all(self) -> list[str]:
        """All columns that have a role."""
        return [name for names in asdict(self).values() for name in names]


def load_table(data: Any) -> tuple[pd.DataFrame, str, list[str]]:
    """Load a table of series as a DataFrame whose column names are strings.

    Args:
        data: a DataFrame, a Series, a list of rows or records as dictionaries, the path of a file
            that `read_table` reads, or "demo".

    Returns:
        The table, its name in error messages, and notes on how it was read.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the table cannot be read, or has no rows.
    """
    notes: list[str] = []
    if isinstance(data, pd.Series):
        data = data.to_frame("value" if data.name is None else data.name)
    if isinstance(data, pd.DataFrame):
        frame, where = data, "the DataFrame"
    elif isinstance(data, list) and data and all(isinstance(row, Mapping) for row in data):
        frame, where = pd.DataFrame(data), "the list"
    elif isinstance(data, str) and data == "demo":
        from kerasseq.data.demo.series import demo_series

        frame, where = demo_series(), "'demo'"
        notes = ["demo: monthly air passengers 1949-1960 and sunspots 1749-1983"]
    elif isinstance(data, str | os.PathLike):
        path = table_path(data)
        where = str(path)
        frame, notes = read_table(path)
        if path.suffix.lower() in (".csv", ".tsv"):
            check_names(frame, where)
    else:
        raise ValueError(
            "data must be a DataFrame, a list of dictionaries, a path or 'demo'. "
            f"Received: {type(data).__name__}"
        )
    if len(frame) == 0:
        raise ValueError(f"{where} has no rows. Give a table with a row for each step.")
    if isinstance(frame.columns, pd.MultiIndex):
        frame, note = stack_columns(frame)
        notes = [*notes, note]
    if are_records(frame):
        frame = unfold_records(frame, where)
        notes = [*notes, "each record is a series"]
    frame, spelled = convert_spelled(_move_index_to_columns(frame, where))
    return frame, where, [*notes, *spelled]


def _move_index_to_columns(frame: pd.DataFrame, where: str) -> pd.DataFrame:
    """Turn an index of times, or a MultiIndex with such a level, into columns."""
    index = frame.index
    levels = index.levels if isinstance(index, pd.MultiIndex) else [index]
    if any(isinstance(level, pd.DatetimeIndex | pd.PeriodIndex) for level in levels):
        names = [
            name if name is not None else ("time" if "time" not in frame else "index")
            for name in index.names
        ]
        frame = frame.rename_axis(index=names).reset_index()
    frame = frame.set_axis([str(column) for column in frame.columns], axis=1)
    duplicates = frame.columns[frame.columns.duplicated()]
    if len(duplicates):
        raise ValueError(f"{where} has several columns named {duplicates[0]!r}. Rename them.")
    return frame


def has_series_per_row(frame: pd.DataFrame) -> bool:
    """Whether each row is a series: an id, then numbered columns such as V1, V2, ... of M4.

    >>> has_series_per_row(pd.DataFrame({"V1": ["H1", "H2"], "V2": [1, 2], "V3": [3, None]}))
    True
    """
    steps = [re.fullmatch(r"(\D*)(\d+)", name) for name in frame.columns[1:]]
    if len(steps) < 2 or not all(steps):
        return False
    numbers = [int(step[2]) for step in steps if step]
    ids = frame.iloc[:, 0]
    if find_time(frame.iloc[:, :1]):  # the first column holds stamps, the others are variables
        return False
    return (
        len({step[1] for step in steps if step}) == 1
        and bool(np.all(np.diff(numbers) == 1))
        and not is_numeric(ids)
        and bool(ids.notna().all())
        and ids.is_unique
    )


def unfold(frame: pd.DataFrame) -> pd.DataFrame:
    """Reshape a table of one series per row to one step per row; skip empty fields at the end.

    >>> unfold(pd.DataFrame({"V1": ["H1", "H2"], "V2": [1, 2], "V3": [3, None]})).values.tolist()
    [['H1', 1.0], ['H1', 3.0], ['H2', 2.0]]
    """
    ids, steps = frame.iloc[:, 0], frame.iloc[:, 1:]
    full = steps.notna().to_numpy()
    # An empty series keeps one row, so that a later check can report it.
    last = np.where(full.any(axis=1), full.shape[1] - np.argmax(full[:, ::-1], axis=1), 1)
    inside = np.arange(full.shape[1]) < last[:, None]
    if all(map(pd.api.types.is_numeric_dtype, steps.dtypes)):
        values = steps.to_numpy(dtype=np.float64)[inside]
    else:
        values = steps.to_numpy(dtype=object)[inside]
    series = np.repeat(ids.to_numpy(dtype=object), last)
    return pd.DataFrame({"series": series, "value": values})


def find_roles(
    frame: pd.DataFrame, where: str, given: Mapping[str, Sequence[str] | None]
) -> tuple[Roles, list[str]]:
    """Find the roles of columns that the user did not name.

    Args:
        frame: the table.
        where: name of the table in error messages.
        given: columns by role; None to find the columns, for "time", "target" and "series".

    Returns:
        The roles, and notes on the columns that were found.

    Raises:
        ValueError: if a column is unknown or has two roles, or if it is not clear which column
            holds the stamps or the targets.
    """
    roles = {role: tuple(names or ()) for role, names in given.items()}
    check_columns(frame, where, roles)
    taken = [name for names in roles.values() for name in names]
    if given["time"] is None or given["target"] is None:
        check_few(frame, where, "time= and target=")
    notes = []
    if given["time"] is None:
        roles["time"] = tuple(find_time(frame, taken))
        taken += roles["time"]
        stamps = ", ".join(map(repr, roles["time"]))
        notes.append(f"stamps from {stamps}" if stamps else "no column of stamps: rows are steps")
    if given["series"] is None:
        named = [n for n in frame.columns if n.strip().lower() in _IDS and n not in taken]
        if len(named) == 1:
            roles["series"] = (named[0],)
            taken += named
            notes.append(f"series from column {named[0]!r}")
    if given["target"] is None:
        roles["target"], note = _find_targets(frame, where, taken)
        notes.append(note)
    return Roles(**roles), notes


def check_columns(frame: pd.DataFrame, where: str, given: Mapping[str, Sequence[str]]) -> None:
    """Raise a ValueError for a column that the table lacks, or that has two roles."""
    roles: dict[str, str] = {}
    faults = Faults()
    for role, names in given.items():
        for name in names:
            with faults.collect():
                if name not in frame.columns:
                    raise ValueError(
                        f"{where} has no column named {name!r}. Its columns are "
                        f"{list_columns(list(frame.columns))}. "
                        f"Pass one of them as {role}=."
                    )
                if name in roles:
                    raise ValueError(
                        f"column {name!r} is given as {roles[name]}= and as {role}=. Leave one out."
                    )
                roles[name] = role
    faults.raise_all()


def _find_targets(
    frame: pd.DataFrame, where: str, taken: Sequence[str]
) -> tuple[tuple[str, ...], str]:
    """Target columns and a note: one with a usual name, else all columns of varying numbers."""
    columns = [name for name in frame.columns if name not in taken]
    lower = {name.strip().lower(): name for name in columns if is_mostly_numeric(frame[name])}
    named = next((lower[name] for name in _TARGETS if name in lower), None)
    if named is not None:
        return (named,), f"target: column {named!r}"
    varied = [name for name in columns if _varies(frame[name])]
    # A column of row numbers is no target, unless there is no other column.
    targets = [name for name in varied if not _counts_rows(frame[name])] or varied
    ignored = [name for name in columns if name not in targets]
    if not targets:
        raise ValueError(
            f"{where} has no column of numbers left to forecast. Its columns are "
            f"{list_columns(list(frame.columns))}. Pass target=."
        )
    suffix = f", and not {list_columns(ignored)}" if ignored else ""
    prefix = "target: column" if len(targets) == 1 else f"{len(targets)} targets: columns"
    return tuple(targets), f"{prefix} {', '.join(map(repr, targets))}{suffix}"


def _varies(column: pd.Series) -> bool:
    """Whether a column holds mostly numbers that are not all equal."""
    if not is_mostly_numeric(column):
        return False
    numbers = pd.to_numeric(column, errors="coerce")
    return bool(numbers.min() < numbers.max())


def _counts_rows(column: pd.Series) -> bool:
    """Whether each number of a column is one more than the number before."""
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    return len(numbers) > 2 and bool(np.all(np.diff(numbers) == 1))
