"""Convert columns of a table to numbers: numeric columns as they are, categories as one-hot."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from kerasseq.data.series.faults import Faults
from kerasseq.data.series.spelling import MISSING

__all__ = ["Columns", "is_mostly_numeric", "is_numeric", "read_columns", "read_numbers"]

_MOST_LEVELS = 100
_LARGEST = 1e30  # float32 ends at 3.4e38, and scales are squared


@dataclass(frozen=True)
class Columns:
    """Columns as numbers.

    Args:
        values: float (rows, columns), NaN where a number is missing; zeros in all columns of a
            category where it is missing or unknown.
        names: one per column; NAME=LEVEL for the indicator of a level of a category.
        categories: levels of each column that holds categories.
    """

    values: np.ndarray
    names: list[str]
    categories: dict[str, list[str]] = field(default_factory=dict)

    @property
    def numeric(self) -> np.ndarray:
        """Mask of the columns that are no indicators of a category, bool (columns,)."""
        indicators = {
            _indicator_name(name, level)
            for name, levels in self.categories.items()
            for level in levels
        }
        return np.array([name not in indicators for name in self.names], dtype=bool)


def read_columns(
    frame: pd.DataFrame,
    names: Sequence[str],
    where: str,
    categories: Mapping[str, Sequence[str]] | None = None,
    words: bool = True,
    faults: Faults | None = None,
) -> Columns:
    """Read columns of numbers as they are, columns of categories as one column per level.

    Args:
        frame: the table.
        names: columns to read.
        where: name of the table in error messages.
        categories: levels of the columns that hold categories, from an earlier table; None to take
            each column that is not numeric as categories, with the levels of this table.
        words: whether columns may hold categories.
        faults: collects the faults of columns, which are then left out; None to raise the first.

    Raises:
        ValueError: if a column has too many levels, is constant, or must be numeric and holds a
            value that is no number or too large.

    Example:

    >>> frame = pd.DataFrame({"wind": ["NW", "SE", None], "rain": ["0.5", "", "1"]})
    >>> columns = read_columns(frame, ["wind", "rain"], "the table")
    >>> columns.names
    ['wind=NW', 'wind=SE', 'rain']
    >>> columns.values.tolist()
    [[1.0, 0.0, 0.5], [0.0, 1.0, nan], [0.0, 0.0, 1.0]]
    """
    blocks: list[np.ndarray] = []
    titles: list[str] = []
    levels: dict[str, list[str]] = {}
    for name in names:
        known = None if categories is None else categories.get(name)
        with faults.collect() if faults else nullcontext():
            if known is None and (categories is not None or not words or is_numeric(frame[name])):
                numbers = read_numbers(frame[name], name, where)
                if categories is None:
                    _check_varies(numbers, name, where)
                blocks.append(numbers[:, None])
                titles.append(name)
                continue
            levels[name] = list(_levels(frame[name], name, where) if known is None else known)
            blocks.append(_one_hot(frame[name], levels[name]))
            titles += [_indicator_name(name, level) for level in levels[name]]
    values = np.concatenate(blocks, axis=1) if blocks else np.empty((len(frame), 0), np.float32)
    return Columns(values, titles, levels)


def is_numeric(column: pd.Series) -> bool:
    """Whether a column holds only numbers, or only text that spells numbers.

    >>> is_numeric(pd.Series(["1", "NA", "2.5"])), is_numeric(pd.Series(["NW", "SE"]))
    (True, False)
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        return False
    if pd.api.types.is_numeric_dtype(column):
        return True
    numbers, odd = _numbers(column)
    return not odd.any() and bool(np.any(~np.isnan(numbers)))


def is_mostly_numeric(column: pd.Series) -> bool:
    """Whether most values of a column are numbers, or text that spells numbers.

    >>> is_mostly_numeric(pd.Series(["1", "2.5", "oops"])), is_mostly_numeric(pd.Series(["SE"]))
    (True, False)
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        return False
    numbers, odd = _numbers(column)
    return bool(odd.sum() < (~np.isnan(numbers)).sum())


def read_numbers(column: pd.Series, name: str, where: str) -> np.ndarray:
    """Read a column of numbers as float64, or float32 if it has that type; NaN where missing.

    Args:
        column: numbers, or text that spells them; words such as NA mark a missing number.
        name: name of the column in error messages.
        where: name of the table in error messages.

    Raises:
        ValueError: if a value is no number, infinite, or too large for a model in float32.
    """
    numbers, odd = _numbers(column)
    if odd.any():
        row = int(np.flatnonzero(odd)[0])
        remedy = "Write a number there, such as 1234.5, or leave it empty"
        if row == 0 and odd.sum() == 1 and re.fullmatch(r"\D+", str(column.iloc[0])):
            remedy = "Leave this row out if it is a second line of names"
        raise ValueError(
            f"{where}: column {name!r} must hold numbers, and row {row} (counted from 0) holds "
            f"{str(column.iloc[row])[:40]!r}. {remedy}."
        )
    too_large = np.flatnonzero(np.abs(numbers) > _LARGEST)
    if len(too_large):
        value = numbers[too_large[0]]
        size = "infinite" if np.isinf(value) else f"{value:g}, beyond {_LARGEST:g},"
        raise ValueError(
            f"{where}: column {name!r} is {size} in row {too_large[0]} (counted from 0). "
            "Write a smaller number there, or leave it empty."
        )
    return numbers


def _numbers(column: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of a column, NaN where missing; and a mask of rows that hold something else."""
    if column.dtype in (np.float32, np.float64):  # as they are, without a copy
        return column.to_numpy(), np.zeros(len(column), dtype=bool)
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(object)
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    odd = np.isnan(numbers) & column.notna().to_numpy()
    if odd.any() and not pd.api.types.is_numeric_dtype(column):
        words = column[odd].astype(str).str.strip().str.lower()
        odd[odd] = ~words.isin(MISSING).to_numpy()
    return numbers, odd


def _check_varies(numbers: np.ndarray, name: str, where: str) -> None:
    observed = numbers[~np.isnan(numbers)]
    if len(observed) == 0:
        raise ValueError(f"{where}: column {name!r} is empty. Leave it out.")
    if len(observed) > 1 and observed.min() == observed.max():
        raise ValueError(
            f"{where}: column {name!r} is constant, {observed[0]:g} in every row: nothing can be "
            "learned from it. Leave it out."
        )


def _levels(column: pd.Series, name: str, where: str) -> list[str]:
    """Sorted levels of a column of categories; raises a ValueError for less than 2 or too many."""
    levels = sorted(set(column.dropna().astype(str).str.strip()) - {""})
    if not levels:
        raise ValueError(f"{where}: column {name!r} is empty. Leave it out.")
    if len(levels) == 1:
        raise ValueError(
            f"{where}: column {name!r} is constant, {levels[0]!r} in every row: nothing can be "
            "learned from it. Leave it out."
        )
    if len(levels) > _MOST_LEVELS:
        raise ValueError(
            f"{where}: column {name!r} holds {len(levels):,} different words, too many for "
            f"categories (at most {_MOST_LEVELS}). Leave it out, or group them."
        )
    return levels


def _one_hot(column: pd.Series, levels: Sequence[str]) -> np.ndarray:
    text = column.astype(object).where(column.notna(), None)
    words = [None if value is None else str(value).strip() for value in text]
    codes = pd.Index(levels, dtype=object).get_indexer(pd.Index(words, dtype=object))
    return (codes[:, None] == np.arange(len(levels))).astype(np.float32)


def _indicator_name(name: str, level: str) -> str:
    return f"{name}={level}"
