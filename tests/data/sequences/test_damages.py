"""Damaged files and tables of sequences are read, or refused in one sentence."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from kerasseq.data.sequences.read import Reading, read_sequences
from kerasseq.data.sequences.recordings import Sequences
from kerasseq.tasks.sequence_classification.files import file_readers
from tests.damaged_files import damaged, damaged_table
from tests.thorough import examples

pytestmark = pytest.mark.thorough

VALUES = np.arange(24, dtype=np.float32).reshape(4, 3, 2)


def _table() -> bytes:
    rows = [
        f"{row},{step},s{row % 2},{'walk' if row % 2 else 'run'},{a:g},{b:g}"
        for row, sequence in enumerate(VALUES)
        for step, (a, b) in enumerate(sequence)
    ]
    return "\n".join(["sequence,step,subject,label,x,y", *rows, ""]).encode()


def _json_lines() -> bytes:
    names, *rows = _table().decode().split()
    pairs = [zip(names.split(","), row.split(","), strict=True) for row in rows]
    return "".join(
        "{" + ", ".join(f'"{name}": "{value}"' for name, value in pair) + "}\n" for pair in pairs
    ).encode()


def _archive() -> bytes:
    head = "@problemName x\n@timestamps false\n@univariate false\n@dimensions 2\n"
    head += "@equalLength true\n@seriesLength 3\n@classLabel true run walk\n@data\n"
    return (head + "1,2,3:4,5,6:run\n4,5,6:7,8,9:walk\n" * 2).encode()


def _arff() -> bytes:
    head = "@relation x\n" + "".join(f"@attribute a{n} numeric\n" for n in range(3))
    return (head + "@attribute target {run,walk}\n@data\n" + "1,2,3,run\n4,5,6,walk\n" * 2).encode()


def _arrays(**changes: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **{"values": VALUES, "labels": np.array(["run", "walk"] * 2), **changes})
    return file.getvalue()


def _array() -> bytes:
    file = io.BytesIO()
    np.save(file, VALUES[0])
    return file.getvalue()


def _sound() -> bytes:
    soundfile = pytest.importorskip("soundfile")
    file = io.BytesIO()
    soundfile.write(file, np.sin(np.arange(400) / 4) / 2, 8000, format="WAV")
    return bytes(file.getvalue())


def _image() -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(np.arange(20, dtype=np.uint8).reshape(4, 5)).save(file, "PNG")
    return file.getvalue()


def _folder() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for label in ("run", "walk"):
            for row in range(2):
                archive.writestr(f"data/{label}/{row}.csv", "x,y\n1,2\n3,4\n")
    return file.getvalue()


#: By the name of a file its content, and whether it is a whole data set or one sequence.
FILES: dict[str, tuple[bytes, bool]] = {
    "table.csv": (_table(), True),
    "table.jsonl": (_json_lines(), True),
    "x_TRAIN.ts": (_archive(), True),
    "x_TRAIN.arff": (_arff(), True),
    "arrays.npz": (_arrays(groups=np.array([1, 1, 2, 2]), rate=5.0), True),
    "folder.zip": (_folder(), True),
    "one.csv": (b"x,y\n1,2\n3,4\n5,6\n", False),
    "numbers.csv": (b"1,2\n3,4\n5,6\n", False),
    "numbers.txt": (b"1 2\n3 4\n5 6\n", False),
    "skeleton.txt": (b"1 2 3\n" * 40, False),
    "array.npy": (_array(), False),
    "sound.wav": (_sound(), False),
    "image.png": (_image(), False),
}


@pytest.mark.parametrize("name", [*FILES])
@examples(150, suppress_health_check=[*HealthCheck])
@given(draw=st.data())
def test_a_damaged_file_is_read_or_refused(name: str, draw: Any, tmp_path: Path) -> None:
    content, whole = FILES[name]
    (tmp_path / "run").mkdir(exist_ok=True)
    path = tmp_path / "run" / name
    path.write_bytes(draw.draw(damaged(content)))
    readers, shape = file_readers(mel_bins=8), (2,)
    for data in [path] if whole else [path, tmp_path]:
        try:
            source = read_sequences(data, Reading(readers=readers))
        except (ValueError, FileNotFoundError) as error:
            _check_message(error)
        else:
            _check(source)
            assert not any(source.faults)
            shape = source.values.shape
    # A list is answered, whatever a file holds.
    new = read_sequences([path], Reading(readers=readers, learn=False, shape=shape))
    _check(new)


@examples(150, suppress_health_check=[*HealthCheck])
@given(draw=st.data())
def test_a_damaged_table_is_read_or_refused(draw: Any) -> None:
    frame = draw.draw(damaged_table(pd.read_csv(io.BytesIO(_table()))))
    usual: dict[str, Any] = {}
    try:
        source = read_sequences(frame, Reading())
    except (ValueError, FileNotFoundError) as error:
        _check_message(error)
    else:
        _check(source)
        usual = source.reading
    try:
        new = read_sequences(frame, Reading(learn=False, shape=(2,), usual=usual))
    except ValueError as error:  # the columns are those of no sequences
        _check_message(error)
    else:
        _check(new)


def test_an_intact_file_is_read(tmp_path: Path) -> None:
    for name, (content, whole) in FILES.items():
        folder = tmp_path / name / "run"
        folder.mkdir(parents=True)
        (folder / name).write_bytes(content)
        source = read_sequences(
            folder / name if whole else folder.parent, Reading(readers=file_readers(mel_bins=8))
        )
        assert not any(source.faults)
        assert source.labels is not None
        assert {*source.labels} <= {"run", "walk"}


def _check_message(error: Exception) -> None:
    assert 20 < len(str(error)) < 3000


def _check(source: Sequences) -> None:
    """Each sequence has its parts, timesteps of one shape, and values or a reason."""
    count = len(source)
    assert count > 0
    assert len(source.names) == len(source.faults) == len(source.remarks) == count
    assert source.labels is None or len(source.labels) == count
    assert source.groups is None or len(source.groups) == count
    assert source.values.lengths.min() > 0
    for values, fault in zip(source.values, source.faults, strict=True):
        assert values.shape[1:] == source.values.shape
        if not fault and values.dtype.kind == "f":
            assert not np.isinf(values).any()
            assert not np.isnan(values).all()
