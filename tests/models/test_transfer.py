"""A classifier begins as the language model whose weights it takes."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from kerasseq import cells
from kerasseq.models import (
    Classifier,
    LanguageModelConfig,
    copy_language_model,
    language_model_decoder,
)
from tests.models.texts import texts
from tests.thorough import first_of

SIZES = {"units": 4, "embedding": 3}


def _earlier(cell: str = "lstm", depth: int = 1) -> keras.Model:
    model = LanguageModelConfig(words=9, cell=cell, depth=depth, tied=False, **SIZES).build()
    random = np.random.default_rng(0)
    model.set_weights([random.normal(size=w.shape) / 2 for w in model.weights])  # no zero biases
    return model


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize(
    ("cell", "depth"), first_of([("lstm", 2), *((name, 1) for name in cells.names())])
)
def test_the_layers_that_read_forward_give_the_outputs_of_the_language_model(
    cell: str, depth: int, bidirectional: bool
) -> None:
    sizes = Classifier(7, 3, cell, depth=depth, bidirectional=bidirectional, ngrams=9, **SIZES)
    model, earlier = sizes.build(), _earlier(cell, depth)
    decoder = language_model_decoder(earlier)
    assert decoder is not None
    rows = np.array([0, 1, 8, 4, 2, 6, 5])
    copy_language_model(model, decoder, rows)

    inputs = texts(sizes)
    tokens, mask = inputs["tokens"], inputs["tokens"] != 0
    expected = np.asarray(decoder.recurrent(decoder.embedding(rows[tokens]), mask=mask)[0])
    recurrent = keras.Model(model.input, model.get_layer("recurrent").output)
    outputs = np.asarray(recurrent(inputs))[..., : sizes.units]
    np.testing.assert_allclose(outputs[mask], expected[mask], atol=1e-5)


def test_the_layers_that_read_backward_keep_their_weights() -> None:
    model = Classifier(7, 2, depth=2, **SIZES).build()
    levels = model.get_layer("recurrent").levels
    before = [w for level in levels for w in level.backward_layer.get_weights()]
    decoder = language_model_decoder(_earlier(depth=2))
    assert decoder is not None
    copy_language_model(model, decoder, np.arange(7))
    after = [w for level in levels for w in level.backward_layer.get_weights()]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


def test_only_a_language_model_has_its_decoder() -> None:
    assert language_model_decoder(Classifier(7, 2, **SIZES).build()) is None
