"""Reading and writing of JSON files, and of states: JSON values with arrays among them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kerasseq.io import atomic
from kerasseq.io.limits import check_npz

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
        ValueError: If the file is not valid JSON, or is nested too deeply.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: restore it from a copy, or train again.")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"{path} is not valid JSON ({error}): restore it from a copy, or train again."
        ) from error
    if _is_deep(found):
        raise ValueError(
            f"{path} has values nested more than {_DEEPEST} deep: restore it from a copy, or train "
            "again."
        )
    return found


def _is_deep(value: Any) -> bool:
    """Whether values are nested too deeply to be processed by recursion."""
    level = [value]
    for _ in range(_DEEPEST):
        inside = (own.values() if isinstance(own, dict) else own for own in level)
        level = [item for own in inside if not isinstance(own, _PLAIN) for item in own]
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
    values = _without(state, arrays)
    archive = path.with_suffix(".npz")
    if arrays:
        with atomic.replacing(archive) as temporary:
            np.savez_compressed(temporary, allow_pickle=False, **arrays)
    else:
        archive.unlink(missing_ok=True)
    write_json(path, values)


def read_state(path: Path) -> dict[str, Any]:
    """Read a state that `write_state` wrote.

    Raises:
        FileNotFoundError: If a file or an array is missing.
        ValueError: If a file cannot be read.
    """
    values = read_json(path)
    archive = path.with_suffix(".npz")
    if not archive.exists():
        arrays: Mapping[str, np.ndarray] = {}
    else:
        check_npz(archive)
        try:
            with np.load(archive, allow_pickle=False) as file:
                arrays = dict(file)
        except Exception as error:  # NumPy has no error of its own for a file that it cannot read
            raise ValueError(
                f"{archive} is damaged: restore it from a copy, or train again."
            ) from error
    try:
        found: dict[str, Any] = _with(values, arrays)
    except KeyError as error:
        raise FileNotFoundError(
            f"{archive} lacks {error.args[0]!r}: restore it from a copy, or train again."
        ) from error
    return found


def _without(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    """Replace the arrays in a value by names, and collect the arrays under these names."""
    if isinstance(value, np.ndarray):
        name = str(len(arrays))
        arrays[name] = value
        return {_ARRAY: name}
    if isinstance(value, Mapping):
        return {key: _without(item, arrays) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without(item, arrays) for item in value]
    return value


def _with(value: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    if isinstance(value, dict):
        if value.keys() == {_ARRAY}:
            name = value[_ARRAY]
            if not isinstance(name, str):
                raise KeyError(name)
            return arrays[name]
        return {key: _with(item, arrays) for key, item in value.items()}
    return [_with(item, arrays) for item in value] if isinstance(value, list) else value
