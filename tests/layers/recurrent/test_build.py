"""`kerasseq.rnn`: every argument does what its line of the docstring says, or says why not."""

from __future__ import annotations

import inspect
import itertools
import re
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

import kerasseq
from kerasseq import cells
from kerasseq.layers import GRU, LSTM, RNN, SimpleRNN, Stack
from kerasseq.layers.recurrent.bidirectional import Bidirectional
from tests.layers.harness import (
    KERAS_LAYERS,
    WIDTH,
    array,
    arrays,
    assert_close,
    hand_over,
    mask,
    sequences,
    weighted,
)
from tests.thorough import covering, one_in

MERGES = ("concat", "sum", "mul", "ave")


class Plain(keras.layers.Layer):
    """A Keras cell that knows nothing of kerasseq."""

    state_size = 2

    def build(self, input_shape: Any) -> None:
        self.kernel = self.add_weight(shape=(input_shape[-1], 2), name="kernel")

    def call(self, inputs: Any, states: Any) -> Any:
        output = ops.tanh(ops.matmul(inputs, self.kernel) + 0.5 * states[0])
        return output, [output]


def by_hand(
    cell: str, units: int, depth: int, merge: str | None, last: dict[str, Any], width: int = WIDTH
) -> list[Any]:
    """Layers of Keras for a deep network, in both directions where there is a `merge`."""
    levels = []
    for level in range(depth):
        more = last if level == depth - 1 else {"return_sequences": True}
        layer = KERAS_LAYERS[cell](units, **{**last, **more})
        if merge:
            layer = keras.layers.Bidirectional(layer, merge_mode=merge)
        layer.build((None, None, width))
        width = units * (2 if merge == "concat" else 1)
        levels.append(layer)
    return levels


def run_by_hand(levels: list[Any], inputs: Any, mask: Any = None) -> list[Any]:
    """The output of the last layer, then the states of all, as one list."""
    states: list[Any] = []
    for level in levels:
        inputs = level(inputs, mask=mask)
        if level.return_state:
            inputs, *new = inputs
            states += new
    return [inputs, *states]


# What is built


def test_the_public_names_are_these_functions() -> None:
    assert kerasseq.rnn is kerasseq.layers.rnn
    assert kerasseq.lstm is kerasseq.layers.lstm
    assert kerasseq.gru is kerasseq.layers.gru
    assert kerasseq.simple_rnn is kerasseq.layers.simple_rnn


@pytest.mark.parametrize(
    ("function", "layer"), [("lstm", LSTM), ("gru", GRU), ("simple_rnn", SimpleRNN)]
)
def test_a_named_function_is_rnn_with_that_name(function: str, layer: type) -> None:
    made = getattr(kerasseq, function)(4, dropout=0.25, return_sequences=True, name="mine")
    assert type(made) is layer
    assert made.cell.kind == function
    assert (made.cell.units, made.cell.dropout) == (4, 0.25)
    assert made.return_sequences
    assert made.name == "mine"


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({}, RNN),
        ({"bidirectional": True}, keras.layers.Bidirectional),
        ({"depth": 2}, Stack),
        ({"depth": 2, "bidirectional": True}, Stack),
        ({"residual": True}, Stack),
        ({"highway": True}, Stack),
    ],
)
def test_the_result_is_one_layer_with_the_name_it_was_given(
    options: dict[str, Any], kind: type
) -> None:
    layer = kerasseq.rnn("mgu", 4, name="mine", **options)
    assert isinstance(layer, kind)
    assert layer.name == "mine"


def test_every_argument_is_documented() -> None:
    documented = inspect.getdoc(kerasseq.rnn) or ""
    for name in inspect.signature(kerasseq.rnn).parameters:
        assert re.search(rf"^    \**{name}: ", documented, re.M), name


def test_options_reach_the_cell_of_every_level_and_direction() -> None:
    stack = kerasseq.rnn("gru", 4, depth=3, bidirectional=True, zoneout=0.1, reset_after=False)
    result = [
        (direction.cell.zoneout, direction.cell.reset_after)
        for level in stack.levels
        for direction in (level.forward_layer, level.backward_layer)
    ]
    assert result == [(0.1, False)] * 6


