"""What the tests of cells and kernels share: cells with random weights, inputs and masks."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from kerasseq import cells
from kerasseq.layers import RNN

BACKEND = keras.backend.backend()
# keras.ops computes float64 in float32 on JAX and PyTorch: only TensorFlow can be held to more.
DTYPE, TOLERANCE = ("float64", 1e-12) if BACKEND == "tensorflow" else ("float32", 2e-5)
KINDS = cells.names()
LINEAR = [kind for kind in KINDS if cells.get(kind)(1).form == "linear"]
NO_RECURRENT_KERNEL = ["mingru", "minlstm", "lru"]
# Every cell, and the options that change what a step is.
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    **{kind: (kind, {}) for kind in KINDS},
    "gru-reset-before": ("gru", {"reset_after": False}),
    "lstm-projection": ("lstm", {"projection": 2}),
    "mgu-projection": ("mgu", {"projection": 2}),
    "lru-state-projection": ("lru", {"state": 5, "projection": 2}),
}


def make(kind: str, *, inputs: int = 3, units: int = 4, random: int = 0, **options: Any) -> Any:
    """A built cell of which every weight is random, biases and gains too."""
    options = {"dtype": DTYPE, **options}
    cell = cells.get(kind)(units, **options)
    cell.build((None, inputs))
    return randomise(cell, random)


def randomise(layer: Any, random: int = 0) -> Any:
    """The layer with every weight drawn anew."""
    draw = np.random.default_rng(random)
    layer.set_weights([0.5 * draw.normal(size=w.shape) for w in layer.get_weights()])
    return layer


def variant(name: str, **options: Any) -> Any:
    """A cell from `VARIANTS`."""
    kind, own = VARIANTS[name]
    return make(kind, **{**own, **options})


def twin(cell: Any) -> Any:
    """Another cell of the same config and weights, whose noise starts where `cell`'s started."""
    other = type(cell).from_config(cell.get_config())
    other.build((None, inputs_of(cell)))
    other.set_weights(cell.get_weights())
    return other


def inputs_of(cell: Any) -> int:
    """How many features a built cell takes."""
    return next(w.shape[0] for w in cell.weights if "kernel" in w.name)


def kernels_of(name: str) -> list[str]:
    """The kernels that can run a variant."""
    return ["scan", "keras", *(["associative"] if VARIANTS[name][0] in LINEAR else [])]


def sequences(*shape: int, random: int = 1) -> np.ndarray:
    """Random inputs in float64."""
    return np.random.default_rng(random).normal(size=shape)


def states(cell: Any, batch: int, random: int = 2) -> list[np.ndarray]:
    """Random states."""
    draw = np.random.default_rng(random)
    return [draw.normal(size=(batch, size)) for size in cell.state_size]


# One row of every kind: whole, padded right, padded left, with holes, and padded fully.
MASK = np.array(
    [
        [1, 1, 1, 1, 1, 1],
        [1, 1, 1, 1, 0, 0],
        [0, 0, 1, 1, 1, 1],
        [0, 1, 0, 0, 1, 0],
        [0, 0, 0, 0, 0, 0],
    ],
    bool,
)


def layer_of(cell: Any, **options: Any) -> RNN:
    """A layer that gives everything it has."""
    return RNN(cell, **{"return_sequences": True, "return_state": True, **options})


def numpy(value: Any) -> Any:
    """A nest of tensors as arrays."""
    return keras.tree.map_structure(keras.ops.convert_to_numpy, value)


def close(actual: Any, expected: Any, *, tolerance: float = TOLERANCE, what: str = "") -> None:
    """Assert that nests agree in structure, shape and value."""
    keras.tree.assert_same_structure(actual, expected)
    for a, e in zip(keras.tree.flatten(numpy(actual)), keras.tree.flatten(expected), strict=True):
        e = keras.ops.convert_to_numpy(e)
        assert a.shape == e.shape, f"{what}: {a.shape} is not {e.shape}"
        np.testing.assert_allclose(a, e, rtol=tolerance, atol=tolerance, err_msg=what)
