"""Sums over all paths through a linear chain, and the best path.

A path has one of K labels at every timestep. Its score is the sum of the unary scores of its labels
and of the transition scores between neighbours. All functions here take

- unary: scores of each label at each timestep, (batch, time, K), with the scores of the start and
  of the end added to the first and the last unmasked timestep;
- transitions: (K, K), from a label to the next one;
- mask: (batch, time) booleans. A masked timestep is skipped wherever it is: the label after it
  follows the label before it. A row that is fully masked has one path, with score 0.

Sums are computed by two recursions of the same form, one from each end. Both run in one loop, so
that the sum over all paths and its gradient, which is the probability of each label and of each
transition, cost one loop together.

Lafferty, McCallum & Pereira (2001), Conditional random fields; Rabiner (1989), A tutorial on hidden
Markov models, for forward-backward and Viterbi.
"""

from __future__ import annotations

from typing import Any

from keras import ops

from kerasseq.kernels import timeloop
from kerasseq.kernels.gradient import with_gradient
from kerasseq.kernels.sequence_call import backend, device

__all__ = ["best_path", "log_partition", "marginals", "path_scores"]

Tensor = Any

_TINY = 1e-300  # added before a logarithm in float64


def path_scores(unary: Tensor, transitions: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    """The terms of the score of a path, (batch, time): of each label and the transition to it.

    Args:
        unary: See the module.
        transitions: See the module.
        labels: int (batch, time), from 0 to K - 1 where the mask is true.
        mask: See the module.
    """
    width = unary.shape[-1]
    labels = ops.where(mask, ops.cast(labels, "int32"), 0)
    own = ops.take_along_axis(unary, labels[..., None], axis=-1)[..., 0]
    rank, before = _unmasked_before(mask)
    previous = ops.take_along_axis(labels, before, axis=1)
    into = ops.take(ops.reshape(transitions, (-1,)), previous * width + labels, axis=0)
    return ops.where(mask, own, 0.0) + ops.where(ops.logical_and(mask, rank > 0), into, 0.0)


def log_partition(unary: Tensor, transitions: Tensor, mask: Tensor) -> Tensor:
    """The logarithm of the sum of exp(score) over all paths, (batch,).

    Its gradient is written by hand; second derivatives are refused.
    """

    def forward(inputs: Any) -> list[Tensor]:
        unary, transitions, mask = inputs
        return list(_Chain(unary, transitions, mask).run())

    def keep(inputs: Any, outputs: Any) -> list[Tensor]:
        return [*inputs, *outputs[1:]]

    def backward(residuals: Any, gradients: Any) -> list[Tensor | None]:
        unary, transitions, mask, *messages = residuals
        of_unary, of_transitions = _Chain(unary, transitions, mask).gradients(
            *_without_second_derivative(messages), gradients[0]
        )
        return [of_unary, of_transitions, None]

    return with_gradient(forward, keep, backward, [unary, transitions, mask])[0]


def marginals(unary: Tensor, transitions: Tensor, mask: Tensor) -> Tensor:
    """The probability of each label at each timestep, (batch, time, K); 0 where masked."""
    chain = _Chain(unary, transitions, mask)
    _, forward, backward = chain.run()
    return ops.cast(chain.marginals(forward, backward), unary.dtype)


def best_path(unary: Tensor, transitions: Tensor, mask: Tensor) -> Tensor:
    """The labels of the path with the highest score, int (batch, time); 0 where masked."""
    width, over_time = unary.shape[-1], _time_first(unary)
    later, first = _later(mask)
    start = ops.take_along_axis(unary, first[:, None, None], axis=1)[:, 0]
    stay = ops.zeros_like(start, dtype="int32") + ops.arange(width, dtype="int32")

    def forward(states: list[Tensor], slices: Any) -> list[Tensor]:
        _, state = states
        unary, later = slices
        scores = (state - ops.max(state, axis=-1, keepdims=True))[..., None] + transitions
        pointers = ops.cast(ops.argmax(scores, axis=1), "int32")
        new = unary + ops.max(scores, axis=1)
        return [ops.where(later, pointers, stay), ops.where(later, new, state)]

    def back(states: list[Tensor], pointers: Tensor) -> list[Tensor]:
        return [ops.cast(ops.take_along_axis(pointers, states[0], axis=1), "int32")]

    steps = [over_time, _time_first(later[..., None])]
    (_, final), (pointers,) = timeloop.run(forward, [stay, start], steps, 1, False)
    last = ops.cast(ops.argmax(final, axis=-1, keepdims=True), "int32")
    _, (trail,) = timeloop.run(back, [last], pointers, 1, False, backwards=True)
    path = ops.concatenate([trail[1:], last[None]])[..., 0]
    return ops.where(mask, ops.transpose(path), 0)


class _Chain:
    """The forward and the backward recursion over a chain, and their gradient.

    The recursions carry log messages. Where there is float64, a step is a product with the
    exponentials of the transitions, whose range of 700 nats no scores exceed in practice; elsewhere
    (JAX by default) it is a sum over all pairs of labels in log space, exact in float32 and fast
    only where XLA compiles it.
    """

    def __init__(self, unary: Tensor, transitions: Tensor, mask: Tensor) -> None:
        self.mask, self.dtype = mask, unary.dtype
        self.by_products = backend() != "jax" and device(unary) in ("cpu", "gpu")
        wide = "float64" if self.by_products else "float32"
        self.unary, transitions = ops.cast(unary, wide), ops.cast(transitions, wide)
        self.transitions = transitions
        if self.by_products:
            self.shift = ops.max(transitions)
            self.factors = ops.exp(transitions - self.shift)

    def run(self) -> tuple[Tensor, Tensor, Tensor]:
        """The log partition function, (batch,), and both messages, (batch, time, K).

        Messages include the unary score of their own timestep, and lack a constant per timestep.
        """
        unary = ops.stack([self.unary, ops.flip(self.unary, axis=1)])
        mask = ops.stack([self.mask, ops.flip(self.mask, axis=1)])
        later, first = _later(mask)
        start = ops.take_along_axis(unary, first[..., None, None], axis=2)[:, :, 0]
        step = self._product_step() if self.by_products else self._log_step()
        steps = [ops.transpose(unary, (2, 0, 1, 3)), ops.transpose(later, (2, 0, 1))[..., None]]
        (final,), (trail,) = timeloop.run(step, [start], steps, 1, False)
        peaks = ops.where(self.mask, ops.transpose(ops.max(trail[:, 0], axis=-1)), 0.0)
        total = ops.sum(peaks, axis=1) + _log_sum(final[0] - _peak(final[0]))[..., 0]
        if self.by_products:
            steps_taken = ops.sum(ops.cast(later[0], total.dtype), axis=1)
            total = total + steps_taken * self.shift
        total = ops.where(ops.any(self.mask, axis=1), total, 0.0)
        return (
            ops.cast(total, self.dtype),
            ops.transpose(trail[:, 0], (1, 0, 2)),
            ops.flip(ops.transpose(trail[:, 1], (1, 0, 2)), axis=1),
        )

    def _product_step(self) -> timeloop.Step:
        factors = ops.stack([self.factors, ops.transpose(self.factors)])

        def step(states: list[Tensor], slices: Any) -> list[Tensor]:
            (state,), (unary, later) = states, slices
            incoming = ops.matmul(ops.exp(state - _peak(state)), factors)
            return [ops.where(later, unary + ops.log(incoming + _TINY), state)]

        return step

    def _log_step(self) -> timeloop.Step:
        transitions = ops.stack([self.transitions, ops.transpose(self.transitions)])[:, None]

        def step(states: list[Tensor], slices: Any) -> list[Tensor]:
            (state,), (unary, later) = states, slices
            scores = (state - _peak(state))[..., None] + transitions
            return [ops.where(later, unary + _log_sum(scores, axis=-2)[..., 0, :], state)]

        return step

    def marginals(self, forward: Tensor, backward: Tensor) -> Tensor:
        """The probability of each label at each timestep, (batch, time, K); 0 where masked."""
        scores = forward + backward - self.unary
        probabilities = ops.exp(scores - _log_sum(scores))
        return ops.where(self.mask[..., None], probabilities, 0.0)

    def gradients(self, forward: Tensor, backward: Tensor, gradient: Tensor) -> tuple[Tensor, ...]:
        """Gradients of the unary scores and of the transitions.

        Args:
            forward: Messages of `run`.
            backward: Messages of `run`.
            gradient: Gradient of the log partition function, (batch,).
        """
        gradient = ops.cast(gradient, forward.dtype)[:, None, None]
        of_unary = self.marginals(forward, backward) * gradient
        later = _later(self.mask)[0][:, 1:, None]
        if self.by_products:
            before = ops.exp(forward - _peak(forward))[:, :-1]
            after = ops.exp(backward - _peak(backward))[:, 1:]
            total = ops.sum(ops.matmul(before, self.factors) * after, axis=-1, keepdims=True)
            after = after * ops.where(later, gradient / (total + _TINY), 0.0)
            of_transitions = self.factors * ops.tensordot(before, after, axes=[[0, 1], [0, 1]])
        else:
            scores = forward[:, :-1, :, None] + self.transitions
            shares = ops.exp(scores - _log_sum(scores, axis=-2))
            weights = ops.where(later, of_unary[:, 1:], 0.0)
            of_transitions = ops.sum(shares * weights[..., None, :], axis=(0, 1))
        return ops.cast(of_unary, self.dtype), ops.cast(of_transitions, self.dtype)


def _peak(x: Tensor) -> Tensor:
    return ops.max(x, axis=-1, keepdims=True)


def _log_sum(x: Tensor, axis: int = -1) -> Tensor:
    return ops.logsumexp(x, axis=axis, keepdims=True)


def _time_first(x: Tensor) -> Tensor:
    return ops.transpose(x, (1, 0, 2))


def _later(mask: Tensor) -> tuple[Tensor, Tensor]:
    """Whether a timestep is unmasked and not the first such one, and the index of the first.

    Args:
        mask: (..., time).
    """
    first = ops.argmax(ops.cast(mask, "int32"), axis=-1)
    time = ops.arange(ops.shape(mask)[-1], dtype=first.dtype)
    return ops.logical_and(mask, time > first[..., None]), first


def _unmasked_before(mask: Tensor) -> tuple[Tensor, Tensor]:
    """The number of unmasked timesteps before each timestep, and the index of the last of them."""
    time = ops.arange(ops.shape(mask)[1], dtype="int32")
    ordered = ops.argsort(ops.where(mask, time, time + ops.shape(mask)[1]), axis=1)
    rank = ops.cumsum(ops.cast(mask, "int32"), axis=1) - ops.cast(mask, "int32")
    before = ops.take_along_axis(ordered, ops.maximum(rank - 1, 0), axis=1)
    return rank, ops.cast(before, "int32")


def _without_second_derivative(tensors: list[Tensor]) -> list[Tensor]:
    """The same tensors; an error where a gradient is taken through them."""

    def refuse(*_: Any) -> Any:
        raise NotImplementedError(
            "the sum over all paths of a CRF has first derivatives only, and a second one was "
            "asked for. Take the gradient of its loss once."
        )

    return with_gradient(lambda inputs: list(inputs), lambda *_: [], refuse, tensors)
