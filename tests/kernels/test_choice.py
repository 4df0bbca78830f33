"""Which kernel runs, and why not a faster one."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from kerasseq import cells, kernels
from kerasseq.kernels import Situation
from kerasseq.layers import RNN
from tests.cells.harness import BACKEND, KINDS, LINEAR, sequences, variant

BACKENDS = ["tensorflow", "jax", "torch"]


def test_the_names_go_from_the_fastest_to_the_one_that_takes_all() -> None:
    assert kernels.names()[0] == "associative"
    assert kernels.names()[-1] == "keras"


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", KINDS)
def test_linear_cells_are_scanned_and_the_others_looped_over(kind: str, backend: str) -> None:
    cell = cells.get(kind)(4)
    choice = kernels.choose(cell, Situation(backend, 10))
    if kind in LINEAR:
        assert str(choice) == "associative"
        assert choice.reasons == {}
    else:
        assert choice.name == "scan"
        why = f"{type(cell).__name__} is of the form '{cell.form}', and only linear cells can"
        assert choice.reasons == {"associative": why}
        assert str(choice) == f"scan\n  not associative: {why}"


@pytest.mark.parametrize("backend", BACKENDS)
def test_an_unknown_length_keeps_tensorflow_alone_from_the_associative_scan(backend: str) -> None:
    choice = kernels.choose(cells.get("mingru")(4), Situation(backend, None))
    if backend == "tensorflow":
        assert choice.name == "scan"
        assert "give the Input a fixed length" in choice.reasons["associative"]
    else:
        assert choice.name == "associative"


def test_unrolling_asks_for_a_loop() -> None:
    choice = kernels.choose(cells.get("lru")(4), Situation("jax", 10, unroll=True))
    assert choice.name == "scan"
    assert choice.reasons == {"associative": "unroll=True asks for a loop"}


def test_a_cell_of_keras_runs_in_the_loop_of_keras() -> None:
    choice = kernels.choose(keras.layers.LSTMCell(4), Situation("jax", 10))
    assert choice.name == "keras"
    assert list(choice.reasons) == kernels.names()[:-1]
    assert "'opaque'" in choice.reasons["associative"]
    assert "LSTMCell is not a kerasseq cell" in choice.reasons["scan"]


@pytest.mark.parametrize("name", kernels.names())
def test_a_kernel_can_be_asked_for(name: str) -> None:
    choice = kernels.choose(cells.get("minlstm")(4), Situation("jax", 10), name)
    assert choice == kernels.Choice(name)


def test_an_unknown_kernel_lists_the_kernels() -> None:
    message = "must be 'auto' or one of associative, scan, keras. Received: kernel='fast'"
    with pytest.raises(ValueError, match=message):
        RNN(cells.get("gru")(4), kernel="fast")


@pytest.mark.parametrize(
    ("kernel", "cell", "reason"),
    [
        ("associative", "gru", "only linear cells can"),
        ("associative", keras.layers.GRUCell, "'opaque'"),
        ("scan", keras.layers.GRUCell, "GRUCell is not a kerasseq cell"),
    ],
)
def test_a_kernel_that_cannot_run_is_refused_at_once(kernel: str, cell: str, reason: str) -> None:
    made = cells.get(cell)(4) if isinstance(cell, str) else cell(4)
    with pytest.raises(ValueError, match=f"kernel='{kernel}' cannot run this layer: .*{reason}"):
        RNN(made, kernel=kernel)


def test_a_forced_kernel_that_meets_an_unknown_length_says_so() -> None:
    layer = RNN(cells.get("mingru")(4), kernel="associative")
    inputs = keras.Input((None, 3))
    if BACKEND != "tensorflow":
        assert layer(inputs).shape == (None, 4)
        return
    with pytest.raises(ValueError, match=r"the number of timesteps is unknown .* Use 'auto'"):
        layer.inner_loop(inputs, [], None)


def test_a_layer_tells_which_kernel_ran() -> None:
    layer = RNN(variant("mingru"))
    assert layer.kernel.name == "associative"
    slow = RNN(variant("mingru"), kernel="scan")
    np.testing.assert_allclose(
        *[keras.ops.convert_to_numpy(one(sequences(2, 3, 3))) for one in (layer, slow)], rtol=1e-5
    )
    assert slow.kernel == kernels.Choice("scan")


def test_the_kernel_asked_for_is_saved_and_not_the_one_that_ran() -> None:
    for kernel in ("auto", "scan"):
        layer = RNN(variant("mingru"), kernel=kernel)
        layer(sequences(2, 3, 3))
        assert layer.get_config()["kernel"] == kernel
        assert RNN.from_config(layer.get_config()).get_config()["kernel"] == kernel
