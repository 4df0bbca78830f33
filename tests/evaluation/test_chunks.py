"""Chunks are counted as by conlleval, in every scheme."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities

from kerasseq.evaluation.chunks import chunks

TAGS = st.sampled_from(["O", *(f"{p}-{t}" for p in "BIES" for t in ("X", "Y"))])


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("", []),
        ("O O", []),
        ("B-X I-X O B-Y", [("X", 0, 2), ("Y", 3, 4)]),
        ("I-X I-X B-X", [("X", 0, 2), ("X", 2, 3)]),  # IOB1
        ("O I-X I-Y", [("X", 1, 2), ("Y", 2, 3)]),  # I begins a chunk, as in conlleval
        ("B-X B-X", [("X", 0, 1), ("X", 1, 2)]),
        ("B-X E-X S-X S-X", [("X", 0, 2), ("X", 2, 3), ("X", 3, 4)]),
        ("B-X L-X U-X", [("X", 0, 2), ("X", 2, 3)]),  # BILOU
        ("E-X E-X I-X", [("X", 0, 1), ("X", 1, 2), ("X", 2, 3)]),
        ("B I O B", [("", 0, 2), ("", 3, 4)]),  # one type without a name
        ("X X O", [("X", 0, 2)]),  # IO without prefixes
        ("B-X-Y I-X-Y", [("X-Y", 0, 2)]),  # a type with a hyphen
    ],
)
def test_chunks_of_tags(tags: str, expected: list[tuple[str, int, int]]) -> None:
    assert chunks(tags.split()) == expected


@given(st.lists(TAGS, max_size=12))
def test_chunks_are_those_of_seqeval(tags: list[str]) -> None:
    theirs = [(kind, start, end + 1) for kind, start, end in get_entities(tags)]
    assert [tuple(chunk) for chunk in chunks(tags)] == theirs
