"""Series as records, each with its start and all of its values, as GluonTS has them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["are_records", "record_roles", "unfold_records"]

#: Features by name, and the role of their columns; each has a row per column, but static ones.
_FEATURES = {
    "feat_dynamic_real": "future",
    "past_feat_dynamic_real": "past",
    "feat_static_real": "static",
    "feat_static_cat": "static",
}
_COLUMN = re.compile(rf"({'|'.join(_FEATURES)})_\d+")


def are_records(frame: pd.DataFrame) -> bool:
    """Whether each row is a record: `start`, and all values of a series as `target`.

    >>> are_records(pd.DataFrame([{"start": "2024-01", "target": [1, 2]}]))
    True
    >>> are_records(pd.DataFrame({"start": ["2024-01"], "target": [1]}))
    False
    """
    if not {"start", "target"} <= {*frame.columns} or len(frame) == 0:
        return False
    return isinstance(frame["target"].iloc[0], list | tuple | np.ndarray)


def unfold_records(frame: pd.DataFrame, where: str) -> pd.DataFrame:
    """Reshape records of series to a table with a row for each step.

    Dynamic features may be longer than the target: the rows after its end have no target.

    Args:
        frame: columns `start` and `target`, and if they are known `freq`, `item_id` and features
            (`feat_dynamic_real` and so on).
        where: name of the table in error messages.

    Returns:
        Columns `time`, `target`, `item_id` for several series, and one for each feature, numbered.

    Raises:
        ValueError: if a record has no frequency, several targets, or features of another length.

    Example:

    >>> records = [{"start": pd.Period("2024-01", "M"), "target": [3, 5], "item_id": "a"}]
    >>> unfold_records(pd.DataFrame(records), "the records")["time"].dt.strftime("%m/%Y").tolist()
    ['01/2024', '02/2024']
    """
    names = frame["item_id"] if "item_id" in frame else frame.index.astype(str)
    tables = []
    for name, record in zip(names, frame.to_dict("records")):
        table = _unfold(record, f"{where}: record {name!r}")
        tables.append(table.assign(item_id=name) if len(frame) > 1 or "item_id" in frame else table)
    return pd.concat(tables, ignore_index=True)


def record_roles(frame: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    """The columns of the features of records in a table, by role.

    Static features that are alike in all series have no role: nothing can be learned from them.

    >>> record_roles(pd.DataFrame({"target": [3], "feat_dynamic_real_0": [1]}))
    {'future': ('feat_dynamic_real_0',)}
    """
    roles: dict[str, tuple[str, ...]] = {}
    for name in frame.columns:
        match = _COLUMN.fullmatch(name)
        role = _FEATURES[match[1]] if match else None
        if role is not None and (role != "static" or frame[name].nunique() > 1):
            roles[role] = (*roles.get(role, ()), name)
    return roles


def _unfold(record: Mapping[str, Any], called: str) -> pd.DataFrame:
    """The rows of one record."""
    target = np.asarray(record["target"], dtype=float)
    if target.ndim != 1:
        raise ValueError(
            f"{called} has a target of shape {target.shape}: give each variable a record of its "
            "own, or a table with a column for each."
        )
    columns: dict[str, Any] = {}
    for name in _FEATURES:
        values = record.get(name)
        if values is None or isinstance(values, float):  # NaN, where other records have it
            continue
        static = "static" in name
        for number, feature in enumerate(values):
            # A category is a word, so that it is not taken for an amount.
            word = f"c{feature}" if name.endswith("cat") else feature
            columns[f"{name}_{number}"] = word if static else np.asarray(feature, dtype=float)
    lengths = {name: len(values) for name, values in columns.items() if np.ndim(values)}
    rows = max([len(target), *lengths.values()])
    for name, length in lengths.items():
        least = rows if name.startswith("feat") else len(target)
        if length != least:
            raise ValueError(
                f"{called} has {len(target):,} targets, and {length:,} values of {name}: give as "
                "many, or of feat_dynamic_real as many more as are known ahead."
            )
        columns[name] = _padded(columns[name], rows)
    stamps = _stamps(record, rows, called)
    return pd.DataFrame({"time": stamps, "target": _padded(target, rows), **columns})


def _padded(values: np.ndarray, rows: int) -> np.ndarray:
    """Values with NaN after their end, up to a number of rows."""
    return np.concatenate([values, np.full(rows - len(values), np.nan)])


def _stamps(record: Mapping[str, Any], rows: int, called: str) -> pd.DatetimeIndex:
    """The stamps of a record: from its start on, in steps of its frequency."""
    start, frequency = record["start"], record.get("freq")
    if not isinstance(start, pd.Period):
        if not isinstance(frequency, str):
            raise ValueError(
                f"{called} has no frequency: give its start as pandas.Period('2024-01-01', 'D'), "
                "or add freq to each record, such as 'D' or 'h'."
            )
        try:
            start = pd.Period(start, frequency)
        except ValueError as error:
            raise ValueError(
                f"{called}: start={start!r} with freq={frequency!r} is no pandas.Period. Its "
                "frequencies are such as 'h', 'D', 'W', 'M' and 'Y'."
            ) from error
    return pd.period_range(start, periods=rows).to_timestamp()
