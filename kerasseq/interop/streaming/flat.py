"""A model as a flat list of calls, with the models and layers inside it opened."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import keras

from kerasseq import layers as ours
from kerasseq.interop.streaming.timewise import is_judged
from kerasseq.interop.tracing import Call, Trace, Unsupported, is_symbolic, open_layer

__all__ = ["FlatCalls", "is_convolution", "is_recurrent"]

_RECURRENT = (
    *(keras.layers.LSTM, keras.layers.GRU, keras.layers.SimpleRNN, keras.layers.RNN),
    *(ours.LSTM, ours.GRU, ours.SimpleRNN, ours.RNN, ours.Stack),
)


def is_recurrent(operation: Any) -> bool:
    """Whether it is a recurrent layer whose states can be carried: by its exact class."""
    return type(operation) in _RECURRENT


def is_convolution(operation: Any) -> bool:
    """Whether it is a `keras.layers.Conv1D`."""
    return type(operation) is keras.layers.Conv1D


@dataclass
class FlatCalls:
    """The calls of a trace, those inside opened layers among them.

    Args:
        traced: The trace of a model.

    Attributes:
        calls: The path of the layer, and the call, in their order. The tensors in their arguments
            are those of the calls before.
        unopened: The reason for each layer that could not be opened, by the place of its call.
    """

    traced: Trace
    calls: list[tuple[str, Call]] = field(default_factory=list)
    unopened: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._same: dict[int, Any] = {}
        self._kept: list[Trace] = []  # so that no other tensor gets the id of one of them
        self._add(self.traced, "")

    def tensor(self, tensor: Any) -> Any:
        """The tensor that another one inside or outside an opened layer stands for."""
        while id(tensor) in self._same:
            tensor = self._same[id(tensor)]
        return tensor

    def inputs(self, call: Call) -> list[Any]:
        """The symbolic tensors in the arguments of a call."""
        return [x for x in keras.tree.flatten((call.args, call.kwargs)) if is_symbolic(x)]

    def _add(self, traced: Trace, path: str) -> None:
        self._kept.append(traced)
        for each in traced.calls:
            operation = each.operation
            args, kwargs = keras.tree.map_structure(self.tensor, (each.args, each.kwargs))
            call = replace(each, args=args, kwargs=kwargs)
            is_layer = isinstance(operation, keras.layers.Layer)
            place = f"{path}/{operation.name}".lstrip("/") if is_layer or not path else path
            if is_layer and not (
                is_recurrent(operation) or is_convolution(operation) or is_judged(operation)
            ):
                try:
                    inside, tensors = open_layer(call)
                except Unsupported as reason:
                    self.unopened[len(self.calls)] = str(reason)
                else:
                    self._open(call, inside, tensors, place)
                    continue
            self.calls.append((place, call))

    def _open(self, call: Call, inside: Trace, tensors: list[Any], path: str) -> None:
        for inner, outer in zip(inside.inputs, tensors, strict=True):
            self._same[id(inner)] = outer
        self._add(inside, path)
        outputs = keras.tree.flatten(call.outputs)
        for outer, inner in zip(outputs, inside.outputs, strict=True):
            self._same[id(outer)] = inner
