"""A linear recurrence over chunks of time, all chunks at once.

The work of `keras.ops.associative_scan` grows with the logarithm of the length, and its gradient
keeps a copy for every level. Here three loops compute the states, in about 3 * sqrt(T) steps for a
length T:

1. over the steps of a chunk, for all chunks at once: the product of the factors a and the sum that
   a chunk adds, that is, the map from the state before the chunk to the state after it;
2. over the chunks: these maps give the state that enters each chunk;
3. over the steps of a chunk again, for all chunks at once: the states themselves.

Each coefficient is read twice, and only the states between chunks have a second copy. (Reduce, then
scan: Sengupta et al. 2007, Scan primitives for GPU computing; Merrill & Garland 2016.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from keras import ops

from kerasseq.kernels import timeloop
from kerasseq.kernels.gradient import with_gradient

Tensor = Any
Parts = Sequence[Tensor]  # one tensor, or real and imaginary part
Multiply = Callable[[Parts, Parts], Parts]


def run(
    multiply: Multiply, a: Parts, b: Parts, start: Parts, backwards: bool = False
) -> list[Tensor]:
    """Compute h_t = a_t * h_{t-1} + b_t for every step of every chunk.

    The gradient is the same recurrence in the other direction of time, so the forward pass keeps
    a and h alone.

    Args:
        multiply: The elementwise product of two numbers in parts.
        a: Factors, (steps of a chunk, chunks, batch, width) for each part.
        b: Summands, of the same shape.
        start: The state that enters the first chunk, (batch, width) for each part.
        backwards: Run from the last step of the last chunk to the first step of the first chunk.

    Returns:
        The states after every step, of the shape of `b`.
    """
    count = len(a)

    def group(tensors: Sequence[Tensor]) -> list[Parts]:
        return [tensors[i : i + count] for i in range(0, len(tensors), count)]

    def forward(inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        a, b, start = group(inputs)
        return _states(multiply, a, b, start, backwards)

    def keep(inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Sequence[Tensor]:
        a, _, start = group(inputs)
        return [*a, *start, *outputs]

    def backward(residuals: Sequence[Tensor], gradients: Sequence[Tensor]) -> Sequence[Tensor]:
        a, start, h = group(residuals)
        zeros = [ops.zeros_like(part) for part in start]
        a = _conjugate(a)
        after = _before(a, zeros, not backwards)
        gradients = run(multiply, after, gradients, zeros, not backwards)
        first = (-1, -1) if backwards else (0, 0)
        before = _conjugate(_before(h, start, backwards))
        of_start = multiply([part[first] for part in a], [part[first] for part in gradients])
        return [*multiply(gradients, before), *gradients, *of_start]

    return with_gradient(forward, keep, backward, [*a, *b, *start])


def _states(multiply: Multiply, a: Parts, b: Parts, start: Parts, backwards: bool) -> list[Tensor]:
    """The states after every step, without a hand-written gradient."""
    count = len(a)

    def step(states: list[Tensor], coefficients: list[Tensor]) -> list[Tensor]:
        a, b = coefficients[:count], coefficients[count:]
        return [s + part for s, part in zip(multiply(a, states), b, strict=True)]

    def combine(earlier: list[Tensor], coefficients: list[Tensor]) -> list[Tensor]:
        return [
            *multiply(coefficients[:count], earlier[:count]),
            *step(earlier[count:], coefficients),
        ]

    entering = [part[None] for part in start]
    if a[0].shape[1] != 1:
        zeros = [ops.zeros_like(part[0]) for part in b]
        identity = [ops.ones_like(zeros[0]), *zeros[1:], *zeros]
        chunks, _ = timeloop.run(combine, identity, [*a, *b], 0, False, backwards)
        # The state behind the last chunk enters no other chunk.
        chunks = [part[1:] if backwards else part[:-1] for part in chunks]
        _, leaving = timeloop.run(step, list(start), chunks, count, False, backwards)
        pairs = zip(leaving, entering) if backwards else zip(entering, leaving)
        entering = [ops.concatenate(pair) for pair in pairs]
    return timeloop.run(step, entering, [*a, *b], count, False, backwards)[1]


def _before(x: Parts, edge: Parts, backwards: bool) -> list[Tensor]:
    """x at the step before each step, in the order of the run; `edge` before the first step."""
    return [_shift(part, outer[None, None], backwards) for part, outer in zip(x, edge, strict=True)]


def _shift(x: Tensor, edge: Tensor, backwards: bool) -> Tensor:
    if backwards:
        last = ops.concatenate([x[:1, 1:], edge], axis=1)
        return ops.concatenate([x[1:], last])
    first = ops.concatenate([edge, x[-1:, :-1]], axis=1)
    return ops.concatenate([first, x[:-1]])


def _conjugate(x: Parts) -> list[Tensor]:
    return [x[0], *(-part for part in x[1:])]
