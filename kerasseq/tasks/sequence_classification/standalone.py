"""Classify sequences of numbers with an exported model.

It needs Python 3.11, NumPy and onnxruntime, and the files beside it; for frames of videos Pillow,
if encoder.onnx is one of them.

    python predict.py one.npy two.npy     # one JSON object for each file, (timesteps, channels)

In Python:

    from predict import Predictor
    Predictor().predict([array])
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

BATCH = 256
FRAMES = 32  # frames that the frozen network reads at once


class Predictor:
    """A classifier, or a regression, of sequences with its preprocessing.

    Args:
        folder: The folder with model.onnx and preprocessing.json, and encoder.onnx if the model
            reads features of frames; by default that of this file.
    """

    def __init__(self, folder: str | Path = Path(__file__).parent) -> None:
        folder = Path(folder)
        text = (folder / "preprocessing.json").read_text(encoding="utf-8")
        self._state: dict[str, Any] = json.loads(text)
        self._dtype = np.dtype(self._state["dtype"])
        self._session = _session(folder / "model.onnx")
        encoder = folder / "encoder.onnx"
        self._encoder: Any = _session(encoder) if encoder.is_file() else None

    def predict(
        self, sequences: Sequence[Any], names: Sequence[str] | None = None
    ) -> list[dict[str, Any]]:
        """Classes of sequences, or numbers.

        Args:
            sequences: Arrays, (timesteps, channels) or (timesteps,) of one channel, NaN for a
                missing value; frames are whole numbers from 0 to 255, (timesteps, height, width,
                channels).
            names: Names of the sequences, for a model of windows; by default their numbers.

        Returns:
            For each sequence a dict: `label` and the probability of each class by its name, or the
            `prediction` of a regression. For a model of windows one for each window, with its
            `sequence`: the name, and the first timestep and the one after the last, as in 0[10:20].

        Raises:
            ValueError: If there is no sequence, or one has no timesteps, no numbers, or other
                channels than those in training.
        """
        arrays = [self._checked(array, row) for row, array in enumerate(sequences)]
        if not arrays:
            raise ValueError("There is no sequence. Give at least one.")
        names = [str(row) for row in range(len(arrays))] if names is None else names
        if len(names) != len(arrays):
            raise ValueError(f"There are {len(names)} names for {len(arrays)} sequences.")
        window, labelled = self._state["window"], []
        if window is not None:
            step = self._state["stride"] or window
            cut = [windows(each, name, window, step) for each, name in zip(arrays, names)]
            arrays = [values for parts in cut for _, values in parts]
            labelled = [{"sequence": name} for parts in cut for name, _ in parts]
        rows = []
        for start in range(0, len(arrays), BATCH):
            rows += self._predict(arrays[start : start + BATCH])
        return [name | row for name, row in zip(labelled, rows, strict=True)] if labelled else rows

    def _checked(self, array: Any, row: int) -> np.ndarray:
        """One sequence as the model reads it, before it is cut and scaled."""
        shape = tuple(self._state["shape"])
        values = np.asarray(array)
        if values.dtype.kind not in "buif":
            raise ValueError(f"Sequence {row} must hold numbers. Received: {values.dtype}")
        if values.ndim == 4 and (values.dtype.kind not in "iu" or values.min(initial=0) < 0
                                 or values.max(initial=0) > 255):  # fmt: skip
            raise ValueError(f"Frames of sequence {row} must be whole numbers from 0 to 255.")
        if values.ndim == 4 and self._encoder is not None and len(values):
            values = self._features(values.astype(np.uint8))
        if values.ndim == 1:
            values = values[:, None]
        if values.shape[1:] != shape or not len(values):
            raise ValueError(
                f"Sequence {row} must have at least one timestep, each of the shape {shape}. "
                f"Received: {values.shape}"
            )
        if len(shape) > 1:
            return values
        with np.errstate(over="ignore"):
            values = values.astype(self._dtype)
        if np.isinf(values).any():
            raise ValueError(f"Sequence {row} holds infinite values, or too large ones.")
        return values

    def _features(self, frames: np.ndarray) -> np.ndarray:
        """Features of frames by the frozen network, (timesteps, features)."""
        encoder, size, parts = self._encoder, self._state["frame_size"], []
        for start in range(0, len(frames), FRAMES):
            scaled = [square(frame, size) for frame in frames[start : start + FRAMES]]
            pixels = np.stack(scaled).astype(np.float32)
            (features,) = encoder.run(None, {encoder.get_inputs()[0].name: pixels})
            parts.append(features)
        return np.concatenate(parts)

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
        mean = np.array(state["mean"], self._dtype)
        deviation = np.array(state["deviation"], np.float32)
        values = filled(values, mean)
        if state["centred"]:
            values = (values - values.mean(axis=0, dtype=np.float64)).astype(np.float32)
        scaled = (values - mean) / deviation
        if state["differences"] is None:
            return np.asarray(scaled, np.float32)
        differences = np.array(state["differences"], np.float32)
        steps = np.diff(values, axis=0, prepend=values[:1]) / differences
        return np.concatenate([scaled, steps], axis=1, dtype=np.float32)


def windows(values: np.ndarray, name: str, window: int, step: int) -> list[tuple[str, np.ndarray]]:
    """Windows of a sequence by name; a shorter one is one window, a rest after the last none."""
    begins = range(0, max(1, len(values) - window + 1), step)
    cut = [(begin, values[begin : begin + window]) for begin in begins]
    return [(f"{name}[{begin}:{begin + len(part)}]", part) for begin, part in cut]


def square(frame: np.ndarray, size: int) -> np.ndarray:
    """A frame in colours scaled to a square, uint8 (size, size, 3).

    Args:
        frame: uint8 (height, width, channels): grey, red, green and blue, or these and the opacity.
        size: Height and width, in pixels.
    """
    from PIL import Image

    channels = frame.shape[2]
    if 0 in frame.shape or channels not in (1, 3, 4):
        raise ValueError(f"Frames must be (height, width, 1, 3 or 4). Received: {frame.shape}")
    image = Image.fromarray(frame[:, :, 0] if channels == 1 else frame)
    if channels == 4:  # transparent pixels become white
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    image = image.convert("RGB")
    if image.size != (size, size):
        image = image.resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(image)


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


def _session(path: Path) -> Any:
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def load(path: str) -> np.ndarray:
    """The array of a .npy file."""
    with open(path, "rb") as file:
        try:
            return np.lib.format.read_array(file, allow_pickle=False)
        except ValueError as error:
            raise ValueError(f"{path} is not a .npy file of numbers.") from error


def main(paths: Sequence[str]) -> None:
    """Print one JSON object for each .npy file, or for each window."""
    counts = Counter(Path(path).name for path in paths)
    names = [path if counts[Path(path).name] > 1 else Path(path).name for path in paths]
    try:
        rows = Predictor().predict([load(path) for path in paths], names)
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    for row in rows:
        print(json.dumps(row, ensure_ascii=False))


if __name__ == "__main__":
    main(sys.argv[1:])
