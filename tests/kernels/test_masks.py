"""A masked step repeats the previous output, zeros before the first, and holds the states."""

from __future__ import annotations

import itertools
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from tests.cells import statement
from tests.cells.harness import (
    BACKEND,
    DTYPE,
    MASK,
    VARIANTS,
    close,
    kernels_of,
    layer_of,
    numpy,
    sequences,
    states,
    variant,
)
from tests.thorough import in_turn, one_in

RUNS = [(name, kernel) for name in VARIANTS for kernel in kernels_of(name)]
OPTIONS = [
    {"go_backwards": backwards, "zero_output_for_mask": zeros}
    for backwards in (False, True)
    for zeros in (False, True)
]


def shows_states(kernel: str) -> bool:
    """Keras on JAX gives `states[0]` at a masked step, and takes it for the last output."""
    return BACKEND == "jax" and kernel == "keras"


def needs_outputs(name: str, kernel: str) -> None:
    cell = variant(name)
    if shows_states(kernel) and (cell.emits_inputs or cell.output_size != cell.state_size[0]):
        pytest.skip("the loop of Keras on JAX needs the first state to be the output")


# Each cell, and each kernel with each of the options.
@pytest.mark.parametrize(("run", "options"), one_in(7, itertools.product(RUNS, OPTIONS)))
def test_every_kernel_takes_every_mask(run: tuple[str, str], options: dict[str, bool]) -> None:
    name, kernel = run
    needs_outputs(name, kernel)
    cell = variant(name, zoneout=0.2)
    x = sequences(*MASK.shape, 3)
    given = sum(options.values()) == 1 and not shows_states(kernel)
    first = states(cell, len(MASK)) if given else None
    expected = statement.run(cell, x, mask=MASK, states=first, **options)
    mask = ops.convert_to_tensor(MASK)
    for return_sequences in (True, False):
        layer = layer_of(cell, kernel=kernel, return_sequences=return_sequences, **options)
        output, *final = layer(x, mask=mask, initial_state=first)
        reference = expected.outputs if return_sequences else expected.last
        close(output, reference, what=f"output, return_sequences={return_sequences}")
        close(final, expected.states, what="states")
        assert str(layer.kernel) == kernel


@pytest.mark.parametrize(("name", "kernel"), in_turn(RUNS))
def test_a_mask_of_ones_is_no_mask(name: str, kernel: str) -> None:
    needs_outputs(name, kernel)
    cell = variant(name)
    x = sequences(2, 3, 3)
    layer = layer_of(cell, kernel=kernel)
    close(layer(x, mask=ops.ones((2, 3), "bool")), numpy(layer(x)))


@pytest.mark.parametrize("name", ["gru", "minlstm", "lru"])
def test_padding_changes_nothing(name: str) -> None:
    cell = variant(name)
    x = sequences(1, 4, 3)
    padded = np.concatenate([x, 9 * np.ones((1, 2, 3))], axis=1)
    mask = ops.convert_to_tensor([[True] * 4 + [False] * 2])
    for kernel in kernels_of(name):
        needs_outputs(name, kernel)
        layer = layer_of(cell, kernel=kernel, return_sequences=False)
        close(layer(padded, mask=mask), numpy(layer(x)), what=kernel)


@pytest.mark.parametrize("name", ["lstm", "lru"])
def test_not_a_number_behind_a_mask_stays_there(name: str) -> None:
    cell = variant(name)
    x = sequences(*MASK.shape, 3)
    spoilt = np.where(MASK[..., None], x, np.nan)
    for kernel in kernels_of(name):
        if kernel != "keras":
            layer = layer_of(cell, kernel=kernel, return_sequences=False)
            mask = ops.convert_to_tensor(MASK)
            rows = [0, 1, 2, 3]  # a row without any step that counts has no last step to show
            for got, expected in zip(layer(spoilt, mask=mask), layer(x, mask=mask), strict=True):
                close(numpy(got)[rows], numpy(expected)[rows])


@pytest.mark.parametrize("name", ["lstm", "mingru", "lru"])
def test_a_mask_may_have_a_third_axis(name: str) -> None:
    cell = variant(name)
    x = sequences(*MASK.shape, 3)
    for kernel in kernels_of(name):
        if kernel != "keras":
            layer = layer_of(cell, kernel=kernel)
            three = layer(x, mask=ops.convert_to_tensor(MASK[..., None]))
            close(three, numpy(layer(x, mask=ops.convert_to_tensor(MASK))))


@pytest.mark.parametrize(
    ("kind", "theirs"),
    [
        ("lstm", keras.layers.LSTM),
        ("gru", keras.layers.GRU),
        ("simple_rnn", keras.layers.SimpleRNN),
    ],
)
@pytest.mark.parametrize("return_sequences", [True, False])
def test_masks_are_those_of_keras(kind: str, theirs: Any, return_sequences: bool) -> None:
    cell = variant(kind)
    x = sequences(*MASK.shape, 3)
    options = {"return_sequences": return_sequences, "return_state": True}
    other = theirs(4, dtype=DTYPE, **options)
    other.build(x.shape)
    other.set_weights(cell.get_weights())
    mask = ops.convert_to_tensor(MASK)
    close(layer_of(cell, **options)(x, mask=mask), numpy(other(x, mask=mask)))
