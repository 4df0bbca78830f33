"""`kerasseq.export` writes a whole file or none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnxruntime
import pytest

import kerasseq
from kerasseq.interop import formats as module
from tests.layers.harness import array, draw
from tests.thorough import first_of


def model() -> Any:
    return keras.Sequential(
        [keras.Input((None, 3), name="x"), kerasseq.gru(4), keras.layers.Dense(2, name="y")]
    )


def test_a_model_and_a_saved_one_give_the_same_file(tmp_path: Path) -> None:
    made = model()
    made.save(tmp_path / "model.keras")
    x = draw(2, 5, 3)
    for source in (made, tmp_path / "model.keras"):
        path = kerasseq.export(source, tmp_path / "model.onnx", overwrite=True)
        session = onnxruntime.InferenceSession(path)
        np.testing.assert_allclose(session.run(["y"], {"x": x})[0], array(made(x)), atol=1e-5)


def test_a_file_is_not_replaced_unasked(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_text("mine")
    with pytest.raises(ValueError, match="overwrite=True"):
        kerasseq.export(model(), path)
    assert path.read_text() == "mine"


def test_nothing_is_written_if_a_layer_cannot_be_exported(tmp_path: Path) -> None:
    half = keras.Sequential([keras.Input((5, 3)), keras.layers.GRU(4, dtype="float16")])
    with pytest.raises(ValueError, match="float16"):  # on JAX, Keras leaves such a GRU unbuilt
        kerasseq.export(half, tmp_path / "model.onnx")
    assert [*tmp_path.iterdir()] == []


@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize` method")
@pytest.mark.parametrize("mode", first_of(["int8", "int4", "float8"]))
def test_a_quantized_model_is_refused(mode: str, tmp_path: Path) -> None:
    """Its weights without their scales would be those of another model."""
    made = keras.Sequential(
        [
            keras.Input((None, 3)),
            keras.layers.TimeDistributed(keras.layers.Dense(6, name="inner"), name="each"),
            keras.layers.LSTM(4),
            keras.layers.Dense(4, name="last"),
        ]
    )
    made.quantize(mode)
    layers = rf"2 layers of .* are quantized: each/inner \({mode}\), last \({mode}\)\. Pass the"
    with pytest.raises(ValueError, match=layers):
        kerasseq.export(made, tmp_path / "model.onnx")
    with pytest.raises(ValueError, match=layers):
        kerasseq.export(made, tmp_path / "model.tflite", "litert")
    with pytest.raises(ValueError, match=layers):
        kerasseq.stream(made)
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"format": "tflite"}, "format='tflite'"),
        ({"path": "model.keras"}, r"must be a \.onnx file"),
        ({"path": "nowhere/model.onnx"}, "folder that exists"),
        ({"model": 3}, "must be a Keras model"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        kerasseq.export(**{"model": model(), "path": "model.onnx", **arguments})


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r"kerasseq\[onnx\]"):
        kerasseq.export(model(), "model.onnx")
