"""Levels on top of each other: connections, masks and states."""

from __future__ import annotations

import itertools
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

import kerasseq
from kerasseq import cells
from kerasseq.layers import RNN, Stack
from tests.layers.harness import (
    MASK,
    WIDTH,
    array,
    arrays,
    assert_close,
    draw,
    mask,
    randomize,
    sequences,
    twin,
    weighted,
)
from tests.thorough import covering, one_in

CONNECTIONS = ("residual", "highway")
# One cell of every form.
CELLS = ("lstm", "mgu", "indrnn", "mingru", "lru")


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def connect(skip: str, below: np.ndarray, above: np.ndarray, gate: Any) -> np.ndarray:
    """A residual or highway connection, in NumPy."""
    if skip == "residual":
        return below + above
    kernel, bias = gate.get_weights()
    share = sigmoid(below @ kernel + bias)
    return share * above + (1 - share) * below


# Residual and highway connections


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("skip", CONNECTIONS)
def test_connections_are_those_of_the_papers(skip: str, bidirectional: bool) -> None:
    both = {"bidirectional": True, "merge": "sum"} if bidirectional else {}
    stack = weighted(
        kerasseq.rnn("gru", WIDTH, depth=2, return_sequences=True, **{skip: True}, **both)
    )
    below = sequences()
    for level, gate in zip(stack.levels, stack.gates or [None, None], strict=True):
        below = connect(skip, below, array(level(below)), gate)
    assert_close(stack(sequences()), below)


@pytest.mark.parametrize("skip", CONNECTIONS)
def test_a_level_that_changes_the_width_has_no_connection(skip: str) -> None:
    stack = weighted(kerasseq.rnn("gru", 4, depth=2, return_sequences=True, **{skip: True}))
    first = array(stack.levels[0](sequences()))
    gate = stack.gates[0] if stack.gates else None
    assert_close(stack(sequences()), connect(skip, first, array(stack.levels[1](first)), gate))
    assert len(stack.gates) == (skip == "highway")


def test_a_projection_decides_how_wide_a_level_is() -> None:
    stack = weighted(
        kerasseq.rnn("lstm", 8, projection=WIDTH, residual=True, return_sequences=True)
    )
    assert_close(stack(sequences()), array(stack.levels[0](sequences())) + sequences())


def test_a_highway_carries_its_input_at_first() -> None:
    stack = kerasseq.rnn("gru", WIDTH, highway=True, return_sequences=True)
    stack.build((None, None, WIDTH))
    kernel, bias = stack.gates[0].get_weights()
    assert kernel.shape == (WIDTH, WIDTH)
    assert_close(bias, np.full(WIDTH, -1.0, "float32"))


@pytest.mark.parametrize("skip", CONNECTIONS)
def test_a_connection_that_no_level_can_have_is_refused(skip: str) -> None:
    stack = kerasseq.rnn("gru", 4, **{skip: True})
    with pytest.raises(ValueError, match=f"`{skip}` needs a level as wide as its input.*depth"):
        stack.build((None, None, WIDTH))


@pytest.mark.parametrize("skip", CONNECTIONS)
def test_without_sequences_the_last_real_step_is_carried(skip: str) -> None:
    stack = weighted(kerasseq.rnn("gru", WIDTH, **{skip: True}))
    gate = stack.gates[0] if stack.gates else None
    last_real = [4, 2, 4, 3]
    below = np.stack([sequences()[row, step] for row, step in enumerate(last_real)])
    above = array(stack.levels[0](sequences(), mask=mask()))
    expected = connect(skip, below, above[:4], gate)
    actual = array(stack(sequences(), mask=mask()))
    assert_close(actual[:4], expected)
    assert_close(actual[4], np.zeros(WIDTH, "float32"))


# Masks


@pytest.mark.parametrize(
    ("options", "cell"),
    covering(
        [
            {},
            {"residual": True},
            {"highway": True},
            {"bidirectional": True},
            {"zero_output_for_mask": False, "return_state": True},
        ],
        CELLS,
    ),
    ids=lambda own: own if isinstance(own, str) else "-".join(own) or "plain",
)
def test_masked_timesteps_might_as_well_not_be_there(cell: str, options: dict[str, Any]) -> None:
    stack = weighted(kerasseq.rnn(cell, WIDTH, depth=2, **options))
    result = arrays(stack(sequences(), mask=mask()))
    for row in range(4):
        alone = arrays(stack(sequences()[row : row + 1, MASK[row]]))
        assert_close([part[row : row + 1] for part in result], alone, 1e-4)
    assert_close(result[0][4], np.zeros_like(result[0][4]))


