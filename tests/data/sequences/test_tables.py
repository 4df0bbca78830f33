"""Long tables become sequences, by columns that are named or have usual names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kerasseq.data.sequences.read import Reading, read_sequences


def _table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "recording": ["b", "b", "a", "a", "a"],
            "time": [1.0, 0.0, 0.0, 1.0, 2.0],
            "subject": ["x", "x", "y", "y", "y"],
            "ax": [2.0, 1.0, 3.0, np.nan, 5.0],
            "ay": [20, 10, 30, 40, 50],
            "activity": ["walk", "walk", "run", "run", "run"],
        }
    )


def test_columns_are_found_and_steps_sorted(tmp_path: Path) -> None:
    _table().to_csv(tmp_path / "t.csv", index=False)
    for data in (_table(), tmp_path / "t.csv"):
        source = read_sequences(data, Reading())
        assert source.names == ["b", "a"]
        assert (source.labels, source.groups) == (["walk", "run"], ["x", "y"])
        assert source.channels == ["ax", "ay"]
        np.testing.assert_array_equal(source.values[0], [[1, 10], [2, 20]])
        np.testing.assert_array_equal(source.values[1], [[3, 30], [np.nan, 40], [5, 50]])
        assert source.rate == 1.0
        assert "label from column 'activity'" in source.notes[0]


def test_new_tables_are_read_by_the_columns_of_the_training_table() -> None:
    usual = read_sequences(_table(), Reading()).reading
    new = _table()[["ay", "ax", "recording", "time"]].assign(extra=1.0)
    source = read_sequences(new, Reading(learn=False, usual=usual, shape=(2,)))
    assert source.channels == ["ax", "ay"]
    np.testing.assert_array_equal(source.values[0], [[1, 10], [2, 20]])
    assert source.labels is None


def test_another_rate_is_resampled_and_said() -> None:
    table = _table().assign(time=[0.5, 0.0, 0.0, 1.0, 2.0])
    source = read_sequences(table, Reading())
    assert source.values.lengths.tolist() == [2, 5]
    assert any("resampled from 1 to 2 timesteps per second" in note for note in source.notes)
    assert source.remarks[1] == "resampled from 1 to 2 timesteps per second"


@pytest.mark.parametrize(
    ("changes", "how", "match"),
    [
        ({}, {"label": "lable"}, "no such column.*label='lable'.*'recording'"),
        ({}, {"channels": ["az"]}, "channels has 'az'"),
        ({"ax": "high"}, {"channels": ["ax"]}, "2 of 2 sequences.*ax holds 'high'"),
        ({"time": [0, 0, 0, 1, 2]}, {}, r"b \(time has 0 twice\)"),
        ({"time": ["then", "x", 0, 1, 2]}, {}, r"time holds 'then', neither number nor time"),
        ({"subject": list("xyyyy")}, {}, "belongs to 2 groups of the column 'subject'"),
        ({"activity": ["walk", "run", "run", "run", "run"]}, {}, "labels vary within 1 sequences"),
    ],
)
def test_what_does_not_fit_is_one_sentence(changes: Any, how: Any, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        read_sequences(_table().assign(**changes), Reading(**how))


def test_one_recording_needs_windows() -> None:
    table = pd.DataFrame({"x": range(10), "label": ["a"] * 6 + ["b"] * 4})
    with pytest.raises(ValueError, match="pass sequence=, or window="):
        read_sequences(table, Reading())
    source = read_sequences(table, Reading(window=4, stride=3))
    assert source.labels == ["a", "a", "b"]
    assert len({*(source.groups or [])}) == 1
    np.testing.assert_array_equal(source.values[1][:, 0], [3, 4, 5, 6])


def test_a_table_of_files(tmp_path: Path) -> None:
    for number in range(4):
        np.save(tmp_path / f"{number}.npy", np.full((number + 2, 2), number))
    table = pd.DataFrame({"file": [f"{n}.npy" for n in range(4)], "label": list("abab")})
    table.to_csv(tmp_path / "labels.csv", index=False)
    source = read_sequences(tmp_path / "labels.csv", Reading())
    assert source.labels == list("abab")
    assert source.values.lengths.tolist() == [2, 3, 4, 5]
    table.loc[4] = ["gone.npy", "a"]
    table.to_csv(tmp_path / "labels.csv", index=False)
    with pytest.raises(FileNotFoundError, match=r"names 1 files that do not exist.*gone.npy"):
        read_sequences(tmp_path / "labels.csv", Reading())
    answered = read_sequences(tmp_path / "labels.csv", Reading(learn=False))
    assert answered.faults[-1] == "there is no such file"
