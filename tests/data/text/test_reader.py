"""Texts become tokens and n-grams; texts of characters have a start and an end."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kerasseq.data.text.reader import Reader
from kerasseq.data.tokenizers.tokenizer import END, START

NAMES = ["anna", "nana", "ann", "nan"]


def _fitted(texts: list[str] = NAMES, **settings: Any) -> tuple[Reader, list[list[int]]]:
    defaults = {
        **{"tokens": "character", "vocabulary_size": 100, "min_count": 1, "lowercase": False},
        **{"length": None, "truncate": "end", "ngrams": 2, "ngram_count": 1, "ngram_limit": 100},
    }
    return Reader.fit(texts, ["a", "b", "c"], **{**defaults, **settings})


def test_characters_have_a_start_and_an_end() -> None:
    reader, rows = _fitted()
    assert [[row[0], row[-1]] for row in rows] == [[START, END]] * len(NAMES)
    assert [len(row) for row in rows] == [len(name) + 2 for name in NAMES]
    inputs = reader.read(NAMES).inputs
    assert inputs["tokens"].shape == inputs["ending"].shape[:2] == (4, 6)
    assert inputs["tokens"].tolist() == reader.examples(rows).inputs["tokens"].tolist()


def test_an_ngram_at_the_end_differs_from_one_inside() -> None:
    reader, _ = _fitted()
    last = reader.read(["na", "nan"]).inputs["ending"][:, :, 1]  # bigrams
    assert last[0, 1] == last[1, 1] > 0  # both begin with n
    assert last[0, 3] != last[1, 3]  # one is "a" and the end, the other one "an"


def test_words_have_neither() -> None:
    reader, rows = _fitted(["a good film", "a bad film"], tokens="word")
    assert [len(row) for row in rows] == [3, 3]
    assert reader.read(["a good film"]).inputs["tokens"].shape == (1, 3)


@pytest.mark.parametrize(
    ("truncate", "kept"), [("end", "^ab"), ("start", "de$"), ("middle", "^ae$")]
)
def test_start_and_end_are_cut_like_other_tokens(truncate: Any, kept: str) -> None:
    reader, _ = _fitted(["abcde"], length=1 if truncate != "middle" else 2, truncate=truncate)
    numbers = dict(zip(reader.tokenizer.vocabulary, range(100))) | {"^": START, "$": END}
    assert reader.read(["abcde"]).inputs["tokens"].tolist() == [[numbers[c] for c in kept]]


@pytest.mark.parametrize("ngrams", [0, 2])
def test_a_text_without_a_known_character_is_recognised(ngrams: int) -> None:
    reader, _ = _fitted(["anna", ""], ngrams=ngrams)  # start and end form an n-gram of the second
    known = reader.has_known_tokens(reader.read(["n", "xyz", "", "xxxxxxxn"]))
    # The last n is cut, but seen by the n-grams.
    assert known.tolist() == [True, False, False, ngrams > 0]


def test_a_restored_reader_reads_the_same() -> None:
    reader, _ = _fitted()
    restored = Reader.from_state(reader.state())
    for name, values in reader.read(["nano", ""]).inputs.items():
        np.testing.assert_array_equal(restored.read(["nano", ""]).inputs[name], values)
