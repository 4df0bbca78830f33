"""Resampling of sequences to another rate."""

from __future__ import annotations

import numpy as np

from kerasseq.io.limits import VALUE, check_size

__all__ = ["resampled"]

_MOST = 2**62  # bytes; more cannot be compared


def resampled(values: np.ndarray, rate: float, target: float) -> np.ndarray:
    """Resample a sequence from one rate to another.

    To a higher rate it is interpolated linearly; to a lower one each new timestep is the mean over
    its interval, so that fast oscillations do not appear as slow ones. Frames are repeated or left
    out.

    Args:
        values: `(timesteps, channels)`, NaN where a value is missing; or frames `(timesteps,
            height, width, channels)`.
        rate: timesteps per second of the values.
        target: timesteps per second of the result.

    Raises:
        ValueError: if the result would be larger than what may be read.

    Example:

    >>> resampled(np.arange(4.0)[:, None], 2, 4)[:, 0].tolist()
    [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0]
    >>> resampled(np.arange(4.0)[:, None], 4, 2)[:, 0].tolist()
    [0.5, 2.5]
    """
    steps, factor = len(values), rate / target
    size = steps / factor * values[0].size * VALUE
    check_size(round(min(size, _MOST)), f"a sequence at {target:g} timesteps per second")
    if values.ndim > 2:
        frames = np.arange(0, steps, factor).astype(np.int64)
        return values[np.minimum(frames, steps - 1)]
    dtype, values = values.dtype, values.astype(np.float64)
    if factor <= 1:
        places = np.arange(0, steps - 1 + 1e-9, factor)
        interpolated = [np.interp(places, np.arange(steps), channel) for channel in values.T]
        return np.stack(interpolated, axis=1).astype(dtype)
    count = max(1, int(steps / factor + 1e-9))
    edges = np.minimum(np.arange(count + 1) * factor, steps)
    observed = np.isfinite(values)
    sums = _between(np.where(observed, values, 0.0), edges)
    weights = _between(observed.astype(np.float64), edges)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(weights > 0, sums / weights, np.nan).astype(dtype)


def _between(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Sums of each channel between successive edges, which may cut a timestep in two."""
    total = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    places = np.arange(len(total))
    at_edges = np.stack([np.interp(edges, places, channel) for channel in total.T], axis=1)
    return np.diff(at_edges, axis=0)
