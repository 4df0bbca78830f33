"""Captions in cells: what is a list of them, what is one, and what is neither."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseq.data.images.caption_cells import parse_captions


@pytest.mark.parametrize(
    "cell",
    [
        '["a dog", "it runs"]',
        "['a dog', 'it runs']",
        "('a dog', 'it runs')",
        "[u'a dog', u'it runs']",
        "['a dog'\n 'it runs']",  # as NumPy writes an array
        " ( 'a dog', \"it runs\", ) ",
        ["a dog", "it runs"],
        ("a dog", "it runs"),
        {"it runs", "a dog"},
        np.array(["a dog", "it runs"]),
        pd.Series(["a dog", "it runs"]),
    ],
)
def test_lists_however_they_are_written(cell: Any) -> None:
    assert parse_captions(cell) == ["a dog", "it runs"]


@given(st.lists(st.text(), min_size=1), st.sampled_from([str, lambda own: str(tuple(own))]))
def test_any_list_that_python_writes_is_read(captions: list[str], write: Any) -> None:
    expected = [own.encode(errors="replace").decode() for own in captions]
    assert parse_captions(write(captions)) == expected


@pytest.mark.parametrize("missing", ["None", "nan", "null"])
def test_missing_captions_of_a_list_are_empty(missing: str) -> None:
    assert parse_captions(f"['a', {missing}]") == ["a", ""]
    assert parse_captions(["a", None, float("nan")]) == ["a", "", ""]


@pytest.mark.parametrize(
    "cell",
    [
        "[laughs] a man runs",
        "[laughs]",
        "(two dogs)",
        '("Go!" he shouts) a man runs',
        "['Tis the season] a man's tree",
        "[a dog, a cat]",
        "[1] a dog",
        "a dog ['b', 'c']",
    ],
)
def test_a_bracket_alone_makes_no_list(cell: str) -> None:
    assert parse_captions(cell) == [cell]


@pytest.mark.parametrize(
    "cell",
    [
        '["a", "b"',  # cut off
        '["a',
        "['a', 'b'",
        "[['a'], ['b']]",
        '[["a"], ["b"]]',
        "{'a', 'b'}",
        '{"raw": "a"}',
        '[{"raw": "a"}]',
        '["a", 3]',
        "[1, 2]",
        "[b'a', b'b']",
        "['a man's hat', 'b']",
        "[\u201ca\u201d, \u201cb\u201d]",
    ],
)
def test_what_looks_like_a_list_and_is_none_is_an_error(cell: str) -> None:
    with pytest.raises(ValueError, match="looks like a list, and cannot be read"):
        parse_captions(cell)


@pytest.mark.parametrize("cell", [{"raw": "a"}, [["a"], ["b"]], b"a", [b"a"], np.array([["a"]])])
def test_what_is_no_text_is_an_error(cell: Any) -> None:
    with pytest.raises(ValueError, match="a caption must be a text"):
        parse_captions(cell)


def test_numbers_are_read_as_a_file_has_them() -> None:
    assert parse_captions(3) == parse_captions("3") == ["3"]
