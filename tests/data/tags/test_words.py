"""Words of texts with their offsets, and tags from spans."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseq.data.tags.words import Span, span_tags, split_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("EU rejects German call.", "EU rejects German call ."),
        ("U.N. talks, 1996-08-22 at 12:30", "U.N. talks , 1996-08-22 at 12:30"),
        ("$1,000.50 (3rd)", "$ 1,000.50 ( 3rd )"),
        ("didn't it's o'clock's", "did n't it 's o'clock 's"),
        ("ex-president AT&T", "ex-president AT&T"),
        ("mail me@x.org or https://x.org/a?b=1.", "mail me@x.org or https://x.org/a?b=1 ."),
        ("Wait... no -- yes", "Wait ... no -- yes"),
        ("Ärger in Köln", "Ärger in Köln"),
        ("東京", "東京"),
        ("नमस्ते दुनिया।", "नमस्ते दुनिया ।"),
        ("Ko\u0308ln, Zoe\u0308's", "Ko\u0308ln , Zoe\u0308 's"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        (" \n\t", ""),
    ],
)
def test_words_of_a_text(text: str, words: str) -> None:
    assert [word.text for word in split_words(text)] == words.split()


@given(st.text(max_size=60))
def test_offsets_are_those_of_the_text_and_only_space_is_lost(text: str) -> None:
    words = split_words(text)
    end = 0
    for word in words:
        assert text[word.start : word.end] == word.text != ""
        assert text[end : word.start].strip() == ""
        end = word.end
    assert text[end:].strip() == ""


@pytest.mark.parametrize("sign", ["a", "a.", "a+", "a-", "1,", "'", "n't", "@", "http://"])
def test_the_time_grows_with_the_length_of_a_text(sign: str) -> None:
    start = time.process_time()
    split_words(sign * (40_000 // len(sign)))
    assert time.process_time() - start < 5


def test_spans_become_tags() -> None:
    words = split_words("Ada Lovelace met Bob in London.")
    spans = [Span(24, 30, "LOC"), Span(0, 12, "PER"), Span(17, 20, "PER")]
    assert span_tags(words, spans) == (["B-PER", "I-PER", "O", "B-PER", "O", "B-LOC", "O"], 0, 0)


def test_spans_are_widened_to_words_and_must_not_overlap() -> None:
    words = split_words("Ada Lovelace met")
    assert span_tags(words, [Span(0, 6, "PER")]) == (["B-PER", "I-PER", "O"], 1, 0)
    assert span_tags(words, [Span(0, 12, "PER"), Span(4, 12, "X")])[2] == 1
    assert span_tags(words, [Span(3, 4, "PER")]) == (["O", "O", "O"], 0, 1)
