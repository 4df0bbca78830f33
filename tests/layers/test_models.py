"""Layers inside models: shapes known before anything runs, and every way to compose."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kerasseq
from kerasseq import cells
from kerasseq.layers import AdditiveAttention, DotProductAttention, SequencePooling
from tests.layers.harness import WIDTH, array, arrays, assert_close, draw, sequences, weighted
from tests.thorough import examples, one_in

LAYERS: dict[str, dict[str, Any]] = {
    "one": {},
    "both ways": {"bidirectional": True},
    "deep": {"depth": 2},
    "residual": {"depth": 2, "residual": True},
    "highway": {"depth": 2, "highway": True},
    "deep both ways": {"depth": 2, "bidirectional": True, "merge": "sum"},
}


def shapes(result: Any) -> list[tuple[int | None, ...]]:
    return [tuple(part.shape) for part in keras.tree.flatten(result)]


def known_shapes(layer: Any, *given: tuple[int | None, ...]) -> list[tuple[int | None, ...]]:
    """What `compute_output_shape` says, one shape or many, as a list."""
    result = layer.compute_output_shape(*given)
    return [result] if isinstance(result[0], int | None) else [tuple(shape) for shape in result]


# Shapes


@st.composite
def settings_of_layers(draw: st.DrawFn) -> tuple[str, int, int, dict[str, Any]]:
    """A cell, the width of its inputs, its own, and options that go together."""
    both = draw(st.booleans())
    depth = draw(st.integers(1, 2))
    options: dict[str, Any] = {
        "depth": depth,
        "bidirectional": both,
        "merge": draw(st.sampled_from(["concat", "sum", "ave", "mul"] + [None] * (depth == 1))),
        "return_sequences": draw(st.booleans()),
        "return_state": draw(st.booleans()),
        "projection": draw(st.sampled_from([None, 2])),
    }
    inputs, units = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    if not both:
        options["residual"] = inputs == (options["projection"] or units) and draw(st.booleans())
    return draw(st.sampled_from(cells.names())), inputs, units, options


@examples(20)
@given(settings_of_layers())
def test_shapes_are_known_beforehand(made: tuple[str, int, int, dict[str, Any]]) -> None:
    cell, inputs, units, options = made
    layer = kerasseq.rnn(cell, units, **options)
    results = shapes(layer(draw(2, 3, inputs)))
    assert known_shapes(layer, (2, 3, inputs)) == results
    assert shapes(layer(keras.Input((3, inputs)))) == [(None, *shape[1:]) for shape in results]
    unknown = shapes(layer(keras.Input((None, inputs))))
    assert [len(shape) for shape in unknown] == [len(shape) for shape in results]
    for shape, result in zip(unknown, results, strict=True):
        assert shape == (None, None, result[2]) if len(result) == 3 else (None, result[1])


@pytest.mark.parametrize("mode", ["last", "mean", "max", "attention"])
def test_pooling_knows_its_shape(mode: str) -> None:
    layer = SequencePooling(mode)
    assert layer.compute_output_shape((2, None, 3)) == (2, 3)
    assert shapes(layer(draw(2, 4, 3))) == [(2, 3)]
    assert shapes(layer(keras.Input((None, 3)))) == [(None, 3)]


@pytest.mark.parametrize("kind", [AdditiveAttention, DotProductAttention])
@pytest.mark.parametrize("queries", [(), (5,)])
def test_attention_knows_its_shapes(kind: Any, queries: tuple[int, ...]) -> None:
    layer = kind(7)
    query, values = draw(2, *queries, 4), draw(2, 6, 3)
    expected = [(2, *queries, 3), (2, *queries, 6)]
    assert shapes(layer(query, values, return_weights=True)) == expected
    assert layer.compute_output_shape(query.shape, values.shape) == expected[0]
    symbols = keras.Input((*queries, 4)), keras.Input((None, 3))
    assert shapes(layer(*symbols)) == [(None, *queries, 3)]
    assert shapes(layer(*symbols, return_weights=True)) == [
        (None, *queries, 3),
        (None, *queries, None),
    ]


# Models


@pytest.mark.parametrize("options", one_in(2, LAYERS.values()), ids=LAYERS)
def test_layers_go_into_models_of_every_kind(options: dict[str, Any]) -> None:
    layer = weighted(kerasseq.rnn("gru", WIDTH, return_sequences=True, **options))
    expected = array(layer(sequences()))
    sequential = keras.Sequential([keras.Input((None, WIDTH)), layer])
    inputs = keras.Input((None, WIDTH))
    functional = keras.Model(inputs, layer(inputs))
    outer = keras.Input((None, WIDTH))
    nested = keras.Model(outer, keras.layers.Rescaling(2.0)(functional(outer)))
    assert_close(sequential(sequences()), expected)
    assert_close(functional(sequences()), expected)
    assert_close(nested(sequences()), 2 * expected)
    assert_close(functional.predict(sequences(), verbose=0), expected)
    lines: list[str] = []
    nested.summary(print_fn=lambda line, **_: lines.append(line))
    assert f"{layer.count_params():,}" in "\n".join(lines)
    assert nested.count_params() == sum(weight.size for weight in layer.get_weights())


@pytest.mark.parametrize("options", one_in(2, LAYERS.values()), ids=LAYERS)
def test_time_distributed_runs_the_layer_on_every_slice(options: dict[str, Any]) -> None:
    layer = weighted(kerasseq.rnn("gru", WIDTH, **options))
    paragraphs = draw(2, 3, 4, WIDTH)
    inputs = keras.Input((3, 4, WIDTH))
    model = keras.Model(inputs, keras.layers.TimeDistributed(layer)(inputs))
    expected = np.stack([array(layer(paragraphs[:, step])) for step in range(3)], axis=1)
    assert_close(model(paragraphs), expected)


def test_states_go_from_one_layer_of_a_model_to_another() -> None:
    encoder = weighted(kerasseq.rnn("lstm", 4, depth=2, return_state=True))
    decoder = weighted(kerasseq.rnn("lstm", 4, depth=2, return_sequences=True))
    source, target = keras.Input((None, WIDTH)), keras.Input((None, WIDTH))
    _, *states = encoder(source)
    model = keras.Model([source, target], decoder(target, initial_state=states))
    _, *given = encoder(sequences())
    assert_close(
        model([sequences(), sequences(seed=1)]), decoder(sequences(seed=1), initial_state=given)
    )


def test_an_encoder_with_attention_and_pooling_is_one_model() -> None:
    words = np.array([[1, 2, 3, 0], [4, 5, 0, 0]])
    inputs = keras.Input((None,), dtype="int32")
    hidden = keras.layers.Embedding(6, WIDTH, mask_zero=True)(inputs)
    hidden = kerasseq.rnn("gru", 4, bidirectional=True, return_sequences=True)(hidden)
    query = SequencePooling("mean")(hidden)
    context = AdditiveAttention(5)(query, hidden)
    model = keras.Model(inputs, [query, context])
    # Padding reaches neither: the mask is that of the embedding.
    longer = np.pad(words, ((0, 0), (0, 3)))
    assert_close(model.predict(words, verbose=0), model.predict(longer, verbose=0))
    assert [part.shape for part in arrays(model(words))] == [(2, 8), (2, 8)]
