"""Long tables become sequences, by columns that are named or have usual names."""

from __future__ import annotations

import datetime
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


def test_an_identifier_beside_the_sequence_is_no_channel() -> None:
    table = _table().assign(id=[7, 7, 8, 8, 8], subject_id=[1, 1, 2, 2, 2])
    source = read_sequences(table, Reading())
    assert source.channels == ["ax", "ay"]
    assert source.notes[0].endswith("no channels but identifiers 'id', 'subject_id'")
    varying = read_sequences(_table().assign(id=[7, 8, 8, 8, 8]), Reading())
    assert varying.channels == ["ax", "ay", "id"]
    named = read_sequences(table, Reading(channels=["ax", "id"]))
    assert named.channels == ["ax", "id"]


@pytest.mark.parametrize("stepped", [False, True])
def test_sequences_that_each_subject_numbers_anew(stepped: bool) -> None:
    numbers = {"subject": np.repeat(["s", "t"], 6), "id": [0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 3, 3]}
    table = pd.DataFrame({**numbers, "x": np.arange(12.0), "label": np.repeat(list("abc" * 2), 2)})
    if stepped:
        table = table.assign(step=[0, 1] * 6).sample(frac=1, random_state=0)
    source = read_sequences(table, Reading())
    assert sorted(source.names) == ["s: 0", "s: 1", "s: 2", "t: 0", "t: 1", "t: 3"]
    assert "a sequence for each 'id' of each 'subject'" in source.notes[0]
    values = dict(zip(source.names, source.values, strict=True))
    np.testing.assert_array_equal(values["t: 1"][:, 0], [8, 9])
    assert [name[0] for name in source.names] == source.groups
    answered = read_sequences(table, Reading(learn=False, usual=source.reading, shape=(1,)))
    assert answered.names == source.names
    # A sequence of two subjects that goes on is a fault.
    wrong = table.assign(id=np.arange(12) // 2, subject=["s", "t", *"u" * 10])
    with pytest.raises(ValueError, match="belongs to 2 groups of the column 'subject'"):
        read_sequences(wrong, Reading())


def test_sequences_of_changing_subjects_are_no_sequences_of_each() -> None:
    table = pd.DataFrame({"id": np.repeat([0, 1], 4), "x": 1.0, "subject": list("sstt" * 2)})
    for steps in ({}, {"step": [0, 1, 2, 3] * 2}):
        with pytest.raises(ValueError, match=r"2 of 2 sequences.*belongs to 2 groups"):
            read_sequences(table.assign(label="a", **steps), Reading())


def test_the_index_that_was_written_with_a_table_is_no_channel(tmp_path: Path) -> None:
    _table().to_csv(tmp_path / "t.csv")
    assert read_sequences(tmp_path / "t.csv", Reading()).channels == ["ax", "ay"]
    pd.concat([_table().iloc[:2], _table().iloc[2:].reset_index(drop=True)]).to_csv(
        tmp_path / "joined.csv"
    )
    assert read_sequences(tmp_path / "joined.csv", Reading()).channels == ["ax", "ay"]
    one = _table()[["ax", "activity"]].assign(index=range(5))
    assert read_sequences(one, Reading(window=2)).channels == ["ax"]
    assert read_sequences(one.assign(index=[3, 1, 4, 1, 5]), Reading(window=2)).channels == [
        "ax",
        "index",
    ]


def test_a_number_of_the_row_is_neither_sequence_nor_channel(tmp_path: Path) -> None:
    source = read_sequences(_table().assign(id=range(5)), Reading())
    assert source.channels == ["ax", "ay"]
    assert source.notes[0].endswith("no channels but identifiers 'id'")
    table = _table().rename(columns={"recording": "trial"}).assign(id=list("pqrst"))
    match = "the column 'id' is different in each of the 5 rows.* Pass sequence=, the column that"
    with pytest.raises(ValueError, match=match):
        read_sequences(table, Reading())
    assert read_sequences(table, Reading(sequence="trial")).channels == ["ax", "ay"]
    assert len(read_sequences(table, Reading(sequence="id"))) == 5
    (tmp_path / "a").mkdir()
    table[["id", "ax"]].to_csv(tmp_path / "a" / "0.csv", index=False)  # a file for each sequence
    assert read_sequences(tmp_path, Reading()).values.lengths.tolist() == [5]


def test_an_only_group_that_was_detected_is_left_out_and_said() -> None:
    table = _table().assign(subject="x")
    source = read_sequences(table, Reading())
    assert (source.groups, source.grouped) == (None, False)
    assert source.notes[-1].startswith("all sequences belong to one group, 'x', so they are split")
    windows = read_sequences(table, Reading(window=1))
    assert (windows.groups, windows.grouped) == (["b", "b", "a", "a", "a"], False)
    # Named groups are kept, and those of a separate part, which may be groups of the training part.
    for how in ({"groups": "subject"}, {"shape": (2,), "usual": source.reading}):
        assert read_sequences(table, Reading(**how)).groups == ["x", "x"]


def test_new_tables_are_read_by_the_columns_of_the_training_table() -> None:
    usual = read_sequences(_table(), Reading()).reading
    new = _table()[["ay", "ax", "recording", "time"]].assign(extra=1.0)
    source = read_sequences(new, Reading(learn=False, usual=usual, shape=(2,)))
    assert source.channels == ["ax", "ay"]
    np.testing.assert_array_equal(source.values[0], [[1, 10], [2, 20]])
    assert source.labels is None


def test_cells_that_are_no_names_or_numbers_are_named() -> None:
    for column, value in (("ay", 1j), ("recording", [1]), ("recording", 1j)):
        table = _table().astype(object)
        table[column] = [value, *table[column][1:]]
        with pytest.raises(ValueError, match=rf"'{column}' holds .*, and a number or a text"):
            read_sequences(table.assign(id=1), Reading(channels=["ay"]))
    table = _table().assign(row=[[1], 2j, 3, 4, 5])
    assert read_sequences(table, Reading()).channels == ["ax", "ay"]


def test_labels_that_vary_are_no_fault_of_sequences_to_classify() -> None:
    table = _table()
    table.loc[0, "activity"] = "run"
    with pytest.raises(ValueError, match="labels vary within 1 sequences"):
        read_sequences(table, Reading())
    new = read_sequences(table, Reading(learn=False, shape=(2,)))
    assert (new.labels, new.faults) == (None, ["", ""])


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
        ({"time": [0, 0, 0, 1, 2]}, {}, r"b \(time has 0 twice: pass another step="),
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


def _steps(times: Any) -> pd.DataFrame:
    return pd.DataFrame({"sequence": "a", "step": times, "x": range(len(times))})


def test_labels_of_timesteps_are_resampled_with_the_values() -> None:
    labels = np.repeat(["up", "down"], 20)
    table = pd.DataFrame({"sequence": 1, "step": np.arange(40) / 20, "x": 0.0, "label": labels})
    for rate in (10, 20, 40):
        source = read_sequences(table, Reading(window=rate // 2, rate=rate))
        assert (source.labels or [])[:3] == ["up", "up", "down"]


@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
def test_times_have_a_rate_in_seconds(zone: str | None, tmp_path: Path) -> None:
    begin = pd.Timestamp("2020", tz=zone)
    gaps = pd.to_timedelta([0, 2, 4, 6], unit="s")
    for steps in (begin + gaps, gaps):
        assert read_sequences(_steps(steps), Reading()).rate == 0.5
    _steps(begin + gaps).to_csv(tmp_path / "t.csv", index=False)
    assert read_sequences(tmp_path / "t.csv", Reading()).rate == 0.5


@pytest.mark.parametrize("first", [pd.NaT, np.inf])
def test_a_step_that_is_no_time_is_a_fault(first: Any) -> None:
    others = pd.to_datetime(["2020-01-01", "2020-01-02"]) if first is pd.NaT else [1.0, 2.0]
    with pytest.raises(ValueError, match="neither number nor time"):
        read_sequences(_steps([first, *others]), Reading())


def test_a_name_of_a_column_occurs_once() -> None:
    table = _table().set_axis(["recording", "time", "subject", "ax", "ax", "activity"], axis=1)
    for learn in (True, False):
        with pytest.raises(ValueError, match="several columns of one name: 'ax'"):
            read_sequences(table, Reading(learn=learn))


def test_lists_and_objects_in_columns_are_refused(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text('[{"label": {"a": 1}, "x": 1}, {"label": {"a": 1}, "x": 2}]')
    answered = read_sequences([str(tmp_path / "t.json")], Reading(learn=False))
    assert "the column 'label' holds {'a': 1}, and a number" in answered.faults[0]


def test_values_for_an_array_are_refused_beside_a_table() -> None:
    table = _table()
    with pytest.raises(ValueError, match="label= and groups= must name a column"):
        read_sequences(table, Reading(label=["a", "b"], groups=[1, 2]))
    with pytest.raises(ValueError, match=r"data is a pair .* leave label= out"):
        read_sequences((np.ones((2, 3, 1)), ["a", "b"]), Reading(label=["a", "b"]))


def test_new_tables_need_the_columns_of_the_training_table() -> None:
    usual = read_sequences(_table(), Reading()).reading
    how = Reading(learn=False, usual=usual, shape=(2,))
    with pytest.raises(ValueError, match="no column 'recording', which tells the sequences apart"):
        read_sequences(_table().rename(columns={"recording": "take"}), how)
    with pytest.raises(ValueError, match="the DataFrame lacks the channels 'ay'"):
        read_sequences(_table().drop(columns="ay"), how)


def test_rows_without_the_name_of_a_sequence_are_answered() -> None:
    table = _table().assign(recording=["b", "b", "a", "a", None])
    answered = read_sequences(table, Reading(learn=False))
    assert answered.names == ["b", "a", "without a name"]
    assert answered.faults[2] == "1 rows have no name in the column 'recording'"
    assert answered.labels == ["walk", "run", "run"]
    with pytest.raises(ValueError, match="1 rows have no name in the column 'recording'"):
        read_sequences(table, Reading())


def test_a_second_column_of_labels_is_no_channel() -> None:
    source = read_sequences(_table().assign(target=[1, 1, 0, 0, 0]), Reading())
    assert source.channels == ["ax", "ay"]
    assert "channels 'ax', 'ay'" in source.notes[0]


def test_decimal_commas_are_named() -> None:
    table = pd.DataFrame({"sequence": [1, 1], "x": ["0,5", "-1,5"], "label": "a"})
    with pytest.raises(ValueError, match="Write decimal points in place of commas"):
        read_sequences(table, Reading())


def test_a_detected_step_that_does_not_order_the_rows_is_ignored(tmp_path: Path) -> None:
    table = pd.DataFrame({"id": [0] * 6 + [1] * 6, "x": np.arange(12.0), "label": "a"})
    for steps in (["2026-01-01"] * 12, [0, 0, 0, 1, 1, 1] * 2):
        source = read_sequences(table.assign(date=steps), Reading())
        assert source.channels == ["x"]
        assert source.notes[0].endswith("column 'date' does not order the timesteps and is ignored")
        np.testing.assert_array_equal(source.values[1][:, 0], np.arange(6, 12))
        with pytest.raises(ValueError, match="twice: pass another step=, or drop the column"):
            read_sequences(table.assign(date=steps), Reading(step="date"))
        table.assign(date=steps)[["date", "x"]].to_csv(tmp_path / "0.csv", index=False)
        assert "does not order" in read_sequences(tmp_path, Reading(learn=False)).notes[0]
    few = table.assign(time=[0, 1, 2, 3, 4, 4, *range(6)])
    with pytest.raises(ValueError, match=r"1 of 2 sequences.*time has 4 twice"):
        read_sequences(few, Reading())


@pytest.mark.parametrize(
    "times",
    [
        [datetime.time(12, 0, 2), datetime.time(12, 0, 0), datetime.time(12, 0, 1)],
        ["0 days 00:00:02.0", "0 days 00:00:00", "0 days 00:00:01"],
    ],
)
def test_times_of_day_and_durations_are_steps(times: list[Any]) -> None:
    table = pd.DataFrame({"id": 0, "time": times, "x": [2.0, 0.0, 1.0]})
    source = read_sequences(table, Reading(learn=False))
    assert source.rate == 1
    assert source.values[0][:, 0].tolist() == [0, 1, 2]


def test_further_steps_and_groups_are_no_channels() -> None:
    table = _table().assign(timestamp=range(5), frame=range(5), person=[1, 1, 2, 2, 2])
    source = read_sequences(table, Reading())
    assert source.channels == ["ax", "ay"]
    assert "no channels but identifiers 'timestamp', 'frame', 'person'" in source.notes[0]
    assert read_sequences(table, Reading(channels=["ax", "frame"])).channels == ["ax", "frame"]


def test_a_long_table_may_name_its_sequences_by_files() -> None:
    table = pd.DataFrame({"file": list("aabb"), "t": [0, 1] * 2, "x": 1.0, "label": list("uuvv")})
    source = read_sequences(table, Reading())
    assert (source.names, source.channels) == (["a", "b"], ["x"])
    how = {"learn": False, "shape": (1,), "usual": source.reading}
    assert read_sequences(table.iloc[1:3], Reading(**how)).names == ["a", "b"]


def test_a_name_that_no_file_can_have_spoils_no_other(tmp_path: Path) -> None:
    np.save(tmp_path / "0.npy", np.ones((4, 2)))
    table = pd.DataFrame({"file": [str(tmp_path / "0.npy"), "n" * 5000]})
    source = read_sequences(table, Reading(learn=False))
    assert source.faults == ["", "there is no such file"]


def test_files_of_one_name_are_named_by_their_paths(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a/0.npy", "b/0.npy", "b/1.npy")]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        np.save(path, np.ones((4, 2)))
    source = read_sequences([*map(str, paths)], Reading(learn=False))
    assert source.names == [str(paths[0]), str(paths[1]), "1.npy"]
