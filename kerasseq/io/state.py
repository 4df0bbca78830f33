"""Reading and writing of JSON files, and of states: JSON values with arrays among them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kerasseq.io import atomic
from kerasseq.io.limits import Damaged, check_size, read_npz

__all__ = ["read_json", "read_state", "write_json", "write_state"]

_DEEPEST = 100  # values inside each other; what kerasseq writes has a dozen
_PLAIN = (str, int, float, type(None))
_ARRAY = "array in the .npz file"  # what stands in JSON for an array, with its name


def write_json(path: Path, value: Any, indent: int | None = None) -> None:
    """Write JSON values to a file, atomically."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    try:
        text.encode()
    except UnicodeEncodeError:  # half a character, in a label say: JSON has a way to write it
        text = json.dumps(value, indent=indent)
    atomic.write_text(path, text)


def read_json(path: Path) -> Any:
    """Read the JSON values of a file.

    Raises:
        FileNotFoundError: If the file does not exist.
        Damaged: If the file is not valid JSON, or is nested too deeply.
        TooLarge: If the file is above the limit of what is read.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: restore it from a copy, or train again.")
    check_size(path.stat().st_size, str(path))
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise Damaged(f"{path} is damaged: it is not valid JSON ({error})") from error
    if _is_deep(values):
        raise Damaged(f"{path} is damaged: it has values nested more than {_DEEPEST} deep")
    return values


def _is_deep(value: Any) -> bool:
    """Whether values are nested too deeply to be processed by recursion."""
    level = [value]
    for _ in range(_DEEPEST):
        inside = (item.values() if isinstance(item, dict) else item for item in level)
        level = [item for items in inside if not isinstance(items, _PLAIN) for item in items]
        if not level:
            return False
    return True


def write_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write JSON values, and the arrays among them into an .npz file of the same name.

    Args:
        path: The JSON file. The .npz file is only written if there are arrays.
        state: Mappings, lists and values, with arrays of numbers or times at any depth.
    """
    arrays: dict[str, np.ndarray] = {}
    values = _extract_arrays(state, arrays)
    archive = path.with_suffix(".npz")
    if arrays:
        with atomic.replacing(archive) as temporary:
            np.savez_compressed(temporary, allow_pickle=False, **arrays)
    else:
        archive.unlink(missing_ok=True)
    write_json(path, values)


def read_state(path: Path) -> Any:
    """Read a state that `write_state` wrote.

    Raises:
        FileNotFoundError: If a file is missing.
        Damaged: If a file cannot be read, or the two do not go together.
        TooLarge: If a file is above the limit of what is read.
    """
    values = read_json(path)
    archive = path.with_suffix(".npz")
    arrays = read_npz(archive) if archive.exists() else None
    return _insert_arrays(values, _Arrays(path, archive, arrays), "")


@dataclass(frozen=True)
class _Arrays:
    """The arrays in an .npz file, None if there is no such file, for the JSON file beside it."""

    path: Path
    archive: Path
    arrays: Mapping[str, np.ndarray] | None

    def named(self, name: Any, where: str) -> np.ndarray:
        """The array with the name that the JSON file has at a place."""
        what = f"{where or 'it'} must be"
        if not isinstance(name, str):
            raise Damaged(f"{self.path} is damaged: {what} the name of an array, and is {name!r}")
        if self.arrays is None:
            raise FileNotFoundError(
                f"{self.archive} is missing, and {self.path} needs it: restore it from a copy, or "
                "train again."
            )
        if name not in self.arrays:
            raise Damaged(
                f"{self.path} and {self.archive.name} do not go together: {what} the array "
                f"{name!r}, which is not there"
            )
        return self.arrays[name]


def _extract_arrays(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    """Replace the arrays in a value by names, and collect the arrays under these names."""
    if isinstance(value, np.ndarray):
        name = str(len(arrays))
        arrays[name] = value
        return {_ARRAY: name}
    if isinstance(value, Mapping):
        return {key: _extract_arrays(item, arrays) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_extract_arrays(item, arrays) for item in value]
    return value


def _insert_arrays(value: Any, arrays: _Arrays, where: str) -> Any:
    """Replace the names of arrays in a value by the arrays."""
    if isinstance(value, dict):
        if value.keys() == {_ARRAY}:
            return arrays.named(value[_ARRAY], where)
        return {
            key: _insert_arrays(item, arrays, f"{where}.{key}" if where else key)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [
            _insert_arrays(item, arrays, f"{where}[{place}]") for place, item in enumerate(value)
        ]
    return value
