"""The scan kernel's own gradients: exact, whatever noise is drawn, and differentiable again.

On JAX they are those of `deferred`, and of `bptt` as on a GPU.
"""

from __future__ import annotations

import importlib
import itertools
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from kerasseq import cells
from kerasseq.kernels import bptt, scan
from tests.cells import gradients
from tests.cells.harness import (
    BACKEND,
    DTYPE,
    KINDS,
    MASK,
    NO_RECURRENT_KERNEL,
    VARIANTS,
    close,
    layer_of,
    make,
    sequences,
    states,
    variant,
)
from tests.cells.test_gradients import PRECISION, Loss
from tests.thorough import first_of, one_in

pytestmark = pytest.mark.skipif(BACKEND == "torch", reason="PyTorch's autograd does it")
ROUNDING = 1e-10 if DTYPE == "float64" else 1e-4

NOISE: list[dict[str, Any]] = [
    {"recurrent_dropout": 0.3, "zoneout": 0.3},
    {"recurrent_dropout": 0.3, "variational": False, "projection": 3},
    {"weight_drop": 0.3, "trainable_initial_state": True},
]


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Gains an entry with every pass that has its own gradient."""
    seen: list[Any] = []
    module = bptt
    if BACKEND == "jax":
        module = importlib.import_module("kerasseq.kernels.deferred")
    run = module.run

    def noted(*arguments: Any, **options: Any) -> Any:
        seen.append(arguments)
        return run(*arguments, **options)

    monkeypatch.setattr(module, "run", noted)
    return seen


@pytest.mark.parametrize(("name", "masked"), one_in(5, itertools.product(VARIANTS, [False, True])))
def test_it_is_exact(name: str, masked: bool, runs: list[Any]) -> None:
    cell = variant(name, units=3)
    x, first, loss = sequences(2, 4, 3), states(cell, 2), Loss(cell)
    mask = MASK[:2, :4] if masked else None
    options = {} if mask is None else {"mask": ops.convert_to_tensor(mask)}
    layer = layer_of(cell, kernel="scan")
    actual = gradients.of_layer(layer, loss.of_result, x, first, training=True, **options)
    assert runs
    expected = gradients.of_statement(cell, loss.of_outcome, x, first, mask=mask)
    for got, reference, what in zip(actual, expected, ("weights", "inputs", "states"), strict=True):
        close(got, reference, tolerance=PRECISION, what=what)


@pytest.mark.parametrize(("kind", "options"), one_in(5, itertools.product(KINDS, NOISE)))
def test_it_is_what_the_backend_makes_of_the_same_noise(
    kind: str, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    if "weight_drop" in options and kind in NO_RECURRENT_KERNEL:
        options = {"trainable_initial_state": True}
    cell = make(kind, seed=1, dtype=DTYPE, **options)
    layer = layer_of(cell, kernel="scan")
    x, loss = sequences(len(MASK), MASK.shape[1], 3), Loss(cell, *MASK.shape)
    result = []
    # As it is chosen, that of `bptt` where another is, and the backend's.
    for gradient in ([], [bptt], [None])[:: 1 if BACKEND == "jax" else 2]:
        if gradient:
            monkeypatch.setattr(scan, "_own_gradient", lambda *_, own=gradient[0]: own)
        cell.seed_generator.state.assign(np.array([7, 7], cell.seed_generator.state.dtype))
        mask = ops.convert_to_tensor(MASK)
        result.append(gradients.of_layer(layer, loss.of_result, x, mask=mask, training=True))
    for own in result[:-1]:
        close(own, result[-1], tolerance=ROUNDING)


def test_nothing_is_kept_for_a_gradient_that_nobody_asks_for(runs: list[Any]) -> None:
    layer = layer_of(make("mgu"), kernel="scan")
    layer(sequences(2, 4, 3), training=False)
    assert not runs


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_what_keras_casts_is_left_to_the_backend(policy: str, runs: list[Any]) -> None:
    layer = layer_of(cells.get("mgu")(4, dtype=policy), kernel="scan")
    layer(sequences(2, 4, 3), training=True)
    assert not runs


@pytest.mark.parametrize("name", first_of(["lstm", "gru-reset-before", "layernorm_gru"]))
def test_the_gradient_can_be_differentiated_again(name: str) -> None:
    cell = variant(name, units=3)
    layer = layer_of(cell, kernel="scan", return_state=False)
    x, direction = sequences(2, 4, 3), sequences(2, 4, 3, random=5)

    def slope(x: Any) -> Any:
        """Of the loss along a direction."""
        return ops.sum(first(x) * ops.convert_to_tensor(direction, x.dtype))

    x = ops.convert_to_tensor(x, layer.compute_dtype)
    layer(x)
    if BACKEND == "tensorflow":
        tf = importlib.import_module("tensorflow")

        def first(x: Any) -> Any:
            with tf.GradientTape() as tape:
                tape.watch(x)
                loss = ops.sum(layer(x, training=True) ** 2)
            return tape.gradient(loss, x)

        with tf.GradientTape() as tape:
            tape.watch(x)
            value = slope(x)
        actual = tape.gradient(value, x)
    else:
        jax = importlib.import_module("jax")
        first = jax.grad(lambda x: ops.sum(layer(x, training=True) ** 2))
        actual = jax.grad(slope)(x)
    step = 1e-5 if DTYPE == "float64" else 1e-2
    ahead = ops.convert_to_tensor(direction, x.dtype) * step
    expected = (first(x + ahead) - first(x - ahead)) / (2 * step)
    close(actual, expected, tolerance=1e-7 if DTYPE == "float64" else 2e-2)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="only TensorFlow traces unknown lengths")
def test_any_length_is_traced_none_included() -> None:
    tf = importlib.import_module("tensorflow")
    cell = variant("layernorm_gru", recurrent_dropout=0.3, seed=1)
    layer = layer_of(cell, kernel="scan", return_state=False)
    layer(sequences(1, 1, 3))

    @tf.function(input_signature=[tf.TensorSpec((None, None, 3), DTYPE)])
    def traced(x: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = ops.sum(layer(x, training=True) ** 2)
        return tape.gradient(loss, [x, *[weight.value for weight in cell.weights]])

    for batch, time in ((2, 5), (3, 1), (2, 0), (0, 4)):
        of_x, *of_weights = traced(np.ones((batch, time, 3)))
        assert of_x.shape == (batch, time, 3)
        assert all(np.isfinite(result).all() for result in of_weights)
        assert np.any(of_weights[0]) == (batch * time > 0)


@pytest.mark.thorough
@pytest.mark.parametrize("compiled", [False, True])
def test_a_model_learns_by_it(compiled: bool, runs: list[Any]) -> None:
    if keras.backend.backend() == "jax" and not compiled:
        pytest.skip("Keras on JAX takes a second for each step that is not compiled")
    keras.utils.set_random_seed(1)
    layer = layer_of(cells.get("mgu")(8), kernel="scan", return_state=False)
    model = keras.Sequential([keras.layers.Masking(), layer, keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.02), "mse", jit_compile=compiled)
    x = sequences(64, 6, 3).astype("float32")
    y = x.sum(axis=(1, 2))[:, None]
    targets = np.repeat(y[:, None], 6, axis=1)
    history = model.fit(x, targets, batch_size=8, epochs=8, verbose=0).history["loss"]
    assert runs
    assert history[-1] < 0.9 * history[0]
