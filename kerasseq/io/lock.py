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

if sys.platform != "win32":  # without these locks, other processes are not kept out on Windows
    import fcntl

__all__ = ["NAME", "acquire", "hold"]

#: Name of the lock file in a folder.
NAME = ".lock"
_PAUSE = 0.1  # seconds between two attempts
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
# Errors of a file system without locks, where work goes on without a lock.
_UNSUPPORTED = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP)
_locked: set[tuple[int, str]] = set()  # ids of threads, and folders


def acquire(file: IO[Any], patience: float = 0.0) -> bool:
    """Lock an open file, until it is closed or this process ends.

    Args:
        file: The file; its content does not matter.
        patience: Seconds to wait if another process has the lock.

    Returns:
        False if another process still has the lock, else True.

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
def hold(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, so that no other process of kerasseq writes to it.

    A folder that does not exist is created, and removed in the end if it is empty. The thread that
    has the lock may take it again.

    Args:
        folder: The folder; it has a file `.lock` while the lock is held.

    Raises:
        OSError: If the folder cannot be written.
        ValueError: If another process, or another thread, has the lock.

    Example:

    >>> with hold(Path("run")):
    ...     [path.name for path in Path("run").iterdir()]
    ['.lock']
    >>> Path("run").exists()
    False
    """
    owner = (threading.get_ident(), os.path.realpath(folder))
    if owner in _locked:
        yield
        return
    new_folders = [path for path in (folder, *folder.parents) if not path.exists()]
    file = _open_locked(folder / NAME)
    _locked.add(owner)
    try:
        yield
    finally:
        _locked.discard(owner)
        with contextlib.suppress(OSError):  # the file may remain: it is no longer locked
            (folder / NAME).unlink()
        file.close()
        with contextlib.suppress(OSError):  # folders with files remain
            for path in new_folders:
                path.rmdir()


def _open_locked(path: Path) -> IO[bytes]:
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
        file.close()  # another process has removed the file: try again with a new one


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False
