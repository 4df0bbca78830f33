"""Models come back in a fresh process, which knows nothing but the layers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kerasseq.models import Classifier, Forecaster
from tests.models.texts import texts
from tests.models.windows import windows

FRESH = """
import sys
sys.path.insert(0, sys.argv[1])
import kerasseq.layers, keras, numpy as np
for name in sys.argv[2:]:
    with np.load(f"{name}.npz") as file:
        inputs = dict(file)
    model = keras.models.load_model(f"{name}.keras")
    np.save(f"{name}.npy", keras.ops.convert_to_numpy(model(inputs)))
"""


@pytest.mark.thorough
def test_models_come_back_in_a_fresh_process(tmp_path: Path) -> None:
    classifier = Classifier(
        30, 3, units=4, embedding=5, ngrams=9, depth=2, pooling="max+attention",
        token_dropout=0.1, embedding_dropout=0.1, dropout=0.1,
    )  # fmt: skip
    forecaster = Forecaster(
        lookback=7, horizon=5, units=3, targets=2, past=3, future=2, static=1, series=3,
        embedding=2, segment=3, season=2, masked=True, output="quantiles",
        normalization="seasonal",
    )  # fmt: skip
    models = {"classifier": classifier.build(), "forecaster": forecaster.build()}
    inputs = {"classifier": texts(classifier), "forecaster": windows(forecaster)}
    for name, model in models.items():
        model.save(tmp_path / f"{name}.keras")
        np.savez(tmp_path / f"{name}.npz", **inputs[name])
    root = str(Path(__file__).parents[2])
    result = subprocess.run(
        [sys.executable, "-c", FRESH, root, *models],
        cwd=tmp_path, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    for name, model in models.items():
        expected = np.asarray(model(inputs[name]))
        np.testing.assert_array_equal(np.load(tmp_path / f"{name}.npy"), expected, err_msg=name)
