"""Results of verbs as JSON values."""

from __future__ import annotations

import dataclasses
import datetime
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["to_json", "to_values"]


def to_json(value: Any) -> bytes:
    """Encode JSON values as UTF-8.

    >>> to_json({"text": "naïve"}).decode()
    '{"text":"naïve"}'
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode(errors="replace")  # UTF-8 has no lone surrogates


def to_values(result: Any) -> dict[str, Any]:
    """Convert the result of a verb to JSON values.

    Args:
        result: a table, a text, scores, an object with such fields, or None.

    Returns:
        `rows` of a table, one object each; `text`; or an entry for each field. What is not finite
        or missing is None, and a time is text in ISO 8601.

    Example:

    >>> to_values(pd.DataFrame({"day": [pd.Timestamp("2024-05-01")], "forecast": [np.nan]}))
    {'rows': [{'day': '2024-05-01T00:00:00', 'forecast': None}]}
    """
    if isinstance(result, pd.DataFrame):
        return {"rows": _plain(result)}
    if isinstance(result, str):
        return {"text": result}
    if dataclasses.is_dataclass(result) and not isinstance(result, type):
        names = [each.name for each in dataclasses.fields(result)]
        return {name: _plain(getattr(result, name)) for name in names}
    if isinstance(result, Mapping):
        return {str(name): _plain(value) for name, value in result.items()}
    return {"result": _plain(result)}


def _plain(value: Any) -> Any:
    """The JSON value of a cell, a container or a table."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, pd.DataFrame):
        names = [str(name) for name in value.columns]
        columns = [_cells(value.iloc[:, place]) for place in range(len(names))]
        return [dict(zip(names, cells)) for cells in zip(*columns)]
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple | set | pd.Series):
        return [_plain(each) for each in value]
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, datetime.date | datetime.time):  # pandas' stamps are dates
        return value.isoformat()
    return str(value)


def _cells(column: pd.Series) -> list[Any]:
    """The cells of a column; those of texts and whole numbers are JSON values already."""
    cells: list[Any] = column.tolist()
    return cells if column.dtype.kind in "iub" else [_plain(cell) for cell in cells]
