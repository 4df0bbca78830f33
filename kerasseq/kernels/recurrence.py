"""A linear recurrence over chunks of time, all chunks at once.

The work of `keras.ops.associative_scan` grows with the logarithm of the length, and its gradient
keeps a copy for every level. Here each step of a chunk is taken for all chunks together: once to
learn what a chunk makes of any state that enters it, then, the states that do enter known, once
more for the states themselves. A length T takes about 3 * sqrt(T) steps, each coefficient is read
twice, and of the states between chunks alone there is a second copy. (Reduce, then scan: Sengupta
et al. 2007, Scan primitives for GPU computing; Merrill & Garland 2016.)
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
    """h_t = a_t * h_{t-1} + b_t for every step of every chunk.

    Its gradient is the same recurrence the other way, so that nothing is kept but a and h.

    Args:
        multiply: The elementwise product of two numbers in parts.
        a: Factors, (steps of a chunk, chunks, batch, width) for each part.
        b: Summands, of the same shape.
        start: The state that enters the first chunk, (batch, width) for each part.
        backwards: From the last step of the last chunk to the first of the first.

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

    def backward(kept: Sequence[Tensor], gradients: Sequence[Tensor]) -> Sequence[Tensor]:
        a, start, h = group(kept)
        zeros = [ops.zeros_like(part) for part in start]
        a = _conjugate(a)
        after = _before(a, zeros, not backwards)
        gradients = run(multiply, after, gradients, zeros, not backwards)
        first = (-1, -1) if backwards else (0, 0)
        before = _conjugate(_before(h, start, backwards))
        entered = multiply([part[first] for part in a], [part[first] for part in gradients])
        return [*multiply(gradients, before), *gradients, *entered]

    return with_gradient(forward, keep, backward, [*a, *b, *start])


def _states(multiply: Multiply, a: Parts, b: Parts, start: Parts, backwards: bool) -> list[Tensor]:
    """The states after every step, without a gradient of their own."""
    count = len(a)

    def step(states: list[Tensor], now: list[Tensor]) -> list[Tensor]:
        a, b = now[:count], now[count:]
        return [s + part for s, part in zip(multiply(a, states), b, strict=True)]

    def combine(stretch: list[Tensor], now: list[Tensor]) -> list[Tensor]:
        return [*multiply(now[:count], stretch[:count]), *step(stretch[count:], now)]

    entering = [part[None] for part in start]
    if a[0].shape[1] != 1:
        zeros = [ops.zeros_like(part[0]) for part in b]
        identity = [ops.ones_like(zeros[0]), *zeros[1:], *zeros]
        chunks, _ = timeloop.run(combine, identity, [*a, *b], 0, False, backwards)
        # What the last chunk leaves behind enters no other.
        chunks = [part[1:] if backwards else part[:-1] for part in chunks]
        _, left = timeloop.run(step, list(start), chunks, count, False, backwards)
        both = zip(left, entering) if backwards else zip(entering, left)
        entering = [ops.concatenate(pair) for pair in both]
    return timeloop.run(step, entering, [*a, *b], count, False, backwards)[1]


def _before(x: Parts, edge: Parts, backwards: bool) -> list[Tensor]:
    """For each step, x at the step before it in running order; at the first of all, the edge."""
    return [_shift(part, outer[None, None], backwards) for part, outer in zip(x, edge, strict=True)]


def _shift(x: Tensor, edge: Tensor, backwards: bool) -> Tensor:
    if backwards:
        last = ops.concatenate([x[:1, 1:], edge], axis=1)
        return ops.concatenate([x[1:], last])
    first = ops.concatenate([edge, x[-1:, :-1]], axis=1)
    return ops.concatenate([first, x[:-1]])


def _conjugate(x: Parts) -> list[Tensor]:
    return [x[0], *(-part for part in x[1:])]
