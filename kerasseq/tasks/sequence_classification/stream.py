"""Streaming prediction: the current class after each new timestep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasseq.data.sequences.recordings import channel_numbers, unmasked
from kerasseq.io.tables import list_columns

if TYPE_CHECKING:
    from kerasseq.tasks.sequence_classification.run import SequenceRun

__all__ = ["Stream"]


class Stream:
    """Reads the timesteps of one sequence as they come; the state is carried.

    Each call returns the prediction of the model for the whole sequence so far. A missing value
    is replaced by the last observed value of its channel, since the next one is not known yet.

    Args:
        run: a run whose model reads no later timestep.

    Raises:
        ValueError: if the model reads later timesteps, or sequences are centred by their own mean.
    """

    def __init__(self, run: SequenceRun) -> None:
        from kerasseq.data.sequences.reader import SequenceReader
        from kerasseq.models import SequenceStream

        config = run.task.config(run.state["data_info"], run.resolved)
        if not config.streamable:
            raise ValueError(
                "a stream needs a model that reads no later timestep: train it with causal=True."
            )
        self._reader = SequenceReader.from_state(run.state)
        if self._reader.centred:
            raise ValueError(
                "a stream cannot be centred by the mean of a sequence whose end is not known: "
                'train the model with normalize="channel".'
            )
        self._classes = run.state["classes"]
        self._target = run.state["target"]
        self._channels = run.state["channels"]
        self._stream = SequenceStream(config, run.model)
        self._encoding = run.task.frame_encoding(run.state)
        self.reset()

    def reset(self) -> None:
        """Begin a new sequence."""
        self._state = self._stream.start()
        self._last: np.ndarray | None = None
        self.timesteps = 0

    def update(self, samples: Any) -> dict[str, Any]:
        """Read further timesteps, and answer for all timesteps so far.

        Args:
            samples: one timestep, `(channels,)`, or several, `(timesteps, channels)`; with one
                channel also a number, or `(timesteps,)`. The columns of a DataFrame, and the index
                of a Series, are channels by name where those of the training data have names.
                Frames are `(height, width, channels)`, uint8; those that a network of
                `keras.applications` reads may have any size, and 3 channels.

        Returns:
            `timesteps`, how many have been read; `label`, and the `probabilities` of the classes by
            label; or the `prediction` of a regression.

        Raises:
            ValueError: if the samples do not fit the model.
        """
        from kerasseq.tasks.classification import class_probabilities

        values = self._values(samples)
        scaled = self._reader.scaled(self._continued(values))[-len(values) :]
        outputs, self._state = self._stream.update(self._state, scaled[None])
        self.timesteps += len(values)
        if self._target is not None:
            number = self._target["mean"] + self._target["deviation"] * float(outputs[0, 0])
            return {"timesteps": self.timesteps, "prediction": number}
        probabilities = class_probabilities(outputs)[0]
        return {
            "timesteps": self.timesteps,
            "label": self._classes[int(probabilities.argmax())],
            "probabilities": dict(zip(self._classes, probabilities.tolist())),
        }

    def _values(self, samples: Any) -> np.ndarray:
        """The samples as `(timesteps, ...)`, checked."""
        shape = self._reader.shape
        samples = unmasked(_by_name(samples, self._channels))
        if self._encoding is not None:
            samples = self._encoding(_frames(samples))
        frames = len(shape) > 1
        try:
            with np.errstate(over="ignore"):  # infinite values are refused below
                dtype = self._reader.mean.dtype
                values = _pixels(samples) if frames else np.asarray(samples, dtype)
        except (TypeError, ValueError):
            values = np.array(None)
        if values.ndim < 2 and values.dtype.kind == "f" and shape == (1,):
            values = values.reshape(-1, 1)
        if values.ndim == len(shape):
            values = values[None]
        if values.dtype.kind not in "fu" or values.shape[1:] != shape or not len(values):
            kind = ", whole numbers from 0 to 255" if frames else ""
            raise ValueError(
                f"samples must be {shape}, or (timesteps, {', '.join(map(str, shape))}){kind}. "
                f"Received: {np.shape(samples)}"
            )
        if np.isinf(values).any():
            raise ValueError(
                "samples must be finite, or NaN for a missing value. "
                f"Received: {values[np.isinf(values)][0]}"
            )
        return values

    def _continued(self, values: np.ndarray) -> np.ndarray:
        """The last timestep and then new ones, without gaps."""
        if values.ndim > 2:
            return values
        first = self._reader.mean if self._last is None else self._last
        rows = [first]
        for row in values:
            rows.append(np.where(np.isnan(row), rows[-1], row))
        # The first timestep has no difference to one before it.
        filled = np.stack(rows[1:] if self._last is None else rows)
        self._last = filled[-1]
        return filled


def _by_name(samples: Any, channels: Sequence[str]) -> Any:
    """The columns of a table in the order of the channels; other samples are unchanged.

    Raises:
        ValueError: if the table lacks a channel.
    """
    if hasattr(samples, "to_frame") and any(isinstance(name, str) for name in samples.index):
        samples = samples.to_frame().T  # a row of a table
    if not hasattr(samples, "columns") or list(channels) == channel_numbers(len(channels)):
        return samples
    samples = samples.set_axis(list(map(str, samples.columns)), axis=1)
    lacking = [name for name in channels if name not in samples.columns]
    if lacking or not samples.columns.is_unique:
        raise ValueError(
            f"samples must have the columns {list_columns(channels)}, each once. Received: "
            f"{list_columns(samples.columns)}"
        )
    return samples[list(channels)]


def _frames(samples: Any) -> np.ndarray:
    """Frames for a network of `keras.applications`, uint8 `(timesteps, height, width, 3)`.

    Raises:
        ValueError: if they have another shape, or hold anything but whole numbers from 0 to 255.
    """
    values = _pixels(samples)
    values = values[None] if values.ndim == 3 else values
    if values.ndim != 4 or values.shape[-1] != 3 or not values.size:
        raise ValueError(
            "samples must be (height, width, 3), or (timesteps, height, width, 3). "
            f"Received: {np.shape(samples)}"
        )
    return values


def _pixels(samples: Any) -> np.ndarray:
    """Frames as uint8.

    Raises:
        ValueError: if they hold anything but whole numbers from 0 to 255.
    """
    values = np.asarray(samples)
    if values.dtype.kind not in "iu" or not ((values >= 0) & (values <= 255)).all():
        raise ValueError(
            "samples must be whole numbers from 0 to 255, the pixels of frames. Received: "
            f"{values.dtype} of shape {values.shape}"
        )
    return values.astype(np.uint8)
