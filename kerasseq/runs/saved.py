"""Reading the files of a saved run, and checking them against their declared types."""

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
from kerasseq.runs.scores import Interval

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


def _epochs_fault(epochs: Mapping[str, int]) -> str | None:
    """The fault of a number of epochs that cannot be; None if it has none."""
    kept, trained = epochs["kept"], epochs["trained"]
    return None if 1 <= kept <= trained else f"cannot be epoch {kept:,} of {trained:,}"


def _interval_fault(metrics: Mapping[str, Any]) -> str | None:
    """The fault of intervals of scores that there are not; None if there are none such."""
    unknown = [name for name in metrics["interval"] if name not in metrics["test"]]
    return f"has an interval of {unknown[0]}, and no such score" if unknown else None


class Metrics(TypedDict):
    """Entries of metrics.json that all recipes share."""

    recipe: str
    test: _Scores
    interval: dict[str, Interval]
    baselines: dict[str, _Scores]
    parameters: schema.Count
    macs: NotRequired[schema.Count]  # missing in earlier runs
    seconds: Annotated[float, schema.Limits(least=0)]
    seed: int
    versions: dict[str, str]
    verdict: str
    rows: _Rows
    epochs: Annotated[_Epochs, _epochs_fault]
    remarks: NotRequired[list[str]]


class _Losses(TypedDict):
    """The entry that every history has."""

    loss: Annotated[list[schema.AnyFloat], schema.Length(1)]


_Metrics = Annotated[Metrics, _interval_fault]
_History = Annotated[dict[str, list[schema.AnyFloat]], schema.SameLength()]


def read_files(folder: Path, record: Mapping[str, Any], task: Any) -> dict[str, Any]:
    """Read the model, state, metrics and history of a run.

    Args:
        folder: folder of the run.
        record: record of the run.
        task: task of the recipe.

    Returns:
        Fields of a Run by name.

    Raises:
        FileNotFoundError: if files are missing.
        ValueError: if files are damaged or inconsistent; it names them.
    """
    readers: dict[str, tuple[str, Callable[[Path], Any]]] = {
        "settings": (RECORD, lambda path: _read_settings(record, task)),
        "state": (
            STATE,
            lambda path: _check_types(task.upgrade_state(read_state(path)), task.state_type()),
        ),
        "metrics": (
            METRICS,
            lambda path: _check_types(read_json(path), _Metrics, task.metrics_type()),
        ),
        "history": (
            HISTORY,
            lambda path: _check_types(read_json(path), _History, _Losses, task.history_type()),
        ),
        "model": (MODEL, _read_model),
    }
    fields: dict[str, Any] = {}
    missing, damaged = [], []
    for field, (name, read) in readers.items():
        try:
            fields[field] = read(folder / name)
        except FileNotFoundError as error:
            missing.append(str(error))
        except (Damaged, TooLarge) as error:  # its message names the file
            damaged.append(str(error))
        except ValueError as error:
            damaged.append(f"{folder / name} is damaged: {error}")
    if damaged:
        raise ValueError(f"{'; '.join([*missing, *damaged])}. {REMEDY}")
    if missing:
        raise FileNotFoundError("; ".join(missing))
    settings_object = fields.pop("settings")
    try:
        _check_together(record, settings_object, **fields)
        resolved, _ = task.resolve(fields["state"]["data_info"], settings_object)
        task.check_saved(fields["model"], fields["state"], resolved, fields["metrics"])
    except Exception as error:  # of any type: damaged content can fail anywhere
        reason = " ".join(str(error).split())
        raise ValueError(
            f"the files of {folder} do not go together, {RECORD}, {STATE}, {METRICS}, {HISTORY} "
            f"and {MODEL}: {reason or type(error).__name__}. {REMEDY}"
        ) from error
    return fields


def _check_together(
    record: Mapping[str, Any],
    settings: Any,
    metrics: Mapping[str, Any],
    history: Mapping[str, Any],
    model: keras.Model,
    **others: Any,
) -> None:
    """Raise a ValueError if what two files both say differs."""
    sayings = {
        "recipe": (METRICS, metrics["recipe"], RECORD, record["recipe"]),
        "seed": (METRICS, metrics["seed"], RECORD, int(settings.seed)),
        "number of parameters": (METRICS, metrics["parameters"], MODEL, model.count_params()),
        "number of epochs": (METRICS, metrics["epochs"]["trained"], HISTORY, len(history["loss"])),
    }
    for name, (first, one, second, other) in sayings.items():
        if one != other:
            raise ValueError(f"the {name} is {one!r} in {first}, and {other!r} in {second}")


def _check_types(value: Any, *types: Any) -> Any:
    """Check a value against each type, and return it."""
    for type_ in types:
        schema.check(value, type_)
    return value


def _read_settings(record: Mapping[str, Any], task: Any) -> Any:
    """The settings of the record as a typed object."""
    typed = task.load_settings(record["settings"])
    settings.check(typed)
    task.check_conflicts(typed)
    return typed


def _read_model(path: Path) -> keras.Model:
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: restore it from a copy, or train again.")
    import keras

    importlib.import_module("kerasseq.models")  # registers the layers of kerasseq
    try:
        return keras.saving.load_model(path, compile=False)
    except Exception as error:  # Keras raises many types of errors here
        raise ValueError("it cannot be read as a Keras model") from error
