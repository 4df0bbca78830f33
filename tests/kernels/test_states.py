"""States between batches, states handed in and out, and both directions at once."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from kerasseq import kernels
from kerasseq.layers import RNN
from kerasseq.layers.recurrent.bidirectional import Bidirectional
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
    randomise,
    sequences,
    states,
    twin,
    variant,
)
from tests.thorough import covering, in_turn, one_in

RUNS = [(name, kernel) for name in VARIANTS for kernel in kernels_of(name) if kernel != "keras"]


@pytest.mark.parametrize(
    ("name", "kernel"), one_in(3, [*RUNS, ("lstm", "keras"), ("lru", "keras")])
)
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
    ("name", "wrapper"),
    covering(
        ["simple_rnn", "lstm-projection", "gru", "layernorm_gru", "minlstm", "lru"],
        [keras.layers.Bidirectional, Bidirectional],
    ),
)
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


def can_run(kernel: str, cell: Any) -> bool:
    return kernels.why_not(kernel, cell, kernels.CallContext(BACKEND, 3)) is None


HOW_MANY = {"gru": "1 state", "lstm": "2 states", "mingru": "1 state", "lru": "2 states"}
ABLE = [
    (name, kernel)
    for name in HOW_MANY
    for kernel in kernels.names()
    if can_run(kernel, variant(name))
]


@pytest.mark.parametrize(
    ("run", "count_and_time"), covering(ABLE, [*itertools.product(range(5), (0, 3))])
)
def test_every_kernel_refuses_too_few_and_too_many_states(
    run: tuple[str, str], count_and_time: tuple[int, int]
) -> None:
    (name, kernel), (count, time) = run, count_and_time
    layer = layer_of(variant(name), kernel=kernel)
    given = [np.zeros((2, 4))] * count
    if HOW_MANY[name].startswith(str(count)):
        assert len(layer(sequences(2, time, 3), initial_state=given)) == 1 + count
        return
    expected = f"must be a list of {HOW_MANY[name]}. Received: {count}"
    with pytest.raises(ValueError, match=expected):
        layer(sequences(2, time, 3), initial_state=given)


@pytest.mark.parametrize(
    ("run", "shape"), covering(ABLE, [(1, 4), (3, 4), (2, 1), (2, 5), (4,), (2, 4, 1)])
)
def test_every_kernel_refuses_states_of_another_shape(
    run: tuple[str, str], shape: tuple[int, ...]
) -> None:
    name, kernel = run
    given = [np.zeros((2, 4))] * (len(variant(name).state_size) - 1) + [np.zeros(shape)]
    with pytest.raises(ValueError, match=r"`initial_state` must be of the shape \(2, 4\)"):
        layer_of(variant(name), kernel=kernel)(sequences(2, 3, 3), initial_state=given)


@pytest.mark.parametrize("wrap", [lambda layer: layer, Bidirectional])
def test_a_state_that_is_none_is_refused(wrap: Callable[[Any], Any]) -> None:
    layer = wrap(layer_of(variant("gru")))
    given = [np.zeros((2, 4)), None] if wrap is Bidirectional else [None]
    with pytest.raises(ValueError, match=r"of `initial_state` must be a tensor.*Received: None"):
        layer(sequences(2, 3, 3), initial_state=given)


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_both_directions_refuse_too_few_and_too_many_states(count: int) -> None:
    layer = Bidirectional(layer_of(variant("lstm")), dtype=DTYPE)
    with pytest.raises(ValueError, match=f"must be a list of 4 states, forward.*: {count}"):
        layer(sequences(2, 3, 3), initial_state=[np.zeros((2, 4))] * count)


def test_cells_of_keras_refuse_too_many_states_too() -> None:
    layer = RNN([keras.layers.LSTMCell(4), keras.layers.GRUCell(4)])
    with pytest.raises(ValueError, match=r"must be a list of 3 states. Received: 4"):
        layer(sequences(2, 3, 3), initial_state=[np.zeros((2, 4))] * 4)


TRAINED = [
    (name, kernel)
    for name in ("simple_rnn", "lstm", "gru", "mgu", "indrnn", "lru")
    for kernel in kernels.names()
    if can_run(kernel, variant(name, dtype="float32"))
]


@pytest.mark.skipif(BACKEND == "jax", reason="Keras drops the states of stateful layers in fit")
@pytest.mark.parametrize(("name", "kernel"), in_turn(TRAINED))
def test_a_stateful_layer_is_trained_as_from_given_states(name: str, kernel: str) -> None:
    """Truncated backpropagation: the gradient of a batch ends where the batch began."""
    cell = variant(name, dtype="float32")
    x = [sequences(2, 3, 3, random=seed).astype("float32") for seed in (1, 2)]
    inputs = keras.Input(batch_shape=(2, 3, 3))
    first = [keras.Input(batch_shape=(2, size)) for size in cell.state_size]
    layer, other = RNN(cell, stateful=True, kernel=kernel), RNN(twin(cell), kernel=kernel)
    carries = keras.Model(inputs, layer(inputs))
    starts = keras.Model([inputs, *first], other(inputs, initial_state=first))
    carries(x[0])
    carried = [numpy(state.value) for state in layer.states]
    before = cell.get_weights()
    target = np.ones((2, cell.output_size), "float32")
    for model, batch in ((carries, x[1]), (starts, [x[1], *carried])):
        model.compile("sgd", "mse", run_eagerly=True)
        model.train_on_batch(batch, target)
    close(carries.trainable_weights, [numpy(w) for w in starts.trainable_weights], tolerance=1e-5)
    assert any((new != old).any() for new, old in zip(cell.get_weights(), before, strict=True))


@pytest.mark.parametrize(
    ("run", "return_sequences"),
    covering([*ABLE, ("simple_rnn", "scan"), ("mgu", "scan")], [False, True]),
)
def test_no_rows_give_no_outputs_whatever_the_mask(
    run: tuple[str, str], return_sequences: bool
) -> None:
    name, kernel = run
    layer = layer_of(variant(name), kernel=kernel, return_sequences=return_sequences)
    mask = ops.convert_to_tensor(np.ones((0, 3), bool))
    shapes = [tuple(part.shape) for part in layer(sequences(0, 3, 3), mask=mask)]
    output = (0, 3, 4) if return_sequences else (0, 4)
    assert shapes == [output, *((0, size) for size in layer.cell.state_size)]
