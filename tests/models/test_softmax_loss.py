"""The loss over all words is the same, and has the same gradient, in one piece or in many."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops
from scipy import special

from kerasseq.models import BatchLoss, LanguageModelConfig, softmax_loss
from kerasseq.models.softmax_loss import SoftmaxLoss, mean_nats

WORDS, WIDTH, ROWS = 11, 4, 13


def _data(seed: int = 0) -> list[np.ndarray]:
    random = np.random.default_rng(seed)
    targets = random.integers(0, WORDS, ROWS).astype("int32")
    targets[:2] = 0, 5  # padding, and at least one word
    shapes = ((ROWS, WIDTH), (WORDS, WIDTH), (WORDS,))
    features, matrix, bias = (random.normal(size=s).astype("float32") for s in shapes)
    return [features, targets, matrix, bias]


def _expected(
    features: np.ndarray, targets: np.ndarray, matrix: np.ndarray, bias: np.ndarray
) -> list[np.ndarray]:
    """The loss, and its gradients for features, matrix and bias, in float64."""
    real = (targets != 0) / np.sum(targets != 0)
    logits = features.astype(float) @ matrix.T + bias
    loss = real @ -special.log_softmax(logits, axis=1)[np.arange(ROWS), targets]
    slopes = (special.softmax(logits, axis=1) - np.eye(WORDS)[targets]) * real[:, None]
    return [loss, slopes @ matrix, slopes.T @ features, slopes.sum(axis=0)]


def _loss_and_gradients(arrays: list[np.ndarray], by_word: bool) -> list[np.ndarray]:
    """The same by `mean_nats`, times 3 in the loss, by the backend's differentiation."""
    features, targets, matrix, bias = arrays
    trained = [features, matrix if by_word else matrix.T.copy(), bias]
    tensors = [ops.convert_to_tensor(a) for a in trained]
    words = ops.convert_to_tensor(targets)

    def loss(tensors: list[object]) -> object:
        return 3 * mean_nats(tensors[0], words, *tensors[1:], by_word=by_word, training=True)

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch(tensors)
            value = loss(tensors)
        gradients = tape.gradient(value, tensors)
    elif keras.backend.backend() == "jax":
        import jax

        value, gradients = jax.value_and_grad(loss)(tensors)
    else:
        tensors = [tensor.detach().requires_grad_() for tensor in tensors]
        value = loss(tensors)
        value.backward()
        gradients = [tensor.grad for tensor in tensors]
    value, *arrays = (ops.convert_to_numpy(ops.stop_gradient(x)) / 3 for x in (value, *gradients))
    return [value, arrays[0], arrays[1] if by_word else arrays[1].T, arrays[2]]


@pytest.mark.parametrize("by_word", [True, False])
@pytest.mark.parametrize("pieces", [1, 4])
def test_loss_and_gradients_are_those_of_all_logits(
    by_word: bool, pieces: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(softmax_loss, "_LOGITS", WORDS * (ROWS if pieces == 1 else 4))
    arrays = _data()
    for got, expected in zip(_loss_and_gradients(arrays, by_word), _expected(*arrays), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-6)
    features, targets, matrix, bias = arrays
    plain = mean_nats(features, targets, matrix, bias, by_word=True)
    np.testing.assert_allclose(plain, _expected(*arrays)[0], rtol=1e-5)


def test_a_batch_of_padding_has_no_loss() -> None:
    features, targets, matrix, bias = _data()
    assert float(mean_nats(features, 0 * targets, matrix, bias, by_word=True, training=True)) == 0


@pytest.mark.parametrize("tied", [True, False])
def test_the_loss_of_a_training_model_is_that_of_the_logits(tied: bool) -> None:
    config = LanguageModelConfig(words=WORDS, units=6, tied=tied, embedding=5)
    model = config.build()
    tokens = np.random.default_rng(0).integers(1, WORDS, (3, 7)).astype("int32")
    following = np.roll(tokens, -1, axis=1)
    following[0, 4:] = 0
    logits = ops.convert_to_numpy(model({"tokens": tokens}))
    nats = -special.log_softmax(logits, axis=-1)
    expected = np.take_along_axis(nats, following[..., None], axis=-1)[..., 0][following > 0].mean()
    inputs = {"tokens": tokens, "following": following}
    for samples in (None, 5):  # of a sample in training alone
        training_model = config.training_model(model, samples=samples)
        training_model.compile(loss=BatchLoss())
        loss = training_model.evaluate(inputs, following, batch_size=3, verbose=0)
        assert loss == pytest.approx(expected, rel=1e-5)


def test_a_sample_is_drawn_in_training_alone() -> None:
    keras.utils.set_random_seed(0)
    decoder = LanguageModelConfig(words=500, units=4).build().get_layer("decoder")
    features = np.random.default_rng(0).normal(size=(2, 5, 4)).astype("float32")
    words = np.random.default_rng(1).integers(1, 500, (2, 5)).astype("int32")
    full, sampled = SoftmaxLoss(decoder), SoftmaxLoss(decoder, samples=50)

    def nats(loss: SoftmaxLoss, training: bool) -> float:
        return float(ops.convert_to_numpy(loss(features, words, training=training)))

    expected = nats(full, False)
    assert nats(full, True) == pytest.approx(expected, rel=1e-5)
    assert nats(sampled, False) == pytest.approx(expected, rel=1e-5)
    draws = [nats(sampled, True) for _ in range(30)]
    assert len({*draws}) == 30
    assert np.mean(draws) == pytest.approx(expected, rel=0.05)
