"""Captions from the files in which data sets have them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from kerasseq.data.caption_files import captions_file, read_captions

_SAID = {"1.jpg": ["a dog", "a dog runs"], "2.jpg": ["a cat"]}


def _tokens(folder: Path) -> Path:
    path = folder / "Flickr8k.token.txt"
    path.write_text("1.jpg#0\tA dog .\n1.jpg#1\tA dog runs .\n2.jpg#0\tA cat .\n")
    return path


def _json(folder: Path, content: Any) -> Path:
    path = folder / "dataset.json"
    path.write_text(json.dumps(content))
    return path


def test_flickrs_token_file_and_its_lists(tmp_path: Path) -> None:
    path = _tokens(tmp_path)
    (tmp_path / "Flickr_8k.trainImages.txt").write_text("1.jpg\n")
    (tmp_path / "Flickr_8k.devImages.txt").write_text("2.jpg\n\n")
    found = read_captions(path)
    assert found.of == _SAID
    assert found.parts == {"1.jpg": "train", "2.jpg": "validation"}


@pytest.mark.parametrize("name", ["captions.csv", "captions.txt"])
def test_a_table_of_captions(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text('image,caption\n1.jpg,A dog .\n1.jpg,"A dog, runs"\n2.jpg,A cat\n')
    found = read_captions(path)
    assert found.of == _SAID
    assert found.parts == {}


def test_a_dataframe_may_tell_the_parts() -> None:
    frame = pd.DataFrame(
        {"filename": ["1.jpg", "1.jpg", "2.jpg"], "Text": ["a dog", "a dog runs", "a cat"]}
    ).assign(split=["train", "train", "dev"])
    found = read_captions(frame)
    assert found.of == _SAID
    assert found.parts == {"1.jpg": "train", "2.jpg": "validation"}


def test_cocos_annotations(tmp_path: Path) -> None:
    images = [{"id": 9, "file_name": "1.jpg"}, {"id": 4, "file_name": "2.jpg"}]
    told = [(9, "A dog."), (4, "a cat"), (9, "A dog runs.")]
    annotations = [{"image_id": image, "caption": caption} for image, caption in told]
    found = read_captions(_json(tmp_path, {"images": images, "annotations": annotations}))
    assert found.of == _SAID


def test_karpathys_split(tmp_path: Path) -> None:
    def image(name: str, split: str, *sentences: str) -> dict[str, Any]:
        return {"filename": name, "split": split, "sentences": [{"raw": s} for s in sentences]}

    images = [image("1.jpg", "restval", "A dog.", "A dog runs."), image("2.jpg", "val", "A cat")]
    found = read_captions(_json(tmp_path, {"images": images}))
    assert found.of == _SAID
    assert found.parts == {"1.jpg": "train", "2.jpg": "validation"}


def test_empty_captions_are_left_out() -> None:
    frame = pd.DataFrame({"image": ["1", "1", "2"], "caption": ["a dog", None, " . "]})
    found = read_captions(frame)
    assert found.of == {"1": ["a dog"], "2": []}
    assert found.notes == ["2 captions are empty, and left out"]


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("a.txt", "no tabs here\n", "in none of the known ways"),
        ("a.txt", "1.jpg#0\ta dog\nno tab\n", "line 2 of .* is not 'IMAGE#NUMBER"),
        ("a.csv", "file_id,words\n1,a\n", "needs a column 'image' and a column 'caption'"),
        ("a.csv", "image,caption\n1.jpg,\n", "holds no caption"),
        ("a.csv", "image,caption,split\n1,a,left\n", "puts 1 into a part 'left'"),
        ("a.csv", "image,caption,split\n1,a,val\n1,b,test\n", "puts 1 into validation and into"),
        ("a.json", "{", "cannot be read as JSON"),
        ("a.json", '{"pictures": []}', "in none of the known ways"),
        ("a.json", '{"images": [{"id": 1}], "annotations": [{}]}', "in none of the known ways"),
        ("a.txt", "\0\1\2", "is a binary file"),
    ],
)
def test_files_that_hold_no_captions(tmp_path: Path, name: str, content: str, match: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=match) as told:
        read_captions(tmp_path / name)
    assert "\n" not in str(told.value)


def test_what_is_no_file() -> None:
    with pytest.raises(FileNotFoundError, match=r"no file of captions nowhere\.csv"):
        read_captions("nowhere.csv")
    with pytest.raises(ValueError, match="captions must be a file or a DataFrame"):
        read_captions(3)


def test_the_file_of_captions_in_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is none"):
        captions_file(tmp_path)
    (tmp_path / "a.csv").touch()
    (tmp_path / "notes.txt").touch()
    assert captions_file(tmp_path).name == "a.csv"
    (tmp_path / "b.json").touch()
    with pytest.raises(ValueError, match=r"there is several: a\.csv, b\.json"):
        captions_file(tmp_path)
    assert captions_file(_tokens(tmp_path).parent).name == "Flickr8k.token.txt"
