"""Folders and archives with a file for each sequence."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kerasseq.data.sequences.patterns import compile_pattern, match_name
from kerasseq.data.sequences.read import Reading, read_sequences
from kerasseq.tasks.sequence_classification.files import file_readers

VALUES = np.arange(6.0).reshape(3, 2)


def _csv(path: Path, values: np.ndarray = VALUES, header: str = "x,y") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savetxt(path, values, delimiter=",", header=header, comments="")


def test_sub_folders_are_the_labels(tmp_path: Path) -> None:
    for label in ("sit", "walk"):
        for take in range(2):
            _csv(tmp_path / label / f"{take}.csv")
    (tmp_path / "README.txt").write_text("a read-me file beside the data")
    source = read_sequences(tmp_path, Reading())
    assert source.names == ["sit/0.csv", "sit/1.csv", "walk/0.csv", "walk/1.csv"]
    assert source.labels == ["sit", "sit", "walk", "walk"]
    assert source.channels == ["x", "y"]
    np.testing.assert_array_equal(source.values[3], VALUES)


def test_train_and_test_are_parts(tmp_path: Path) -> None:
    for part, count in (("train", 2), ("test", 1)):
        for label in ("sit", "walk"):
            for take in range(count):
                _csv(tmp_path / part / label / f"{take}.csv")
    source = read_sequences(tmp_path, Reading())
    assert (len(source), source.test and len(source.test)) == (4, 2)
    assert source.labels == ["sit", "sit", "walk", "walk"]


@pytest.mark.parametrize("name", ["val", "valid", "Validation", "dev"])
def test_a_folder_beside_train_is_the_validation_part(tmp_path: Path, name: str) -> None:
    for part, count in (("train", 3), (name, 2), ("test", 1)):
        for label in ("sit", "walk"):
            for take in range(count):
                _csv(tmp_path / part / label / f"{take}.csv")
    _csv(tmp_path / "beside.csv")
    source = read_sequences(tmp_path, Reading(window=2))
    assert source.validation is not None
    assert source.test is not None
    assert (len(source), len(source.validation), len(source.test)) == (6, 4, 2)
    assert source.validation.labels == ["sit", "sit", "walk", "walk"]
    folders = ", ".join(sorted((name, "test", "train")))
    assert f"left out: 1 files beside the folders {folders}" in source.notes
    whole = source.whole()
    assert (len(whole), whole.test, whole.validation) == (12, None, None)


def test_the_name_of_a_part_is_no_class(tmp_path: Path) -> None:
    for part in ("val", "test"):
        for label in ("sit", "walk"):
            _csv(tmp_path / part / label / "0.csv")
        _csv(tmp_path / "flat" / part / "0.csv")
    assert read_sequences(tmp_path / "flat", Reading()).labels is None
    pooled = read_sequences(tmp_path / "flat", Reading())
    assert pooled.notes[0] == "no folder train: test, val are read as one part"
    assert read_sequences([tmp_path / "val"], Reading(learn=False)).labels == ["sit", "walk"]
    _csv(tmp_path / "classes" / "train" / "0.csv")
    _csv(tmp_path / "classes" / "car" / "0.csv")
    assert read_sequences(tmp_path / "classes", Reading()).labels == ["car", "train"]


def test_files_may_be_arrays_text_or_have_no_header(tmp_path: Path) -> None:
    for name in ("npz", "npy", "txt", "csv"):
        (tmp_path / name / "a").mkdir(parents=True)
    np.savez(tmp_path / "npz" / "a" / "0.npz", values=VALUES)
    np.save(tmp_path / "npy" / "a" / "0.npy", VALUES)
    np.savetxt(tmp_path / "txt" / "a" / "0.txt", VALUES)
    np.savetxt(tmp_path / "csv" / "a" / "0.csv", VALUES, delimiter=",")
    for name in ("npz", "npy", "txt", "csv"):
        source = read_sequences(tmp_path / name, Reading())
        np.testing.assert_array_equal(source.values[0], VALUES)


def test_names_have_labels_and_groups_by_a_pattern(tmp_path: Path) -> None:
    for name in ("a01_s01_e01", "a01_s02_e01", "a02_s01_e01", "notes"):
        _csv(tmp_path / "inner" / f"{name}.csv")
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for path in sorted((tmp_path / "inner").iterdir()):
            archive.write(path, f"outer/{path.name}")
    source = read_sequences(tmp_path / "all.zip", Reading(pattern="a{label}_s{group}_*"))
    assert source.labels == ["01", "01", "02"]
    assert source.groups == ["01", "02", "01"]
    assert source.notes[0] == "left out: 1 files whose names do not match the pattern"
    with pytest.raises(ValueError, match=r"matches none of the 4 names.*'a01_s01_e01.csv'"):
        read_sequences(tmp_path / "all.zip", Reading(pattern="b{label}"))


@pytest.mark.parametrize("pattern", ["plain", "{label}{label}", "{take}_*", "{}"])
def test_a_pattern_has_known_fields(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"must have \{label\}.*Received: pattern="):
        compile_pattern(pattern)
    assert match_name(compile_pattern("{label}_{group}_*"), "7_theo_12") == {
        "label": "7", "group": "theo"
    }  # fmt: skip


def test_bad_files_are_named_together_or_answered(tmp_path: Path) -> None:
    _csv(tmp_path / "a" / "0.csv")
    _csv(tmp_path / "a" / "1.csv", VALUES[:0])
    _csv(tmp_path / "b" / "0.csv", np.ones((3, 3)), "x,y,z")
    _csv(tmp_path / "b" / "1.csv", header="x,z")
    (tmp_path / "b" / "2.csv").write_text("")
    with pytest.raises(ValueError, match="2 of 4 sequences cannot be used") as error:
        read_sequences(tmp_path, Reading())
    for fault in (
        "b/1.csv (it lacks the channel 'y')",
        "b/2.csv (it is em",
    ):
        assert fault in str(error.value)
    answered = read_sequences(tmp_path, Reading(learn=False, shape=(2,)))
    assert [not fault for fault in answered.faults] == [True, False, True, False, False]


def test_files_to_classify_are_listed(tmp_path: Path) -> None:
    _csv(tmp_path / "0.csv")
    files = [str(tmp_path / "0.csv"), str(tmp_path / "gone.csv"), tmp_path]
    source = read_sequences(files, Reading(learn=False, shape=(2,)))
    assert source.names[:2] == ["0.csv", "gone.csv"]
    assert source.faults[0] == ""
    assert "there is no file" in source.faults[1]
    assert len(source) == 3


def test_links_out_of_a_folder_are_not_followed(tmp_path: Path) -> None:
    _csv(tmp_path / "secret.csv")
    (tmp_path / "data" / "a").mkdir(parents=True)
    (tmp_path / "data" / "a" / "0.csv").symlink_to(tmp_path / "secret.csv")
    with pytest.raises(ValueError, match="link to a file outside"):
        read_sequences(tmp_path / "data", Reading())


def test_archives_are_measured_before_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/0.txt", "0 " * 100_000)
    monkeypatch.setenv("KERASSEQ_MAX_BYTES", "1000")
    with pytest.raises(ValueError, match="holds 200,000 bytes"):
        read_sequences(tmp_path / "a.zip", Reading())
    (tmp_path / "b.zip").write_bytes(b"PK no archive")
    with pytest.raises(ValueError, match="cannot be read as an archive"):
        read_sequences(tmp_path / "b.zip", Reading())


def test_files_of_another_kind_are_left_out_and_said(tmp_path: Path) -> None:
    for label in "ab":
        _csv(tmp_path / label / "0.csv")
        (tmp_path / label / "0.txt").write_text("1 2 3")
    source = read_sequences(tmp_path, Reading())
    assert source.names == ["a/0.csv", "b/0.csv"]
    assert source.notes[0] == "left out, of another kind: 2 .txt"


def test_files_of_unknown_kinds_are_counted(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"{number}.MP3").write_bytes(b"ID3")
    (tmp_path / "LICENSE").write_text("free")
    (tmp_path / ".hidden").write_text("of the system")
    with pytest.raises(
        ValueError, match=r"can be read, but 3 \.mp3, 1 without an ending\. .*\.wav"
    ):
        read_sequences(tmp_path, Reading(readers=file_readers()))
    for label in "ab":
        _csv(tmp_path / label / "0.csv")
    source = read_sequences(tmp_path, Reading(readers=file_readers()))
    assert source.notes[0] == "left out, of another kind: 3 .mp3, 1 without an ending"


def _image(path: Path, tone: int = 0) -> None:
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((4, 3), tone, np.uint8)).save(path)


@pytest.mark.parametrize("parts", [("train", "test"), ("train", "val"), ("train",)])
def test_images_in_parts_are_no_videos(tmp_path: Path, parts: tuple[str, ...]) -> None:
    for part in parts:
        for label in "ab":
            for number in range(2):
                _image(tmp_path / part / label / f"{number}.png")
    source = read_sequences(tmp_path, Reading(readers=file_readers()))
    assert source.labels == list("aabb")
    other = source.test or source.validation
    assert (other is None) == (len(parts) == 1)
    assert other is None or other.labels == source.labels
    assert source.values.shape == (3,)


def test_most_images_say_whether_they_are_frames(tmp_path: Path) -> None:
    for label in "ab":
        for video in range(2):
            for frame in range(2 + video):
                _image(tmp_path / "videos" / label / str(video) / f"{frame}.png")
        for number in range(2):
            _image(tmp_path / "rows" / label / f"{number}.png")
    _image(tmp_path / "videos" / "a" / "preview.png")
    _image(tmp_path / "rows" / "a" / "more" / "0.png")
    videos = read_sequences(tmp_path / "videos", Reading(readers=file_readers()))
    assert videos.values.shape == (4, 3, 1)
    assert videos.names == ["a/0", "a/1", "b/0", "b/1"]
    assert videos.notes == [
        "4 videos of 2 to 3 frames, from folders of images",
        "left out: 1 images beside the folders of the videos",
    ]
    rows = read_sequences(tmp_path / "rows", Reading(readers=file_readers()))
    assert rows.values.shape == (3,)


def test_frames_of_a_video_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("0/frame{}.png", "1/frame{:03}.png"):
        for number in (*range(12), 100):
            _image(tmp_path / "a" / name.format(number), number)
    for data in (tmp_path, [tmp_path / "a" / "0"]):
        how = Reading(learn=data is tmp_path, readers=file_readers(video=True))
        source = read_sequences(data, how)
        for video in source.values:
            assert video[:, 0, 0, 0].tolist() == [*range(12), 100]


def test_channels_are_ordered_as_in_the_training_files(tmp_path: Path) -> None:
    _csv(tmp_path / "0.csv", VALUES[:, ::-1], "y,x")
    usual = {"channels": ["x", "y"]}
    for data in (tmp_path / "0.csv", [str(tmp_path / "0.csv")]):
        source = read_sequences(data, Reading(learn=False, shape=(2,), usual=usual))
        np.testing.assert_array_equal(source.values[0], VALUES)


def test_the_channels_of_files_with_names_are_said(tmp_path: Path) -> None:
    for label in "ab":
        (tmp_path / label).mkdir()
        _csv(
            tmp_path / label / "0.csv", np.column_stack([range(len(VALUES)), VALUES]), "time_s,x,y"
        )
    source = read_sequences(tmp_path, Reading())
    assert source.notes == [
        "a/0.csv and 1 more: step from column 'time_s'",
        "channels 'x', 'y'",
    ]
    assert source.rate == 1.0


def test_a_file_of_the_ucr_archive_without_a_header_says_its_remedy(tmp_path: Path) -> None:
    path = tmp_path / "Gun_TRAIN.tsv"
    path.write_text("1\t0.5\t0.6\n2\t0.1\t0.2\n")
    with pytest.raises(ValueError, match=r"UCR archive without a header.*pandas\.read_csv"):
        read_sequences(path, Reading())


def test_columns_of_files_that_are_no_channels_are_noted(tmp_path: Path) -> None:
    for number, name in enumerate(("a/0", "a/1", "b/0", "b/1")):
        path = tmp_path / f"{name}.csv"
        path.parent.mkdir(exist_ok=True)
        frame = pd.DataFrame({"x": [0.5, 1.5, 2.5], "id": range(3 * number, 3 * number + 3)})
        stamps = pd.date_range("2024-01-01", periods=3, freq="s")
        frame.assign(time=stamps, timestamp=stamps).to_csv(path, index=False)
    source = read_sequences(tmp_path, Reading())
    assert source.channels == ["x"]
    assert source.notes[0] == (
        "a/0.csv and 3 more: step from column 'time', no channels but identifiers 'id', 'timestamp'"
    )
    again = read_sequences(tmp_path, Reading(learn=False, usual={"channels": ["x"]}))
    assert again.remarks == [""] * 4  # the note of each prediction
