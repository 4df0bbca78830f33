"""Models that read a sequence step by step, as it comes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from kerasseq.interop.files import load
from kerasseq.interop.streaming.step_model import step_model
from kerasseq.interop.streaming.timewise import TIME

__all__ = ["ModelStream", "State", "stream"]

#: Arrays with the batch as first axis, by name.
State = Mapping[str, np.ndarray]


class ModelStream:
    """Reads further timesteps with the state before them, and gives the outputs of the whole.

    `kerasseq.stream` makes it.

    Args:
        model: A built Sequential or functional model.

    Attributes:
        model: The model of a step, of Keras: its inputs are those of the whole model and then the
            parts of the state, its outputs those of the whole model and then the new parts.

    Raises:
        ValueError: If layers cannot go on from step to step, which are listed with the reasons.

    Example:

    >>> layers = [keras.layers.GRU(4, name="reader"), keras.layers.Dense(2)]
    >>> made = ModelStream(keras.Sequential([keras.Input((None, 3)), *layers]))
    >>> outputs, state = made.update(made.start(), np.ones((1, 5, 3), "float32"))
    >>> outputs.shape, {name: part.shape for name, part in state.items()}
    ((1, 2), {'reader_state_0': (1, 4)})
    """

    def __init__(self, model: Any) -> None:
        step = step_model(model)
        self.model = step.model
        self._first, self._timed = step.first, step.timed
        is_sequential = isinstance(model, keras.Sequential)
        self._input = model.inputs[0] if is_sequential else model.input
        self._output = model.outputs[0] if is_sequential else model.output

    def start(self, rows: int | None = None) -> State:
        """The state before the first timestep.

        Args:
            rows: Number of sequences that are read side by side; by default the size of the
                model's batch, or 1.

        Raises:
            ValueError: If `rows` is no whole number above zero, or not the size of the model's
                batch.
        """
        batch = self.model.inputs[0].shape[0]
        if rows is None:
            rows = batch or 1
        is_whole = isinstance(rows, int | np.integer) and not isinstance(rows, bool)
        if not is_whole or rows < 1:
            raise ValueError(f"`rows` must be a whole number above zero. Received: rows={rows!r}")
        if batch not in (None, rows):
            raise ValueError(
                f"`rows` must be {batch}, the size of the model's batch. Received: rows={rows}"
            )
        return {name: np.repeat(part, rows, axis=0) for name, part in self._first.items()}

    def update(self, state: State, steps: Any) -> tuple[Any, State]:
        """Read further timesteps, any number of them at a time.

        Args:
            state: The state before them; it does not change.
            steps: Inputs as the model takes them: an array (rows, timesteps, ...), or a list or
                dict of arrays. Inputs without timesteps are given each time.

        Returns:
            The outputs as the model gives them: of these timesteps, or for all timesteps so far
            where the model gives one output for a sequence; and the new state.

        Raises:
            ValueError: If there are no timesteps, the state or the inputs are not those of the
                model, or they differ in their rows.
        """
        rows = self._rows(state)
        inputs = self._inputs(steps)
        for array, tensor in zip(inputs, self.model.inputs):
            if len(array) != rows:
                raise ValueError(
                    f"`steps`: '{tensor.name}' must have as many rows as the state, {rows}. "
                    f"Received: {len(array)}. Begin with start({len(array)})."
                )
        results = self.model.predict_on_batch([*inputs, *(state[name] for name in self._first)])
        results = [np.asarray(result) for result in keras.tree.flatten(results)]
        count = len(results) - len(self._first)
        outputs = keras.tree.pack_sequence_as(self._output, results[:count])
        return outputs, dict(zip(self._first, results[count:], strict=True))

    def _rows(self, state: Any) -> int:
        """The number of rows of a state, whose parts are checked."""
        if not isinstance(state, Mapping) or state.keys() != self._first.keys():
            raise ValueError(
                f"`state` must have the parts {sorted(self._first)}, as `start` and `update` give "
                f"it. Received: {_described(state)}"
            )
        shapes = {name: np.shape(part) for name, part in state.items()}
        rows = next(iter(shapes.values()))[:1]
        for name, first in self._first.items():
            expected = (*(rows or ("rows",)), *first.shape[1:])
            if shapes[name] != expected:
                raise ValueError(
                    f"`state`: '{name}' must be an array of the shape {expected}, as `start` and "
                    f"`update` give it. Received: {shapes[name]}"
                )
        return int(rows[0])

    def _inputs(self, steps: Any) -> list[np.ndarray]:
        tensors = keras.tree.flatten(self._input)
        arrays = [np.asarray(array) for array in _flat(steps, self._input)]
        if len(arrays) != len(tensors):
            raise ValueError(
                f"`steps` must have the {len(tensors)} inputs of the model. Received: {len(arrays)}"
            )
        for array, tensor, has_steps in zip(arrays, tensors, self._timed, strict=True):
            expected = (tensor.shape[0], None if has_steps else tensor.shape[TIME])
            expected = (*expected, *tensor.shape[TIME + 1 :])
            fits = array.ndim == len(expected) and all(
                wanted in (None, size) for wanted, size in zip(expected, array.shape)
            )
            if not fits or (has_steps and not array.shape[TIME]):
                raise ValueError(
                    f"`steps`: '{tensor.name}' must be an array of the shape {expected}, (rows, "
                    f"timesteps, ...), with at least one timestep. Received: {array.shape}"
                )
        return arrays


def stream(model: Any) -> ModelStream:
    """Read sequences step by step with a model, which carries its state from one to the next.

    The outputs are those of the model on the whole sequence. Recurrent layers of Keras and
    kerasseq carry their states, stacks of them too, and causal convolutions their last timesteps;
    layers that compute each timestep alone go between them. Where a layer returns its last output
    alone, the stream gives the output for all timesteps so far.

    Args:
        model: A built Sequential or functional model, or the path of a saved one. It does not
            change, and shares no weights with the stream.

    Returns:
        A `ModelStream`, with `start` and `update`.

    Raises:
        TypeError: If `model` is no model.
        ValueError: If layers read later timesteps, or compute from all of them together, which are
            listed with the reasons.

    Example:

    >>> import keras, kerasseq
    >>> layers = [kerasseq.lstm(8, depth=2, return_sequences=True), keras.layers.Dense(1)]
    >>> steps = stream(keras.Sequential([keras.Input((None, 3)), *layers]))
    >>> state = steps.start()
    >>> outputs, state = steps.update(state, np.ones((1, 1, 3), "float32"))
    >>> outputs.shape
    (1, 1, 1)
    """
    if isinstance(model, str | os.PathLike):
        model, _ = load(model, "model", compile=False)
    return ModelStream(model)


def _described(state: Any) -> str:
    """A wrong state, without the numbers of its parts."""
    if not isinstance(state, Mapping):
        return f"state={state!r}"
    return f"a dict with the parts {sorted(map(str, state))}" if state else "an empty dict"


def _flat(steps: Any, like: Any) -> list[Any]:
    """The arrays of a nest, in the order of the inputs; arrays are not looked into."""
    if not isinstance(like, list | tuple | dict):
        return [steps]
    if isinstance(like, dict):
        if not isinstance(steps, dict) or steps.keys() != like.keys():
            raise ValueError(f"`steps` must be a dict with the inputs {sorted(like)}.")
        return [steps[name] for name in keras.tree.flatten({name: name for name in like})]
    return list(steps) if isinstance(steps, list | tuple) else [steps]
