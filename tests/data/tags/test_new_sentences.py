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


def test_names_of_the_run_count_where_the_data_has_them(tmp_path: Path) -> None:
    columns = {"usual": {"token": 0, "tag": 3}}
    table = {"usual": {"token": "said", "tag": "meant", "sentence": "turn"}}
    spans = {"usual": {"token": "text", "tag": "spans", "form": "spans"}}
    (tmp_path / "x.conll").write_text("Ada O\nran O\n\nBob O\n")
    long = pd.DataFrame({"sentence": [0, 0, 1], "token": ["Ada", "ran", "Bob"]})
    for reading in (columns, table, spans):
        assert _words(tmp_path / "x.conll", **reading) == [["Ada", "ran"], ["Bob"]]
        assert _words(long, **reading) == [["Ada", "ran"], ["Bob"]]
        texts = pd.DataFrame({"text": ["Ada ran", "Bob"]})
        assert _words(texts, **reading) == [["Ada", "ran"], ["Bob"]]
    line = "{}\t{}\t_\tNOUN" + "\t_" * 6 + "\n"
    (tmp_path / "x.conllu").write_text(line.format(1, "dogs") + line.format(2, "run"))
    assert _words(tmp_path / "x.conllu", **columns) == [["dogs", "run"]]
    said = pd.DataFrame({"turn": [0, 0, 1], "said": ["Ada", "ran", "Bob"], "text": list("abc")})
    assert _words(said, **table) == [["Ada", "ran"], ["Bob"]]
    counted = pd.DataFrame({"text": ["Ada ran"], "words": [2]})
    assert _words(counted, **columns) == [["Ada", "ran"]]


def test_rows_and_lines_that_cannot_be_read_keep_their_numbers(tmp_path: Path) -> None:
    (tmp_path / "x.conll").write_text("Ada O\n\nBob\n\nCleo O\n")
    new = read_new(tmp_path / "x.conll", {})
    assert new.readable == [0, 2]
    assert new.reasons[1] == "most lines have 2 columns, line 3 has 1"
    table = pd.DataFrame({"tokens": [["Ada"], [], None, ["", "ran"], ["Bob"]]})
    new = read_new(table, {})
    assert new.readable == [0, 4]
    assert new.reasons[1:4] == ["no word", "column 'tokens' has no value", "an empty word"]
    assert read_new([["Ada", ""]], {}).reasons == ["an empty word"]


def test_a_file_of_texts_and_one_of_columns(tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("Ada ran.\r\n\r\nShe slept in Rome.\r\n")
    assert _words(tmp_path / "texts.txt") == [
        ["Ada", "ran", "."],
        ["She", "slept", "in", "Rome", "."],
    ]
    (tmp_path / "columns.txt").write_text("Ada O\nran O\n\nBob O\nslept O\n")
    assert _words(tmp_path / "columns.txt") == [["Ada", "ran"], ["Bob", "slept"]]


def test_quotation_marks_in_a_tsv_file_are_tokens(tmp_path: Path) -> None:
    rows = [(0, "Ada"), (0, '"'), (1, "ran"), (1, '"'), (2, "Bob")]
    lines = ["sentence_id\ttoken", *(f"{number}\t{token}" for number, token in rows)]
    (tmp_path / "x.tsv").write_text("\n".join(lines) + "\n")
    assert _words(tmp_path / "x.tsv") == [["Ada", '"'], ["ran", '"'], ["Bob"]]
    table = pd.DataFrame(rows, columns=["sentence_id", "token"])
    table.to_csv(tmp_path / "quoted.tsv", sep="\t", index=False)
    assert _words(tmp_path / "quoted.tsv") == _words(table) == _words(tmp_path / "x.tsv")
