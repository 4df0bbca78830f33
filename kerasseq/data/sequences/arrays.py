"""Sequences that are given as arrays, as lists of arrays, or in NumPy's files."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kerasseq.data.sequences.ragged import Ragged
from kerasseq.data.sequences.recordings import Recording, Sequences, as_values, assemble, unmasked
from kerasseq.io.limits import Damaged, check_size, read_npz

__all__ = ["from_array", "from_arrays", "is_arrays", "read_arrays", "read_recording"]

Encode = Callable[[np.ndarray], np.ndarray]

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
    encode: Encode | None = None,
    **checks: Any,
) -> Sequences:
    """Make labelled sequences of an array, or of a list of arrays of unequal length.

    Args:
        data: `(sequences, timesteps, channels)`, or `(sequences, timesteps)` of one channel; or a
            list of `(timesteps, channels)` or `(timesteps,)`.
        labels: a label for each sequence, or an array with one for each timestep; or None.
        groups: a group for each sequence, or None.
        where: name of the data, for errors.
        lengths: number of timesteps of each sequence, where `data` is one padded array.
        rate: timesteps per second; None where it is unknown.
        target_rate: timesteps per second to resample to.
        encode: function from frames, uint8, to features; None to keep their pixels.
        **checks: `learn`, `channels`, `shape` and `notes` as in `assemble`.

    Raises:
        ValueError: if shapes, labels or groups do not fit.

    Example:

    >>> from_arrays(np.zeros((4, 10, 3)), ["a", "b"] * 2, learn=True).values.shape
    (3,)
    """
    data = unmasked(data)
    if isinstance(data, np.ndarray) and data.dtype != object and data.ndim < 2:
        raise ValueError(
            f"{where} must be (sequences, timesteps, channels) or (sequences, timesteps). "
            f"Received: {data.shape}"
        )
    _check_dimensions(data, where, checks.get("shape"))
    named = (("label", labels), ("groups", groups), ("lengths", lengths))
    counts = {name: _count(entries) for name, entries in named if entries is not None}
    faults = [
        f"{name} must have an entry for each of the {len(data):,} sequences. Received: {count}"
        for name, count in counts.items()
        if count != format(len(data), ",")
    ]
    if faults:
        raise ValueError(" ".join(faults))
    ends = None if lengths is None else _ends(lengths, data.shape[1])
    recordings = [
        from_array(data[row] if ends is None else data[row][: ends[row]], str(row), encode)
        for row in range(len(data))
    ]
    for recording, label, group in zip(recordings, _entries(labels, data), _entries(groups, data)):
        recording.label = _label(label, recording, padded=lengths is not None)
        recording.group, recording.rate = group, rate
    whole = None
    is_array = lengths is None and isinstance(data, np.ndarray) and data.dtype.kind in "buif"
    if is_array and data.ndim < 4 and data.size:
        whole = Ragged.join(data if data.ndim == 3 else data[:, :, None])
    return assemble(recordings, where, rate=target_rate, joined=whole, **checks)


def from_array(values: Any, name: str, encode: Encode | None = None) -> Recording:
    """Make one sequence of an array; one that is none becomes a recording with its fault.

    Args:
        values: `(timesteps, channels)` or `(timesteps,)`, or frames as in `as_values`; the columns
            of a DataFrame are channels by name.
        name: name of the sequence.
        encode: as in `from_arrays`.

    Example:

    >>> from_array([[1, 2], [3]], "0").fault
    'its timesteps differ in their number of channels'
    """
    try:
        return Recording(name, _values(values, encode), channels=_column_names(values))
    except ValueError as error:
        return Recording(name, fault=str(error))


def _column_names(values: Any) -> list[str] | None:
    """The names of the columns of a table; None if they are numbers."""
    names = list(getattr(values, "columns", ()))
    return names if names and all(isinstance(name, str) for name in names) else None


def read_arrays(path: Path) -> Mapping[str, Any] | None:
    """Read an .npz or .npy file with many sequences; None if it holds one sequence.

    Returns:
        `values`, and `labels`, `groups`, `lengths` and a number `rate` where the file has them.

    Raises:
        ValueError: if the file is damaged or too large.
    """
    if path.suffix.lower() == ".npy":
        array = _read_npy(path)
        return {"values": array} if array.ndim == 3 else None
    arrays = _read_npz(path)
    result: dict[str, Any] = {
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
    if "rate" in result:
        return {**result, "rate": _rate(result["rate"], path)}
    return result


def read_recording(path: Path, encode: Encode | None = None) -> Recording:
    """Read an .npz or .npy file with one sequence, and its label where it has one.

    Args:
        path: the file.
        encode: as in `from_arrays`.

    Raises:
        ValueError: if the file is damaged or too large, or it is not clear which array it is.
    """
    if path.suffix.lower() == ".npy":
        return Recording(path.name, _values(_read_npy(path), encode))
    arrays = _read_npz(path)
    names = [name for name in _NAMES["values"] if name in arrays] or [
        name for name, array in arrays.items() if array.ndim >= 1
    ]
    if len(names) != 1:
        raise ValueError(
            f"it has the arrays {', '.join(map(repr, arrays)) or 'none'}; name the sequence "
            "'values'"
        )
    recording = Recording(path.name, _values(arrays[names[0]], encode))
    for role, attribute in (("labels", "label"), ("groups", "group")):
        for name in _NAMES[role]:
            if name in arrays and arrays[name].ndim == 0:
                setattr(recording, attribute, arrays[name].item())
    if "rate" in arrays:
        recording.rate = _rate(arrays["rate"], path)
    return recording


def _check_dimensions(data: Any, where: str, shape: tuple[int, ...] | None) -> None:
    """Raise a ValueError for one sequence in place of an array of them.

    Args:
        data: the sequences.
        where: name of the data.
        shape: shape of a timestep in the training data; None if this is the training data.
    """
    if shape in (None, (1,)) or not isinstance(data, np.ndarray) or data.dtype == object:
        return
    if data.ndim == len(shape) + 1:
        listed = ", ".join(map(str, shape))
        raise ValueError(
            f"{where} is one sequence, and (sequences, timesteps, {listed}) is expected: pass a "
            f"list of it. Received: {data.shape}"
        )


def _count(entries: Any) -> str:
    """The number of entries, or words for a value that is no list."""
    if isinstance(entries, str | bytes) or getattr(entries, "ndim", 1) == 0:
        return f"one value alone, {entries!r:.40}"
    if hasattr(entries, "__len__"):
        return f"{len(entries):,}"
    kind = type(entries).__name__
    return (
        f"a {kind}; pass a list of it" if np.iterable(entries) else f"one value alone, {entries!r}"
    )


def _entries(entries: Any, data: Any) -> list[Any]:
    """An entry for each sequence, None where it is missing."""
    if entries is None:
        return [None] * len(data)
    if hasattr(entries, "to_numpy"):  # a column of a table
        entries = entries.to_numpy(dtype=object, na_value=None)
    if isinstance(entries, np.ndarray) and entries.shape[1:] == (1,):
        entries = entries[:, 0]
    if isinstance(entries, np.ma.MaskedArray):
        entries = entries.tolist()  # None for a masked entry
    return [entry.item() if isinstance(entry, np.generic) else entry for entry in entries]


def _label(entry: Any, recording: Recording, padded: bool) -> Any:
    """A label, or an array with a label for each timestep, perhaps padded.

    Raises:
        ValueError: if it is a list of another length.
    """
    if not isinstance(entry, np.ndarray | list | tuple):
        return entry
    steps = None if recording.values is None else len(recording.values)
    labels = np.array(entry, dtype=object)
    if padded and labels.ndim:
        labels = labels[:steps]
    if labels.ndim != 1 or steps not in (None, len(labels)):
        raise ValueError(
            f"label must be one label for each sequence, or one for each timestep: sequence "
            f"{recording.name} has {labels.shape} labels and {steps} timesteps. Of one-hot rows "
            "pass the classes, such as label.argmax(axis=1)."
        )
    return labels


def _ends(lengths: Any, most: int) -> list[int]:
    """Lengths of padded sequences, checked."""
    bad = np.ravel(lengths)[~np.isin(np.ravel(lengths), np.arange(most + 1))]
    if len(bad) or np.size(lengths) != len(lengths):
        received = f"{bad[0]!s:.40}" if len(bad) else f"an array {np.shape(lengths)}"
        raise ValueError(
            f"lengths must be a whole number from 0 to {most:,} for each sequence. "
            f"Received: {received}"
        )
    return [int(length) for length in np.ravel(lengths)]


def _rate(array: np.ndarray, path: Path) -> float:
    """The rate in a file, checked."""
    try:
        rate = float(array.item())
    except (TypeError, ValueError):  # a text, or several values
        rate = math.nan
    if not 0 < rate < math.inf:
        raise ValueError(
            f"{path}: rate must be one number above 0, the timesteps per second. "
            f"Received: {' '.join(str(array).split()):.40}"
        )
    return rate


def _values(array: Any, encode: Encode | None) -> np.ndarray:
    """One sequence, checked; of frames their features, where a function computes them."""
    values = as_values(array)
    if encode is None or values.ndim < 4 or not len(values):
        return values
    return encode(values)


def _read_npz(path: Path) -> Mapping[str, np.ndarray]:
    try:
        return read_npz(path)
    except Damaged as error:
        _refuse_objects(error.__cause__, path)
        raise


def _refuse_objects(error: BaseException | None, path: Path) -> None:
    """Raise a ValueError with the remedy if an array was not read since it holds objects."""
    if "object" in str(error).lower() and isinstance(error, ValueError):
        raise ValueError(
            f"{path} has an array of objects, which is not read. Pad sequences of unequal length "
            "and save their lengths as `lengths`, or write a file for each; save labels by "
            "labels.astype(str)."
        ) from None


def _read_npy(path: Path) -> np.ndarray:
    check_size(path.stat().st_size, str(path))
    try:
        # Mapped, so that an array that declares more than the file holds is an error.
        return np.array(np.load(path, mmap_mode="r", allow_pickle=False))
    except Exception as error:  # NumPy has no error of its own for a file that it cannot read
        _refuse_objects(error, path)
        reason = " ".join(str(error).split()) or type(error).__name__
        raise Damaged(f"{path} is damaged: it cannot be read as an array ({reason})") from None
