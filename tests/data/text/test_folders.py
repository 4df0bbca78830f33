"""The class of a text is where it lies."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from kerasseq.data.text.folders import read_class_folders, read_polar_files


def _write(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"text of {path.stem}")
    return folder


CLASSES = [("text of 1", "neg"), ("text of 2", "pos"), ("text of 3", "pos")]


@pytest.mark.parametrize("outer", ["", "data/", "a/b/"])
def test_one_folder_per_class(tmp_path: Path, outer: str) -> None:
    names = ["neg/1.txt", "pos/2.txt", "pos/3.txt"]
    _write(tmp_path, "readme.txt", *(outer + name for name in names))
    assert read_class_folders(tmp_path) == (CLASSES, None, [])


@pytest.mark.parametrize("outer", ["", "aclImdb/"])
def test_an_official_test_set_stays_apart(tmp_path: Path, outer: str) -> None:
    names = ["train/neg/1.txt", "train/pos/2.txt", "train/pos/3.txt", "test/pos/4.txt"]
    beside = ["train/urls_pos.txt", "train/unsup/5.txt", "train/unsup/6.txt", "imdbEr.txt"]
    _write(tmp_path, *(outer + name for name in [*names, *beside]))
    train, test, notes = read_class_folders(tmp_path)
    assert train == CLASSES
    assert test == [("text of 4", "pos")]
    assert notes == ["left out: 2 texts in 'unsup', which have no label"]


def test_a_validation_folder_is_taken_with_train(tmp_path: Path) -> None:
    _write(tmp_path, "train/neg/1.txt", "val/pos/2.txt", "train/pos/3.txt", "extra/pos/4.txt")
    train, test, notes = read_class_folders(tmp_path)
    assert sorted(train) == CLASSES
    assert test is None
    assert notes == [
        "left out: the folders extra, beside train and test",
        "the folders train and val are taken together",
    ]


def test_any_number_of_classes(tmp_path: Path) -> None:
    _write(tmp_path, *(f"{name}/{i}.txt" for name in "abcde" for i in range(2)))
    train, _, _ = read_class_folders(tmp_path)
    assert [label for _, label in train] == [*"aabbccddee"]


def test_without_folders_each_file_is_a_class(tmp_path: Path) -> None:
    (tmp_path / "Irish.txt").write_text("O'Brien\n\n  Ó Murchú \r\n", encoding="utf-8")
    (tmp_path / "Greek.txt").write_bytes("Caf\xe9\nPapas".encode("latin-1"))
    (tmp_path / "about.md").write_text("no class")
    train, test, notes = read_class_folders(tmp_path)
    names = [("Café", "Greek"), ("Papas", "Greek"), ("O'Brien", "Irish"), ("Ó Murchú", "Irish")]
    assert sorted(train) == sorted(names)
    assert test is None
    assert notes == [
        "2 files, each a class with a text a line",
        "Greek.txt: read as Windows-1252",
    ]


@pytest.mark.parametrize("outer", ["", "names/"])
def test_an_archive_may_have_a_file_per_class(tmp_path: Path, outer: str) -> None:
    with zipfile.ZipFile(tmp_path / "names.zip", "w") as archive:
        archive.writestr(f"{outer}Irish.txt", "Ahearn")
        archive.writestr(f"{outer}Greek.txt", "Papas")
    train, _, _ = read_class_folders(tmp_path / "names.zip")
    assert sorted(train) == [("Ahearn", "Irish"), ("Papas", "Greek")]


def test_one_file_is_no_class(tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("one\ntwo")
    with pytest.raises(ValueError, match=r"or a file CLASS\.txt for each class"):
        read_class_folders(tmp_path)


def test_files_that_are_not_utf8_are_counted(tmp_path: Path) -> None:
    _write(tmp_path, "neg/1.txt", "pos/2.txt")
    (tmp_path / "pos" / "2.txt").write_bytes("naïve".encode("latin-1"))
    train, _, notes = read_class_folders(tmp_path)
    assert train[1] == ("naïve", "pos")
    assert notes == ["1 of the files are not UTF-8: read as Windows-1252"]


def test_a_folder_without_classes_says_what_was_expected(tmp_path: Path) -> None:
    _write(tmp_path, "1.txt", "a/table.csv")
    with pytest.raises(ValueError, match=r"holds no \.txt files in folders named after classes"):
        read_class_folders(tmp_path)


def test_test_texts_alone_are_refused(tmp_path: Path) -> None:
    _write(tmp_path, "test/neg/1.txt", "test/pos/2.txt")
    with pytest.raises(ValueError, match="a folder of test texts but none of training texts"):
        read_class_folders(tmp_path)


def test_a_binary_member_is_named(tmp_path: Path) -> None:
    _write(tmp_path, "neg/1.txt", "pos/2.txt")
    (tmp_path / "pos" / "2.txt").write_bytes(b"\x00\x01")
    with pytest.raises(ValueError, match=r": pos/2\.txt is a binary file"):
        read_class_folders(tmp_path)


def test_a_pair_of_files_holds_a_text_a_line(tmp_path: Path) -> None:
    pos, neg = tmp_path / "mr.pos", tmp_path / "mr.neg"
    pos.write_bytes("bon film\r\n\nna\xefve\x85and fine\n".encode("latin-1"))
    neg.write_text("très mauvais", encoding="utf-8")
    rows, notes = read_polar_files([pos, neg])
    assert [(text.strip(), label) for text, label in rows] == [
        ("très mauvais", "neg"),
        ("bon film", "pos"),
        ("naïve…and fine", "pos"),
    ]
    assert notes == [
        "mr.neg: 1 texts, read as UTF-8",
        "mr.pos: 2 texts, read as Windows-1252",
    ]


@pytest.mark.parametrize("names", [[], ["a.pos"], ["a.pos", "b.pos"], ["a.pos", "a.neg", "b.neg"]])
def test_anything_but_a_pair_is_refused(tmp_path: Path, names: list[str]) -> None:
    with pytest.raises(ValueError, match=r"must be a pair, NAME\.pos and NAME\.neg"):
        read_polar_files([tmp_path / name for name in names])


def test_half_a_pair_is_missed_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.pos").write_text("fine\n")
    with pytest.raises(FileNotFoundError, match=r"there is no file .*a\.neg"):
        read_polar_files([tmp_path / "a.pos", tmp_path / "a.neg"])


def test_an_empty_half_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.pos").write_text("fine\n")
    (tmp_path / "a.neg").write_text("\n\n")
    with pytest.raises(ValueError, match=r"a\.neg is empty"):
        read_polar_files([tmp_path / "a.pos", tmp_path / "a.neg"])
