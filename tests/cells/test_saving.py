"""Models of every cell, saved here and loaded in a process that knows nothing but the package."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from kerasseq.layers import RNN
from tests.cells.harness import VARIANTS, make, randomise, sequences

ROOT = Path(__file__).parents[2]
LOADER = """
import sys
import keras, numpy as np
import kerasseq.layers
folder = sys.argv[1]
model = keras.models.load_model(f"{folder}/model.keras")
np.savez(f"{folder}/found.npz", **model.predict(np.load(f"{folder}/inputs.npy"), verbose=0))
"""


@pytest.mark.thorough
def test_every_cell_loads_in_a_fresh_process_without_custom_objects(tmp_path: Path) -> None:
    inputs = keras.Input((5, 3))
    outputs = {}
    for index, (name, (kind, options)) in enumerate(VARIANTS.items()):
        extra = {"trainable_initial_state": True, "zoneout": 0.1} if index % 2 else {"dropout": 0.2}
        layer = RNN(make(kind, dtype="float32", **extra, **options), return_sequences=index % 3 > 0)
        outputs[name] = (layer if index % 3 else keras.layers.Bidirectional(layer))(inputs)
    model = randomise(keras.Model(inputs, outputs), 3)
    x = sequences(4, 5, 3).astype("float32")
    expected = model.predict(x, verbose=0)
    np.save(tmp_path / "inputs.npy", x)
    model.save(tmp_path / "model.keras")

    actual = subprocess.run(
        [sys.executable, "-c", LOADER, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert actual.returncode == 0, actual.stderr
    loaded = np.load(tmp_path / "found.npz")
    assert sorted(loaded) == sorted(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(loaded[name], value, rtol=1e-6, atol=1e-6, err_msg=name)
