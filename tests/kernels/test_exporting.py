"""What is traced for a file runs where kerasseq is not installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import kerasseq
from kerasseq import kernels
from kerasseq.kernels import exporting
from tests.layers.harness import array, draw, randomize
from tests.thorough import first_of

BACKEND = keras.backend.backend()
on_tensorflow = pytest.mark.skipif(BACKEND != "tensorflow", reason="a file of TensorFlow")
on_torch = pytest.mark.skipif(BACKEND != "torch", reason="a file of PyTorch")
on_jax = pytest.mark.skipif(BACKEND != "jax", reason="a file of JAX")

ELSEWHERE = """
import sys
import numpy as np
import tensorflow as tf
sys.modules["kerasseq"] = None
folder = sys.argv[1]
model = tf.saved_model.load(folder + "/saved")
np.save(folder + "/y.npy", model.serve(np.load(folder + "/x.npy")))
"""


@pytest.mark.thorough
@pytest.mark.skipif(BACKEND == "torch", reason="Keras writes no SavedModel on PyTorch")
def test_a_saved_model_loads_without_kerasseq(tmp_path: Path) -> None:
    layers = [kerasseq.gru(4, bidirectional=True, return_sequences=True), kerasseq.lstm(3)]
    model = keras.Sequential([keras.Input((None, 2)), *layers])
    randomize(model)
    x = draw(3, 5, 2)
    expected = array(model.predict(x, verbose=0))
    used = model.layers[1].kernel.name
    model.export(tmp_path / "saved", verbose=False)
    assert model.layers[1].kernel.name == "scan"
    if used == "native":
        assert model.layers[1].kernel.reasons["native"] == "the model is being exported"
    np.save(tmp_path / "x.npy", x)
    result = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, str(tmp_path)],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), expected, atol=1e-5)
    model(x)
    assert model.layers[1].kernel.name == used  # the file alone is without it


def small() -> Any:
    return keras.Sequential([keras.Input((None, 2)), kerasseq.lstm(3)])


def _by_keras(model: Any, folder: Path) -> None:
    model.export(folder, verbose=False)


def _by_archive(model: Any, folder: Path) -> None:
    archive = keras.export.ExportArchive()
    archive.track(model)
    signature = [keras.InputSpec(shape=(None, None, 2), dtype="float32")]
    archive.add_endpoint("serve", model.__call__, input_signature=signature)
    archive.write_out(folder, verbose=False)


def _by_tensorflow(model: Any, folder: Path) -> None:
    import tensorflow as tf  # the backend in use

    tf.saved_model.save(model, str(folder))


@on_tensorflow
@pytest.mark.parametrize("write", first_of([_by_keras, _by_tensorflow, _by_archive]))
def test_no_way_of_saving_writes_an_operation_of_ours(write: Any, tmp_path: Path) -> None:
    model = small()
    model.predict_on_batch(draw(1, 4, 2))  # traced before, with the operation
    write(model, tmp_path / "saved")
    content = (tmp_path / "saved" / "saved_model.pb").read_bytes()
    assert b"MatMul" in content
    assert b"Kerasseq>" not in content


@on_tensorflow
def test_tensorflow_can_refuse_a_function_that_was_traced_before(tmp_path: Path) -> None:
    import tensorflow as tf  # the backend in use

    model = small()
    signature = tf.TensorSpec((None, None, 2), name="x")
    traced = tf.function(model, autograph=False).get_concrete_function(signature)
    if model.layers[0].kernel.name != "native":
        pytest.skip("the extension is not built")
    options = tf.saved_model.SaveOptions(namespace_whitelist=[])
    with pytest.raises(ValueError, match="Kerasseq>Recurrence"):
        tf.saved_model.save(model, str(tmp_path / "saved"), signatures=traced, options=options)


@on_torch
@pytest.mark.parametrize("traced", first_of(["export", "jit"]))
@pytest.mark.filterwarnings("ignore")  # the tracer warns of sizes that become constants
def test_programs_of_pytorch_need_no_kerasseq(traced: str, tmp_path: Path) -> None:
    import torch  # the backend in use

    model, x = small().eval(), torch.from_numpy(draw(2, 4, 2))
    expected = array(model(x))
    if traced == "export":
        program = torch.export.export(model, (x,)).module()
    else:
        torch.jit.trace(model, (x,)).save(str(tmp_path / "model.pt"))
        program = torch.jit.load(str(tmp_path / "model.pt"))
    np.testing.assert_allclose(array(program(x)), expected, atol=1e-5)


@on_jax
def test_programs_of_jax_need_no_kerasseq() -> None:
    import jax  # the backend in use
    from jax import export

    model, x = small(), draw(2, 4, 2)
    expected = array(model(x))
    exported = export.export(jax.jit(lambda x: model(x)))(x)
    program = export.deserialize(exported.serialize())  # which refuses calls of other libraries
    np.testing.assert_allclose(array(program.call(x)), expected, atol=1e-5)


@on_tensorflow
def test_a_trace_for_other_reasons_is_no_export() -> None:
    import tensorflow as tf  # the backend in use

    seen = []

    @tf.function
    def traced(x: tf.Tensor) -> tf.Tensor:
        seen.append((exporting.is_exporting(), kernels.is_portable()))
        return x

    traced(tf.ones(2))
    assert seen == [(False, False)]
