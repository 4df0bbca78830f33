"""The scan on a CPU under JAX: what is left to XLA gives what is prepared for it."""

from __future__ import annotations

import importlib
import re
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from kerasseq.kernels import scan
from tests.cells import gradients
from tests.cells.harness import BACKEND, close, layer_of, make, sequences, twin, variant

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
        ("mgu-projection", {}),
        ("lru", {"zoneout": 0.2}),
    ],
)
@pytest.mark.parametrize(("rows", "training"), [(8, False), (32, True)])
def test_it_is_what_is_computed_otherwise(
    name: str, options: dict[str, Any], rows: int, training: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = variant(name, seed=3, **options)
    other = twin(cell)
    result = results(cell, rows, training)
    monkeypatch.setattr(scan, "_is_left_to_xla", lambda *_: False)
    close(result, results(other, rows, training), tolerance=1e-5)


def test_few_rows_have_the_gradient_of_the_kernel_and_many_that_of_xla(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    deferred = importlib.import_module("kerasseq.kernels.deferred")
    seen, run = [], deferred.run

    def noted(*arguments: Any) -> Any:
        seen.append(len(arguments[1][0]))
        return run(*arguments)

    monkeypatch.setattr(deferred, "run", noted)
    layer = layer_of(make("lstm"), kernel="scan")
    for rows in (31, 32):
        layer(sequences(rows, 2, 3), training=True)
    assert seen == [31]


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