def test_settings_of_the_layer_reach_every_level() -> None:
    stack = kerasseq.rnn(
        "lstm", 4, depth=2, return_state=True, stateful=True, unroll=True,
        zero_output_for_mask=True, kernel="scan",
    )  # fmt: skip
    for level in stack.levels:
        assert level.return_state
        assert level.stateful
        assert level.unroll
        assert level.zero_output_for_mask
        assert level.get_config()["kernel"] == "scan"
    assert [level.return_sequences for level in stack.levels] == [True, False]


def test_a_seed_gives_every_level_noise_of_its_own_and_the_same_on_every_run() -> None:
    def masks() -> list[np.ndarray]:
        stack = weighted(kerasseq.rnn("simple_rnn", 32, depth=3, dropout=0.5, seed=7), 32)
        return [array(level.cell.drop_inputs(ops.ones((1, 1, 32)), True)) for level in stack.levels]

    first, second = masks(), masks()
    assert_close(first, second)
    assert len({tuple(one.ravel()) for one in first}) == 3


def test_an_initializer_gives_every_level_weights_of_its_own() -> None:
    stack = kerasseq.rnn("gru", 4, depth=3, recurrent_initializer=keras.initializers.Orthogonal())
    stack.build((None, None, WIDTH))
    kernels = [array(level.cell.recurrent_kernel) for level in stack.levels]
    assert len({tuple(kernel.ravel()) for kernel in kernels}) == 3


def test_a_frozen_layer_trains_nothing() -> None:
    layer = kerasseq.rnn("lstm", 4, depth=2, trainable=False)
    layer.build((None, None, WIDTH))
    assert layer.weights
    assert layer.trainable_weights == []


# What it computes


@pytest.mark.parametrize(
    ("own", "return_sequences"),
    one_in(3, itertools.product(
        [*(("lstm", merge) for merge in (None, *MERGES)), ("gru", None), ("gru", "concat"),
         ("simple_rnn", None), ("simple_rnn", "concat")],
        [False, True],
    )),
)  # fmt: skip
def test_a_deep_network_is_a_stack_of_keras_layers(
    own: tuple[str, str | None], return_sequences: bool
) -> None:
    cell, merge = own
    both = {"bidirectional": True, "merge": merge} if merge else {}
    ours = weighted(
        kerasseq.rnn(cell, 4, depth=2, return_sequences=return_sequences, return_state=True, **both)
    )
    last = {"return_sequences": return_sequences, "return_state": True}
    levels = by_hand(cell, 4, 2, merge, last)
    hand_over(ours.get_weights(), levels)
    inputs = sequences()
    assert_close(ours(inputs), run_by_hand(levels, inputs))
    assert_close(ours(inputs, mask=mask()), run_by_hand(levels, inputs, mask()))


@pytest.mark.parametrize("merge", [*MERGES, None])
def test_one_bidirectional_level_is_that_of_keras(merge: str | None) -> None:
    ours = weighted(kerasseq.rnn("lstm", 4, bidirectional=True, merge=merge, return_state=True))
    theirs = keras.layers.Bidirectional(keras.layers.LSTM(4, return_state=True), merge_mode=merge)
    theirs.build((None, None, WIDTH))
    theirs.set_weights(ours.get_weights())
    assert_close(ours(sequences()), theirs(sequences()))
    assert len(arrays(ours(sequences()))) == (6 if merge is None else 5)


def test_go_backwards_runs_from_the_last_timestep() -> None:
    backward = weighted(kerasseq.rnn("gru", 4, go_backwards=True, return_sequences=True))
    forward = kerasseq.rnn("gru", 4, return_sequences=True)
    forward.build((None, None, WIDTH))
    forward.set_weights(backward.get_weights())
    assert_close(backward(sequences()), forward(sequences()[:, ::-1]))


