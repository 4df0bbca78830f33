"""Backpropagation through time that keeps only the states of the forward pass.

The gradient that a backend derives for a loop keeps the intermediates of every step and adds up the
gradient of each weight step by step. Here the forward pass keeps the states alone. The backward
pass has three parts:

1. The recurrent products of all steps are computed again, as one product over all steps.
2. A loop runs from the last step to the first and carries the gradient of the state. It takes the
   recurrent products of part 1 as known, so a step multiplies once, by the transposed weight.
3. The gradient of each weight is one product over all steps.

Werbos (1990), Backpropagation through time, for the method; Appleyard et al. (2016), arXiv
1604.01946, for the products that can leave the loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import keras
from keras import ops

from kerasseq.kernels import timeloop
from kerasseq.kernels.gradient import pullback, with_gradient

Tensor = Any
Product = Callable[[Tensor, Tensor], Tensor]
Step = Callable[[list[Tensor], "StepTensors", Product], list[Tensor]]


@dataclass(frozen=True)
class StepTensors:
    """The tensors that a step reads beside the states, of one step or of all steps.

    The shapes are those of one step. With all steps, `projected` and `noise` have time as first
    axis, or time and batch merged into one axis of rows.

    Args:
        projected: Projected inputs, (batch, width).
        noise: A nest of tensors of this step, (batch, ...) each: noise and masks.
        rows: A nest of tensors, (batch, ...) each, that are the same at every step.
        weights: Tensors without a batch axis.
    """

    projected: Tensor
    noise: Any
    rows: Any
    weights: list[Tensor]


def run(
    step: Step, states: list[Tensor], tensors: StepTensors, unroll: bool
) -> tuple[list[Tensor], list[Tensor]]:
    """Carry states over time, with the gradient that this module describes.

    Args:
        step: (states, tensors of the step, product) -> new states. Each row of the new states
            depends on the same row of the arguments alone. It reads no other tensor, and
            multiplies rows by a weight through `product(rows, weight)`.
        states: The first states, (batch, width) each.
        tensors: The tensors of all steps, with time as first axis in `projected` and `noise`.
        unroll: Unroll the loops.

    Returns:
        The final states, and all states after every step, time first.
    """
    nest = [states, tensors.projected, tensors.noise, tensors.rows, tensors.weights]
    count = len(states)

    def unpack(inputs: Iterable[Tensor]) -> tuple[list[Tensor], StepTensors]:
        states, *rest = keras.tree.pack_sequence_as(nest, list(inputs))
        return states, StepTensors(*rest)

    def forward(inputs: Any) -> Any:
        states, tensors = unpack(inputs)

        def forward_step(states: list[Tensor], slices: Any) -> list[Tensor]:
            projected, noise = slices
            of_step = StepTensors(projected, noise, tensors.rows, tensors.weights)
            return step(states, of_step, ops.matmul)

        over_time = [tensors.projected, tensors.noise]
        final, trail = timeloop.run(forward_step, states, over_time, count, unroll)
        return [*final, *trail]

    def keep(inputs: Any, outputs: Any) -> Any:
        return [*inputs, *outputs[count:]]

    def backward(residuals: Any, gradients: Any) -> Any:
        states, tensors = unpack(residuals[:-count])
        trail = residuals[-count:]
        of_states, of_projected, of_weights = _gradients(
            step, states, tensors, trail, gradients, unroll
        )
        none = [keras.tree.map_structure(lambda _: None, part) for part in nest[2:4]]
        return keras.tree.flatten([of_states, of_projected, *none, of_weights])

    outputs = with_gradient(forward, keep, backward, keras.tree.flatten(nest))
    return outputs[:count], outputs[count:]


def _gradients(
    step: Step,
    states: list[Tensor],
    tensors: StepTensors,
    trail: Any,
    gradients: Any,
    unroll: bool,
) -> tuple[list[Tensor], Tensor, list[Tensor | None]]:
    """Gradients of the first states, of the projected inputs and of the weights.

    Args:
        step: As in `run`.
        states: The first states, (batch, width) each.
        tensors: The tensors of all steps.
        trail: The states after every step, (time, batch, width) each.
        gradients: Gradients of the final states, then of the trail.
        unroll: Unroll the loop.
    """
    count, (time, batch) = len(states), ops.shape(trail[0])[:2]
    before = [ops.concatenate([s[None], t])[:-1] for s, t in zip(states, trail, strict=True)]
    all_tensors = StepTensors(
        _rows(tensors.projected),
        keras.tree.map_structure(_rows, tensors.noise),
        keras.tree.map_structure(lambda x: _repeat(x, time), tensors.rows),
        tensors.weights,
    )
    all_before = [_rows(state) for state in before]

    # Part 1: the recurrent products of all steps, as one product each.
    products: list[Tensor] = []

    def multiply(x: Tensor, weight: Tensor) -> Tensor:
        products.append(ops.matmul(x, weight))
        return products[-1]

    step(all_before, all_tensors, multiply)
    # Constants here: in the loop, `_replay` knows how a product depends on its factors, and a
    # second derivative would count that dependence twice.
    per_step = [ops.stop_gradient(ops.reshape(p, (time, batch, p.shape[-1]))) for p in products]

    # Part 2: the loop from the last step to the first.
    def backward_step(carried: list[Tensor], slices: Any) -> list[Tensor]:
        before, projected, noise, products, of_trail = slices
        upstream = [a + b for a, b in zip(carried, of_trail, strict=False)]

        def forward_step(inputs: list[Tensor]) -> list[Tensor]:
            states, (projected, *products) = inputs[:count], inputs[count:]
            of_step = StepTensors(projected, noise, tensors.rows, tensors.weights)
            return step(states, of_step, _replay(products))

        inputs = [*before, projected, *products]
        pulled = pullback(forward_step, inputs, upstream)
        return [ops.zeros_like(x) if g is None else g for g, x in zip(pulled, inputs, strict=True)]

    of_final, of_trail = list(gradients[:count]), list(gradients[count:])
    # Gradients of inputs and products are carried too, because the loop returns carried tensors
    # after every step.
    carried = [*of_final, *(_zeros(x, batch) for x in (tensors.projected, *per_step))]
    over_time = [before, tensors.projected, tensors.noise, per_step, of_trail]
    of_first, back_trail = timeloop.run(
        backward_step, carried, over_time, len(carried), unroll, backwards=True
    )
    of_before, of_projected = back_trail[:count], back_trail[count]
    of_products = back_trail[count + 1 :]

    # Part 3: the gradient of each weight, over all steps at once.
    def all_steps(weights: list[Tensor]) -> list[Tensor]:
        replayed: list[Tensor] = []
        with_weights = replace(all_tensors, weights=weights)
        new_states = step(all_before, with_weights, _replay(products, replayed))
        return [*new_states, *replayed]

    upstream = [
        ops.concatenate([later, last[None]])[1:] + of_state
        for later, last, of_state in zip(of_before, of_final, of_trail, strict=True)
    ]
    rows = [_rows(g) for g in (*upstream, *of_products)]
    return of_first[:count], of_projected, pullback(all_steps, tensors.weights, rows)


def _replay(products: list[Tensor], replayed: list[Tensor] | None = None) -> Product:
    """A product function that returns known results, in order, with the gradient of a product.

    Args:
        products: The results, in the order of the calls.
        replayed: A list that receives each product as a function of its factors. Then the function
            itself returns constants: the gradients of the products are known, and only the way
            from the products to their factors is differentiated. None to return the products as
            functions of their factors.
    """
    remaining = iter(products)

    def backward(residuals: Any, gradients: Any) -> Any:
        (x, weight), (gradient,) = residuals, gradients
        of_x = ops.matmul(gradient, ops.transpose(weight))
        of_weight = ops.matmul(ops.transpose(x), gradient)
        return [of_x, of_weight, gradient if replayed is None else None]

    def product(x: Tensor, weight: Tensor) -> Tensor:
        value = next(remaining)
        result = with_gradient(
            forward=lambda inputs: [inputs[2]],
            keep=lambda inputs, outputs: inputs[:2],
            backward=backward,
            inputs=[x, weight, value],
        )[0]
        if replayed is None:
            return result
        replayed.append(result)
        return value

    return product


def _zeros(x: Tensor, batch: Any) -> Tensor:
    """Zeros of the shape of one step of (time, batch, width), even if there are no steps."""
    return ops.zeros((batch, x.shape[-1]), x.dtype)


def _rows(x: Tensor) -> Tensor:
    """Merge time and batch: (time, batch, ...) to (time * batch, ...)."""
    time, batch, *rest = ops.shape(x)
    return ops.reshape(x, (time * batch, *rest))


def _repeat(x: Tensor, time: Any) -> Tensor:
    """Repeat (batch, ...) at every timestep: (time * batch, ...)."""
    return _rows(ops.broadcast_to(x[None], (time, *ops.shape(x))))
