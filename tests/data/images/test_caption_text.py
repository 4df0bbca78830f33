"""Captions as they are learned and scored, and as numbers."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseq.data.images.caption_text import caption_tokenizer, normalize_caption
from kerasseq.data.tokenizers.tokenizer import END, PADDING, START, UNKNOWN

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
    assert normalize_caption(caption) == words
    assert normalize_caption(words) == words


@given(_CAPTIONS)
def test_known_captions_come_back(captions: list[str]) -> None:
    tokenizer = caption_tokenizer(captions, min_count=1, length=40)
    rows = tokenizer.encode(captions, start=True, end=True)
    assert (rows[:, 0] == START).all()
    assert ((rows == END).sum(axis=1) == 1).all()
    assert rows.shape[1] == 2 + max(len(caption.split()) for caption in captions)
    assert tokenizer.decode(rows) == tokenizer.decode(rows[:, 1:]) == captions


def test_frequent_words_come_first_and_rare_ones_are_unknown() -> None:
    tokenizer = caption_tokenizer(["b a", "a c", "b a d"], min_count=2, length=40)
    assert tokenizer.vocabulary[4:] == ["a", "b"]
    rows = tokenizer.encode(["d a zebra"], start=True, end=True)
    assert rows.tolist() == [[START, UNKNOWN, 4, UNKNOWN, END]]


def test_long_captions_are_cut_and_short_ones_padded() -> None:
    tokenizer = caption_tokenizer(["a b c d e"], min_count=1, length=3)
    assert tokenizer.encode(["a b c d e", "a"], start=True, end=True).tolist() == [
        [START, 4, 5, 6, END],
        [START, 4, END, PADDING, PADDING],
    ]


def test_no_word_is_too_rare_for_the_vocabulary() -> None:
    captions = [
        " ".join(f"word{i}" for i in range(start, start + 100)) for start in range(0, 25_000, 100)
    ]
    assert len(caption_tokenizer(captions, min_count=1, length=40)) == 25_004


def test_words_that_are_all_rare_are_refused() -> None:
    for captions in (["a dog"], [""]):
        with pytest.raises(ValueError, match="no word occurs min_count=5 times"):
            caption_tokenizer(captions, min_count=5, length=40)
