"""Whether a run may be written to a folder, or is there already."""

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
    """Check that a folder may be written; the Run that is there already, if it is the same.

    Args:
        folder: folder of the run; nothing is written.
        stamp: `recipe`, `settings` and `data` of the run.

    Raises:
        ValueError: if the folder holds another run, or anything else.
    """
    if holds(folder, RECORD):
        _check_same(read_record(folder), stamp, f"{folder} holds a run")
        tidy(folder)  # after a kill
        return load(folder)
    if holds(folder, CHECKPOINT):
        try:
            there = interrupted(folder)
        except ValueError:  # which the training says, and begins anew
            return None
        _check_same(there, stamp, f"{folder} holds an interrupted run")
        return None
    check_free(folder)
    return None


def _check_same(there: Mapping[str, Any], here: Mapping[str, Any], what: str) -> None:
    before = aliases.current(there["recipe"], there["settings"], here["settings"])
    after = here["settings"]
    if there["recipe"] in registry.names():
        task = registry.task(there["recipe"])
        # Settings that are newer than the run have their defaults.
        before, after = task.by_content({**task.defaults, **before}), task.by_content(after)
    changed = [] if there["recipe"] == here["recipe"] else [f"recipe {there['recipe']!r}"]
    changed += [
        f"{name}={before.get(name)!r}"
        for name in sorted({*before, *after})
        if _plain(before.get(name)) != _plain(after.get(name))
    ]
    changed += [] if there["data"] == here["data"] else ["other data"]
    if changed:
        raise ValueError(
            f"{what} with {', '.join(changed)}: give the same settings and data, or another folder."
        )


def _plain(value: Any) -> Any:
    """A setting as JSON has it."""
    return list(value) if isinstance(value, tuple) else value
