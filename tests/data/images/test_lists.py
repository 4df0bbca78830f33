"""Images are found by whatever they are given as."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from kerasseq.data.images.lists import list_images


def _folder(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()
    return folder


def test_a_path_a_folder_or_several_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = _folder(tmp_path / "data" / "img", "b.png", "a.JPG", "notes.doc")
    a, b = folder / "a.JPG", folder / "b.png"
    assert list_images(str(b)) == ([str(b)], [b])
    assert list_images("~/x.png") == (["~/x.png"], [tmp_path / "x.png"])
    for given in (folder, tmp_path / "data", [str(folder)]):
        assert list_images(given) == ([str(a), str(b)], [a, b])
    names, images = list_images([folder, np.zeros((4, 4)), b])
    assert names == [str(a), str(b), "1", str(b)]
    assert [images[0], images[3]] == [a, b]


@pytest.mark.parametrize("kind", [pd.Series, np.array, tuple])
def test_any_kind_of_list(kind: Any) -> None:
    given = kind(["a.png", "b.png"])
    if kind is pd.Series:
        given.index = [7, 9]
    assert list_images(given) == (["a.png", "b.png"], [Path("a.png"), Path("b.png")])


def test_a_table_that_names_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = _folder(tmp_path / "img", "1.png", "2.png")
    table = pd.DataFrame({"image": ["2.png", "1.png", "2.png"], "caption": [*"abc"]})
    expected = (["2.png", "1.png"], [folder / "2.png", folder / "1.png"])
    table.to_csv(tmp_path / "a.csv", index=False)
    assert list_images(tmp_path / "a.csv") == list_images([tmp_path / "a.csv"]) == expected
    assert list_images(table[["image"]], [folder]) == expected
    monkeypatch.chdir(folder)
    assert list_images(table) == (["2.png", "1.png"], [Path("2.png"), Path("1.png")])


@pytest.mark.parametrize(
    ("shape", "kind"), [((3, 8, 9, 3), float), ((3, 8, 9), np.uint8), ((3, 8, 9, 1), np.uint8)]
)
def test_a_stack_is_so_many_images(shape: tuple[int, ...], kind: Any) -> None:
    names, images = list_images(np.zeros(shape, kind))
    assert names == ["0", "1", "2"]
    assert images[0].shape == shape[1:]


@pytest.mark.parametrize(
    "one",
    [
        *(np.zeros(shape, np.uint8) for shape in ((8, 9), (8, 9, 1), (8, 9, 3), (8, 9, 4))),
        np.zeros((8, 9, 3)),
        Image.new("RGB", (9, 8)),
        None,
        {"a": 1},
    ],
)
def test_one_image_is_no_list(one: Any) -> None:
    with pytest.raises(ValueError, match="give a list of images, even for one"):
        list_images(one)


@pytest.mark.parametrize(
    ("item", "fault"),
    [
        (None, r"an image must be a path, an array or a Pillow image\. Received: None"),
        (3, r"a path, an array or a Pillow image\. Received: 3"),
        (["a.png"], r"a path, an array or a Pillow image\. Received: \['a\.png'\]"),
        ([[1, 2], [3]], r"a path, an array or a Pillow image\. Received: \[\[1, 2\], \[3\]\]"),
        ([], r"an image must be \(height, width\)"),
        ("", "path must be a path, and not an empty text"),
        (np.zeros((4, 4), np.int64), "uint8, or float from 0 to 1. Received: dtype=int64"),
        (np.full((4, 4), 7.0), "must lie between 0 and 1"),
    ],
)
def test_an_item_that_is_no_image_is_named_by_its_place(item: Any, fault: str) -> None:
    with pytest.raises(ValueError, match=rf"^item 1 of the list \(counted from 0\) .*{fault}"):
        list_images(["a.png", item])
    with pytest.raises(
        ValueError, match=r"item 0 .*\. 1 more are no images either\. Leave such items out"
    ):
        list_images([item, np.zeros((4, 4)), item])


def test_folders_in_which_no_images_are_found(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no image in .*, nor in a folder inside"):
        list_images(tmp_path)
    _folder(tmp_path / "one", "1.png")
    _folder(tmp_path / "two", "1.png")
    with pytest.raises(ValueError, match=r"no image in .*, but in several folders inside"):
        list_images(tmp_path)
    with pytest.raises(ValueError, match="the list is empty"):
        list_images([])
