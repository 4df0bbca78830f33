"""JSON values and arrays come back from disk as they were, or it is said what is missing."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from kerasseq.io.state import read_state, write_state

STATE = {
    "names": ["a", "b"],
    "nested": [{"values": np.arange(6.0).reshape(2, 3)}, None, 1.5],
    "times": np.array(["2024-01-01", "NaT"], dtype="datetime64[us]"),
}


def test_arrays_come_back_where_they_were(tmp_path: Path) -> None:
    write_state(tmp_path / "state.json", STATE)
    found = read_state(tmp_path / "state.json")
    assert found.keys() == STATE.keys()
    assert found["names"] == ["a", "b"]
    assert found["nested"][1:] == [None, 1.5]
    np.testing.assert_array_equal(found["nested"][0]["values"], np.arange(6.0).reshape(2, 3))
    assert found["times"].dtype == STATE["times"].dtype
    assert sorted(path.name for path in tmp_path.iterdir()) == ["state.json", "state.npz"]


def test_without_arrays_there_is_one_file(tmp_path: Path) -> None:
    write_state(tmp_path / "state.json", STATE)
    write_state(tmp_path / "state.json", {"a": [1, 2]})
    assert read_state(tmp_path / "state.json") == {"a": [1, 2]}
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]


def test_a_missing_or_damaged_file_is_told(tmp_path: Path) -> None:
    write_state(tmp_path / "state.json", STATE)
    (tmp_path / "state.npz").write_bytes(b"PK nonsense")
    with pytest.raises(ValueError, match=r"state\.npz is damaged"):
        read_state(tmp_path / "state.json")
    (tmp_path / "state.npz").unlink()
    with pytest.raises(FileNotFoundError, match=r"state\.npz is missing, and .*state\.json needs"):
        read_state(tmp_path / "state.json")


def test_each_file_is_blamed_for_what_is_wrong_in_it(tmp_path: Path) -> None:
    path, archive = tmp_path / "state.json", tmp_path / "state.npz"
    write_state(path, STATE)
    text = path.read_text()
    path.write_text(text.replace('file": "0"', 'file": ["0"]'))
    named = (
        r"state\.json is damaged: nested\[0\]\.values must be the name of an array, and is \['0'\]"
    )
    with pytest.raises(ValueError, match=named):
        read_state(path)
    path.write_text(text.replace('file": "0"', 'file": "7"'))
    both = r"state\.json and state\.npz do not go together: .*\.values must be the array '7'"
    with pytest.raises(ValueError, match=both):
        read_state(path)
    path.write_text(text)
    np.savez(archive, **{"0": np.zeros(2), "1": np.array([None])})
    with pytest.raises(ValueError, match=r"state\.npz is damaged: its array '1' cannot be read"):
        read_state(path)


def test_an_array_that_is_declared_and_not_there(tmp_path: Path) -> None:
    write_state(tmp_path / "state.json", STATE)
    with (
        zipfile.ZipFile(tmp_path / "state.npz", "w") as archive,
        archive.open("0.npy", "w") as file,
    ):
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<f8", "fortran_order": False, "shape": (10**12,)}
        )
    with pytest.raises(
        ValueError, match=r"state\.npz is damaged: the array 0\.npy declares 8,000,000,000,00"
    ):
        read_state(tmp_path / "state.json")


def test_half_a_character_comes_back(tmp_path: Path) -> None:
    write_state(tmp_path / "state.json", {"labels": ["caf\u00e9", "\ud83d"]})
    assert read_state(tmp_path / "state.json") == {"labels": ["caf\u00e9", "\ud83d"]}
