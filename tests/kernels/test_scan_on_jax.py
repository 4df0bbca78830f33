"""The scan on a CPU under JAX: what is left to XLA gives what is prepared for it."""

from __future__ import annotations

import importlib
import re
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from kerasseq import cells
from kerasseq.kernels import scan
from tests.cells import gradients
from tests.cells.harness import (
    BACKEND,
    KINDS,
    close,
    layer_of,
    make,
    sequences,
    twin,
    variant,
)

pytestmark = pytest.mark.skipif(BACKEND != "jax", reason="it is about JAX")


def results(cell: Any, rows: int, training: bool) -> list[np.ndarray]:
    layer, x = layer_of(cell, kernel="scan"), sequences(rows, 5, 3)
    mask = ops.convert_to_tensor(np.random.default_rng(3).random((rows, 5)) < 0.7)

    def loss(result: Any) -> Any:
        return sum(ops.mean(ops.square(part)) for part in result)

    actual = gradients.with_result(layer, loss, x, mask=mask, training=training)
    return keras.tree.flatten(actual)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("gru", {"dropout": 0.3, "recurrent_dropout": 0.2, "zoneout": 0.2}),
        ("peephole_lstm", {"recurrent_dropout": 0.2, "variational": False}),
        ("mgu-projection", {}),
        ("lru", {"zoneout": 0.2}),
    ],
)
@pytest.mark.parametrize("training", [False, True])
def test_steps_that_project_their_own_inputs_give_the_same(
    name: str, options: dict[str, Any], training: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = variant(name, seed=3, **options)
    other = twin(cell)
    result = results(cell, 8, training)
    monkeypatch.setattr(scan, "_projects_within", lambda *_: False)
    close(result, results(other, 8, training), tolerance=1e-5)


def test_the_gradient_is_that_of_xla_where_it_was_measured_to_be_faster(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deferred = importlib.import_module("kerasseq.kernels.deferred")
    seen, run = [], deferred.run

    def noted(*arguments: Any, **options: Any) -> Any:
        seen.append(len(arguments[1][0]))
        return run(*arguments, **options)

    monkeypatch.setattr(deferred, "run", noted)
    layer = layer_of(make("lstm", units=64), kernel="scan")
    for rows in (63, 64):
        layer(sequences(rows, 2, 3), training=True)
    assert seen == [63]


@pytest.mark.parametrize("kind", KINDS)
def test_cells_that_sum_read_the_sum_alone(kind: str) -> None:
    cell = make(kind, units=3)
    if not cell.sums_projected:
        return
    layer_of(cell)(sequences(2, 1, 3))
    random = np.random.default_rng(1)
    states = [random.standard_normal((2, 3)) for _ in cell.state_size]
    projected = np.asarray(cell.project(ops.convert_to_tensor(random.standard_normal((2, 3)))))
    recurrent = random.standard_normal(projected.shape)
    apart, summed = (
        cell.step(*(ops.convert_to_tensor(x, cell.compute_dtype) for x in pair), states)
        for pair in ((projected, recurrent), (np.zeros(()), projected + recurrent))
    )
    close(apart, summed, tolerance=1e-6)


def test_a_subclass_with_a_step_of_its_own_is_not_taken_to_sum() -> None:
    class Gained(cells.get("simple_rnn")):  # type: ignore[misc]
        def step(self, projected: Any, recurrent: Any, states: Any) -> Any:
            return [self.activation(projected + 0.5 * recurrent)]

    cell = Gained(4)
    layer, x = layer_of(cell, kernel="scan"), sequences(2, 3, 3)
    result = gradients.with_result(layer, lambda parts: ops.sum(parts[0]), x, training=True)
    plain = keras.layers.RNN(cell, return_sequences=True, return_state=True)
    expected = gradients.with_result(plain, lambda parts: ops.sum(parts[0]), x, training=True)
    close(keras.tree.flatten(result), keras.tree.flatten(expected), tolerance=1e-5)


def test_the_gradient_of_a_recurrent_kernel_is_one_product_after_the_loop() -> None:
    jax = importlib.import_module("jax")
    layer, x = layer_of(make("lstm", units=5), kernel="scan"), sequences(2, 7, 3).astype("float32")
    layer(x)
    weights, others = (
        [weight.value for weight in part]
        for part in (layer.trainable_variables, layer.non_trainable_variables)
    )

    def loss(weights: Any) -> Any:
        return layer.stateless_call(weights, others, x, training=True)[0][0].sum()

    program = str(jax.make_jaxpr(jax.grad(loss))(weights))
    loops, _, rest = program.rpartition("\n{ lambda")  # what loops run is printed before
    of_recurrent_kernel = re.compile(r":f32\[(5,20|20,5)\] = dot_general")
    assert "dot_general" in loops
    assert not of_recurrent_kernel.search(loops)
    assert len(of_recurrent_kernel.findall(rest)) == 1
