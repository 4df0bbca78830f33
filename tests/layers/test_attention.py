"""Attention against NumPy, from the formulas of the papers."""

from __future__ import annotations

import warnings
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from kerasseq.layers import AdditiveAttention, DotProductAttention
from tests.layers.harness import (
    EAGERLY,
    MASK,
    array,
    arrays,
    assert_close,
    draw,
    mask,
    randomize,
)

KINDS = (AdditiveAttention, DotProductAttention)
UNITS, QUERY, VALUES = 4, 2, 3


def score(layer: Any, query: np.ndarray, value: np.ndarray) -> float:
    """One query and one value, as the papers have it."""
    if isinstance(layer, AdditiveAttention):  # v . tanh(W s + U h), Bahdanau et al., A.1.2
        query_kernel, value_kernel, bias, scorer = layer.get_weights()
        return float(scorer[:, 0] @ np.tanh(query @ query_kernel + value @ value_kernel + bias))
    query_kernel, value_kernel = layer.get_weights()  # s . h, Luong et al., 3.1, scaled
    return float((query @ query_kernel) @ (value @ value_kernel) / np.sqrt(UNITS))


def attended(
    layer: Any, queries: np.ndarray, values: np.ndarray, counts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Contexts and weights, one query at a time."""
    weights = np.zeros((*queries.shape[:2], values.shape[1]), "float32")
    for row in range(len(values)):
        real = np.flatnonzero(counts[row])
        for place, query in enumerate(queries[row]):
            scores = np.array([score(layer, query, values[row, step]) for step in real])
            if len(real):
                weights[row, place, real] = np.exp(scores) / np.exp(scores).sum()
    return weights @ values, weights


def made(kind: Any, **options: Any) -> Any:
    layer = kind(UNITS, **options)
    layer.build((None, None, QUERY), (None, None, VALUES))
    randomize(layer)
    return layer


def data(queries: int = 6) -> tuple[np.ndarray, np.ndarray]:
    return draw(len(MASK), queries, QUERY), draw(*MASK.shape, VALUES, seed=1)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_attention_is_that_of_the_paper(kind: Any, masked: bool) -> None:
    layer, (queries, values) = made(kind), data()
    counts = MASK if masked else np.ones_like(MASK)
    told = {"values_mask": mask()} if masked else {}
    contexts, weights = attended(layer, queries, values, counts)
    assert_close(layer(queries, values, return_weights=True, **told), [contexts, weights])
    assert_close(layer(queries, values, **told), contexts)


@pytest.mark.parametrize("kind", KINDS)
def test_one_query_is_a_sequence_of_one(kind: Any) -> None:
    layer, (queries, values) = made(kind), data(1)
    many = arrays(layer(queries, values, values_mask=mask(), return_weights=True))
    one = layer(queries[:, 0], values, values_mask=mask(), return_weights=True)
    assert_close(one, [part[:, 0] for part in many])


@pytest.mark.parametrize("kind", KINDS)
def test_weights_sum_to_one_over_what_counts_and_to_nothing_where_nothing_does(kind: Any) -> None:
    layer, (queries, values) = made(kind), data()
    _, weights = layer(queries, values, values_mask=mask(), return_weights=True)
    sums = array(weights).sum(axis=-1)
    assert_close(sums, np.repeat([[1.0], [1.0], [1.0], [1.0], [0.0]], 6, axis=1).astype("float32"))
    assert np.abs(np.moveaxis(array(weights), 1, 2)[~MASK]).max() == 0
    assert_close(layer(queries, values, values_mask=mask())[4], np.zeros((6, VALUES), "float32"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_single_value_is_the_context_without_a_warning(kind: Any) -> None:
    query, value = np.ones((2, QUERY), "float32"), np.ones((2, 1, VALUES), "float32")
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        assert_close(kind(UNITS)(query, value), value[:, 0])


@pytest.mark.parametrize("kind", KINDS)
def test_the_mask_attached_to_the_values_counts(kind: Any) -> None:
    words = np.array([[1, 2, 0], [3, 0, 0]])
    embedding = keras.layers.Embedding(4, VALUES, mask_zero=True)
    layer, queries = made(kind), ops.convert_to_tensor(draw(2, QUERY))
    values = embedding(words)
    told = layer(queries, array(values), values_mask=embedding.compute_mask(words))
    assert_close(layer(queries, values), told)
    assert_close(layer(queries, values)[1], values[1, 0])


@pytest.mark.parametrize("kind", KINDS)
def test_contexts_carry_no_mask(kind: Any) -> None:
    layer, (queries, values) = made(kind), data()
    assert layer.compute_mask(queries, values) is None


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("kind", KINDS)
def test_attention_in_half_precision(kind: Any, policy: str) -> None:
    half, full, (queries, values) = made(kind, dtype=policy), made(kind), data()
    result = half(queries, values, values_mask=mask())
    assert keras.backend.standardize_dtype(result.dtype) == policy.removeprefix("mixed_")
    assert_close(ops.cast(result, "float32"), full(queries, values, values_mask=mask()), 0.03)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_stay_finite_where_nothing_counts(kind: Any) -> None:
    queries, values = data()
    inputs = [
        keras.Input(queries.shape[1:]),
        keras.Input(values.shape[1:]),
        keras.Input(MASK.shape[1:], dtype="bool"),
    ]
    layer = kind(UNITS)
    model = keras.Model(inputs, layer(inputs[0], inputs[1], values_mask=inputs[2]))
    model.compile(keras.optimizers.SGD(0.1), "mse", run_eagerly=EAGERLY)
    before = layer.get_weights()
    model.train_on_batch([queries, values, MASK], draw(len(MASK), 6, VALUES, seed=2))
    after = layer.get_weights()
    assert all(np.isfinite(weight).all() for weight in after)
    assert np.abs(after[0] - before[0]).max() > 0


@pytest.mark.parametrize("units", [0, -1, 2.5, True, None])
@pytest.mark.parametrize("kind", KINDS)
def test_a_width_is_a_positive_integer(kind: Any, units: Any) -> None:
    with pytest.raises(ValueError, match=f"`units` must be a positive integer.*units={units}"):
        kind(units)
