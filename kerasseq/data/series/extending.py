"""Rows before the start of short series, so that a model can read a whole window of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from kerasseq.data.series.frequency import Stamps
from kerasseq.data.series.panel import Panel

__all__ = ["extend_back"]


def extend_back(panel: Panel, rows: int | np.ndarray) -> Panel:
    """Add rows before the first one of each shorter series.

    Targets repeat the first season of the series, or without a whole season have the mean of its
    observed values; covariates stay as in its first row. The new targets count as filled.

    Args:
        panel: any series, each with at least one row.
        rows: least number of rows afterwards, of all series or of each, int (series,).

    Example:

    >>> from kerasseq.data.series.read import read_series
    >>> panel = read_series(pd.DataFrame({"y": [1.0, 2.0, 6.0]}), season=2)
    >>> extend_back(panel, 6).targets[0].ravel().tolist()
    [2.0, 1.0, 2.0, 1.0, 2.0, 6.0]
    >>> extend_back(panel.cut([2], [3]), 3).targets[0].ravel().tolist()
    [6.0, 6.0, 6.0]
    """
    counts = np.maximum(rows - panel.lengths, 0)
    filled = panel.filled or [np.zeros(values.shape, bool) for values in panel.targets]
    return replace(
        panel,
        stamps=[
            _stamps_before(stamps, count, panel.frequency).append(stamps) if count else stamps
            for stamps, count in zip(panel.stamps, counts)
        ],
        targets=[
            np.concatenate([_backfill(values, count, panel.season), values])
            for values, count in zip(panel.targets, counts)
        ],
        past=_repeat_first(panel.past, counts),
        future=_repeat_first(panel.future, counts),
        filled=[
            np.concatenate([np.ones((count, mask.shape[1]), bool), mask])
            for mask, count in zip(filled, counts)
        ],
    )


def _backfill(values: np.ndarray, count: int, season: int) -> np.ndarray:
    """Targets for the rows before a series, (count, targets); NaN where none was observed."""
    observed = ~np.isnan(values)
    sums = np.where(observed, values, 0).sum(axis=0)
    numbers = observed.sum(axis=0)
    means = np.where(numbers > 0, sums / np.maximum(numbers, 1), np.nan).astype(values.dtype)
    if season <= 1 or len(values) < season:
        return np.tile(means, (count, 1))
    first: np.ndarray = np.where(observed[:season], values[:season], means)
    return first[np.arange(-count, 0) % season]


def _repeat_first(arrays: list[np.ndarray], counts: np.ndarray) -> list[np.ndarray]:
    """Arrays of rows, with the first row repeated before it."""
    return [
        np.concatenate([np.repeat(values[:1], count, axis=0), values])
        for values, count in zip(arrays, counts)
    ]


def _stamps_before(stamps: Stamps, count: int, frequency: str | None) -> Stamps:
    """The stamps before a series."""
    if isinstance(stamps, pd.RangeIndex):
        return pd.RangeIndex(stamps.start - count * stamps.step, stamps.start, stamps.step)
    first = stamps[0]
    return pd.date_range(end=first, periods=count + 1, freq=frequency, unit=stamps.unit)[:-1]