@pytest.mark.parametrize(
    ("options", "cell"),
    covering(
        [{"unroll": True}, {"kernel": "keras"}, {"kernel": "scan"}], ["lstm", "mgu", "mingru"]
    ),
)
def test_how_the_loop_runs_changes_no_number(cell: str, options: dict[str, Any]) -> None:
    plain = weighted(kerasseq.rnn(cell, 4, depth=2, return_sequences=True))
    other = kerasseq.rnn(cell, 4, depth=2, return_sequences=True, **options)
    other.build((None, None, WIDTH))
    other.set_weights(plain.get_weights())
    assert_close(other(sequences(), mask=mask()), plain(sequences(), mask=mask()))


def test_masked_timesteps_repeat_the_previous_output_or_give_zeros() -> None:
    repeats = weighted(kerasseq.rnn("gru", 4, return_sequences=True))
    zeros = kerasseq.rnn("gru", 4, return_sequences=True, zero_output_for_mask=True)
    zeros.build((None, None, WIDTH))
    zeros.set_weights(repeats.get_weights())
    repeated, zeroed = (
        array(repeats(sequences(), mask=mask())),
        array(zeros(sequences(), mask=mask())),
    )
    counts = array(mask())[..., None]
    assert_close(zeroed, repeated * counts)
    assert_close(repeated[1, 3:], repeated[1, [2, 2]])
    assert np.abs(repeated[1, 3:]).min() > 0


@pytest.mark.parametrize("cell", [lambda: keras.layers.GRUCell(4), Plain])
@pytest.mark.parametrize("merge", [None, "concat"])
def test_a_cell_of_keras_runs_as_in_keras(cell: Any, merge: str | None) -> None:
    theirs: Any = keras.layers.RNN(cell(), return_sequences=True)
    ours = kerasseq.rnn(cell(), return_sequences=True)
    if merge:
        # A cell's class must be known where a layer is copied from its config.
        with keras.saving.custom_object_scope({"Plain": Plain}):
            theirs = keras.layers.Bidirectional(theirs)
            ours = kerasseq.rnn(cell(), return_sequences=True, bidirectional=True)
    weighted(ours)
    theirs.build((None, None, WIDTH))
    theirs.set_weights(ours.get_weights())
    assert_close(ours(sequences(), mask=mask()), theirs(sequences(), mask=mask()))


def test_a_list_of_cells_gives_one_level_each() -> None:
    stack = weighted(
        kerasseq.rnn([cells.get("lstm")(4), keras.layers.GRUCell(2), cells.get("mingru")(3)])
    )
    levels = [
        keras.layers.LSTM(4, return_sequences=True),
        keras.layers.GRU(2, return_sequences=True),
        keras.layers.RNN(cells.get("mingru")(3)),
    ]
    for level, width in zip(levels, (WIDTH, 4, 2), strict=True):
        level.build((None, None, width))
    hand_over(stack.get_weights(), levels)
    (expected,) = run_by_hand(levels, sequences())
    assert_close(stack(sequences()), expected)


def test_a_list_of_one_cell_is_that_cell() -> None:
    assert isinstance(kerasseq.rnn([cells.get("lstm")(4)]), LSTM)
    assert kerasseq.rnn((cells.get("gru")(4), cells.get("gru")(2))).levels[1].cell.units == 2


# What it refuses


