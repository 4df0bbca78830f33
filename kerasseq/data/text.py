"""Texts to rows of token numbers, by a vocabulary fitted on the training texts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Literal, get_args

import numpy as np
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

__all__ = ["PADDING", "UNKNOWN", "TextEncoder"]

PADDING, UNKNOWN = 0, 1

Kind = Literal["word", "subword"]
Truncate = Literal["end", "start", "middle"]

# No text can hold these as one token, since brackets are tokens of their own.
_RESERVED = ["[padding]", "[unknown]"]
# In turn: what stands before "n't", "n't" itself, another ending, a word, a single sign.
_ENDING = r"(?i:s|re|ve|ll|d|m)\b"
_WORD = rf"\w+?(?=(?i:n't)\b)|(?i:n't)\b|'{_ENDING}|\w+(?:'(?!{_ENDING})\w+)*|[^\w\s]"
_PIECE = r"\w{1,50}|\W{1,50}"
_LENGTH_SHARE, _LONGEST = 95, 400
# How many characters are tokenised at once: Rust's record of a token takes a hundred bytes.
_BATCH = 2_000_000


class TextEncoder:
    """Turns texts into rows of token numbers: 0 is padding, 1 an unknown token.

    Words are split as the Penn Treebank does: "didn't" is "did" and "n't", so that all negations
    share a token, "it's" is "it" and "'s", "o'clock" is whole, and each sign of punctuation is a
    token. Subwords are byte-pair encoded bytes of the same words (Sennrich et al.
    2016, https://arxiv.org/abs/1508.07909), and leave nothing unknown. Tokens are numbered
    from the most frequent on, words of equal count in alphabetical order. HTML line breaks and
    typographic apostrophes are made plain first.

    Args:
        kind: "word", or "subword" for a vocabulary of byte pairs.
        vocabulary_size: at most so many tokens, padding and unknown among them.
        min_count: a token must occur so often in the texts it is fitted on.
        lowercase: whether "Good" is "good".
        length: tokens per row; None takes what 95 of 100 texts need, at most 400.
        truncate: which end a longer text loses; "middle" keeps half a row of each end.

    Example:

    >>> encoder = TextEncoder(min_count=1).fit(["a good film", "not a good film, is it?"])
    >>> encoder.vocabulary[2:5]
    ['a', 'film', 'good']
    >>> encoder.encode(["A good film!", "a bad film"])
    array([[2, 4, 3, 1, 0, 0, 0, 0],
           [2, 1, 3, 0, 0, 0, 0, 0]], dtype=int32)
    """

    def __init__(
        self,
        kind: Kind = "word",
        vocabulary_size: int = 20_000,
        min_count: int = 2,
        lowercase: bool = True,
        length: int | None = None,
        truncate: Truncate = "end",
    ) -> None:
        if kind not in get_args(Kind):
            raise ValueError(f"kind must be 'word' or 'subword'. Received: kind={kind!r}")
        if truncate not in get_args(Truncate):
            raise ValueError(
                f"truncate must be 'end', 'start' or 'middle'. Received: truncate={truncate!r}"
            )
        least = 300 if kind == "subword" else len(_RESERVED) + 1
        if vocabulary_size < least:
            raise ValueError(
                f"vocabulary_size must be at least {least} for kind={kind!r}. "
                f"Received: vocabulary_size={vocabulary_size!r}"
            )
        if min_count < 1:
            raise ValueError(f"min_count must be at least 1. Received: min_count={min_count!r}")
        if length is not None and length < 1:
            raise ValueError(f"length must be at least 1, or None. Received: length={length!r}")
        self.kind: Kind = kind
        self.vocabulary_size = vocabulary_size
        self.min_count = min_count
        self.lowercase = lowercase
        self.truncate: Truncate = truncate
        self.notes: list[str] = []
        self._wanted = length
        self._fitted_length = length
        self._tokenizer: Tokenizer | None = None

    def fit(self, texts: Sequence[str]) -> TextEncoder:
        """Choose the vocabulary, and the length where none was given, from the training texts."""
        _check_texts(texts)
        word = self.kind == "word"
        tokenizer = Tokenizer(models.WordLevel() if word else models.BPE())
        tokenizer.normalizer = _normalizer(self.lowercase)
        tokenizer.pre_tokenizer = _pre_tokenizer(self.kind)
        tokenizer.train_from_iterator(map(_encodable, texts), self._trainer())
        if not tokenizer.get_vocab_size():
            raise ValueError(
                f"no word occurs min_count={self.min_count} times in the {len(texts)} texts to "
                "fit on. Give more texts, or a smaller min_count."
            )
        self._tokenizer = _reserve(tokenizer)
        counts = np.array([len(row) for row in self.tokens(texts)])
        if self._wanted is None:
            self._fitted_length = max(
                1, min(_LONGEST, int(np.ceil(np.percentile(counts, _LENGTH_SHARE))))
            )
        cut = float(np.mean(counts > self.length))
        chosen = "chosen from" if self._wanted is None else "given for"
        self.notes = [
            f"{self._tokenizer.get_vocab_size():,} {self.kind}s in the vocabulary",
            f"length {self.length} {chosen} the training texts: {cut:.1%} of them are longer and "
            f"lose their {self.truncate}",
        ]
        return self

    @property
    def length(self) -> int:
        """Tokens per row."""
        if self._fitted_length is None:
            raise ValueError("the length is chosen from the texts: call fit() first.")
        return self._fitted_length

    @property
    def vocabulary(self) -> list[str]:
        """The tokens, each at the place of its number."""
        found = self._ready().get_vocab()
        return sorted(found, key=found.__getitem__)

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """The token numbers of each text, all of them."""
        tokenizer = self._ready()
        rows: list[list[int]] = []
        for batch in _batches(texts):
            encodings = tokenizer.encode_batch_fast(batch, add_special_tokens=False)
            rows.extend(encoding.ids for encoding in encodings)
        return rows

    def pad(self, rows: Sequence[Sequence[int]] | Sequence[np.ndarray]) -> np.ndarray:
        """Rows of any length as one int32 array (n, length): cut, or padded with 0 on the right.

        Args:
            rows: one row per text, as `tokens` gives them. Arrays (tokens, channels), in which
                there is something else to say of each token, give (n, length, channels).
        """
        channels = np.shape(rows[0])[1:] if len(rows) else ()
        out = np.full((len(rows), self.length, *channels), PADDING, dtype=np.int32)
        for target, row in zip(out, rows, strict=True):
            kept = self._cut(row)
            target[: len(kept)] = kept
        return out

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """The texts as int32 (n, length): cut where too long, padded with 0 on the right."""
        return self.pad(self.tokens(texts))

    def unknown_share(self, texts: Sequence[str]) -> np.ndarray:
        """The share of unknown tokens in each text, float (n,); 1 for a text without a token."""
        return np.array(
            [row.count(UNKNOWN) / len(row) if row else 1.0 for row in self.tokens(texts)]
        )

    def state(self) -> dict[str, Any]:
        """All that `from_state` needs to give the same numbers elsewhere, ready for JSON."""
        return {
            "kind": self.kind,
            "vocabulary_size": self.vocabulary_size,
            "min_count": self.min_count,
            "lowercase": self.lowercase,
            "length": self.length,
            "truncate": self.truncate,
            "notes": list(self.notes),
            # In the tokenizer's own words, normaliser and pattern included: a later version of
            # this file may split texts otherwise, and must not change what was fitted before.
            "tokenizer": json.loads(self._ready().to_str()),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> TextEncoder:
        """The encoder that `state` was taken from.

        >>> encoder = TextEncoder(min_count=1).fit(["a good film"])
        >>> TextEncoder.from_state(encoder.state()).encode(["good"]).tolist()
        [[4, 0, 0]]
        """
        settings = {k: v for k, v in state.items() if k not in ("notes", "tokenizer")}
        encoder = cls(**settings)
        encoder.notes = list(state["notes"])
        encoder._tokenizer = Tokenizer.from_str(json.dumps(state["tokenizer"]))
        return encoder

    def _ready(self) -> Tokenizer:
        if self._tokenizer is None:
            raise ValueError("the encoder has no vocabulary yet: call fit() with training texts.")
        return self._tokenizer

    def _cut(self, row: Any) -> Any:
        if len(row) <= self.length or self.truncate == "end":
            return row[: self.length]
        tail = self.length // 2 if self.truncate == "middle" else self.length
        head = self.length - tail
        return np.concatenate([row[:head], row[len(row) - tail :]]) if head else row[-tail:]

    def _trainer(self) -> Any:
        size = self.vocabulary_size - len(_RESERVED)
        if self.kind == "word":
            return trainers.WordLevelTrainer(
                vocab_size=size,
                min_frequency=self.min_count,
                show_progress=False,
                special_tokens=[],
            )
        return trainers.BpeTrainer(
            vocab_size=size,
            min_frequency=self.min_count,
            show_progress=False,
            special_tokens=[],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        )


def _reserve(tokenizer: Tokenizer) -> Tokenizer:
    """The tokenizer with its tokens moved up behind padding and unknown.

    As special tokens of the trainer these two would be recognised inside texts.
    """
    state = json.loads(tokenizer.to_str())
    model = state["model"]
    moved = {token: number + len(_RESERVED) for token, number in model["vocab"].items()}
    model["vocab"] = {token: number for number, token in enumerate(_RESERVED)} | moved
    model["unk_token"] = _RESERVED[UNKNOWN]
    return Tokenizer.from_str(json.dumps(state))


def _normalizer(lowercase: bool) -> normalizers.Normalizer:
    steps: list[normalizers.Normalizer] = [
        normalizers.NFKC(),
        normalizers.Replace(Regex(r"<[bB][rR]\s*/?>"), " "),
        normalizers.Replace("\u2019", "'"),
    ]
    return normalizers.Sequence([*steps, normalizers.Lowercase()] if lowercase else steps)


def _pre_tokenizer(kind: Kind) -> pre_tokenizers.PreTokenizer:
    words = pre_tokenizers.Split(Regex(_WORD), "removed", invert=True)
    if kind == "word":
        return words
    # A training step passes over the whole of each word: one without an end would take hours.
    pieces = pre_tokenizers.Split(Regex(_PIECE), "removed", invert=True)
    spelled = pre_tokenizers.ByteLevel(add_prefix_space=True, use_regex=False)
    return pre_tokenizers.Sequence([words, pieces, spelled])


def _check_texts(texts: Sequence[str]) -> None:
    if isinstance(texts, str):
        raise TypeError(f"texts must be a list of texts, not one text. Received: {texts[:40]!r}")
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"every text must be a string. Received: texts[{i}]={text!r}")


def _encodable(text: str) -> str:
    """The text, with half surrogates, which UTF-8 cannot hold, as question marks."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="replace").decode()
    return text


def _batches(texts: Sequence[str]) -> Iterator[list[str]]:
    _check_texts(texts)
    batch: list[str] = []
    size = 0
    for text in texts:
        batch.append(_encodable(text))
        size += len(text)
        if size >= _BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
