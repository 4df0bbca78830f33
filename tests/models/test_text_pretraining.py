"""Each direction of a classifier predicts the token that it has not seen."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from scipy import special

from kerasseq.models import Classifier, NeighbourLoss
from kerasseq.training import Examples, TrainingConfig, fit
from tests.thorough import first_of

SIZES: dict[str, Any] = {"vocabulary": 9, "classes": 2, "units": 4, "embedding": 3}


def _models(**changes: Any) -> tuple[keras.Model, keras.Model]:
    """A classifier, and the model with its layers that predicts neighbours."""
    sizes = Classifier(**{**SIZES, **changes})
    model = sizes.build()
    random = np.random.default_rng(0)
    model.set_weights([random.normal(size=weight.shape) for weight in model.weights])
    return model, sizes.pretraining_model(model)


def _tokens(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 9, (2, 8)).astype(np.int32)


def test_it_is_the_loss_of_the_next_token() -> None:
    model, pretraining = _models(bidirectional=False, cell="gru")
    tokens = _tokens()
    states = np.asarray(model.get_layer("recurrent")(model.get_layer("embedding")(tokens)))
    weights = {w.path.partition("/")[2]: np.asarray(w) for w in pretraining.weights}
    (projection,) = (w for path, w in weights.items() if path.endswith("projection_0/kernel"))
    (table,) = model.get_layer("embedding").get_weights()
    log_shares = special.log_softmax(states[:, :-1] @ projection @ table.T, axis=-1)
    expected = -np.take_along_axis(log_shares, tokens[:, 1:, None], axis=-1)
    np.testing.assert_allclose(pretraining({"tokens": tokens}), expected, rtol=1e-4)


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("ngrams", first_of([9, 0]))
def test_no_direction_sees_the_token_that_it_predicts(depth: int, ngrams: int) -> None:
    _, pretraining = _models(depth=depth, ngrams=ngrams)
    tokens = _tokens()
    later, earlier = tokens.copy(), tokens.copy()
    later[:, 5:], earlier[:, :4] = _tokens(1)[:, 5:], _tokens(1)[:, :4]
    nats, after, before = (
        np.asarray(pretraining({"tokens": each})) for each in (tokens, later, earlier)
    )
    # Pair k has the tokens k and k + 1.
    np.testing.assert_allclose(after[:, :4, 0], nats[:, :4, 0], rtol=1e-4)
    np.testing.assert_allclose(before[:, 4:, 1], nats[:, 4:, 1], rtol=1e-4)
    # Both see all tokens on their side.
    assert not np.allclose(after[:, 5:, 0], nats[:, 5:, 0])
    assert not np.allclose(before[:, :3, 1], nats[:, :3, 1])
    assert not np.allclose(before[:, 6, 0], nats[:, 6, 0])
    assert not np.allclose(after[:, 0, 1], nats[:, 0, 1])


def test_padding_changes_nothing() -> None:
    _, pretraining = _models()
    tokens, loss = _tokens(), NeighbourLoss()
    padded = np.pad(tokens, [(0, 0), (0, 5)])
    one, other = (float(loss(each, pretraining({"tokens": each}))) for each in (tokens, padded))
    assert other == pytest.approx(one, rel=1e-5)


def test_the_layers_of_the_classifier_learn() -> None:
    model, pretraining = _models(depth=2, token_dropout=0.1, embedding_dropout=0.1)
    tokens = np.tile(np.arange(1, 9, dtype=np.int32), (64, 2))
    lengths = np.full(64, 16)
    examples = Examples({"tokens": tokens}, tokens, {"tokens": lengths, "targets": lengths})
    names = ("embedding", "recurrent")
    before = [w for name in names for w in model.get_layer(name).get_weights()]
    config = TrainingConfig(NeighbourLoss(), monitor=None, epochs=8, learning_rate=0.05)
    loss = fit(pretraining, examples, None, config, quiet=True).history["loss"]
    assert loss[-1] < 0.8 * loss[0]
    after = [w for name in names for w in model.get_layer(name).get_weights()]
    assert not any(np.array_equal(one, other) for one, other in zip(before, after, strict=True))
