"""Turn tagged sentences into examples of a tagger, by the vocabularies of a run."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import numpy as np

from kerasseq.data.tags.features import DERIVED, normalise, shape
from kerasseq.data.tags.schemes import Scheme
from kerasseq.data.tags.sentences import Sentences
from kerasseq.data.tags.tag_set import TagSet
from kerasseq.data.tags.vectors import read_vectors
from kerasseq.data.tokenizers.tokenizer import UNKNOWN, Tokenizer, TokenizerState
from kerasseq.evaluation.chunks import split_tag
from kerasseq.io.schema import Array, Count, Length, Limits
from kerasseq.training import Examples

__all__ = ["SENTENCE", "TARGET", "Piece", "TagReader", "TagReaderState", "Truth", "TaggedExamples"]

#: The name of the first column of tags in the model; further ones are tag_2, tag_3 and so on.
TARGET = "tag"
#: The name of the label of a sentence in the model.
SENTENCE = "sentence"
_LONGEST_WORD = 30  # characters that are read of a word, half of them from each end
_RARE_VALUE = 2  # a value of a column, or a character, that occurs less often is unknown


class _Tags(TypedDict):
    tags: Annotated[list[str], Length(1)]
    scheme: Literal["IOB2", "BIOES", "none"]


class _DataInfo(TypedDict):
    words: Annotated[int, Limits(least=2)]
    embedding: Annotated[int, Limits(least=1)] | None
    characters: Count
    columns: dict[str, Annotated[int, Limits(least=2)]]
    tags: Annotated[list[str], Length(2)]
    scheme: Literal["IOB2", "BIOES", "none"]
    letters: Count
    timesteps: Annotated[int, Limits(least=1)]
    further: NotRequired[dict[str, _Tags]]
    classes: NotRequired[Annotated[list[str], Length(2)]]


class TagReaderState(TypedDict):
    """The JSON values of a `TagReader`, with the data info that models depend on."""

    data_info: _DataInfo
    scheme: Scheme
    words: TokenizerState
    characters: TokenizerState | None
    columns: dict[str, TokenizerState]
    known: Annotated[np.ndarray, Array("u", 1)]
    length: Annotated[int, Limits(least=1)]
    reading: dict[str, str | int | list[str]]
    further: NotRequired[dict[str, Scheme]]  # of the data, by column, in the order of data_info


@dataclass(frozen=True)
class Piece:
    """A sentence, or a part of one that is too long, in a row of the examples."""

    sentence: int
    start: int
    end: int


@dataclass(frozen=True)
class Truth:
    """What predictions are scored against.

    Args:
        tokens: the words of each sentence.
        tags: their tags, in the scheme of the data.
        known: for each word whether the training part has it.
        chunked: whether the tags are of a scheme of chunks.
        further: the truth of further columns of tags, by the name of the column.
        labels: the labels of the sentences; None for none.
    """

    tokens: list[list[str]]
    tags: list[list[str]]
    known: list[list[bool]]
    chunked: bool = True
    further: Mapping[str, Truth] = field(default_factory=dict)
    labels: list[str] | None = None


@dataclass(frozen=True)
class TaggedExamples:
    """Sentences as inputs of a model.

    Args:
        examples: one row for each piece.
        pieces: the place of each row in the sentences.
        lengths: number of words of each sentence.
        targets: what predictions are scored against; None where it is not known.
    """

    examples: Examples
    pieces: list[Piece]
    lengths: list[int]
    targets: Truth | None = None

    def __len__(self) -> int:
        return len(self.lengths)


class TagReader:
    """Turn sentences into examples, by the vocabularies of a run.

    Words are read in lower case with digits as 0. A rare word is represented by its shape, such as
    `[shape Xx]` for a capitalised one, and a rare shape is the unknown word. Characters are read as
    they are written.

    Args:
        words: fitted tokenizer of words and shapes.
        characters: fitted tokenizer of characters; None for none.
        columns: fitted tokenizer of each further column.
        tags: the tags.
        known: fingerprints of the words of the training part, sorted, uint64.
        length: largest number of words in a row; longer sentences are cut into pieces.
        width: width of pretrained vectors, None without them.
        further: the tags of further columns, by the name of the column.
        classes: the labels of whole sentences, none if there are no labels.
    """

    def __init__(
        self,
        words: Tokenizer,
        characters: Tokenizer | None,
        columns: Mapping[str, Tokenizer],
        tags: TagSet,
        known: np.ndarray,
        length: int,
        width: int | None = None,
        further: Mapping[str, TagSet] | None = None,
        classes: Sequence[str] = (),
    ) -> None:
        self.words, self.characters, self.columns = words, characters, dict(columns)
        self.tag_set, self.further, self.classes = tags, dict(further or {}), list(classes)
        self.known, self.length, self.width = known, length, width
        self._number_of_word = {word: i for i, word in enumerate(words.vocabulary) if i > UNKNOWN}

    @classmethod
    def fit(
        cls,
        sentences: Sentences,
        scheme: Scheme,
        *,
        model_scheme: Scheme,
        min_count: int,
        vocabulary_size: int,
        characters: bool,
        derived: Sequence[str] = (),
        length: int,
        vectors: str | os.PathLike[str] | None = None,
        seed: int = 0,
        further: Mapping[str, Scheme] | None = None,
    ) -> tuple[TagReader, np.ndarray | None]:
        """Fit the vocabularies on the training part.

        Args:
            sentences: the training part.
            scheme: the scheme of its tags.
            model_scheme: the scheme in which a model learns them.
            min_count: least number of occurrences of a word in the vocabulary.
            vocabulary_size: largest number of words.
            characters: whether there is a vocabulary of characters.
            derived: columns to compute from the words, see `kerasseq.data.tags.features.DERIVED`.
            length: largest number of words in a row.
            vectors: file of pretrained vectors; its words join the vocabulary.
            seed: seed of the vectors of words that the file lacks.
            further: the schemes of further columns of tags.

        Returns:
            The reader; and the vector of each word, float (words, width), if there is a file.
        """
        counts = Counter(map(normalise, chain.from_iterable(sentences.tokens)))
        frequent = {word for word, count in counts.items() if count >= min_count}
        pretrained: dict[str, np.ndarray] = {}
        width = None
        if vectors is not None:
            limit = max(0, vocabulary_size - len(frequent))
            pretrained, width = read_vectors(vectors, {*counts}, limit)
        known_words = frequent | {*pretrained}
        replaced = [
            [
                key if (key := normalise(word)) in known_words else _shape_token(word)
                for word in words
            ]
            for words in sentences.tokens
        ]
        words = Tokenizer(
            "word",
            vocabulary_size=vocabulary_size,
            min_count=1 if pretrained else min_count,
            lowercase=False,
            clean=False,
            length=length,
        ).fit([*replaced, [*pretrained]])
        columns = {
            name: _column_tokenizer(values, length)
            for name, values in _all_columns(sentences, derived).items()
        }
        types = sorted({*chain.from_iterable(sentences.tokens)})
        letters = None
        if characters:
            longest = min(_LONGEST_WORD, max(map(len, types)))
            letters = Tokenizer(
                "character",
                vocabulary_size=None,
                min_count=min(_RARE_VALUE, len(types)),
                lowercase=False,
                length=longest,
                truncate="middle",
                clean=False,
            ).fit(types)
        reader = cls(
            words,
            letters,
            columns,
            TagSet.fit(sentences.known_tags(), scheme, model_scheme),
            _fingerprints(counts),
            length,
            width,
            {
                name: TagSet.fit(
                    (sentences.further or {})[name],
                    each,
                    model_scheme,
                )
                for name, each in (further or {}).items()
            },
            sorted({*(sentences.labels or ())}),
        )
        return reader, _matrix(words.vocabulary, pretrained, width, seed) if width else None

    @property
    def tags(self) -> list[str]:
        """The tags of the model, in the order of their numbers."""
        return self.tag_set.tags

    @property
    def scheme(self) -> Scheme:
        """The scheme of the tags of the data."""
        return self.tag_set.scheme

    @property
    def columns_of_tags(self) -> dict[str, TagSet]:
        """The tags of all columns by the name of the output of the model, the first one first."""
        further = enumerate(self.further.values(), 2)
        return {TARGET: self.tag_set, **{f"{TARGET}_{n}": tags for n, tags in further}}

    def state(self) -> dict[str, Any]:
        """The JSON values from which `from_state` restores the reader."""
        _, *further = self.columns_of_tags.items()
        info: dict[str, Any] = {}
        if further:
            info["further"] = {
                name: {"tags": tags.tags, "scheme": tags.model_scheme} for name, tags in further
            }
        if self.classes:
            info["classes"] = self.classes
        schemes_of_data = {name: tags.scheme for name, tags in self.further.items()}
        return {
            **({"further": schemes_of_data} if further else {}),
            "data_info": {
                "words": len(self.words),
                "embedding": self.width,
                "characters": len(self.characters) if self.characters else 0,
                "columns": {name: len(values) for name, values in self.columns.items()},
                "letters": self.characters.length if self.characters else 0,
                "tags": self.tags,
                "scheme": self.tag_set.model_scheme,
                **info,
            },
            "scheme": self.scheme,
            "words": self.words.state(),
            "characters": self.characters and self.characters.state(),
            "columns": {name: values.state() for name, values in self.columns.items()},
            "known": self.known,
            "length": self.length,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> TagReader:
        """Restore a reader from the value of `state`.

        Raises:
            ValueError: if parts of the state contradict each other.
        """
        data_info = state["data_info"]
        reader = cls(
            Tokenizer.from_state(state["words"]),
            state["characters"] and Tokenizer.from_state(state["characters"]),
            {name: Tokenizer.from_state(values) for name, values in state["columns"].items()},
            TagSet(data_info["tags"], state["scheme"], data_info["scheme"]),
            state["known"],
            state["length"],
            data_info["embedding"],
            {
                name: TagSet(info["tags"], scheme, info["scheme"])
                for (name, scheme), info in zip(
                    state.get("further", {}).items(), data_info.get("further", {}).values()
                )
            },
            data_info.get("classes", ()),
        )
        for name, value in reader.state()["data_info"].items():
            if data_info[name] != value:
                raise ValueError(f"data_info.{name} is {data_info[name]}, and there are {value}")
        kinds = [("words", reader.words, "word"), ("characters", reader.characters, "character")]
        kinds += [(f"columns.{name}", values, "word") for name, values in reader.columns.items()]
        for where, tokenizer, kind in kinds:
            if tokenizer is not None and (tokenizer.kind != kind or tokenizer.clean):
                raise ValueError(f"{where} must be a tokenizer of {kind}s that does not clean")
        reader.tag_set.check("data_info.tags")
        for name, tags in reader.further.items():
            tags.check(f"the tags of {name}")
        if len(state.get("further", {})) != len(data_info.get("further", {})):
            raise ValueError("further and data_info.further must be of the same columns")
        if reader.classes != sorted({*reader.classes}):
            raise ValueError("data_info.classes must be different texts in their order")
        return reader

    def read(self, sentences: Sentences) -> TaggedExamples:
        """Turn sentences into inputs of the model, with the truth if they have tags."""
        pieces = self.pieces(sentences)
        truth = None
        if sentences.tags is not None:
            known = [self.is_known(words).tolist() for words in sentences.tokens]
            truth = Truth(sentences.tokens, sentences.tags, known, self.tag_set.chunked)
            further = {
                name: replace(truth, tags=(sentences.further or {})[name], chunked=tags.chunked)
                for name, tags in self.further.items()
            }
            truth = replace(
                truth, further=further, labels=sentences.labels if self.classes else None
            )
        examples = self._examples(sentences, pieces)
        return TaggedExamples(examples, pieces, [len(words) for words in sentences.tokens], truth)

    def training_examples(self, sentences: Sentences) -> Examples:
        """Turn sentences into examples with their tags, as the training model takes them.

        Raises:
            ValueError: if the training part lacks one of the tags.
        """
        pieces = self.pieces(sentences)
        examples = self._examples(sentences, pieces, training=True)
        lengths = next(iter(examples.lengths.values()))
        inputs, widths = {**examples.inputs}, {**examples.lengths}
        columns = [sentences.known_tags(), *(sentences.further or {}).values()]
        for (name, tag_set), tags in zip(self.columns_of_tags.items(), columns):
            target = np.zeros((len(pieces), int(lengths.max())), np.int32)
            for row, piece in zip(target, pieces):
                part = tag_set.encode(tags[piece.sentence][piece.start : piece.end])
                row[: len(part)] = part
            inputs[f"{name}_target"], widths[f"{name}_target"] = target, lengths
        if self.classes:
            numbers = {label: number for number, label in enumerate(self.classes)}
            labels = [numbers[label] for label in sentences.labels or ()]
            inputs[f"{SENTENCE}_target"] = np.array([labels[p.sentence] for p in pieces], np.int32)
        return Examples(inputs, lengths.astype(np.float32), widths)

    def is_known(self, words: Sequence[str]) -> np.ndarray:
        """Whether the training part has each word, bool (words,)."""
        return np.isin(_fingerprints(map(normalise, words), ordered=False), self.known)

    def unknown(self, sentences: Sentences, row: int) -> list[str]:
        """The tags and the label of a sentence that the training part lacks."""
        columns = [sentences.known_tags(), *(sentences.further or {}).values()]
        unknown = [
            tag
            for tag_set, tags in zip(self.columns_of_tags.values(), columns)
            if not tag_set.has(tags[row])
            for tag in tags[row]
            if not tag_set.has([tag])
        ]
        if self.classes and sentences.labels and sentences.labels[row] not in self.classes:
            unknown.append(sentences.labels[row])
        return unknown

    def has_type(self, name: str) -> bool:
        """Whether the training part has chunks of a type, or a tag of this name."""
        return any(name in (tag, split_tag(tag)[1]) for tag in self.tags)

    def decode(self, numbers: np.ndarray) -> list[str]:
        """Tags in the scheme of the data, from tag numbers of a sentence."""
        return self.tag_set.decode(numbers)

    def pieces(self, sentences: Sentences) -> list[Piece]:
        """The pieces of sentences, of at most `length` words."""
        return [
            Piece(number, start, min(start + self.length, len(words)))
            for number, words in enumerate(sentences.tokens)
            for start in range(0, len(words), self.length)
        ]

    def _examples(
        self, sentences: Sentences, pieces: Sequence[Piece], *, training: bool = False
    ) -> Examples:
        """The inputs of the model, or of the training model, padded to the longest piece."""
        lengths = np.array([piece.end - piece.start for piece in pieces], dtype=np.int64)
        types: dict[str, int] = {}
        numbers = [
            np.array([types.setdefault(word, len(types)) for word in words])
            for words in sentences.tokens
        ]
        place = np.zeros((len(pieces), int(lengths.max())), np.int64)
        mask = np.arange(place.shape[1]) < lengths[:, None]
        place[mask] = np.concatenate([numbers[p.sentence][p.start : p.end] for p in pieces])

        def spread(values: np.ndarray) -> np.ndarray:
            """Values of the words in their places, 0 elsewhere."""
            rows = values[place]
            rows[~mask] = 0
            return rows

        inputs = {"words": spread(np.array(list(map(self._word_number, types)), np.int32))}
        if training:
            unknown = np.array(list(map(self._shape_number, types)), np.int32)
            inputs["unknown_words"] = spread(unknown)
        if self.characters is not None:
            table = self.characters.encode([*types])
            small = np.uint8 if len(self.characters) <= 256 else np.int32
            inputs["characters"] = spread(table.astype(small))
        columns = _numbered(sentences.columns)
        expected = [name for name in self.columns if name not in DERIVED]
        if len(columns) != len(expected):
            raise ValueError(
                f"this tagger reads {len(expected)} further columns, and the data has "
                f"{len(columns)} of them: name as many as features=."
            )
        for name, tokenizer in self.columns.items():
            derive = DERIVED.get(name)
            if derive is not None:
                inputs[name] = spread(_numbers(tokenizer, map(derive, types)))
            else:
                values = columns[name]
                inputs[name] = np.zeros(place.shape, np.int32)
                inputs[name][mask] = _numbers(
                    tokenizer,
                    chain.from_iterable(values[p.sentence][p.start : p.end] for p in pieces),
                )
        return Examples(inputs, lengths=dict.fromkeys(inputs, lengths))

    def _word_number(self, word: str) -> int:
        number = self._number_of_word.get(normalise(word))
        return self._shape_number(word) if number is None else number

    def _shape_number(self, word: str) -> int:
        """The number that stands for a word where it is unknown."""
        return self._number_of_word.get(_shape_token(word), UNKNOWN)


def _shape_token(word: str) -> str:
    return f"[shape {shape(word)}]"


def _all_columns(sentences: Sentences, derived: Sequence[str]) -> dict[str, list[list[str]]]:
    """The columns of the data and the columns computed from the words."""
    functions: dict[str, Callable[[str], str]] = {name: DERIVED[name] for name in derived}
    return _numbered(sentences.columns) | {
        name: [[function(word) for word in words] for words in sentences.tokens]
        for name, function in functions.items()
    }


def _numbered(columns: Mapping[str, list[list[str]]]) -> dict[str, list[list[str]]]:
    """Columns of the data under names that layers may have."""
    return {f"column_{number}": values for number, values in enumerate(columns.values())}


def _column_tokenizer(values: list[list[str]], length: int) -> Tokenizer:
    return Tokenizer(
        "word",
        vocabulary_size=None,
        min_count=1,
        lowercase=False,
        clean=False,
        length=length,
    ).fit(_without_rare(values))


def _without_rare(values: list[list[str]]) -> list[list[str]]:
    """The rows without rare values, so that these are unknown; all, where none is frequent."""
    counts = Counter(chain.from_iterable(values))
    frequent = {value for value, count in counts.items() if count >= _RARE_VALUE} or {*counts}
    return [[value for value in row if value in frequent] for row in values]


def _numbers(tokenizer: Tokenizer, values: Any) -> np.ndarray:
    return np.array(tokenizer.tokens([[*values]])[0], dtype=np.int32)


def _fingerprints(words: Any, ordered: bool = True) -> np.ndarray:
    """A number for each word, uint64, in the order of the numbers or of the words."""
    digests = [hashlib.blake2b(word.encode(), digest_size=8).digest() for word in words]
    numbers = np.frombuffer(b"".join(digests), dtype="<u8")
    return np.sort(numbers) if ordered else numbers


def _matrix(
    vocabulary: Sequence[str], vectors: Mapping[str, np.ndarray], width: int, seed: int
) -> np.ndarray:
    """The vector of each token of a vocabulary, float32; random where there is none."""
    spread = float(np.std(np.stack([*vectors.values()])))
    draw = np.random.default_rng(seed)
    matrix = draw.normal(0, spread, (len(vocabulary), width)).astype(np.float32)
    for number, word in enumerate(vocabulary):
        if word in vectors:
            matrix[number] = vectors[word]
    return matrix
