"""Half precision: states, outputs and long sums."""

from __future__ import annotations

import contextlib
import importlib
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from tests.cells import statement
from tests.cells.harness import (
    BACKEND,
    KINDS,
    LINEAR,
    MASK,
    NO_RECURRENT_KERNEL,
    VARIANTS,
    close,
    kernels_of,
    layer_of,
    make,
    numpy,
    sequences,
    variant,
)
from tests.thorough import covering, one_in

HALF = {"mixed_float16": ("float16", 1e-2), "mixed_bfloat16": ("bfloat16", 8e-2)}


RUNS = [(name, kernel) for name in VARIANTS for kernel in kernels_of(name) if kernel != "keras"]


@pytest.mark.parametrize(("run", "policy"), covering(RUNS, [*HALF]))
def test_half_precision_is_close_to_single(run: tuple[str, str], policy: str) -> None:
    name, kernel = run
    dtype, tolerance = HALF[policy]
    cell = variant(name, dtype=policy, zoneout=0.2)
    assert all(weight.dtype == "float32" for weight in cell.weights)
    x = sequences(*MASK.shape, 3)
    result = layer_of(cell, kernel=kernel)(x, mask=ops.convert_to_tensor(MASK))
    for tensor in result:
        assert keras.backend.standardize_dtype(tensor.dtype) == dtype
    single = statement.run(variant(name, dtype="float32", zoneout=0.2), x, mask=MASK)
    wide = [numpy(ops.cast(tensor, "float32")) for tensor in result]
    close(wide, [single.outputs, *single.states], tolerance=tolerance)


@pytest.mark.parametrize(("kind", "policy"), covering(KINDS, [*HALF]))
def test_training_in_half_precision_is_finite(kind: str, policy: str) -> None:
    rates = {"dropout": 0.2, "recurrent_dropout": 0.2, "zoneout": 0.2}
    if kind not in NO_RECURRENT_KERNEL:
        rates["weight_drop"] = 0.2
    cell = make(kind, dtype=policy, projection=2, **rates)
    layer = layer_of(cell, stateful=True)
    for _ in range(2):
        result = layer(sequences(2, 4, 3), training=True)
    for tensor in result:
        assert keras.backend.standardize_dtype(tensor.dtype) == HALF[policy][0]
        assert np.isfinite(numpy(ops.cast(tensor, "float32"))).all()


@pytest.mark.parametrize("kind", KINDS)
def test_linear_cells_carry_single_precision_at_least(kind: str) -> None:
    half = make(kind, dtype="mixed_bfloat16")
    assert half.state_dtype == ("float32" if kind in LINEAR else "bfloat16")
    assert make(kind, dtype="float32").state_dtype == "float32"
    assert make(kind, dtype="float64").state_dtype == "float64"


@pytest.mark.parametrize("kernel", ["scan", "associative"])
def test_a_long_sum_of_small_steps_does_not_stall(kernel: str) -> None:
    cell = make("mingru", inputs=1, units=1, dtype="mixed_bfloat16")
    # z = sigmoid(-5.5) = 0.4%: added to a state near one, less than half a step of bfloat16.
    cell.set_weights([np.zeros((1, 2)), np.array([-5.5, 1.0])])
    layer = layer_of(cell, kernel=kernel, return_sequences=False, return_state=False)
    output = numpy(ops.cast(layer(np.ones((1, 1000, 1), "float32")), "float32"))
    expected = 1 - (1 - 1 / (1 + np.exp(5.5))) ** 1000
    assert abs(output[0, 0] - expected) < 0.01


def double() -> contextlib.AbstractContextManager[Any]:
    """Float64, which JAX has only where it is switched on."""
    if BACKEND == "jax":
        return importlib.import_module("jax").enable_x64(True)
    return contextlib.nullcontext()


@pytest.mark.parametrize(("name", "kernel"), one_in(3, RUNS))
def test_double_precision_goes_in_and_comes_out(name: str, kernel: str) -> None:
    with double():
        cell = variant(name, dtype="float64")
        x = sequences(*MASK.shape, 3)
        layer = layer_of(cell, kernel=kernel)
        for mask in (np.ones_like(MASK), MASK):
            given = None if mask.all() else ops.convert_to_tensor(mask)
            result = layer(x, mask=given)
            expected = statement.run(cell, x, mask=mask)
            for tensor in result:
                assert keras.backend.standardize_dtype(tensor.dtype) == "float64"
            close(list(result), [expected.outputs, *expected.states])
