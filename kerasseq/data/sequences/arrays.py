"""Sequences that are given as arrays, as lists of arrays, or in NumPy's files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kerasseq.data.sequences.ragged import Ragged
from kerasseq.data.sequences.recordings import Recording, Sequences, as_values, assemble
from kerasseq.io.limits import Damaged, check_size, read_npz

__all__ = ["from_arrays", "is_arrays", "read_arrays", "read_recording"]

#: Names of the arrays in an .npz file with many sequences.
_NAMES: dict[str, tuple[str, ...]] = {
    "values": ("values", "sequences", "x", "X", "data"),
    "labels": ("labels", "label", "y", "target"),
    "groups": ("groups", "group", "subjects", "subject", "speakers", "speaker"),
    "lengths": ("lengths", "length"),
    "rate": ("rate",),
}


def is_arrays(data: Any) -> bool:
    """Whether data is an array, or a list of arrays or of nested lists."""
    if isinstance(data, np.ndarray):
        return data.dtype.kind != "U"
    return isinstance(data, list | tuple) and not any(
        isinstance(entry, str | os.PathLike) for entry in data
    )


def from_arrays(
    data: Any,
    labels: Any = None,
    groups: Any = None,
    *,
    where: str = "the array",
    lengths: np.ndarray | None = None,
    rate: float | None = None,
    target_rate: float | None = None,
    **checks: Any,
) -> Sequences:
    """Make labelled sequences of an array, or of a list of arrays of unequal length.

    Args:
        data: `(sequences, timesteps, channels)`, or `(sequences, timesteps)` of one channel; or a
            list of `(timesteps, channels)` or `(timesteps,)`.
        labels: a label for each sequence, or None.
        groups: a group for each sequence, or None.
        where: name of the data, for errors.
        lengths: number of timesteps of each sequence, where `data` is one padded array.
        rate: timesteps per second; None where it is unknown.
        target_rate: timesteps per second to resample to.
        **checks: `learn`, `channels`, `shape` and `notes` as in `assemble`.

    Raises:
        ValueError: if shapes, labels or groups do not fit.

    Example:

    >>> from_arrays(np.zeros((4, 10, 3)), ["a", "b"] * 2, learn=True).values.shape
    (3,)
    """
    faults = [
        f"{name} must have an entry for each of the {len(data):,} sequences. Received: "
        f"{len(entries):,}"
        for name, entries in (("label", labels), ("groups", groups), ("lengths", lengths))
        if entries is not None and len(entries) != len(data)
    ]
    if isinstance(data, np.ndarray) and data.dtype != object and data.ndim < 2:
        faults.append(
            f"{where} must be (sequences, timesteps, channels) or (sequences, timesteps). "
            f"Received: {data.shape}"
        )
    if faults:
        raise ValueError(" ".join(faults))
    recordings = [
        _recording(row, data[row] if lengths is None else data[row][: int(lengths[row])])
        for row in range(len(data))
    ]
    for name, entries in (("label", labels), ("group", groups)):
        for recording, entry in zip(recordings, () if entries is None else entries):
            setattr(recording, name, entry.item() if isinstance(entry, np.generic) else entry)
    for recording in recordings:
        recording.rate = rate
    whole = None
    is_array = lengths is None and isinstance(data, np.ndarray) and data.dtype.kind in "buif"
    if is_array and data.ndim < 4 and data.size:
        whole = Ragged.join(data if data.ndim == 3 else data[:, :, None])
    return assemble(recordings, where, rate=target_rate, joined=whole, **checks)


def read_arrays(path: Path) -> Mapping[str, Any] | None:
    """Read an .npz or .npy file with many sequences; None if it holds one sequence.

    Returns:
        `values`, and `labels`, `groups`, `lengths` and `rate` where the file has them.

    Raises:
        ValueError: if the file is damaged or too large.
    """
    if path.suffix.lower() == ".npy":
        array = _read_npy(path)
        return {"values": array} if array.ndim == 3 else None
    arrays = read_npz(path)
    result = {
        role: arrays[name]
        for role, names in _NAMES.items()
        for name in names[::-1]
        if name in arrays
    }
    values = result.get("values")
    if values is None or ("labels" not in result and values.ndim < 3):
        return None
    if "labels" in result and result["labels"].ndim == 0:  # one sequence with its label
        return None
    return result


def read_recording(path: Path) -> Recording:
    """Read an .npz or .npy file with one sequence, and its label where it has one.

    Raises:
        ValueError: if the file is damaged or too large, or it is not clear which array it is.
    """
    if path.suffix.lower() == ".npy":
        return Recording(path.name, as_values(_read_npy(path)))
    arrays = read_npz(path)
    names = [name for name in _NAMES["values"] if name in arrays] or [
        name for name, array in arrays.items() if array.ndim >= 1
    ]
    if len(names) != 1:
        raise ValueError(
            f"it has the arrays {', '.join(map(repr, arrays)) or 'none'}; name the sequence "
            "'values'"
        )
    recording = Recording(path.name, as_values(arrays[names[0]]))
    for role, attribute in (("labels", "label"), ("groups", "group"), ("rate", "rate")):
        for name in _NAMES[role]:
            if name in arrays and arrays[name].ndim == 0:
                setattr(recording, attribute, arrays[name].item())
    return recording


def _recording(row: int, values: Any) -> Recording:
    try:
        return Recording(str(row), as_values(values))
    except ValueError as error:
        return Recording(str(row), fault=str(error))


def _read_npy(path: Path) -> np.ndarray:
    check_size(path.stat().st_size, str(path))
    try:
        # Mapped, so that an array that declares more than the file holds is an error.
        return np.array(np.load(path, mmap_mode="r", allow_pickle=False))
    except Exception as error:  # NumPy has no error of its own for a file that it cannot read
        reason = " ".join(str(error).split()) or type(error).__name__
        raise Damaged(f"{path} is damaged: it cannot be read as an array ({reason})") from None
