"""Columns of a table to numbers: those that hold numbers, and those that hold categories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

__all__ = ["Columns", "is_mostly_numeric", "is_numeric", "read_columns", "read_numbers"]

_NO_NUMBER = ("", "na", "n/a", "nan", "null", "none", "-", "?", ".")
_MOST_LEVELS = 100
_LARGEST = 1e30  # models are in float32, which ends at 3.4e38, and squares are taken of scales


@dataclass(frozen=True)
class Columns:
    """Columns as numbers.

    Args:
        values: (rows, columns), NaN where a number is missing; a row of zeros where a category is
            missing or unknown.
        names: one per column; NAME=LEVEL for those that a category became.
        categories: the levels of each column that holds categories.
    """

    values: np.ndarray
    names: list[str]
    categories: dict[str, list[str]] = field(default_factory=dict)

    @property
    def numeric(self) -> np.ndarray:
        """Which columns are numbers as they came."""
        levels = {_level(name, level) for name, all_ in self.categories.items() for level in all_}
        return np.array([name not in levels for name in self.names], dtype=bool)


def read_columns(
    frame: pd.DataFrame,
    names: Sequence[str],
    where: str,
    categories: Mapping[str, Sequence[str]] | None = None,
    words: bool = True,
) -> Columns:
    """Columns of numbers as they are, columns of categories as one column per level.

    Args:
        frame: the table.
        names: of its columns.
        where: what to call the table in an error.
        categories: the levels of those columns that hold categories, as once found; None to find
            them out: whatever is no number is a category.
        words: whether columns may hold categories at all.

    Raises:
        ValueError: if a column has too many levels, a value that is no number where it must be one
            or that is too large, or one value throughout.

    Example:

    >>> frame = pd.DataFrame({"wind": ["NW", "SE", None], "rain": ["0.5", "", "1"]})
    >>> found = read_columns(frame, ["wind", "rain"], "the table")
    >>> found.names
    ['wind=NW', 'wind=SE', 'rain']
    >>> found.values.tolist()
    [[1.0, 0.0, 0.5], [0.0, 1.0, nan], [0.0, 0.0, 1.0]]
    """
    blocks: list[np.ndarray] = []
    titles: list[str] = []
    found: dict[str, list[str]] = {}
    for name in names:
        known = None if categories is None else categories.get(name)
        if known is None and (categories is not None or not words or is_numeric(frame[name])):
            numbers = read_numbers(frame[name], name, where)
            if categories is None:
                _check_varies(numbers, name, where)
            blocks.append(numbers[:, None])
            titles.append(name)
            continue
        found[name] = list(_levels(frame[name], name, where) if known is None else known)
        blocks.append(_one_hot(frame[name], found[name]))
        titles += [_level(name, level) for level in found[name]]
    values = np.concatenate(blocks, axis=1) if blocks else np.empty((len(frame), 0), np.float32)
    return Columns(values, titles, found)


def is_numeric(column: pd.Series) -> bool:
    """Whether a column holds numbers, or text that spells numbers, and nothing else.

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
    """Whether more of a column's values are numbers, or spell them, than are something else.

    >>> is_mostly_numeric(pd.Series(["1", "2.5", "oops"])), is_mostly_numeric(pd.Series(["SE"]))
    (True, False)
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        return False
    numbers, odd = _numbers(column)
    return bool(odd.sum() < (~np.isnan(numbers)).sum())


def read_numbers(column: pd.Series, name: str, where: str) -> np.ndarray:
    """The numbers of a column, float64 or float32 as they came; NaN where there is none.

    Args:
        column: numbers, or text that spells them; words such as NA say that there is none.
        name: what to call the column in an error.
        where: what to call the table in an error.

    Raises:
        ValueError: if it holds something else, or a number that is infinite or nearly so.
    """
    numbers, odd = _numbers(column)
    if odd.any():
        row = int(np.flatnonzero(odd)[0])
        raise ValueError(
            f"{where}: column {name!r} must hold numbers, and row {row} (counted from 0) holds "
            f"{str(column.iloc[row])[:40]!r}. Write a number there, or leave it empty."
        )
    far = np.flatnonzero(np.abs(numbers) > _LARGEST)
    if len(far):
        value = numbers[far[0]]
        what = "infinite" if np.isinf(value) else f"{value:g}, beyond {_LARGEST:g},"
        raise ValueError(
            f"{where}: column {name!r} is {what} in row {far[0]} (counted from 0). "
            "Write a number there that a model can take, or leave it empty."
        )
    return numbers


def _numbers(column: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Numbers, NaN where there is none, and which rows hold something that is no number."""
    if column.dtype in (np.float32, np.float64):  # as they are, without a copy
        return column.to_numpy(), np.zeros(len(column), dtype=bool)
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype(object)
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    odd = np.isnan(numbers) & column.notna().to_numpy()
    if odd.any() and not pd.api.types.is_numeric_dtype(column):
        words = column[odd].astype(str).str.strip().str.lower()
        odd[odd] = ~words.isin(_NO_NUMBER).to_numpy()
    return numbers, odd


def _check_varies(numbers: np.ndarray, name: str, where: str) -> None:
    seen = numbers[~np.isnan(numbers)]
    if len(seen) == 0:
        raise ValueError(f"{where}: column {name!r} is empty. Leave it out.")
    if len(seen) > 1 and seen.min() == seen.max():
        raise ValueError(
            f"{where}: column {name!r} is constant, {seen[0]:g} in every row: nothing can be "
            "learned from it. Leave it out."
        )


def _levels(column: pd.Series, name: str, where: str) -> list[str]:
    """The different values of a column that holds categories, sorted."""
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


def _level(name: str, level: str) -> str:
    return f"{name}={level}"
