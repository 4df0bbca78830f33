"""Pooling against NumPy: the timesteps that count, and nothing else."""

from __future__ import annotations

import warnings

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from keras import ops

from kerasseq.layers import SequencePooling, pool
from kerasseq.layers.pooling import MODES
from tests.layers.harness import (
    EAGERLY,
    MASK,
    WIDTH,
    array,
    assert_close,
    draw,
    mask,
    randomize,
    sequences,
)


def attend(rows: np.ndarray, layer: SequencePooling) -> np.ndarray:
    """Yang et al. (2016), equations 5-7, for the timesteps of one sequence."""
    projection, bias, query = layer.get_weights()
    scores = np.tanh(rows @ projection + bias) @ query[:, 0]
    weights = np.exp(scores) / np.exp(scores).sum()
    return weights @ rows


def pooled(values: np.ndarray, counts: np.ndarray, layer: SequencePooling) -> np.ndarray:
    """Row by row, from the timesteps that count alone."""
    pools = {
        "last": lambda rows: rows[-1],
        "mean": lambda rows: rows.mean(axis=0),
        "max": lambda rows: rows.max(axis=0),
        "attention": lambda rows: attend(rows, layer),
    }
    rows = [values[row][counts[row]] for row in range(len(values))]
    zeros = np.zeros(values.shape[-1], values.dtype)
    return np.stack([pools[layer.mode](row) if len(row) else zeros for row in rows])


def made(mode: str, width: int = WIDTH) -> SequencePooling:
    layer = SequencePooling(mode)
    layer.build((None, None, width))
    randomize(layer)
    return layer


@pytest.mark.parametrize("mode", MODES)
def test_pooling_with_and_without_a_mask(mode: str) -> None:
    layer, values = made(mode), sequences()
    assert_close(layer(values, mask=mask()), pooled(values, MASK, layer))
    assert_close(layer(values), pooled(values, np.ones_like(MASK), layer))
    assert_close(layer(values, mask=mask())[4], np.zeros(WIDTH, "float32"))


@pytest.mark.parametrize("mode", MODES)
@given(
    values=hnp.arrays(
        "float32", (3, 4, 2), elements=st.floats(-50, 50, width=32, allow_subnormal=False)
    ),
    counts=hnp.arrays("bool", (3, 4)),
)
def test_pooling_of_any_values_under_any_mask(
    mode: str, values: np.ndarray, counts: np.ndarray
) -> None:
    layer = made(mode, 2)
    result = layer(ops.convert_to_tensor(values), mask=ops.convert_to_tensor(counts))
    assert_close(result, pooled(values, counts, layer), 1e-4)


@pytest.mark.parametrize("mode", MODES)
def test_what_masked_timesteps_hold_does_not_matter(mode: str) -> None:
    layer, values = made(mode), sequences()
    other = np.where(MASK[..., None], values, 1e6).astype("float32")
    assert_close(layer(other, mask=mask()), layer(values, mask=mask()))


def test_attention_weights_sum_to_one_over_what_counts() -> None:
    layer, values = made("attention"), sequences()
    weights = array(layer.weigh(ops.convert_to_tensor(values), mask()[..., None]))[:4, :, 0]
    assert_close(weights.sum(axis=1), np.ones(4, "float32"))
    assert np.abs(weights[~MASK[:4]]).max() == 0


def test_attention_over_one_timestep_returns_it_without_a_warning() -> None:
    values = np.arange(6, dtype="float32").reshape(2, 1, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        assert_close(pool("attention")(values), values[:, 0])


def test_the_width_of_attention_is_that_of_the_inputs_unless_given() -> None:
    for units, expected in ((None, 4), (6, 6)):
        layer = SequencePooling("attention", units=units)
        layer.build((None, None, 4))
        assert [w.shape for w in layer.get_weights()] == [(4, expected), (expected,), (expected, 1)]


@pytest.mark.parametrize("mode", ["last", "mean", "max"])
def test_other_modes_have_no_weights(mode: str) -> None:
    assert made(mode).weights == []


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16", "float16"])
@pytest.mark.parametrize("mode", MODES)
def test_pooling_in_half_precision(mode: str, policy: str) -> None:
    layer = SequencePooling(mode, dtype=policy)
    layer.build((None, None, WIDTH))
    weights = randomize(layer)
    result = layer(sequences(), mask=mask())
    assert keras.backend.standardize_dtype(result.dtype) == policy.removeprefix("mixed_")
    full = made(mode)
    full.set_weights(weights)
    assert_close(ops.cast(result, "float32"), full(sequences(), mask=mask()), 0.03)


def test_the_maximum_may_lie_deep_in_half_precision() -> None:
    values = np.full((1, 2, 1), -6e4, "float16")
    result = SequencePooling("max", dtype="float16")(values, mask=np.array([[True, False]]))
    assert_close(result, values[:, 0], 1e-3)


@pytest.mark.parametrize("mode", MODES)
def test_gradients_stay_finite_where_nothing_counts(mode: str) -> None:
    inputs, told = keras.Input((5, WIDTH)), keras.Input((5,), dtype="bool")
    hidden = keras.layers.Dense(WIDTH)(inputs)
    model = keras.Model(
        [inputs, told], keras.layers.Dense(1)(SequencePooling(mode)(hidden, mask=told))
    )
    model.compile(keras.optimizers.SGD(0.1), "mse", run_eagerly=EAGERLY)
    before = model.get_weights()
    loss = model.train_on_batch([sequences(), MASK], draw(len(MASK), 1))
    after = model.get_weights()
    assert np.isfinite(loss)
    assert all(np.isfinite(weight).all() for weight in after)
    assert np.abs(after[0] - before[0]).max() > 0


def test_pool_is_the_layer_by_its_mode() -> None:
    layer = pool("attention", units=3, name="mine")
    assert (type(layer), layer.mode, layer.units, layer.name) == (
        SequencePooling,
        "attention",
        3,
        "mine",
    )


def test_an_unknown_mode_lists_the_modes() -> None:
    with pytest.raises(
        ValueError, match=r"`mode` must be one of last, mean, max, attention.*'sum'"
    ):
        SequencePooling("sum")


@pytest.mark.parametrize("units", [0, -1, 2.5, True])
def test_a_width_is_a_positive_integer(units: float) -> None:
    with pytest.raises(ValueError, match=f"`units` must be a positive integer.*units={units}"):
        SequencePooling("attention", units=units)  # type: ignore[arg-type]


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("mode", MODES)
def test_no_rows_give_no_rows(mode: str, masked: bool) -> None:
    mask = np.ones((0, 5), bool) if masked else None
    assert array(made(mode)(np.ones((0, 5, WIDTH), "float32"), mask=mask)).shape == (0, WIDTH)
