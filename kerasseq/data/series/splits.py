"""Split series in time: train, then validation, then test; and folds that roll forward."""

from __future__ import annotations

import bisect
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from kerasseq.data.series.frequency import format_stamp
from kerasseq.data.series.panel import Panel
from kerasseq.io.tables import list_columns

__all__ = ["Split", "chronological", "drop_short", "rolling"]


@dataclass(frozen=True)
class Split:
    """First row of the training, validation and test part of each series.

    A part ends where the next one begins.

    Args:
        train: first row of the training part of each series, int64 (series,).
        validation: first row of the validation part, int64 (series,).
        test: first row of the test part, int64 (series,).
        end: row after the last one of the test part, int64 (series,).
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    end: np.ndarray

    def rows(self, part: str) -> tuple[np.ndarray, np.ndarray]:
        """First row of a part in each series, and the row after its last one.

        These are the arguments `first` and `last` of `Windows` over the whole panel.

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
        """Cut a part out of a panel, with preceding rows as context for its first windows.

        Args:
            panel: the panel that was split.
            part: "train", "validation" or "test".
            context: number of preceding rows to keep, as far as the series has them.

        Returns:
            The cut panel, and the row at which the part begins in each of its series.
        """
        first, last = self.rows(part)
        start = np.maximum(first - context, 0)
        return panel.cut(start, last), first - start


def chronological(
    panel: Panel, validation: Any = 0.1, test: Any = 0.2, horizon: int = 1, lookback: int = 1
) -> Split:
    """Split each series in time.

    A part is given by its share of each series, by its number of steps, or by its first stamp.
    A share that amounts to fewer steps than the horizon in the shortest series is raised to the
    horizon. A part that came as a separate table (`panel.begins`) is that table.

    Args:
        panel: the series.
        validation: a share above 0 and below 1, a whole number of steps, or a stamp.
        test: the same; 0 for no test part.
        horizon: minimum number of steps of each part.
        lookback: steps that a window of the training part reads before the horizon; only used to
            name the longest horizon that works in an error.

    Raises:
        ValueError: if a part is given in no such way, or a series is too short for the parts.

    Example:

    >>> from kerasseq.data.series.read import read_series
    >>> split = chronological(read_series(pd.DataFrame({"y": range(100)})), 0.1, 20)
    >>> [row.tolist() for row in (split.train, split.validation, split.test, split.end)]
    [[0], [70], [80], [100]]
    """
    split, tested = _split(panel, validation, test, horizon), not _is_none(test)
    short = _too_short(split, horizon, 1, tested)
    if not short:
        return split

    def works(steps: int) -> bool:
        shorter = _split(panel, validation, test, steps)
        return not _too_short(shorter, steps, lookback, tested)

    # Bisection: if a horizon does not work, no longer one does.
    longest = bisect.bisect_left(range(1, horizon), True, key=lambda steps: not works(steps))
    place, part = next(iter(short.items()))
    others = [panel.ids[other] for other in short if other != place]
    raise _too_short_error(panel, split, part, place, horizon, lookback, longest, others)


def drop_short(
    panel: Panel, validation: Any = 0.1, test: Any = 0.2, horizon: int = 1, lookback: int = 1
) -> Panel:
    """Leave out the series that are too short to split.

    Args:
        panel: the series.
        validation: as for `chronological`.
        test: as for `chronological`.
        horizon: as for `chronological`.
        lookback: steps that a window of the training part reads before the horizon.

    Returns:
        The other series, with a note that names those that were left out; all series if none is
        long enough.

    Example:

    >>> from kerasseq.data.series.read import read_series
    >>> steps = [*range(100), *range(3)]
    >>> table = pd.DataFrame({"series": ["a"] * 100 + ["b"] * 3, "step": steps, "y": steps})
    >>> panel = drop_short(read_series(table), horizon=4)
    >>> panel.ids, panel.notes[-1]
    (['a'], "1 series is too short for horizon=4 and left out: 'b'")
    """
    kept, tested = panel, not _is_none(test)
    while short := _too_short(_split(kept, validation, test, horizon), horizon, lookback, tested):
        if len(short) == len(kept):
            return panel  # `chronological` says what is wrong
        kept = kept.pick([place for place in range(len(kept)) if place not in short])
    dropped = [name for name in panel.ids if name not in {*kept.ids}]
    if not dropped:
        return panel
    series = "series is" if len(dropped) == 1 else "series are"
    note = f"{len(dropped):,} {series} too short for horizon={horizon} and left out: "
    return replace(kept, notes=[*panel.notes, note + list_columns(dropped)])