def test_a_mask_goes_through_a_model_from_the_embedding_on() -> None:
    words = np.array([[1, 2, 3, 4, 5], [1, 2, 3, 0, 0], [4, 0, 0, 0, 0]])
    embedding = keras.layers.Embedding(6, WIDTH, mask_zero=True)
    stack = kerasseq.rnn("lstm", WIDTH, depth=2, residual=True, bidirectional=False)
    model = keras.Sequential([embedding, stack])
    result = model.predict(words, verbose=0)
    assert_close(result[1:2], model.predict(words[1:2, :3], verbose=0))
    assert_close(result[2:], model.predict(words[2:, :1], verbose=0))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"bidirectional": True},
        {"bidirectional": True, "merge": None},
        {"depth": 2},
        {"depth": 2, "bidirectional": True},
    ],
    ids=str,
)
def test_an_attached_mask_counts_beside_initial_states_too(options: dict[str, Any]) -> None:
    words = np.array([[1, 2, 3, 4, 5], [1, 2, 3, 0, 0]])
    embedding = keras.layers.Embedding(6, WIDTH, mask_zero=True)
    layer = kerasseq.rnn("gru", 2, return_state=True, **options)
    count = len(arrays(layer(embedding(words)))) - (2 if options.get("merge", 0) is None else 1)
    states = [ops.ones((2, 2))] * count
    told = layer(embedding(words), initial_state=states, mask=embedding.compute_mask(words))
    assert_close(layer(embedding(words), initial_state=states), told)
    inputs = keras.Input((None,), dtype="int32")
    firsts = [keras.Input((2,)) for _ in states]
    model = keras.Model([inputs, *firsts], layer(embedding(inputs), initial_state=firsts))
    assert_close(model([ops.convert_to_tensor(words), *states]), told)


FORMS: list[dict[str, Any]] = [
    {},
    {"bidirectional": True},
    {"bidirectional": True, "merge": None},
    {"depth": 2},
    {"depth": 2, "bidirectional": True},
    {"depth": 2, "residual": True},
]


@pytest.mark.parametrize(
    ("options", "returned"),
    covering(FORMS, [*itertools.product((False, True), repeat=2)]),
    ids=str,
)
def test_a_mask_goes_on_with_sequences_alone(
    options: dict[str, Any], returned: tuple[bool, bool]
) -> None:
    return_sequences, return_state = returned
    layer = kerasseq.rnn(
        "gru", 4, return_sequences=return_sequences, return_state=return_state, **options
    )
    results = keras.tree.flatten(layer(sequences(), mask=mask()))
    passed = layer.compute_mask(sequences(), mask())
    passed = list(passed) if isinstance(passed, list | tuple) else [passed]
    assert len(passed) == len(results)
    sequential = 2 if options.get("merge", 0) is None else 1
    for place, (result, given) in enumerate(zip(results, passed, strict=True)):
        if return_sequences and place < sequential:
            assert_close(given, mask())
            assert len(result.shape) == 3
        else:
            assert given is None
    assert set(keras.tree.flatten(layer.compute_mask(sequences(), None))) <= {None}


# States


@pytest.mark.parametrize("cell", one_in(3, cells.names()))
def test_states_of_one_call_continue_in_the_next(cell: str) -> None:
    stack = weighted(kerasseq.rnn(cell, 4, depth=2, return_sequences=True, return_state=True))
    whole, *final = stack(sequences())
    first, *states = stack(sequences()[:, :2])
    second, *last = stack(sequences()[:, 2:], initial_state=states)
    assert_close(ops.concatenate([first, second], axis=1), whole)
    assert_close(last, final)


def test_states_come_level_by_level_forward_then_backward() -> None:
    stack = weighted(
        kerasseq.rnn(
            [cells.get("lstm")(2), cells.get("gru")(3)], bidirectional=True, return_state=True
        )
    )
    inputs = sequences()
    expected = []
    for level in stack.levels:
        outputs = []
        for direction in (level.forward_layer, level.backward_layer):
            output, *states = direction(inputs)
            outputs.append(output)
            expected += states
        inputs = ops.concatenate([outputs[0], ops.flip(outputs[1], 1)], -1)
    _, *states = stack(sequences())
    assert [state.shape[-1] for state in states] == [2, 2, 2, 2, 3, 3]
    assert_close(states, expected)


def test_initial_states_reach_the_level_and_direction_they_belong_to() -> None:
    stack = weighted(kerasseq.rnn("lstm", 2, depth=2, bidirectional=True, return_state=True))
    given = [ops.convert_to_tensor(draw(5, 2, seed=seed)) for seed in range(8)]
    # A fully masked row holds its states: what comes out is what went in.
    _, *states = stack(sequences(), initial_state=given, mask=mask())
    for state, first in zip(states, given, strict=True):
        assert_close(state[4], first[4])


