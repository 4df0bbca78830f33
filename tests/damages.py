"""Ways in which a checkpoint is damaged: by a power cut, by a bad disk, by another program."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

__all__ = ["CASES", "DAMAGES", "set_value"]


def _halved(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _zeroed(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def _flipped(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    # In the content of an entry, if it is an archive of arrays: zipfile skips much of its headers.
    raw[raw.find(b"NUMPY") + 1 or len(raw) // 3] ^= 0xFF
    path.write_bytes(raw)


def _array(path: Path) -> None:
    with open(path, "wb") as file:
        np.save(file, np.zeros(3), allow_pickle=False)


def _without_state(path: Path) -> None:
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files if name != "state"}
    np.savez(path, allow_pickle=False, **arrays)


def _without_an_array(path: Path) -> None:
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files if name != "best/1"}
    np.savez(path, allow_pickle=False, **arrays)


def _of_another_shape(path: Path) -> None:
    with np.load(path) as file:
        arrays = {**file, "model/1": np.zeros(7)}
    np.savez(path, allow_pickle=False, **arrays)


def _state(path: Path, text: str) -> None:
    with np.load(path) as file:
        arrays = {**file, "state": np.array(text)}
    np.savez(path, allow_pickle=False, **arrays)


DAMAGES: dict[str, Callable[[Path], Any]] = {
    "empty": lambda path: path.write_bytes(b""),
    "halved": _halved,
    "zeroed": _zeroed,
    "flipped": _flipped,
    "text": lambda path: path.write_text("no checkpoint"),
    "an array": _array,
    "no state": _without_state,
    "no array": _without_an_array,
    "another shape": _of_another_shape,
    "state of a list": lambda path: _state(path, "[]"),
    "state without a history": lambda path: _state(path, '{"stamp": {}}'),
    "nested state": lambda path: _state(path, "[" * 100_000),
}

# One of each kind by default: of the file, of its bytes, of its arrays, of its state.
_OFTEN = ("halved", "flipped", "another shape", "state without a history")
CASES = [pytest.param(own, marks=[] if own in _OFTEN else pytest.mark.thorough) for own in DAMAGES]


def set_value(path: Path, keys: list[Any], value: Any) -> None:
    """Replace one value of a JSON file; `keys` lead to it."""
    content = place = json.loads(path.read_text())
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    path.write_text(json.dumps(content))
