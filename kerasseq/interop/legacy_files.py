"""Writes copies of files of Keras 2 that Keras 3 loads."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from kerasseq.interop.legacy_config import CUDNN, Changes, translate
from kerasseq.io import hdf5
from kerasseq.io.limits import check_size, parse_json, read_member
from kerasseq.params import legacy

__all__ = ["is_hdf5", "is_old_archive", "translate_archive", "translate_hdf5"]

_ERRORS = (ValueError, KeyError, TypeError, OSError, RuntimeError, zipfile.BadZipFile)

# The path of the copy, remarks on what changed, and the settings of `compile`, if there are any.
Translated = tuple[Path, list[str], dict[str, Any] | None]


def is_hdf5(path: Path) -> bool:
    """Whether a file is in the HDF5 format."""
    return bool(h5py.is_hdf5(path))


def is_old_archive(path: Path) -> bool:
    """Whether a .keras file was written by Keras 2 (2.12 to 2.15)."""
    try:
        with zipfile.ZipFile(path) as archive:
            version = json.loads(_text(archive, "metadata.json", path))["keras_version"]
    except (*_ERRORS, EOFError):  # a damaged file, of which Keras will tell
        return False
    return str(version).startswith("2.")


def translate_hdf5(path: Path, folder: Path) -> Translated:
    """Write a copy of a whole model in HDF5 that Keras 3 loads.

    Args:
        path: The file, which does not change.
        folder: The folder for the copy.

    Raises:
        ValueError: If the file is damaged, holds weights alone, was written by Keras 1, or has an
            option that cannot be translated.
    """
    copy, stored = folder / "model.h5", path.stat().st_size
    try:
        with h5py.File(path, "r") as file:
            config = legacy.config(file) if legacy.is_legacy(file) else None
            if config is None:
                raise ValueError(
                    "it holds weights alone, and not the layers of a model: build the model and "
                    "call its load_weights"
                )
            is_old = not legacy.version(file).startswith("3")  # Keras 3 writes this format too
            training = file.attrs.get("training_config")
            for _ in legacy.weight_groups(file, stored):
                pass  # raises for a damaged file
        changes = translate(config, is_old)
        shutil.copyfile(path, copy)
        with h5py.File(copy, "r+") as file:
            file.attrs["model_config"] = json.dumps(config)
            _translate_weights(file, _cudnn_layers(changes), stored)
        settings = None if training is None else parse_json(_decoded(training))
    except _ERRORS as error:
        raise _unreadable(path, error) from error
    return copy, _remarks(changes), settings


def translate_archive(path: Path, folder: Path) -> Translated:
    """Write a copy of a .keras file of Keras 2 that Keras 3 loads.

    Args:
        path: The file, which does not change.
        folder: The folder for the copy.

    Raises:
        ValueError: If the file is damaged, or has an option that cannot be translated.
    """
    copy = folder / "model.keras"
    try:
        with zipfile.ZipFile(path) as archive, zipfile.ZipFile(copy, "w") as translated:
            config = parse_json(_text(archive, "config.json", path))
            settings = config.pop("compile_config", None)
            changes = translate(config)
            for member in archive.infolist():
                check_size(member.file_size, f"{path}: {member.filename}", path.stat().st_size)
                is_config = member.filename == "config.json"
                content = json.dumps(config) if is_config else read_member(archive, member)
                translated.writestr(member.filename, content)
    except _ERRORS as error:
        raise _unreadable(path, error) from error
    return copy, _remarks(changes), settings


def _text(archive: zipfile.ZipFile, name: str, path: Path) -> str:
    member = archive.getinfo(name)
    check_size(member.file_size, f"{path}: {name}", path.stat().st_size)
    return read_member(archive, member).decode("utf-8")


def _decoded(text: Any) -> str:
    return text.decode("utf-8") if isinstance(text, bytes) else str(text)


def _remarks(changes: Changes) -> list[str]:
    return [f"{change}: {', '.join(layers)}" for change, layers in changes.items()]


def _unreadable(path: Path, error: Exception) -> ValueError:
    return ValueError(f"'{path}' cannot be read as a model of Keras 2: {hdf5.reason(error)}.")


# Weights of cuDNN


def _cudnn_layers(changes: Changes) -> dict[str, int]:
    """The number of gates of each layer of cuDNN, by its name."""
    return {
        name: gates
        for kind, (target, gates) in CUDNN.items()
        for name in changes.get(f"{kind} became {target}", [])
    }


def _translate_weights(file: Any, gates: dict[str, int], stored: int) -> None:
    """Give the weights of cuDNN the layout of LSTM and GRU, in place."""
    if not gates:
        return
    for _, group, arrays in legacy.weight_groups(file, stored):
        for name, array in arrays:
            parts = [p.removeprefix("forward_").removeprefix("backward_") for p in name.split("/")]
            count = next((gates[part] for part in parts if part in gates), None)
            if count is not None:
                value = _from_cudnn(parts[-1].partition(":")[0], array[()], count)
                del group[name]
                group[name] = value


def _from_cudnn(role: str, value: np.ndarray, gates: int) -> np.ndarray:
    """A weight in the layout of cuDNN as Keras lays it out; each gate is transposed there."""
    if role == "bias":  # of the inputs, then of the state
        halves = value.reshape(2, -1)
        return halves.sum(axis=0) if gates == 4 else halves
    parts = np.split(value, gates, axis=1)
    if role == "recurrent_kernel":
        return np.concatenate([part.T for part in parts], axis=1)
    return np.concatenate([part.T.reshape(part.shape, order="F") for part in parts], axis=1)
