"""A loop on JAX whose gradient of each weight of a product is one product after the loop.

The gradient that JAX derives for a loop keeps every intermediate of every step, and adds up the
gradient of a weight step by step, which reads and writes the whole weight each time. Here the
forward pass keeps the states and the products of rows and weights, and nothing else. On the way
back a step computes its row-wise part again and multiplies once, by the transposed weight. The
gradients of the products of all steps then give the gradient of each of their weights, and of the
inputs, as one product each. `bptt` keeps fewer and computes the products again.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import keras
from keras import ops

from kerasseq.kernels import timeloop
from kerasseq.kernels.bptt import Step, StepTensors

Tensor = Any
Project = Callable[[Tensor, list[Tensor]], Tensor]
Results = tuple[list[Tensor], list[Tensor]]


def run(
    step: Step,
    states: list[Tensor],
    tensors: StepTensors,
    unroll: bool,
    project: Project | None = None,
    sums: bool = False,
) -> Results:
    """Carry states over time; see `bptt.run` for the other arguments and the results.

    Args:
        step: See `bptt.run`.
        states: See `bptt.run`.
        tensors: See `bptt.run`; with `project`, inputs are in the place of projected inputs.
        unroll: See `bptt.run`.
        project: (inputs, weights) -> projected inputs, (rows, width) each. Each step projects its
            own inputs, so that the products stay in the cache.
        sums: A step reads its projected inputs and its first product only as their sum, and so
            the sum alone is kept.
    """
    recurrence = _Recurrence(step, unroll, project, sums)

    @jax.custom_vjp
    def carry(states: Any, tensors: Any) -> Results:
        return recurrence.forward(states, StepTensors(*tensors))[0]

    def forward(states: Any, tensors: Any) -> Any:
        results, kept = recurrence.forward(states, StepTensors(*tensors))
        return results, (states, tensors, results[1], kept)

    def backward(residuals: Any, gradients: Any) -> Any:
        states, tensors, trail, kept = residuals
        of_states, of_inputs, of_weights = recurrence.backward(
            states, StepTensors(*tensors), trail, kept, gradients
        )
        return of_states, (of_inputs, None, None, of_weights)

    carry.defvjp(forward, backward)
    nest = (tensors.projected, tensors.noise, tensors.rows, tensors.weights)
    final, trail = carry(*keras.tree.map_structure(ops.convert_to_tensor, (list(states), nest)))
    return list(final), list(trail)


class _Recurrence:
    """The two passes of `run`, with its arguments."""

    def __init__(self, step: Step, unroll: bool, project: Project | None, sums: bool) -> None:
        self.step, self.project, self.sums = step, project, sums
        self._scan: Any = timeloop.scan_in_place
        if unroll:
            self._scan = functools.partial(jax.lax.scan, unroll=True)

    def forward(self, states: list[Tensor], tensors: StepTensors) -> tuple[Results, Any]:
        """The results, and the values kept for the gradient, see `_kept`."""

        def body(carried: list[Tensor], slices: Any) -> Any:
            inputs, noise = slices
            projected = self._projected(inputs, tensors.weights)
            products: list[Tensor] = []

            def product(x: Tensor, weight: Tensor) -> Tensor:
                products.append(x @ ops.convert_to_tensor(weight))
                return products[-1]

            of_step = replace(tensors, projected=projected, noise=noise)
            new = self.step(list(carried), of_step, product)
            return new, (new, self._kept(projected, products))

        over_time = (tensors.projected, tensors.noise)
        final, (trail, kept) = self._scan(body, list(states), over_time)
        return (final, trail), kept

    def backward(
        self, states: list[Tensor], tensors: StepTensors, trail: Any, kept: Any, gradients: Results
    ) -> tuple[list[Tensor], Tensor, list[Tensor]]:
        """Gradients of the first states, of the inputs (or projected inputs), and of the weights.

        Args:
            states: The first states.
            tensors: The tensors of all steps.
            trail: The states after every step.
            kept: What `forward` kept.
            gradients: Those of the final states and of the trail.
        """
        before = [jnp.concatenate([s[None], t])[:-1] for s, t in zip(states, trail, strict=True)]
        if not self.sums and self.project is None:
            kept = (tensors.projected, kept[1])

        def body(carried: Any, slices: Any) -> Any:
            of_states, of_weights = carried
            (before, kept, noise), of_trail = slices
            upstream = jax.tree.map(jnp.add, of_states, of_trail)

            def forward(before: Any, kept: Any, weights: Any) -> Any:
                projected, products = kept
                remaining = iter(products)

                def product(x: Tensor, weight: Tensor) -> Tensor:
                    return _replayed(x, ops.convert_to_tensor(weight), next(remaining))

                of_step = StepTensors(self._beside(projected), noise, tensors.rows, weights)
                return self.step(list(before), of_step, product)

            _, pull_back = jax.vjp(forward, before, kept, tensors.weights)
            of_before, of_kept, of_step_weights = pull_back(upstream)
            return (of_before, jax.tree.map(jnp.add, of_weights, of_step_weights)), of_kept

        of_final, of_trail = gradients
        carried = (list(of_final), jax.tree.map(jnp.zeros_like, tensors.weights))
        slices = ((before, kept, tensors.noise), list(of_trail))
        (of_states, of_weights), (of_projected, of_products) = self._scan(
            body, carried, slices, reverse=True
        )
        if self.sums:
            of_projected = of_products[0]

        def products(weights: list[Tensor]) -> list[Tensor]:
            return self._products_of_all_steps(replace(tensors, weights=weights), before, kept)

        of_rows = [_rows(gradient) for gradient in of_products]
        (of_multiplied,) = jax.vjp(products, tensors.weights)[1](of_rows)
        of_weights = jax.tree.map(jnp.add, of_weights, of_multiplied)
        if self.project is None:
            return of_states, of_projected, of_weights
        inputs = _rows(tensors.projected)
        of_inputs, of_kernel = jax.vjp(self.project, inputs, tensors.weights)[1](
            _rows(of_projected)
        )
        of_weights = jax.tree.map(jnp.add, of_weights, of_kernel)
        return of_states, _unrows(of_inputs, tensors.projected.shape), of_weights

    def _projected(self, inputs: Tensor, weights: list[Tensor]) -> Tensor:
        return inputs if self.project is None else self.project(inputs, weights)

    def _kept(self, projected: Tensor, products: list[Tensor]) -> Any:
        """What a step keeps: projected inputs (none if they are there anyway) and products."""
        if self.sums:
            return None, [projected + products[0], *products[1:]]
        return (None if self.project is None else projected), products

    def _beside(self, projected: Tensor) -> Tensor:
        """The projected inputs that a step reads beside the products that were kept."""
        return 0.0 if self.sums else projected

    def _products_of_all_steps(
        self, tensors: StepTensors, before: list[Tensor], kept: Any
    ) -> list[Tensor]:
        """Each product of all steps, (batch * time, columns), as a function of its weight alone."""
        projected, products = jax.tree.map(_rows, kept)
        remaining = iter(products)
        multiplied: list[Tensor] = []

        def product(x: Tensor, weight: Tensor) -> Tensor:
            multiplied.append(jax.lax.stop_gradient(x) @ ops.convert_to_tensor(weight))
            return next(remaining)

        time = before[0].shape[0]
        all_steps = StepTensors(
            self._beside(projected),
            jax.tree.map(_rows, tensors.noise),
            jax.tree.map(lambda x: _rows(jnp.broadcast_to(x, (time, *x.shape))), tensors.rows),
            tensors.weights,
        )
        self.step([_rows(state) for state in before], all_steps, product)
        return multiplied


@jax.custom_vjp
def _replayed(x: Tensor, weight: Tensor, product: Tensor) -> Tensor:
    """The known product of x and weight, without a gradient of the weight."""
    return product


_replayed.defvjp(
    lambda x, weight, product: (product, weight),
    lambda weight, gradient: (gradient @ weight.T, None, gradient),
)


def _rows(x: Tensor) -> Tensor:
    """Merge batch and time: (time, batch, ...) to (batch * time, ...), the order in memory."""
    return x.swapaxes(0, 1).reshape(-1, *x.shape[2:])


def _unrows(rows: Tensor, shape: Any) -> Tensor:
    """Undo `_rows` for a tensor of this shape."""
    time, batch, *rest = shape
    return rows.reshape(batch, time, *rest).swapaxes(0, 1)
