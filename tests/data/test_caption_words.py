"""Captions as words and numbers."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseq.data.caption_words import END, PADDING, START, UNKNOWN, CaptionWords, plain

_CAPTIONS = st.lists(
    st.lists(
        st.sampled_from(["a", "dog", "cat", "runs", "on", "grass"]), min_size=1, max_size=9
    ).map(" ".join),
    min_size=1,
    max_size=9,
)


@pytest.mark.parametrize(
    ("caption", "words"),
    [
        ("A dog , running .", "a dog running"),
        ("  The man's  T-shirt!", "the mans tshirt"),
        ("“Two” dogs—and a café", "two dogs and a café"),
        ("a dog,running/jumping...fast", "a dog running jumping fast"),
        ("AT&T's 1,000 rock'n'roll fans at 10:30", "atts 1000 rocknroll fans at 1030"),
        ("लड़का गेंद से खेलता है।", "लड़का गेंद से खेलता है"),
        ("ผู้ชายกำลังเล่น", unicodedata.normalize("NFKC", "ผู้ชายกำลังเล่น")),
        ("we ❤\ufe0f dogs", "we dogs"),
        ("می\u200cخواهم", "میخواهم"),
        ("snake_case\tand\nlines", "snakecase and lines"),
        (" .!? ", ""),
    ],
)
def test_a_caption_is_lower_case_words(caption: str, words: str) -> None:
    assert plain(caption) == words
    assert plain(words) == words


@given(_CAPTIONS)
def test_known_captions_come_back(captions: list[str]) -> None:
    words = CaptionWords.fitted(captions, min_count=1)
    rows = words.encode(captions)
    assert (rows[:, 0] == START).all()
    assert ((rows == END).sum(axis=1) == 1).all()
    assert words.texts(rows[:, 1:]) == captions


def test_frequent_words_come_first_and_rare_ones_are_unknown() -> None:
    words = CaptionWords.fitted(["b a", "a c", "b a d"], min_count=2)
    assert words.known == ["a", "b"]
    assert len(words) == 6
    assert words.encode(["d a zebra"]).tolist() == [[START, UNKNOWN, 4, UNKNOWN, END]]


def test_long_captions_are_cut_and_short_ones_padded() -> None:
    words = CaptionWords.fitted(["a b c d e"], min_count=1, length=3)
    assert words.encode(["a b c d e", "a"]).tolist() == [
        [START, 4, 5, 6, END],
        [START, 4, END, PADDING, PADDING],
    ]


def test_what_follows_the_end_is_not_read() -> None:
    words = CaptionWords.fitted(["a b"], min_count=1)
    assert words.texts([[4, END, 5, 5], [5, 4, 4, 5]]) == ["a", "b a a b"]


def test_the_state_survives_json() -> None:
    words = CaptionWords.fitted(["a dog", "a cat"], min_count=1)
    again = CaptionWords.of(json.loads(json.dumps(words.state())))
    assert again.names == words.names
    assert again.encode(["a cat"]).tolist() == words.encode(["a cat"]).tolist()


def test_words_that_are_all_rare_are_refused() -> None:
    with pytest.raises(ValueError, match="no word occurs min_count=5 times"):
        CaptionWords.fitted(["a dog"], min_count=5)
