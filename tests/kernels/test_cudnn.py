"""What cuDNN is handed through a layer of Keras; that layer's own loop stands in for it here."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from kerasseq import cells
from kerasseq.kernels import CallContext, cudnn
from kerasseq.layers import RNN
from tests.cells import gradients, statement
from tests.cells.harness import BACKEND, MASK, close, layer_of, numpy, sequences, states, variant
from tests.thorough import covering

KINDS = {"tensorflow": ["lstm", "gru"], "jax": ["lstm"], "torch": []}[BACKEND]
PADDED = np.arange(6) < np.array([[6], [1], [4], [5], [2]])  # right-padded, and no row is empty


@pytest.fixture(autouse=True)
def forced(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel takes what it would take on a GPU."""
    monkeypatch.setattr("kerasseq.layers.recurrent.rnn.device", lambda tensor=None: "gpu")


def test_it_needs_a_gpu() -> None:
    found = cudnn.why_not(cells.get("lstm")(4), CallContext("tensorflow", 10, device="cpu"))
    assert found == "it needs a GPU that the backend sees"


def test_pytorch_gets_there_another_way() -> None:
    found = cudnn.why_not(cells.get("lstm")(4), CallContext("torch", 10, device="gpu"))
    assert found == "on PyTorch the fused kernel reaches cuDNN"


@pytest.mark.parametrize(
    ("backend", "kind", "options", "masked", "reason"),
    [
        ("tensorflow", "lstm", {}, True, None),
        ("tensorflow", "gru", {"weight_drop": 0.2, "dropout": 0.1}, True, None),
        ("jax", "lstm", {}, False, None),
        ("jax", "lstm", {}, True, "on JAX it takes no mask"),
        ("jax", "gru", {}, False, "none of the fused ones (lstm)"),
        ("tensorflow", "simple_rnn", {}, False, "none of the fused ones (lstm, gru)"),
        ("tensorflow", "lstm", {"use_bias": False}, False, "use use_bias=True"),
        ("tensorflow", "lstm", {"dtype": "float64"}, False, "use 'float32'"),
        ("tensorflow", "lstm", {"dtype": "mixed_bfloat16"}, False, None),
        ("jax", "lstm", {"dtype": "mixed_bfloat16"}, False, "dtype 'bfloat16' is none that JAX"),
        ("jax", "lstm", {"dtype": "float16"}, False, "dtype 'float16' is none that JAX"),
    ],
)
def test_it_takes_what_keras_hands_to_cudnn(
    backend: str, kind: str, options: dict[str, Any], masked: bool, reason: str | None
) -> None:
    context = CallContext(backend, 10, device="gpu", masked=masked, training=True)
    found = cudnn.why_not(cells.get(kind)(4, **{"dtype": "float32", **options}), context)
    assert found is None if reason is None else reason in str(found)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("options", "mask"),
    covering([{}, {"go_backwards": True}, {"zero_output_for_mask": True}], [None, PADDED, MASK]),
)
def test_outputs_and_states_are_those_of_every_kernel(
    kind: str, options: dict[str, bool], mask: np.ndarray | None
) -> None:
    if BACKEND == "jax" and mask is not None:
        pytest.skip("on JAX it takes no mask")
    cell = variant(kind, dtype="float32")
    x, first = sequences(5, 6, 3), states(cell, 5)
    expected = statement.run(cell, x, mask=mask, states=first, **options)
    given = None if mask is None else ops.convert_to_tensor(mask)
    for return_sequences in (True, False):
        layer = layer_of(cell, kernel="cudnn", return_sequences=return_sequences, **options)
        output, *final = layer(x, mask=given, initial_state=first)
        wanted = expected.outputs if return_sequences else expected.last
        close(output, wanted, tolerance=2e-5, what="output")
        close(final, expected.states, tolerance=2e-5, what="states")
        assert layer.kernel.name == "cudnn"


@pytest.mark.parametrize("mask", [None, PADDED, MASK])
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_reach_the_weights_of_our_cell(kind: str, mask: np.ndarray | None) -> None:
    if BACKEND == "jax" and mask is not None:
        pytest.skip("on JAX it takes no mask")
    cell = variant(kind, dtype="float32")
    x, first = sequences(5, 6, 3), states(cell, 5)
    given = {} if mask is None else {"mask": ops.convert_to_tensor(mask)}
    draw = ops.convert_to_tensor(sequences(5, 6, 4, random=9).astype("float32"))
    got, wanted = (
        gradients.of_layer(
            layer_of(cell, kernel=kernel),
            lambda result: ops.sum(draw * result[0]) + ops.sum(result[1] * result[-1]),
            *(x, first),
            **given,
        )
        for kernel in ("cudnn", "scan")
    )
    assert len(got[0]) == 3
    for ours, theirs in zip(keras.tree.flatten(got), keras.tree.flatten(wanted), strict=True):
        assert np.abs(ours - theirs).max() <= 1e-5 * np.abs(theirs).max()


@pytest.mark.thorough
@pytest.mark.skipif(not KINDS, reason="PyTorch reaches cuDNN in the fused kernel")
def test_a_model_trains_and_masks_of_every_form_do_not_stop_it() -> None:
    layer = RNN(cells.get(KINDS[0])(4, weight_drop=0.2, dropout=0.1), kernel="cudnn")
    masked = [keras.layers.Masking()] if BACKEND == "tensorflow" else []
    model = keras.Sequential([keras.Input((6, 3)), *masked, layer, keras.layers.Dense(1)])
    model.compile(loss="mse")
    before = numpy(layer.cell.recurrent_kernel)
    x = np.where(MASK[..., None], sequences(5, 6, 3), 0.0)
    history = model.fit(x, np.ones((5, 1)), epochs=2, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    assert not np.allclose(before, numpy(layer.cell.recurrent_kernel))
    assert layer.kernel.name == "cudnn"
    assert len(model.weights) == 5  # the layer of Keras brings none of its own
