"""States between batches, states handed in and out, and both directions at once."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from kerasseq.layers import RNN
from kerasseq.layers.bidirectional import Bidirectional
from tests.cells import statement
from tests.cells.harness import (
    DTYPE,
    MASK,
    VARIANTS,
    close,
    kernels_of,
    layer_of,
    numpy,
    randomise,
    sequences,
    states,
    variant,
)

RUNS = [(name, kernel) for name in VARIANTS for kernel in kernels_of(name) if kernel != "keras"]


@pytest.mark.parametrize(("name", "kernel"), [*RUNS, ("lstm", "keras"), ("lru", "keras")])
def test_two_batches_of_a_stateful_layer_are_one_long_sequence(name: str, kernel: str) -> None:
    cell = variant(name)
    x = sequences(2, 5, 3)
    layer = layer_of(cell, kernel=kernel, stateful=True, return_state=False)
    parts = [numpy(layer(part)) for part in (x[:, :3], x[:, 3:])]
    expected = statement.run(cell, x)
    close(np.concatenate(parts, axis=1), expected.outputs)
    close([state.value for state in layer.states], expected.states)
    layer.reset_state()
    close(layer(x[:, :3]), parts[0], what="after reset_state")


@pytest.mark.parametrize("kernel", ["scan", "associative"])
def test_a_stateful_layer_takes_masks_and_gives_its_states(kernel: str) -> None:
    cell = variant("lru-state-projection")
    x = sequences(*MASK.shape, 3)
    layer = layer_of(cell, kernel=kernel, stateful=True)
    outputs = []
    for part in (slice(0, 3), slice(3, None)):
        output, *final = layer(x[:, part], mask=ops.convert_to_tensor(MASK[:, part]))
        outputs.append(output)
    expected = statement.run(cell, x, mask=MASK)
    close(final, expected.states)
    close(outputs[0], expected.outputs[:, :3])


@pytest.mark.parametrize("name", ["gru", "lstm-projection", "lru"])
def test_a_stateful_layer_goes_back_to_its_trained_state(name: str) -> None:
    cell = variant(name, trainable_initial_state=True)
    x = sequences(2, 3, 3)
    layer = layer_of(cell, stateful=True)
    first = numpy(layer(x))
    assert not np.allclose(numpy(layer(x))[0], first[0])
    layer.reset_state()
    close(layer(x), first)
    expected = statement.run(cell, x)
    close(first, (expected.outputs, *expected.states))


def test_resetting_before_the_first_batch_is_allowed() -> None:
    layer = RNN(variant("gru"), stateful=True)
    layer.reset_state()
    assert layer.states is None


@pytest.mark.parametrize("name", VARIANTS)
def test_states_handed_out_and_in_again_continue_the_sequence(name: str) -> None:
    cell = variant(name)
    x = sequences(2, 5, 3)
    expected = statement.run(cell, x)
    layer = layer_of(cell)
    first, *carried = layer(x[:, :2])
    second, *final = layer(x[:, 2:], initial_state=carried)
    close(np.concatenate([numpy(first), numpy(second)], axis=1), expected.outputs)
    close(final, expected.states)
    assert [tuple(s.shape) for s in final] == [(2, size) for size in cell.state_size]


@pytest.mark.parametrize("unroll", [False, True])
@pytest.mark.parametrize("name", ["lstm", "gru-reset-before", "indrnn", "mingru", "lru"])
def test_unrolling_changes_nothing(name: str, unroll: bool) -> None:
    cell = variant(name)
    x, first = sequences(*MASK.shape, 3), states(cell, len(MASK))
    expected = statement.run(cell, x, mask=MASK, states=first)
    layer = layer_of(cell, unroll=unroll)
    result = layer(x, mask=ops.convert_to_tensor(MASK), initial_state=first)
    close(result, (expected.outputs, *expected.states))
    if unroll:
        assert layer.kernel.name == "scan"


@pytest.mark.parametrize(
    "name", ["simple_rnn", "lstm-projection", "gru", "layernorm_gru", "minlstm", "lru"]
)
@pytest.mark.parametrize("wrapper", [keras.layers.Bidirectional, Bidirectional])
def test_both_directions_are_two_runs_side_by_side(name: str, wrapper: Any) -> None:
    x = sequences(*MASK.shape, 3)
    layer = wrapper(layer_of(variant(name)), dtype=DTYPE)
    mask = ops.convert_to_tensor(MASK)
    layer(x, mask=mask)
    randomise(layer, 5)
    there, back = layer.forward_layer.cell, layer.backward_layer.cell
    first, second = states(there, len(x), 6), states(back, len(x), 7)
    result = layer(x, mask=mask, initial_state=[*first, *second])
    # Keras has both directions of a layer that returns sequences give zeros at masked steps.
    options = {"mask": MASK, "zero_output_for_mask": True}
    forward = statement.run(there, x, states=first, **options)
    backward = statement.run(back, x, states=second, go_backwards=True, **options)
    outputs = np.concatenate([forward.outputs, backward.outputs[:, ::-1]], axis=-1)
    close(result[0], outputs, what="outputs")
    close(list(result[1:]), [*forward.states, *backward.states], what="states")


def test_states_are_those_of_the_batch() -> None:
    layer = layer_of(variant("gru"), stateful=True)
    layer(sequences(2, 3, 3))
    with pytest.raises(ValueError, match="Expected batch size: 2"):
        layer(sequences(3, 3, 3))
