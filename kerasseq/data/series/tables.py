"""Tables of series: where they come from, how they are laid out, and what their columns hold."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from kerasseq.data.series.columns import is_mostly_numeric, is_numeric
from kerasseq.data.series.timestamps import find_time
from kerasseq.io import paths
from kerasseq.io.tables import TABLES, check_few, listed, read_table

__all__ = ["Roles", "find_roles", "load_table", "one_per_row", "unfolded"]

_IDS = {"unique_id", "series_id", "series", "item_id", "ts_id"}
_TARGETS = ("target", "y", "value", "values")


@dataclass(frozen=True)
class Roles:
    """What the columns of a table hold.

    Args:
        time: the column of stamps, or those of year, month, day, ...; none where steps are counted.
        target: what is to be forecast.
        series: the columns that tell the series apart.
        past: covariates that are known up to now.
        future: covariates that are known ahead.
        static: what does not change within a series.
    """

    time: tuple[str, ...] = ()
    target: tuple[str, ...] = ()
    series: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    future: tuple[str, ...] = ()
    static: tuple[str, ...] = ()

    @property
    def all(self) -> list[str]:
        """The columns that have a role."""
        return [name for names in asdict(self).values() for name in names]


def load_table(data: Any) -> tuple[pd.DataFrame, str, list[str]]:
    """The table in whatever it is in, its columns named by strings.

    Args:
        data: a DataFrame, a Series, the path of a file that `read_table` reads, or "demo".

    Returns:
        The table, what to call it in an error, and notes on how it was read.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it cannot be read, or has no rows.
    """
    notes: list[str] = []
    if isinstance(data, pd.Series):
        data = data.to_frame("value" if data.name is None else data.name)
    if isinstance(data, pd.DataFrame):
        frame, where = data, "the DataFrame"
    elif isinstance(data, str) and data == "demo":
        from kerasseq.data.demo.series import demo_series

        frame, where = demo_series(), "'demo'"
        notes = ["demo: monthly air passengers 1949-1960 and sunspots 1749-1983"]
    elif isinstance(data, str | os.PathLike):
        path = paths.user_path(data, "data")
        where = str(path)
        if not path.is_file():
            raise FileNotFoundError(f"there is no file {path}. Check the path.")
        if path.suffix.lower() not in TABLES:
            raise ValueError(
                f"{path} has an ending that is not known. Known are {', '.join(TABLES)}."
            )
        frame, notes = read_table(path)
    else:
        raise ValueError(
            f"data must be a DataFrame, a path or 'demo'. Received: {type(data).__name__}"
        )
    if len(frame) == 0:
        raise ValueError(f"{where} has no rows. Give a table with a row for each step.")
    return _flat(frame, where), where, notes


def _flat(frame: pd.DataFrame, where: str) -> pd.DataFrame:
    """The table with its index, where that says something, among its columns."""
    index = frame.index
    levels = index.levels if isinstance(index, pd.MultiIndex) else [index]
    if any(isinstance(level, pd.DatetimeIndex | pd.PeriodIndex) for level in levels):
        names = [
            name if name is not None else ("time" if "time" not in frame else "index")
            for name in index.names
        ]
        frame = frame.rename_axis(index=names).reset_index()
    frame = frame.set_axis([str(column) for column in frame.columns], axis=1)
    twice = frame.columns[frame.columns.duplicated()]
    if len(twice):
        raise ValueError(f"{where} has several columns named {twice[0]!r}. Rename them.")
    return frame


def one_per_row(frame: pd.DataFrame) -> bool:
    """Whether each row is a series: ids, then columns that are numbered, as V1, V2, ... of M4.

    >>> one_per_row(pd.DataFrame({"V1": ["H1", "H2"], "V2": [1, 2], "V3": [3, None]}))
    True
    """
    steps = [re.fullmatch(r"(\D*)(\d+)", name) for name in frame.columns[1:]]
    if len(steps) < 2 or not all(steps):
        return False
    numbers = [int(step[2]) for step in steps if step]
    ids = frame.iloc[:, 0]
    if find_time(frame.iloc[:, :1]):  # they are stamps, and the numbered columns variables
        return False
    return (
        len({step[1] for step in steps if step}) == 1
        and bool(np.all(np.diff(numbers) == 1))
        and not is_numeric(ids)
        and bool(ids.notna().all())
        and ids.is_unique
    )


def unfolded(frame: pd.DataFrame) -> pd.DataFrame:
    """A table of one series per row as one of one step per row; empty fields at the end stay out.

    >>> unfolded(pd.DataFrame({"V1": ["H1", "H2"], "V2": [1, 2], "V3": [3, None]})).values.tolist()
    [['H1', 1.0], ['H1', 3.0], ['H2', 2.0]]
    """
    ids, steps = frame.iloc[:, 0], frame.iloc[:, 1:]
    full = steps.notna().to_numpy()
    # An empty series keeps one row, so that it can be told of.
    last = np.where(full.any(axis=1), full.shape[1] - np.argmax(full[:, ::-1], axis=1), 1)
    kept = np.arange(full.shape[1]) < last[:, None]
    if all(map(pd.api.types.is_numeric_dtype, steps.dtypes)):
        values = steps.to_numpy(dtype=np.float64)[kept]
    else:
        values = steps.to_numpy(dtype=object)[kept]
    named = np.repeat(ids.to_numpy(dtype=object), last)
    return pd.DataFrame({"series": named, "value": values})


def find_roles(
    frame: pd.DataFrame, where: str, given: Mapping[str, Sequence[str] | None]
) -> tuple[Roles, list[str]]:
    """What the columns of a table hold, found out where it is not given.

    Args:
        frame: the table.
        where: what to call it in an error.
        given: columns by the name of their role; None for what is to be found out, which time,
            target and series are.

    Returns:
        The roles, and notes on what was found.

    Raises:
        ValueError: if a column is unknown, or given twice, or if it is not clear what is the time
            or the target.
    """
    roles = {role: tuple(names or ()) for role, names in given.items()}
    check_known(frame, where, roles)
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
        roles["target"], note = _find_target(frame, where, taken)
        notes.append(note)
    return Roles(**roles), notes


def check_known(frame: pd.DataFrame, where: str, given: Mapping[str, Sequence[str]]) -> None:
    """Raise a ValueError for a column that the table does not have, or that is given twice."""
    roles: dict[str, str] = {}
    for role, names in given.items():
        for name in names:
            if name not in frame.columns:
                raise ValueError(
                    f"{where} has no column named {name!r}. Its columns are "
                    f"{listed(list(frame.columns))}. "
                    f"Pass one of them as {role}=."
                )
            if name in roles:
                raise ValueError(
                    f"column {name!r} is given as {roles[name]}= and as {role}=. Leave one out."
                )
            roles[name] = role


def _find_target(
    frame: pd.DataFrame, where: str, taken: Sequence[str]
) -> tuple[tuple[str, ...], str]:
    columns = [name for name in frame.columns if name not in taken]
    lower = {name.strip().lower(): name for name in columns if is_mostly_numeric(frame[name])}
    named = next((lower[name] for name in _TARGETS if name in lower), None)
    if named is not None:
        return (named,), f"target: column {named!r}"
    varied = [name for name in columns if _varies(frame[name])]
    # A column of row numbers is none of the targets, unless there is nothing else.
    found = [name for name in varied if not _counts_rows(frame[name])] or varied
    left = [name for name in columns if name not in found]
    if not found:
        raise ValueError(
            f"{where} has no column of numbers left to forecast. Its columns are "
            f"{listed(list(frame.columns))}. Pass target=."
        )
    aside = f", and not {listed(left)}" if left else ""
    several = "target: column" if len(found) == 1 else f"{len(found)} targets: columns"
    return tuple(found), f"{several} {', '.join(map(repr, found))}{aside}"


def _varies(column: pd.Series) -> bool:
    """Whether it holds numbers, a few odd values apart, and not the same one throughout."""
    if not is_mostly_numeric(column):
        return False
    numbers = pd.to_numeric(column, errors="coerce")
    return bool(numbers.min() < numbers.max())


def _counts_rows(column: pd.Series) -> bool:
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    return len(numbers) > 2 and bool(np.all(np.diff(numbers) == 1))
