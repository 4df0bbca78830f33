"""The files of a saved run, read and checked against the types that declare them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

from kerasseq import settings
from kerasseq.io import schema
from kerasseq.io.state import read_json, read_state
from kerasseq.runs.folder import HISTORY, METRICS, MODEL, RECORD, STATE

if TYPE_CHECKING:
    import keras

__all__ = ["Metrics", "read_files"]


class _Rows(TypedDict):
    train: int
    validation: int
    test: int


class _Epochs(TypedDict):
    trained: int
    kept: int


class Metrics(TypedDict):
    """The entries of metrics.json that the runs of all recipes have."""

    recipe: str
    test: dict[str, float]
    interval: dict[str, tuple[float, float]]
    baselines: dict[str, dict[str, float]]
    parameters: int
    macs: NotRequired[int]  # earlier runs do without
    seconds: float
    seed: int
    versions: dict[str, str]
    verdict: str
    rows: _Rows
    epochs: _Epochs
    remarks: NotRequired[list[str]]


def read_files(folder: Path, record: Mapping[str, Any], task: Any) -> dict[str, Any]:
    """The model, state, metrics and history of a run.

    Args:
        folder: folder of the run.
        record: its record.
        task: task of its recipe.

    Returns:
        Fields of a Run by name.

    Raises:
        FileNotFoundError: if files are missing.
        ValueError: if files are damaged, or do not go together; each is named.
    """
    readers: dict[str, tuple[str, Callable[[Path], Any]]] = {
        "settings": (RECORD, lambda path: _settings(record, task)),
        "state": (STATE, lambda path: _state(path, task)),
        "metrics": (METRICS, lambda path: _metrics(path, task)),
        "history": (HISTORY, lambda path: _checked(read_json(path), dict[str, list[float]])),
        "model": (MODEL, _model),
    }
    found: dict[str, Any] = {}
    missing, damaged = [], []
    for field, (name, read) in readers.items():
        try:
            found[field] = read(folder / name)
        except FileNotFoundError as error:
            missing.append(str(error))
        except ValueError as error:
            damaged.append(f"{folder / name} is damaged: {error}")
    if damaged:
        raise ValueError(f"{'; '.join([*missing, *damaged])}. {_REMEDY}")
    if missing:
        raise FileNotFoundError("; ".join(missing))
    typed = found.pop("settings")
    try:
        resolved, _ = task.resolve(found["state"]["data_info"], typed)
        task.check_saved(found["model"], found["state"], resolved)
    except Exception as error:  # of any kind: it was made of what is in the files
        reason = " ".join(str(error).split())
        raise ValueError(
            f"the files of {folder} do not go together, {RECORD}, {STATE} and {MODEL}: "
            f"{reason or type(error).__name__}. {_REMEDY}"
        ) from error
    return found


_REMEDY = "Restore it from a copy, or train again."


def _checked(value: Any, *kinds: Any) -> Any:
    for kind in kinds:
        schema.check(value, kind)
    return value


def _settings(record: Mapping[str, Any], task: Any) -> Any:
    """The settings of the record as a typed object."""
    found = task.saved(record["settings"])
    settings.check(found)
    return found


def _state(path: Path, task: Any) -> dict[str, Any]:
    found: dict[str, Any] = _checked(task.upgraded(read_state(path)), task.state_type())
    return found


def _metrics(path: Path, task: Any) -> dict[str, Any]:
    found: dict[str, Any] = _checked(read_json(path), Metrics, task.metrics_type())
    return found


def _model(path: Path) -> keras.Model:
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: restore it from a copy, or train again.")
    import keras

    importlib.import_module("kerasseq.models")  # registers what the file is made of
    try:
        return keras.saving.load_model(path, compile=False)
    except Exception as error:  # Keras has no error of its own for a file that it cannot read
        raise ValueError("it cannot be read as a Keras model") from error
