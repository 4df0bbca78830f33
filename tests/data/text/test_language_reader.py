"""Tokens of a language model: characters and subwords as they stand, words line by line."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kerasseq.data.text.corpus_split import TextPart
from kerasseq.data.text.language_reader import LanguageReader
from kerasseq.data.tokenizers.tokenizer import END, START, UNKNOWN

TEXT = "The cat sat.\nThe dog didn't.\n\nThe cat ran.\n"
SIZES: dict[str, Any] = {"vocabulary_size": 300, "min_count": 1, "lowercase": False}


def _fitted(kind: Any, *texts: str, documents: bool = False, **sizes: Any) -> LanguageReader:
    return LanguageReader.fit(TextPart([*texts], documents), kind, **{**SIZES, **sizes})


@pytest.mark.parametrize("kind", ["character", "subword"])
def test_characters_and_subwords_keep_the_text(kind: Any) -> None:
    reader = _fitted(kind, TEXT)
    tokens = reader.read(TextPart([TEXT[:20], TEXT[20:]]))
    assert reader.write(tokens) == TEXT
    assert END not in tokens
    assert (reader.ends, reader.first) == (False, START)
    np.testing.assert_array_equal(reader.whole(TEXT), reader.begun(TEXT))


@pytest.mark.parametrize("kind", ["character", "subword"])
def test_documents_have_an_end(kind: Any) -> None:
    reader = _fitted(kind, TEXT, "dog", documents=True)
    tokens = reader.read(TextPart([TEXT, "dog"], documents=True))
    assert (tokens == END).sum() == 2
    assert tokens[-1] == END
    assert (reader.ends, reader.first) == (True, END)
    assert reader.whole("dog")[-1] == END
    assert END not in reader.begun("dog")


def test_lines_of_words_have_an_end() -> None:
    reader = _fitted("word", TEXT)
    tokens = reader.read(TextPart([TEXT]))
    assert len(tokens) == (4 + 1) + (5 + 1) + (4 + 1)
    assert reader.write(tokens) == "The cat sat .\nThe dog did n't .\nThe cat ran .\n"
    np.testing.assert_array_equal(reader.begun("The cat"), reader.whole("The cat")[:-1])
    np.testing.assert_array_equal(reader.begun("The cat\n"), reader.whole("The cat"))
    assert reader.begun("").tolist() == []


@pytest.mark.parametrize(
    ("kind", "text", "reversed_text"),
    [("character", "abc", "cba"), ("word", "a b c\nd e", "e d\nc b a")],
)
def test_in_reverse_a_text_is_read_from_its_end(kind: Any, text: str, reversed_text: str) -> None:
    forward, reverse = (
        _fitted(kind, text, "e", documents=True, reverse=reverse) for reverse in (False, True)
    )
    part, reversed_part = (TextPart([each, "e"], True) for each in (text, reversed_text))
    np.testing.assert_array_equal(reverse.read(part), forward.read(reversed_part))
    restored = LanguageReader.from_state(reverse.state())
    np.testing.assert_array_equal(restored.whole(text), forward.whole(reversed_text))
    with pytest.raises(ValueError, match=r"in reverse \(reverse=True\) scores them, and cannot"):
        reverse.begun(text)


@pytest.mark.parametrize("kind", ["character", "subword", "word"])
@pytest.mark.parametrize("size", [1, 2, 7])
def test_pieces_are_written_as_the_whole(kind: Any, size: int) -> None:
    text = TEXT + "Das Kätzchen fraß \N{CAT FACE}.\n"
    reader = _fitted(kind, text)
    tokens = reader.read(TextPart([text]))
    pieces = np.split(np.pad(tokens, (0, 2)), range(size, len(tokens), size))
    assert "".join(reader.write_pieces(pieces)) == reader.write(tokens)
    # A text may end within a character.
    cut = np.array([token for token in tokens[:-3] for _ in range(2)])
    assert "".join(reader.write_pieces(np.split(cut, range(1, len(cut))))) == reader.write(cut)


def test_words_that_are_separated_already_stay_so() -> None:
    reader = _fitted("word", " the <unk> did n't \n the cat <unk> N \n")
    assert reader.write(reader.read(TextPart(["the <unk> did n't"]))) == "the <unk> did n't\n"
    assert reader.unknown_share(reader.begun("the dog")) == 0.5


def test_a_vocabulary_of_rare_tokens_is_unknown() -> None:
    reader = _fitted("character", "aabbc", min_count=2)
    assert reader.begun("abc").tolist() == [4, 5, UNKNOWN]
    assert reader.write([4, UNKNOWN, 5]) == "ab"
    with pytest.raises(ValueError, match="no character occurs min_count=2 times"):
        _fitted("character", "abc", min_count=2)


@pytest.mark.parametrize("kind", ["character", "word", "subword"])
def test_a_state_restores_it(kind: Any) -> None:
    reader = _fitted(kind, TEXT)
    again = LanguageReader.from_state(reader.state())
    np.testing.assert_array_equal(again.whole(TEXT), reader.whole(TEXT))
    assert (again.kind, again.ends) == (kind, reader.ends)


@pytest.mark.parametrize("separated", [False, True])
def test_words_are_numbered_by_falling_frequency(separated: bool) -> None:
    words = [f"w{number}" for number in range(40)]
    drawn = np.random.default_rng(0).zipf(1.5, 2000).clip(1, 40) - 1
    text = " ".join(words[number] for number in drawn) + (" <unk> w0" if separated else "")
    tokens = _fitted("word", text).read(TextPart([text]))
    counts = np.bincount(tokens)[END + 1 :]
    assert len(counts) > 20
    assert (np.diff(counts) <= 0).all()
