"""Turn texts into rows of token numbers and back, by a vocabulary fitted on training texts."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Annotated, Any, Literal, NotRequired, TypedDict, get_args

import numpy as np
import tokenizers
from tokenizers import models, pre_tokenizers, trainers

from kerasseq.data.tokenizers import splitting
from kerasseq.data.tokenizers.splitting import Kind, Texts
from kerasseq.io.schema import Count, Limits

__all__ = [
    "END",
    "PADDING",
    "START",
    "UNKNOWN",
    "EarlierCaptionWords",
    "Kind",
    "Texts",
    "Tokenizer",
    "TokenizerState",
    "Truncate",
]

Truncate = Literal["end", "start", "middle"]

PADDING, UNKNOWN, START, END = range(4)
_SPECIAL = ("[padding]", "[unknown]", "[start]", "[end]")
_FEWEST_SUBWORDS = 300
_LENGTH_SHARE, _LONGEST = 95, 400
_MOST = 2**20  # maximum length of a row; bounded, since memory is allocated for it
_Length = Annotated[int, Limits(least=1, most=_MOST)]


class TokenizerState(TypedDict):
    """The JSON values of a fitted tokenizer; states of an earlier version lack the last two.

    `tokenizer` has the format of the tokenizers library; only the keys that kerasseq needs are
    declared.
    """

    kind: Kind
    vocabulary_size: Annotated[int, Limits(least=1)] | None
    min_count: Annotated[int, Limits(least=1)]
    lowercase: bool
    length: _Length
    truncate: Truncate
    notes: list[str]
    tokenizer: _Library
    clean: NotRequired[bool]
    boundaries: NotRequired[bool]


class EarlierCaptionWords(TypedDict):
    """The JSON values of the vocabulary of captions in an earlier version."""

    words: list[str]
    length: _Length


class _Library(TypedDict):
    normalizer: dict[str, Any] | None
    pre_tokenizer: dict[str, Any] | None
    model: _Model


class _Model(TypedDict):
    vocab: dict[str, Count]
    unk_token: Literal["[unknown]"]
    merges: NotRequired[list[list[str] | str]]
    # Not used by kerasseq; some values of these make the library abort the process.
    continuing_subword_prefix: NotRequired[None]
    end_of_word_suffix: NotRequired[None]
    dropout: NotRequired[None]


_SETTINGS = (
    *("kind", "vocabulary_size", "min_count", "lowercase", "length", "truncate"),
    *("clean", "boundaries"),
)


class Tokenizer:
    """Turn texts into rows of token numbers, and token numbers into texts.

    0 is padding and 1 an unknown token; with `boundaries`, 2 is the start and 3 the end of a
    text. The other tokens are numbered by falling frequency, and alphabetically among equal
    counts. Subwords are numbered in the order of byte-pair encoding: first the 256 bytes, then
    the pairs as they were merged. A text that spells a special token is never read as one.

    With `clean`, HTML line breaks become spaces, characters are normalised (NFKC), and
    typographic apostrophes become plain ones. Words are then split as in the Penn Treebank:
    "didn't" is "did" and "n't", so that all negations share a token, "it's" is "it" and "'s",
    "o'clock" is one word, and each punctuation mark is a token. Subwords are byte-pair encoded
    bytes of these words (Sennrich et al. 2016, https://arxiv.org/abs/1508.07909).

    Without `clean`, a text is not changed, and words are separated by whitespace. Subwords and
    characters keep all whitespace, so that `decode` restores the exact text. With subwords no
    token is ever unknown.

    A text may also be given as a list of words, for tasks that tag words. Each word is then one
    token, whatever characters it holds.

    Args:
        kind: "word", "character", or "subword" for a vocabulary of byte pairs.
        vocabulary_size: maximum number of tokens, including special ones; None for any number
            of words or characters.
        min_count: minimum number of occurrences of a token in the texts of `fit`.
        lowercase: whether texts are lower-cased.
        length: tokens per row of `encode`, without start and end; None for a length that 95% of
            the texts do not exceed, at most 400.
        truncate: end at which a longer text is cut; "middle" keeps half a row of each end.
        clean: whether texts are cleaned, and words split as in the Penn Treebank.
        boundaries: whether there are tokens for the start and the end of a text.

    Raises:
        ValueError: if a setting has an invalid value.

    Example:

    >>> tokenizer = Tokenizer(min_count=1).fit(["a good film", "not a good film, is it?"])
    >>> tokenizer.vocabulary[2:5]
    ['a', 'film', 'good']
    >>> tokenizer.encode(["A good film!", "a bad film"])
    array([[2, 4, 3, 1, 0, 0, 0, 0],
           [2, 1, 3, 0, 0, 0, 0, 0]], dtype=int32)

    A vocabulary of characters, for a model that writes:

    >>> tokenizer = Tokenizer("character", min_count=1, clean=False, boundaries=True)
    >>> rows = tokenizer.fit(["abba", "a b"]).encode(["a b"], start=True, end=True)
    >>> rows
    array([[2, 4, 6, 5, 3, 0]], dtype=int32)
    >>> tokenizer.decode(rows)
    ['a b']
    """

    def __init__(
        self,
        kind: Kind = "word",
        vocabulary_size: int | None = 20_000,
        min_count: int = 2,
        lowercase: bool = True,
        length: int | None = None,
        truncate: Truncate = "end",
        clean: bool = True,
        boundaries: bool = False,
    ) -> None:
        if kind not in get_args(Kind):
            raise ValueError(
                f"kind must be 'word', 'character' or 'subword'. Received: kind={kind!r}"
            )
        if truncate not in get_args(Truncate):
            raise ValueError(
                f"truncate must be 'end', 'start' or 'middle'. Received: truncate={truncate!r}"
            )
        self._special = _SPECIAL if boundaries else _SPECIAL[:START]
        least = _FEWEST_SUBWORDS if kind == "subword" else len(self._special) + 1
        if (kind == "subword") if vocabulary_size is None else vocabulary_size < least:
            raise ValueError(
                f"vocabulary_size must be at least {least} for kind={kind!r}. "
                f"Received: vocabulary_size={vocabulary_size!r}"
            )
        if min_count < 1:
            raise ValueError(f"min_count must be at least 1. Received: min_count={min_count!r}")
        if length is not None and not 1 <= length <= _MOST:
            raise ValueError(f"length must be 1 to {_MOST:,}, or None. Received: length={length!r}")
        self.kind: Kind = kind
        self.vocabulary_size = vocabulary_size
        self.min_count = min_count
        self.lowercase = lowercase
        self.truncate: Truncate = truncate
        self.clean = clean
        self.boundaries = boundaries
        self.notes: list[str] = []
        self._requested_length = length
        self._fitted_length = length
        self._tokenizer: tokenizers.Tokenizer | None = None
        self._number_of: dict[str, int] | None = None

    def fit(self, texts: Texts) -> Tokenizer:
        """Choose the vocabulary, and the length if it is None, from the training texts.

        Args:
            texts: a list of texts, or of lists of words for `kind="word"`.

        Raises:
            TypeError: if texts have another type.
            ValueError: if no token occurs `min_count` times.
        """
        self._set_tokenizer(
            self._fit_by_counting(texts) if self._by_lookup(texts) else self._train(texts)
        )
        counts = np.array([len(row) for row in self._rows(texts)])
        if self._requested_length is None:
            self._fitted_length = max(
                1, min(_LONGEST, int(np.ceil(np.percentile(counts, _LENGTH_SHARE))))
            )
        cut = float(np.mean(counts > self.length))
        chosen = "chosen from" if self._requested_length is None else "given for"
        self.notes = [
            f"{len(self):,} {self.kind}s in the vocabulary",
            f"length {self.length} {chosen} the training texts: {cut:.1%} of them are longer and "
            f"lose their {self.truncate}",
        ]
        return self

    def __len__(self) -> int:
        """Number of tokens in the vocabulary, including special ones."""
        return int(self._require_fitted().get_vocab_size())

    @property
    def length(self) -> int:
        """Tokens per row of `encode`, without start and end."""
        if self._fitted_length is None:
            raise ValueError("the length is chosen from the texts: call fit() first.")
        return self._fitted_length

    @property
    def vocabulary(self) -> list[str]:
        """The tokens in the order of their numbers."""
        numbers = self._require_fitted().get_vocab()
        return sorted(numbers, key=numbers.__getitem__)

    def tokens(self, texts: Texts) -> list[list[int]]:
        """All token numbers of each text: not truncated, without start and end."""
        return [*self._rows(texts)]

    def _rows(self, texts: Texts) -> Iterator[list[int]]:
        """The rows of `tokens`, of which few are in memory at once."""
        tokenizer = self._require_fitted()
        if self._by_lookup(texts):
            number = self._numbers.get
            for text in splitting.pieces(texts, self.kind, tokenizer.normalizer):
                yield [number(piece, UNKNOWN) for piece in text]
            return
        for batch in splitting.batches(texts):
            for encoding in tokenizer.encode_batch_fast(batch, add_special_tokens=False):
                yield encoding.ids

    def pad(
        self,
        rows: Sequence[Sequence[int]] | Sequence[np.ndarray],
        *,
        start: bool = False,
        end: bool = False,
        length: int | None = None,
    ) -> np.ndarray:
        """Truncate or pad rows to one int32 array (texts, length); padding is 0, on the right.

        Args:
            rows: one row per text, as `tokens` returns them; or arrays (tokens, channels) with
                other values of each token, which become (texts, length, channels).
            start: whether each row begins with the start token, and is longer by one.
            end: whether each text ends with the end token, even if it is truncated; the row is
                then longer by one.
            length: tokens per row, without those of `start` and `end`; default: the property.

        Raises:
            ValueError: for `start` or `end`, if the tokenizer has no such tokens.
        """
        length = self.length if length is None else length
        if (start or end) and not self.boundaries:
            raise ValueError(
                "there are no tokens for the start and the end of a text: create the tokenizer "
                f"with boundaries=True. Received: start={start!r}, end={end!r}"
            )
        channels = np.shape(rows[0])[1:] if len(rows) else ()
        out = np.full((len(rows), start + length + end, *channels), PADDING, dtype=np.int32)
        if start:
            out[:, 0] = START
        for target, row in zip(out, rows, strict=True):
            tokens = self._truncate(row, length)
            stop = start + len(tokens)
            target[int(start) : stop] = tokens
            if end:
                target[stop] = END
        return out

    def encode(self, texts: Texts, *, start: bool = False, end: bool = False) -> np.ndarray:
        """Encode texts as token numbers, int32 (texts, length), truncated or padded with 0.

        Args:
            texts: a list of texts, or of lists of words for `kind="word"`.
            start: whether each row begins with the start token, and is longer by one.
            end: whether each text ends with the end token, even if it is truncated; the row is
                then longer by one.

        Raises:
            TypeError: if texts have another type.
            ValueError: for `start` or `end`, if the tokenizer has no such tokens.
        """
        return self.pad(self.tokens(texts), start=start, end=end)

    def decode(self, rows: Iterable[Sequence[int] | np.ndarray]) -> list[str]:
        """Decode rows of token numbers to texts, up to the end token.

        Words, and the words of subwords in cleaned texts, are joined by single spaces. Special
        tokens, also unknown ones, are left out.

        Args:
            rows: one row of token numbers per text, int (tokens,), or an array (texts, length).

        Raises:
            TypeError: if a row is not a row of integers.
            ValueError: if a number is not in the vocabulary.

        Example:

        >>> tokenizer = Tokenizer(min_count=1, boundaries=True).fit(["a dog runs"])
        >>> tokenizer.decode([[2, 5, 6, 3, 4, 4], [4, 0, 0]])
        ['dog runs', 'a']
        """
        numbers = [self._text_numbers(row) for row in rows]
        texts: list[str] = self._require_fitted().decode_batch(numbers, skip_special_tokens=False)
        return texts

    def unknown_share(self, texts: Texts) -> np.ndarray:
        """Share of unknown tokens in each text, float (texts,); 1 for a text without tokens."""
        return np.array(
            [row.count(UNKNOWN) / len(row) if row else 1.0 for row in self.tokens(texts)]
        )

    def state(self) -> dict[str, Any]:
        """The JSON values from which `from_state` restores the tokenizer."""
        return {
            "kind": self.kind,
            "vocabulary_size": self.vocabulary_size,
            "min_count": self.min_count,
            "lowercase": self.lowercase,
            "length": self.length,
            "truncate": self.truncate,
            "clean": self.clean,
            "boundaries": self.boundaries,
            "notes": list(self.notes),
            # In the format of the tokenizers library, with normalizer and pattern: a saved
            # tokenizer must split texts as before, even if the patterns of this package change.
            "tokenizer": json.loads(self._require_fitted().to_str()),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Tokenizer:
        """Restore a tokenizer from the value of `state`.

        Two earlier formats are read as well: one without `clean` and `boundaries`, and one of
        captions with a list of words.

        Raises:
            ValueError: if the state is damaged.

        >>> tokenizer = Tokenizer(min_count=1).fit(["a good film"])
        >>> Tokenizer.from_state(tokenizer.state()).encode(["good"]).tolist()
        [[4, 0, 0]]
        """
        if "words" in state:
            return cls._from_caption_words(state)
        settings = {name: state[name] for name in _SETTINGS if name in state}
        tokenizer = cls(**{"clean": True, "boundaries": False, **settings})
        tokenizer.notes = list(state["notes"])
        try:
            fitted = tokenizers.Tokenizer.from_str(json.dumps(state["tokenizer"]))
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # a panic of the library is not an Exception
            raise ValueError(f"the tokenizer cannot be read: {error}") from error
        tokenizer._set_tokenizer(fitted)
        tokenizer._check_vocabulary()
        return tokenizer

    @classmethod
    def _from_caption_words(cls, state: Mapping[str, Any]) -> Tokenizer:
        tokenizer = cls(
            vocabulary_size=None,
            min_count=1,
            lowercase=False,
            length=state["length"],
            clean=False,
            boundaries=True,
        )
        tokenizer._set_tokenizer(tokenizer._from_tokens(state["words"]))
        return tokenizer

    def _require_fitted(self) -> tokenizers.Tokenizer:
        if self._tokenizer is None:
            raise ValueError("the tokenizer has no vocabulary yet: call fit() with training texts.")
        return self._tokenizer

    def _check_vocabulary(self) -> None:
        """Raise a ValueError unless tokens are numbered without gaps, special ones first.

        Whether the words are the fitted ones cannot be checked.
        """
        vocabulary = self.vocabulary
        numbers = self._require_fitted().get_vocab().values()
        first = tuple(vocabulary[: len(self._special)])
        if sorted(numbers) != [*range(len(vocabulary))] or first != self._special:
            raise ValueError(
                "the numbers of the tokens must be without gaps, with "
                f"{', '.join(self._special)} first."
            )

    def _set_tokenizer(self, tokenizer: tokenizers.Tokenizer) -> None:
        tokenizer.decoder = splitting.decoder(self.kind, self.clean)
        self._tokenizer, self._number_of = tokenizer, None

    @property
    def _numbers(self) -> dict[str, int]:
        """The number of each token, without special ones."""
        if self._number_of is None:
            numbers = self._require_fitted().get_vocab()
            self._number_of = {
                token: number for token, number in numbers.items() if number >= len(self._special)
            }
        return self._number_of

    @property
    def by_lookup(self) -> bool:
        """Whether tokens of texts, which are no lists of words, are looked up in a dictionary."""
        return self.kind == "character" or (self.kind == "word" and not self.clean)

    def _by_lookup(self, texts: Texts) -> bool:
        """Whether texts are split without a pattern, and tokens are looked up in a dictionary.

        This is two to five times as fast as the tokenizers library, and distinguishes words that
        are spelt like a special token. With a pattern, brackets are separate tokens, so that no
        word is spelt like one.
        """
        in_words = splitting.check(texts, self.kind)
        return in_words or self.by_lookup

    def _text_numbers(self, row: Sequence[int] | np.ndarray) -> list[int]:
        """Token numbers of a row up to its end token, without special tokens."""
        numbers = np.asarray(row)
        if numbers.ndim != 1 or (numbers.size and not np.issubdtype(numbers.dtype, np.integer)):
            raise TypeError(f"rows must be rows of token numbers. Received: {row!r} among them")
        if numbers.size and not 0 <= numbers.min() <= numbers.max() < len(self):
            raise ValueError(
                f"token numbers must be 0 to {len(self) - 1}, those of the vocabulary. "
                f"Received: {numbers.min()} to {numbers.max()}"
            )
        if self.boundaries:
            numbers = numbers[: np.argmax(np.append(numbers, END) == END)]
        text_numbers: list[int] = numbers[numbers >= len(self._special)].tolist()
        return text_numbers

    def _truncate(self, row: Any, length: int) -> Any:
        if len(row) <= length or self.truncate == "end":
            return row[:length]
        tail = length // 2 if self.truncate == "middle" else length
        head = length - tail
        return np.concatenate([row[:head], row[len(row) - tail :]]) if head else row[-tail:]

    def _create(self, model: models.Model) -> tokenizers.Tokenizer:
        tokenizer = tokenizers.Tokenizer(model)
        normalizer = splitting.normalizer(self.clean, self.lowercase)
        if normalizer is not None:
            tokenizer.normalizer = normalizer
        tokenizer.pre_tokenizer = splitting.pre_tokenizer(self.kind, self.clean)
        return tokenizer

    def _from_tokens(self, known: Iterable[str]) -> tokenizers.Tokenizer:
        """Tokenizer with the special tokens and these tokens, given by falling frequency."""
        numbers = {token: number for number, token in enumerate((*self._special, *known))}
        return self._create(models.WordLevel(numbers, unk_token=_SPECIAL[UNKNOWN]))

    def _fit_by_counting(self, texts: Texts) -> tokenizers.Tokenizer:
        normalizer = splitting.normalizer(self.clean, self.lowercase)
        counts = Counter(chain.from_iterable(splitting.pieces(texts, self.kind, normalizer)))
        known = [
            token
            for token, count in counts.items()
            if count >= self.min_count and token and token not in self._special
        ]
        if not known:
            raise self._no_token_error(texts)
        known.sort(key=lambda token: (-counts[token], token))
        return self._from_tokens(known[: self._max_tokens])

    def _train(self, texts: Texts) -> tokenizers.Tokenizer:
        word = self.kind == "word"
        tokenizer = self._create(models.WordLevel() if word else models.BPE())
        settings: dict[str, Any] = {
            "vocab_size": self._max_tokens,
            "min_frequency": self.min_count,
            "show_progress": False,
            "special_tokens": [],
        }
        if not word:
            settings["initial_alphabet"] = pre_tokenizers.ByteLevel.alphabet()
        trainer = (trainers.WordLevelTrainer if word else trainers.BpeTrainer)(**settings)
        tokenizer.train_from_iterator(splitting.batches(texts), trainer)
        if not tokenizer.get_vocab_size():
            raise self._no_token_error(texts)
        return _prepend_special(self._special, tokenizer)

    @property
    def _max_tokens(self) -> int:
        """Maximum number of tokens besides the special ones."""
        return (self.vocabulary_size or sys.maxsize) - len(self._special)

    def _no_token_error(self, texts: Texts) -> ValueError:
        return ValueError(
            f"no {self.kind} occurs min_count={self.min_count} times in the {len(texts)} texts to "
            "fit on. Give more texts, or a smaller min_count."
        )


def _prepend_special(
    special: Sequence[str], tokenizer: tokenizers.Tokenizer
) -> tokenizers.Tokenizer:
    """Number the special tokens first, and move the other tokens up.

    The trainer does not get the special tokens, since it would recognise them inside texts.
    """
    state = json.loads(tokenizer.to_str())
    model = state["model"]
    shifted = {token: number + len(special) for token, number in model["vocab"].items()}
    model["vocab"] = {token: number for number, token in enumerate(special)} | shifted
    model["unk_token"] = special[UNKNOWN]
    return tokenizers.Tokenizer.from_str(json.dumps(state))
