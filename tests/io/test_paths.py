"""Paths as users give them: the home folder has its short name, an empty text is none."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kerasseq import params
from kerasseq.data.images import caption_files, captioned, features, lists
from kerasseq.data.images import files as image_files
from kerasseq.data.series import tables
from kerasseq.data.text import labelled
from kerasseq.io import paths

# Functions below the recipes that take a path.
READERS: dict[str, Callable[[Any], Any]] = {
    "labelled texts": labelled.read_labelled,
    "pair of polar files": lambda path: labelled.read_labelled(
        [path and f"{path}.pos", path and f"{path}.neg"]
    ),
    "image": lambda path: image_files.read_image(path, 8),
    "list of images": lambda path: image_files.read_images(lists.list_images([path])[1], 8),
    "folder of images": lambda path: lists.locate_images(["a.jpg"], Path(), path),
    "series": tables.load_table,
    "captions": caption_files.read_captions,
    "captioned images": captioned.image_files,
    "features": features.read_features,
    "report": params.report,
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def test_the_home_folder_has_its_short_name(home: Path) -> None:
    assert paths.user_path("~/runs/x", "out") == home / "runs" / "x"
    assert paths.user_path(Path("~"), "out") == home
    assert paths.user_path("runs/~", "out") == Path("runs/~")


@pytest.mark.parametrize("value", ["", b"", None, 3, ["a"]])
def test_what_is_no_path_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"out must be a path.* Received: out="):
        paths.user_path(value, "out")


def test_a_path_with_a_null_character_is_refused() -> None:
    with pytest.raises(ValueError, match=r"out must be a path.*null character.* Received: out="):
        paths.user_path("runs/a\0b", "out")


def test_the_home_folder_of_nobody_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"a user that this machine does not have.*~nosuchuser"):
        paths.user_path("~nosuchuser/runs", "out")


@pytest.mark.parametrize("name", READERS)
def test_readers_look_in_the_home_folder(name: str, home: Path) -> None:
    with pytest.raises(FileNotFoundError, match=str(home / "nowhere.csv")):
        READERS[name]("~/nowhere.csv")


@pytest.mark.parametrize("name", READERS)
def test_readers_refuse_an_empty_text(name: str, home: Path) -> None:
    with pytest.raises(ValueError, match="must be a path, and not an empty text"):
        READERS[name]("")


def test_a_path_that_no_file_can_have() -> None:
    with pytest.raises(FileNotFoundError, match=r"data .*\(file name too long\).*'a{60}\.\.\.'"):
        paths.user_path("a" * 300, "data")


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may look everywhere")
def test_a_path_where_nobody_may_look(tmp_path: Path) -> None:
    (tmp_path / "shut").mkdir(mode=0)
    with pytest.raises(FileNotFoundError, match=r"\(permission denied\)"):
        paths.user_path(tmp_path / "shut" / "a", "data")


def test_a_file_to_write_is_no_folder_and_in_one(tmp_path: Path) -> None:
    assert paths.output_file(tmp_path / "x.txt", "out") == tmp_path / "x.txt"
    with pytest.raises(ValueError, match="out must be a file, and this is a folder"):
        paths.output_file(tmp_path, "out")
    with pytest.raises(
        ValueError, match=r"out must be a file in a folder that exists: make .*none"
    ):
        paths.output_file(tmp_path / "none" / "x.txt", "out")
