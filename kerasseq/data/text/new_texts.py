"""Read new texts to classify from a list, a column, a table or a file."""

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


def read_texts(
    data: Any, *, text: str | None = None, default_column: str | None = None
) -> list[str]:
    """Read new texts in the order of the data; a missing text (None, NaN) is an empty text.

    Args:
        data: a list or a column of texts; a DataFrame; or a CSV, TSV, JSON-lines or Parquet file.
        text: name of the column of texts in a table.
        default_column: column of texts to use if `text` is None and the table has this column;
            otherwise the column is searched for as in `kerasseq.io.tables.find_columns`.

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
        rows = _read_column(data, text, default_column, "the DataFrame")
    elif isinstance(data, str | os.PathLike) and Path(data).suffix.lower() in TABLES:
        path = paths.user_path(data, "data")
        if not path.is_file():
            raise FileNotFoundError(
                f"there is no file {path}. Check the path, or give a list, even for one text."
            )
        rows = _read_column(read_table(path)[0], text, default_column, str(path))
    elif isinstance(data, str | bytes | os.PathLike | Mapping) or not hasattr(data, "__iter__"):
        raise ValueError(
            "give a list of texts, even for one; a DataFrame; or a file that ends on "
            f"{', '.join(TABLES)}. Received: {str(data)[:60]!r}"
        )
    else:
        rows = list(data)
    if not rows:
        raise ValueError("there is no text to predict: the list or table is empty.")
    return [_as_text(row, value) for row, value in enumerate(rows)]


def _read_column(
    frame: pd.DataFrame, text: str | None, default_column: str | None, where: str
) -> list[Any]:
    frame = frame.set_axis([str(column) for column in frame.columns], axis=1)
    if text is None and list(frame.columns).count(default_column) == 1:
        text = default_column
    values: list[Any] = frame[find_text(frame, text, where)].tolist()
    return values


def _as_text(row: int, value: Any) -> str:
    if isinstance(value, str):
        return encodable(value)
    import pandas as pd

    if pd.api.types.is_scalar(value) and pd.isna(value):
        return ""
    raise ValueError(f"every text must be a string. Received: text {row} is {value!r}")
