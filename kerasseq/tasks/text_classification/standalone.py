"""Classify texts with an exported model.

It needs Python 3.11, NumPy, tokenizers and onnxruntime, and the files beside it.

    python predict.py "a fine film" "a dull one"      # one JSON object for each text
    python predict.py < reviews.txt                   # one text a line

In Python:

    from predict import Predictor
    Predictor().predict(["a fine film"])
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import tokenizers

BATCH = 256
UNKNOWN = 1  # number of the unknown token; 0 is padding
START, END = 2, 3  # tokens that some models have around every text
MISSING = {"None", "nan", "NaT", "<NA>"}  # as Python, NumPy and pandas write missing values


class Predictor:
    """A text classifier with its preprocessing.

    Args:
        folder: The folder with model.onnx and preprocessing.json; by default that of this file.
    """

    def __init__(self, folder: str | Path = Path(__file__).parent) -> None:
        folder = Path(folder)
        text = (folder / "preprocessing.json").read_text(encoding="utf-8")
        self._state: dict[str, Any] = json.loads(text)
        self._tokenizer = tokenizers.Tokenizer.from_str(json.dumps(self._state["tokenizer"]))
        self._ngrams = Ngrams(**self._state["ngrams"]) if self._state["ngrams"] else None
        self._session = onnxruntime.InferenceSession(
            folder / "model.onnx", providers=["CPUExecutionProvider"]
        )

    def predict(self, texts: Sequence[str]) -> list[dict[str, Any]]:
        """Classes of texts.

        Args:
            texts: A list of texts; a missing one (None, NaN) is an empty text.

        Returns:
            For each text a dict: `text`, `label`, the probability of each class by its name, and
            `note`, which says why a text cannot be read, or is "".

        Raises:
            TypeError: If this is no list of texts.
            ValueError: If there is no text, or one is not a string.
        """
        if isinstance(texts, str) or not isinstance(texts, Iterable):
            raise TypeError(f"Give a list of texts, even for one. Received: {str(texts)[:60]!r}")
        texts = [readable(row, text) for row, text in enumerate(texts)]
        if not texts:
            raise ValueError("There is no text to predict. Give at least one.")
        rows = []
        for start in range(0, len(texts), BATCH):
            rows += self._predict(texts[start : start + BATCH])
        return rows

    def _predict(self, texts: Sequence[str]) -> list[dict[str, Any]]:
        state, tokens = self._state, self._tokens(texts)
        inputs = self._inputs(tokens)
        (logits,) = self._session.run(None, inputs)
        shares = probabilities(logits)
        known = self._has_known_tokens(inputs)
        rows = []
        for text, row, is_known in zip(texts, shares, known, strict=True):
            note = ""
            if not is_known:
                row = row if state["shares"] is None else np.array(state["shares"])
                reason = f"no known {state['kind']}" if text.strip() else "no text"
                note = f"{reason}: {state['instead']}"
            label = state["classes"][int(row.argmax())]
            columns = dict(zip(state["columns"], row.tolist(), strict=True))
            rows.append({"text": text, "label": label, **columns, "note": note})
        return rows

    def _has_known_tokens(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        """Whether each text has a known token or n-gram that an empty text does not have."""
        empty = self._inputs(self._tokens([""]))
        ignored = [0, UNKNOWN, *empty["tokens"][0]]
        known: np.ndarray = np.any(~np.isin(inputs["tokens"], ignored), axis=1)
        if self._ngrams:
            ignored = [0, *empty["ngrams"][0]]
            known = known | np.any(~np.isin(inputs["ngrams"], ignored), axis=1)
        return known

    def _tokens(self, texts: Sequence[str]) -> list[list[int]]:
        encoded = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        start, end = ([START], [END]) if self._state["boundaries"] else ([], [])
        return [[*start, *each.ids, *end] for each in encoded]

    def _inputs(self, rows: list[list[int]]) -> dict[str, np.ndarray]:
        tokens = self._padded([np.array(row, np.int32) for row in rows])
        tokens[tokens >= self._state["known"]] = UNKNOWN
        if not self._ngrams:
            return {"tokens": tokens}
        count = len(rows)
        logits = 1 if len(self._state["classes"]) == 2 else len(self._state["classes"])
        return {
            "tokens": tokens,
            "ending": self._padded([self._ngrams.ending(row) for row in rows]),
            "ngrams": np.stack([self._ngrams.encode(row) for row in rows]),
            "ending_corrections": np.zeros((count, 1, 1, logits), np.float32),
            "ngram_corrections": np.zeros((count, 1, logits), np.float32),
        }

    def _padded(self, rows: list[np.ndarray]) -> np.ndarray:
        """Rows that are cut to the longest that the model reads, and padded with 0."""
        rows = [self._cut(row) for row in rows]
        width = max(1, *map(len, rows))
        out = np.zeros((len(rows), width, *rows[0].shape[1:]), np.int32)
        for target, row in zip(out, rows, strict=True):
            target[: len(row)] = row
        return out

    def _cut(self, row: np.ndarray) -> np.ndarray:
        length, truncate = self._state["length"], self._state["truncate"]
        if len(row) <= length or truncate == "end":
            return row[:length]
        tail = length // 2 if truncate == "middle" else length
        return np.concatenate([row[: length - tail], row[len(row) - tail :]])


class Ngrams:
    """Numbers of the n-grams of a text; 0 stands for none.

    Args:
        order: Number of tokens of the longest n-grams.
        width: Most n-grams of a text; the most frequent ones are left out.
        bits: Bits of a token number in the code of an n-gram.
        codes: Codes of the n-grams in the order of their numbers, int64 in base64.
    """

    def __init__(self, order: int, width: int, bits: int, codes: str) -> None:
        self._order, self._width, self._bits = order, width, bits
        numbers = np.frombuffer(base64.b64decode(codes), "<i8").astype(np.int64)
        self._places = np.argsort(numbers)
        self._sorted = numbers[self._places]

    def ending(self, row: Sequence[int]) -> np.ndarray:
        """The n-grams that end at each token, int32 (tokens, order), shortest first."""
        tokens = np.array(row, np.int64)
        known = (tokens > UNKNOWN) & (tokens < 1 << self._bits)
        numbers = np.zeros((len(tokens), self._order), np.int32)
        code, complete = np.zeros_like(tokens), np.ones_like(known)
        for n in range(min(self._order, len(tokens))):
            code = (code[: len(tokens) - n] << self._bits) | tokens[n:]
            complete = complete[: len(tokens) - n] & known[n:]
            numbers[n:, n] = np.where(complete, self._look_up(code), 0)
        return numbers

    def encode(self, row: Sequence[int]) -> np.ndarray:
        """The set of the n-grams of a text, int32 (width,), ascending."""
        numbers = np.unique(self.ending(row))
        numbers = numbers[numbers > 0][-self._width :]
        return np.pad(numbers, (0, self._width - len(numbers))).astype(np.int32)

    def _look_up(self, codes: np.ndarray) -> np.ndarray:
        if not len(self._sorted):
            return np.zeros_like(codes)
        places = np.minimum(np.searchsorted(self._sorted, codes), len(self._sorted) - 1)
        return np.where(self._sorted[places] == codes, self._places[places] + 1, 0)


def readable(row: int, text: Any) -> str:
    """The text with question marks for lone surrogates, which UTF-8 has not."""
    if isinstance(text, str):
        return text.encode(errors="replace").decode()
    if str(text) in MISSING:
        return ""
    raise ValueError(f"Every text must be a string. Received: text {row} is {text!r}")


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Class probabilities, (rows, classes), in double precision."""
    logits = logits.astype(np.float64)
    if logits.shape[1] == 1:  # the logit of the second of two classes
        logits = np.concatenate([np.zeros_like(logits), logits], axis=1)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def input_lines() -> list[str]:
    """The lines of the standard input, without their ends."""
    with open(0, encoding="utf-8-sig") as lines:
        return [line.rstrip("\n") for line in lines]


def main(texts: Sequence[str]) -> None:
    """Print one JSON object for each text, or for each line of the standard input."""
    try:
        rows = Predictor().predict(texts or input_lines())
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    for row in rows:
        print(json.dumps(row, ensure_ascii=False))


if __name__ == "__main__":
    main(sys.argv[1:])
