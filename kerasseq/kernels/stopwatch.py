"""Kernels timed on first use: for `kernel="fastest"`, which asks the clock and not the table."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

import keras
from keras import ops

from kerasseq.kernels.sequence_call import CallContext, Result, SequenceCall

_UNKNOWN = 32  # stands for a size that is unknown while tracing
_ROUNDS = 5

Run = Callable[[str, Any, SequenceCall], Result]
Times = dict[str, float]  # seconds by kernel

_known: dict[Any, Times] = {}


def times(cell: Any, context: CallContext, names: Sequence[str], run: Run) -> Times:
    """Median seconds that kernels take, measured once in this process for a cell and context.

    In training a step forward and backward, else one forward: on random sequences, without noise,
    in turns. Cells count as the same where their configs are, sizes where the next power of two is.

    Args:
        cell: A cell of kerasseq.
        context: Of it; `inputs` must be known, other sizes are taken for 32 if they are not.
        names: The kernels, each of which can run the cell.
        run: Runs the kernel of a name on a cell and a pass.
    """
    like = replace(
        context,
        batch=_rounded(context.batch or _UNKNOWN),
        timesteps=_rounded(context.timesteps or _UNKNOWN),
    )
    # Its own dtype: what a mixed policy casts, a layer casts that is not there.
    config = {**cell.get_config(), "dtype": cell.compute_dtype, "name": None, "seed": None}
    key = (type(cell), repr(sorted(config.items())), like, tuple(names))
    if key not in _known:
        with ThreadPoolExecutor(1) as thread:  # which is in the middle of no trace
            _known[key] = thread.submit(_measure, type(cell), config, like, names, run).result()
    return _known[key]


def _rounded(size: int) -> int:
    return 1 << (size - 1).bit_length()


def _measure(
    kind: Any, config: dict[str, Any], like: CallContext, names: Sequence[str], run: Run
) -> Times:
    cell = kind.from_config(config)  # with variables of its own
    cell.build((like.batch, like.inputs))
    shape: Any = (like.batch, like.timesteps, like.inputs)
    draw = keras.random.SeedGenerator(0)
    sequences = keras.random.normal(shape, dtype=cell.compute_dtype, seed=draw)
    mask = keras.random.uniform(shape[:2], seed=draw) < 0.9 if like.masked else None

    def total(name: str, sequences: Any) -> Any:
        sequence = SequenceCall(
            sequences=sequences,
            states=cell.get_initial_state(like.batch),
            mask=mask,
            training=False,
            go_backwards=False,
            return_sequences=True,
            zero_output_for_mask=False,
            unroll=like.unroll,
            fallback=lambda: run(name, cell, sequence),  # Keras's loop is never timed
        )
        return ops.sum(run(name, cell, sequence)[1])

    step_of = {"tensorflow": _tensorflow, "jax": _jax, "torch": _torch}[like.backend]
    steps = {
        name: step_of(partial(total, name), sequences, cell.trainable_variables, like.training)
        for name in names
    }
    for step in steps.values():
        step()  # traces and compiles
    taken: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(_ROUNDS):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            taken[name].append(time.perf_counter() - start)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def _tensorflow(total: Any, sequences: Any, weights: Any, gradients: bool) -> Callable[[], Any]:
    import tensorflow as tf

    @tf.function(autograph=False)  # nothing here is to be rewritten
    def step() -> Any:
        with tf.GradientTape() as tape:
            tape.watch(sequences)
            value = total(sequences)
        wanted = [sequences, *[weight.value for weight in weights]]
        return tape.gradient(value, wanted) if gradients else value

    return step


def _torch(total: Any, sequences: Any, weights: Any, gradients: bool) -> Callable[[], Any]:
    import torch

    sequences = sequences.detach().requires_grad_(gradients)

    def step() -> Any:
        with torch.set_grad_enabled(gradients):
            value = total(sequences)
        wanted = [sequences, *[weight.value for weight in weights]]
        if gradients:
            torch.autograd.grad(value, wanted, allow_unused=True)
        return value.item()  # waits for a GPU

    return step


def _jax(total: Any, sequences: Any, weights: Any, gradients: bool) -> Callable[[], Any]:
    import jax

    def value(sequences: Any, values: Any) -> Any:
        with keras.StatelessScope(state_mapping=list(zip(weights, values, strict=True))):
            return total(sequences)

    compiled = jax.jit(jax.grad(value, argnums=(0, 1)) if gradients else value)
    values = [weight.value for weight in weights]
    return lambda: jax.block_until_ready(compiled(sequences, values))
