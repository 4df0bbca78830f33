"""Missing values in sequences."""

from __future__ import annotations

import numpy as np

__all__ = ["fill_gaps", "observed_share"]


def fill_gaps(values: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
    """Fill missing values by linear interpolation over time; the first and last value are repeated.

    Args:
        values: `(timesteps, channels)`, NaN where a value is missing.
        otherwise: value of each channel that has no observed value, `(channels,)`.

    Returns:
        The same array if nothing is missing, else a copy.

    Example:

    >>> fill_gaps(np.array([[np.nan], [1.0], [np.nan], [3.0]]), np.zeros(1))[:, 0].tolist()
    [1.0, 1.0, 2.0, 3.0]
    """
    missing = np.isnan(values)
    if not missing.any():
        return values
    filled, steps = values.copy(), np.arange(len(values))
    for channel in np.flatnonzero(missing.any(axis=0)):
        gaps = missing[:, channel]
        if gaps.all():
            filled[:, channel] = otherwise[channel]
        else:
            known = steps[~gaps]
            filled[gaps, channel] = np.interp(steps[gaps], known, values[known, channel])
    return filled


def observed_share(values: np.ndarray) -> float:
    """Share of the values that are not missing, without a copy of all of them.

    >>> observed_share(np.array([[np.nan], [1.0]]))
    0.5
    """
    if values.dtype.kind != "f" or not values.size:
        return 1.0
    chunk = max(1, 2**20 // max(1, values[0].size))
    chunks = range(0, len(values), chunk)
    missing = sum(int(np.isnan(values[begin : begin + chunk]).sum()) for begin in chunks)
    return 1.0 - missing / values.size
