"""Classify sequences of numbers with an exported model.

It needs Python 3.11, NumPy and onnxruntime, and the files beside it.

    python predict.py one.npy two.npy     # one JSON object for each file, (timesteps, channels)

In Python:

    from predict import Predictor
    Predictor().predict([array])
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

BATCH = 256


class Predictor:
    """A classifier, or a regression, of sequences with its preprocessing.

    Args:
        folder: The folder with model.onnx and preprocessing.json; by default that of this file.
    """

    def __init__(self, folder: str | Path = Path(__file__).parent) -> None:
        folder = Path(folder)
        text = (folder / "preprocessing.json").read_text(encoding="utf-8")
        self._state: dict[str, Any] = json.loads(text)
        self._session = onnxruntime.InferenceSession(
            folder / "model.onnx", providers=["CPUExecutionProvider"]
        )

    def predict(self, sequences: Sequence[Any]) -> list[dict[str, Any]]:
        """Classes of sequences, or numbers.

        Args:
            sequences: Arrays, (timesteps, channels) or (timesteps,) of one channel, NaN for a
                missing value; frames are uint8, (timesteps, height, width, channels).

        Returns:
            For each sequence a dict: `label` and the probability of each class by its name, or the
            `prediction` of a regression.

        Raises:
            ValueError: If there is no sequence, or one has no timesteps, no numbers, or other
                channels than those in training.
        """
        arrays = [self._checked(array, row) for row, array in enumerate(sequences)]
        if not arrays:
            raise ValueError("There is no sequence. Give at least one.")
        rows = []
        for start in range(0, len(arrays), BATCH):
            rows += self._predict(arrays[start : start + BATCH])
        return rows

    def _checked(self, array: Any, row: int) -> np.ndarray:
        shape = tuple(self._state["shape"])
        values = np.asarray(array)
        if values.dtype.kind not in "buif":
            raise ValueError(f"Sequence {row} must hold numbers. Received: {values.dtype}")
        if values.ndim == 1:
            values = values[:, None]
        if values.shape[1:] != shape or not len(values):
            raise ValueError(
                f"Sequence {row} must have at least one timestep, each of the shape {shape}. "
                f"Received: {values.shape}"
            )
        if len(shape) == 1 and np.isinf(values.astype(np.float32)).any():
            raise ValueError(f"Sequence {row} holds infinite values, or too large ones.")
        return values

    def _predict(self, arrays: Sequence[np.ndarray]) -> list[dict[str, Any]]:
        state = self._state
        scaled = [self._scaled(array) for array in arrays]
        lengths = np.array([len(each) for each in scaled], np.int32)
        padded = np.zeros((len(scaled), lengths.max(), *scaled[0].shape[1:]), np.float32)
        for target, values in zip(padded, scaled, strict=True):
            target[: len(values)] = values
        (outputs,) = self._session.run(None, {"sequences": padded, "lengths": lengths})
        target = state["target"]
        if target is not None:
            numbers = target["mean"] + target["deviation"] * outputs[:, 0].astype(np.float64)
            return [{"prediction": float(number)} for number in numbers]
        return [
            {
                "label": state["classes"][int(row.argmax())],
                **dict(zip(state["columns"], row.tolist(), strict=True)),
            }
            for row in probabilities(outputs)
        ]

    def _scaled(self, values: np.ndarray) -> np.ndarray:
        """The input of the model, scaled by the training part."""
        state = self._state
        if len(state["shape"]) > 1:
            return values.astype(np.float32) / np.float32(255)
        mean, deviation = (np.array(state[name], np.float32) for name in ("mean", "deviation"))
        values = filled(values.astype(np.float32), mean)
        if state["centred"]:
            values = (values - values.mean(axis=0, dtype=np.float64)).astype(np.float32)
        scaled = (values - mean) / deviation
        if state["differences"] is None:
            return scaled
        differences = np.array(state["differences"], np.float32)
        steps = np.diff(values, axis=0, prepend=values[:1]) / differences
        return np.concatenate([scaled, steps], axis=1, dtype=np.float32)


def filled(values: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
    """Sequences with missing values interpolated over time, (timesteps, channels)."""
    missing, steps, values = np.isnan(values), np.arange(len(values)), values.copy()
    for channel in np.flatnonzero(missing.any(axis=0)):
        gaps = missing[:, channel]
        if gaps.all():
            values[:, channel] = otherwise[channel]
        else:
            known = steps[~gaps]
            values[gaps, channel] = np.interp(steps[gaps], known, values[known, channel])
    return values


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Class probabilities, (rows, classes), in double precision."""
    logits = logits.astype(np.float64)
    if logits.shape[1] == 1:  # the logit of the second of two classes
        logits = np.concatenate([np.zeros_like(logits), logits], axis=1)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def load(path: str) -> np.ndarray:
    """The array of a .npy file."""
    with open(path, "rb") as file:
        try:
            return np.lib.format.read_array(file, allow_pickle=False)
        except ValueError as error:
            raise ValueError(f"{path} is not a .npy file of numbers.") from error


def main(paths: Sequence[str]) -> None:
    """Print one JSON object for each .npy file."""
    try:
        rows = Predictor().predict([load(path) for path in paths])
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    for row in rows:
        print(json.dumps(row, ensure_ascii=False))


if __name__ == "__main__":
    main(sys.argv[1:])