def rolling(split: Split, fold: tuple[int, int], steps: int | None = None) -> Split:
    """One fold of a rolling-origin validation on the rows before the test part.

    Fold k of n trains on all rows before its validation part. The validation parts follow each
    other, and the last one ends where the test part begins.

    Args:
        split: a split made by `chronological`.
        fold: (k, n): the number of the fold, from 0 on, and the number of folds.
        steps: length of each validation part; by default that of the split. Shortened where the
            folds would not fit.

    Raises:
        ValueError: if there is no such fold, or a series is too short for the folds.

    Example:

    >>> first = np.array([0])
    >>> fold = rolling(Split(first, first + 70, first + 80, first + 100), (0, 3))
    >>> [row.tolist() for row in (fold.train, fold.validation, fold.test, fold.end)]
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
    test_rows = _first_rows(panel, "test", _raise_to_horizon(panel, test, horizon), lengths)
    validation_rows = _first_rows(
        panel, "validation", _raise_to_horizon(panel, validation, horizon), test_rows
    )
    return Split(np.zeros_like(lengths), validation_rows, test_rows, lengths)


def _raise_to_horizon(panel: Panel, part: Any, horizon: int) -> Any:
    """The part as given; the horizon, in steps, if it is a share with fewer steps than that."""
    if isinstance(part, float) and 0 < part < 1:
        return horizon if round(part * int(panel.lengths.min())) < horizon else part
    return part


def _first_rows(panel: Panel, name: str, part: Any, end: np.ndarray) -> np.ndarray:
    """First row in each series of a part that ends before row `end`."""
    if panel.begins and name in panel.begins:
        return np.minimum(panel.begins[name], end)
    if isinstance(part, bool) or part is None:
        raise _unknown_part_error(name, part)
    if isinstance(part, int | np.integer):
        if part < 0:
            raise _unknown_part_error(name, part)
        return end - int(part)
    if isinstance(part, float):
        if not 0 <= part < 1:
            raise _unknown_part_error(name, part)
        return end - np.round(part * panel.lengths).astype(np.int64)
    return _rows_at_stamp(panel, name, part, end)


def _rows_at_stamp(panel: Panel, name: str, part: Any, end: np.ndarray) -> np.ndarray:
    if panel.frequency is None:
        raise ValueError(
            f"{name} cannot begin with a stamp where steps are counted. Give a share, or a number "
            f"of steps. Received: {name}={part!r}"
        )
    try:
        stamp = pd.Timestamp(part)
    except (ValueError, TypeError):
        raise _unknown_part_error(name, part) from None
    if stamp is pd.NaT:
        raise _unknown_part_error(name, part)
    zone = panel.stamps[0].tz
    if stamp.tz is None and zone is not None:
        stamp = stamp.tz_localize(zone)
    rows = np.array([index.searchsorted(stamp) for index in panel.stamps], dtype=np.int64)
    return np.minimum(rows, end)


def _too_short(split: Split, horizon: int, lookback: int, tested: bool) -> dict[int, str]:
    """The series of which a part is too short for a single window, by index, and that part."""
    short: dict[int, str] = {}
    for part in ("train", "validation", "test")[: 3 if tested else 2]:
        first, last = split.rows(part)
        least = horizon + (lookback if part == "train" else 0)
        for place in np.flatnonzero(last - first < least):
            short.setdefault(int(place), part)
    return short


def _too_short_error(
    panel: Panel,
    split: Split,
    part: str,
    place: int,
    horizon: int,
    lookback: int,
    longest: int,
    others: list[str],
) -> ValueError:
    first, last = (int(rows[place]) for rows in split.rows(part))
    called = f"series {panel.ids[place]!r}" if panel.ids[place] else "the series"
    stamps = panel.stamps[place]
    works = f"the longest horizon that works is {longest:,}" if longest else "no horizon works"
    ways = ["that"] if longest else ["a shorter lookback"] if lookback > 1 else []
    also = f" So are {list_columns(others)}: short='drop' leaves them out." if others else ""
    return ValueError(
        f"{called} has {len(stamps):,} steps, from {format_stamp(stamps[0])} to "
        f"{format_stamp(stamps[-1])}, of which the {part} part gets {max(last - first, 0):,}: too "
        f"few for horizon={horizon}, and {works}. "
        f"Give {', '.join([*ways, 'a longer series'])} or other parts.{also}"
    )


def _is_none(part: Any) -> bool:
    return isinstance(part, int | float | np.integer) and part == 0


def _unknown_part_error(name: str, part: Any) -> ValueError:
    return ValueError(
        f"{name} must be a share of the steps below 1, a whole number of steps, the first stamp of "
        f"that part, or a table or its path. Received: {name}={part!r}"
    )
