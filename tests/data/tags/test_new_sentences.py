"""New sentences from texts, lists of words, tables and files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from kerasseq.data.tags.new_sentences import read_new


def _words(data: Any, **reading: Any) -> list[list[str]]:
    return [[word.text for word in words] for words in read_new(data, reading).words]


def test_texts_and_lists_of_words() -> None:
    new = read_new(["In Rome.", ["New York", "fell"], "", None, ["a", 3], []], {})
    assert [[word.text for word in words] for words in new.words] == [
        *(["In", "Rome", "."], ["New York", "fell"], [], [], [], [])
    ]
    assert new.reasons == [
        *("", "", "no word", *["neither a text nor a list of words"] * 2, "no word")
    ]
    assert new.texts[1] == "New York fell"
    assert [(w.start, w.end) for w in new.words[1]] == [(0, 8), (9, 13)]
    assert new.readable == [0, 1]
    assert new.sentences().tokens == [["In", "Rome", "."], ["New York", "fell"]]


def test_tables_and_files(tmp_path: Path) -> None:
    table = pd.DataFrame({"text": ["In Rome.", "Ada ran"], "stars": [1, 2]})
    table.to_csv(tmp_path / "x.csv", index=False)
    expected = [["In", "Rome", "."], ["Ada", "ran"]]
    assert _words(table) == _words(tmp_path / "x.csv") == expected
    (tmp_path / "x.conll").write_text("In O\nRome B-LOC\n. O\n\nAda B-PER\nran O\n")
    (tmp_path / "bare.conll").write_text("In\nRome\n.\n\n\nAda\nran\n")
    assert _words(tmp_path / "x.conll") == _words(str(tmp_path / "bare.conll")) == expected
    long = pd.DataFrame({"token": ["In", "Rome", "Ada"], "sentence_id": [0, 0, 1]})
    assert _words(long) == [["In", "Rome"], ["Ada"]]


def test_a_column_is_read_as_in_the_data_of_the_run() -> None:
    table = pd.DataFrame({"said": ["In Rome.", "Ada ran."], "stars": [1, 2]})
    assert _words(table, token="said") == [["In", "Rome."], ["Ada", "ran."]]
    assert _words(table, token="said", form="spans")[0] == ["In", "Rome", "."]


def test_further_columns_are_read_too(tmp_path: Path) -> None:
    (tmp_path / "x.conll").write_text("In P\nRome N\n")
    new = read_new(tmp_path / "x.conll", {"features": (1,)})
    assert new.columns == {"1": [["P", "N"]]}
    with pytest.raises(ValueError, match="this tagger reads further columns, 1: give a table"):
        read_new(["In Rome"], {"features": (1,)})


@pytest.mark.parametrize(
    ("data", "match"),
    [([], "there is nothing to tag"), (3, "give a list of texts"), (b"a", "give a list of texts")],
)
def test_data_that_cannot_be_read(data: Any, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        read_new(data, {})
    with pytest.raises(FileNotFoundError, match="there is no file"):
        read_new("In Rome.", {})
