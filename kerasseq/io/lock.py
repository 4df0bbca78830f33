"""Locks that the operating system releases when the process ends, however it ends."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

if sys.platform != "win32":  # which has no such locks: there, nobody is kept out
    import fcntl

__all__ = ["NAME", "acquire", "held"]

#: Name of the file by which a folder is locked.
NAME = ".lock"
_PAUSE = 0.1  # seconds between two attempts
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
# What a file system answers that has no locks: work there goes on without.
_UNSUPPORTED = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP)
_held: set[tuple[int, str]] = set()  # threads and folders


def acquire(file: IO[Any], patience: float = 0.0) -> bool:
    """Lock an open file, until it is closed or this process ends.

    Args:
        file: the file; its content does not matter.
        patience: seconds to wait for another process that has the lock.

    Returns:
        False if another process still has it, else True.

    Example:

    >>> with open("notes.txt", "wb") as one, open("notes.txt", "rb") as other:
    ...     print(acquire(one), acquire(other))
    True False
    """
    until = time.monotonic() + patience
    while sys.platform != "win32":
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
            time.sleep(_PAUSE)
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise
            return True
    return True


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep other processes from writing to a folder.

    The folder is made where it is not there, and removed in the end if it is still empty. Within
    one thread, the lock may be taken again while it is held.

    Args:
        folder: the folder, in which a file `.lock` lies in the meantime.

    Raises:
        OSError: if the folder cannot be written.
        ValueError: if another process, or another thread, has the lock.

    Example:

    >>> with held(Path("run")):
    ...     [path.name for path in Path("run").iterdir()]
    ['.lock']
    >>> Path("run").exists()
    False
    """
    owner = (threading.get_ident(), os.path.realpath(folder))
    if owner in _held:
        yield
        return
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    file = _locked(folder / NAME)
    _held.add(owner)
    try:
        yield
    finally:
        _held.discard(owner)
        with contextlib.suppress(OSError):  # it may stay: nobody has locked it
            (folder / NAME).unlink()
        file.close()
        with contextlib.suppress(OSError):  # something was written
            for path in made:
                path.rmdir()


def _locked(path: Path) -> IO[bytes]:
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _NO_FOLLOW, 0o666)
        except FileNotFoundError:  # another process has just removed the empty folder
            continue
        file = os.fdopen(descriptor, "rb")
        if not acquire(file):
            file.close()
            raise ValueError(
                f"another process writes to {path.parent}: wait until it ends, or give another "
                "folder."
            )
        if _is_at(path, descriptor):
            return file
        file.close()  # the process that had the lock has removed the file


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False
