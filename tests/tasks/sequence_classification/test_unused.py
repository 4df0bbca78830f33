"""A setting that has no effect on the data is noted, and no other one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kerasseq.recipes.sequence_classification import (
    SequenceClassificationSettings,
    sequence_classification,
)

PREFIX = "without effect: "


def _notes(data: Any, **changes: Any) -> list[str]:
    settings = SequenceClassificationSettings(data=data, **changes)
    notes = sequence_classification.task.load(data, settings).notes
    return [note.removeprefix(PREFIX) for note in notes if note.startswith(PREFIX)]


def _arrays(*shape: int, kind: type = np.float32) -> tuple[np.ndarray, list[str]]:
    return np.ones((8, 4, *shape)).astype(kind), list("abababab")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"jitter": 0.0, "window": 2, "stride": 1, "channels": ["x", "y"]}, []),
        ({"window": 4}, []),
        ({"window": 5}, ["window= (no recording is longer; one alone is a list of one array)"]),
        ({"mel_bins": 20}, ["mel_bins= (no sound is read)"]),
        ({"top_db": 20.0}, ["top_db= (no sound is read)"]),
        (
            {"label": "y", "joints": 5, "rate": 10.0},
            ["label= (no table is read), joints= (no file of skeletons is read), "
             "rate= (the data has no rate)"],
        ),
        ({"pattern": "{label}", "image_size": 9},
         ["pattern= (data is no folder), image_size= (no image is read)"]),
        ({"weights": None, "frame_features": 8},
         ["weights= (encoder= names no network), "
          "frame_features= (no frames of videos pass the trained network)"]),
        ({"convolutions": 0, "filters": 8}, ["filters= (convolutions is 0)"]),
        ({"test": 0.3, "test_groups": [1]}, ["test= (test_groups= names the groups to score on)"]),
        ({"test": _arrays(2), "validation": 0.1}, []),
    ],
)  # fmt: skip
def test_settings_beside_arrays(changes: Any, expected: list[str]) -> None:
    assert _notes(_arrays(2), **changes) == expected


def test_settings_beside_frames() -> None:
    frames = _arrays(5, 5, 1, kind=np.uint8)
    expected = "jitter= (frames are not augmented), normalize= (pixels are scaled to 1)"
    assert _notes(frames, jitter=0.3, normalize="channel", frame_features=8) == [expected]


def test_settings_beside_tables_and_folders(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {"recording": np.repeat(range(8), 3), "time": [0, 1, 2] * 8, "x": 1.0, "y": 1.5}
    )
    used = {"sequence": "recording", "step": "time", "label": "y", "rate": 2.0}
    assert _notes(table, **used) == []
    assert _notes(table, **used, class_weights=True) == [
        "class_weights= (a regression has no classes)"
    ]
    for part in ("train", "test"):
        for label in "ab":
            (tmp_path / part / label).mkdir(parents=True)
            np.save(tmp_path / part / label / "0.npy", np.ones((4, 2)))
    assert _notes(tmp_path, test=0.3, validation=0.3) == ["test= (the data has a test part)"]


def test_settings_beside_sounds_and_images(tmp_path: Path) -> None:
    from PIL import Image

    soundfile = pytest.importorskip("soundfile")
    for label in "ab":
        for kind in ("sounds", "images"):
            (tmp_path / kind / label).mkdir(parents=True)
        soundfile.write(tmp_path / "sounds" / label / "0.wav", np.sin(np.arange(900.0)), 8000)
        Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "images" / label / "0.png")
    for kind, expected in (
        ("sounds", "image_size= (no image is read)"),
        ("images", "mel_bins= (no sound is read)"),
    ):
        assert _notes(tmp_path / kind, image_size=6, mel_bins=8) == [expected]
