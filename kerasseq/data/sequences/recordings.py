"""Recordings as readers of files return them, and labelled sequences that are made of them."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from kerasseq.data.classes.labels import class_name
from kerasseq.data.sequences.precision import float_type
from kerasseq.data.sequences.ragged import Ragged
from kerasseq.data.sequences.resampling import resampled
from kerasseq.io.digest import LATER

__all__ = [
    "LeftOut",
    "Recording",
    "Sequences",
    "as_values",
    "assemble",
    "channel_numbers",
    "list_faults",
    "unmasked",
]

_EMPTY = "it has no timesteps"
_MISSING = "all its values are missing"
_SHOWN = 4  # faults in an error
_NAME = 100  # characters of a name in an error
_SAME_RATE = 0.01  # largest relative difference of rates that counts as none


class LeftOut(str):
    """A note on data that was left out, which scores of the rest have to say as well."""


@dataclass
class Recording:
    """One sequence as a reader returns it.

    Args:
        name: name of the sequence: its file, its id, or its number.
        values: `(timesteps, channels)`, NaN where a value is missing; `(timesteps, height, width,
            channels)` for frames; None with a fault.
        label: its label, or an array with a label for each timestep; None where it is unknown.
        group: the subject or speaker; None where it is unknown.
        channels: names of the channels; None if they have none.
        rate: timesteps per second; None where it is unknown.
        one_unit: whether all channels are known to have one unit, as coordinates and pixels do.
        own_offset: whether its channels may have offsets of their own, as a microphone gives to the
            logarithms of a spectrum.
        remedy: remedy for another number of channels than most recordings have; "" without one.
        fault: the reason why it cannot be used; "" if it can.
        notes: remarks for the user, each without the name of the recording.
    """

    name: str
    values: np.ndarray | None = None
    label: Any = None
    group: Any = None
    channels: list[str] | None = None
    rate: float | None = None
    one_unit: bool = False
    own_offset: bool = False
    remedy: str = ""
    fault: str = ""
    notes: list[str] = field(default_factory=list)


@dataclass
class Sequences:
    """Sequences and their labels.

    Args:
        values: the sequences, float32, or float64 where float32 would lose changes of a channel
            with a large offset; NaN where a value is missing.
        names: name of each sequence.
        labels: label of each sequence, as it was read; None where they are unknown.
        groups: group of each sequence, such as the subject; None without groups.
        channels: names of the channels.
        faults: for each sequence the reason why it cannot be used, or "".
        remarks: remarks on each sequence, such as "clipped", or "".
        rate: timesteps per second; None where it is unknown.
        one_unit: whether all channels are known to have one unit.
        own_offset: whether channels of each sequence may have offsets of their own.
        notes: remarks on how the data was read, for the user.
        test: an official test part, or None.
        validation: a separate validation part, or None.
        reading: names of the columns of a table.
        numeric: whether labels are targets of a regression.
        grouped: whether groups were read; otherwise a group has the windows of one recording.
        extractor: state of the frozen network that read the frames of videos; None without one.
    """

    values: Ragged
    names: list[str]
    labels: list[Any] | None = None
    groups: list[str] | None = None
    channels: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list, compare=False)
    rate: float | None = None
    one_unit: bool = False
    own_offset: bool = field(default=False, compare=False)
    notes: list[str] = field(default_factory=list)
    test: Sequences | None = None
    validation: Sequences | None = field(default=None, metadata=LATER)
    reading: dict[str, Any] = field(default_factory=dict, compare=False)
    numeric: bool = False
    grouped: bool = field(default=False, compare=False)
    extractor: Mapping[str, Any] | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        self.faults = self.faults or [""] * len(self)
        self.remarks = self.remarks or [""] * len(self)

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: np.ndarray) -> Sequences:
        """The sequences with these numbers, without test and validation part."""

        def chosen(values: list[Any] | None) -> list[Any] | None:
            return None if values is None else [values[row] for row in rows]

        return replace(
            self,
            values=self.values.take(rows),
            names=chosen(self.names) or [],
            labels=chosen(self.labels),
            groups=chosen(self.groups),
            faults=chosen(self.faults) or [],
            remarks=chosen(self.remarks) or [],
            test=None,
            validation=None,
        )

    def whole(self) -> Sequences:
        """All sequences: of this part, then of the validation part, then of the test part."""
        result = self
        for part in (self.validation, self.test):
            result = result if part is None else result.joined(part)
        return replace(result, validation=None, test=None)

    def joined(self, other: Sequences) -> Sequences:
        """These sequences and then others; parts of one array are joined without a copy."""
        if self.values.values is other.values.values:
            values = Ragged(
                self.values.values,
                np.concatenate([self.values.starts, other.values.starts]),
                np.concatenate([self.values.lengths, other.values.lengths]),
            )
        else:
            dtype = np.promote_types(self.values.values.dtype, other.values.values.dtype)
            values = Ragged.join([*self.values, *other.values], dtype)

        def both(one: list[Any] | None, two: list[Any] | None) -> list[Any] | None:
            return None if one is None or two is None else [*one, *two]

        return replace(
            self,
            values=values,
            names=[*self.names, *other.names],
            labels=both(self.labels, other.labels),
            groups=both(self.groups, other.groups),
            faults=[*self.faults, *other.faults],
            remarks=[*self.remarks, *other.remarks],
        )


def as_values(array: Any) -> np.ndarray:
    """Convert one sequence to floats `(timesteps, channels)`, or to frames of uint8.

    Args:
        array: `(timesteps,)` or `(timesteps, channels)`; or frames, whole numbers from 0 to 255
            `(timesteps, height, width, channels)`. Masked values are missing.

    Returns:
        float32, or float64 if float32 does not have all numbers of the type of the array.

    Raises:
        ValueError: if it holds no numbers, or has another number of dimensions.

    Example:

    >>> as_values([1, 2, 3]).shape
    (3, 1)
    """
    try:
        values = np.asarray(unmasked(array))
    except ValueError:  # rows of unequal length
        raise ValueError("its timesteps differ in their number of channels") from None
    if values.dtype.kind == "O" and not values.size:
        values = values.astype(np.float32)
    if values.dtype.kind not in "buif":
        kind = "text" if values.dtype.kind in "US" else values.dtype.name
        raise ValueError(f"it does not hold numbers, but {kind}")
    if values.ndim == 4:
        return _as_pixels(values)
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim == 3:  # an image with colours: its rows are the timesteps
        values = values.reshape(len(values), -1)
    if values.ndim != 2:
        raise ValueError(f"it must be (timesteps, channels), and is {values.shape}")
    exact = np.can_cast(values.dtype, np.float32)
    return np.asarray(values, dtype=np.float32 if exact else np.float64)


def unmasked(values: Any) -> Any:
    """A masked array with NaN in place of its masked values; other values are unchanged.

    >>> unmasked(np.ma.masked_array([1, 2], mask=[False, True])).tolist()
    [1.0, nan]
    """
    if not isinstance(values, np.ma.MaskedArray):
        return values
    if not np.ma.is_masked(values) or values.dtype.kind not in "buif":
        return np.asarray(values)
    return np.ma.filled(values.astype(np.result_type(values, np.float32)), np.nan)


def _as_pixels(frames: np.ndarray) -> np.ndarray:
    """Frames as uint8."""
    expected = "its frames must be whole numbers from 0 to 255"
    if frames.dtype.kind not in "iu":
        raise ValueError(f"{expected}, and are {frames.dtype.name}")
    if frames.size and (frames.min() < 0 or frames.max() > 255):
        raise ValueError(f"{expected}, and are from {frames.min():,} to {frames.max():,}")
    return frames.astype(np.uint8, copy=False)


def assemble(
    recordings: Sequence[Recording],
    where: str,
    *,
    learn: bool,
    channels: Sequence[str] | None = None,
    shape: tuple[int, ...] | None = None,
    dtype: np.dtype | None = None,
    rate: float | None = None,
    joined: Ragged | None = None,
    notes: Sequence[str] = (),
) -> Sequences:
    """Check recordings and join them.

    Args:
        recordings: the recordings; labels and groups are known for all of them, or for none.
        where: name of the data, for errors.
        learn: whether empty recordings are left out, with a note, and others that cannot be used
            are an error; otherwise each becomes one timestep of missing values, with its fault.
        channels: names of the channels, in their order; default: the names in most recordings.
        shape: shape of a timestep that the recordings must have; default: the most frequent shape.
        dtype: type of the numbers; default: as in `float_type`.
        rate: timesteps per second to which recordings with a known rate are resampled; default:
            the rate of most of them, or the median if their clocks drift.
        joined: the values of all recordings in one array, to use it without a copy.
        notes: remarks on how the data was read.

    Raises:
        ValueError: if there is no recording, or with `learn` for those that cannot be used; all
            faults are named together.
    """
    if not recordings:
        remedy = "a few of each class" if learn else "one"
        raise ValueError(f"{where} holds no sequences. Give at least {remedy}.")
    shapes = Counter(r.values.shape[1:] for r in recordings if r.values is not None and not r.fault)
    expected = shape or (shapes.most_common(1)[0][0] if shapes else (1,))
    expected_names = _usual_channels(recordings) if channels is None else list(channels)
    if len({*expected_names}) < len(expected_names):
        raise ValueError(
            f"each channel needs a name of its own. Received: channels={expected_names}"
        )
    if learn and channels is not None and shapes and len(expected_names) != math.prod(expected):
        raise ValueError(
            f"channels must name each of the {math.prod(expected):,} channels of {where}. "
            f"Received: channels={expected_names}"
        )
    for recording in recordings:
        recording.fault = (
            recording.fault
            or _order_channels(recording, expected_names)
            or _fault(recording, expected)
        )
    if learn:
        recordings, left_out = _leave_out_empty(recordings, where)
        notes = [*notes, *left_out]
    faults = {r.name: r.fault for r in recordings if r.fault}
    if learn and faults:
        remedy = "Mend them, or leave them out."
        if len(shapes) > 2 and len({len(r.values) for r in recordings if r.values is not None}) < 2:
            remedy = "Sequences are (timesteps, channels): transpose arrays (channels, timesteps)."
        raise ValueError(f"{where}: {list_faults(faults, len(recordings))}. {remedy}")
    usable = [r for r in recordings if r.values is not None and not r.fault]
    frames = len(expected) == 3
    if frames:
        dtype = np.dtype(np.uint8)
    elif dtype is None:
        dtype = float_type(r.values for r in usable if r.values is not None)
    for recording in usable:
        assert recording.values is not None
        recording.values = recording.values.astype(dtype, copy=False)
    remarks = _gather_notes(recordings)
    resampling = _resample(usable, rate)
    missing = np.full((1, *expected), 0 if frames else np.nan, dtype)
    unlike = joined is None or len(joined) > len(recordings) or joined.values.dtype != dtype
    if joined is None or unlike or faults or resampling:
        values = [missing if r.fault or r.values is None else r.values for r in recordings]
        joined = Ragged.join(values, dtype)
    rates = [r.rate for r in recordings if r.rate and not r.fault]
    groups = _groups([r.group for r in recordings])
    return Sequences(
        values=joined,
        names=[r.name for r in recordings],
        labels=_labels([r.label for r in recordings], where, learn),
        groups=groups,
        grouped=groups is not None,
        channels=expected_names or channel_numbers(math.prod(expected)),
        faults=[r.fault for r in recordings],
        remarks=["; ".join(r.notes) for r in recordings],
        rate=float(np.median(rates)) if rates else None,
        one_unit=all(r.one_unit for r in recordings),
        own_offset=all(r.own_offset for r in recordings if not r.fault),
        notes=[*notes, *remarks, *resampling],
    )


def channel_numbers(count: int) -> list[str]:
    """Names of channels that have none: their numbers.

    >>> channel_numbers(2)
    ['0', '1']
    """
    return [str(number) for number in range(count)]


def list_faults(faults: dict[str, str], total: int) -> str:
    """List faults by name; only the first ones if there are many.

    >>> list_faults({"a.csv": "it has no timesteps"}, 3)
    '1 of 3 sequences cannot be used: a.csv (it has no timesteps)'
    """
    shown = [f"{name[:_NAME]} ({fault})" for name, fault in list(faults.items())[:_SHOWN]]
    more = f" and {len(faults) - _SHOWN:,} more" if len(faults) > _SHOWN else ""
    return f"{len(faults):,} of {total:,} sequences cannot be used: {', '.join(shown)}{more}"


def _fault(recording: Recording, expected: tuple[int, ...]) -> str:
    """The reason why a recording cannot be used; "" if it can."""
    values = recording.values
    if values is None:
        return "it has no values"
    if not len(values):
        return _EMPTY
    if values.shape[1:] != expected:
        if len(expected) == 1 and values.ndim == 2:
            fault = f"it has {values.shape[1]:,} channels, and {expected[0]:,} are expected"
            return f"{fault}: {recording.remedy}" if recording.remedy else fault
        fault = f"its timesteps are {values.shape[1:]}, and {expected} is expected"
        is_scaled = len(expected) == values.ndim - 1 == 3 and expected[:2] != values.shape[1:3]
        return f"{fault}: image_size= scales frames to one size" if is_scaled else fault
    if values.dtype.kind == "f":
        with np.errstate(over="ignore"):
            too_large = np.isinf(values.astype(np.float32, copy=False)).any()
        if too_large:
            return "it has infinite values, or values too large for float32"
        if np.isnan(values).all():
            return _MISSING
    return ""


def _leave_out_empty(
    recordings: Sequence[Recording], where: str
) -> tuple[Sequence[Recording], list[str]]:
    """The recordings with values, and a note on those without.

    Raises:
        ValueError: if all are empty.
    """
    empty = [r.name for r in recordings if r.fault in (_EMPTY, _MISSING)]
    if len(empty) == len(recordings):
        raise ValueError(f"{where}: every sequence is empty. Give columns or arrays with numbers.")
    if not empty:
        return recordings, []
    more = f" and {len(empty) - _SHOWN:,} more" if len(empty) > _SHOWN else ""
    names = f"{', '.join(name[:_NAME] for name in empty[:_SHOWN])}{more}"
    remaining = [r for r in recordings if r.fault not in (_EMPTY, _MISSING)]
    return remaining, [LeftOut(f"left out: {len(empty):,} sequences without values, {names}")]


def _usual_channels(recordings: Sequence[Recording]) -> list[str]:
    """The names of the channels of most recordings; none if they have no names."""
    names = Counter(tuple(r.channels) for r in recordings if r.channels and not r.fault)
    return list(names.most_common(1)[0][0]) if names else []


def _order_channels(recording: Recording, names: list[str]) -> str:
    """Put named channels in the expected order; returns the fault of a recording that lacks one."""
    if recording.channels is None or recording.values is None or recording.channels == names:
        return ""
    if not names or recording.values.ndim != 2:
        return ""
    lacking = [name for name in names if name not in recording.channels]
    if lacking:
        return f"it lacks the channel {lacking[0]!r}"
    places = [recording.channels.index(name) for name in names]
    recording.values, recording.channels = recording.values[:, places], names
    return ""


def _usual_rate(rates: Sequence[float]) -> float:
    """The rate of most recordings, or the median of all if none repeats.

    Rates without a gap of more than 1% between them are one rate, of which the median is taken,
    since the clocks of sensors drift.
    """
    ordered = np.sort(rates)
    numbers = np.cumsum(np.diff(ordered, prepend=ordered[0]) > _SAME_RATE * ordered)
    number, count = Counter(numbers[np.searchsorted(ordered, rates)].tolist()).most_common(1)[0]
    return statistics.median_high((ordered[numbers == number] if count > 1 else ordered).tolist())


def _resample(recordings: Sequence[Recording], rate: float | None) -> list[str]:
    """Resample recordings in place to one rate, with a remark; returns a note on all of them."""
    rates = [r.rate for r in recordings if r.rate]
    if not rates:
        return []
    target = rate or _usual_rate(rates)
    changed: list[tuple[float, str]] = []
    for recording in recordings:
        assert recording.values is not None
        if recording.rate and abs(recording.rate / target - 1) > _SAME_RATE:
            recording.notes.append(
                f"resampled from {recording.rate:g} to {target:g} timesteps per second"
            )
            before = len(recording.values)
            recording.values = resampled(recording.values, recording.rate, target)
            if isinstance(recording.label, np.ndarray):
                middles = (np.arange(len(recording.values)) + 0.5) * recording.rate / target
                recording.label = recording.label[np.minimum(middles.astype(int), before - 1)]
            changed.append((recording.rate, recording.name))
            recording.rate = target
    if not changed:
        return []
    (least, _), (most, _) = min(changed), max(changed)
    who = changed[0][1] + (f" and {len(changed) - 1:,} more" if len(changed) > 1 else "")
    span = f"{least:g}" if least == most else f"{least:.4g}-{most:.4g}"
    return [f"{who}: resampled from {span} to {target:g} timesteps per second"]


def _gather_notes(recordings: Sequence[Recording]) -> list[str]:
    """The notes of all recordings; a note that several share is counted, with the first name."""
    first: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for recording in recordings:
        for note in recording.notes:
            first.setdefault(note, recording.name)
            counts[note] += 1
    return [
        f"{first[note]}: {note}" if count == 1 else f"{first[note]} and {count - 1:,} more: {note}"
        for note, count in counts.items()
    ]


def _is_gap(value: Any) -> bool:
    """Whether a label or group is missing: None, NaN or a text without characters."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or (isinstance(value, float) and value != value)


def _labels(values: list[Any], where: str, learn: bool) -> list[Any] | None:
    """Labels that are known for all recordings; None if they are known for none."""
    gaps = [_is_gap(value) for value in values]
    if all(gaps):
        return None
    if any(gaps):
        if not learn:
            return None
        raise ValueError(
            f"{where}: {sum(gaps):,} of {len(values):,} sequences have no label, the first of "
            f"them sequence {gaps.index(True)} (counted from 0). Add it, or leave them out."
        )
    return values


def _groups(values: list[Any]) -> list[str] | None:
    """Names of the groups; a sequence without a group is a group of its own."""
    if all(map(_is_gap, values)):
        return None
    return [
        f"sequence {row} without a group" if _is_gap(value) else class_name(value)
        for row, value in enumerate(values)
    ]
