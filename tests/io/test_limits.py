"""Sizes are checked before anything is read, and paths before anything is looked for."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseq.io.limits import (
    MAX_BYTES,
    Damaged,
    TooLarge,
    check_npz,
    check_size,
    check_table,
    encodable,
    most_columns,
    parse_json,
    read_bytes,
    read_member,
    read_npz,
)

GIB = 2**30


@pytest.mark.parametrize(
    ("size", "stored"),
    [
        (4 * GIB, None),
        (4 * GIB, 4 * GIB),
        (256 * 2**20, 10),  # small in any case
        (220_000_000, 84_000_000),  # IMDB, packed
        (100 * 10**7, 10**7),
    ],
)
def test_real_data_may_be_read(size: int, stored: int | None) -> None:
    check_size(size, "it", stored)


@pytest.mark.parametrize(
    ("rows", "columns", "stored"),
    [
        (10_000_000, 3, 1_000_000),  # of equal values, in Parquet
        (10_000_000, 30, 900_000_000),
        (48_000, 2_795, 91_000_000),  # M4, monthly
        (4_227, 9_920, 95_000_000),  # M4, daily
        (3, 10_000, 60_000),
    ],
)
def test_real_tables_may_be_read(rows: int, columns: int, stored: int) -> None:
    check_table(rows, columns, "it", stored)


def test_what_is_too_large_is_told_with_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    told = (
        r"a\.zip holds 1,500,000,000 bytes in a file of 1,500,000, and at most 268,435,456 are "
        r"read\. If that is meant, set the environment variable KERASSEQ_MAX_BYTES to 1500000000 "
        r"or more\."
    )
    with pytest.raises(ValueError, match=told):
        check_size(1_500_000_000, "a.zip", 1_500_000)
    with pytest.raises(ValueError, match=r"a\.csv holds 4,294,967,297 bytes, and at most"):
        check_size(4 * GIB + 1, "a.csv")
    with pytest.raises(ValueError, match=r"t, with 100,000 columns, holds"):
        check_table(1, 100_000, "t", 10**9)
    with pytest.raises(ValueError, match=r"t, with 1,000,000 rows of 1,000 columns, holds"):
        check_table(1_000_000, 1_000, "t", 10**6)
    monkeypatch.setenv(MAX_BYTES, "8000000000")
    check_size(8_000_000_000, "a.zip", 1)
    check_table(1_000_000, 1_000, "t", 10**6)
    assert most_columns() > 3_800


@pytest.mark.parametrize("given", ["4 GB", "-1", "0", "1e9", "²"])
def test_the_variable_must_be_a_number(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MAX_BYTES, given)
    with pytest.raises(ValueError, match="KERASSEQ_MAX_BYTES must be a positive whole number"):
        check_size(1, "a.csv")


def test_a_sparse_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with open(path, "wb") as file:
        file.truncate(5 * GIB)
    with (
        mock.patch.object(Path, "read_bytes") as read,
        pytest.raises(ValueError, match=r"a\.csv holds 5,368,709,120 bytes"),
    ):
        read_bytes(path)
    read.assert_not_called()


def test_no_more_is_unpacked_than_was_said(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", b"a" * 10_000)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert read_member(archive, archive.getinfo("a.txt")) == b"a" * 10_000
        archive.getinfo("a.txt").file_size = 100
        with pytest.raises(zipfile.BadZipFile):
            read_member(archive, archive.getinfo("a.txt"))


def _npz(path: Path, shape: tuple[int, ...], version: tuple[int, int], **header: Any) -> Path:
    with zipfile.ZipFile(path, "w") as archive, archive.open("a.npy", "w") as file:
        told = repr({"descr": "<f8", "fortran_order": False, "shape": shape, **header})
        width = 2 if version == (1, 0) else 4
        file.write(b"\x93NUMPY" + bytes(version) + (len(told) + 1).to_bytes(width, "little"))
        file.write(f"{told}\n".encode() + bytes(16))
    return path


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize("shape", [(10**12,), (2**40, 2**40)])
def test_an_array_that_declares_more_than_it_holds(
    tmp_path: Path, version: tuple[int, int], shape: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match=r"the array a\.npy declares [\d,]+ bytes and holds"):
        check_npz(_npz(tmp_path / "a.npz", shape, version))
    check_npz(_npz(tmp_path / "a.npz", (2,), version))


def test_arrays_of_all_kinds_pass(tmp_path: Path) -> None:
    arrays = {"a": np.eye(3), "b": np.array(["a", "bcd"]), "c": np.zeros((0, 4)), "d": np.int8(3)}
    np.savez_compressed(tmp_path / "a.npz", **arrays)
    check_npz(tmp_path / "a.npz")
    (tmp_path / "a.npz").write_text("which NumPy refuses")
    check_npz(tmp_path / "a.npz")


def test_an_archive_of_arrays_that_unpacks_to_too_much(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez_compressed(tmp_path / "a.npz", a=np.zeros(10_000))
    monkeypatch.setenv(MAX_BYTES, "80000")
    with pytest.raises(ValueError, match=r"a\.npz holds 80,128 bytes in a file of"):
        check_npz(tmp_path / "a.npz")


def test_arrays_are_read_by_name_and_the_damaged_one_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, a=np.eye(3), b=np.arange(2))
    found = read_npz(path)
    assert [*found] == ["a", "b"]
    np.testing.assert_array_equal(found["a"], np.eye(3))
    monkeypatch.setenv(MAX_BYTES, "100")
    with pytest.raises(TooLarge, match=r"a\.npz holds"):
        read_npz(path)
    monkeypatch.delenv(MAX_BYTES)
    np.savez(path, a=np.eye(3), b=np.array([None]))
    with pytest.raises(Damaged, match=r"a\.npz is damaged: its array 'b' cannot be read \(Object"):
        read_npz(path)
    path.write_text("no archive")
    with pytest.raises(Damaged, match=r"a\.npz is damaged: it cannot be read"):
        read_npz(path)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(st.characters(codec="utf-8")),
        lambda inner: st.lists(inner) | st.dictionaries(st.text("ab"), inner),
    )
)
def test_json_is_read_as_it_is(value: Any) -> None:
    assert parse_json(json.dumps(value)) == value


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[" * 200_000, "nested too deeply"),
        ('{"a":' * 200_000, "nested too deeply"),
        ("1" * 5_000, "too many digits"),
        ("[1", "Expecting"),
    ],
)
def test_json_that_cannot_be_held(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        parse_json(text)


def test_halves_of_characters_are_question_marks() -> None:
    assert parse_json(r'{"a\ud83d": ["\ude42\ud83d", "\ud83d\ude42"]}') == {"a?": ["??", "🙂"]}
    assert encodable("caf\u00e9 🙂") == "caf\u00e9 🙂"
