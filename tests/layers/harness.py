"""What the tests of layers share: data, masks, weights by hand, one backend as good as another."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

KERAS_LAYERS = {
    "lstm": keras.layers.LSTM,
    "gru": keras.layers.GRU,
    "simple_rnn": keras.layers.SimpleRNN,
}

# Rows whole, padded on the right, on the left, with a hole, and fully masked.
MASK = np.array(
    [
        [1, 1, 1, 1, 1],
        [1, 1, 1, 0, 0],
        [0, 0, 1, 1, 1],
        [0, 1, 0, 1, 0],
        [0, 0, 0, 0, 0],
    ],
    "bool",
)
WIDTH = 3

# For a batch or two: tracing costs more than it saves, but where every operation is compiled.
EAGERLY = keras.backend.backend() != "jax"


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    """Normal numbers, the same on every run."""
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def sequences(width: int = WIDTH, seed: int = 0) -> np.ndarray:
    """A batch with one row per row of `MASK`."""
    return draw(*MASK.shape, width, seed=seed)


def arrays(result: Any) -> list[np.ndarray]:
    """One tensor, or a nest of them, as a flat list of arrays."""
    return [np.asarray(ops.convert_to_numpy(part)) for part in keras.tree.flatten(result)]


def array(tensor: Any) -> np.ndarray:
    """One tensor as an array."""
    (only,) = arrays(tensor)
    return only


def assert_close(left: Any, right: Any, tolerance: float = 1e-5) -> None:
    """Two results have as many tensors, of equal shapes and (nearly) equal values."""
    lefts, rights = arrays(left), arrays(right)
    assert [part.shape for part in lefts] == [part.shape for part in rights]
    for one, other in zip(lefts, rights, strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)


def mask() -> Any:
    """`MASK` as a tensor."""
    return ops.convert_to_tensor(MASK)


def randomize(layer: Any, seed: int = 1) -> list[np.ndarray]:
    """Give a built layer weights of which none is zero, and return them."""
    rng = np.random.default_rng(seed)
    weights = [rng.normal(scale=0.4, size=w.shape).astype("float32") for w in layer.weights]
    layer.set_weights(weights)
    return weights


def weighted(layer: Any, width: int = WIDTH) -> Any:
    """The layer, built and with random weights."""
    layer.build((None, None, width))
    randomize(layer)
    return layer


def twin(layer: Any, like: Any, width: int = WIDTH) -> Any:
    """The layer, built and with the weights of another."""
    layer.build((None, None, width))
    layer.set_weights(like.get_weights())
    return layer


def hand_over(weights: list[np.ndarray], layers: list[Any]) -> None:
    """Give built layers the weights of a stack, level by level."""
    left = list(weights)
    for layer in layers:
        count = len(layer.get_weights())
        layer.set_weights(left[:count])
        left = left[count:]
    assert not left
