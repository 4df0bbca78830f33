"""Arrays, lists of arrays and NumPy's files give the same sequences, without a copy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseq.data.sequences.folders import FileReaders
from kerasseq.data.sequences.ragged import Ragged
from kerasseq.data.sequences.read import Reading, read_sequences
from kerasseq.io.digest import digest

VALUES = np.arange(24, dtype=np.float32).reshape(4, 3, 2)


def _read(data: Any, **how: Any) -> Any:
    return read_sequences(data, Reading(**how))


def test_an_array_is_used_without_a_copy() -> None:
    source = _read(VALUES, label=list("abab"), groups=[1, 1, 2, 2])
    assert np.shares_memory(source.values.values, VALUES)
    np.testing.assert_array_equal(source.values[2], VALUES[2])
    assert (source.labels, source.groups) == (list("abab"), list("1122"))
    assert np.shares_memory(source.take(np.array([1, 3])).values.values, VALUES)


def test_lists_pairs_and_files_hold_the_same(tmp_path: Path) -> None:
    labels = list("abab")
    np.savez(tmp_path / "a.npz", x=VALUES, y=labels)
    np.savez(tmp_path / "padded.npz", values=VALUES, labels=labels, lengths=[3, 3, 3, 3])
    expected = _read((VALUES, labels))
    for data in ((list(VALUES), labels), tmp_path / "a.npz", tmp_path / "padded.npz"):
        source = _read(data)
        assert digest([source.values, source.labels]) == digest([expected.values, expected.labels])


def test_one_channel_needs_no_axis() -> None:
    assert _read(VALUES[:, :, 0]).values.shape == (1,)
    assert _read([[1, 2], [1, 2, 3]]).values.lengths.tolist() == [2, 3]


def test_every_fault_is_named() -> None:
    data = [np.ones((3, 2)), np.zeros((0, 2)), np.ones((4, 3)), np.full((2, 2), np.inf), ["x"]]
    with pytest.raises(ValueError, match="3 of 4 sequences") as error:
        _read(data)
    for fault in (
        "2 (it has 3 channels, and 2 are expected)",
        "3 (it has infinite",
        "4 (it does not hold numbers, but text",
    ):
        assert fault in str(error.value)
    answered = _read([*data, np.full((2, 2), np.nan)], learn=False)
    assert [bool(fault) for fault in answered.faults] == [False, *[True] * 5]
    assert answered.faults[-1] == "all its values are missing"


@pytest.mark.parametrize(
    ("how", "match"),
    [
        ({"label": ["a"]}, "label must have an entry for each of the 4 sequences. Received: 1"),
        ({"label": "y"}, "label must be a label for each sequence, since arrays .*label='y'"),
        ({"label": 3}, "label must have an entry for each .* Received: one value alone, 3"),
        ({"label": iter("abab")}, "label must have .* Received: a str_.*iterator; pass a list"),
        ({"groups": [1]}, "groups must have an entry for each of the 4"),
        ({"label": ["a", None, "b", "b"]}, "1 of 4 sequences have no label, .* sequence 1 "),
    ],
)
def test_labels_that_do_not_fit(how: Any, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        _read(VALUES, **how)


def test_one_sequence_in_place_of_many_is_named() -> None:
    match = r"one sequence, and \(sequences, timesteps, 2\) is expected.* Received: \(3, 2\)"
    with pytest.raises(ValueError, match=match):
        _read(VALUES[0], learn=False, shape=(2,))
    with pytest.raises(ValueError, match=r"\(sequences, timesteps, 5\) is .* Received: \(3, 2\)"):
        _read(VALUES[0], learn=False, shape=(5,))
    for data in ([], VALUES[:0]):
        with pytest.raises(ValueError, match=r"holds no sequences. Give at least one."):
            _read(data, learn=False, shape=(2,))
    table = pd.DataFrame({"x": [1.0, 2.0], "y": 1.0})
    with pytest.raises(ValueError, match=r"a pair of a table and labels.* name their column by"):
        _read((table, ["a", "b"]))
    assert len(_read((table, table), learn=False)) == 2


def test_arrays_with_the_channels_first_have_a_remedy() -> None:
    with pytest.raises(ValueError, match=r"4 channels, .*: transpose arrays \(channels, timest"):
        _read([np.ones((2, steps)) for steps in (3, 4, 5, 3)])


def test_a_damaged_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(ValueError, match="damaged"):
        _read(tmp_path / "a.npy")


@given(st.lists(st.integers(1, 6), min_size=1, max_size=8), st.data())
def test_a_part_has_the_sequences_of_its_rows(lengths: list[int], data: st.DataObject) -> None:
    sequences = [np.full((n, 2), row, np.float32) for row, n in enumerate(lengths)]
    ragged = Ragged.join(sequences)
    rows = data.draw(st.lists(st.integers(0, len(lengths) - 1), max_size=5))
    part = ragged.take(np.array(rows, dtype=np.int64))
    assert [len(x) for x in part] == [lengths[row] for row in rows]
    assert all((x == row).all() for x, row in zip(part, rows))
    assert (
        part.fingerprint
        == Ragged.join(
            [sequences[row] for row in rows] or np.zeros((0, 1, 2), np.float32)
        ).fingerprint
    )


def test_empty_sequences_are_left_out_of_training_and_said() -> None:
    data = [np.ones((3, 2)), np.zeros((0, 2)), np.full((2, 2), np.nan)]
    source = _read(data, label=["a", "b", "a"])
    assert (len(source), source.labels) == (1, ["a"])
    assert source.notes == ["left out: 2 sequences without values, 1, 2"]
    with pytest.raises(ValueError, match="every sequence is empty"):
        _read(data[1:])


@pytest.mark.parametrize(
    ("arrays", "match"),
    [
        ({"lengths": 3}, "lengths must have an entry for each of the 4 .*one value alone"),
        ({"lengths": [3, 3, -1, 3]}, "lengths must be a whole number from 0 to 3.* Received: -1"),
        ({"lengths": [3, 9, 3, 3]}, "lengths must be a whole number from 0 to 3.* Received: 9"),
        ({"values": 1.0}, r"must be \(sequences, timesteps, channels\)"),
        ({"rate": [1.0, 2.0]}, "rate must be one number above 0"),
        ({"rate": -5.0}, r"rate must be one number above 0.* Received: -5.0"),
        ({"rate": np.nan}, "rate must be one number above 0"),
        ({"rate": "fast"}, "rate must be one number above 0.* Received: fast"),
    ],
)
def test_arrays_of_a_file_that_do_not_fit(arrays: Any, match: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **{"values": VALUES, "labels": list("abab"), **arrays})
    with pytest.raises(ValueError, match=match):
        _read(tmp_path / "a.npz")
    answered = _read([str(tmp_path / "a.npz")], learn=False)
    assert answered.faults[0]


def test_a_column_of_labels_is_flat_and_one_hot_rows_are_named() -> None:
    column = np.array([[0], [1], [0], [1]])
    assert _read((VALUES, column)).labels == [0, 1, 0, 1]
    assert _read((VALUES, pd.DataFrame(column))).labels == [0, 1, 0, 1]
    with pytest.raises(ValueError, match=r"Of one-hot rows pass the classes"):
        _read((VALUES, np.eye(2)[column[:, 0]]))


def test_arrays_may_have_a_label_for_each_timestep() -> None:
    labels = [[0, 0, 1], [1, 1, 0], [0, 0, 0], [1, 1, 1]]
    assert _read((VALUES, labels), window=3).labels == [0, 1, 0, 1]


def test_an_empty_label_is_none() -> None:
    with pytest.raises(ValueError, match="1 of 4 sequences have no label"):
        _read((VALUES, ["a", "b", " ", "b"]))


@pytest.mark.parametrize("channels", [["a"], ["a", "b", "c"]])
def test_names_of_channels_are_as_many_as_channels(channels: list[str]) -> None:
    with pytest.raises(ValueError, match="channels must name each of the 2 channels"):
        _read(VALUES, channels=channels)
    with pytest.raises(ValueError, match="each channel needs a name of its own"):
        _read(VALUES, channels=["a", "a"])


def test_an_entry_of_a_list_that_is_no_path_is_answered(tmp_path: Path) -> None:
    np.save(tmp_path / "0.npy", VALUES[0])
    answered = _read([str(tmp_path / "0.npy"), None], learn=False)
    assert answered.faults == ["", "it does not hold numbers, but object"]


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.uint16])
def test_frames_are_whole_numbers_from_0_to_255(dtype: type) -> None:
    frames = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5, 1).astype(dtype)
    for data in (frames, list(frames)):
        source = read_sequences(data, Reading(learn=False))
        assert source.values.values.dtype == np.uint8
        np.testing.assert_array_equal(source.values[1], frames[1])


def test_other_frames_have_their_reason() -> None:
    frames = np.zeros((2, 4, 5, 3), dtype=np.int64)
    data = [frames, frames.astype(np.float64), frames - 1, frames + 300]
    faults = read_sequences(data, Reading(learn=False)).faults
    expected = "its frames must be whole numbers from 0 to 255, and are"
    reasons = ["float64", "from -1 to -1", "from 300 to 300"]
    assert faults == ["", *(f"{expected} {reason}" for reason in reasons)]


def test_frames_in_arrays_become_features_where_a_function_computes_them(tmp_path: Path) -> None:
    def brightness(frames: np.ndarray) -> np.ndarray:
        return frames.mean(axis=(1, 2), dtype=np.float32)

    frames = np.random.default_rng(0).integers(0, 255, (3, 4, 5, 6, 3))
    np.savez(tmp_path / "all.npz", values=frames, labels=list("aba"))
    np.save(tmp_path / "one.npy", frames[0])
    readers = FileReaders(encode=brightness)
    for data in (frames, list(frames), tmp_path / "all.npz", [str(tmp_path / "one.npy")]):
        source = read_sequences(data, Reading(learn=False, readers=readers, shape=(3,)))
        assert not any(source.faults)
        np.testing.assert_array_equal(source.values[0], brightness(frames[0]))


def test_a_text_among_arrays_does_not_spoil_the_others() -> None:
    data = [np.ones((3, 2)), "gone.csv", [[1, 2], [3, 4]], np.ones((3, 4)), {"a": 1}]
    source = read_sequences(data, Reading(learn=False, shape=(2,)))
    assert source.names == ["0", "gone.csv", "2", "3", "4"]
    assert [bool(fault) for fault in source.faults] == [False, True, False, True, True]
    assert "there is no file" in source.faults[1]
    np.testing.assert_array_equal(source.values[2], [[1, 2], [3, 4]])


def test_windows_to_classify_are_all_there_whatever_labels_are_missing() -> None:
    labels = [np.array(["a"] * 6 + [None] * 14, dtype=object)]
    data = [np.ones((20, 1))], labels
    how = {"window": 4, "stride": 2, "learn": False, "shape": (1,)}
    source = _read(data, **how, labelled=False)
    assert (len(source), source.labels) == (9, None)
    assert len(_read(data, **how)) == 3
    assert "left out: 6 windows without a label" in _read(data, **how).notes


@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_masked_values_are_missing(dtype: Any) -> None:
    masked = np.ma.masked_array(VALUES.astype(dtype), mask=VALUES == 5, fill_value=99)
    labels = np.ma.masked_array([1, 2, 1, 2], mask=[False, False, False, True])
    for data in (masked, list(masked)):
        source = _read(data, learn=False)
        np.testing.assert_array_equal(
            source.values.values, np.where(VALUES == 5, np.nan, VALUES).reshape(12, 2)
        )
    with pytest.raises(ValueError, match=r"1 of 4 sequences have no label.*sequence 3"):
        _read(masked, label=labels)


def test_columns_of_tables_in_a_list_are_channels_by_name() -> None:
    tables = [pd.DataFrame({"a": [1.0, 2.0], "b": 0.0}) for _ in range(4)]
    source = _read((tables, list("xyxy")))
    assert source.channels == ["a", "b"]
    how = {"learn": False, "shape": (2,), "usual": {"channels": source.channels}}
    swapped = _read([table[["b", "a"]] for table in tables], **how)
    np.testing.assert_array_equal(swapped.values.values, source.values.values)
    assert _read([tables[0][["a"]].assign(c=1)], **how).faults == ["it lacks the channel 'b'"]
    assert _read([np.ones((3, 2))], **how).faults == [""]


def test_a_tuple_of_two_sequences_to_classify_is_no_pair_with_labels() -> None:
    how = {"learn": False, "shape": (2,)}
    one, other = np.ones((3, 2)), np.zeros((4, 2))
    for data in ((one, other), (one.tolist(), other.tolist())):
        assert len(_read(data, **how, labelled=False)) == 2
    assert len(_read((one[:, 0], other[:, 0]), learn=False, shape=(1,), labelled=False)) == 2
    for values in (VALUES, list(VALUES), [*VALUES[:3], one[:2]]):
        assert len(_read((values, list("abab")), **how, labelled=False)) == 4
    assert _read((VALUES, list("abab")), **how).labels == list("abab")
    assert _read((one, other), label=["a", "b"]).labels == ["a", "b"]
    with pytest.raises(ValueError, match="leave label= out"):
        _read((VALUES, list("abab")), label=list("abab"))


def test_a_group_that_is_missing_is_none() -> None:
    values = np.ones((4, 3, 2))
    source = _read(values, label=list("abab"), groups=np.array([1, 2, np.nan, np.nan]))
    assert source.groups == ["1", "2", "sequence 2 without a group", "sequence 3 without a group"]


def test_arrays_of_objects_have_their_remedy(tmp_path: Path) -> None:
    values = np.array([np.ones((2, 1)), np.ones((3, 1))], dtype=object)
    np.savez(tmp_path / "values.npz", values=values, labels=["a", "b"])
    np.savez(tmp_path / "labels.npz", values=VALUES, labels=np.array(list("abab"), dtype=object))
    np.save(tmp_path / "values.npy", values)
    for name in ("values.npz", "labels.npz", "values.npy"):
        with pytest.raises(ValueError, match=r"objects.*`lengths`.*labels\.astype\(str\)"):
            _read(tmp_path / name)
