"""The gradient of every cell in every weight, input and state, against finite differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from keras import ops

from tests.cells import gradients
from tests.cells.harness import (
    DTYPE,
    MASK,
    VARIANTS,
    close,
    kernels_of,
    layer_of,
    make,
    sequences,
    states,
    variant,
)
from tests.cells.statement import Outcome
from tests.thorough import first_of, in_turn, one_in

BATCH, TIME = 2, 4
PRECISION = 2e-7 if DTYPE == "float64" else 1e-3
EXACT = [(name, kernel) for name in VARIANTS for kernel in kernels_of(name) if kernel != "keras"]


class Loss:
    """A random linear function of all outputs and final states."""

    def __init__(self, cell: Any, batch: int = BATCH, time: int = TIME) -> None:
        draw = np.random.default_rng(4)
        self.outputs = draw.normal(size=(batch, time, cell.output_size))
        self.states = [draw.normal(size=(batch, size)) for size in cell.state_size]

    def of_result(self, result: Any) -> Any:
        outputs, *final = result
        total = ops.sum(ops.multiply(outputs, ops.cast(self.outputs, outputs.dtype)))
        for state, factor in zip(final, self.states, strict=True):
            total = total + ops.sum(ops.multiply(state, ops.cast(factor, state.dtype)))
        return total

    def of_outcome(self, outcome: Outcome) -> float:
        total = (outcome.outputs * self.outputs).sum()
        parts = zip(outcome.states, self.states, strict=True)
        return float(total + sum((state * factor).sum() for state, factor in parts))


def check(cell: Any, x: Any, first: list[Any], loss: Loss, kernel: str, **kwargs: Any) -> None:
    mask = kwargs.pop("mask", None)
    layer = layer_of(cell, kernel=kernel, **kwargs)
    options = {} if mask is None else {"mask": ops.convert_to_tensor(mask)}
    actual = gradients.of_layer(layer, loss.of_result, x, first, **options)
    expected = gradients.of_statement(cell, loss.of_outcome, x, first, mask=mask, **kwargs)
    for got, reference, what in zip(actual, expected, ("weights", "inputs", "states"), strict=True):
        close(got, reference, tolerance=PRECISION, what=what)


@pytest.mark.parametrize(("name", "kernel"), in_turn(EXACT))
def test_the_gradient_is_exact(name: str, kernel: str) -> None:
    cell = variant(name, units=3)
    check(cell, sequences(BATCH, TIME, 3), states(cell, BATCH), Loss(cell), kernel)


@pytest.mark.parametrize("name", first_of(["lstm", "gru-reset-before", "layernorm_gru", "lru"]))
def test_the_gradient_of_keras_own_loop_is_exact(name: str) -> None:
    cell = variant(name, units=3)
    check(cell, sequences(BATCH, TIME, 3), states(cell, BATCH), Loss(cell), "keras")


@pytest.mark.parametrize(
    ("name", "kernel"),
    one_in(
        3,
        [
            ("simple_rnn", "scan"),
            ("lstm-projection", "scan"),
            ("gru", "scan"),
            ("gru-reset-before", "scan"),
            ("mingru", "associative"),
            ("lru-state-projection", "scan"),
            ("lru-state-projection", "associative"),
        ],
    ),
)
def test_the_gradient_is_exact_under_a_mask_and_backwards(name: str, kernel: str) -> None:
    cell = variant(name, units=3, zoneout=0.3)
    batch, time = MASK.shape
    loss = Loss(cell, batch, time)
    x, first = sequences(batch, time, 3), states(cell, batch)
    check(cell, x, first, loss, kernel, mask=MASK, go_backwards=True)


@pytest.mark.parametrize("name", ["lstm", "layernorm_gru", "lru-state-projection"])
def test_the_gradient_reaches_trained_initial_states(name: str) -> None:
    cell = variant(name, units=3, trainable_initial_state=True)
    check(cell, sequences(BATCH, TIME, 3), [], Loss(cell), "scan")


@pytest.mark.parametrize("unroll", [False, True])
@pytest.mark.parametrize("name", ["lstm", "mgu", "minlstm"])
def test_the_last_output_alone_gives_the_same_gradient(name: str, unroll: bool) -> None:
    kind, options = VARIANTS[name]
    x = sequences(BATCH, TIME, 3)
    actual = []
    for sequence in (True, False):
        cell = make(kind, units=3, **options)
        layer = layer_of(cell, return_sequences=sequence, return_state=False, unroll=unroll)

        def loss(result: Any, sequence: bool = sequence) -> Any:
            return ops.sum(ops.square(result[:, -1] if sequence else result))

        actual.append(gradients.of_layer(layer, loss, x))
    close(actual[1], actual[0])
