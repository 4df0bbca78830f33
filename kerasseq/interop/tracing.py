"""The calls of layers and operations that a model, or one layer, consists of.

Keras records a symbolic call as a node of a graph. A layer is opened in the same way: its `call` is
given symbolic tensors, and the operations of `keras.ops` in it, and the layers inside, are the
calls.
"""

from __future__ import annotations

import contextlib
import inspect
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from kerasseq.interop.quantized import check_not_quantized

__all__ = ["Call", "Trace", "Unsupported", "check_graph", "is_symbolic", "open_layer", "trace"]


# Activations that Keras computes at once, which it cannot with a symbolic tensor, as operations.
_SYMBOLIC = {
    keras.activations.hard_silu: keras.ops.hard_silu,
    keras.activations.mish: lambda x: x * keras.ops.tanh(keras.ops.softplus(x)),
}


# The first sentence of an error of somebody else, unless it is long.
_SENTENCE = re.compile(r".{1,200}?(?:[.!?](?= |$)|$)")


class Unsupported(ValueError):
    """A layer or an operation that cannot be converted; the message says why."""


@dataclass(frozen=True)
class Call:
    """One call of a layer or of an operation of `keras.ops`.

    Args:
        operation: The layer or the operation.
        args: Its positional arguments.
        kwargs: Its keyword arguments.
        outputs: Its outputs, a nest of symbolic tensors.
    """

    operation: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    outputs: Any

    def argument(self, name: str, position: int | None = None, default: Any = None) -> Any:
        """An argument, by its name or its position."""
        if position is not None and len(self.args) > position:
            return self.args[position]
        return self.kwargs.get(name, default)

    @property
    def output(self) -> Any:
        """The first output."""
        return keras.tree.flatten(self.outputs)[0]


@dataclass(frozen=True)
class Trace:
    """Calls in their order, between symbolic inputs and outputs.

    Args:
        inputs: Symbolic tensors.
        outputs: Symbolic tensors; some may be inputs.
        calls: The calls.
        is_masked: Whether an output has a mask.
    """

    inputs: list[Any]
    outputs: list[Any]
    calls: list[Call]
    is_masked: bool


def trace(inputs: Sequence[Any], outputs: Sequence[Any]) -> Trace:
    """Trace the calls between symbolic tensors, with every mask as an argument of its call.

    The layers are called again, so that they get further nodes of Keras: trace a copy of a model.

    Args:
        inputs: Symbolic tensors.
        outputs: Symbolic tensors that depend on them.

    Example:

    >>> x = keras.Input((3,))
    >>> graph = trace([x], [keras.ops.tanh(x) + 1])
    >>> [type(call.operation).__name__ for call in graph.calls]
    ['Tanh', 'Add']
    """
    calls: list[Call] = []

    def record(operation: Any, *args: Any, **kwargs: Any) -> Any:
        results = operation(*args, **kwargs)
        calls.append(Call(operation, args, kwargs, results))
        return results

    masks = _Masks()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the model has warned when it was made
        explicit = _again(inputs, outputs, masks.call)
        is_masked = any(masks.lookup(tensor) is not None for tensor in explicit.outputs)
        again = _again(explicit.inputs, explicit.outputs, record)
    return Trace(list(again.inputs), list(again.outputs), calls, is_masked)


def _again(inputs: Sequence[Any], outputs: Sequence[Any], call: Callable[..., Any]) -> Any:
    """The model between symbolic tensors, with each call made by a function."""
    return keras.models.clone_model(
        keras.Model(list(inputs), list(outputs)),
        clone_function=lambda operation: operation,
        call_function=call,
    )


def _like(tensor: Any) -> Any:
    return keras.Input(batch_shape=tensor.shape, dtype=tensor.dtype)


class _Masks:
    """The masks that Keras hands from layer to layer, as arguments.

    Keras passes a mask while a layer is called, which a symbolic call does not always record.
    """

    def __init__(self) -> None:
        self._masks: dict[int, Any] = {}
        self._tensors: list[Any] = []  # kept, so that no other tensor gets the same id

    def lookup(self, nest: Any) -> Any:
        """The masks of a nest of tensors; None for one without a mask."""
        return keras.tree.map_structure(lambda tensor: self._masks.get(id(tensor)), nest)

    def call(self, operation: Any, *args: Any, **kwargs: Any) -> Any:
        """Call a layer or an operation, with the masks of its inputs."""
        if not isinstance(operation, keras.layers.Layer):
            return operation(*args, **kwargs)
        kwargs = {**kwargs, **self._arguments(operation, args, kwargs)}
        results = operation(*args, **kwargs)
        if operation.supports_masking:
            first = args[0] if args else next(iter(kwargs.values()))
            before = kwargs.get("mask")
            after = operation.compute_mask(first, self.lookup(first) if before is None else before)
            if after is not None:
                for tensor, mask in zip(keras.tree.flatten(results), keras.tree.flatten(after)):
                    self._masks[id(tensor)] = mask
                    self._tensors.append(tensor)
        return results

    def _arguments(self, layer: Any, args: Any, kwargs: Any) -> dict[str, Any]:
        """The masks that Keras would pass: of the one tensor, or each under its name."""
        names = inspect.signature(layer.call).parameters
        bound = {**dict(zip(names, args)), **kwargs}
        tensors = {
            name: value
            for name, value in bound.items()
            if any(map(is_symbolic, keras.tree.flatten(value)))
        }
        if len(tensors) == 1:
            wanted = {"mask": next(iter(tensors.values()))}
        else:
            wanted = {f"{name}_mask": value for name, value in tensors.items()}
        masks = {
            name: self.lookup(value)
            for name, value in wanted.items()
            if name in names and bound.get(name) is None
        }
        return {
            name: mask
            for name, mask in masks.items()
            if any(each is not None for each in keras.tree.flatten(mask))
        }


