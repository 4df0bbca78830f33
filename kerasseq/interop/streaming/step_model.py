"""The model of one step: the state before it is among its inputs, the state after it follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from kerasseq.interop.copying import ModelCopy
from kerasseq.interop.counterparts import copied
from kerasseq.interop.streaming.each_timestep import EachTimestep
from kerasseq.interop.streaming.flat import FlatCalls, is_convolution
from kerasseq.interop.streaming.plan import Plan, sequences
from kerasseq.interop.streaming.timewise import TIME
from kerasseq.interop.tracing import Call, check_graph, is_symbolic, trace

__all__ = ["StepModel", "step_model"]

Tensor = Any
#: Options of recurrent layers: the first is on in a step, the others are off.
_OF_STATES = ("return_state", "stateful", "unroll")


@dataclass(frozen=True)
class StepModel:
    """A model of any number of further timesteps.

    Args:
        model: Its inputs are those of the whole model, then the parts of the state; its outputs
            those of the whole model, then the parts of the new state, named `next_NAME`.
        first: The state before the first step, of one row, by the names of the inputs.
        timed: Whether each input of the whole model has timesteps.
    """

    model: Any
    first: dict[str, np.ndarray]
    timed: list[bool]


def step_model(model: Any) -> StepModel:
    """Make the model that reads further timesteps of the sequences of a model.

    Args:
        model: A built Sequential or functional model. It does not change.

    Raises:
        ValueError: If no recurrent layer or causal convolution reads an input, or layers cannot
            go on from step to step; it lists them with the reasons.

    Example:

    >>> model = keras.Sequential([keras.Input((None, 3)), keras.layers.LSTM(4, name="reader")])
    >>> step = step_model(model)
    >>> [tensor.name for tensor in step.model.inputs[1:]], step.first["reader_state_0"].shape
    (['reader_state_0', 'reader_state_1'], (1, 4))
    """
    check_graph(model)
    copy = ModelCopy(model, copied).result  # tracing calls each layer once more
    flat = FlatCalls(trace(copy.inputs, copy.outputs))
    plan = Plan(flat)
    if plan.faults:
        count = len(plan.faults)
        faults = "; ".join(f"{path} ({reason})" for path, reason in plan.faults.items())
        raise ValueError(
            f"`model`: {count} {'layer' if count == 1 else 'layers'} of '{model.name}' cannot go "
            f"on from step to step: {faults}."
        )
    if not any(plan.carries(call) for _, call in flat.calls):
        raise ValueError(
            f"`model`: '{model.name}' has no recurrent layer and no causal convolution that reads "
            "the timesteps of an input, so there is no state to carry."
        )
    return _Builder(flat, plan, [tensor.name for tensor in model.inputs]).result


class _Builder:
    """Calls the layers of a plan once more, on further timesteps."""

    def __init__(self, flat: FlatCalls, plan: Plan, names: list[str]) -> None:
        self._flat, self._plan = flat, plan
        self._names = set(names)
        self._new: dict[int, Tensor] = {}
        self._layers: dict[int, Any] = {}
        self._batch: int | None = flat.traced.inputs[0].shape[0]
        self._first: dict[str, np.ndarray] = {}
        self._before: list[Tensor] = []
        self._after: list[Tensor] = []
        timed = [plan.has_steps(tensor) for tensor in flat.traced.inputs]
        inputs = [
            keras.Input(batch_shape=_shape(tensor, has_steps), dtype=tensor.dtype, name=name)
            for tensor, name, has_steps in zip(flat.traced.inputs, names, timed, strict=True)
        ]
        self._bind(flat.traced.inputs, inputs)
        for _, call in flat.calls:
            if plan.carries(call):
                run = self._convolve if is_convolution(call.operation) else self._recur
            else:
                run = self._repeat
            # A layer that gives its states in the step may not in the model.
            self._bind(keras.tree.flatten(call.outputs), run(call))
        outputs = [self._tensor(tensor) for tensor in flat.traced.outputs]
        model = keras.Model([*inputs, *self._before], [*outputs, *self._after], name="step")
        self.result = StepModel(model, self._first, timed)

    def _bind(self, olds: list[Tensor], news: list[Tensor]) -> None:
        self._new.update((id(old), new) for old, new in zip(olds, news))

    def _tensor(self, tensor: Tensor) -> Tensor:
        return self._new[id(self._flat.tensor(tensor))]

    def _arguments(self, call: Call) -> tuple[Any, dict[str, Any]]:
        args, kwargs = keras.tree.map_structure(
            lambda value: self._tensor(value) if is_symbolic(value) else value,
            (call.args, call.kwargs),
        )
        return args, kwargs

    # Calls

    def _repeat(self, call: Call) -> list[Tensor]:
        args, kwargs = self._arguments(call)
        if type(call.operation) is keras.layers.TimeDistributed:
            return [self._each_timestep(call.operation)(args[0])]
        return list(keras.tree.flatten(call.operation(*args, **kwargs)))

    def _recur(self, call: Call) -> list[Tensor]:
        """A recurrent layer, from the state before to the one after."""
        layer, x = self._with_states(call.operation), self._tensor(sequences(call))
        first = [level.get_initial_state(1) for level in getattr(layer, "levels", [layer])]
        parts = [self._part(layer.name, value) for value in keras.tree.flatten(first)]
        is_stack = hasattr(layer, "levels")
        before = parts if is_stack else keras.tree.pack_sequence_as(first[0], parts)
        mask = call.argument("mask", 2)
        # A layer of Keras, or one that does the same, ignores the mask of its sequences here.
        mask = None if mask is None else self._tensor(mask)
        output, *after = keras.tree.flatten(layer(x, initial_state=before, mask=mask))
        for part, new in zip(parts, after, strict=True):
            self._goes_on(part, new)
        if mask is not None and not _gives_zeros(layer):
            output = self._held(layer, output, mask)
        return [output, *after]

    def _each_timestep(self, layer: Any) -> Any:
        if id(layer) not in self._layers:
            self._layers[id(layer)] = EachTimestep(layer.layer, name=layer.name)
        return self._layers[id(layer)]

    def _with_states(self, layer: Any) -> Any:
        """A recurrent layer with the same weights that gives its states; once for each layer."""
        if id(layer) not in self._layers:
            config = layer.get_config()
            for each in [config, *(level["config"] for level in config.get("levels", ()))]:
                each.update({name: name == "return_state" for name in _OF_STATES if name in each})
            new = type(layer).from_config(config)
            new.build_from_config(layer.get_build_config())
            new.set_weights(layer.get_weights())
            self._layers[id(layer)] = new
        return self._layers[id(layer)]

    def _held(self, layer: Any, output: Tensor, mask: Tensor) -> Tensor:
        """Before the first unmasked of these timesteps, the output of the last one before them."""
        previous = self._part(layer.name, ops.zeros((1, output.shape[-1]), output.dtype))
        mask = ops.cast(mask, "bool")
        if layer.return_sequences:
            has_begun = ops.cumsum(ops.cast(mask, "int32"), axis=TIME) > 0
            output = ops.where(has_begun[..., None], output, previous[:, None])
            self._goes_on(previous, output[:, -1])
        else:
            output = ops.where(ops.any(mask, axis=TIME)[:, None], output, previous)
            self._goes_on(previous, output)
        return output

    def _convolve(self, call: Call) -> list[Tensor]:
        """A causal convolution, with the last timesteps that it has read."""
        layer, x = call.operation, self._tensor(sequences(call))
        length = (layer.kernel_size[0] - 1) * keras.tree.flatten(layer.dilation_rate)[0]
        if not length:
            return [layer(x)]
        before = self._part(layer.name, ops.zeros((1, length, x.shape[-1]), x.dtype))
        read = ops.concatenate([before, x], axis=TIME)
        self._goes_on(before, read[:, -length:])
        layer.padding = "valid"
        return [layer(read)]

    # State

    def _part(self, owner: str, first: Tensor) -> Tensor:
        """A part of the state before a step."""
        number = 0
        while f"{owner}_state_{number}" in self._names:
            number += 1
        name = f"{owner}_state_{number}"
        self._names.add(name)
        self._first[name] = np.asarray(ops.convert_to_numpy(first))
        part = keras.Input(
            batch_shape=(self._batch, *first.shape[1:]),
            dtype=keras.backend.standardize_dtype(first.dtype),
            name=name,
        )
        self._before.append(part)
        return part

    def _goes_on(self, part: Tensor, new: Tensor) -> None:
        """Set a part of the state after the step; in the order of the parts."""
        named = keras.layers.Identity(name=f"next_{part.name}", dtype=new.dtype)
        self._after.append(named(new))


def _shape(tensor: Tensor, has_steps: bool) -> Any:
    if not has_steps:
        return tensor.shape
    return (tensor.shape[0], None, *tensor.shape[TIME + 1 :])


def _gives_zeros(layer: Any) -> bool:
    """Whether masked timesteps give zeros, and not the previous output."""
    return bool(getattr(layer, "levels", [layer])[-1].zero_output_for_mask)
