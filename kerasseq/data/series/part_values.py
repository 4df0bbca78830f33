"""The values that `validation=` and `test=` may have, told apart without importing pandas."""

from __future__ import annotations

import datetime
import os
from typing import Any

import numpy as np

from kerasseq.io.tables import TABLES

__all__ = ["is_stamp", "is_table"]


def is_table(part: Any) -> bool:
    """Whether a part is given as a table or the path of a table, not as a share, steps or a stamp.

    >>> [is_table(part) for part in (0.2, 24, "2024-01-01", "test.csv")]
    [False, False, False, True]
    """
    if isinstance(part, str):
        path = os.path.expanduser(part)
        return os.path.splitext(path)[1].lower() in TABLES or os.path.isfile(path)
    return isinstance(part, os.PathLike) or hasattr(part, "iloc")


def is_stamp(part: Any) -> bool:
    """Whether a part is given by its first stamp: a non-empty text, or a date.

    >>> [is_stamp(part) for part in ("2024-01-01", np.datetime64("2024"), "", {})]
    [True, True, False, False]
    """
    return isinstance(part, datetime.date | np.datetime64) or (isinstance(part, str) and part != "")
