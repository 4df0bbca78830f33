"""Write captions of images with an exported model.

It needs Python 3.11, NumPy and onnxruntime, and the files beside it; for images Pillow.

    python predict.py one.jpg two.png     # one JSON object for each image

In Python:

    from predict import Predictor
    Predictor().predict(["one.jpg"])
"""

from __future__ import annotations

import argparse
import io
import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

PADDING, UNKNOWN, START, END = range(4)
NEVER = np.float32(-1e9)  # log-probability of forbidden tokens
ROWS = 64  # images whose captions are written side by side
IMAGES = 32  # images that an image network reads at once
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF")
ORIENTATION = 0x0112  # the EXIF tag of the camera's orientation


class Predictor:
    """A writer of captions with its preprocessing.

    Args:
        folder: The folder with start.onnx, step.onnx and preprocessing.json, and extractor.onnx if
            the model reads features of images; by default that of this file.
    """

    def __init__(self, folder: str | Path = Path(__file__).parent) -> None:
        folder = Path(folder)
        text = (folder / "preprocessing.json").read_text(encoding="utf-8")
        self._state: dict[str, Any] = json.loads(text)
        self._start, self._step = (_session(folder / f"{name}.onnx") for name in ("start", "step"))
        extractor = folder / "extractor.onnx"
        self._extractor = _session(extractor) if extractor.is_file() else None
        self._search = Search(self._step, self._state["length"])

    def predict(
        self,
        data: Any,
        beam_width: int | None = None,
        length_penalty: float | None = None,
        no_repeat_ngram_size: int | None = None,
    ) -> list[dict[str, Any]]:
        """Captions of images.

        Args:
            data: A list of images: paths or contents of files, arrays, (height, width) or (height,
                width, channels), uint8 or float from 0 to 1, or Pillow images; or an array of
                features, for a model that reads them.
            beam_width: Number of captions that beam search keeps, 1 for greedy decoding; None for
                that of the run, as in the next two.
            length_penalty: Exponent of the length that divides the log-probability of a caption.
            no_repeat_ngram_size: Length of n-grams that must not occur twice; 0 for no limit.

        Returns:
            For each image a dict: `image`, its name, `caption`, and the `log_probability` of the
            caption.

        Raises:
            ValueError: If an image cannot be read, or features have another shape.
        """
        options = {
            "beam_width": beam_width,
            "length_penalty": length_penalty,
            "no_repeat_ngram_size": no_repeat_ngram_size,
        }
        search = self._state["search"] | {k: v for k, v in options.items() if v is not None}
        check(search)
        names, features = self._features(data)
        rows = []
        for begin in range(0, len(names), ROWS):
            part = slice(begin, begin + ROWS)
            state = dict(
                zip(
                    (each.name.removeprefix("first_") for each in self._start.get_outputs()),
                    self._start.run(None, {"image": self._pixels(features, part)}),
                    strict=True,
                )
            )
            for name, (tokens, log_probs) in zip(
                names[part], self._search.run(state, **search), strict=True
            ):
                words = [self._state["vocabulary"][token] for token in tokens if token > END]
                probability = float(log_probs.sum())
                rows.append(
                    {"image": name, "caption": " ".join(words), "log_probability": probability}
                )
        return rows

    def _features(self, data: Any) -> tuple[list[str], Any]:
        """The names of images, and their features or sources."""
        shape, size = tuple(self._state["inputs"]), self._state["size"]
        if isinstance(data, np.ndarray) and data.dtype.kind == "f" and data.ndim < 4:
            if data.shape[1:] != shape or not len(data) or not np.isfinite(data).all():
                raise ValueError(
                    f"Features must be finite numbers of the shape {shape} for each image. "
                    f"Received: {data.shape}. Give images as a list, even a single one."
                )
            return [str(row) for row in range(len(data))], self._scaled(data)
        if size is None:
            raise ValueError(f"This model reads features: give an array, (images, {shape}).")
        is_path = isinstance(data, str | Path | bytes)
        if is_path or not len(data) or (isinstance(data, np.ndarray) and data.ndim < 3):
            raise ValueError("Give a list of images, even for one.")
        names = [str(item) if isinstance(item, str | Path) else str(row)
                 for row, item in enumerate(data)]  # fmt: skip
        if self._extractor is None:
            return names, list(data)
        parts = []
        for begin in range(0, len(data), IMAGES):
            pixels = read_images(data[begin : begin + IMAGES], size)
            (features,) = self._extractor.run(None, {self._extractor.get_inputs()[0].name: pixels})
            parts.append(features.reshape(len(features), *shape))
        return names, self._scaled(np.concatenate(parts))

    def _pixels(self, features: Any, part: slice) -> np.ndarray:
        """The input of the model: features, or pixels that are read now."""
        if isinstance(features, np.ndarray):
            return features[part]
        return read_images(features[part], self._state["size"])

    def _scaled(self, features: np.ndarray) -> np.ndarray:
        scaling, features = self._state["scaling"], features.astype(np.float32)
        if scaling is None:
            return features
        mean, deviation = (np.array(scaling[name], np.float32) for name in ("mean", "deviation"))
        return features * (np.float32(1) / deviation) + (-mean / deviation)


