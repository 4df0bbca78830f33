"""Which tensors of a model have timesteps, and whether its calls can go on from step to step."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras

from kerasseq.interop.streaming.flat import FlatCalls, is_convolution, is_recurrent
from kerasseq.interop.streaming.timewise import TIME, check_timewise
from kerasseq.interop.tracing import Call, Unsupported

__all__ = ["Plan", "sequences"]

#: Kinds of tensors: with timesteps, without, and computed from all timesteps so far.
STEPS, FIXED, SO_FAR = "steps", "fixed", "so far"


class Plan:
    """The kind of every tensor, found before a model of one step is made.

    Args:
        flat: The calls of the model.

    Attributes:
        faults: The reason of each layer that cannot be streamed, by its path.
    """

    def __init__(self, flat: FlatCalls) -> None:
        self._flat = flat
        self.faults: dict[str, str] = {}
        self._kinds = dict.fromkeys(map(id, flat.traced.inputs), FIXED)
        self._kinds |= dict.fromkeys(self._timed_inputs(), STEPS)
        for place, (path, call) in enumerate(flat.calls):
            outputs = keras.tree.flatten(call.outputs)
            for tensor, kind in zip(outputs, self._judge(place, path, call), strict=True):
                self._kinds[id(tensor)] = kind

    def has_steps(self, tensor: Any) -> bool:
        """Whether a tensor has timesteps."""
        return self._kinds[id(self._flat.tensor(tensor))] == STEPS

    def carries(self, call: Call) -> bool:
        """Whether a call carries a state, of a recurrent layer or a convolution."""
        is_stateful = is_recurrent(call.operation) or is_convolution(call.operation)
        return is_stateful and self.has_steps(sequences(call))

    def _timed_inputs(self) -> set[int]:
        """The inputs whose timesteps a recurrent layer reads, from the last call to the first."""
        timed: set[int] = set()
        for _, call in reversed(self._flat.calls):
            operation, inputs = call.operation, self._flat.inputs(call)
            if _reads_timesteps(operation):
                timed.add(id(sequences(call)))
            elif any(id(output) in timed for output in keras.tree.flatten(call.outputs)):
                timed.update(id(tensor) for tensor in inputs if _leads_on(call, tensor))
        return timed & {id(tensor) for tensor in self._flat.traced.inputs}

    def _judge(self, place: int, path: str, call: Call) -> list[str]:
        """The kinds of the outputs of a call."""
        inputs, outputs = self._flat.inputs(call), keras.tree.flatten(call.outputs)
        kinds = {self._kinds[id(tensor)] for tensor in inputs}
        if STEPS not in kinds:
            return [SO_FAR if SO_FAR in kinds else FIXED] * len(outputs)
        try:
            if place in self._flat.unopened:
                raise Unsupported(self._flat.unopened[place])
            if is_recurrent(call.operation):
                self._check_recurrent(call)
                has_steps = call.operation.return_sequences
                return [STEPS if has_steps else SO_FAR, *[SO_FAR] * (len(outputs) - 1)]
            if is_convolution(call.operation):
                _check_convolution(call.operation)
            else:
                check_timewise(call, self._of(inputs, STEPS), self._of(inputs, SO_FAR))
        except Unsupported as reason:
            self.faults.setdefault(path, str(reason))
            # As it seems, so that what follows can be judged.
            return [STEPS if len(tensor.shape) > 2 else SO_FAR for tensor in outputs]
        return [STEPS] * len(outputs)

    def _of(self, tensors: Iterable[Any], kind: str) -> list[Any]:
        return [tensor for tensor in tensors if self._kinds[id(tensor)] == kind]

    def _check_recurrent(self, call: Call) -> None:
        layer = call.operation
        levels = getattr(layer, "levels", [layer])
        if any(isinstance(level, keras.layers.Bidirectional) for level in levels):
            raise Unsupported("its second direction begins at the last timestep")
        if any(level.go_backwards for level in levels):
            raise Unsupported("it begins at the last timestep: go_backwards=True")
        if not self.has_steps(sequences(call)):
            raise Unsupported("it reads a sequence without timesteps beside some with them")
        if call.argument("initial_state", 1) is not None:
            raise Unsupported(
                "it begins with an `initial_state` from elsewhere, and a stream with its own states"
            )
        masks = [call.argument("mask", 2), call.argument("sequences_mask", 4)]
        if getattr(layer, "skip", None) and any(mask is not None for mask in masks):
            raise Unsupported(f"it has a mask, and {layer.skip} connections")


def sequences(call: Call) -> Any:
    """The sequences that a layer is called on."""
    return call.args[0] if call.args else next(iter(call.kwargs.values()))


def _reads_timesteps(operation: Any) -> bool:
    is_causal = is_convolution(operation) and operation.padding == "causal"
    return is_causal or is_recurrent(operation) or isinstance(operation, keras.layers.Bidirectional)


def _check_convolution(layer: Any) -> None:
    strides = keras.tree.flatten(layer.strides)
    if layer.padding != "causal" and layer.kernel_size != (1,):
        raise Unsupported(f"it reads later timesteps: padding={layer.padding!r}, not 'causal'")
    if strides != [1]:
        raise Unsupported(f"it leaves timesteps out: strides={strides[0]}")
    if layer.data_format != "channels_last":
        raise Unsupported("its channels are not the last axis")


def _leads_on(call: Call, tensor: Any) -> bool:
    """Whether an output has the timesteps of an input, judged by their shapes."""
    if type(call.operation).__name__ in ("Embedding", "ExpandDims"):
        return True
    return len(tensor.shape) > 2 and tensor.shape[TIME] != 1
