"""Every reader takes text in Windows-1252, as the WHATWG's Encoding Standard also means latin-1."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kerasseq.data.images.caption_files import read_captions, read_names
from kerasseq.data.images.caption_text import normalize_caption
from kerasseq.data.images.features import read_features
from kerasseq.data.series.read import read_series
from kerasseq.data.text.labelled import read_labelled
from kerasseq.data.text.new_texts import read_texts

TEXT = "Café, don’t – “go” €5"
WRONG = TEXT.encode("cp1252").decode("latin-1")


def _written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode("cp1252"))
    return path


def _folder(folder: Path) -> Path:
    for label in ("neg", "pos"):
        for number in range(2):
            _written(folder / "classes" / label / f"{number}.txt", f"{TEXT} {label} {number}")
    return folder / "classes"


def _archive(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        for file in _folder(folder).rglob("*.txt"):
            archive.write(file, file.relative_to(folder))
    return folder / "a.zip"


def _pair(folder: Path) -> Path:
    for side in ("pos", "neg"):
        _written(folder / f"a.{side}", f"{TEXT} {side} 0\n{TEXT} {side} 1\n")
    return folder / "a.pos"


def _table(folder: Path, separator: str = ",", ending: str = "csv") -> Path:
    rows = [f'"{TEXT} {n}"{separator}{("neg", "pos")[n % 2]}' for n in range(4)]
    return _written(folder / f"a.{ending}", "\n".join([f"text{separator}label", *rows]))


def _lines(folder: Path) -> Path:
    rows = [{"text": f"{TEXT} {n}", "label": n % 2} for n in range(4)]
    text = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    return _written(folder / "a.jsonl", text)


LABELLED: dict[str, Callable[[Path], Path]] = {
    "folder": _folder,
    "archive": _archive,
    "pair": _pair,
    "csv": _table,
    "tsv": lambda folder: _table(folder, "\t", "tsv"),
    "jsonl": _lines,
}


@pytest.mark.parametrize("source", LABELLED)
def test_labelled_texts(tmp_path: Path, source: str) -> None:
    found = read_labelled(LABELLED[source](tmp_path))
    assert len(found.texts) == 4
    assert all(text.startswith(TEXT) for text in found.texts)
    assert any("Windows-1252" in note for note in found.notes)


def test_new_texts(tmp_path: Path) -> None:
    assert all(text.startswith(TEXT) for text in read_texts(_table(tmp_path)))


def _coco(folder: Path) -> Path:
    content = {
        "images": [{"id": 1, "file_name": "a.png"}],
        "annotations": [{"image_id": 1, "caption": TEXT}],
    }
    return _written(folder / "a.json", json.dumps(content, ensure_ascii=False))


def _karpathy(folder: Path) -> Path:
    image = {"filename": "a.png", "split": "train", "sentences": [{"raw": TEXT}]}
    return _written(folder / "a.json", json.dumps({"images": [image]}, ensure_ascii=False))


CAPTIONS: dict[str, Callable[[Path], Path]] = {
    "csv": lambda folder: _written(folder / "a.csv", f'image,caption\na.png,"{TEXT}"\n'),
    "tokens": lambda folder: _written(folder / "a.txt", f"a.png#0\t{TEXT}\n"),
    "coco": _coco,
    "karpathy": _karpathy,
}


@pytest.mark.parametrize("source", CAPTIONS)
def test_captions(tmp_path: Path, source: str) -> None:
    assert normalize_caption(TEXT) != normalize_caption(WRONG)
    assert read_captions(CAPTIONS[source](tmp_path)).of == {"a.png": [normalize_caption(TEXT)]}


def test_names_of_images(tmp_path: Path) -> None:
    assert read_names(_written(tmp_path / "a.csv", "image\ncafé–1.png\n")) == ["café–1.png"]


def test_names_of_features(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((2, 3), np.float32))
    _written(tmp_path / "a.txt", "café–1.png\ncafé–2.png\n")
    assert read_features(tmp_path / "a.npy")[0] == ["café–1.png", "café–2.png"]


def test_series(tmp_path: Path) -> None:
    """Names of columns, of series and the words of covariates."""
    rows = [
        f"2024-0{month},{sold},{shop},{kind}"
        for shop, kind in (("Café–Nord", "don’t"), ("Süd™", "do"))
        for month, sold in enumerate((7, 9, 8), 1)
    ]
    header = "month,sold €,shop,kind"
    path = _written(tmp_path / "a.csv", "\n".join([header, *rows]))
    panel = read_series(path, target="sold €", series="shop", static="kind")
    assert list(panel.ids) == ["Café–Nord", "Süd™"]
    assert any("don’t" in name for name in panel.names["static"])
