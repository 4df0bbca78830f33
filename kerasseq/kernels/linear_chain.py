"""Sums over all paths through a linear chain, and the best path.

A path has one of K labels at every timestep. Its score is the sum of the unary scores of its labels
and of the transition scores between neighbours. All functions here take

- unary: scores of each label at each timestep, (batch, time, K), with the scores of the start and
  of the end added to the first and the last unmasked timestep;
- transitions: (K, K), from a label to the next one;
- mask: (batch, time) booleans. A masked timestep is skipped wherever it is: the label after it
  follows the label before it. A row that is fully masked has one path, with score 0.

Sums are computed by two recursions of the same form, one from each end: on a CPU in the extension
in C++, elsewhere in one loop, so that the sum over all paths and its gradient, which is the
probability of each label and of each transition, cost one loop together.

Lafferty, McCallum & Pereira (2001), Conditional random fields; Rabiner (1989), A tutorial on hidden
Markov models, for forward-backward and Viterbi.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keras import ops

from kerasseq import kernels
from kerasseq.kernels import native, timeloop
from kerasseq.kernels.gradient import with_gradient
from kerasseq.kernels.sequence_call import CallContext, backend, device

__all__ = ["best_path", "log_partition", "marginals", "path_scores", "runs_in_extension"]

Tensor = Any

Step = Callable[[Tensor, Tensor, Tensor], Tensor]

_TINY = 1e-290  # the least weight of a transition in `_Products`
_BLOCK = 8  # timesteps in a turn of the loop


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
    chosen = ops.take_along_axis(unary, labels[..., None], axis=-1)[..., 0]
    rank, before = _unmasked_before(mask)
    previous = ops.take_along_axis(labels, before, axis=1)
    into = ops.take(ops.reshape(transitions, (-1,)), previous * width + labels, axis=0)
    return ops.where(mask, chosen, 0.0) + ops.where(ops.logical_and(mask, rank > 0), into, 0.0)


def log_partition(unary: Tensor, transitions: Tensor, mask: Tensor) -> Tensor:
    """The logarithm of the sum of exp(score) over all paths, (batch,).

    Its gradient is written by hand; second derivatives are refused.
    """
    run = _in_extension if runs_in_extension(unary) else _in_a_loop
    return run(unary, transitions, mask)


def runs_in_extension(unary: Tensor = None) -> bool:
    """Whether sums over all paths are computed by the extension: on a CPU, where it is installed.

    Args:
        unary: See the module; None to ask for float32 scores of any size.
    """
    shape = (None, None, None) if unary is None else unary.shape
    return not kernels.is_portable() and native.sums_chains(
        CallContext(backend(), shape[1], device=device(unary), batch=shape[0])
    )


def _in_extension(unary: Tensor, transitions: Tensor, mask: Tensor) -> Tensor:
    """`log_partition` in C++, in float64 inside."""
    extension = native.on_backend()

    def forward(inputs: Any) -> list[Tensor]:
        return [extension.chain(*inputs)]

    def keep(inputs: Any, outputs: Any) -> list[Tensor]:
        return list(inputs)

    def backward(residuals: Any, gradients: Any) -> list[Tensor | None]:
        inputs = [*residuals, gradients[0]]
        gradient = _once_differentiable(lambda inputs: extension.chain_gradient(*inputs), inputs)
        return [*gradient, None]

    return with_gradient(forward, keep, backward, [unary, transitions, mask])[0]


def _in_a_loop(unary: Tensor, transitions: Tensor, mask: Tensor) -> Tensor:
    """`log_partition` in operations of Keras."""

    def forward(inputs: Any) -> list[Tensor]:
        unary, transitions, mask = inputs
        return list(_chain(unary, transitions, mask).run())

    def keep(inputs: Any, outputs: Any) -> list[Tensor]:
        return [*inputs, *outputs[1:]]

    def backward(residuals: Any, gradients: Any) -> list[Tensor | None]:
        unary, transitions, mask, *messages = residuals
        forward, backward = _once_differentiable(list, messages)
        chain = _chain(unary, transitions, mask)
        of_unary, of_transitions = chain.gradients(forward, backward, gradients[0])
        return [of_unary, of_transitions, None]

    return with_gradient(forward, keep, backward, [unary, transitions, mask])[0]


def marginals(unary: Tensor, transitions: Tensor, mask: Tensor) -> Tensor:
    """The probability of each label at each timestep, (batch, time, K); 0 where masked."""
    if runs_in_extension(unary):
        ones = ops.ones(ops.shape(unary)[:1], unary.dtype)
        return native.on_backend().chain_gradient(unary, transitions, mask, ones)[0]
    chain = _chain(unary, transitions, mask)
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


class _Products:
    """Both recursions, in float64: each step is a product with exponentials.

    A message is divided by its largest element before each step. What is 700 nats below it is lost,
    further than scores are apart in practice, and then weighs `_TINY`, so that nothing becomes 0.
    Products are written `@`, since `keras.ops.matmul` rounds float64 to float32 on PyTorch.
    """

    def __init__(self, unary: Tensor, transitions: Tensor, mask: Tensor) -> None:
        self.mask, self.dtype = mask, unary.dtype
        unary, transitions = ops.cast(unary, "float64"), ops.cast(transitions, "float64")
        self.peaks, self.shift = _peak(unary), ops.max(transitions)
        self.unary = ops.exp(unary - self.peaks)
        self.transitions = ops.exp(transitions - self.shift) + _TINY

    def run(self) -> tuple[Tensor, Tensor, Tensor]:
        """The log partition function, (batch,), and both messages, (batch, time, K).

        Messages include the unary score of their timestep, and lack a factor per timestep.
        """
        factors = ops.stack([self.transitions, ops.transpose(self.transitions)])

        def step(message: Tensor, unary: Tensor, later: Tensor) -> Tensor:
            return ops.where(later, (message / _peak(message)) @ factors * unary, message)

        forward, backward = _both_ways(step, self.unary, self.mask)
        later = ops.cast(_later(self.mask)[0], "float64")
        scales = ops.log(_peak(forward)[..., 0]) + self.peaks[..., 0]
        total = ops.sum(ops.where(self.mask, scales, 0.0) + later * self.shift, axis=1)
        last = forward[:, -1] / _peak(forward[:, -1])
        total = total + ops.log(ops.sum(last, axis=-1))
        total = ops.where(ops.any(self.mask, axis=1), total, 0.0)
        return ops.cast(total, self.dtype), forward, backward

    def marginals(self, forward: Tensor, backward: Tensor) -> Tensor:
        """The probability of each label at each timestep, (batch, time, K); 0 where masked."""
        after = (backward / _peak(backward)) @ ops.transpose(self.transitions)
        after = ops.concatenate([after[:, 1:], ops.ones_like(after[:, :1])], axis=1)
        is_last = ops.flip(_first(ops.flip(self.mask, axis=1)), axis=1)[..., None]
        shares = forward / _peak(forward) * ops.where(is_last, 1.0, after / _peak(after))
        probabilities = shares / (ops.sum(shares, axis=-1, keepdims=True) + _TINY)
        return ops.where(self.mask[..., None], probabilities, 0.0)

    def gradients(self, forward: Tensor, backward: Tensor, gradient: Tensor) -> tuple[Tensor, ...]:
        """Gradients of the unary scores and of the transitions.

        Args:
            forward: Messages of `run`.
            backward: Messages of `run`.
            gradient: Gradient of the log partition function, (batch,).
        """
        gradient = ops.cast(gradient, "float64")[:, None, None]
        of_unary = self.marginals(forward, backward) * gradient
        before = (forward / _peak(forward))[:, :-1]
        after = (backward / _peak(backward))[:, 1:]
        later = _later(self.mask)[0][:, 1:, None]
        total = ops.sum(before @ self.transitions * after, axis=-1, keepdims=True)
        after = after * ops.where(later, gradient / (total + _TINY), 0.0)
        rows = (-1, after.shape[-1])
        shares = ops.transpose(ops.reshape(before, rows)) @ ops.reshape(after, rows)
        of_transitions = self.transitions * shares
        return ops.cast(of_unary, self.dtype), ops.cast(of_transitions, self.dtype)


class _LogSums:
    """Both recursions, in log space and float32: each step is a sum over all pairs of labels.

    It is for backends without float64, as JAX is by default, and as exact as float32 is. XLA
    compiles a step into few loops.
    """

    def __init__(self, unary: Tensor, transitions: Tensor, mask: Tensor) -> None:
        self.unary, self.transitions, self.mask = unary, transitions, mask

    def run(self) -> tuple[Tensor, Tensor, Tensor]:
        """As of `_Products`; the messages are logarithms."""
        transitions = ops.stack([self.transitions, ops.transpose(self.transitions)])[:, None]

        def step(message: Tensor, unary: Tensor, later: Tensor) -> Tensor:
            scores = (message - _peak(message))[..., None] + transitions
            return ops.where(later, unary + _log_sum(scores, axis=-2)[..., 0, :], message)

        forward, backward = _both_ways(step, self.unary, self.mask)
        total = ops.sum(ops.where(self.mask, _peak(forward)[..., 0], 0.0), axis=1)
        total = total + _log_sum(forward[:, -1] - _peak(forward[:, -1]))[..., 0]
        return ops.where(ops.any(self.mask, axis=1), total, 0.0), forward, backward

    def marginals(self, forward: Tensor, backward: Tensor) -> Tensor:
        """As of `_Products`."""
        scores = forward + backward - self.unary
        return ops.where(self.mask[..., None], ops.exp(scores - _log_sum(scores)), 0.0)

    def gradients(self, forward: Tensor, backward: Tensor, gradient: Tensor) -> tuple[Tensor, ...]:
        """As of `_Products`."""
        of_unary = self.marginals(forward, backward) * gradient[:, None, None]
        before = forward[:, :-1] - _peak(forward)[:, :-1]
        later = _later(self.mask)[0][:, 1:, None]
        incoming = ops.where(later, (forward - self.unary)[:, 1:], 0.0)  # sums of `step`
        weights = ops.where(later, of_unary[:, 1:], 0.0)
        scores = ops.where(later, before, 0.0)[..., None] + self.transitions
        shares = ops.exp(ops.minimum(scores - incoming[..., None, :], 0.0))
        return of_unary, ops.sum(shares * weights[..., None, :], axis=(0, 1))


def _chain(unary: Tensor, transitions: Tensor, mask: Tensor) -> _Products | _LogSums:
    has_float64 = backend() != "jax" and device(unary) in ("cpu", "gpu")
    return (_Products if has_float64 else _LogSums)(unary, transitions, mask)


def _both_ways(step: Step, unary: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Messages of one recursion from each end, (batch, time, K), both in one loop.

    Args:
        step: (message, unary, later) -> the next message, (2, batch, K), for both directions; the
            same message where `later` is false.
        unary: (batch, time, K); the first message belongs to the first unmasked timestep.
        mask: (batch, time).
    """
    both = ops.stack([unary, ops.flip(unary, axis=1)])
    later, first = _later(ops.stack([mask, ops.flip(mask, axis=1)]))
    start = ops.take_along_axis(both, first[..., None, None], axis=2)[:, :, 0]
    steps = [ops.transpose(both, (2, 0, 1, 3)), ops.transpose(later, (2, 0, 1))[..., None]]
    trail = (_in_blocks if backend() == "tensorflow" else _one_by_one)(step, start, steps)
    return (
        ops.transpose(trail[:, 0], (1, 0, 2)),
        ops.flip(ops.transpose(trail[:, 1], (1, 0, 2)), axis=1),
    )


