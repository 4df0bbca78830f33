"""The type of numbers that keeps the changes of sequences."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

__all__ = ["float_type"]

_LOST = 0.05  # share of a change that rounding may take
_ROUNDING = 2.0**-24  # largest relative error of float32
_CHUNK = 2**16  # timesteps that are looked at together, so that temporary arrays stay small


def float_type(sequences: Iterable[np.ndarray]) -> np.dtype:
    """float32, unless it would round away the changes of a channel with a large offset.

    That is so where the mean change from timestep to timestep, or in a channel that is constant
    within each sequence its range, is not much larger than the rounding of its largest value.

    Args:
        sequences: `(timesteps, channels)`, all with the same channels; NaN where a value is
            missing. Those that are float32 have lost nothing more.

    Example:

    >>> wave = np.sin(np.arange(100.0))[:, None]
    >>> float_type([wave]), float_type([wave + 1e9])
    (dtype('float32'), dtype('float64'))
    """
    low, high, total, count = np.nan, np.nan, 0.0, 0
    for values in sequences:
        if values.dtype != np.float64:
            continue
        for begin in range(0, len(values), _CHUNK):
            chunk = values[begin : begin + _CHUNK + 1]
            low = np.fmin(low, np.fmin.reduce(chunk))
            high = np.fmax(high, np.fmax.reduce(chunk))
            changes = np.abs(np.diff(chunk, axis=0))
            changed = changes > 0  # a channel may change rarely
            total = total + np.where(changed, changes, 0.0).sum(axis=0)
            count = count + changed.sum(axis=0)
    change = np.where(count, total / np.maximum(count, 1), high - low)
    rounding = _ROUNDING * np.maximum(np.abs(low), np.abs(high))
    lost = (change > 0) & (rounding > _LOST * change)
    return np.dtype(np.float64 if lost.any() else np.float32)
