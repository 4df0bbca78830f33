"""Files that appear whole or not at all, whenever the process or the machine stops.

A file is written under a temporary name in the same folder, synced to disk and renamed. A process
that is killed in between leaves the temporary file; the next write into the folder removes it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import re
import secrets
from collections.abc import Iterator
from pathlib import Path

__all__ = ["is_leftover", "replacing", "sync_folder", "write_text"]

_LEFTOVER = re.compile(r"\.new\..+|\..+\.new")  # the second form is of earlier versions
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)  # which Windows lacks
# What a file system or a folder answers that cannot be synced.
_UNSUPPORTED = (errno.EACCES, errno.EINVAL, errno.ENOTSUP)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary file to write, which replaces another file in the end.

    Where the block raises, the temporary file is removed and the other one stays as it was.

    Args:
        path: the file to replace, in a folder that exists.

    Yields:
        An empty file in the same folder, its name ending in that of `path`. The name cannot be
        guessed and no link is followed, so that nobody can redirect what is written.

    Raises:
        OSError: if the disk does not take it.

    Example:

    >>> path = Path("values.npy")
    >>> with replacing(path) as temporary:
    ...     size = temporary.write_bytes(b"1234")
    >>> path.read_bytes()
    b'1234'
    """
    _remove_leftovers(path)
    owner = f"{os.getpid()}@{platform.node()}"
    temporary = path.with_name(f".new.{owner}.{secrets.token_hex(8)}.{path.name}")
    os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_FOLLOW, 0o666))
    try:
        yield temporary
        _sync(temporary, os.O_RDWR | _NO_FOLLOW)  # else the name could reach the disk first
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    sync_folder(path.parent)


def write_text(path: Path, text: str) -> None:
    """Replace a file by a text, in UTF-8.

    Args:
        path: the file, in a folder that exists.
        text: all of its content.

    Raises:
        OSError: if the disk does not take it; the file is then as it was.

    Example:

    >>> write_text(Path("notes.txt"), "twelve")
    >>> Path("notes.txt").read_text()
    'twelve'
    """
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def sync_folder(folder: Path) -> None:
    """Wait until the names of the files in a folder are on disk, where the system can tell."""
    if os.name != "posix":  # elsewhere a folder cannot be opened
        return
    try:
        _sync(folder, os.O_RDONLY)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise


def is_leftover(path: Path) -> bool:
    """Whether a file is a temporary one, which a killed process may have left.

    Example:

    >>> Path(".new.model.keras").touch()
    >>> is_leftover(Path(".new.model.keras")), is_leftover(Path("model.keras"))
    (True, False)
    """
    return _LEFTOVER.fullmatch(path.name) is not None and path.is_file()


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    except OSError as error:
        error.filename = os.fspath(path)
        raise
    finally:
        os.close(descriptor)


def _remove_leftovers(path: Path) -> None:
    """Remove the temporary files of processes that have ended, and those of earlier versions."""
    earlier = {f".new.{path.name}", f".{path.name}.new"}
    owned = re.compile(rf"\.new\.(\d+)@{re.escape(platform.node())}\.")
    with contextlib.suppress(OSError):  # they may stay
        for other in path.parent.iterdir():
            owner = owned.match(other.name)
            if other.name in earlier or (owner is not None and not _lives(int(owner[1]))):
                other.unlink(missing_ok=True)


def _lives(process: int) -> bool:
    """Whether a process of this machine is still there, as far as that can be told."""
    if os.name != "posix":  # elsewhere, a signal ends it
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # somebody else's, or no number of a process
        return True
    return True
