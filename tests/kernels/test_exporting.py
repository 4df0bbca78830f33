"""What `model.export` writes runs where kerasseq is not installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import kerasseq
from kerasseq import kernels
from kerasseq.kernels import exporting
from tests.layers.harness import array, draw, randomize

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="Keras writes a SavedModel of TensorFlow"
)

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


def test_a_trace_for_other_reasons_is_no_export() -> None:
    import tensorflow as tf  # the backend in use

    seen = []

    @tf.function
    def traced(x: tf.Tensor) -> tf.Tensor:
        seen.append((exporting.is_exporting(), kernels.is_portable()))
        return x

    traced(tf.ones(2))
    assert seen == [(False, False)]
