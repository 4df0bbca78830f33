"""Numbers such as -999 that may mark missing values."""

from __future__ import annotations

import numpy as np

__all__ = ["marker_note"]

_MARKERS = {-99.0, -200.0, -999.0, -9999.0, -99999.0, 999.0, 9999.0, 99999.0, 999999.0}


def marker_note(values: np.ndarray, name: str) -> str | None:
    """A note on a number of a column that looks like a marker of missing values; None without.

    It is the least or the largest value, and one of those that are used as markers; and it is the
    only negative value, or further from the other values than these are from each other.

    Args:
        values: float (rows,), NaN where missing.
        name: name of the column.

    Example:

    >>> marker_note(np.array([2.6, -200, 1.4, -200]), "CO").partition(":")[0]
    "column 'CO' holds -200 in 2 rows, and else 1.4 to 2.6"
    """
    observed = values[~np.isnan(values)]
    if len(observed) == 0:
        return None
    for marker in {float(observed.min()), float(observed.max())} & _MARKERS:
        others = observed[observed != marker]
        if len(others) == 0:
            continue
        low, high = float(others.min()), float(others.max())
        far = max(low - marker, marker - high) > high - low
        if far or marker < 0 <= low:
            return (
                f"column {name!r} holds {marker:g} in {len(observed) - len(others):,} rows, and "
                f"else {low:g} to {high:g}: if it marks missing values, leave these fields empty"
            )
    return None