def check(search: Mapping[str, Any]) -> None:
    """Raise a ValueError for a setting of the beam search that is out of range."""
    limits = {
        "beam_width": (1, 1000),
        "length_penalty": (0, 10),
        "no_repeat_ngram_size": (0, 1000),
    }
    for name, (least, most) in limits.items():
        value = search[name]
        kind: Any = int | float if name == "length_penalty" else int
        if isinstance(value, bool) or not isinstance(value, kind) or not least <= value <= most:
            raise ValueError(f"{name} must be from {least} to {most}. Received: {value!r}")


class Search:
    """Beam search: the best sentences are extended by one token at a time.

    Args:
        step: The model that reads a token.
        length: Largest number of tokens of a sentence, including its end.
    """

    def __init__(self, step: Any, length: int) -> None:
        self._step, self._length = step, length
        names = [each.name for each in step.get_inputs()]
        self._parts = [name for name in names if name != "tokens"]
        self._outputs = [each.name for each in step.get_outputs() if each.name != "logits"]

    def run(
        self,
        state: Mapping[str, np.ndarray],
        beam_width: int,
        length_penalty: float,
        no_repeat_ngram_size: int,
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """The tokens of the best sentence of each row, and their log-probabilities.

        Args:
            state: The state before the first token, by name.
            beam_width: Number of sentences in the beam.
            length_penalty: Exponent of the length.
            no_repeat_ngram_size: Length of n-grams that must not occur twice; 0 for no limit.
        """
        state = {name: np.repeat(state[name], beam_width, axis=0) for name in self._parts}
        rows = len(next(iter(state.values()))) // beam_width
        tokens = np.zeros((rows, beam_width, self._length), np.int32)
        log_probs = np.zeros(tokens.shape, np.float32)
        # All sentences of a beam are equal at first: only one of them is extended.
        total = np.full((rows, beam_width), NEVER)
        total[:, 0] = 0
        token = np.full(rows * beam_width, START, np.int32)
        for time in range(self._length):
            ended = (tokens == END).any(axis=-1)
            if self._are_final(tokens, total, ended, length_penalty).all():
                break
            new, state = self._read(token, state)
            new = new.reshape(rows, beam_width, -1)
            words = new.shape[-1]
            allowed = np.where(
                self._forbidden(tokens, time, no_repeat_ngram_size, words), NEVER, new
            )
            # An ended sentence can be extended only by padding, with log-probability 0.
            only_padding = np.where(np.arange(words) == PADDING, np.float32(0), NEVER)
            totals = total[..., None] + np.where(ended[..., None], only_padding, allowed)
            new = np.where(ended[..., None], np.float32(0), new)
            lengths = np.where(ended, (tokens != PADDING).sum(axis=-1), time + 1)
            scores = penalized(totals, lengths[..., None], length_penalty).reshape(rows, -1)
            chosen = np.argsort(-scores, axis=-1, kind="stable")[:, :beam_width]
            parent, token = np.divmod(chosen, words)
            total = np.take_along_axis(totals.reshape(rows, -1), chosen, axis=-1)
            tokens = np.take_along_axis(tokens, parent[..., None], axis=1)
            log_probs = np.take_along_axis(log_probs, parent[..., None], axis=1)
            tokens[..., time] = token
            log_probs[..., time] = np.take_along_axis(new.reshape(rows, -1), chosen, axis=-1)
            order = (parent + beam_width * np.arange(rows)[:, None]).ravel()
            state = {
                name: part[order] if f"next_{name}" in self._outputs else part
                for name, part in state.items()
            }
            token = token.ravel().astype(np.int32)
        if not np.isfinite(total).all():
            raise ValueError("The model has outputs that are not finite: the inputs are too large.")
        return [
            (sentence[: np.argmax([*(sentence == END), True])], numbers)
            for sentence, numbers in zip(tokens[:, 0], log_probs[:, 0], strict=True)
        ]

    def _read(
        self, token: np.ndarray, state: Mapping[str, np.ndarray]
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Log-probabilities of the next token, and the state after this one."""
        logits, *after = self._step.run(
            ["logits", *self._outputs], {"tokens": token[:, None], **state}
        )
        names = [name.removeprefix("next_") for name in self._outputs]
        return log_softmax(logits[:, 0]), {**state, **dict(zip(names, after, strict=True))}

    def _forbidden(self, tokens: np.ndarray, time: int, size: int, words: int) -> np.ndarray:
        """Tokens that must not follow, (rows, sentences, words)."""
        forbidden = np.zeros((*tokens.shape[:2], words), bool)
        forbidden[..., [PADDING, UNKNOWN, START]] = True
        if not size:
            return forbidden
        # The token after an earlier occurrence of the last tokens would repeat an n-gram.
        for place in np.ndindex(tokens.shape[:2]):
            said = tokens[place][:time].tolist()
            last = said[len(said) - size + 1 :]
            for begin in range(time - size + 1):
                if said[begin : begin + size - 1] == last:
                    forbidden[(*place, said[begin + size - 1])] = True
        return forbidden

    def _are_final(
        self, tokens: np.ndarray, total: np.ndarray, ended: np.ndarray, penalty: float
    ) -> np.ndarray:
        """Whether the first sentence of a row has ended, and no other one can become better."""
        best = penalized(total, (tokens != PADDING).sum(axis=-1), penalty)[:, :1]
        bounds = penalized(total, np.array(self._length), penalty)
        return ended[:, 0] & ~(~ended & (bounds > best)).any(axis=-1)


def penalized(total: np.ndarray, lengths: np.ndarray, penalty: float) -> np.ndarray:
    """Scores of sentences: log-probabilities divided by a power of the length."""
    if not penalty:
        return total
    return total / np.maximum(lengths.astype(np.float32), 1) ** np.float32(penalty)


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Log-probabilities over the last axis."""
    logits = logits - logits.max(axis=-1, keepdims=True)
    result: np.ndarray = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    return result


def read_images(sources: Sequence[Any], size: int) -> np.ndarray:
    """Images scaled to squares, float32 (images, size, size, 3) from 0 to 255."""
    return np.stack([read_image(source, size) for source in sources]).astype(np.float32)


def read_image(source: Any, size: int) -> np.ndarray:
    """An image scaled to a square, uint8 (size, size, 3).

    Args:
        source: The path or the content of a file, an array, or a Pillow image.
        size: Height and width, in pixels.
    """
    from PIL import Image

    if isinstance(source, Image.Image):
        return to_array(source, size)
    if not isinstance(source, str | Path | bytes):
        return to_array(Image.fromarray(checked_pixels(source)), size)
    file: Any = io.BytesIO(source) if isinstance(source, bytes) else source
    name = "The image" if isinstance(source, bytes) else str(source)
    try:
        with warnings.catch_warnings():
            # Pillow warns of a large image, and raises an error for one twice as large.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(file, formats=FORMATS) as image:
                image.draft("RGB", (2 * size, 2 * size))  # decodes a large JPEG at a fraction
                return to_array(image, size)
    except FileNotFoundError:
        raise
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise ValueError(f"{name} is no image that can be read ({error}).") from error


def checked_pixels(value: Any) -> np.ndarray:
    """The pixels of an array, uint8 (height, width) or (height, width, 3 or 4)."""
    array = np.asarray(value)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if 0 in array.shape or array.ndim not in (2, 3) or array.shape[2:] not in ((), (3,), (4,)):
        raise ValueError(
            f"An image must be (height, width) or (height, width, 3). Received: {array.shape}"
        )
    if array.dtype.kind == "f" and array.min() >= 0 and array.max() <= 1:
        array = np.rint(array * 255).astype(np.uint8)
    if array.dtype != np.uint8:
        raise ValueError(
            f"An image must be uint8, or float from 0 to 1. Received: dtype={array.dtype}"
        )
    return array


def to_array(image: Any, size: int) -> np.ndarray:
    """A Pillow image as uint8 (size, size, 3)."""
    from PIL import Image

    image = to_rgb(image)
    if image.size != (size, size):
        image = image.resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(image)


def to_rgb(image: Any) -> Any:
    """A Pillow image in colours and upright; transparent pixels become white."""
    from PIL import Image, ImageOps

    if image.getexif().get(ORIENTATION, 1) != 1:
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):  # Pillow's conversion would clip 16 bits, not scale them
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    elif image.mode in ("I", "F"):
        values = np.asarray(image, dtype=np.float64)
        unit_range = image.mode == "F" and values.max() <= 1
        values = values / (1.0 if unit_range else max(255.0, values.max())) * 255
        image = Image.fromarray(np.rint(values).clip(0, 255).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        paper = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(paper, image)
    return image if image.mode == "RGB" else image.convert("RGB")


def _session(path: Path) -> Any:
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def load(path: str) -> np.ndarray:
    """The array of a .npy file."""
    with open(path, "rb") as file:
        try:
            return np.lib.format.read_array(file, allow_pickle=False)
        except ValueError as error:
            raise ValueError(f"{path} is not a .npy file of numbers.") from error


def main() -> None:
    """Print one JSON object for each image."""
    parser = argparse.ArgumentParser(description="Write captions of images.")
    parser.add_argument("images", nargs="+", help="image files; or one .npy file of features")
    parser.add_argument("--beam-width", type=int, help="number of captions that are kept")
    arguments = parser.parse_args()
    data: Any = arguments.images
    try:
        if len(data) == 1 and data[0].endswith(".npy"):
            data = load(data[0])
        rows = Predictor().predict(data, arguments.beam_width)
    except (ValueError, OSError) as error:
        parser.exit(2, f"{error}\n")
    for row in rows:
        print(json.dumps(row, ensure_ascii=False))


if __name__ == "__main__":
    main()
