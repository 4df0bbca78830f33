"""Files of the UEA/UCR archive give the numbers that stand in them, and faults by case."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from kerasseq.data.sequences.archive import read_archive_file
from kerasseq.data.sequences.archive import test_file as file_of_test_part
from kerasseq.data.sequences.read import Reading, read_sequences

HEADER = "#comment\n@problemName P\n@univariate false\n@classLabel true up down\n@data\n"


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def test_ts_has_channels_of_unequal_length(tmp_path: Path) -> None:
    path = _write(tmp_path / "P.ts", f"{HEADER}1,2,3:4,5,6:up\n1.5,?:0,NaN:down\n")
    one, two = read_archive_file(path)
    assert (one.label, two.label) == ("up", "down")
    np.testing.assert_array_equal(one.values, [[1, 4], [2, 5], [3, 6]])
    np.testing.assert_array_equal(two.values, [[1.5, 0], [np.nan, np.nan]])


def test_faults_of_cases_are_named_together(tmp_path: Path) -> None:
    path = _write(tmp_path / "P.ts", f"{HEADER}1,2:3:up\n1,x:2,3:up\n1:2:down\n1:down\n:2:up\n")
    assert [case.fault for case in read_archive_file(path)] == [
        "its channels have 1 to 2 timesteps", "'x' is no number", "", "",
        "its channels have 0 to 1 timesteps",
    ]  # fmt: skip
    with pytest.raises(ValueError, match=r"4 of 5 sequences cannot be used: 0 \(.*3 \(it has 1 ch"):
        read_sequences(path, Reading())


def test_a_relational_arff_has_a_line_for_each_channel(tmp_path: Path) -> None:
    text = (
        "%comment\n@relation P\n@attribute values relational\n@attribute t0 numeric\n"
        "@attribute t1 numeric\n@end values\n@attribute class {up,down}\n@data\n"
        "'1,2\\n3,4',up\n'5,?\\n6,?',down\n"
    )
    one, two = read_archive_file(_write(tmp_path / "P.arff", text))
    np.testing.assert_array_equal(one.values, [[1, 3], [2, 4]])
    np.testing.assert_array_equal(two.values, [[5, 6]])  # padding is no timestep
    assert [one.label, two.label] == ["up", "down"]


def test_a_plain_arff_has_one_channel(tmp_path: Path) -> None:
    text = (
        "@relation P\n@attribute a numeric\n@attribute b numeric\n@attribute c {1,2}\n@data\n1,2,1"
    )
    (case,) = read_archive_file(_write(tmp_path / "P.arff", text))
    np.testing.assert_array_equal(case.values, [[1], [2]])
    assert case.label == "1"


def test_the_test_file_is_found_beside_the_training_file(tmp_path: Path) -> None:
    train = _write(tmp_path / "P_TRAIN.ts", f"{HEADER}1:2:up\n1:2:down\n")
    assert file_of_test_part(train) is None
    test = _write(tmp_path / "P_TEST.ts", f"{HEADER}5,6:7,8:up\n")
    assert file_of_test_part(train) == test
    for data in (train, tmp_path):
        source = read_sequences(data, Reading())
        assert source.test is not None
        np.testing.assert_array_equal(source.test.values[0], [[5, 7], [6, 8]])
        assert source.notes == ["an official test part of 1 sequences, P_TEST.ts"]
    assert read_sequences(train, Reading(learn=False)).test is None


def test_a_file_without_data_says_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no line @data, so it is no .ts file"):
        read_archive_file(_write(tmp_path / "P.ts", "1,2,3\n"))
    with pytest.raises(ValueError, match="time stamps"):
        read_archive_file(_write(tmp_path / "T.ts", "@timeStamps true\n@data\n(0,1):up"))


def test_official_files(shared_data: Path) -> None:
    source = read_sequences(shared_data / "sequences" / "JapaneseVowels_TRAIN.ts", Reading())
    assert len(source) == 270
    assert source.test is not None
    assert len(source.test) == 370
    assert source.values.shape == source.test.values.shape == (12,)
    assert (source.values.lengths.min(), source.values.lengths.max()) == (7, 26)
    assert sorted({*(source.labels or [])}) == list("123456789")


def test_a_relational_case_may_be_long(tmp_path: Path) -> None:
    values = np.arange(60_000.0).reshape(2, 30_000)
    rows = "\\n".join(",".join(f"{value:.1f}" for value in row) for row in values)
    header = (
        "@attribute r relational\n@attribute a numeric\n@end r\n@attribute class {a,b}\n@data\n"
    )
    path = _write(tmp_path / "P.arff", f"{header}'{rows}','a, b'\n\"1,2\\n3,4\",b\n")
    one, two = read_archive_file(path)
    np.testing.assert_array_equal(one.values, values.T)
    np.testing.assert_array_equal(two.values, [[1, 3], [2, 4]])
    assert (one.label, two.label) == ("a, b", "b")


def test_a_file_may_have_no_labels(tmp_path: Path) -> None:
    for tag in ("@classLabel false", "@targetlabel false", "@classLabel"):
        (case,) = read_archive_file(_write(tmp_path / "P.ts", f"{tag}\n@data\n1,2,3\n"))
        assert case.label is None
        np.testing.assert_array_equal(case.values, [[1], [2], [3]])
    (case,) = read_archive_file(_write(tmp_path / "P.ts", "@targetLabel true\n@data\n1,2:0.5\n"))
    assert case.label == "0.5"


def test_an_attribute_may_lack_its_name(tmp_path: Path) -> None:
    header = "@attribute\n@attribute b {0,1}\n@data\n"
    (case,) = read_archive_file(_write(tmp_path / "P.arff", f"{header}1,2,1\n"))
    assert case.label == "1"


def test_of_several_data_sets_in_a_folder_the_first_is_read_and_said(tmp_path: Path) -> None:
    for name in ("P_TRAIN", "P_TEST", "Q_TRAIN", "Q_TEST"):
        _write(tmp_path / f"{name}.ts", f"{HEADER}1,2:3,4:up\n1,2:3,4:down\n")
    notes = read_sequences(tmp_path, Reading()).notes
    assert any("P_TRAIN.ts alone is read, the first of 2 data sets" in note for note in notes)


def test_a_data_set_is_read_with_all_channels_from_a_folder_or_its_zip(tmp_path: Path) -> None:
    plain = "@relation P\n@attribute a numeric\n@attribute c {up,down}\n@data\n1,up\n2,down\n"
    for part in ("TRAIN", "TEST"):
        _write(tmp_path / "P" / f"PDimension1_{part}.arff", plain)
        _write(tmp_path / "P" / f"P_{part}.arff", plain)
        _write(tmp_path / "P" / f"P_{part}.ts", f"{HEADER}1,2:3,4:up\n1,2:3,4:down\n")
    packed = shutil.make_archive(str(tmp_path / "P"), "zip", tmp_path / "P")
    for data in (tmp_path / "P", packed):
        source = read_sequences(data, Reading())
        assert source.values.shape == (2,)
        assert source.test is not None
        assert len(source.test) == 2
        assert not any("alone is read" in note for note in source.notes)


def test_the_only_file_of_a_zip_is_read(tmp_path: Path) -> None:
    _write(tmp_path / "P" / "P.ts", f"{HEADER}1,2:3,4:up\n1,2:3,4:down\n")
    packed = shutil.make_archive(str(tmp_path / "P"), "zip", tmp_path / "P")
    assert len(read_sequences(packed, Reading())) == 2
