"""What processes of one machine have in common: made by one of them, and mapped by all.

These files are pickles, the only ones there are: a search makes their folder anew, for itself
alone, and removes it when its processes end. Nothing that is kept is one.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pickle  # noqa: TID251
import shutil
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import joblib  # noqa: TID251

__all__ = ["CACHE", "mapped", "remove", "renew", "shared", "write"]

CACHE = ".data"  # the folder of a search in which they are, while its processes run
_MOST = 8  # files; what is mapped stays there for who maps it
_Value = TypeVar("_Value")


def renew(folder: Path) -> Path:
    """An empty folder for them, which nobody else can write to."""
    remove(folder)
    folder.joinpath(CACHE).mkdir(mode=0o700)
    return folder / CACHE


def remove(folder: Path) -> None:
    """Remove that of a search."""
    shutil.rmtree(folder / CACHE, ignore_errors=True)


def write(value: object, path: Path) -> None:
    """Write a value, whole or not at all.

    Raises:
        OSError: if the disk does not take it.
    """
    beside = path.with_suffix(".new")
    try:
        joblib.dump(value, beside)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    beside.replace(path)


def mapped(path: Path) -> Any:
    """A value, with its arrays mapped copy-on-write: they are in memory once for all processes."""
    return joblib.load(path, mmap_mode="c")


def shared(folder: Path, name: str, make: Callable[[], _Value]) -> _Value:
    """What `make` gives, from the file that one of the processes wrote.

    What cannot be written is each process's own.

    Args:
        folder: what `renew` gave.
        name: of the value, any text.
        make: makes it.
    """
    path = folder / sha256(name.encode()).hexdigest()[:32]
    try:
        with _lock(path.with_suffix(".lock")):
            if not path.is_file():
                value = make()
                try:
                    write(value, path)
                except (OSError, pickle.PicklingError, AttributeError, TypeError):
                    return value
                _clear(folder)
            os.utime(path)
            found: _Value = mapped(path)
            return found
    except FileNotFoundError:  # cleared, by a process that came in between
        return make()


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Wait for the process that makes the same; it is over with its process."""
    with open(path, "wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _clear(folder: Path) -> None:
    """Leave those that were used last."""
    found = [path for path in folder.iterdir() if not path.suffix]
    for path in sorted(found, key=lambda own: own.stat().st_mtime)[:-_MOST]:
        path.unlink(missing_ok=True)
