"""Numbers in text as people write them: decimal commas, thousands, percent and currency signs."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

__all__ = ["MISSING", "convert_spelled"]

#: Words that mark a missing number.
MISSING = ("", "na", "n/a", "nan", "null", "none", "-", "?", ".")

_SAMPLE = 20  # first values by which most columns of other text are told apart
_SIGNS = re.compile(r"[%$€£¥₹]|\b(?:USD|EUR|GBP|CHF|JPY)\b")
_GROUP_SPACES = re.compile(r"(?<=\d)[ \u00a0\u202f'\u2019](?=\d{3}(?!\d))")
_THOUSANDS = r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:[.]\d+)?"
_DECIMALS = r"[-+]?(?:\d{1,3}(?:[.]\d{3})+|\d+)(?:,\d+)?"


def convert_spelled(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Convert columns of text that spell numbers with commas, spaces or signs to numbers.

    A column is converted if all of its values can be read in one way. If each comma of a column may
    separate thousands or decimals, as in 1,234, the column stays as it is.

    Args:
        frame: a table.

    Returns:
        The table, and a note for each converted column.

    Example:

    >>> frame, notes = convert_spelled(pd.DataFrame({"price": ["1.234,5 €", "9,9 €"]}))
    >>> frame["price"].tolist(), notes
    ([1234.5, 9.9], ["column 'price' is read with decimal commas and without '€'"])
    """
    columns = {
        name: result for name in frame.columns if (result := _convert(frame[name])) is not None
    }
    notes = [f"column {name!r} is read {manner}" for name, (_, manner) in columns.items()]
    return frame.assign(**{name: numbers for name, (numbers, _) in columns.items()}), notes


def _convert(column: pd.Series) -> tuple[np.ndarray, str] | None:
    """The numbers of a column of text and how they are read; None for any other column."""
    values = column.dropna()
    if not _holds_digits(values.head(_SAMPLE)) or _is_plain(values) or not _holds_digits(values):
        return None
    words = _words(values)
    signs = sorted({sign for word in words.unique() for sign in _SIGNS.findall(word)})
    bare = words.str.replace(_SIGNS, "", regex=True).str.strip()
    bare = bare.str.replace(_GROUP_SPACES, "", regex=True)
    thousands, decimals = (
        bool(bare.str.fullmatch(style).all()) for style in (_THOUSANDS, _DECIMALS)
    )
    commas = bool(bare.str.contains(",", regex=False).any())
    if not (thousands or decimals) or (thousands and decimals and commas):
        return None
    if not thousands:
        bare = bare.str.replace(".", "", regex=False).str.replace(",", ".", regex=False)
        manner = ["with decimal commas"]
    else:
        bare = bare.str.replace(",", "", regex=False)
        manner = ["with commas between thousands"] if commas else []
    if signs:
        manner.append(f"without {', '.join(map(repr, signs))}")
    numbers = pd.to_numeric(bare).reindex(column.index)
    return numbers.to_numpy(dtype=np.float64), " and ".join(manner or ["without spaces"])


def _words(values: pd.Series) -> pd.Series:
    """Values without spaces around them, and without words that mark a missing number."""
    words = values.str.strip()
    return words[~words.str.lower().isin(MISSING)]


def _holds_digits(values: pd.Series) -> bool:
    """Whether all values are text, and those that are not missing have a digit."""
    if not len(values) or not all(isinstance(value, str) for value in values):
        return False
    words = _words(values)
    return bool(len(words) and words.str.contains(r"\d").all())


def _is_plain(values: pd.Series) -> bool:
    """Whether pandas reads the values as numbers, apart from words for missing ones."""
    numbers = pd.to_numeric(values, errors="coerce")
    return len(_words(values[numbers.isna()])) == 0
