"""Classes of a stream: a sequence classifier that keeps its state between samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from kerasseq.models.sequence_classifier import SequenceClassifierConfig

__all__ = ["SequenceState", "SequenceStream"]


@dataclass(frozen=True)
class SequenceState:
    """State of a stream: arrays with the batch as first axis.

    Args:
        read: number of inputs that each convolution has read, and as the last entry that the
            recurrent stack has read.
        before: last inputs of each convolution.
        states: states of the recurrent stack; () before its first input.
        pools: running totals of each pooling, the pooled outputs first.
    """

    read: tuple[int, ...]
    before: tuple[np.ndarray, ...]
    states: tuple[np.ndarray, ...]
    pools: tuple[tuple[np.ndarray, ...], ...]


class SequenceStream:
    """Reads samples as they come, and gives the outputs of the model for all samples so far.

    Args:
        sizes: config of the model.
        model: model that `SequenceClassifierConfig.build` returned.

    Raises:
        ValueError: if the model reads later timesteps before it gives an output.

    Example:

    >>> sizes = SequenceClassifierConfig(channels=2, classes=3, units=4, bidirectional=False)
    >>> stream = SequenceStream(sizes, sizes.build())
    >>> logits, state = stream.update(stream.start(), np.ones((1, 5, 2), "float32"))
    >>> logits, state = stream.update(state, np.ones((1, 1, 2), "float32"))
    >>> logits.shape, state.read
    ((1, 3), (6,))
    """

    def __init__(self, sizes: SequenceClassifierConfig, model: keras.Model) -> None:
        if not sizes.streamable:
            remedy = (
                "bidirectional=False" if sizes.bidirectional else "causal=True, or convolutions=0"
            )
            raise ValueError(
                "A stream needs a model that reads no later timestep. Build and train it with "
                f"{remedy}. Received: bidirectional={sizes.bidirectional}, causal={sizes.causal}, "
                f"convolutions={sizes.convolutions}"
            )
        self._layers = {layer.name: layer for layer in model.layers}
        self._convolutions = [
            self._layers[f"convolution_{number}"] for number in range(1, sizes.convolutions + 1)
        ]
        self._pools = [self._layers[f"pool_{mode}"] for mode in sizes.pooling.split("+")]
        # The same weights in a stack that returns its states.
        trained = self._layers["recurrent"]
        self._recurrent = sizes.recurrent(return_state=True)
        self._recurrent.build((None, None, sizes.filters if sizes.convolutions else sizes.features))
        self._recurrent.set_weights(trained.get_weights())
        self._width = trained.output.shape[-1]

    def start(self, rows: int = 1) -> SequenceState:
        """The state before the first sample.

        Args:
            rows: number of streams, which are read side by side.
        """
        before = [layer.start(rows) for layer in self._convolutions]
        pools = [pool.start(rows, self._width) for pool in self._pools]
        return SequenceState((0,) * (len(before) + 1), *_arrays((tuple(before), (), tuple(pools))))

    def update(self, state: SequenceState, samples: np.ndarray) -> tuple[np.ndarray, SequenceState]:
        """Read further samples, any number of them at a time.

        Args:
            state: the state before the samples.
            samples: (rows, timesteps, channels), or images, as the model reads them.

        Returns:
            The outputs of the model for all samples so far, (rows, outputs), and the new state.

        Raises:
            ValueError: if there are no samples.
        """
        if samples.shape[1] == 0:
            raise ValueError(
                "`samples` must have at least one timestep. "
                f"Received: an array of the shape {samples.shape}"
            )
        inputs = ops.convert_to_tensor(samples, "float32")
        if "frames" in self._layers:
            inputs = self._layers["frames"](inputs)
        read, before = list(state.read), list(state.before)
        for number, layer in enumerate(self._convolutions):
            count = inputs.shape[1]
            inputs, before[number] = layer.step(inputs, before[number], read[number])
            read[number] += count
            if inputs.shape[1] == 0:
                break
        states: Sequence[Any] = state.states
        pools: Sequence[Any] = state.pools
        if inputs.shape[1]:
            read[-1] += inputs.shape[1]
            initial = [ops.convert_to_tensor(part) for part in states] or None
            inputs, *states = self._recurrent(inputs, initial_state=initial, training=False)
            pools = [pool.step(inputs, totals) for pool, totals in zip(self._pools, pools)]
        new_state = SequenceState(
            tuple(read), *_arrays((tuple(before), tuple(states), tuple(pools)))
        )
        return self._outputs(new_state), new_state

    def _outputs(self, state: SequenceState) -> np.ndarray:
        features = np.concatenate([totals[0] for totals in state.pools], axis=-1)
        return np.asarray(ops.convert_to_numpy(self._layers["logits"](features)))


def _arrays(tensors: Any) -> Any:
    return keras.tree.map_structure(
        lambda tensor: np.asarray(ops.convert_to_numpy(tensor)), tensors
    )
