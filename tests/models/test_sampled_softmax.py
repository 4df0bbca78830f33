"""The sampled softmax estimates the softmax over all classes."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from scipy import special

from kerasseq.models.sampled_softmax import SampledSoftmax


def _data(classes: int, rows: int = 6) -> tuple[np.ndarray, ...]:
    random = np.random.default_rng(0)
    inputs, matrix = random.normal(size=(rows, 4)), random.normal(size=(classes, 4))
    matrix *= 0.3  # some logits are so large otherwise that a sample is seldom enough
    targets = random.integers(0, classes, rows)
    targets[0] = 0  # the class that is drawn most
    arrays = inputs, targets, matrix, random.normal(size=classes)
    return tuple(a.astype("int32" if a.dtype == targets.dtype else "float32") for a in arrays)


def _nats(inputs: np.ndarray, targets: np.ndarray, matrix: np.ndarray, bias: np.ndarray) -> object:
    logits = inputs.astype(float) @ matrix.T + bias
    return -special.log_softmax(logits, axis=1)[np.arange(len(targets)), targets]


@pytest.mark.parametrize("frequent", [0, 9_000])
def test_a_large_sample_gives_the_loss_of_all_classes(frequent: int) -> None:
    keras.utils.set_random_seed(0)
    data = _data(20_000)
    nats = SampledSoftmax(19_000, frequent)(*data, training=True)
    np.testing.assert_allclose(nats, _nats(*data), rtol=0.02)


@pytest.mark.parametrize("frequent", [0, 5])
def test_the_sum_over_the_sample_is_on_average_the_one_over_all_classes(frequent: int) -> None:
    keras.utils.set_random_seed(0)
    inputs, targets, matrix, bias = data = _data(30)
    softmax = SampledSoftmax(10, frequent)
    # The nats of a target are the logarithm of the sum less its logit.
    logit = (inputs * matrix[targets]).sum(axis=1) + bias[targets]
    sums = [np.exp(np.asarray(softmax(*data, training=True)) + logit) for _ in range(400)]
    np.testing.assert_allclose(np.mean(sums, axis=0), np.exp(_nats(*data) + logit), rtol=0.1)


@pytest.mark.parametrize(("samples", "training"), [(9, False), (50, True)])
def test_all_classes_are_compared_outside_of_training_and_if_they_are_few(
    samples: int, training: bool
) -> None:
    data = _data(50)
    nats = SampledSoftmax(samples)(*data, training=training)
    np.testing.assert_allclose(nats, _nats(*data), rtol=1e-4)


def test_every_call_draws_anew() -> None:
    softmax, data = SampledSoftmax(9), _data(50)
    one, other = (np.asarray(softmax(*data, training=True)) for _ in range(2))
    assert not np.allclose(one, other)
