"""Windows of long recordings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from kerasseq.data.classes.labels import class_name, has_fractions, is_number
from kerasseq.data.sequences.ragged import Ragged
from kerasseq.data.sequences.recordings import LeftOut, Sequences
from kerasseq.formatting.numbers import plural

__all__ = ["cut_windows"]


def cut_windows(
    sequences: Sequences, window: int | None, stride: int | None, numeric: bool | None = None
) -> Sequences:
    """Cut sequences into windows, without a copy of their values.

    A window has the most frequent label of its timesteps, or the mean of their numbers. The windows
    of one recording are one group, so that overlapping windows do not get into two parts of a
    split. A recording that is shorter than a window is one window; the rest after the last window
    is left out.

    Args:
        sequences: recordings; labels are one per recording, or an array with one per timestep.
        window: timesteps of a window; None for whole recordings, which then need one label each.
        stride: timesteps from one window to the next; default: `window`, without an overlap.
        numeric: whether labels are numbers to predict; None if numbers with a fraction are.

    Raises:
        ValueError: if labels vary within a recording, and there is no `window`.

    Example:

    >>> values = Ragged.join([np.zeros((10, 1))])
    >>> labels = [np.array(["a"] * 6 + ["b"] * 4, dtype=object)]
    >>> cut = cut_windows(Sequences(values, ["r"], labels, faults=[""]), 5, None)
    >>> cut.names, cut.labels
    (['r[0:5]', 'r[5:10]'], ['a', 'b'])
    """
    labels = sequences.labels
    varying = [r for r, label in enumerate(labels or []) if isinstance(label, np.ndarray)]
    if window is None:
        if varying:
            raise ValueError(
                f"labels vary within {len(varying):,} sequences, the first of them "
                f"{sequences.names[varying[0]]!r}: pass window=, the timesteps of a window, which "
                "gets the most frequent label, or the mean of numbers to predict. Or pass "
                "sequence=, the column that tells the sequences apart."
            )
        return sequences
    step = stride or window
    rows: list[int] = []
    offsets: list[int] = []
    for row, length in enumerate(sequences.values.lengths.tolist()):
        begins = range(0, max(1, length - window + 1), step)
        rows += [row] * len(begins)
        offsets += begins
    lengths = np.minimum(sequences.values.lengths[rows], window)
    values = Ragged(
        sequences.values.values, sequences.values.starts[rows] + np.array(offsets), lengths
    )
    ends = [offset + length for offset, length in zip(offsets, lengths.tolist())]
    groups = sequences.groups or sequences.names
    window_labels: list[Any] | None = None
    if labels is not None:
        if numeric is None:
            numeric = has_fractions([label for entry in labels for label in np.ravel(entry)])
        summary = _mean if numeric else _majority
        window_labels = [_summary(labels[r], a, b, summary) for r, a, b in zip(rows, offsets, ends)]
    cut = replace(
        sequences,
        values=values,
        names=[f"{sequences.names[r]}[{a}:{b}]" for r, a, b in zip(rows, offsets, ends)],
        labels=window_labels,
        groups=[groups[r] for r in rows],
        faults=[sequences.faults[r] for r in rows],
        remarks=[sequences.remarks[r] for r in rows],
        notes=[
            *sequences.notes,
            f"{plural(len(sequences), 'recording')} cut into {plural(len(rows), 'window')}",
        ],
        validation=sequences.validation
        and cut_windows(sequences.validation, window, stride, numeric),
        test=sequences.test and cut_windows(sequences.test, window, stride, numeric),
    )
    unlabelled = np.array([label is None for label in window_labels or []], dtype=bool)
    if unlabelled.any() and not unlabelled.all():
        cut.notes.append(LeftOut(f"left out: {unlabelled.sum():,} windows without a label"))
        rest = cut.take(np.flatnonzero(~unlabelled))
        cut = replace(rest, validation=cut.validation, test=cut.test)
    return cut


def _summary(label: Any, begin: int, end: int, summary: Callable[[list[Any]], Any]) -> Any:
    """One label for the timesteps of a window; None without any."""
    if not isinstance(label, np.ndarray):
        return label
    labels = [value for value in label[begin:end] if value is not None]
    return summary(labels) if labels else None


def _majority(labels: list[Any]) -> Any:
    """The most frequent label; of several, the first."""
    counts: dict[str, int] = {}
    for value in labels:
        counts[class_name(value)] = counts.get(class_name(value), 0) + 1
    best = max(counts, key=lambda name: counts[name])
    return next(value for value in labels if class_name(value) == best)


def _mean(labels: list[Any]) -> Any:
    """The mean of numbers; a label that is no number, which the check of labels names."""
    try:
        return float(np.mean(np.array(labels, dtype=np.float64)))
    except (TypeError, ValueError):
        return next(label for label in labels if not is_number(label))
