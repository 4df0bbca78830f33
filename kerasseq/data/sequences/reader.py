"""Turn sequences into examples of a model, by the scaling of a run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import numpy as np

from kerasseq.data.classes.labels import class_name, class_numbers
from kerasseq.data.sequences.filling import fill_gaps
from kerasseq.data.sequences.ragged import Ragged
from kerasseq.data.sequences.recordings import Sequences
from kerasseq.io.schema import Array, Length, Limits

__all__ = ["TARGET_LIMIT", "Normalize", "ReaderState", "SequenceExamples", "SequenceReader"]

Normalize = Literal["channel", "sequence", "together"]
#: Size below which a number to predict must be; its square is still a number.
TARGET_LIMIT = 1e100
#: Deviation, relative to the mean, below which a channel is constant, by the bytes of a number.
_TINY = {4: 1e-6, 8: 1e-13}

_Numbers = Annotated[np.ndarray, Array("f", 1)]
_Deviations = Annotated[np.ndarray, Array("f", 1, above=0)]


class _DataInfo(TypedDict):
    classes: Annotated[int, Limits(least=0, most=2**20)]
    shape: Annotated[list[Annotated[int, Limits(least=1, most=2**24)]], Length(1, 3)]
    channels: Annotated[int, Limits(least=1, most=2**24)]
    timesteps: Annotated[int, Limits(least=1, most=2**36)]
    sound: NotRequired[bool]  # missing in earlier runs


class _Target(TypedDict):
    mean: Annotated[float, Limits(least=-TARGET_LIMIT, most=TARGET_LIMIT)]
    deviation: Annotated[float, Limits(above=0)]


class _Columns(TypedDict, total=False):
    """Names of the columns of the training table."""

    channels: list[str]
    label: str
    sequence: str
    step: str
    groups: str


class ReaderState(TypedDict):
    """The values of a `SequenceReader`, with the data info that models depend on."""

    data_info: _DataInfo
    classes: list[str | int | float | bool]
    shares: list[Annotated[float, Limits(least=0, most=1)]]
    target: _Target | None
    channels: list[str]
    mean: _Numbers
    deviation: _Deviations
    differences: _Deviations | None
    centred: bool
    rate: Annotated[float, Limits(above=0)] | None
    reading: NotRequired[_Columns]


@dataclass(frozen=True)
class SequenceReader:
    """Turns sequences into examples, by the scaling of the training part.

    Each channel is scaled by its mean and standard deviation in the training part. Missing values
    are interpolated. Frames of uint8 become numbers from 0 to 1. The mean has the type of the
    training data, float64 where float32 would lose changes.

    Args:
        shape: shape of a timestep.
        mean: mean of each channel, `(channels,)`.
        deviation: standard deviation of each channel, `(channels,)`.
        differences: standard deviation of the differences in time, `(channels,)`, if these are
            further channels; else None.
        centred: whether each sequence is centred by its own mean before it is scaled.
        classes: label of each class; empty for a regression.
        target: mean and standard deviation of the numbers to predict, for a regression.
    """

    shape: tuple[int, ...]
    mean: np.ndarray
    deviation: np.ndarray
    differences: np.ndarray | None = None
    centred: bool = False
    classes: Sequence[Any] = ()
    target: Mapping[str, float] | None = None

    @classmethod
    def fit(
        cls,
        sequences: Ragged,
        *,
        normalize: Normalize = "channel",
        differences: bool = False,
        classes: Sequence[Any] = (),
        targets: np.ndarray | None = None,
    ) -> SequenceReader:
        """Fit the scaling on the sequences of the training part.

        Args:
            sequences: the training part.
            normalize: "channel" to scale each channel by its deviation in the training part;
                "sequence" to centre each sequence by its own mean first; "together" to scale all
                channels by one deviation, for channels of one unit, such as coordinates.
            differences: whether differences in time are further channels.
            classes: label of each class.
            targets: numbers to predict, for a regression.
        """
        target = None
        if targets is not None:
            target = {"mean": float(np.mean(targets)), "deviation": float(np.std(targets)) or 1.0}
        width = int(np.prod(sequences.shape))
        if len(sequences.shape) > 1:  # frames need no scaling
            unit = np.ones(width, dtype=np.float32)
            return cls(sequences.shape, 0 * unit, unit, classes=classes, target=target)
        centred = normalize == "sequence"
        dtype = sequences.values.dtype
        moments, steps = _Moments(width, dtype), _Moments(width, dtype)
        for values in sequences:
            if centred:
                values = _centre(values)
            moments.add(values)
            if differences:
                steps.add(np.diff(values, axis=0))
        mean, deviation = moments.result()
        step_deviation = steps.result()[1] if differences else None
        if normalize == "together":
            deviation = _root_mean_square(deviation)
            step_deviation = None if step_deviation is None else _root_mean_square(step_deviation)
        return cls(
            shape=sequences.shape,
            mean=mean,
            deviation=deviation,
            differences=step_deviation,
            centred=centred,
            classes=classes,
            target=target,
        )

    @property
    def width(self) -> int:
        """Number of channels of an example."""
        return self.shape[-1] * (1 + (self.differences is not None))

    def state(self) -> dict[str, Any]:
        """Entries of the state from which `from_state` restores the reader."""
        return {
            "classes": list(self.classes),
            "target": None if self.target is None else dict(self.target),
            "mean": self.mean,
            "deviation": self.deviation,
            "differences": self.differences,
            "centred": self.centred,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> SequenceReader:
        """Restore a reader.

        Raises:
            ValueError: if parts of the state contradict each other.
        """
        data_info, shape = state["data_info"], tuple(state["data_info"]["shape"])
        reader = cls(
            shape=shape,
            mean=state["mean"].astype(np.promote_types(state["mean"].dtype, np.float32)),
            deviation=state["deviation"].astype(np.float32),
            differences=state["differences"],
            centred=state["centred"],
            classes=state["classes"],
            target=state["target"],
        )
        width = math.prod(shape)
        for name in ("mean", "deviation", "differences"):
            if state[name] is not None and state[name].shape != (width,):
                raise ValueError(f"{name} is {state[name].shape}, and data_info.shape is {shape}")
        if len(state["channels"]) != width:
            raise ValueError(f"channels are {len(state['channels']):,}, and there are {width:,}")
        sizes = {"classes": len(reader.classes), "channels": reader.width}
        for name, size in sizes.items():
            if data_info[name] != size:
                raise ValueError(f"data_info.{name} is {data_info[name]:,}, and there are {size:,}")
        if data_info["classes"] == 1 or (not data_info["classes"]) != (reader.target is not None):
            raise ValueError("target and classes contradict each other")
        if len(state["shares"]) != len(reader.classes):
            raise ValueError(
                f"shares are of {len(state['shares']):,} of {len(reader.classes):,} classes"
            )
        if reader.classes and abs(sum(state["shares"]) - 1) > 1e-6:
            raise ValueError(f"shares of the classes add up to {sum(state['shares']):g}")
        names = {"classes": list(map(class_name, reader.classes)), "channels": state["channels"]}
        for what, values in names.items():
            if len({*values}) < len(values):
                raise ValueError(f"{what} has a name twice")
        return reader

    def scaled(self, values: np.ndarray) -> np.ndarray:
        """The input of the model for one sequence, float32 `(timesteps, channels)`.

        Args:
            values: one sequence as it was read, NaN where a value is missing.
        """
        if len(self.shape) > 1:
            return values.astype(np.float32) / np.float32(255)
        values = fill_gaps(values, self.mean)
        if self.centred:
            values = _centre(values)
        scaled = (values - self.mean) / self.deviation
        if self.differences is None:
            return scaled.astype(np.float32, copy=False)
        steps = np.diff(values, axis=0, prepend=values[:1]) / self.differences
        return np.concatenate([scaled, steps], axis=1, dtype=np.float32)

    def examples(
        self,
        sequences: Sequences,
        labels: Sequence[Any] | None = None,
        weights: np.ndarray | None = None,
    ) -> SequenceExamples:
        """Examples of a model, scaled batch by batch.

        Args:
            sequences: the sequences.
            labels: label of each sequence, or number to predict; None where they are unknown.
            weights: weight of each sequence in training.
        """
        targets = None if labels is None else self.targets(labels)
        unreadable = np.array([bool(fault) for fault in sequences.faults], dtype=bool)
        return SequenceExamples(self, sequences.values, targets, weights, unreadable)

    def targets(self, labels: Sequence[Any]) -> np.ndarray:
        """Targets of a model: class numbers, or 0 and 1, `(rows, 1)`; or scaled numbers."""
        if self.target is not None:
            values = np.array(labels, dtype=np.float64)[:, None]
            scaled = (values - self.target["mean"]) / self.target["deviation"]
            return np.asarray(scaled, dtype=np.float32)
        numbers = class_numbers(labels, self.classes)
        return numbers[:, None].astype(np.float32) if len(self.classes) == 2 else numbers


@dataclass(frozen=True)
class SequenceExamples:
    """Examples that are scaled and padded when a batch asks for them, never all in memory.

    Args:
        reader: scales the sequences.
        sequences: the sequences as they were read.
        targets: expected outputs, `(rows, ...)`; None where they are unknown.
        weights: weight of each row in training; None where all rows count the same.
        unreadable: mask of the rows that cannot be read, bool `(rows,)`.
        remarks: remarks on rows that were left out.
    """

    reader: SequenceReader
    sequences: Ragged
    targets: np.ndarray | None = None
    weights: np.ndarray | None = None
    unreadable: np.ndarray | None = None
    remarks: Sequence[str] = ()
    name: str = field(default="sequences", init=False)

    def __len__(self) -> int:
        return len(self.sequences)

    @property
    def lengths(self) -> dict[str, np.ndarray]:
        """Number of timesteps of each row, which decides the rows of a batch."""
        return {self.name: self.sequences.lengths}

    def batch(self, rows: np.ndarray, widths: Mapping[str, int] | None = None) -> tuple[Any, ...]:
        """Rows by number: inputs, then targets and weights unless these are None.

        Args:
            rows: row numbers, `(batch,)`.
            widths: number of timesteps to pad to, by the name of the input; default: the longest.
        """
        lengths = self.sequences.lengths[rows]
        width = (widths or {}).get(self.name, int(lengths.max()))
        values = [self.reader.scaled(self.sequences[row]) for row in rows]
        padded = np.zeros((len(rows), width, *values[0].shape[1:]), dtype=np.float32)
        for target, value in zip(padded, values):
            target[: len(value)] = value
        labels = (self.targets, self.weights)
        return (
            {self.name: padded, "lengths": lengths.astype(np.int32)},
            *(label[rows] for label in labels if label is not None),
        )


class _Moments:
    """Mean and standard deviation of channels over sequences, without missing values.

    Args:
        width: number of channels.
        dtype: type of the numbers, and of their mean.
    """

    def __init__(self, width: int, dtype: np.dtype) -> None:
        self._dtype = dtype
        self._count, self._sum, self._squares = (np.zeros(width) for _ in range(3))
        self._shift: np.ndarray | None = None

    def add(self, values: np.ndarray) -> None:
        """Add a sequence, `(timesteps, channels)`."""
        if not len(values):
            return
        values = values.astype(np.float64)
        observed = np.isfinite(values)
        if self._shift is None:  # near the mean, since squares of large numbers lose digits
            total = np.where(observed, values, 0.0).sum(axis=0)
            self._shift = total / np.maximum(observed.sum(axis=0), 1)
        shifted = np.where(observed, values - self._shift, 0.0)
        self._count += observed.sum(axis=0)
        self._sum += shifted.sum(axis=0)
        self._squares += (shifted**2).sum(axis=0)

    def result(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation, which is 1 for a channel that is constant."""
        count = np.maximum(self._count, 1)
        mean = self._sum / count
        deviation = np.sqrt(np.maximum(self._squares / count - mean**2, 0))
        shift = np.zeros_like(mean) if self._shift is None else self._shift
        level = np.maximum(np.abs(mean + shift), 1e-30)
        constant = deviation <= _TINY[self._dtype.itemsize] * level
        deviation = np.where(constant, 1.0, deviation)
        return (mean + shift).astype(self._dtype), deviation.astype(np.float32)


def _root_mean_square(deviation: np.ndarray) -> np.ndarray:
    """One deviation for all channels."""
    return np.full_like(deviation, np.sqrt(np.mean(deviation.astype(np.float64) ** 2)))


def _centre(values: np.ndarray) -> np.ndarray:
    """A sequence minus its mean over the observed values of each channel."""
    observed = np.isfinite(values)
    counts = np.maximum(observed.sum(axis=0), 1)
    mean = np.where(observed, values, 0).sum(axis=0, dtype=np.float64) / counts
    return (values - mean).astype(np.float32)
