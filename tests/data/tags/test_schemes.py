"""Schemes of tags: recognised, converted, mended, and their allowed transitions."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseq.data.tags.schemes import (
    SCHEMES,
    constraints,
    convert,
    mend,
    recognise,
    spelling,
)
from kerasseq.evaluation.chunks import chunks

CHUNKED = [scheme for scheme in SCHEMES if scheme != "none"]


def _tags(text: str) -> list[list[str]]:
    return [line.split() for line in text.split("|")]


@pytest.mark.parametrize(
    ("text", "scheme"),
    [
        ("I-X I-X O|I-Y B-Y O", "IOB1"),
        ("B-X I-X O|B-Y B-Y", "IOB2"),
        ("B-X E-X O S-Y", "BIOES"),
        ("B-X L-X O U-Y", "BILOU"),
        ("B-X L-X O S-Y", "BIOES"),
        ("I-X I-X O I-Y", "IO"),
        ("O O X X O O", "bare"),
        ("DET NOUN VERB|DET NOUN", "none"),
        ("B I O B", "IOB2"),
        ("B-X B-X B-X O I-Y", "IOB2"),  # one tag contradicts it
        ("I-X O I-X O I-X B-X O B-Y", "IOB1"),
        ("O O", "none"),
    ],
)
def test_a_scheme_is_recognised(text: str, scheme: str) -> None:
    assert recognise(_tags(text)) == scheme


@pytest.mark.parametrize(
    ("scheme", "expected"),
    [
        ("IOB1", "I-X I-X B-X O I-Y"),
        ("IOB2", "B-X I-X B-X O B-Y"),
        ("BIOES", "B-X E-X S-X O S-Y"),
        ("BILOU", "B-X L-X U-X O U-Y"),
        ("IO", "I-X I-X I-X O I-Y"),
        ("bare", "X X X O Y"),
    ],
)
def test_tags_are_converted(scheme: str, expected: str) -> None:
    assert convert(["I-X", "I-X", "B-X", "O", "I-Y"], scheme) == expected.split()  # type: ignore[arg-type]


@given(
    st.lists(st.sampled_from(["O", "B-X", "I-X", "B-Y", "I-Y"]), max_size=10),
    st.sampled_from(["IOB1", "IOB2", "BIOES", "BILOU"]),
)
def test_a_conversion_keeps_the_chunks(tags: list[str], scheme: str) -> None:
    converted = convert(tags, scheme)  # type: ignore[arg-type]
    assert chunks(converted) == chunks(tags)
    assert mend([converted], scheme) == ([converted], [])  # type: ignore[arg-type]


def test_tags_that_break_the_scheme_are_mended_with_a_note() -> None:
    tags, notes = mend(_tags("O I-X I-X|B-X I-Y|B-X I-X"), "IOB2")
    assert tags == _tags("O B-X I-X|B-X B-Y|B-X I-X")
    assert notes == [
        "2 tags broke the scheme IOB2 and were mended, as conlleval reads them: "
        "I-X as B-X in sentence 1"
    ]


def test_other_spellings_of_a_scheme_break_nothing() -> None:
    assert mend(_tags("B-X L-X U-Y"), "BIOES") == (_tags("B-X E-X S-Y"), [])
    assert mend(_tags("X X O"), "IO") == (_tags("I-X I-X O"), [])


@pytest.mark.parametrize(
    ("text", "scheme"), [("B-X E-X", "IOB2"), ("Q-X O", "BIOES"), ("DET O", "IOB1"), ("B-X", "IO")]
)
def test_tags_of_another_scheme_are_refused(text: str, scheme: str) -> None:
    with pytest.raises(ValueError, match=rf"are not of the scheme {scheme}.*scheme='none'"):
        mend(_tags(text), scheme)  # type: ignore[arg-type]


@pytest.mark.parametrize("scheme", CHUNKED)
def test_allowed_transitions_are_those_of_tags_as_they_are_written(scheme: str) -> None:
    """A sequence of tags is allowed if, and only if, writing its chunks gives the same tags."""
    tags = sorted({tag for kind in "XY" for tag in _all(scheme, kind)})
    allowed = constraints(tags, scheme)  # type: ignore[arg-type]
    for length in (1, 2, 3):
        for numbers in itertools.product(range(len(tags)), repeat=length):
            path = [len(tags), *numbers, len(tags)]
            is_allowed = bool(np.all([allowed[a, b] for a, b in itertools.pairwise(path)]))
            sequence = [tags[number] for number in numbers]
            assert is_allowed == (convert(sequence, scheme) == sequence), sequence  # type: ignore[arg-type]


def _all(scheme: str, kind: str) -> list[str]:
    prefixes = {"IOB1": "BI", "IOB2": "BI", "BIOES": "BIES", "BILOU": "BILU", "IO": "I"}.get(scheme)
    if prefixes is None:
        return ["O", kind]
    return ["O", *(f"{prefix}-{kind}" for prefix in prefixes)]


def test_tags_without_chunks_may_follow_each_other() -> None:
    assert constraints(["B", "DET", "O"], "none").all()


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("B-PER I-PER O LOC", "B-PER, I-PER have prefixes, and LOC are no tags"),
        ("B-PER I-PER 0", "and 0 are no tags"),
        ("B-X M-X E-X S-Y O", "and M-X are no tags"),
        ("B M E S", "M are no tags"),
        ("B_X I_X O", "B_X, I_X are no tags"),
        ("b-x i-x o", "b-x, i-x, o are no tags"),
    ],
)
def test_tags_that_are_almost_those_of_a_scheme(text: str, match: str) -> None:
    with pytest.raises(ValueError, match=rf"{match}.*scheme='none'"):
        recognise(_tags(text))


def test_parts_of_speech_may_look_like_prefixes() -> None:
    assert recognise(_tags("N V D S")) == "none"
    assert recognise(_tags("1 0 2 1")) == "none"


def test_tags_are_written_in_the_notation_of_the_data() -> None:
    assert spelling(["B-X", "L-X", "U-X", "O"], "BIOES") == "BILOU"
    assert spelling(["X", "O"], "IO") == "bare"
    for tags, scheme in ((["I-X", "O"], "IO"), (["B-X", "E-X"], "BIOES"), (["X"], "none")):
        assert spelling(tags, scheme) == scheme  # type: ignore[arg-type]
    assert mend(_tags("B-X L-X U-Y"), "BILOU") == (_tags("B-X L-X U-Y"), [])
    assert mend(_tags("B-X E-X S-Y"), "BILOU") == (_tags("B-X L-X U-Y"), [])
    assert mend(_tags("X X O I-Y"), "bare") == (_tags("X X O Y"), [])
    with pytest.raises(ValueError, match="BILOU, whose tags are O and B, I, L, U before"):
        mend(_tags("Q-X"), "BILOU")
