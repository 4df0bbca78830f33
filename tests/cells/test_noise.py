"""Dropout, zoneout and weight drop: what is drawn, when, and what it does to a step."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from kerasseq import cells
from tests.cells import statement
from tests.cells.harness import (
    DTYPE,
    KINDS,
    LINEAR,
    MASK,
    NO_RECURRENT_KERNEL,
    VARIANTS,
    close,
    kernels_of,
    layer_of,
    make,
    numpy,
    sequences,
    states,
    twin,
    variant,
)
from tests.thorough import covering, one_in


def first_pass(cell: Any, x: np.ndarray) -> tuple[np.ndarray, statement.Noise]:
    """The inputs left over and the noise drawn by the first training pass of a cell."""
    other = twin(cell)
    dropped = other.drop_inputs(ops.convert_to_tensor(x, DTYPE), True)
    frame = other.begin(dropped, True)
    recurrent = frame.noise.get("recurrent")
    if frame.recurrent_mask is not None:
        recurrent = ops.broadcast_to(frame.recurrent_mask, (x.shape[1], len(x), cell.state_size[0]))
    zoneout = list(numpy(frame.noise.get("zoneout", ())))
    noise = statement.Noise(
        None if frame.recurrent_kernel is None else numpy(frame.recurrent_kernel),
        None if recurrent is None else numpy(recurrent),
        zoneout * len(cell.state_size) if len(zoneout) == 1 else zoneout,
    )
    return numpy(dropped), noise


def noisy(name: str, **options: Any) -> Any:
    """A cell with every wrapper that it can take."""
    drop = {} if VARIANTS[name][0] in NO_RECURRENT_KERNEL else {"weight_drop": 0.3}
    rates = {"dropout": 0.3, "recurrent_dropout": 0.4, "zoneout": 0.3, "seed": 11, **drop}
    return variant(name, **{**rates, **options})


@pytest.mark.parametrize(
    ("run", "variational"),
    covering(
        [(name, kernel) for name in VARIANTS for kernel in kernels_of(name) if kernel != "keras"],
        [True, False],
    ),
)
def test_training_is_the_statement_on_the_same_draws(
    run: tuple[str, str], variational: bool
) -> None:
    name, kernel = run
    cell = noisy(name, variational=variational)
    x = sequences(*MASK.shape, 3)
    dropped, noise = first_pass(cell, x)
    layer = layer_of(cell, kernel=kernel, go_backwards=variational)
    outputs, *final = layer(x, mask=ops.convert_to_tensor(MASK), training=True)
    expected = statement.run(cell, dropped, mask=MASK, noise=noise, go_backwards=variational)
    close(outputs, expected.outputs, what="outputs")
    close(final, expected.states, what="states")


@pytest.mark.parametrize("kind", KINDS)
def test_inference_takes_the_expectation_of_zoneout_and_no_other_noise(kind: str) -> None:
    cell = noisy(kind)
    x = sequences(2, 4, 3)
    quiet = make(kind, zoneout=0.3)
    expected = statement.run(quiet, x)  # which mixes old and new by the rate
    close(layer_of(cell)(x, training=False), (expected.outputs, *expected.states))
    without = statement.run(make(kind), x)
    assert not np.allclose(expected.outputs, without.outputs)


@pytest.mark.parametrize("kind", KINDS)
def test_zoneout_keeps_each_unit_as_it_was_or_takes_it_as_it_is(kind: str) -> None:
    cell = make(kind, zoneout=0.5, seed=3)
    x = sequences(20, 1, 3)
    old = states(cell, 20)
    new = statement.run(make(kind), x, states=old).states
    _, *after = numpy(layer_of(cell)(x, initial_state=old, training=True))
    share = []
    for before, then, got in zip(old, new, after, strict=True):
        kept = np.isclose(got, before, rtol=1e-5, atol=1e-5)
        taken = np.isclose(got, then, rtol=1e-5, atol=1e-5)
        assert (kept | taken).all()
        share.append((kept & ~taken).mean())
    assert 0.3 < np.mean(share) < 0.7
    if kind == "lru":  # a complex unit is kept as a whole
        same = [np.isclose(a, b, atol=1e-5) for a, b in zip(after, old, strict=True)]
        assert (same[0] == same[1]).all()


@pytest.mark.parametrize("kind", ["lstm", "gru", "mingru", "lru"])
def test_zoneout_keeps_at_its_rate(kind: str) -> None:
    cell = make(kind, zoneout=0.2, seed=3)
    x = np.repeat(sequences(1, 1, 3), 4000, axis=0)
    first = [np.repeat(state, 4000, axis=0) for state in states(cell, 1)]
    layer = layer_of(cell)
    for drawn, expected in zip(
        numpy(layer(x, initial_state=first, training=True)),
        numpy(layer(x, initial_state=first, training=False)),
        strict=True,
    ):
        spread = drawn.std(axis=0) / np.sqrt(4000)
        assert (abs(drawn - expected).mean(axis=0) > 0).all()
        gap = abs(drawn.mean(axis=0) - expected[0]).max()
        assert gap <= 5 * spread.max() + 1e-6


def test_zoneout_has_a_rate_for_each_state() -> None:
    x = sequences(20, 1, 3)
    for rates, still in (((0.5, 0.0), 1), ((0.0, 0.5), 0)):
        cell = make("lstm", zoneout=rates, seed=3)
        old = states(cell, 20)
        new = statement.run(make("lstm"), x, states=old).states
        _, *after = numpy(layer_of(cell)(x, initial_state=old, training=True))
        close(after[still], new[still])
        assert not np.allclose(after[1 - still], new[1 - still])


def test_the_parts_of_a_complex_state_have_one_rate() -> None:
    assert make("lru", zoneout=(0.2, 0.2)).zoneout_rates == (0.2, 0.2)
    with pytest.raises(ValueError, match="`zoneout` of 'lru' must be one rate"):
        cells.get("lru")(4, zoneout=(0.2, 0.3))


@pytest.mark.parametrize(
    ("kind", "training"),
    covering(["simple_rnn", "lstm", "mgu", "minlstm", "lru"], [True, False]),
)
def test_zoneout_near_zero_is_none(kind: str, training: bool) -> None:
    x = sequences(2, 4, 3)
    with_it = layer_of(make(kind, zoneout=1e-14))(x, training=training)
    close(with_it, layer_of(make(kind))(x, training=training))


@pytest.mark.parametrize("kind", one_in(3, KINDS))
def test_a_locked_mask_holds_for_the_sequence_and_a_loose_one_for_a_step(kind: str) -> None:
    x = ops.ones((30, 4, 3), DTYPE)
    locked = make(kind, recurrent_dropout=0.25, seed=2).begin(x, True)
    mask = numpy(locked.recurrent_mask)
    assert "recurrent" not in locked.noise
    assert mask.shape == (30, make(kind).state_size[0])
    loose = make(kind, recurrent_dropout=0.25, seed=2, variational=False).begin(x, True)
    steps = numpy(loose.noise["recurrent"])
    assert loose.recurrent_mask is None
    assert steps.shape == (4, *mask.shape)
    assert (steps[0] != steps[1]).any()
    for drawn in (mask, steps):
        assert set(np.unique(np.round(drawn, 5))) == {0, np.round(1 / 0.75, 5).astype(drawn.dtype)}
        assert 0.1 < (drawn == 0).mean() < 0.4
        assert np.ptp(drawn, axis=-2).any()  # each row has a mask of its own


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_drawn_at_inference(kind: str) -> None:
    cell = noisy(kind)
    x = ops.ones((2, 4, 3), DTYPE)
    frame = cell.begin(x, False)
    assert frame.recurrent_mask is None
    assert frame.noise == {}
    assert cell.drop_inputs(x, False) is x
    if kind in NO_RECURRENT_KERNEL:
        assert frame.recurrent_kernel is None
    else:
        close(frame.recurrent_kernel, cell.recurrent_kernel)


def test_input_dropout_is_locked_over_time_unless_told_otherwise() -> None:
    x = ops.ones((30, 5, 8), DTYPE)
    locked = numpy(make("gru", inputs=8, dropout=0.25, seed=2).drop_inputs(x, True))
    assert (locked == locked[:, :1]).all()
    assert (locked[0] != locked[1]).any()
    cell = make("gru", inputs=8, dropout=0.25, seed=2, variational=False)
    loose = numpy(cell.drop_inputs(x, True))
    assert (loose != loose[:, :1]).any()
    for drawn in (locked, loose):
        assert set(np.unique(np.round(drawn, 5))) == {0, np.round(1 / 0.75, 5).astype(drawn.dtype)}
        assert 0.15 < (drawn == 0).mean() < 0.35


def test_weight_drop_drops_recurrent_weights_for_a_whole_sequence() -> None:
    cell = make("lstm", units=20, weight_drop=0.25, seed=2)
    x = ops.ones((2, 4, 3), DTYPE)
    own = numpy(cell.recurrent_kernel)
    first, second = (numpy(cell.begin(x, True).recurrent_kernel) for _ in range(2))
    for drawn in (first, second):
        dropped = drawn == 0
        close(drawn[~dropped], own[~dropped] / 0.75)
        assert 0.2 < dropped.mean() < 0.3
    assert (first != second).any()
    close(cell.recurrent_kernel, own)


@pytest.mark.parametrize("kind", KINDS)
def test_weight_drop_needs_a_recurrent_kernel(kind: str) -> None:
    if kind not in NO_RECURRENT_KERNEL:
        assert cells.get(kind)(4, weight_drop=0.5).weight_drop == 0.5
        return
    with pytest.raises(ValueError, match=f"'{kind}' has none. Received: weight_drop=0.5. Use"):
        cells.get(kind)(4, weight_drop=0.5)


@pytest.mark.parametrize("kind", one_in(3, KINDS))
def test_a_seed_repeats_the_noise(kind: str) -> None:
    x = sequences(4, 3, 3)
    cell = noisy(kind)
    other = twin(cell)
    layer, again = layer_of(cell), layer_of(other)
    first = numpy(layer(x, training=True))
    close(again(x, training=True), first)
    second = numpy(layer(x, training=True))
    assert not np.allclose(first[0], second[0])
    close(again(x, training=True), second)


def test_without_a_seed_the_global_one_decides() -> None:
    result = []
    for seed in (1, 1, 2):
        keras.utils.set_random_seed(seed)
        cell = make("gru", dropout=0.5, zoneout=0.5)
        result.append(numpy(layer_of(cell)(sequences(4, 3, 3), training=True)[0]))
    close(result[1], result[0])
    assert not np.allclose(result[2], result[0])


@pytest.mark.parametrize(("kind", "variational"), covering(LINEAR, [True, False]))
def test_the_associative_scan_draws_what_the_loop_draws(kind: str, variational: bool) -> None:
    cell = noisy(kind, variational=variational)
    x, first = sequences(*MASK.shape, 3), states(cell, len(MASK))
    result = [
        layer_of(one, kernel=kernel)(
            x, initial_state=first, mask=ops.convert_to_tensor(MASK), training=True
        )
        for one, kernel in ((cell, "scan"), (twin(cell), "associative"))
    ]
    close(result[1], numpy(result[0]))


@pytest.mark.parametrize("wrapper", ["dropout", "recurrent_dropout", "zoneout", "weight_drop"])
def test_plain_keras_cannot_draw_once_per_sequence_and_is_told_so(wrapper: str) -> None:
    cell = make("lstm", **{wrapper: 0.3})
    x = sequences(2, 3, 3)
    for layer in (keras.layers.RNN(cell, dtype=DTYPE), layer_of(cell, kernel="keras")):
        with pytest.raises(ValueError, match=f"{wrapper} of the cell .* Run it by kerasseq"):
            layer(x, training=True)


@pytest.mark.parametrize("kind", one_in(3, KINDS))
def test_plain_keras_runs_every_cell_at_inference(kind: str) -> None:
    cell = noisy(kind, trainable_initial_state=True, projection=2)
    x = sequences(2, 3, 3)
    plain = keras.layers.RNN(cell, return_sequences=True, return_state=True, dtype=DTYPE)
    expected = statement.run(cell, x)
    close(plain(x, training=False), (expected.outputs, *expected.states))
