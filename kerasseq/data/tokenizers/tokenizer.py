"""Texts to rows of token numbers and back, by a vocabulary fitted on the training texts."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
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
_MOST = 2**20  # tokens of a row, for which memory is set aside
_Length = Annotated[int, Limits(least=1, most=_MOST)]


class TokenizerState(TypedDict):
    """The JSON values of a fitted tokenizer; the settings of an earlier version lack the last two.

    `tokenizer` is in the form of the tokenizers library, as far as kerasseq needs to know it.
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
    """The JSON values of the vocabulary that captions had in an earlier version."""

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
    # Never in use here; with some values of these, the library ends the program.
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
    text. The other tokens are numbered from the most frequent on, those of equal count in
    alphabetical order; subwords in the order of byte-pair encoding, first the 256 bytes, then
    pairs from the most frequent on. No text is read as a special token, whatever it says.

    With `clean`, HTML line breaks become spaces, characters take their compatible form (NFKC)
    and typographic apostrophes are made plain. Words are then split as the Penn Treebank does:
    "didn't" is "did" and "n't", so that all negations share a token, "it's" is "it" and "'s",
    "o'clock" is whole, and each sign of punctuation is a token. Subwords are byte-pair encoded
    bytes of these words (Sennrich et al. 2016, https://arxiv.org/abs/1508.07909).

    Without `clean`, a text is taken as it is. Words are what stands between whitespace.
    Subwords and characters keep all whitespace, so that `decode` gives the very text. Subwords
    leave nothing unknown in either case.

    A text may also be given as a list of its words, for tags that belong to words. Each word is
    then one token, whatever it holds.

    Args:
        kind: "word", "character", or "subword" for a vocabulary of byte pairs.
        vocabulary_size: at most so many tokens, special ones among them; None for any number
            of words or characters.
        min_count: a token must occur so often in the texts that `fit` is given.
        lowercase: whether "Good" is "good".
        length: tokens of a text in a row of `encode`, beside start and end; None takes what 95
            of 100 texts need, at most 400.
        truncate: which end a longer text loses; "middle" keeps half a row of each end.
        clean: whether texts are cleaned, and words split as the Penn Treebank does.
        boundaries: whether there are tokens for the start and the end of a text.

    Raises:
        ValueError: if a setting is not one of these.

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
        self._wanted = length
        self._fitted_length = length
        self._tokenizer: tokenizers.Tokenizer | None = None
        self._number_of: dict[str, int] | None = None

    def fit(self, texts: Texts) -> Tokenizer:
        """Choose the vocabulary, and the length where none was given, from the training texts.

        Args:
            texts: a list of texts, or of lists of words for `kind="word"`.

        Raises:
            TypeError: if texts are something else.
            ValueError: if no token occurs `min_count` times.
        """
        self._take(self._counted(texts) if self._by_lookup(texts) else self._trained(texts))
        counts = np.array([len(row) for row in self.tokens(texts)])
        if self._wanted is None:
            self._fitted_length = max(
                1, min(_LONGEST, int(np.ceil(np.percentile(counts, _LENGTH_SHARE))))
            )
        cut = float(np.mean(counts > self.length))
        chosen = "chosen from" if self._wanted is None else "given for"
        self.notes = [
            f"{len(self):,} {self.kind}s in the vocabulary",
            f"length {self.length} {chosen} the training texts: {cut:.1%} of them are longer and "
            f"lose their {self.truncate}",
        ]
        return self

    def __len__(self) -> int:
        """How many tokens the vocabulary has, special ones among them."""
        return int(self._ready().get_vocab_size())

    @property
    def length(self) -> int:
        """Tokens of a text in a row of `encode`, beside start and end."""
        if self._fitted_length is None:
            raise ValueError("the length is chosen from the texts: call fit() first.")
        return self._fitted_length

    @property
    def vocabulary(self) -> list[str]:
        """The tokens, each at the place of its number."""
        numbers = self._ready().get_vocab()
        return sorted(numbers, key=numbers.__getitem__)

    def tokens(self, texts: Texts) -> list[list[int]]:
        """The token numbers of each text: all of them, without start and end."""
        tokenizer = self._ready()
        if self._by_lookup(texts):
            number = self._numbers.get
            pieces = splitting.pieces(texts, self.kind, tokenizer.normalizer)
            return [[number(piece, UNKNOWN) for piece in own] for own in pieces]
        rows: list[list[int]] = []
        for batch in splitting.batches(texts):
            encodings = tokenizer.encode_batch_fast(batch, add_special_tokens=False)
            rows.extend(encoding.ids for encoding in encodings)
        return rows

    def pad(
        self,
        rows: Sequence[Sequence[int]] | Sequence[np.ndarray],
        *,
        start: bool = False,
        end: bool = False,
    ) -> np.ndarray:
        """Rows of any length as one int32 array (n, length): cut, or padded with 0 on the right.

        Args:
            rows: one row per text, as `tokens` gives them. Arrays (tokens, channels), in which
                there is something else to say of each token, give (n, length, channels).
            start: whether each row begins with the start token; it is then longer by one.
            end: whether each text ends with the end token, also where it is cut; the row is
                then longer by one.

        Raises:
            ValueError: for a start or an end, if the tokenizer has no such tokens.
        """
        if (start or end) and not self.boundaries:
            raise ValueError(
                "there are no tokens for the start and the end of a text: create the tokenizer "
                f"with boundaries=True. Received: start={start!r}, end={end!r}"
            )
        channels = np.shape(rows[0])[1:] if len(rows) else ()
        out = np.full((len(rows), start + self.length + end, *channels), PADDING, dtype=np.int32)
        if start:
            out[:, 0] = START
        for target, row in zip(out, rows, strict=True):
            kept = self._cut(row)
            stop = start + len(kept)
            target[int(start) : stop] = kept
            if end:
                target[stop] = END
        return out

    def encode(self, texts: Texts, *, start: bool = False, end: bool = False) -> np.ndarray:
        """The texts as int32 (n, length): cut where too long, padded with 0 on the right.

        Args:
            texts: a list of texts, or of lists of words for `kind="word"`.
            start: whether each row begins with the start token; it is then longer by one.
            end: whether each text ends with the end token, also where it is cut; the row is
                then longer by one.

        Raises:
            TypeError: if texts are something else.
            ValueError: for a start or an end, if the tokenizer has no such tokens.
        """
        return self.pad(self.tokens(texts), start=start, end=end)

    def decode(self, rows: Iterable[Sequence[int] | np.ndarray]) -> list[str]:
        """The text of each row of token numbers, up to the end token; without special tokens.

        Words are joined by single spaces, as subwords of cleaned texts are. Unknown tokens are
        special ones, and leave nothing.

        Args:
            rows: one row (tokens,) of numbers per text, such as (n, length).

        Raises:
            TypeError: if a row is no row of numbers.
            ValueError: if a number is not in the vocabulary.

        Example:

        >>> tokenizer = Tokenizer(min_count=1, boundaries=True).fit(["a dog runs"])
        >>> tokenizer.decode([[2, 5, 6, 3, 4, 4], [4, 0, 0]])
        ['dog runs', 'a']
        """
        kept = [self._text_numbers(row) for row in rows]
        texts: list[str] = self._ready().decode_batch(kept, skip_special_tokens=False)
        return texts

    def unknown_share(self, texts: Texts) -> np.ndarray:
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
            "clean": self.clean,
            "boundaries": self.boundaries,
            "notes": list(self.notes),
            # As the tokenizers library writes it, normaliser and pattern included: a later
            # version of this file may split texts otherwise, and must not change what was
            # fitted before.
            "tokenizer": json.loads(self._ready().to_str()),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Tokenizer:
        """The tokenizer that `state` was taken from.

        Two earlier forms are read as well: without `clean` and `boundaries`, and of captions,
        as a list of words.

        Raises:
            ValueError: if it is damaged.

        >>> tokenizer = Tokenizer(min_count=1).fit(["a good film"])
        >>> Tokenizer.from_state(tokenizer.state()).encode(["good"]).tolist()
        [[4, 0, 0]]
        """
        if "words" in state:
            return cls._of_captions(state)
        settings = {name: state[name] for name in _SETTINGS if name in state}
        tokenizer = cls(**{"clean": True, "boundaries": False, **settings})
        tokenizer.notes = list(state["notes"])
        try:
            own = tokenizers.Tokenizer.from_str(json.dumps(state["tokenizer"]))
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # a panic of the library is no Exception
            raise ValueError(f"the tokenizer cannot be read: {error}") from error
        tokenizer._take(own)
        tokenizer._check_vocabulary()
        return tokenizer

    @classmethod
    def _of_captions(cls, state: Mapping[str, Any]) -> Tokenizer:
        tokenizer = cls(
            vocabulary_size=None,
            min_count=1,
            lowercase=False,
            length=state["length"],
            clean=False,
            boundaries=True,
        )
        tokenizer._take(tokenizer._of_known(state["words"]))
        return tokenizer

    def _ready(self) -> tokenizers.Tokenizer:
        if self._tokenizer is None:
            raise ValueError("the tokenizer has no vocabulary yet: call fit() with training texts.")
        return self._tokenizer

    def _check_vocabulary(self) -> None:
        """Raise a ValueError unless each number is one of a token, the first ones of special ones.

        Whether words are those that were fitted cannot be told.
        """
        vocabulary = self.vocabulary
        numbers = self._ready().get_vocab().values()
        first = tuple(vocabulary[: len(self._special)])
        if sorted(numbers) != [*range(len(vocabulary))] or first != self._special:
            raise ValueError(
                "the numbers of the tokens must be without gaps, with "
                f"{', '.join(self._special)} first."
            )

    def _take(self, tokenizer: tokenizers.Tokenizer) -> None:
        tokenizer.decoder = splitting.decoder(self.kind, self.clean)
        self._tokenizer, self._number_of = tokenizer, None

    @property
    def _numbers(self) -> dict[str, int]:
        """The number of each token of a text."""
        if self._number_of is None:
            numbers = self._ready().get_vocab()
            self._number_of = {
                token: number for token, number in numbers.items() if number >= len(self._special)
            }
        return self._number_of

    def _by_lookup(self, texts: Texts) -> bool:
        """Whether texts are split without a pattern, and their tokens looked up in a dictionary.

        That is two to five times as fast as the library's way, and keeps words apart that are
        spelt like a special token. Patterns split brackets off, so that no token is.
        """
        in_words = splitting.check(texts, self.kind)
        return self.kind == "character" or (self.kind == "word" and (in_words or not self.clean))

    def _text_numbers(self, row: Sequence[int] | np.ndarray) -> list[int]:
        """The numbers before the end of a row, without those of special tokens."""
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
        kept: list[int] = numbers[numbers >= len(self._special)].tolist()
        return kept

    def _cut(self, row: Any) -> Any:
        if len(row) <= self.length or self.truncate == "end":
            return row[: self.length]
        tail = self.length // 2 if self.truncate == "middle" else self.length
        head = self.length - tail
        return np.concatenate([row[:head], row[len(row) - tail :]]) if head else row[-tail:]

    def _empty(self, model: models.Model) -> tokenizers.Tokenizer:
        tokenizer = tokenizers.Tokenizer(model)
        normalizer = splitting.normalizer(self.clean, self.lowercase)
        if normalizer is not None:
            tokenizer.normalizer = normalizer
        tokenizer.pre_tokenizer = splitting.pre_tokenizer(self.kind, self.clean)
        return tokenizer

    def _of_known(self, known: Iterable[str]) -> tokenizers.Tokenizer:
        """A tokenizer with these tokens, the most frequent first, behind the special ones."""
        numbers = {token: number for number, token in enumerate((*self._special, *known))}
        return self._empty(models.WordLevel(numbers, unk_token=_SPECIAL[UNKNOWN]))

    def _counted(self, texts: Texts) -> tokenizers.Tokenizer:
        normalizer = splitting.normalizer(self.clean, self.lowercase)
        counts = Counter(chain.from_iterable(splitting.pieces(texts, self.kind, normalizer)))
        known = [
            token
            for token, count in counts.items()
            if count >= self.min_count and token and token not in self._special
        ]
        if not known:
            raise self._nothing(texts)
        known.sort(key=lambda token: (-counts[token], token))
        return self._of_known(known[: self._room])

    def _trained(self, texts: Texts) -> tokenizers.Tokenizer:
        word = self.kind == "word"
        tokenizer = self._empty(models.WordLevel() if word else models.BPE())
        settings: dict[str, Any] = {
            "vocab_size": self._room,
            "min_frequency": self.min_count,
            "show_progress": False,
            "special_tokens": [],
        }
        if not word:
            settings["initial_alphabet"] = pre_tokenizers.ByteLevel.alphabet()
        trainer = (trainers.WordLevelTrainer if word else trainers.BpeTrainer)(**settings)
        tokenizer.train_from_iterator(splitting.batches(texts), trainer)
        if not tokenizer.get_vocab_size():
            raise self._nothing(texts)
        return _behind(self._special, tokenizer)

    @property
    def _room(self) -> int:
        """How many tokens there may be beside the special ones."""
        return (self.vocabulary_size or sys.maxsize) - len(self._special)

    def _nothing(self, texts: Texts) -> ValueError:
        return ValueError(
            f"no {self.kind} occurs min_count={self.min_count} times in the {len(texts)} texts to "
            "fit on. Give more texts, or a smaller min_count."
        )


def _behind(special: Sequence[str], tokenizer: tokenizers.Tokenizer) -> tokenizers.Tokenizer:
    """The tokenizer with its tokens moved up behind the special ones.

    As special tokens of the trainer these would be recognised inside texts.
    """
    state = json.loads(tokenizer.to_str())
    model = state["model"]
    moved = {token: number + len(special) for token, number in model["vocab"].items()}
    model["vocab"] = {token: number for number, token in enumerate(special)} | moved
    model["unk_token"] = special[UNKNOWN]
    return tokenizers.Tokenizer.from_str(json.dumps(state))
