"""Texts of a language model are read from any form, and split without a leak."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseq.data.text.corpus import Corpus, add_part, read_corpus, read_lines
from kerasseq.data.text.corpus_split import TextPart, split_corpus
from tests.thorough import examples

SHARES: dict[str, Any] = {"validation": 0.1, "test": 0.2, "seed": 0}


def test_a_file_is_one_text(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("One\r\ntwo é".encode("cp1252"))
    corpus = read_corpus(tmp_path / "a.txt")
    assert corpus.texts == ["One\ntwo é"]
    assert corpus.notes == ["a.txt: read as Windows-1252"]


def test_a_folder_and_its_archive_have_a_text_a_file(tmp_path: Path) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    for name in ("b", "a", "empty"):
        (folder / f"{name}.txt").write_text(name * (name != "empty"))
    with zipfile.ZipFile(tmp_path / "texts.zip", "w") as archive:
        for path in folder.iterdir():
            archive.write(path, f"texts/{path.name}")
    for data in (folder, tmp_path / "texts.zip"):
        corpus = read_corpus(data)
        assert corpus.texts == ["a", "b"]
        assert corpus.notes == ["left out: 1 empty texts"]


def test_files_of_parts_are_recognised(tmp_path: Path) -> None:
    for part in ("train", "valid", "test"):
        (tmp_path / f"ptb.{part}.txt").write_text(f"the {part} part")
    (tmp_path / "other.txt").write_text("other")
    corpus = read_corpus(tmp_path)
    assert corpus == Corpus(["the train part"], ["the valid part"], ["the test part"], corpus.notes)
    assert corpus.notes[1] == "left out: 1 files beside them"


def test_tables_have_a_text_a_row(tmp_path: Path) -> None:
    table = pd.DataFrame({"author": ["x", "y", "z"], "review": ["so it is", None, "not so bad"]})
    table.to_csv(tmp_path / "a.csv", index=False)
    for data in (table, tmp_path / "a.csv"):
        corpus = read_corpus(data)
        assert (corpus.texts, corpus.column) == (["so it is", "not so bad"], "review")
        assert read_corpus(data, "author").texts == ["x", "y", "z"]


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (["", " \n"], "there is no text in the list"),
        (7, "data must be the path of a text, a folder"),
        (pd.DataFrame({"text": [None, ""]}), "there is no text in the DataFrame"),
    ],
)
def test_data_without_texts_is_refused(data: Any, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        read_corpus(data)


def test_files_that_are_no_texts_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(bytes(range(256)) * 4)
    with pytest.raises(ValueError, match="is a binary file, not text"):
        read_corpus(tmp_path / "a.bin")
    with pytest.raises(ValueError, match=r"has no \.txt files"):
        read_corpus(tmp_path)
    with pytest.raises(FileNotFoundError, match="there is no file or folder"):
        read_corpus(tmp_path / "none")
    (tmp_path / "a.txt").write_text("a text")
    with pytest.raises(ValueError, match="text= names a column of a table, and data is none"):
        read_corpus(tmp_path / "a.txt", "review")


def test_a_part_is_added_once() -> None:
    corpus = add_part(Corpus(["a"]), "test", ["b"])
    assert corpus.test == ["b"]
    with pytest.raises(ValueError, match="data has a test part: leave test= out"):
        add_part(corpus, "test", ["c"])


def test_new_texts_are_rows(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\n\ntwo\n")
    assert read_lines(tmp_path / "a.txt") == ["one", "two"]
    assert read_lines(pd.DataFrame({"text": ["a b", "c d"], "x": [1, 2]})) == ["a b", "c d"]
    assert read_lines(["", None]) == ["", None]
    for data, match in (([], "there is no text in the list"), (3, "give a list of texts")):
        with pytest.raises(ValueError, match=match):
            read_lines(data)
    with pytest.raises(FileNotFoundError, match="give a list, even for one text"):
        read_lines("one text")


# Parts


@given(st.integers(100, 400), st.booleans())
@examples(20)
def test_one_text_is_split_by_position(length: int, anywhere: bool) -> None:
    text = "".join(c + "\n" * (i % 9 == 8) for i, c in enumerate("abc " * length))[:length]
    parts, _ = split_corpus(Corpus([text]), **SHARES, anywhere=anywhere)
    pieces = [parts[name].texts[0] for name in ("train", "validation", "test")]
    assert "".join(pieces) == text
    if anywhere:
        rest = int(0.8 * length)
        assert [*map(len, pieces)] == [int(0.9 * rest), rest - int(0.9 * rest), length - rest]
    else:
        assert all(piece[-1].isspace() for piece in pieces[:2])


def test_many_documents_are_split_whole_and_equal_ones_stay_together() -> None:
    texts = [f"text {i % 50}" for i in range(100)]
    parts, _ = split_corpus(Corpus(texts), **SHARES)
    groups = [{*parts[name].texts} for name in parts]
    assert sum(map(len, groups)) == 50
    assert sum(len(part.texts) for part in parts.values()) == 100
    assert all(part.documents for part in parts.values())
    assert parts["test"].characters == sum(len(t) + 1 for t in parts["test"].texts)


def test_training_texts_of_a_separate_part_are_left_out() -> None:
    corpus = Corpus([f"text {i}" for i in range(30)], test=["text 3", "new"])
    parts, notes = split_corpus(corpus, **SHARES)
    assert "text 3" not in parts["train"].texts
    assert notes == ["left out: 1 training texts that are in another part, too"]


@pytest.mark.parametrize("texts", [["abc def\n" * 50], [f"text {i}" for i in range(40)]])
def test_each_fold_is_validated_once_and_the_test_part_never(texts: list[str]) -> None:
    whole, _ = split_corpus(Corpus(texts), **SHARES)
    seen: list[str] = []
    for number in range(3):
        parts, _ = split_corpus(Corpus(texts), **SHARES, fold=(number, 3))
        assert parts["test"] == whole["test"]
        seen += parts["validation"].texts
        both = parts["train"].texts + parts["validation"].texts
        assert sum(map(len, both)) == sum(
            len(t) for name in ("train", "validation") for t in whole[name].texts
        )
    assert sum(map(len, seen)) == sum(
        len(t) for name in ("train", "validation") for t in whole[name].texts
    )


def test_few_texts_are_joined_and_it_is_told() -> None:
    parts, notes = split_corpus(Corpus(["a" * 50, "b" * 50]), **SHARES)
    assert not parts["train"].documents
    assert notes == [
        "2 texts are joined to one, which is split by position; from 20 on, each would be a "
        "document"
    ]


def test_a_text_that_cannot_be_cut_is_refused() -> None:
    with pytest.raises(ValueError, match="has 2 characters, and cannot be cut into 2 parts"):
        split_corpus(Corpus(["ab"]), **SHARES, anywhere=False)


def test_parts_are_added() -> None:
    both = TextPart(["a"], True) + TextPart(["bc"], True)
    assert (both.texts, both.characters) == (["a", "bc"], 5)
