"""Images and captions are matched, checked and parted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseq.data.images.captioned import (
    Captioned,
    check_image_files,
    from_features,
    from_files,
    image_files,
    part_rows,
    select_test_part,
    take_images,
)
from kerasseq.data.images.features import ImageInputs
from kerasseq.io.digest import digest

_NAMES = ["1.jpg", "2.jpg", "3.jpg"]


def _table(names: list[str] = _NAMES, **columns: list[str]) -> pd.DataFrame:
    return pd.DataFrame({"image": names, "caption": [f"a dog on {n}" for n in names], **columns})


def _features(folder: Path, names: list[str], width: int = 2) -> Path:
    path = folder / "f.npz"
    values = np.arange(len(names) * width, dtype=np.float32).reshape(-1, width)
    np.savez(path, names=names, features=values)
    return path


def _source(count: int, parts: list[str] | None = None) -> Captioned:
    names = [f"{number}.jpg" for number in range(count)]
    captions = [["a dog", f"dog {number}"] for number in range(count)]
    return Captioned(names, captions, ImageInputs(np.arange(count)[:, None]), parts=parts)


def test_images_are_found_in_a_folder_inside(tmp_path: Path) -> None:
    _table().to_csv(tmp_path / "captions.csv", index=False)
    (tmp_path / "empty").mkdir()
    (tmp_path / "images").mkdir()
    for name in _NAMES:
        (tmp_path / "images" / name).touch()
    expected = [tmp_path / "images" / name for name in _NAMES]
    assert image_files(tmp_path).paths == expected
    assert image_files(tmp_path / "captions.csv").paths == expected
    assert image_files(_table(), images=tmp_path / "images").paths == expected


def test_names_may_have_folders_that_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "1.jpg").touch()
    files = image_files(_table(["val2014/1.jpg"]), images=tmp_path)
    assert files.paths == [tmp_path / "1.jpg"]


def test_two_names_are_not_one_image(tmp_path: Path) -> None:
    (tmp_path / "1.jpg").touch()
    files = image_files(_table(["a/1.jpg", "b/1.jpg", "1.jpg"]), images=tmp_path)
    assert files.paths == [tmp_path / "a/1.jpg", tmp_path / "b/1.jpg", tmp_path / "1.jpg"]


def test_a_image_is_one_whatever_it_is_called(tmp_path: Path) -> None:
    (tmp_path / "1.jpg").touch()
    names = ["1.jpg", "./1.jpg", "x/../1.jpg", str(tmp_path / "1.jpg")]
    files = image_files(_table([*names, "2.jpg"]), images=tmp_path)
    assert files.paths == [tmp_path / "1.jpg", tmp_path / "2.jpg"]
    assert [len(own) for own in files.captions.of.values()] == [4, 1]
    table = _table([names[0], names[-1]], split=["train", "test"])
    with pytest.raises(
        ValueError, match=r"1\.jpg is in two parts: in train as 1\.jpg, and in test"
    ):
        image_files(table, images=tmp_path)


def test_images_may_lie_in_further_places(tmp_path: Path) -> None:
    beside, elsewhere = tmp_path / "beside", tmp_path / "elsewhere"
    for folder, names in ((beside, []), (elsewhere, _NAMES)):
        folder.mkdir()
        for name in names:
            (folder / name).touch()
    _table().to_csv(beside / "a.csv", index=False)
    expected = [elsewhere / name for name in _NAMES]
    assert image_files(beside / "a.csv", places=[elsewhere]).paths == expected
    for name in _NAMES:
        (beside / name).touch()
    assert image_files(beside / "a.csv", places=[elsewhere]).paths[0] == beside / "1.jpg"


def test_images_in_no_part_are_left_out(tmp_path: Path) -> None:
    _table().to_csv(tmp_path / "captions.csv", index=False)
    lines = "".join(f"{name}#0\ta dog\n" for name in _NAMES)
    (tmp_path / "F.token.txt").write_text(lines)
    (tmp_path / "F.trainImages.txt").write_text("1.jpg\n3.jpg\n")
    files = image_files(tmp_path)
    assert [*files.captions.of] == ["1.jpg", "3.jpg"]
    assert files.captions.notes == ["1 images are in no part, and are left out"]


def test_features_are_matched_by_name(tmp_path: Path) -> None:
    path = _features(tmp_path, ["3.jpg", "other.jpg", "./1.jpg", "2.jpg"])
    found = from_features(image_files(_table(), images=tmp_path), path, skip_bad=False)
    assert found.names == _NAMES
    assert found.inputs[np.arange(3)].tolist() == [[4, 5], [6, 7], [0, 1]]
    assert found.captions[2] == ["a dog on 3jpg"]


def test_features_that_lack_images(tmp_path: Path) -> None:
    files = image_files(_table(), images=tmp_path)
    path = _features(tmp_path, ["2.jpg"])
    with pytest.raises(ValueError, match=r"has no features of 2 images: 1\.jpg, 3\.jpg\."):
        from_features(files, path, skip_bad=False)
    found = from_features(files, path, skip_bad=True)
    assert found.names == ["2.jpg"]
    assert found.notes == ["2 images have no features, and are left out: 1.jpg, 3.jpg"]
    path = _features(tmp_path, ["a", "b"])
    with pytest.raises(ValueError, match=r"it has 'a', and the captions '1\.jpg'"):
        from_features(files, path, skip_bad=True)


def test_bad_images_are_listed_and_left_out(tmp_path: Path) -> None:
    files = image_files(_table(), images=tmp_path)
    inputs = ImageInputs(np.arange(3)[:, None])
    found = from_files(files, inputs, {1: "cut off"})
    assert found.names == ["1.jpg", "3.jpg"]
    assert found.inputs[np.arange(2)].tolist() == [[0], [2]]
    assert found.notes == ["1 images are not there, and are left out: 2.jpg"]
    with pytest.raises(ValueError, match=r"none of the 3 images can be read: cut off"):
        from_files(files, inputs, dict.fromkeys(range(3), "cut off"))


def test_how_many_images_are_missing_is_told(tmp_path: Path) -> None:
    names = [f"{number}.jpg" for number in range(6)]
    (tmp_path / "2.jpg").touch()
    files = image_files(_table(names), images=tmp_path)
    with pytest.raises(ValueError, match="5 of the 6") as told:
        check_image_files(files, skip_bad=False)
    assert str(told.value) == (
        f"5 of the 6 images that the captions name are not there: {tmp_path / '0.jpg'}, "
        f"{tmp_path / '1.jpg'}, {tmp_path / '3.jpg'} and 2 more. Pass images=, the folder that "
        "holds them. With skip_bad=True such images are listed and left out."
    )
    check_image_files(files, skip_bad=True)
    bad = {0: "not there", 1: "not there", 2: "cut off", 3: "not there", 4: "not there"}
    (tmp_path / "5.jpg").touch()
    assert from_files(files, ImageInputs(np.arange(6)[:, None]), bad).notes == [
        "4 images are not there, and are left out: 0.jpg, 1.jpg, 3.jpg and 1 more",
        "1 images cannot be read, and are left out: 2.jpg",
    ]
    files = image_files(_table(names), images=tmp_path, places=[tmp_path])
    for name in names:
        (tmp_path / name).touch()
    check_image_files(files, skip_bad=False)


def test_captions_without_any_of_their_images(tmp_path: Path) -> None:
    files = image_files(_table(), images=tmp_path)
    for skip_bad in (False, True):
        with pytest.raises(ValueError, match=r"none of the 3 images .* is there: .* images="):
            check_image_files(files, skip_bad)


@pytest.mark.parametrize("name", ["Images\\p.jpg", "images/P.jpg", "IMAGES\\p.JPG", "p.JPG"])
def test_names_as_another_system_wrote_them(tmp_path: Path, name: str) -> None:
    (tmp_path / "Images").mkdir()
    (tmp_path / "Images" / "p.Jpg").touch()
    (tmp_path / "Images" / "cafe\u0301.jpg").touch()  # as macOS writes an accent
    files = image_files(_table([name, "Images/caf\u00e9.jpg"]), images=tmp_path / "Images")
    expected = [tmp_path / "Images" / "p.Jpg", tmp_path / "Images" / "cafe\u0301.jpg"]
    assert files.paths == expected
    _table([name]).to_csv(tmp_path / "a.csv", index=False)
    assert image_files(tmp_path).paths == expected[:1]


def test_names_that_differ_in_case_are_two_images(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.JPG", "b.jpg"):
        (tmp_path / name).touch()
    files = image_files(_table(["a.jpg", "A.jpg", "B.jpg"]), images=tmp_path)
    assert [path.name for path in files.paths] == ["a.jpg", "A.jpg", "B.jpg"]
    assert [path.is_file() for path in files.paths] == [True, False, False]


def test_captions_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no file or folder nowhere"):
        image_files("nowhere")
    with pytest.raises(FileNotFoundError, match="no folder of images nowhere"):
        image_files(_table(), images="nowhere")
    path = tmp_path / "a.csv"
    _table().to_csv(path, index=False)
    with pytest.raises(ValueError, match="captions= is for a folder"):
        image_files(path, captions=path)
    with pytest.raises(ValueError, match="captions= is for a folder"):
        image_files(_table(), captions=path)
    (tmp_path / "F.token.txt").write_text("1.jpg#0\ta dog\n")
    (tmp_path / "F.testImages.txt").write_text("9.jpg\n")
    with pytest.raises(ValueError, match=r"name none of the images .*: 1\.jpg is not in them"):
        image_files(tmp_path)


@given(st.integers(10, 60), st.integers(0, 99), st.sampled_from([None, (0, 3), (2, 3)]))
def test_a_image_is_in_one_part(count: int, seed: int, fold: tuple[int, int] | None) -> None:
    source = _source(count)
    rows = part_rows(source, 0.2, 0.2, seed, fold)
    assert sorted(np.concatenate([*rows.values()])) == list(range(count))
    again = part_rows(source, 0.2, 0.2, seed, fold)
    for part, own in rows.items():
        np.testing.assert_array_equal(own, again[part])
    test = part_rows(source, 0.2, 0.2, seed)["test"]
    np.testing.assert_array_equal(rows["test"], test)  # whatever the fold


def test_parts_are_those_that_the_data_tells() -> None:
    parts = ["train"] * 6 + ["validation"] * 2 + ["test"] * 2
    rows = part_rows(_source(10, parts), 0.5, 0.5, seed=0)
    assert {part: own.tolist() for part, own in rows.items()} == {
        "train": [0, 1, 2, 3, 4, 5],
        "validation": [6, 7],
        "test": [8, 9],
    }


def test_what_the_data_does_not_tell_is_drawn() -> None:
    rows = part_rows(_source(10, ["train"] * 8 + ["test"] * 2), 0.25, 0.5, seed=0)
    assert rows["test"].tolist() == [8, 9]
    assert len(rows["validation"]) == 2
    with pytest.raises(ValueError, match="no image for the train part"):
        part_rows(_source(2), 0.2, 0.2, seed=0)


def test_some_images_are_taken_with_all_that_belongs_to_them() -> None:
    some = take_images(_source(5, ["train"] * 4 + ["test"]), np.array([4, 1]))
    assert some.names == ["4.jpg", "1.jpg"]
    assert some.captions == [["a dog", "dog 4"], ["a dog", "dog 1"]]
    assert some.inputs[np.arange(2)].tolist() == [[4], [1]]
    assert some.parts == ["test", "train"]


def test_the_fingerprint_is_that_of_what_is_seen_and_said() -> None:
    source = _source(4)
    assert digest(source) == digest(_source(4))
    others = [
        replace(source, inputs=ImageInputs(source.inputs.values + 1)),
        replace(source, captions=[["a cat"]] * 4),
        take_images(source, np.array([1, 0, 2, 3])),
    ]
    assert len({digest(own) for own in (source, *others)}) == 4


def test_a_test_part_is_what_is_scored() -> None:
    assert select_test_part(_source(3, ["train", "test", "test"])).names == ["1.jpg", "2.jpg"]
    assert len(select_test_part(_source(3))) == 3
