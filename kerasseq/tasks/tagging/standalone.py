"""Tag the words of sentences with an exported model.

It needs Python 3.11, NumPy and onnxruntime, and the files beside it.

    python predict.py "Ada lives in Rome."     # one JSON object for each word
    python predict.py < sentences.txt          # one sentence a line

In Python:

    from predict import Predictor
    Predictor().predict(["Ada lives in Rome.", ["Ada", "lives", "in", "Rome", "."]])
"""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

BATCH = 128
UNKNOWN = 1  # number of the unknown token; 0 is padding
OUTSIDE = "O"

Word = tuple[str, int, int]  # a word, and the places of its first character and of the next one


class Predictor:
    """A tagger with its preprocessing.

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
        state = self._state
        self._words = _numbers(state["words"])
        self._letters = _numbers(state["characters"]["vocabulary"]) if state["characters"] else {}
        self._values = {name: _numbers(values) for name, values in state["columns"].items()}

    def predict(
        self,
        sentences: Sequence[Any],
        columns: Mapping[str, Sequence[Sequence[str]]] | None = None,
    ) -> list[dict[str, Any]]:
        """Tag the words of sentences.

        Args:
            sentences: A list of sentences, each a text, which is split into words as in CoNLL's
                corpora, or a list of words.
            columns: The values of the words in further columns, by the name of the column, where
                the model was trained with such columns; then sentences are lists of words.

        Returns:
            For each word a dict: `sentence` (its number, from 0), `token`, `start`, `end`, `tag`,
            `probability` of the tag, further tags and the label of the sentence with their
            probabilities, and `note`. A sentence without words has one, whose `note` says why.

        Raises:
            ValueError: If there is no sentence, or further columns do not fit the model or the
                sentences.
        """
        if isinstance(sentences, str):
            raise TypeError(f"Give a list of sentences, even for one. Received: {sentences[:60]!r}")
        read = [_read(item) for item in sentences]
        if not read:
            raise ValueError("There is no sentence to tag. Give at least one.")
        further = self._checked(columns or {}, [words for words, _ in read])
        rows, length = [], self._state["length"]
        pieces = [
            (number, start, words[start : start + length])
            for number, (words, _) in enumerate(read)
            for start in range(0, len(words), length)
        ]
        answers: dict[int, list[Answer]] = {}
        for start in range(0, len(pieces), BATCH):
            batch = pieces[start : start + BATCH]
            for (number, *_), answer in zip(batch, self._tagged(batch, further), strict=True):
                answers.setdefault(number, []).append(answer)
        for number, (words, reason) in enumerate(read):
            rows += self._rows(number, words, reason, answers.get(number, []))
        return rows

    @property
    def further_columns(self) -> list[str]:
        """The names of the further columns that the model reads."""
        return [*self._state["features"].values()]

    def _checked(
        self, columns: Mapping[str, Any], sentences: Sequence[Sequence[Word]]
    ) -> dict[str, Any]:
        names = self._state["features"]
        if [*columns] != self.further_columns:
            raise ValueError(
                "The model reads these further columns: "
                f"{', '.join(self.further_columns) or 'none'}. "
                f"Received: {', '.join(columns) or 'none'}"
            )
        lengths = [len(words) for words in sentences]
        for name, values in columns.items():
            if [len(row) for row in values] != lengths:
                raise ValueError(f"The column {name} must have a value for each word.")
        return {column: columns[name] for column, name in names.items()}

    def _tagged(self, pieces: Sequence[Any], further: Mapping[str, Any]) -> list[Answer]:
        """The answers for pieces: the number of a sentence, the first word, and the words."""
        lengths = [len(words) for _, _, words in pieces]
        inputs = self._inputs(pieces, further, max(lengths))
        outputs = self._session.run(None, inputs)
        shares = outputs[-1] if self._state["classes"] else [None] * len(pieces)
        chains = [Chain(column["chain"]) for column in self._state["tags"]]
        return [
            Answer(
                [chain.read(scores[row][:count]) for chain, scores in zip(chains, outputs)],
                count,
                shares[row],
            )
            for row, count in enumerate(lengths)
        ]

    def _inputs(
        self, pieces: Sequence[Any], further: Mapping[str, Any], width: int
    ) -> dict[str, np.ndarray]:
        state, shape = self._state, (len(pieces), width)
        inputs = {"words": np.zeros(shape, np.int32)}
        if self._letters:
            inputs["characters"] = np.zeros((*shape, state["characters"]["length"]), np.int32)
        inputs |= {name: np.zeros(shape, np.int32) for name in self._values}
        for row, (number, start, words) in enumerate(pieces):
            for place, (word, *_) in enumerate(words):
                inputs["words"][row, place] = self._word_number(word)
                if self._letters:
                    letters = [self._letters.get(letter, UNKNOWN) for letter in self._cut(word)]
                    inputs["characters"][row, place, : len(letters)] = letters
                for name, numbers in self._values.items():
                    value = (
                        DERIVED[name](word)
                        if name in DERIVED
                        else further[name][number][start + place]
                    )
                    inputs[name][row, place] = numbers.get(value, UNKNOWN)
        return inputs

    def _cut(self, word: str) -> str:
        """The beginning and the end of a word of too many characters."""
        length = self._state["characters"]["length"]
        if len(word) <= length:
            return word
        tail = length // 2
        return word[: length - tail] + word[len(word) - tail :]

    def _word_number(self, word: str) -> int:
        number = self._words.get(normalise(word))
        return self._words.get(f"[shape {shape(word)}]", UNKNOWN) if number is None else number

    def _rows(
        self, number: int, words: Sequence[Word], reason: str, answers: Sequence[Answer]
    ) -> list[dict[str, Any]]:
        state = self._state
        columns: list[tuple[list[str], list[Any]]] = []
        for place, column in enumerate(state["tags"]):
            numbers = [n for answer in answers for n in answer.tags[place][0]]
            tags = converted([column["tags"][n] for n in numbers], column["scheme"])
            columns.append((tags, [p for answer in answers for p in answer.tags[place][1]]))
        if state["classes"]:
            label, share = "", None
            if answers:
                # The pieces of a long sentence count by their words.
                total = sum(answer.count * answer.classes.astype(np.float64) for answer in answers)
                mean = total / len(words)
                label, share = state["classes"][int(mean.argmax())], float(mean.max())
            columns.append(([label] * len(words), [share] * len(words)))
        if not words:
            empty: dict[str, Any] = {"sentence": number, "token": "", "start": 0, "end": 0}
            answer = zip(state["columns_of_answers"], ["", None] * len(columns), strict=True)
            return [{**empty, **dict(answer), "note": reason}]
        rows = []
        for place, (word, start, end) in enumerate(words):
            values = [value for tags, shares in columns for value in (tags[place], shares[place])]
            named = dict(zip(state["columns_of_answers"], values, strict=True))
            row = {"sentence": number, "token": word, "start": start, "end": end, **named}
            rows.append({**row, "note": ""})
        return rows


class Answer:
    """The answer of the model for a piece of a sentence.

    Args:
        tags: For each column of tags their numbers and probabilities.
        count: The number of words.
        classes: The probabilities of the labels of the sentence; None without labels.
    """

    def __init__(self, tags: list[Any], count: int, classes: Any) -> None:
        self.tags, self.count, self.classes = tags, count, classes


class Chain:
    """Tags from their scores at each word: a conditional random field, or one by one.

    Args:
        weights: `transitions`, `start` and `end` scores; None for tags that do not depend on each
            other.
    """

    def __init__(self, weights: Mapping[str, Any] | None) -> None:
        self._is_chain = weights is not None
        self._weights = {
            name: np.array(values, np.float32) for name, values in (weights or {}).items()
        }

    def read(self, scores: np.ndarray) -> tuple[list[int], list[float]]:
        """The best tags, and the probability of each, from scores (words, tags)."""
        if not self._is_chain:
            shares = np.exp(scores - log_sum(scores, axis=-1))
            tags = scores.argmax(axis=-1)
        else:
            scores = scores.copy()
            scores[0] += self._weights["start"]
            scores[-1] += self._weights["end"]
            tags, shares = self._best(scores), self._shares(scores.astype(np.float64))
        chosen = np.take_along_axis(shares, tags[:, None], axis=1)[:, 0]
        return tags.tolist(), chosen.tolist()

    def _best(self, scores: np.ndarray) -> np.ndarray:
        """The tags of the highest score together (Viterbi)."""
        state, pointers = scores[0], []
        for step in scores[1:]:
            ways = (state - state.max())[:, None] + self._weights["transitions"]
            pointers.append(ways.argmax(axis=0))
            state = step + ways.max(axis=0)
        tags = [int(state.argmax())]
        for pointer in reversed(pointers):
            tags.append(int(pointer[tags[-1]]))
        return np.array(tags[::-1])

    def _shares(self, scores: np.ndarray) -> np.ndarray:
        """The probability of each tag at each word (forward-backward)."""
        ways = self._weights["transitions"].astype(np.float64)
        before, after = np.zeros_like(scores), np.zeros_like(scores)
        before[0] = scores[0]
        for place in range(1, len(scores)):
            sums = log_sum(before[place - 1][:, None] + ways, axis=0)[0]
            before[place] = scores[place] + sums
        for place in range(len(scores) - 2, -1, -1):
            following = (scores[place + 1] + after[place + 1])[None]
            after[place] = log_sum(ways + following, axis=1)[:, 0]
        total = before + after
        return np.exp(total - log_sum(total, axis=-1))


def log_sum(values: np.ndarray, axis: int) -> np.ndarray:
    """The logarithm of a sum of exponentials over an axis, which is kept."""
    peak = values.max(axis=axis, keepdims=True)
    return peak + np.log(np.exp(values - peak).sum(axis=axis, keepdims=True))


# Words

_JOINERS = "\u200c\u200d"  # inside of words, of Persian and Hindi say
_ENDING = r"['\u2019](?i:s|re|ve|ll|d|m)\b"
_WORD = re.compile(
    r"https?://\S+[\w/]"
    r"|\w[\w.+-]{0,64}@\w[\w-]*(?:\.\w+)+"
    r"|(?:[^\W\d_]\.){2,}"
    r"|\w+?(?=(?i:n['\u2019]t)\b)|(?i:n['\u2019]t)\b"
    rf"|{_ENDING}"
    r"|\d+(?:[.,:/-]\d+)*(?:-?\w+)*"
    r"|\w+(?:[-&]\w+)*(?:['\u2019](?!(?i:s|re|ve|ll|d|m|t)\b)\w+)*"
    r"|\.{2,}|-{2,}|[^\w\s]"
)


def _read(item: Any) -> tuple[list[Word], str]:
    """The words of a sentence, and why there are none."""
    if isinstance(item, str):
        text = _encodable(item)
        spans = [match.span() for match in _WORD.finditer(_with_joined_marks(text))]
        return [(text[slice(*span)], *span) for span in spans], "" if spans else "no word"
    if hasattr(item, "tolist"):
        item = item.tolist()
    if not isinstance(item, list | tuple) or not all(isinstance(word, str) for word in item):
        return [], "neither a text nor a list of words"
    if "" in item:
        return [], "an empty word"
    words, start = [], 0
    for token in map(_encodable, item):
        words.append((token, start, start + len(token)))
        start += len(token) + 1
    return words, "" if words else "no word"


def _encodable(text: str) -> str:
    """The text with question marks for lone surrogates, which UTF-8 has not."""
    return text.encode(errors="replace").decode()


def _with_joined_marks(text: str) -> str:
    """The text with combining marks after letters, which are part of words, as letters."""
    signs: list[str] = []
    for sign in text:
        joins = sign in _JOINERS or unicodedata.category(sign) in ("Mn", "Mc", "Me")
        signs.append(signs[-1] if joins and signs and signs[-1].isalnum() else sign)
    return "".join(signs)


# Features of words


def normalise(word: str) -> str:
    """A word in lower case, with every digit as 0."""
    return re.sub(r"\d", "0", word.lower())


def shape(word: str) -> str:
    """The shape of a word: X for capitals, x for other letters, 0 for digits; runs count once."""
    signs = "".join(
        "X" if sign.isupper() else "x" if sign.isalpha() else "0" if sign.isdigit() else sign
        for sign in word
    )
    return re.sub(r"(.)\1+", r"\1", signs)[:6]


def casing(word: str) -> str:
    """How a word is written: lower, upper, title, mixed, number, digits or sign."""
    letters = [sign for sign in word if sign.isalpha()]
    if any(sign.isdigit() for sign in word):
        return "digits" if letters else "number"
    if not letters:
        return "sign"
    if word.islower():
        return "lower"
    if word.isupper():
        return "upper" if len(letters) > 1 else "title"
    return "title" if letters[0].isupper() and "".join(letters[1:]).islower() else "mixed"


DERIVED: dict[str, Callable[[str], str]] = {
    "casing": casing,
    "prefix": lambda word: normalise(word)[:3],
    "suffix": lambda word: normalise(word)[-3:],
}


def _numbers(vocabulary: Sequence[str]) -> dict[str, int]:
    return {token: n for n, token in enumerate(vocabulary) if n > UNKNOWN}


# Schemes of tags


def converted(tags: Sequence[str], scheme: str) -> list[str]:
    """The chunks of tags, which begin and end as conlleval reads them, in another scheme."""
    if scheme == "none":
        return list(tags)
    result, start, last, kind = [OUTSIDE] * len(tags), 0, OUTSIDE, ""
    before = (-1, "")  # the end and the type of the last chunk
    for place, tag in enumerate([*tags, OUTSIDE]):
        prefix, new_kind = (tag[0], tag[2:]) if tag != OUTSIDE else (OUTSIDE, "")
        continues = last in ("B", "I") and prefix in ("I", "E") and new_kind == kind
        if last != OUTSIDE and not continues:
            touches = before == (start, kind)
            result[start:place] = _chunk(kind, place - start, scheme, touches)
            before = place, kind
        if not continues:
            start = place
        last, kind = prefix, new_kind
    return result


def _chunk(kind: str, size: int, scheme: str, touches: bool) -> list[str]:
    """The tags of a chunk; `touches` if it follows one of its type."""
    if scheme == "bare":
        return [kind] * size
    prefixes = ["I"] * size
    if scheme in ("IOB2", "BIOES", "BILOU") or (scheme == "IOB1" and touches):
        prefixes[0] = "B"
    if scheme in ("BIOES", "BILOU"):
        last, single = "ES" if scheme == "BIOES" else "LU"
        prefixes[-1] = last if size > 1 else single
    return [f"{prefix}-{kind}" if kind else prefix for prefix in prefixes]


def input_lines() -> list[str]:
    """The lines of the standard input, without their ends."""
    with open(0, encoding="utf-8-sig") as lines:
        return [line.rstrip("\n") for line in lines]


def main(sentences: Sequence[str]) -> None:
    """Print one JSON object for each word of the sentences, or of the lines of the input."""
    try:
        predictor = Predictor()
        if predictor.further_columns:
            raise ValueError(
                f"The model reads further columns ({', '.join(predictor.further_columns)}), which "
                "the shell cannot give: call Predictor().predict(sentences, columns) in Python."
            )
        rows = predictor.predict(sentences or input_lines())
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    for row in rows:
        print(json.dumps(row, ensure_ascii=False))


if __name__ == "__main__":
    main(sys.argv[1:])
