"""Splits of few recordings by time: each part has successive windows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kerasseq.data.sequences.ragged import Ragged

__all__ = ["folds_by_time", "hold_out_end", "needs_time"]

Rows = tuple[np.ndarray, np.ndarray]
_FEW = 10  # recordings; of more, a class in one recording alone is held out with it, or not at all


def needs_time(
    labels: Sequence[Any], recordings: Sequence[str], folds: int, *, numeric: bool = False
) -> bool:
    """Whether recordings are too few to be held out as a whole.

    They are if one recording alone has a class, which then could not be learnt and scored.

    Args:
        labels: label of each window.
        recordings: recording of each window.
        folds: number of folds, each of which needs a recording.
        numeric: whether labels are targets of a regression.

    Example:

    >>> needs_time(list("aabb"), list("1122"), 2), needs_time(list("abab"), list("1122"), 2)
    (True, False)
    """
    having: dict[Any, set[str]] = {}
    for label, recording in zip(labels, recordings, strict=True):
        having.setdefault(None if numeric else label, set()).add(recording)
    total = len({*recordings})
    return total < _FEW and (total < folds or min(map(len, having.values())) < 2)


def hold_out_end(
    labels: Sequence[Any],
    recordings: Sequence[str],
    windows: Ragged,
    fraction: float,
    *,
    numeric: bool = False,
    among: str = "",
) -> Rows:
    """Hold out the last windows of each class in each recording.

    Args:
        labels: label of each window.
        recordings: recording of each window.
        windows: the windows, of which those that overlap a window that is held out are left out.
        fraction: the share to hold out.
        numeric: whether labels are targets of a regression.
        among: words for an error that say which part of the data the windows are.

    Returns:
        The rows to keep and the rows held out, both sorted.

    Raises:
        ValueError: if there are too few windows, or all of a class overlap.

    Example:

    >>> windows = Ragged(np.zeros((10, 1)), np.arange(0, 9), np.full(9, 2))
    >>> keep, held = hold_out_end(["a"] * 9, ["r"] * 9, windows, 0.25, numeric=True)
    >>> keep.tolist(), held.tolist()
    ([0, 1, 2, 3, 4, 5], [7, 8])
    """
    places = _places(labels, recordings, windows, numeric)
    return _without_overlaps(places > 1 - fraction, labels, windows, numeric, among)


def folds_by_time(
    labels: Sequence[Any],
    recordings: Sequence[str],
    windows: Ragged,
    folds: int,
    *,
    numeric: bool = False,
    among: str = "",
) -> list[Rows]:
    """Cut the windows of each class into successive folds; arguments as in `hold_out_end`."""
    numbers = (_places(labels, recordings, windows, numeric) * folds).astype(np.int64)
    return [
        _without_overlaps(numbers == fold, labels, windows, numeric, among) for fold in range(folds)
    ]


def _places(
    labels: Sequence[Any], recordings: Sequence[str], windows: Ragged, numeric: bool
) -> np.ndarray:
    """The place of each window in time among those of its class and recording, from 0 to 1."""
    members: dict[Any, list[int]] = {}
    for row in np.argsort(windows.starts, kind="stable").tolist():
        key = (recordings[row], None if numeric else labels[row])
        members.setdefault(key, []).append(row)
    places = np.empty(len(labels))
    for rows in members.values():
        places[rows] = (np.arange(len(rows)) + 0.5) / len(rows)
    return places


def _without_overlaps(
    held: np.ndarray, labels: Sequence[Any], windows: Ragged, numeric: bool, among: str
) -> Rows:
    """The rows to keep, none of which overlaps a row that is held out; and the latter.

    Args:
        held: mask of the rows that are held out, bool `(rows,)`.
        labels: as in `hold_out_end`, like the others.
        windows: the windows.
        numeric: whether labels are targets of a regression.
        among: words for an error.
    """
    inside, outside = np.flatnonzero(held), np.flatnonzero(~held)
    starts = np.sort(windows.starts[inside])
    ends = np.sort(windows.starts[inside] + windows.lengths[inside])
    # Windows of a recording have one length, so that the n-th start belongs to the n-th end.
    following = np.searchsorted(ends, windows.starts[outside], side="right")
    begins = np.append(starts, np.iinfo(np.int64).max)[following]
    keep = outside[begins >= windows.starts[outside] + windows.lengths[outside]]
    kept = {None if numeric else labels[row] for row in keep.tolist()}
    lost = {None if numeric else labels[row] for row in outside.tolist()} - kept
    if lost or not len(inside) or not len(outside):
        names = "" if numeric else f" of class {', '.join(sorted(map(repr, lost or {*labels})))}"
        raise ValueError(
            f"there are too few windows{names}{among} to split the recording by time, since "
            "windows that overlap another part are left out. Pass a smaller window=, or give more "
            "recordings."
        )
    return keep, inside
