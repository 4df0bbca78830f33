"""Texts become rows of token numbers that mean the same everywhere."""

from __future__ import annotations

import json
import string
import subprocess
import sys
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tokenizers import decoders

from kerasseq.data.text import PADDING, UNKNOWN, TextEncoder

WORDS = st.text("abcde", min_size=1, max_size=3)
TEXTS = st.lists(st.lists(WORDS, max_size=12).map(" ".join), min_size=1, max_size=12)
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
KINDS = ("word", "subword")


def _words(text: str, **settings: Any) -> list[str]:
    encoder = TextEncoder(min_count=1, **settings).fit([text])
    return [encoder.vocabulary[i] for i in encoder.tokens([text])[0]]


@given(TEXTS, st.integers(1, 3), st.integers(4, 30))
def test_the_vocabulary_is_by_count_and_then_by_alphabet(
    texts: list[str], min_count: int, size: int
) -> None:
    counts = Counter(" ".join(texts).split())
    expected = sorted(
        (word for word, count in counts.items() if count >= min_count),
        key=lambda word: (-counts[word], word),
    )
    assume(expected)
    encoder = TextEncoder(vocabulary_size=size, min_count=min_count).fit(texts)
    assert encoder.vocabulary[2:] == expected[: size - 2]
    assert len(encoder.vocabulary) <= size


@given(TEXTS)
def test_known_words_come_back(texts: list[str]) -> None:
    assume("".join(texts).strip())
    encoder = TextEncoder(min_count=1).fit(texts)
    vocabulary = encoder.vocabulary
    for text, row in zip(texts, encoder.tokens(texts)):
        assert [vocabulary[i] for i in row] == text.split()


@given(TEXTS, st.integers(1, 15), st.sampled_from(["end", "start", "middle"]))
def test_rows_are_cut_and_padded_on_the_right(texts: list[str], length: int, truncate: Any) -> None:
    assume("".join(texts).strip())
    encoder = TextEncoder(min_count=1, length=length, truncate=truncate).fit(texts)
    encoded = encoder.encode(texts)
    assert encoded.shape == (len(texts), length)
    assert encoded.dtype == np.int32
    for whole, row in zip(encoder.tokens(texts), encoded.tolist()):
        used = min(len(whole), length)
        assert row[used:] == [PADDING] * (length - used)
        assert PADDING not in row[:used]
        if len(whole) <= length:
            assert row[:used] == whole
        elif truncate == "end":
            assert row == whole[:length]
        elif truncate == "start":
            assert row == whole[-length:]
        else:
            head = (length + 1) // 2
            assert row == whole[:head] + whole[len(whole) - (length - head) :]


@pytest.mark.parametrize("kind", KINDS)
@given(texts=st.lists(ANY_TEXT, min_size=1, max_size=6), new=st.lists(ANY_TEXT, max_size=4))
def test_the_state_gives_the_same_numbers(kind: Any, texts: list[str], new: list[str]) -> None:
    encoder = TextEncoder(kind, vocabulary_size=400, min_count=1)
    encoder.fit([*texts, "a word"])
    again = TextEncoder.from_state(json.loads(json.dumps(encoder.state())))
    assert again.tokens(texts + new) == encoder.tokens(texts + new)
    assert again.vocabulary == encoder.vocabulary
    assert again.state() == encoder.state()
    np.testing.assert_array_equal(again.encode(new), encoder.encode(new))


