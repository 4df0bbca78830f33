"""The journal of a search: all events that it needs to resume, one JSON object per line."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kerasseq.io import atomic, lock
from kerasseq.settings import aliases

__all__ = ["FORMAT", "JOURNAL", "Journal", "read", "read_checked", "unwritable_error"]

FORMAT = 2
JOURNAL = "journal.jsonl"
_OLD_NAMES = 1  # the last format with old names of settings
_REQUIRED = {
    "search": ("recipe", "metric", "higher_is_better", "format"),
    "began": ("trial", "settings"),
    "ended": ("trial", "status"),
    "finished": ("best",),
}
_TYPES = {
    "trial": str,
    **dict.fromkeys(("settings", "space"), dict),
    "status": str,
    "reason": str,
    **dict.fromkeys(("score", "spread", "epochs", "best_epoch", "seconds"), int | float | None),
    **dict.fromkeys(("parameters", "macs"), int | None),
    "curve": list,
    "best": str | None,
    "gain": dict | None,
    "test": dict | None,
}
_GAIN = ("metric", "best", "default", "difference", "low", "high", "outcome")
_PATIENCE = 5.0  # seconds to wait until workers of a killed search have ended and unlock the file


class Journal:
    """Append-only file of events; one process at a time may write, and holds a lock.

    Args:
        folder: folder of the search.

    Raises:
        OSError: if the file cannot be written.
        ValueError: if another process writes to it.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / JOURNAL
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = open(self.path, "ab")  # noqa: SIM115 - open, and locked, until the end
            atomic.sync_folder(folder)  # so that the file's name is on disk before its lines
        except OSError as error:
            raise unwritable_error(error, folder) from error
        self._lock()
        self._truncate()

    def append(self, event: Mapping[str, Any]) -> None:
        """Append an event and sync it to disk."""
        line = json.dumps(event, ensure_ascii=False) + "\n"
        try:
            self._file.write(line.encode())
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise unwritable_error(error, self.path.parent) from error

    def close(self) -> None:
        """Close the file, and release its lock."""
        with contextlib.suppress(OSError):
            self._file.close()

    def _lock(self) -> None:
        if not lock.acquire(self._file, _PATIENCE):
            self._file.close()
            raise ValueError(
                f"another process searches in {self.path.parent}: wait until it ends, or give "
                "another folder."
            )

    def _truncate(self) -> None:
        """Remove an incomplete last line."""
        whole = self.path.read_bytes().rfind(b"\n") + 1
        if whole < self.path.stat().st_size:
            os.truncate(self.path, whole)


def read(folder: Path) -> list[dict[str, Any]]:
    """Read the events of a journal, without an incomplete last line.

    Raises:
        ValueError: if a line is not a JSON object.
    """
    path = folder / JOURNAL
    return list(_lines(path)) if path.is_file() else []


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(path.read_bytes().split(b"\n")[:-1], 1):
        try:
            event = json.loads(line)
        except ValueError:
            event = None
        if not isinstance(event, dict):
            raise _damaged_line(number, path)
        yield event


def read_checked(folder: Path) -> list[dict[str, Any]]:
    """Read the events of a journal, check their fields and order, and update names of settings.

    Raises:
        ValueError: if a line is damaged or missing, or the journal has a later format.
    """
    events = read(folder)
    version = events[0].get("format", FORMAT) if events else FORMAT
    if version not in (_OLD_NAMES, FORMAT):
        raise ValueError(
            f"{folder} holds a search of another version of kerasseq (format {version}, and this "
            f"one reads {FORMAT}): read it with that one."
        )
    trials: dict[str, set[str]] = {"began": set(), "ended": set()}
    for number, event in enumerate(events, 1):
        kind = event.get("event")
        valid = (
            _is_complete(event)
            and (kind == "search") == (number == 1)
            and _is_in_order(event, trials)
        )
        if not valid or (kind == "finished" and number < len(events)):
            raise _damaged_line(number, folder / JOURNAL)
        if kind in trials:
            trials[kind].add(event["trial"])
    return _with_current_names(events) if version == _OLD_NAMES and events else events


def _with_current_names(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The events of an old journal, with the current names of settings."""
    about, *rest = events
    recipe, space = about["recipe"], about.get("space", {})
    ranges = aliases.current_space(recipe, space)
    # A varied setting is renamed like its range, since some new names depend on the value.
    new = {**aliases.renamed(recipe), **dict(zip(space, ranges, strict=True))}
    settings = aliases.current(recipe, about.get("settings", {}))
    renamed = [{**about, "format": FORMAT, "settings": settings, "space": ranges}]
    for event in rest:
        values = event.get("settings", {})
        varied = {new.get(name, name): value for name, value in values.items()}
        renamed.append({**event, "settings": varied} if "settings" in event else event)
    return renamed


def _is_complete(event: Mapping[str, Any]) -> bool:
    """Whether an event has all required fields, with values of the right types."""
    required = _REQUIRED.get(str(event.get("event")))
    typed = all(isinstance(event[name], kind) for name, kind in _TYPES.items() if name in event)
    gain = event.get("gain")
    gain_complete = gain is None or (isinstance(gain, dict) and {*_GAIN} <= {*gain})
    return required is not None and {*required} <= {*event} and typed and gain_complete


def _is_in_order(event: Mapping[str, Any], trials: Mapping[str, set[str]]) -> bool:
    """Whether an event may follow the earlier ones: a trial begins once and then ends once."""
    if event["event"] == "began":
        return event["trial"] not in trials["began"]
    if event["event"] == "ended":
        return event["trial"] in trials["began"] - trials["ended"]
    return event.get("best") in {None, *trials["ended"]}


def _damaged_line(number: int, path: Path) -> ValueError:
    return ValueError(
        f"line {number} of {path} is damaged: restore the file from a copy, or search in another "
        "folder."
    )


def unwritable_error(error: Exception, folder: Path) -> OSError:
    """The error for a folder that cannot be written."""
    reason = getattr(error, "strerror", None) or error
    return OSError(
        f"the search cannot write to {folder} ({reason}): make room or give another folder; the "
        "same call then resumes it."
    )
