"""The journal of a search: what it needs to go on, one JSON value a line, each on disk for good."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kerasseq.io import atomic, lock
from kerasseq.settings import aliases

__all__ = ["FORMAT", "JOURNAL", "Journal", "read", "sound", "unwritable"]

FORMAT = 2
JOURNAL = "journal.jsonl"
_RENAMED = 1  # the last format that has settings under names of before
_NEEDED = {
    "search": ("recipe", "metric", "higher_is_better", "format"),
    "began": ("trial", "settings"),
    "ended": ("trial", "status"),
    "finished": ("best",),
}
_KINDS = {
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
_PATIENCE = 5.0  # seconds for the workers of a killed search to see that it is gone


class Journal:
    """Lines that are only ever added; one process at a time may add.

    Args:
        folder: of the search.

    Raises:
        OSError: if it cannot be written.
        ValueError: if another process writes to it.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / JOURNAL
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = open(self.path, "ab")  # noqa: SIM115 - open, and locked, until the end
            atomic.sync_folder(folder)  # or lines on disk could be in a file without a name
        except OSError as error:
            raise unwritable(error, folder) from error
        self._lock()
        self._mend()

    def append(self, event: Mapping[str, Any]) -> None:
        """Add a line; when this returns, it is on disk."""
        line = json.dumps(event, ensure_ascii=False) + "\n"
        try:
            self._file.write(line.encode())
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise unwritable(error, self.path.parent) from error

    def close(self) -> None:
        """Let others write."""
        with contextlib.suppress(OSError):
            self._file.close()

    def _lock(self) -> None:
        if not lock.acquire(self._file, _PATIENCE):
            self._file.close()
            raise ValueError(
                f"another process searches in {self.path.parent}: wait until it ends, or give "
                "another folder."
            )

    def _mend(self) -> None:
        """Cut off a last line that was never finished."""
        whole = self.path.read_bytes().rfind(b"\n") + 1
        if whole < self.path.stat().st_size:
            os.truncate(self.path, whole)


def read(folder: Path) -> list[dict[str, Any]]:
    """The lines of a journal; a last line that was not finished is none.

    Raises:
        ValueError: if a line is damaged.
    """
    path = folder / JOURNAL
    return list(_lines(path)) if path.is_file() else []


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(path.read_bytes().split(b"\n")[:-1], 1):
        try:
            found = json.loads(line)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise _damaged(number, path)
        yield found


def sound(folder: Path) -> list[dict[str, Any]]:
    """The same, if they are of a search, each in its place, with settings by their names of today.

    Raises:
        ValueError: if a line is damaged or missing, or of a later version.
    """
    events = read(folder)
    version = events[0].get("format", FORMAT) if events else FORMAT
    if version not in (_RENAMED, FORMAT):
        raise ValueError(
            f"{folder} holds a search of another version of kerasseq (format {version}, and this "
            f"one reads {FORMAT}): read it with that one."
        )
    seen: dict[str, set[str]] = {"began": set(), "ended": set()}
    for number, event in enumerate(events, 1):
        kind = event.get("event")
        right = _whole(event) and (kind == "search") == (number == 1) and _follows(event, seen)
        if not right or (kind == "finished" and number < len(events)):
            raise _damaged(number, folder / JOURNAL)
        if kind in seen:
            seen[kind].add(event["trial"])
    return _current(events) if version == _RENAMED and events else events


def _current(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The lines of a search whose settings have names of before, by their names of today."""
    about, *rest = events
    recipe, space = about["recipe"], about.get("space", {})
    ranges = aliases.current_space(recipe, space)
    # What varies has the new name of its range, whatever the value of the trial.
    new = {**aliases.renamed(recipe), **dict(zip(space, ranges, strict=True))}
    settings = aliases.current(recipe, about.get("settings", {}))
    found = [{**about, "format": FORMAT, "settings": settings, "space": ranges}]
    for event in rest:
        own = {new.get(name, name): value for name, value in event.get("settings", {}).items()}
        found.append({**event, "settings": own} if "settings" in event else event)
    return found


def _whole(event: Mapping[str, Any]) -> bool:
    """Whether a line has what is read of it."""
    needed = _NEEDED.get(str(event.get("event")))
    known = all(isinstance(event[name], kind) for name, kind in _KINDS.items() if name in event)
    gain = event.get("gain")
    compared = gain is None or (isinstance(gain, dict) and {*_GAIN} <= {*gain})
    return needed is not None and {*needed} <= {*event} and known and compared


def _follows(event: Mapping[str, Any], seen: Mapping[str, set[str]]) -> bool:
    """Whether a line may come after those that were seen."""
    if event["event"] == "began":
        return event["trial"] not in seen["began"]
    if event["event"] == "ended":
        return event["trial"] in seen["began"] - seen["ended"]
    return event.get("best") in {None, *seen["ended"]}


def _damaged(number: int, path: Path) -> ValueError:
    return ValueError(
        f"line {number} of {path} is damaged: restore the file from a copy, or search in another "
        "folder."
    )


def unwritable(error: Exception, folder: Path) -> OSError:
    """What to tell of a folder that cannot be written."""
    reason = getattr(error, "strerror", None) or error
    return OSError(
        f"the search cannot write to {folder} ({reason}): make room or give another folder; the "
        "same call then goes on."
    )
