"""Windows of long recordings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from kerasseq.data.classes.labels import class_name
from kerasseq.data.sequences.ragged import Ragged
from kerasseq.data.sequences.recordings import Sequences

__all__ = ["cut_windows"]


def cut_windows(sequences: Sequences, window: int | None, stride: int | None) -> Sequences:
    """Cut sequences into windows, without a copy of their values.

    A window has the most frequent label of its timesteps. The windows of one recording are one
    group, so that overlapping windows do not get into two parts of a split. A recording that is
    shorter than a window is one window; the rest after the last window is left out.

    Args:
        sequences: recordings; labels are one per recording, or an array with one per timestep.
        window: timesteps of a window; None for whole recordings, which then need one label each.
        stride: timesteps from one window to the next; default: `window`, without an overlap.

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
                "gets the most frequent label. Or pass sequence=, the column that tells the "
                "sequences apart."
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
        window_labels = [_majority(labels[r], a, b) for r, a, b in zip(rows, offsets, ends)]
    cut = replace(
        sequences,
        values=values,
        names=[f"{sequences.names[r]}[{a}:{b}]" for r, a, b in zip(rows, offsets, ends)],
        labels=window_labels,
        groups=[groups[r] for r in rows],
        faults=[sequences.faults[r] for r in rows],
        remarks=[sequences.remarks[r] for r in rows],
        notes=[*sequences.notes, f"{len(sequences):,} recordings cut into {len(rows):,} windows"],
        validation=sequences.validation and cut_windows(sequences.validation, window, stride),
        test=sequences.test and cut_windows(sequences.test, window, stride),
    )
    unlabelled = np.array([label is None for label in window_labels or []], dtype=bool)
    if unlabelled.any() and not unlabelled.all():
        cut.notes.append(f"left out: {unlabelled.sum():,} windows without a label")
        rest = cut.take(np.flatnonzero(~unlabelled))
        cut = replace(rest, validation=cut.validation, test=cut.test)
    return cut


def _majority(label: Any, begin: int, end: int) -> Any:
    """The most frequent label of the timesteps; of several, the first; None without any."""
    if not isinstance(label, np.ndarray):
        return label
    labels = [value for value in label[begin:end] if value is not None]
    if not labels:
        return None
    counts: dict[str, int] = {}
    for value in labels:
        counts[class_name(value)] = counts.get(class_name(value), 0) + 1
    best = max(counts, key=lambda name: counts[name])
    return next(value for value in labels if class_name(value) == best)