def _one_by_one(step: Step, start: Tensor, steps: list[Tensor]) -> Tensor:
    """All messages, (time, 2, batch, K), one timestep in each turn of the loop."""
    _, (trail,) = timeloop.run(
        lambda states, slices: [step(states[0], *slices)], [start], steps, 1, False
    )
    return trail


def _in_blocks(step: Step, start: Tensor, steps: list[Tensor]) -> Tensor:
    """All messages, `_BLOCK` timesteps a turn, as a turn costs TensorFlow more than a step."""
    time = ops.shape(steps[0])[0]

    def blocks(x: Tensor) -> Tensor:
        padding = ops.zeros((-time % _BLOCK, *ops.shape(x)[1:]), x.dtype)
        return ops.reshape(ops.concatenate([x, padding]), (-1, _BLOCK, *ops.shape(x)[1:]))

    def block(states: list[Tensor], slices: list[Tensor]) -> list[Tensor]:
        message, trail = states[1], []
        for unary, later in zip(*(ops.unstack(x, _BLOCK) for x in slices), strict=True):
            message = step(message, unary, later)
            trail.append(message)
        return [ops.stack(trail), message]

    first = ops.stack([start] * _BLOCK)
    _, (trail,) = timeloop.run(block, [first, start], [blocks(x) for x in steps], 1, False)
    return ops.reshape(trail, (-1, *ops.shape(start)))[:time]


