"""Recipes of sequences and of tags on JAX and PyTorch, from data to a loaded run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest

import kerasseq

pytestmark = pytest.mark.skipif(
    keras.backend.backend() == "tensorflow", reason="the tests of the recipes run on TensorFlow"
)
# One batch an epoch, since XLA compiles for each shape.
SMALL: dict[str, Any] = {
    **{"units": 4, "epochs": 1, "final": "train", "batch_size": 64, "quiet": True},
}


def _waves() -> tuple[np.ndarray, list[str]]:
    time = np.arange(12)
    waves = [np.sin((0.3 + 0.6 * (row % 2)) * time + row) for row in range(32)]
    return np.stack(waves)[..., None].astype(np.float32), ["slow", "fast"] * 16


def test_a_classifier_of_sequences_predicts_and_streams(tmp_path: Path) -> None:
    data = _waves()
    options = {**SMALL, "depth": 1, "convolutions": 1, "filters": 4}
    run = kerasseq.sequence_classification(
        data, causal=True, pooling="max+mean+attention", **options
    )
    again = kerasseq.load(run.save(tmp_path / "run"))
    answers = again.predict(data[0][:1])
    stream = again.stream()
    for sample in data[0][0]:
        answer = stream.update(sample)
    expected = answers.loc[0, ["fast", "slow"]].to_numpy(dtype=float)
    np.testing.assert_allclose([*answer["probabilities"].values()], expected, atol=1e-5)


def test_a_tagger_predicts_several_columns(tmp_path: Path) -> None:
    rows = [
        (["call", f"x{row}"], ["O", "B-PER"], ["V", "N"], "CALL")
        if row % 2
        else (["fly", f"y{row}"], ["O", "B-LOC"], ["V", "N"], "FLY")
        for row in range(40)
    ]
    table = pd.DataFrame(rows, columns=["tokens", "slots", "pos", "intent"])
    several: dict[str, Any] = {"tag": ["slots", "pos"], "sentence_label": "intent"}
    options = {**SMALL, **several, "embedding": 4, "characters": "none"}
    run = kerasseq.tagging(table, **options)
    answers = kerasseq.load(run.save(tmp_path / "run")).tag([["fly", "y3"]])
    assert {"accuracy of pos", "accuracy of intent"} <= run.metrics["test"].keys()
    assert answers["probability"].between(0, 1).all()
