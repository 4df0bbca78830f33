"""Checking that a folder is free for a run, or holds the same run already."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kerasseq import registry
from kerasseq.runs.folder import (
    CHECKPOINT,
    RECORD,
    check_free,
    holds,
    interrupted,
    read_record,
    tidy,
)
from kerasseq.runs.run import Run, load
from kerasseq.settings import aliases

__all__ = ["claim"]


def claim(folder: Path, stamp: Mapping[str, Any]) -> Run | None:
    """Check that a run may be written to a folder; return the same run if it is finished there.

    Args:
        folder: folder of the run; only leftovers of a killed process are removed.
        stamp: `recipe`, `settings` and `data` of the run.

    Raises:
        ValueError: if the folder holds another run or other files.
    """
    if holds(folder, RECORD):
        _check_same(read_record(folder), stamp, f"{folder} holds a run")
        tidy(folder)  # a killed process may have left files
        return load(folder)
    if holds(folder, CHECKPOINT):
        try:
            saved_stamp = interrupted(folder)
        except ValueError:  # the checkpoint is damaged: training says so and begins anew
            return None
        _check_same(saved_stamp, stamp, f"{folder} holds an interrupted run")
        return None
    check_free(folder)
    return None


def _check_same(saved: Mapping[str, Any], stamp: Mapping[str, Any], description: str) -> None:
    saved_settings = aliases.current(saved["recipe"], saved["settings"], stamp["settings"])
    settings = stamp["settings"]
    if saved["recipe"] in registry.names():
        task = registry.task(saved["recipe"])
        # A setting that the saved run does not know yet has its default.
        defaults = {**task.defaults, **aliases.defaults_before(saved["recipe"])}
        saved_settings = task.settings_by_content({**defaults, **saved_settings})
        settings = task.settings_by_content(settings)
    differences = [] if saved["recipe"] == stamp["recipe"] else [f"recipe {saved['recipe']!r}"]
    differences += [
        f"{name}={saved_settings.get(name)!r}"
        for name in sorted({*saved_settings, *settings})
        if _as_json(saved_settings.get(name)) != _as_json(settings.get(name))
    ]
    differences += [] if saved["data"] == stamp["data"] else ["other data"]
    if differences:
        raise ValueError(
            f"{description} with {', '.join(differences)}: give the same settings and data, or "
            "another folder."
        )


def _as_json(value: Any) -> Any:
    """A setting as JSON stores it: a tuple becomes a list."""
    return list(value) if isinstance(value, tuple) else value
