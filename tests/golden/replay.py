"""Calls, answers and names of classes, for the script and for the test of golden files."""

from __future__ import annotations

import importlib
import json
import pkgutil
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

__all__ = [
    "GOLDEN",
    "LAYERS",
    "RUNS",
    "SEARCHES",
    "answer",
    "classes_in",
    "outputs",
    "plain",
    "proposed",
    "read",
    "registered",
    "shown",
]

GOLDEN = Path(__file__).parent
LAYERS, RUNS, SEARCHES = (GOLDEN / name for name in ("layers", "runs", "searches"))
_PACKAGES = ("kerasseq.cells", "kerasseq.layers", "kerasseq.models")
_OWN = "kerasseq>"


def registered() -> dict[str, Any]:
    """The classes of this package that are registered with Keras, by their registered names."""
    for name in _PACKAGES:
        package = importlib.import_module(name)
        for module in pkgutil.walk_packages(package.__path__, f"{name}."):
            importlib.import_module(module.name)
    known = keras.saving.get_custom_objects()
    return {name: kind for name, kind in sorted(known.items()) if name.startswith(_OWN)}


def classes_in(path: Path) -> set[str]:
    """The registered names of the classes of this package in a `.keras` file."""
    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read("config.json"))
    return {name for name in _names(config) if name.startswith(_OWN)}


def _names(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(name := value.get("registered_name"), str):
            yield name
        if value.get("class_name") == "function":
            yield str(value.get("config"))
        value = [*value.values()]
    if isinstance(value, list):
        for own in value:
            yield from _names(own)


def outputs(model: Any, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The outputs of a model with a dict of outputs, outside of training."""
    found = model(dict(inputs), training=False)
    return {name: keras.ops.convert_to_numpy(found[name]) for name in found}


def answer(run: Any, call: Mapping[str, Any]) -> dict[str, Any]:
    """The answer of a run to a call, as JSON values.

    Args:
        run: a Run.
        call: the `verb`, a method of the run, and its `arguments` by name.
    """
    found = getattr(run, call["verb"])(**call["arguments"])
    if isinstance(found, dict):
        return plain(found)
    return {str(name): plain(found[name].tolist()) for name in found.columns}


def proposed(result: Any) -> dict[str, dict[str, Any]]:
    """The settings of each trial of a search, by its name."""
    found = result.to_dict()
    varied = [*result.settings]
    return {row["trial"]: plain({n: row[n] for n in varied}) for row in found["trials"]}


def shown(result: Any) -> dict[str, Any]:
    """The results of a search, without sentences, as JSON values."""
    return plain(
        {
            "finished": result.finished,
            "settings": result.settings if result.finished else None,
            "gain": result.gain,
            **result.to_dict(),
        }
    )


def plain(value: Any) -> Any:
    """As JSON has it, numbers in full precision; NaN is None, times are texts."""
    if isinstance(value, Mapping):
        return {str(name): plain(own) for name, own in value.items()}
    if isinstance(value, list | tuple):
        return [plain(own) for own in value]
    if hasattr(value, "item"):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return None if np.isnan(value) else value
    return str(value)


def read(path: Path) -> Any:
    """The values of a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))
