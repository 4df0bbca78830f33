"""New texts to classify: from a list, a column, a table, or the file of one."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasseq.io import paths
from kerasseq.io.limits import encodable
from kerasseq.io.tables import TABLES, find_text, read_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["read_texts"]


def read_texts(data: Any, *, text: str | None = None, usual: str | None = None) -> list[str]:
    """The texts of new data, in its order; a row without one (None, NaN) is an empty text.

    Args:
        data: a list or a column of texts; a DataFrame; or a CSV, TSV, JSON-lines or Parquet file.
        text: name of the column of texts in a table.
        usual: name that this column has where `text` is not given and the table has such a column;
            without it the column is found as `kerasseq.io.tables.find_columns` finds it.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if there are no texts, or it is not clear which column holds them.

    Example:

    >>> import pandas as pd
    >>> read_texts(pd.DataFrame({"review": ["fine", None], "stars": [5, 1]}))
    ['fine', '']
    """
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(data, pandas.DataFrame):
        rows = _column(data, text, usual, "the DataFrame")
    elif isinstance(data, str | os.PathLike) and Path(data).suffix.lower() in TABLES:
        path = paths.user_path(data, "data")
        if not path.is_file():
            raise FileNotFoundError(
                f"there is no file {path}. Check the path, or give a list, even for one text."
            )
        rows = _column(read_table(path)[0], text, usual, str(path))
    elif isinstance(data, str | bytes | os.PathLike | Mapping) or not hasattr(data, "__iter__"):
        raise ValueError(
            "give a list of texts, even for one; a DataFrame; or a file that ends on "
            f"{', '.join(TABLES)}. Received: {str(data)[:60]!r}"
        )
    else:
        rows = list(data)
    if not rows:
        raise ValueError("there is no text to predict: the list or table is empty.")
    return [_text(row, value) for row, value in enumerate(rows)]


def _column(frame: pd.DataFrame, text: str | None, usual: str | None, where: str) -> list[Any]:
    frame = frame.set_axis([str(column) for column in frame.columns], axis=1)
    if text is None and list(frame.columns).count(usual) == 1:
        text = usual
    values: list[Any] = frame[find_text(frame, text, where)].tolist()
    return values


def _text(row: int, value: Any) -> str:
    if isinstance(value, str):
        return encodable(value)
    import pandas as pd

    if pd.api.types.is_scalar(value) and pd.isna(value):
        return ""
    raise ValueError(f"every text must be a string. Received: text {row} is {value!r}")
