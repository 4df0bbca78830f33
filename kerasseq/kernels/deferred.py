"""A loop on JAX whose gradient of each recurrent weight is one product after the loop.

The gradient that JAX derives for a loop multiplies and adds up the gradient of a weight at every
step, and so reads and writes the whole weight at every step. Here a step adds a shift of zeros to
each product of rows and a weight. The gradient of the shifts and the rows of all steps give the
gradient of the weight, as one product. The rest of the gradient is JAX's own, from the
intermediates that it keeps; `bptt` keeps fewer and computes them again.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import keras
from keras import ops

from kerasseq.kernels.bptt import Step, StepTensors

Tensor = Any


def run(
    step: Step, states: list[Tensor], tensors: StepTensors, unroll: bool
) -> tuple[list[Tensor], list[Tensor]]:
    """Carry states over time; see `bptt.run` for the arguments and the results."""

    @jax.custom_vjp
    def carry(states: Any, tensors: Any) -> Any:
        return _loop(step, states, tensors, None, unroll)[0]

    def forward(states: Any, tensors: Any) -> Any:
        projected, noise, rows, weights = tensors

        def shifted(states: Any, projected: Any, weights: Any, shifts: Any) -> Any:
            return _loop(step, states, (projected, noise, rows, weights), shifts, unroll)

        shifts = _shifts(step, states, tensors)
        results, pull_back, factors = jax.vjp(
            shifted, states, projected, weights, shifts, has_aux=True
        )
        return results, (pull_back, factors, states, tensors)

    def backward(residuals: Any, gradients: Any) -> Any:
        pull_back, factors, states, (*others, weights) = residuals
        of_states, of_projected, of_weights, of_shifts = pull_back(gradients)

        def products(weights: Any) -> Any:
            multiplied = _weights_of_products(step, states, (*others, weights))
            return [_rows(f) @ weight for f, weight in zip(factors, multiplied, strict=True)]

        (of_products,) = jax.vjp(products, weights)[1]([_rows(g) for g in of_shifts])
        of_weights = jax.tree.map(jnp.add, of_weights, of_products)
        return of_states, (of_projected, None, None, of_weights)

    carry.defvjp(forward, backward)
    nest = (tensors.projected, tensors.noise, tensors.rows, tensors.weights)
    final, trail = carry(*keras.tree.map_structure(ops.convert_to_tensor, (list(states), nest)))
    return list(final), list(trail)


def _loop(step: Step, states: Any, tensors: Any, shifts: Any, unroll: bool) -> Any:
    """Run all steps.

    Returns:
        The final states and the states after every step; and the rows of each product, (time,
        batch, width), if there are shifts.
    """
    projected, noise, rows, weights = tensors

    def body(carried: Any, slices: Any) -> Any:
        projected, noise, shifts = slices
        factors: list[Tensor] = []

        def product(x: Tensor, weight: Tensor) -> Tensor:
            weight = ops.convert_to_tensor(weight)
            if shifts is None:
                return x @ weight
            factors.append(x)
            return _shifted(x, weight, shifts[len(factors) - 1])

        new = step(list(carried), StepTensors(projected, noise, rows, weights), product)
        return new, (new, factors)

    over_time = (projected, noise, shifts)
    final, (trail, factors) = jax.lax.scan(body, list(states), over_time, unroll=unroll or 1)
    return (final, trail), factors


@jax.custom_vjp
def _shifted(x: Tensor, weight: Tensor, shift: Tensor) -> Tensor:
    """x @ weight + shift, without a gradient of the weight."""
    return x @ weight + shift


_shifted.defvjp(
    lambda x, weight, shift: (x @ weight + shift, weight),
    lambda weight, gradient: (gradient @ weight.T, None, gradient),
)


def _weights_of_products(step: Step, states: Any, tensors: Any) -> list[Tensor]:
    """The weight of each product of a step, in order, as a function of `tensors`."""
    weights: list[Tensor] = []

    def product(x: Tensor, weight: Tensor) -> Tensor:
        weights.append(ops.convert_to_tensor(weight))
        return x @ weights[-1]

    projected, noise = jax.tree.map(lambda x: x[0], tensors[:2])
    step(list(states), StepTensors(projected, noise, *tensors[2:]), product)
    return weights


def _shifts(step: Step, states: Any, tensors: Any) -> list[Tensor]:
    """Zeros for each product of every step, (time, batch, columns)."""
    time, batch = tensors[0].shape[:2]
    weights = jax.eval_shape(lambda *a: _weights_of_products(step, *a), states, tensors)
    return [jnp.zeros((time, batch, weight.shape[1]), weight.dtype) for weight in weights]


def _rows(x: Tensor) -> Tensor:
    """Merge time and batch: (time, batch, width) to (time * batch, width)."""
    return x.reshape(-1, x.shape[-1])
