"""The files of a saved run, read and checked against the types that declare them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NotRequired, TypedDict

from kerasseq import settings
from kerasseq.io import schema
from kerasseq.io.limits import Damaged, TooLarge
from kerasseq.io.state import read_json, read_state
from kerasseq.runs.folder import HISTORY, METRICS, MODEL, RECORD, REMEDY, STATE

if TYPE_CHECKING:
    import keras

__all__ = ["Metrics", "read_files"]


_Scores = dict[str, schema.AnyFloat]


class _Rows(TypedDict):
    train: schema.Count
    validation: schema.Count
    test: schema.Count


class _Epochs(TypedDict):
    trained: schema.Count
    kept: schema.Count


class Metrics(TypedDict):
    """The entries of metrics.json that the runs of all recipes have."""

    recipe: str
    test: _Scores
    interval: dict[str, tuple[schema.AnyFloat, schema.AnyFloat]]
    baselines: dict[str, _Scores]
    parameters: schema.Count
    macs: NotRequired[schema.Count]  # earlier runs do without
    seconds: Annotated[float, schema.Limits(least=0)]
    seed: int
    versions: dict[str, str]
    verdict: str
    rows: _Rows
    epochs: _Epochs
    remarks: NotRequired[list[str]]


_History = Annotated[dict[str, list[schema.AnyFloat]], schema.SameLength()]


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
        "state": (STATE, lambda path: _checked(task.upgraded(read_state(path)), task.state_type())),
        "metrics": (METRICS, lambda path: _checked(read_json(path), Metrics, task.metrics_type())),
        "history": (HISTORY, lambda path: _checked(read_json(path), _History)),
        "model": (MODEL, _model),
    }
    found: dict[str, Any] = {}
    missing, damaged = [], []
    for field, (name, read) in readers.items():
        try:
            found[field] = read(folder / name)
        except FileNotFoundError as error:
            missing.append(str(error))
        except (Damaged, TooLarge) as error:  # which names the file
            damaged.append(str(error))
        except ValueError as error:
            damaged.append(f"{folder / name} is damaged: {error}")
    if damaged:
        raise ValueError(f"{'; '.join([*missing, *damaged])}. {REMEDY}")
    if missing:
        raise FileNotFoundError("; ".join(missing))
    typed = found.pop("settings")
    try:
        resolved, _ = task.resolve(found["state"]["data_info"], typed)
        task.check_saved(found["model"], found["state"], resolved, found["metrics"])
    except Exception as error:  # of any kind: it was made of what is in the files
        reason = " ".join(str(error).split())
        raise ValueError(
            f"the files of {folder} do not go together, {RECORD}, {STATE}, {METRICS} and {MODEL}: "
            f"{reason or type(error).__name__}. {REMEDY}"
        ) from error
    return found


def _checked(value: Any, *kinds: Any) -> Any:
    for kind in kinds:
        schema.check(value, kind)
    return value


def _settings(record: Mapping[str, Any], task: Any) -> Any:
    """The settings of the record as a typed object."""
    found = task.saved(record["settings"])
    settings.check(found)
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
