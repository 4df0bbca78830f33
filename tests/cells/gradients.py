"""Gradients of a layer, the same way on every backend, and numerical ones of the statement."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

from tests.cells import statement
from tests.cells.harness import BACKEND, numpy
from tests.cells.references import Array, Weights

Loss = Callable[[Any], Any]  # the layer's result -> a scalar


def of_layer(
    layer: Any, loss: Loss, x: Array, states: list[Array] | None = None, **kwargs: Any
) -> tuple[list[Array], Array, list[Array]]:
    """Gradients of `loss(layer(x, initial_state=states))`.

    Returns:
        For the trainable weights, for the inputs, and for the initial states.
    """
    return with_result(layer, loss, x, states, **kwargs)[1]


def with_result(
    layer: Any, loss: Loss, x: Array, states: list[Array] | None = None, **kwargs: Any
) -> tuple[Any, tuple[list[Array], Array, list[Array]]]:
    """The layer's result, and the gradients that `of_layer` gives, from one run."""
    x = ops.convert_to_tensor(x, layer.compute_dtype)
    states = [ops.convert_to_tensor(state, layer.compute_dtype) for state in states or []]
    if not layer.built:
        layer.build(x.shape)
    result, gradients = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}[BACKEND](
        layer, loss, x, states, kwargs
    )
    return numpy(result), tuple(numpy(part) for part in gradients)  # type: ignore[return-value]


def _call(layer: Any, x: Any, states: list[Any], kwargs: dict[str, Any]) -> Any:
    return layer(x, initial_state=states or None, **kwargs)


def _tensorflow(layer: Any, loss: Loss, x: Any, states: list[Any], kwargs: dict[str, Any]) -> Any:
    tf = importlib.import_module("tensorflow")
    weights = [weight.value for weight in layer.trainable_weights]
    with tf.GradientTape() as tape:
        tape.watch([x, *states])
        result = _call(layer, x, states, kwargs)
        value = loss(result)
    return result, tape.gradient(value, (weights, x, states), unconnected_gradients="zero")


def _jax(layer: Any, loss: Loss, x: Any, states: list[Any], kwargs: dict[str, Any]) -> Any:
    jax = importlib.import_module("jax")
    weights = [weight.value for weight in layer.trainable_variables]
    others = [weight.value for weight in layer.non_trainable_variables]

    def value(weights: Any, x: Any, states: Any) -> Any:
        result, _ = layer.stateless_call(weights, others, x, initial_state=states or None, **kwargs)
        return loss(result), result

    # Compiled as a whole, which takes a part of the time that its operations would one by one.
    gradients, result = jax.jit(jax.grad(value, argnums=(0, 1, 2), has_aux=True))(
        weights, x, states
    )
    return result, gradients


def _torch(layer: Any, loss: Loss, x: Any, states: list[Any], kwargs: dict[str, Any]) -> Any:
    torch = importlib.import_module("torch")
    tensors = [x.detach().requires_grad_(), *[s.detach().requires_grad_() for s in states]]
    weights = [weight.value for weight in layer.trainable_weights]
    result = _call(layer, tensors[0], tensors[1:], kwargs)
    gradients = torch.autograd.grad(loss(result), [*weights, *tensors], materialize_grads=True)
    count = len(weights)
    return result, (list(gradients[:count]), gradients[count], list(gradients[count + 1 :]))


def of_statement(
    cell: Any,
    loss: Callable[[statement.Outcome], float],
    x: Array,
    states: list[Array],
    **kwargs: Any,
) -> tuple[list[Array], Array, list[Array]]:
    """Central differences, element by element, of what the layer is to compute."""
    weights = statement.weights_of(cell)
    names = list(weights)

    def value(*arrays: Array) -> float:
        own = Weights(zip(names, arrays, strict=False))
        return loss(
            statement.run(
                cell,
                arrays[len(names)],
                weights=own,
                states=list(arrays[len(names) + 1 :]) or None,
                **kwargs,
            )
        )

    derivatives = differences(value, [*weights.values(), x, *states])
    count = len(names)
    return derivatives[:count], derivatives[count], derivatives[count + 1 :]


def differences(
    value: Callable[..., float], arrays: list[Array], step: float = 1e-6
) -> list[Array]:
    """Central differences of a scalar in every element of every array."""
    arrays = [array.copy() for array in arrays]
    result = [np.zeros_like(array) for array in arrays]
    for array, gradient in zip(arrays, result, strict=True):
        for index in np.ndindex(array.shape):
            start = array[index]
            array[index] = start + step
            above = value(*arrays)
            array[index] = start - step
            gradient[index] = (above - value(*arrays)) / (2 * step)
            array[index] = start
    return result
