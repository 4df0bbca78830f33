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


@pytest.mark.parametrize(
    ("bidirectional", "reverse"), [(False, False), (True, False), (True, True)]
)
@pytest.mark.parametrize(
    ("cell", "depth"), first_of([("lstm", 2), *((name, 1) for name in cells.names())])
)
def test_the_layers_of_a_direction_give_the_outputs_of_the_language_model(
    cell: str, depth: int, bidirectional: bool, reverse: bool
) -> None:
    sizes = Classifier(7, 3, cell, depth=depth, bidirectional=bidirectional, ngrams=9, **SIZES)
    model, earlier = sizes.build(), _earlier(cell, depth)
    decoder = language_model_decoder(earlier)
    assert decoder is not None
    rows = np.array([0, 1, 8, 4, 2, 6, 5])
    copy_language_model(model, decoder, rows, reverse)

    inputs = texts(sizes)
    tokens, mask = inputs["tokens"], inputs["tokens"] != 0
    order = slice(None, None, -1 if reverse else 1)
    read, read_mask = rows[tokens[:, order]], mask[:, order]
    states = np.asarray(decoder.recurrent(decoder.embedding(read), mask=read_mask)[0])
    expected = states[:, order]
    recurrent = keras.Model(model.input, model.get_layer("recurrent").output)
    both = np.asarray(recurrent(inputs))
    outputs = both[..., sizes.units :] if reverse else both[..., : sizes.units]
    np.testing.assert_allclose(outputs[mask], expected[mask], atol=1e-5)


@pytest.mark.parametrize("reverse", [False, True])
def test_the_layers_of_the_other_direction_keep_their_weights(reverse: bool) -> None:
    model = Classifier(7, 2, depth=2, **SIZES).build()
    others = [
        level.forward_layer if reverse else level.backward_layer
        for level in model.get_layer("recurrent").levels
    ]
    before = [weight for layer in others for weight in layer.get_weights()]
    decoder = language_model_decoder(_earlier(depth=2))
    assert decoder is not None
    copy_language_model(model, decoder, np.arange(7), reverse)
    after = [weight for layer in others for weight in layer.get_weights()]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


def test_only_a_language_model_has_its_decoder() -> None:
    assert language_model_decoder(Classifier(7, 2, **SIZES).build()) is None
