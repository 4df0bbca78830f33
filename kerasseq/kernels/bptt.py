"""Backpropagation through time with the gradient of the state alone in the loop.

A loop's own gradient keeps the intermediates of every step, and adds up each weight's gradient step
by step. Here the states are all that is kept. Going back, one product for all steps makes their
recurrent products anew; the loop carries the gradient of the state; and one product for all steps
gives the gradient of each weight. (Werbos 1990, Backpropagation through time, for the method;
Appleyard et al. 2016, arXiv 1604.01946, for what can leave the loop.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from kerasseq.kernels import timeloop
from kerasseq.kernels.gradient import pullback, with_gradient

Tensor = Any
Product = Callable[[Tensor, Tensor], Tensor]
Step = Callable[[list[Tensor], "Given", Product], list[Tensor]]


@dataclass(frozen=True)
class Given:
    """What a step reads beside the states, for one step or, in rows, for all of them.

    Args:
        projected: Projected inputs, (batch, width).
        noise: A nest of tensors of this step, (batch, ...) each: noise and masks.
        rows: A nest of tensors, (batch, ...) each, that are the same at every step.
        weights: Tensors that have no batch.
    """

    projected: Tensor
    noise: Any
    rows: Any
    weights: list[Tensor]


def run(
    step: Step, states: list[Tensor], given: Given, unroll: bool
) -> tuple[list[Tensor], list[Tensor]]:
    """Carry states over time; see `kerasseq.kernels.timeloop.run`.

    Args:
        step: (states, what is given, product) -> new states, row by row; it reads no other tensor,
            and multiplies rows by a weight through `product(rows, weight)`.
        states: The first states, (batch, width) each.
        given: With time first in `projected` and `noise`.
        unroll: Unroll the loops.

    Returns:
        The final states, and all states after every step, time first.
    """
    nest = [states, given.projected, given.noise, given.rows, given.weights]
    count = len(states)

    def unpacked(inputs: Iterable[Tensor]) -> tuple[list[Tensor], Given]:
        states, *rest = keras.tree.pack_sequence_as(nest, list(inputs))
        return states, Given(*rest)

    def forward(inputs: Any) -> Any:
        states, given = unpacked(inputs)

        def one(states: list[Tensor], now: Any) -> list[Tensor]:
            projected, noise = now
            here = Given(projected, noise, given.rows, given.weights)
            return step(states, here, ops.matmul)

        over_time = [given.projected, given.noise]
        final, trail = timeloop.run(one, states, over_time, count, unroll)
        return [*final, *trail]

    def keep(inputs: Any, outputs: Any) -> Any:
        return [*inputs, *outputs[count:]]

    def backward(kept: Any, gradients: Any) -> Any:
        states, given = unpacked(kept[:-count])
        found = _gradients(step, states, given, kept[-count:], gradients, unroll)
        none = [keras.tree.map_structure(lambda _: None, part) for part in nest[2:4]]
        return keras.tree.flatten([*found[:2], *none, found[2]])

    outputs = with_gradient(forward, keep, backward, keras.tree.flatten(nest))
    return outputs[:count], outputs[count:]


def _gradients(
    step: Step, states: list[Tensor], given: Given, trail: Any, gradients: Any, unroll: bool
) -> tuple[list[Tensor], Tensor, list[Tensor | None]]:
    """Those of the first states, of the projected inputs and of the weights."""
    count, (time, batch) = len(states), ops.shape(trail[0])[:2]
    before = [ops.concatenate([s[None], t])[:-1] for s, t in zip(states, trail, strict=True)]
    every = Given(
        _rows(given.projected),
        keras.tree.map_structure(_rows, given.noise),
        keras.tree.map_structure(lambda x: _repeated(x, time), given.rows),
        given.weights,
    )
    every_before = [_rows(state) for state in before]

    products: list[Tensor] = []

    def multiply(x: Tensor, weight: Tensor) -> Tensor:
        products.append(ops.matmul(x, weight))
        return products[-1]

    step(every_before, every, multiply)
    # In the loop they depend on what they are made of through `_known` alone, or another derivative
    # would count that twice.
    per_step = [ops.stop_gradient(ops.reshape(p, (time, batch, p.shape[-1]))) for p in products]

    def back(later: list[Tensor], now: Any) -> list[Tensor]:
        before, projected, noise, products, shown = now
        upstream = [a + b for a, b in zip(later, shown, strict=False)]

        def new(inputs: list[Tensor]) -> list[Tensor]:
            states, (projected, *products) = inputs[:count], inputs[count:]
            here = Given(projected, noise, given.rows, given.weights)
            return step(states, here, _known(products))

        inputs = [*before, projected, *products]
        found = pullback(new, inputs, upstream)
        return [ops.zeros_like(x) if g is None else g for g, x in zip(found, inputs, strict=True)]

    final, shown = list(gradients[:count]), list(gradients[count:])
    # Those of inputs and products are carried for their trail alone.
    carried = [*final, *(_zeros(x, batch) for x in (given.projected, *per_step))]
    over_time = [before, given.projected, given.noise, per_step, shown]
    first, trail = timeloop.run(back, carried, over_time, len(carried), unroll, backwards=True)
    entered, of_projected, of_products = trail[:count], trail[count], trail[count + 1 :]

    def made(weights: list[Tensor]) -> list[Tensor]:
        own: list[Tensor] = []
        here = Given(every.projected, every.noise, every.rows, weights)
        new = step(every_before, here, _known(products, own))
        return [*new, *own]

    upstream = [
        ops.concatenate([e, last[None]])[1:] + own
        for e, last, own in zip(entered, final, shown, strict=True)
    ]
    found = pullback(made, given.weights, [_rows(g) for g in (*upstream, *of_products)])
    return first[:count], of_projected, found


def _known(products: list[Tensor], own: list[Tensor] | None = None) -> Product:
    """Gives products that were made already, in their order, with the gradient of a product.

    Args:
        products: The results.
        own: Takes the products as functions of what was multiplied, where the gradients of the
            products are known; to the rest of a step they are then constants.
    """
    left = iter(products)

    def backward(kept: Any, gradients: Any) -> Any:
        (x, weight), (gradient,) = kept, gradients
        of_x = ops.matmul(gradient, ops.transpose(weight))
        of_weight = ops.matmul(ops.transpose(x), gradient)
        return [of_x, of_weight, gradient if own is None else None]

    def product(x: Tensor, weight: Tensor) -> Tensor:
        known = next(left)
        result = with_gradient(
            forward=lambda inputs: [inputs[2]],
            keep=lambda inputs, outputs: inputs[:2],
            backward=backward,
            inputs=[x, weight, known],
        )[0]
        if own is None:
            return result
        own.append(result)
        return known

    return product


def _zeros(x: Tensor, batch: Any) -> Tensor:
    """Those of one step of (time, batch, width), be there any or none."""
    return ops.zeros((batch, x.shape[-1]), x.dtype)


def _rows(x: Tensor) -> Tensor:
    """(time, batch, ...) to (time * batch, ...)."""
    time, batch, *rest = ops.shape(x)
    return ops.reshape(x, (time * batch, *rest))


def _repeated(x: Tensor, time: Any) -> Tensor:
    """(batch, ...) to (time * batch, ...)."""
    return _rows(ops.broadcast_to(x[None], (time, *ops.shape(x))))
