"""Tables are read as they were written, and their columns found where that is possible."""

from __future__ import annotations

import json
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from kerasseq.io.limits import MAX_BYTES
from kerasseq.io.tables import find_columns, list_columns, read_table

CELLS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).map(str.strip)
ROWS = st.lists(st.tuples(CELLS.filter(bool), CELLS.filter(bool)), min_size=1)


def _frame(*columns: str, rows: int = 8) -> pd.DataFrame:
    """A table with columns that are named after what they hold."""
    made = {
        "long": [f"text number {i} is a long one" for i in range(rows)],
        "few": ["a", "b"] * (rows // 2),
        "number": range(rows),
    }
    return pd.DataFrame({name: made[name.split("-")[-1]] for name in columns}).rename(
        columns=lambda name: name.split("-")[0]
    )


@given(rows=ROWS)
@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "ndjson", "json", "parquet"])
def test_what_was_written_is_read(
    rows: list[tuple[str, str]], kind: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    frame = pd.DataFrame(rows, columns=["text", "label"])
    path = tmp_path_factory.mktemp("tables") / f"table.{kind}"
    if kind in ("csv", "tsv"):
        frame.to_csv(path, index=False, sep="," if kind == "csv" else "\t")
    elif kind == "parquet":
        frame.to_parquet(path)
    elif kind == "json":
        frame.to_json(path, orient="records")
    else:
        frame.to_json(path, orient="records", lines=True, force_ascii=False)
    found, notes = read_table(path)
    assert found.to_dict("records") == frame.to_dict("records")
    assert notes == []


def test_words_that_pandas_takes_for_gaps_are_words(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,label\nNone,NA\n007,true\n,1.0\n")
    found, _ = read_table(path)
    assert found["text"].tolist()[:2] == ["None", "007"]
    assert found["text"].isna().tolist() == [False, False, True]
    assert found["label"].tolist() == ["NA", "true", "1.0"]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|", "| "])
def test_the_separator_is_seen_from_the_first_line(tmp_path: Path, separator: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"text{separator}label\nfine{separator}pos\n")
    assert read_table(path)[0].to_dict("records") == [{"text": "fine", "label": "pos"}]


def test_windows_1252_is_noted(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"text,label\nna\xefve don\x92t,pos\n")
    found, notes = read_table(path)
    assert found["text"].tolist() == ["naïve don’t"]
    assert notes == ["a.csv is not UTF-8: read as Windows-1252"]


def test_json_lines_may_hold_line_separators(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    rows = [{"text": "one\u2028two\x85three", "label": 1}, {"text": "b", "label": 0}]
    path.write_text("\n\n".join(json.dumps(r, ensure_ascii=False) for r in rows), encoding="utf-8")
    assert read_table(path)[0].to_dict("records") == rows


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", r"a\.csv is empty"),
        ("a.json", b"[" * 200_000, r"as JSON: it is nested too deeply"),
        ("a.jsonl", b'{"a":' * 200_000, r"line 1 is no JSON object: it is nested too deeply"),
        ("a.jsonl", b'{"a": %s}' % (b"1" * 5_000), r"a number in it has too many digits"),
        ("a.parquet", b"PAR1" + b"\xff" * 100 + b"PAR1", r"cannot be read as Parquet"),
        ("a.jsonl", b" \n \n", r"a\.jsonl is empty"),
        ("a.csv", b"t,l\na,b\nc,d,e\n", r"line 3 has 3 fields where 2 were expected"),
        ("a.csv", b"t,l\nc,d,e\nc,d,e\n", r"more fields than its first line names"),
        ("a.csv", b't,l\n"a,b\nc,d\n', r"as CSV: a quotation mark.* is never closed"),
        ("a.csv", b"\x89PNG\x00\x01", r"a\.csv is a binary file"),
        ("a.jsonl", b'{"t": 1}\n{"t": \n', r"as JSON lines: line 2 is no JSON object"),
        ("a.jsonl", b'{"t": 1}\n3\n', r"entry 2 is no object with named fields: 3"),
        ("a.json", b'[{"t": 1},', r"cannot be read as JSON: "),
        ("a.parquet", b"PAR1 and then nothing", r"a\.parquet cannot be read as Parquet"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_sentence(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        read_table(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (["id-number", "Review-long", "Sentiment-few"], ("Review", "Sentiment")),
        (["text-long", "label-few", "label_text-few"], ("text", "label")),
        (["sentence-few", "class-number"], ("sentence", "class")),
        (["text-long", "label-few", "rating-few"], ("text", "label")),
        (["words-long", "side-few"], ("words", "side")),
        (["id-number", "words-long", "short-few"], ("words", "short")),
    ],
)
def test_columns_are_found(columns: list[str], expected: tuple[str, str]) -> None:
    assert find_columns(_frame(*columns), None, None, "it") == expected


@pytest.mark.parametrize(
    ("columns", "unclear"),
    [
        (["text-long", "review-long", "label-few"], "the texts"),
        (["one-long", "two-long", "label-few"], "the texts"),
        (["text-long", "label-few", "class-few"], "the labels"),
        (["text-long", "one-few", "two-few"], "the labels"),
        (["text-long", "one-number"], "the labels"),
        (["one-number", "two-number"], "the texts and the labels"),
    ],
)
def test_columns_that_are_not_clear_are_listed(columns: list[str], unclear: str) -> None:
    frame = _frame(*columns)
    with pytest.raises(ValueError, match=rf"which column of it holds {unclear}\. ") as caught:
        find_columns(frame, None, None, "it")
    assert ", ".join(map(repr, frame.columns)) in str(caught.value)
    assert "Pass text= and label=" in str(caught.value)


def test_given_columns_are_taken() -> None:
    frame = _frame("text-long", "review-long", "label-few", "class-few")
    assert find_columns(frame, "review", "class", "it") == ("review", "class")
    assert find_columns(frame[["text", "label", "class"]], None, "class", "it") == ("text", "class")


def test_a_column_that_is_not_there_is_named() -> None:
    frame = _frame("text-long", "label-few")
    with pytest.raises(ValueError, match=r"no column named 'txt'.*'text', 'label'.*as text=\."):
        find_columns(frame, "txt", None, "it")
    with pytest.raises(ValueError, match=r"no column named 'y'.*as label=\."):
        find_columns(frame, None, "y", "it")


def test_a_column_cannot_be_both_or_twice() -> None:
    frame = _frame("text-long", "label-few")
    with pytest.raises(ValueError, match="must be two columns"):
        find_columns(frame, "text", "text", "it")
    twice = pd.concat([frame, frame], axis=1)
    with pytest.raises(ValueError, match="several columns named 'text'"):
        find_columns(twice, "text", "label", "it")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", ",".join(f"c{i}" for i in range(50_000)) + "\n" * 1_000),
        ("a.csv", "a," * 70_000),
        ("a.jsonl", "".join(f'{{"c{i}": 1}}\n' for i in range(10_000))),
        ("a.json", json.dumps([{f"c{i}": 1} for i in range(10_000)])),
    ],
    ids=["short rows", "columns", "names of JSON lines", "names of JSON"],
)
def test_a_small_file_of_a_huge_table_is_refused(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    with (
        mock.patch("pandas.read_csv") as read,
        mock.patch("pandas.DataFrame") as make,
        pytest.raises(ValueError, match=r"columns, holds [\d,]+ bytes.*KERASSEQ_MAX_BYTES"),
    ):
        read_table(tmp_path / name)
    read.assert_not_called()
    make.assert_not_called()


def test_a_small_parquet_file_of_a_huge_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    constant = pyarrow.DictionaryArray.from_arrays(
        pyarrow.array(np.zeros(5_000_000, np.int8)), pyarrow.array([1.5])
    )
    parquet.write_table(pyarrow.table({f"c{i}": constant for i in range(10)}), path)
    with (
        mock.patch("pandas.read_parquet") as read,
        pytest.raises(ValueError, match="with 5,000,000 rows of 10 columns, holds 400,000,000 byt"),
    ):
        read_table(path)
    read.assert_not_called()


_SHARED = pyarrow.array(["a" * 500_000])  # which a file holds once


@pytest.mark.parametrize(
    "column",
    [
        pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * 800), _SHARED),
        pyarrow.array([["a" * 500_000] * 8] * 100),
        pyarrow.array([{"a": "a" * 500_000}] * 800),
    ],
    ids=["text", "list", "structure"],
)
def test_a_small_parquet_file_of_one_huge_text_is_refused(
    column: pyarrow.Array, tmp_path: Path
) -> None:
    parquet.write_table(pyarrow.table({"text": column}), tmp_path / "a.parquet")
    before = pyarrow.total_allocated_bytes()
    with (
        mock.patch("pandas.read_parquet") as read,
        pytest.raises(
            ValueError, match=r"a\.parquet, unpacked, holds 400,\d{3},\d{3} bytes in a fil"
        ),
    ):
        read_table(tmp_path / "a.parquet")
    read.assert_not_called()
    assert pyarrow.total_allocated_bytes() - before < 10**7


@pytest.mark.thorough
def test_a_small_parquet_file_that_unpacks_to_much_is_refused(tmp_path: Path) -> None:
    table = pyarrow.table({"text": [letter * 30_000_000 for letter in "abcdefghij"]})
    parquet.write_table(table, tmp_path / "a.parquet", use_dictionary=False, compression="zstd")
    with (
        mock.patch("pyarrow.parquet.read_table") as read,
        pytest.raises(ValueError, match=r"a\.parquet holds 300,\d{3},\d{3} bytes in a file of"),
    ):
        read_table(tmp_path / "a.parquet")
    read.assert_not_called()


def test_parquet_columns_of_all_kinds_are_read_as_they_are(tmp_path: Path) -> None:
    table = pyarrow.table(
        {
            "text": ["a", "b", None],
            "list": [["x", "x"], ["y"], None],
            "structure": [{"a": "t", "b": 1}, {"a": "u", "b": 2}, None],
            "map": pyarrow.array([[("k", "v")], [], None], pyarrow.map_("string", "string")),
            "bytes": [b"a", b"b", None],
            "category": pd.Categorical(["u", "v", "u"]),
            "number": [1.0, 2.0, None],
        }
    )
    parquet.write_table(table, tmp_path / "a.parquet")
    frame, notes = read_table(tmp_path / "a.parquet")
    assert frame.equals(table.to_pandas())
    assert notes == []


def test_many_columns_are_not_looked_through(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pd.DataFrame(np.zeros((4, 3_000))).rename(columns=str)
    frame["0"], frame["1"] = "a text of words", [*"abab"]
    with pytest.raises(
        ValueError, match=r"t has 3,000 columns, and at most 2,048 .* Pass text= and label=, .*MAX"
    ):
        find_columns(frame, None, "1", "t")
    assert find_columns(frame, "0", "1", "t") == ("0", "1")
    named = frame.rename(columns={"0": "text", "1": "label"})
    assert find_columns(named, None, None, "t") == ("text", "label")
    monkeypatch.setenv(MAX_BYTES, str(2**33))
    assert find_columns(frame, None, "1", "t") == ("0", "1")


def test_an_error_lists_some_columns() -> None:
    assert list_columns([*range(20)]).endswith("18, 19")
    assert list_columns([*range(3_000)]).endswith("18, 19, ... (3,000 in all)")
    assert len(list_columns(["x" * 5000, "label"])) < 100


@pytest.mark.parametrize("column", ["text", "label"])
def test_parquet_texts_that_are_not_utf8(tmp_path: Path, column: str) -> None:
    raw = pyarrow.array([b"a\xff", b"b"], pyarrow.binary())
    columns = {"text": pyarrow.array(["c", "d"]), "label": pyarrow.array(["e", "f"])}
    columns[column] = pyarrow.Array.from_buffers(pyarrow.string(), 2, raw.buffers())
    parquet.write_table(pyarrow.table(columns), tmp_path / "a.parquet")
    with pytest.raises(ValueError, match=r"cannot be read as Parquet: .*Invalid UTF8.*") as told:
        read_table(tmp_path / "a.parquet")
    assert "\n" not in str(told.value)


def test_json_of_halves_of_characters(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(r'{"text": "good \ud83d", "label": "\ude42"}')
    assert read_table(path)[0].to_dict("records") == [{"text": "good ?", "label": "?"}]