def check_graph(model: Any) -> None:
    """Raise an error unless the model is Sequential or functional, and built.

    Quantized layers are refused, too: a reader of their weights would leave out the scales.
    """
    if not isinstance(model, keras.Model):
        raise TypeError(
            "`model` must be a Keras model, or the path of a saved one. "
            f"Received: {model!r} of type {type(model).__name__}"
        )
    if not (isinstance(model, keras.Sequential) or hasattr(model, "operations")) or not model.built:
        raise ValueError(
            "`model` must be a Sequential or functional model that is built. Received: the "
            f"{type(model).__name__} '{model.name}'. Build it with a keras.Input; wrap a model of "
            "another class: keras.Model(inputs, model.call(inputs)), with symbolic inputs."
        )
    if not hasattr(model, "inputs"):
        raise ValueError(
            f"`model`: the Sequential '{model.name}' has no inputs, since Keras cannot call one of "
            f"its layers symbolically on {keras.backend.backend()}, such as a GRU in float16 on "
            "JAX. Create its layers with dtype='float32' (their weights stay as they are)."
        )
    check_not_quantized(model)


def open_layer(call: Call) -> tuple[Trace, list[Any]]:
    """Trace the `call` method of a layer, in inference.

    Args:
        call: A call of a layer.

    Returns:
        The trace, and the tensors in the arguments of the call that its inputs stand for.

    Raises:
        Unsupported: If the method does not take symbolic tensors.
    """
    try:
        return _opened(call)
    except Unsupported:
        raise
    except Exception as error:  # the `call` of a layer may raise errors of any kind
        raise Unsupported(_untraceable(call.operation, error)) from error


def _opened(call: Call) -> tuple[Trace, list[Any]]:
    tensors: list[Any] = []
    inputs: list[Any] = []

    def stand_in(value: Any) -> Any:
        if not is_symbolic(value):
            return value
        tensors.append(value)
        inputs.append(_like(value))
        return inputs[-1]

    layer = call.operation
    if isinstance(layer, keras.Sequential) or hasattr(layer, "operations"):
        return _open_model(call)
    arguments = {name: value for name, value in call.kwargs.items() if name != "training"}
    args, kwargs = keras.tree.map_structure(stand_in, (call.args, arguments))
    with _symbolic_activations(layer):
        outputs = keras.tree.flatten(layer.call(*args, **kwargs, **in_inference(layer.call)))
    return trace(inputs, outputs), tensors


def _untraceable(layer: Any, error: Exception) -> str:
    """Why a layer cannot be opened.

    The errors of Keras and its backends speak of their insides, unless the layer is one's own.
    """
    activation = getattr(layer, "activation", None)
    if activation is not None and not _takes_symbolic(activation):
        name = getattr(activation, "__name__", type(activation).__name__)
        return f"its activation {name} cannot be traced symbolically"
    kind = type(layer)
    reason = f"the `call` of {kind.__name__} cannot be traced symbolically"
    if kind.__module__.partition(".")[0] == "keras":
        return reason
    sentence = _SENTENCE.match(" ".join(str(error).split()))
    text = sentence[0].rstrip(".") if sentence else type(error).__name__
    return f"{reason}, as it has to be written in operations of `keras.ops`: {text}"


def _takes_symbolic(activation: Any) -> bool:
    try:
        return is_symbolic(_SYMBOLIC.get(activation, activation)(keras.Input((2, 3))))
    except Exception:  # errors of any kind, as above
        return False


@contextlib.contextmanager
def _symbolic_activations(layer: Any) -> Iterator[None]:
    """Context in which the activations of a layer or cell take symbolic tensors."""
    names = ("activation", "recurrent_activation")
    before = {name: vars(layer)[name] for name in names if name in vars(layer)}
    before = {name: each for name, each in before.items() if each in _SYMBOLIC}
    for name, activation in before.items():
        setattr(layer, name, _SYMBOLIC[activation])
    try:
        yield
    finally:
        for name, activation in before.items():
            setattr(layer, name, activation)


def _open_model(call: Call) -> tuple[Trace, list[Any]]:
    """Trace a model that is called as a layer.

    In a call, Keras hands masks into the model and out of it; in a symbolic call, it does not.
    """
    model = call.operation
    masks = [mask for mask in keras.tree.flatten(call.argument("mask")) if mask is not None]
    traced = trace(model.inputs, model.outputs)
    if masks or traced.is_masked:
        raise Unsupported(
            "it is a model inside the model, and a mask goes into it or out of it: use its layers "
            "in the outer model"
        )
    return traced, keras.tree.flatten(call.args[0])


def in_inference(method: Callable[..., Any]) -> dict[str, bool]:
    """`training=False` for a method that takes it."""
    return {"training": False} if "training" in inspect.signature(method).parameters else {}


def is_symbolic(value: Any) -> bool:
    """Whether a value is a symbolic tensor."""
    return isinstance(value, keras.KerasTensor)
