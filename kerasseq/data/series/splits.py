"""Splits of series in time: train before validation before test, and folds that roll forward."""

from __future__ import annotations

import bisect
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from kerasseq.data.series.frequency import shown
from kerasseq.data.series.panel import Panel

__all__ = ["Split", "chronological", "rolling"]


@dataclass(frozen=True)
class Split:
    """Where the parts of each series begin; a part ends where the next one begins.

    Args:
        train: the first row of the training part of each series, int64 (series,).
        validation: that of the validation part.
        test: that of the test part.
        end: the row after the last one of the test part.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    end: np.ndarray

    def rows(self, part: str) -> tuple[np.ndarray, np.ndarray]:
        """The first row of a part of each series, and the row after its last.

        These are the `first` and `last` of `Windows` over the whole panel.

        Args:
            part: "train", "validation" or "test".
        """
        bounds = {
            "train": (self.train, self.validation),
            "validation": (self.validation, self.test),
            "test": (self.test, self.end),
        }
        return bounds[part]

    def cut(self, panel: Panel, part: str, context: int = 0) -> tuple[Panel, np.ndarray]:
        """A part of a panel, with rows before it to read.

        Args:
            panel: what was split.
            part: "train", "validation" or "test".
            context: rows before the part, as far as there are any.

        Returns:
            The panel, and the row at which the part begins in each of its series.
        """
        first, last = self.rows(part)
        start = np.maximum(first - context, 0)
        return panel.cut(start, last), first - start


def chronological(
    panel: Panel, validation: Any = 0.1, test: Any = 0.2, horizon: int = 1, lookback: int = 1
) -> Split:
    """Split each series in time.

    A part is given by its share of each series, by its steps, or by the stamp with which it begins.
    A share that is less than the horizon of the shortest series stands for the horizon. A part
    that came as a table of its own (`panel.begins`) is that table.

    Args:
        panel: the series.
        validation: a share above 0 and below 1, a whole number of steps, or a stamp.
        test: the same; 0 for none.
        horizon: the steps that each part must have at least.
        lookback: steps that the training part is to have beside them: what an error goes by when
            it tells the longest horizon that works.

    Raises:
        ValueError: if a part is no such thing, or leaves too little of a series.

    Example:

    >>> from kerasseq.data.series.read import read_series
    >>> split = chronological(read_series(pd.DataFrame({"y": range(100)})), 0.1, 20)
    >>> [row.tolist() for row in (split.train, split.validation, split.test, split.end)]
    [[0], [70], [80], [100]]
    """
    split, tested = _split(panel, validation, test, horizon), not _is_none(test)
    short = _too_short(split, horizon, 1, tested)
    if short is None:
        return split

    def works(steps: int) -> bool:
        own = _split(panel, validation, test, steps)
        return _too_short(own, steps, lookback, tested) is None

    # None works that is longer than one that does not.
    longest = bisect.bisect_left(range(1, horizon), True, key=lambda steps: not works(steps))
    raise _error(panel, split, *short, horizon, lookback, longest)


def rolling(split: Split, fold: tuple[int, int], steps: int | None = None) -> Split:
    """One of several folds of all rows before the test part, each validated after its own training.

    Fold k of n trains on everything before its validation part; the validation parts follow one
    another, and the last of them ends where the test part begins.

    Args:
        split: what `chronological` gave.
        fold: (k, n): which, from 0 on, of how many.
        steps: of each validation part; as many as that of the split where it is not given, or
            fewer where they would not fit.

    Raises:
        ValueError: if there is no such fold.

    Example:

    >>> first = np.array([0])
    >>> found = rolling(Split(first, first + 70, first + 80, first + 100), (0, 3))
    >>> [row.tolist() for row in (found.train, found.validation, found.test, found.end)]
    [[0], [50], [60], [60]]
    """
    number, count = fold
    if count < 2 or not 0 <= number < count:
        raise ValueError(
            f"fold must be (k, n) with n at least 2 and k from 0 to n - 1. Received: fold={fold!r}"
        )
    width = split.test - split.validation if steps is None else np.full_like(split.test, steps)
    # The first fold trains on at least as much as it is validated on.
    width = np.minimum(width, (split.test - split.train) // (count + 1))
    if np.any(width < 1):
        raise ValueError(f"a series has too few steps for {count} folds. Take fewer folds.")
    end = split.test - (count - 1 - number) * width
    return replace(split, validation=end - width, test=end, end=end)


def _split(panel: Panel, validation: Any, test: Any, horizon: int) -> Split:
    lengths = panel.lengths
    tests = _begin(panel, "test", _at_least(panel, test, horizon), lengths)
    validations = _begin(panel, "validation", _at_least(panel, validation, horizon), tests)
    return Split(np.zeros_like(lengths), validations, tests, lengths)


def _at_least(panel: Panel, part: Any, horizon: int) -> Any:
    """A part, or the horizon where it is a share that is less."""
    if isinstance(part, float) and 0 < part < 1:
        return horizon if round(part * int(panel.lengths.min())) < horizon else part
    return part


def _begin(panel: Panel, name: str, part: Any, end: np.ndarray) -> np.ndarray:
    """The row of each series at which a part begins that ends at `end`."""
    if panel.begins and name in panel.begins:
        return np.minimum(panel.begins[name], end)
    if isinstance(part, bool) or part is None:
        raise _unknown(name, part)
    if isinstance(part, int | np.integer):
        if part < 0:
            raise _unknown(name, part)
        return end - int(part)
    if isinstance(part, float):
        if not 0 <= part < 1:
            raise _unknown(name, part)
        return end - np.round(part * panel.lengths).astype(np.int64)
    return _at_stamp(panel, name, part, end)


def _at_stamp(panel: Panel, name: str, part: Any, end: np.ndarray) -> np.ndarray:
    if panel.frequency is None:
        raise ValueError(
            f"{name} cannot begin with a stamp where steps are counted. Give a share, or a number "
            f"of steps. Received: {name}={part!r}"
        )
    try:
        stamp = pd.Timestamp(part)
    except (ValueError, TypeError):
        raise _unknown(name, part) from None
    if stamp is pd.NaT:
        raise _unknown(name, part)
    zone = panel.stamps[0].tz
    if stamp.tz is None and zone is not None:
        stamp = stamp.tz_localize(zone)
    found = np.array([own.searchsorted(stamp) for own in panel.stamps], dtype=np.int64)
    return np.minimum(found, end)


def _too_short(split: Split, horizon: int, lookback: int, tested: bool) -> tuple[str, int] | None:
    """The first part that is too short for a window, and the place of its series."""
    for part in ("train", "validation", "test")[: 3 if tested else 2]:
        first, last = split.rows(part)
        short = np.flatnonzero(last - first < horizon + (lookback if part == "train" else 0))
        if len(short):
            return part, int(short[0])
    return None


def _error(
    panel: Panel, split: Split, part: str, place: int, horizon: int, lookback: int, longest: int
) -> ValueError:
    first, last = (int(own[place]) for own in split.rows(part))
    called = f"series {panel.ids[place]!r}" if panel.ids[place] else "the series"
    own = panel.stamps[place]
    works = f"the longest horizon that works is {longest:,}" if longest else "no horizon works"
    ways = ["that"] if longest else ["a shorter lookback"] if lookback > 1 else []
    return ValueError(
        f"{called} has {len(own):,} steps, from {shown(own[0])} to {shown(own[-1])}, of which "
        f"the {part} part gets {max(last - first, 0):,}: too few for horizon={horizon}, and "
        f"{works}. Give {', '.join([*ways, 'a longer series'])} or other parts."
    )


def _is_none(part: Any) -> bool:
    return isinstance(part, int | float | np.integer) and part == 0


def _unknown(name: str, part: Any) -> ValueError:
    return ValueError(
        f"{name} must be a share of the steps below 1, a whole number of steps, the stamp with "
        f"which that part begins, or a table or its path. Received: {name}={part!r}"
    )