@pytest.mark.parametrize("count", [3, 5])
def test_too_few_or_too_many_states_are_refused(count: int) -> None:
    stack = weighted(kerasseq.rnn("lstm", 4, depth=2))
    with pytest.raises(ValueError, match=f"`initial_state` must be a list of 4.*{count}"):
        stack(sequences(), initial_state=[ops.zeros((5, 4))] * count)


@pytest.mark.parametrize(("options", "masked"), covering(FORMS, [False, True]), ids=str)
def test_a_stateful_layer_goes_on_where_it_stopped(options: dict[str, Any], masked: bool) -> None:
    plain = weighted(kerasseq.rnn("gru", WIDTH, return_state=True, **options))
    layer = kerasseq.rnn("gru", WIDTH, return_state=True, stateful=True, **options)
    layer.build((5, None, WIDTH))
    layer.set_weights(plain.get_weights())
    told = {"mask": mask()} if masked else {}
    outputs = 2 if options.get("merge", 0) is None else 1
    first = arrays(layer(sequences(), **told))
    second = arrays(layer(sequences(seed=1), **told))
    again = plain(
        sequences(seed=1),
        initial_state=[ops.convert_to_tensor(part) for part in first[outputs:]],
        **told,
    )
    assert_close(second, again)
    reset = getattr(layer, "reset_state", None) or layer.reset_states
    reset()
    assert_close(layer(sequences(), **told), first)


@pytest.mark.skipif(
    keras.backend.backend() == "jax", reason="Keras drops the states where JAX compiles a model"
)
def test_a_stateful_stack_goes_on_from_batch_to_batch_of_a_compiled_model() -> None:
    inputs = keras.Input(batch_shape=(5, None, WIDTH))
    layer = kerasseq.rnn("gru", 4, depth=2, bidirectional=True, stateful=True)
    model = keras.Model(inputs, layer(inputs))
    plain = twin(kerasseq.rnn("gru", 4, depth=2, bidirectional=True, return_state=True), layer)
    first, *states = plain(sequences())
    second, *_ = plain(sequences(seed=1), initial_state=states)
    both = np.concatenate([sequences(), sequences(seed=1)])
    result = model.predict(both, batch_size=5, verbose=0)
    assert_close(result, ops.concatenate([first, second]))


def test_a_stateful_stack_learns_its_first_states_and_returns_to_them() -> None:
    layer = kerasseq.rnn("lstm", 4, depth=2, stateful=True, trainable_initial_state=True)
    layer.build((5, None, WIDTH))
    randomize(layer)
    layer.reset_state()
    assert np.abs(array(layer.levels[0].states[0])).min() > 0
    first = arrays(layer(sequences()))
    assert np.abs(array(layer(sequences())) - first[0]).max() > 1e-3
    layer.reset_state()
    assert_close(layer(sequences()), first)


# What it refuses


def level(**options: Any) -> Any:
    return RNN(cells.get("gru")(WIDTH), **options)


@pytest.mark.parametrize(
    ("levels", "options", "words"),
    [
        ([], {}, "`levels` is empty; give at least one"),
        ([3], {}, "Level 0 of 1 must be a recurrent layer.*Received: 3"),
        ([keras.layers.Dense(3)], {}, "Level 0 of 1 must be a recurrent layer.*Dense"),
        ([level(), level()], {}, "Level 0 of 2 must have return_sequences=True"),
        ([level()], {"skip": "dense"}, "`skip` must be None, 'residual' or 'highway'.*'dense'"),
        ([level(go_backwards=True)], {}, "go_backwards=True.*[Rr]everse the inputs"),
        (
            [level(return_sequences=True, return_state=True), level()],
            {},
            "same `return_state`.*level 0 of 2 with return_state=True",
        ),
        (
            [level(return_sequences=True), level(stateful=True)],
            {},
            "same `stateful`.*level 0 of 2 with stateful=False",
        ),
        (
            [keras.layers.Bidirectional(level(), merge_mode=None)],
            {},
            "Level 0 of 1 must merge its directions",
        ),
        (
            [keras.layers.Bidirectional(level())],
            {"skip": "highway"},
            "`highway` needs one output per timestep.*return_sequences=True.*SequencePooling",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_levels_that_do_not_fit_are_refused(
    levels: list[Any], options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        Stack(levels, **options)


@pytest.mark.parametrize("skip", ["residual", "highway"])
def test_a_connection_of_no_rows_gives_no_rows(skip: str) -> None:
    layer = kerasseq.lstm(WIDTH, depth=2, **{skip: True})
    output = layer(np.ones((0, 5, WIDTH), "float32"), mask=np.ones((0, 5), bool))
    assert array(output).shape == (0, WIDTH)
