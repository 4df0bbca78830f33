"""An exported step, run by onnxruntime, gives the outputs of the whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from keras import layers

import kerasseq
from kerasseq.cli import main
from tests.interop.streaming.test_stream import SEQUENCES, TOKENS, numbers, words
from tests.layers.harness import array, randomize

CHUNKS = (1, 1, 4, 3)


def check(model: Any, x: np.ndarray, folder: Path) -> Any:
    """Read a sequence in parts from the file, with the state that its metadata says first."""
    randomize(model)
    path = kerasseq.export(model, folder / "step.onnx", stream=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    metadata = session.get_modelmeta().custom_metadata_map
    first = json.loads(metadata["kerasseq.first_state"])
    sequences, *parts = session.get_inputs()
    assert [part.name for part in parts] == [*first]
    state = {
        part.name: np.zeros((len(x), *part.shape[1:]), "float32")
        + np.array(first[part.name], "float32")
        for part in parts
    }
    read, outputs = 0, []
    for chunk in CHUNKS:
        inputs = {sequences.name: x[:, read : read + chunk], **state}
        output, *after = session.run(None, inputs)
        names = [value.name.removeprefix("next_") for value in session.get_outputs()[1:]]
        state = dict(zip(names, after, strict=True))
        outputs.append(output)
        read += chunk
    expected = array(model(x, training=False))
    whole = np.concatenate(outputs, axis=1) if expected.ndim == 3 else outputs[-1]
    np.testing.assert_allclose(whole, expected, atol=1e-5)
    return session


def test_states_of_every_layer_go_in_and_out(tmp_path: Path) -> None:
    model = numbers(
        layers.Conv1D(4, 3, padding="causal", activation="relu"),
        layers.TimeDistributed(layers.Dense(4)),
        layers.GRU(4, return_sequences=True, name="reader"),
        kerasseq.lstm(3, depth=2, trainable_initial_state=True, return_sequences=True),
        layers.Dense(2, activation="softmax", name="classes"),
    )
    session = check(model, SEQUENCES, tmp_path)
    assert session.get_outputs()[0].name == "classes"
    assert "next_reader_state_0" in [output.name for output in session.get_outputs()]


@pytest.mark.parametrize("last", [False, pytest.param(True, marks=pytest.mark.thorough)])
def test_masks_hold_states(last: bool, tmp_path: Path) -> None:
    deep = [layers.LSTM(4, return_sequences=True), kerasseq.rnn("mgu", 3, return_sequences=last)]
    check(words(*deep), TOKENS, tmp_path)


def test_nothing_is_written_if_a_layer_cannot_go_on(tmp_path: Path) -> None:
    model = numbers(layers.Bidirectional(layers.GRU(3), name="both"))
    with pytest.raises(ValueError, match=r"both \(its second direction"):
        kerasseq.export(model, tmp_path / "step.onnx", stream=True)
    assert [*tmp_path.iterdir()] == []


def test_the_shell_writes_a_step(tmp_path: Path) -> None:
    numbers(layers.GRU(4, name="reader")).save(tmp_path / "model.keras")
    path = tmp_path / "step.onnx"
    assert main(["export", str(tmp_path / "model.keras"), str(path), "--stream"]) == 0
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert [each.name for each in session.get_outputs()] == ["reader", "next_reader_state_0"]
