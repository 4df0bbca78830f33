"""Word vectors from text files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kerasseq.data.tags.vectors import read_vectors


@pytest.mark.parametrize("header", ["", "4 2\n"])
def test_vectors_are_read_by_normalised_words(tmp_path: Path, header: str) -> None:
    path = tmp_path / "vectors.txt"
    path.write_text(f"{header}the 1 2\nRome 3 4\nROME 5 6\n1984 7 8\nrare 9 9\n")
    vectors, width = read_vectors(path, {"rome", "0000"}, limit=1)
    assert width == 2
    assert {word: vector.tolist() for word, vector in vectors.items()} == {
        "the": [1, 2], "rome": [3, 4], "0000": [7, 8],
    }  # fmt: skip
    assert vectors["the"].dtype == np.float32


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("the 1 2\na 1\n", "line 2 has 1 numbers, and the lines before it have 2"),
        ("the 1 2\na 1 2 3\n", "line 2 has 3 numbers, and the lines before it have 2"),
        ("the 1 x\n", "line 1 holds something else than finite numbers"),
        ("the 1 nan\n", "line 1 holds something else than finite numbers"),
        ("\n", "has no vectors"),
    ],
)
def test_files_that_hold_no_vectors(tmp_path: Path, text: str, match: str) -> None:
    path = tmp_path / "vectors.txt"
    path.write_text(text)
    with pytest.raises(ValueError, match=match):
        read_vectors(path, {"the"}, limit=9)
    with pytest.raises(FileNotFoundError, match=r"there is no file .*Check vectors="):
        read_vectors(tmp_path / "none.txt", set(), limit=9)


def test_words_may_have_spaces(tmp_path: Path) -> None:
    (tmp_path / "vectors.txt").write_text("the 1 2\n. . . 3 4\nat name@domain.com 5 6\n")
    vectors, width = read_vectors(tmp_path / "vectors.txt", set(), limit=9)
    assert width == 2
    assert vectors[". . ."].tolist() == [3, 4]
    assert vectors["at name@domain.com"].tolist() == [5, 6]