@pytest.mark.parametrize("kind", KINDS)
def test_a_fresh_process_fits_and_reads_the_same(kind: Any) -> None:
    texts = [f"the {word} film number {i}" for i, word in enumerate(["good", "bad", "ugly"] * 9)]
    encoder = TextEncoder(kind, vocabulary_size=400).fit(texts)
    program = (
        "import json, sys; from kerasseq.data.text import TextEncoder; "
        "state, texts = json.load(sys.stdin); "
        f"fitted = TextEncoder({kind!r}, vocabulary_size=400).fit(texts); "
        "print(json.dumps([TextEncoder.from_state(state).tokens(texts), fitted.state()]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps([encoder.state(), texts]),
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == [encoder.tokens(texts), encoder.state()]


@given(st.lists(ANY_TEXT, max_size=5))
def test_subwords_leave_nothing_unknown(texts: list[str]) -> None:
    encoder = TextEncoder("subword", vocabulary_size=300, min_count=1).fit(["some words"])
    assert not {PADDING, UNKNOWN} & {number for row in encoder.tokens(texts) for number in row}


@given(st.lists(st.text(string.printable.replace("<", ""), max_size=60), max_size=5))
def test_subwords_spell_the_whole_text(texts: list[str]) -> None:
    encoder = TextEncoder("subword", vocabulary_size=300, min_count=1).fit(["some words"])
    vocabulary = encoder.vocabulary
    for text, row in zip(texts, encoder.tokens(texts)):
        spelled = decoders.ByteLevel().decode([vocabulary[i] for i in row])
        assert "".join(spelled.split()) == "".join(text.lower().split())


def test_words_are_split_as_they_are_meant() -> None:
    text = "It's n't 'quoted' o'clock: she didn’t, we'd CAN'T... <br />a<BR>b"
    assert _words(text) == [
        *("it", "'s", "n't", "'", "quoted", "'", "o'clock", ":", "she", "did", "n't", ","),
        *("we", "'d", "ca", "n't", ".", ".", ".", "a", "b"),
    ]


def test_capitals_are_kept_on_request() -> None:
    assert _words("Good GOOD DON'T", lowercase=False) == ["Good", "GOOD", "DO", "N'T"]
    assert _words("Good GOOD DON'T") == ["good", "good", "do", "n't"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_names_of_reserved_tokens_are_plain_text(kind: Any) -> None:
    texts = ["[padding] [unknown] a word"] * 2
    encoder = TextEncoder(kind, vocabulary_size=400).fit(texts)
    assert encoder.vocabulary[:2] == ["[padding]", "[unknown]"]
    assert not {PADDING, UNKNOWN} & set(encoder.tokens(texts)[0])


def test_an_unknown_word_is_1() -> None:
    encoder = TextEncoder(min_count=1).fit(["good film"])
    assert encoder.tokens(["a good one", "", "zzz"]) == [[1, 3, 1], [], [1]]
    shares = encoder.unknown_share(["a good one", "", "zzz", "good film"])
    np.testing.assert_allclose(shares, [2 / 3, 1, 1, 0])


def test_the_length_is_what_95_of_100_texts_need() -> None:
    texts = ["word " * n for n in range(1, 101)]
    encoder = TextEncoder().fit(texts)
    assert encoder.length == 96
    assert encoder.encode(texts).shape == (100, 96)
    assert encoder.notes == [
        "3 words in the vocabulary",
        "length 96 chosen from the training texts: 4.0% of them are longer and lose their end",
    ]
    encoder.fit(["word word", "word word"])
    assert encoder.length == 2


def test_the_length_is_at_most_400() -> None:
    assert TextEncoder().fit(["word " * 1000] * 3).length == 400


def test_a_given_length_is_kept() -> None:
    encoder = TextEncoder(length=3).fit(["word " * 9])
    assert encoder.length == 3
    assert encoder.notes[1].startswith("length 3 given for the training texts: 100.0%")


@pytest.mark.parametrize(("kind", "words"), [("word", 1_000_000), ("subword", 100_000)])
def test_a_text_may_be_very_long(kind: Any, words: int) -> None:
    texts = ["good film " * (words // 2), "ab" * 100_000, "!" * 50_000, "n't'" * 50_000]
    encoder = TextEncoder(kind, vocabulary_size=400).fit(texts)
    rows = encoder.tokens(texts)
    assert len(rows[0]) == words
    assert encoder.pad(rows).shape == (4, 400)


def test_half_surrogates_become_question_marks() -> None:
    assert _words("a \ud83d b") == ["a", "?", "b"]


def test_rows_with_channels_are_padded_alike() -> None:
    encoder = TextEncoder(min_count=1, length=3, truncate="middle").fit(["a b c d"])
    rows = [np.arange(10).reshape(5, 2), np.arange(2).reshape(1, 2), np.zeros((0, 2), np.int32)]
    padded = encoder.pad(rows)
    assert padded.tolist() == [
        [[0, 1], [2, 3], [8, 9]],
        [[0, 1], [0, 0], [0, 0]],
        [[0, 0], [0, 0], [0, 0]],
    ]


def test_no_texts_give_no_rows() -> None:
    encoder = TextEncoder(min_count=1, length=3).fit(["a b"])
    assert encoder.encode([]).shape == (0, 3)
    assert encoder.unknown_share([]).shape == (0,)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "letter"}, "kind must be 'word' or 'subword'. Received: kind='letter'"),
        ({"truncate": "both"}, "truncate must be .* Received: truncate='both'"),
        ({"vocabulary_size": 2}, "vocabulary_size must be at least 3 .*=2"),
        ({"kind": "subword", "vocabulary_size": 200}, "vocabulary_size must be at least 300 .*=20"),
        ({"min_count": 0}, "min_count must be at least 1. Received: min_count=0"),
        ({"length": 0}, "length must be at least 1, or None. Received: length=0"),
    ],
)
def test_settings_are_checked(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TextEncoder(**settings)


def test_an_encoder_must_be_fitted_first() -> None:
    with pytest.raises(ValueError, match=r"call fit\(\)"):
        TextEncoder().encode(["a"])
    with pytest.raises(ValueError, match=r"call fit\(\)"):
        _ = TextEncoder().length


def test_texts_must_be_a_list_of_strings() -> None:
    with pytest.raises(TypeError, match="texts must be a list of texts, not one text"):
        TextEncoder().fit("a good film")
    with pytest.raises(TypeError, match=r"every text must be a string. Received: texts\[1\]=nan"):
        TextEncoder().fit(["a", float("nan")])  # type: ignore[list-item]


def test_texts_without_a_frequent_word_are_refused() -> None:
    with pytest.raises(ValueError, match=r"no word occurs min_count=2 times in the 2 texts"):
        TextEncoder().fit(["a b", "c d"])