def _peak(x: Tensor) -> Tensor:
    return ops.max(x, axis=-1, keepdims=True)


def _log_sum(x: Tensor, axis: int = -1) -> Tensor:
    """The logarithm of a sum of exponentials, of finite numbers alone."""
    peak = ops.max(x, axis=axis, keepdims=True)
    return peak + ops.log(ops.sum(ops.exp(x - peak), axis=axis, keepdims=True))


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


def _first(mask: Tensor) -> Tensor:
    """Whether a timestep is the first unmasked one, (batch, time)."""
    return ops.logical_and(mask, ops.logical_not(_later(mask)[0]))


def _unmasked_before(mask: Tensor) -> tuple[Tensor, Tensor]:
    """The number of unmasked timesteps before each timestep, and the index of the last of them."""
    time = ops.arange(ops.shape(mask)[1], dtype="int32")
    ordered = ops.argsort(ops.where(mask, time, time + ops.shape(mask)[1]), axis=1)
    rank = ops.cumsum(ops.cast(mask, "int32"), axis=1) - ops.cast(mask, "int32")
    before = ops.take_along_axis(ordered, ops.maximum(rank - 1, 0), axis=1)
    return rank, ops.cast(before, "int32")


def _once_differentiable(run: Callable[[Any], list[Tensor]], inputs: list[Tensor]) -> list[Tensor]:
    """Compute `run(inputs)`, of which a gradient is an error: it is a gradient already."""

    def refuse(*_: Any) -> Any:
        raise NotImplementedError(
            "the sum over all paths of a CRF has first derivatives only, and a second one was "
            "asked for. Take the gradient of its loss once."
        )

    return with_gradient(run, lambda *_: [], refuse, inputs)