RATES = {
    "dropout": "[0, 1]",
    "recurrent_dropout": "[0, 1]",
    "zoneout": "[0, 1)",
    "weight_drop": "[0, 1)",
}
ERRORS: list[tuple[str, tuple[Any, ...], dict[str, Any], list[str]]] = [
    ("unknown cell", ("lstmm", 4), {}, ["lstmm", "lstm", "gru", "mgu", "lru"]),
    ("unknown option", ("lstm", 4), {"foo": 1}, ["'foo'", "dropout", "unit_forget_bias"]),
    ("option of another cell", ("lstm", 4), {"reset_after": True}, ["'reset_after'", "zoneout"]),
    ("no units", ("lstm",), {}, ["`units`", "width"]),
    ("units 0", ("lstm", 0), {}, ["`units`", "positive integer", "units=0"]),
    ("units -1", ("gru", -1), {}, ["`units`", "positive integer", "units=-1"]),
    ("units 2.5", ("mgu", 2.5), {}, ["`units`", "positive integer", "units=2.5"]),
    ("units True", ("mgu", True), {}, ["`units`", "positive integer", "units=True"]),
    ("units text", ("mgu", "4"), {}, ["`units`", "positive integer", "units='4'"]),
    ("depth 0", ("lstm", 4), {"depth": 0}, ["`depth`", "positive integer", "depth=0"]),
    ("depth True", ("lstm", 4), {"depth": True}, ["`depth`", "positive integer", "depth=True"]),
    ("depth 1.5", ("lstm", 4), {"depth": 1.5}, ["`depth`", "positive integer", "depth=1.5"]),
    ("merge", ("lstm", 4), {"merge": "cat"}, ["`merge`", "concat", "'cat'"]),
    ("kernel", ("lstm", 4), {"kernel": "fast"}, ["`kernel`", "scan", "auto", "'fast'"]),
    (
        "kernel that cannot",
        ("lstm", 4),
        {"kernel": "associative"},
        ["kernel='associative'", "linear", "'auto'"],
    ),
    (
        "residual and highway",
        ("lstm", 4),
        {"residual": True, "highway": True},
        ["`residual`", "`highway`", "choose one"],
    ),
    (
        "backwards both ways",
        ("lstm", 4),
        {"bidirectional": True, "go_backwards": True},
        ["`go_backwards`", "bidirectional", "leave it out"],
    ),
    (
        "backwards and deep",
        ("lstm", 4),
        {"depth": 2, "go_backwards": True},
        ["`go_backwards`", "reverse the inputs"],
    ),
    (
        "backwards and residual",
        ("lstm", 4),
        {"residual": True, "go_backwards": True},
        ["`go_backwards`", "`residual`", "reverse the inputs"],
    ),
    (
        "two outputs and a next level",
        ("lstm", 4),
        {"bidirectional": True, "merge": None, "depth": 2},
        ["merge=None", "depth=1"],
    ),
    (
        "two outputs and residual",
        ("lstm", 4),
        {"bidirectional": True, "merge": None, "residual": True, "return_sequences": True},
        ["merge=None", "`residual`"],
    ),
    (
        "residual without an output per timestep",
        ("lstm", 4),
        {"bidirectional": True, "residual": True, "depth": 2},
        ["`residual`", "return_sequences=True", "pool"],
    ),
    ("no cells", ([],), {}, ["`cell`", "empty", "one cell per level"]),
    ("not a cell", (3,), {}, ["`cell`", "name", "cell object", "3"]),
    ("not cells", (["lstm", "gru"],), {}, ["`cell`", "cell object", "'lstm'"]),
    ("a class", (cells.get("gru"),), {}, ["`cell`", "cell object", "GRUCell"]),
    ("a layer", (keras.layers.Dense(3),), {}, ["`cell`", "cell object", "Dense"]),
    ("a recurrent layer", (keras.layers.LSTM(3),), {}, ["`cell`", "cell object", "LSTM"]),
    ("units beside a cell", (cells.get("gru")(4), 4), {}, ["units", "cell objects", "name"]),
    ("depth beside a cell", (cells.get("gru")(4),), {"depth": 2}, ["depth", "cell objects"]),
    ("absurd depth", ("gru", 4), {"depth": 10**12}, ["`depth`", "at most 1,000", "depth=1000"]),
    (
        "dtype beside a cell",
        (cells.get("gru")(4),),
        {"dtype": "float16"},
        ["dtype", "cell objects"],
    ),
    (
        "option beside a cell",
        ([cells.get("gru")(4)],),
        {"dropout": 0.1},
        ["dropout", "cell objects"],
    ),
    ("nothing to drop", ("mingru", 4), {"weight_drop": 0.1}, ["`weight_drop`", "'mingru'"]),
    ("projection 0", ("lstm", 4), {"projection": 0}, ["`projection`", "positive", "projection=0"]),
    ("rates of states", ("lstm", 4), {"zoneout": (0.1,)}, ["`zoneout`", "2 states", "(0.1,)"]),
    *(
        (f"{rate}={value}", ("lstm", 4), {rate: value}, [f"`{rate}`", span, repr(value)])
        for rate, span in RATES.items()
        for value in (-0.1, 1.5, True, "0.1")
        if not (rate == "zoneout" and value == "0.1")
    ),
    *(
        (f"{rate}=1", ("lstm", 4), {rate: 1}, [f"`{rate}`", "[0, 1)", "1"])
        for rate in ("zoneout", "weight_drop")
    ),
]


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [error[1:] for error in ERRORS],
    ids=[error[0] for error in ERRORS],
)
def test_an_error_names_the_argument_and_the_remedy(
    arguments: tuple[Any, ...], options: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - its words are compared below
        kerasseq.rnn(*arguments, **options)
    assert [word for word in words if word not in str(caught.value)] == []


def test_an_unknown_cell_or_option_lists_all_that_are_known() -> None:
    with pytest.raises(ValueError, match="no cell named") as caught:
        kerasseq.rnn("lstn", 4)
    assert [name for name in cells.names() if name not in str(caught.value)] == []
    with pytest.raises(ValueError, match="no option") as caught:
        kerasseq.rnn("gru", 4, reset=False)
    known = ["reset_after", "activation", "dropout", "projection", "kernel_initializer", "seed"]
    assert [name for name in known if name not in str(caught.value)] == []


def test_a_cell_given_twice_is_refused() -> None:
    cell = cells.get("gru")(WIDTH)
    with pytest.raises(ValueError, match="twice; create one object for each level"):
        kerasseq.rnn([cell, cell])


# What layers of Keras take


FORMS: list[dict[str, Any]] = [
    {},
    {"bidirectional": True},
    {"depth": 2},
    {"depth": 2, "bidirectional": True},
    {"residual": True, "depth": 2},
]


@pytest.mark.parametrize("form", FORMS)
def test_layers_tell_that_they_are_not_trained(form: dict[str, Any]) -> None:
    layer = kerasseq.lstm(WIDTH, trainable=False, **form)
    layer(sequences())
    assert not layer.trainable
    assert not layer.trainable_weights
    assert not type(layer).from_config(layer.get_config()).trainable
    layer.trainable = True
    assert len(layer.trainable_weights) == len(layer.weights) > 0


def test_a_layer_over_a_ready_cell_tells_it_too() -> None:
    layer = kerasseq.rnn(cells.get("gru")(4), trainable=False)
    layer(sequences())
    assert not layer.trainable
    assert not layer.trainable_weights


@pytest.mark.parametrize("form", FORMS)
def test_an_activity_regularizer_sees_the_output_of_each_level_and_direction(
    form: dict[str, Any],
) -> None:
    layer = kerasseq.gru(WIDTH, activity_regularizer="l2", return_sequences=True, **form)
    copy = type(layer).from_config(layer.get_config())
    for one in (layer, copy):
        one(sequences())
        levels = getattr(one, "levels", [one])
        count = sum(2 if form.get("bidirectional") else 1 for _ in levels)
        assert len(one.losses) == count


def test_the_penalty_of_an_activity_is_that_of_keras() -> None:
    ours, theirs = (
        make(4, activity_regularizer="l2") for make in (kerasseq.gru, KERAS_LAYERS["gru"])
    )
    for layer in (ours, theirs):
        layer(sequences())
    ours.set_weights(theirs.get_weights())
    for layer in (ours, theirs):
        layer(sequences())
    assert_close(ours.losses, theirs.losses)


@pytest.mark.parametrize("form", FORMS)
def test_the_shape_of_a_row_builds_a_sequential_model(form: dict[str, Any]) -> None:
    with pytest.warns(UserWarning, match="input_shape"):  # as Keras warns
        layer = kerasseq.lstm(4, input_shape=(5, WIDTH), autocast=False, **form)
    if form.get("residual"):
        return
    assert keras.Sequential([layer]).output_shape == (None, 8 if form.get("bidirectional") else 4)
    assert not layer.autocast


@pytest.mark.parametrize("kind", KERAS_LAYERS)
def test_a_builder_takes_the_config_and_the_positions_of_the_layer_of_keras(kind: str) -> None:
    build, theirs = getattr(kerasseq, kind), KERAS_LAYERS[kind]
    gates = [] if kind == "simple_rnn" else ["hard_sigmoid"]
    more = (
        {"implementation": 1} if kind == "simple_rnn" else {"implementation": 1, "use_cudnn": True}
    )
    options = {
        "trainable": False,
        "go_backwards": True,
        "dtype": "float64",
        "dropout": 0.5,
        "seed": 3,
    }
    layer = theirs(4, "relu", *gates, False, kernel_regularizer="l2", **options)
    config = layer.get_config()
    for ours in (
        build(**config, **more),
        build(4, "relu", *gates, False, kernel_regularizer="l2", **options, name=layer.name),
    ):
        ours(sequences())
        layer(sequences())
        ours.set_weights(layer.get_weights())
        assert_close(ours(sequences()), layer(sequences()))
        cell = ours.cell.get_config()
        whole = {**cell, **ours.get_config(), "dtype": cell["dtype"]}
        same = set(config) - {"activity_regularizer"}
        assert {key: whole[key] for key in same} == {key: config[key] for key in same}


@pytest.mark.parametrize("rate", [*RATES, "units", "projection"])
def test_numbers_of_numpy_are_numbers(rate: str) -> None:
    """Kept as plain ones, so that the config goes through JSON."""
    value = np.float32(0.5) if rate in RATES else np.int64(3)
    layer = kerasseq.rnn("lstm", **{"units": 4, rate: value})
    kept = layer.cell.get_config()[rate]
    assert kept == value
    assert type(kept) in (int, float)


def test_all_is_dropped_at_a_rate_of_one() -> None:
    """Inputs: the outputs are those of zeros. Recurrence: each step starts from nothing."""
    x, training = sequences(), {"training": True}
    layer = weighted(kerasseq.gru(4, dropout=1.0, return_sequences=True))
    assert_close(layer(x, **training), layer(np.zeros_like(x)))
    layer = weighted(kerasseq.simple_rnn(4, recurrent_dropout=1, return_sequences=True))
    alone = [array(layer(x[:, t : t + 1])) for t in range(x.shape[1])]
    assert_close(layer(x, **training), np.concatenate(alone, axis=1))


@pytest.mark.parametrize("wrapper", [keras.layers.Bidirectional, Bidirectional])
def test_both_directions_around_a_stack_are_refused_with_the_remedy(wrapper: Any) -> None:
    with pytest.raises(ValueError, match=r"go_backwards.*bidirectional=True to kerasseq\.rnn"):
        wrapper(kerasseq.lstm(4, depth=2))


@pytest.mark.parametrize("wrapper", [keras.layers.Bidirectional, Bidirectional])
def test_both_directions_around_both_directions_are_refused(wrapper: Any) -> None:
    with pytest.raises(ValueError, match=r"go_backwards.*in both directions already"):
        wrapper(kerasseq.lstm(4, bidirectional=True))


def test_noise_in_a_list_of_cells_is_refused_with_the_remedy() -> None:
    made = [cells.get("lstm")(4, dropout=0.5), cells.get("gru")(4)]
    with pytest.raises(ValueError, match=r"dropout of the cell.*kerasseq\.rnn\(\[cell, cell\]\)"):
        RNN(made)(sequences(), training=True)
    assert array(kerasseq.rnn(made)(sequences(), training=True)).shape == (5, 4)
