"""Files that appear whole or not at all, whenever the process or the machine stops.

A file is written under a temporary name in the same folder, synced to disk and renamed. A process
that is killed in between leaves the temporary file; the next write into the folder removes it.

Several files that belong together are written into a temporary folder beside those that they
replace. Renaming that folder is the moment from which on they count; then each is moved to its
place. Where a process is killed in between, `finish` moves the rest.
"""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

__all__ = [
    "COMMITTED",
    "finish",
    "is_leftover",
    "replacing",
    "replacing_together",
    "sync_folder",
    "write_text",
]

#: The folder of files that are complete, and not all in their places yet.
COMMITTED = ".committed"

_LEFTOVER = re.compile(r"\.new\..+|\..+\.new")  # the second form is of earlier versions
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)  # which Windows lacks
_STAGED = re.compile(r"\.new\.\d+@.+\.files")  # a folder of files that are not complete
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
    temporary = _temporary(path)
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


@contextlib.contextmanager
def replacing_together(folder: Path) -> Iterator[Path]:
    """Write several files to a temporary folder, then move them all into `folder`, or none.

    Files in `folder` without a new version stay. If the block raises an error, `folder` stays as it
    was.

    Args:
        folder: the folder whose files are replaced; it exists.

    Yields:
        A temporary folder, in `folder`.

    Raises:
        OSError: if the disk does not take it.

    Example:

    >>> folder = Path("saved")
    >>> folder.mkdir()
    >>> with replacing_together(folder) as temporary:
    ...     write_text(temporary / "a.txt", "one")
    ...     write_text(temporary / "b.txt", "two")
    >>> sorted(path.name for path in folder.iterdir())
    ['a.txt', 'b.txt']
    """
    finish(folder)
    temporary = _temporary(folder / "files")
    temporary.mkdir()
    try:
        yield temporary
        for path in sorted(temporary.rglob("*"), reverse=True):
            if path.is_dir():
                sync_folder(path)
            else:
                _sync(path, os.O_RDWR | _NO_FOLLOW)
                _remove_leftovers(folder / path.relative_to(temporary))
        sync_folder(temporary)
        os.replace(temporary, folder / COMMITTED)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    sync_folder(folder)
    finish(folder)


def finish(folder: Path) -> None:
    """Move files to their places that a killed process had completed, and not moved any more.

    Several processes may do so at a time.

    Raises:
        OSError: if the disk does not take it.

    Example:

    >>> Path("run", COMMITTED).mkdir(parents=True)
    >>> Path("run", COMMITTED, "run.json").touch()
    >>> finish(Path("run"))
    >>> [path.name for path in Path("run").iterdir()]
    ['run.json']
    """
    committed = folder / COMMITTED
    if not committed.is_dir():
        return
    inside = [committed, *sorted(committed.rglob("*"))]
    folders = [path for path in inside if path.is_dir()]
    for own in folders:
        (folder / own.relative_to(committed)).mkdir(exist_ok=True)
    for path in inside:
        if path not in folders:
            with contextlib.suppress(FileNotFoundError):  # another process was faster
                os.replace(path, folder / path.relative_to(committed))
    for own in folders:
        sync_folder(folder / own.relative_to(committed))
    with contextlib.suppress(OSError):
        for own in reversed(folders):
            own.rmdir()


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
    """Whether a file or folder is a temporary one, which a killed process may have left.

    Example:

    >>> Path(".new.model.keras").touch()
    >>> is_leftover(Path(".new.model.keras")), is_leftover(Path("model.keras"))
    (True, False)
    """
    if _STAGED.fullmatch(path.name) and path.is_dir():
        return True
    return _LEFTOVER.fullmatch(path.name) is not None and path.is_file()


def _temporary(path: Path) -> Path:
    """A name in the same folder that cannot be guessed, and tells which process has made it."""
    owner = f"{os.getpid()}@{platform.node()}"
    return path.with_name(f".new.{owner}.{secrets.token_hex(8)}.{path.name}")


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
    if not path.parent.is_dir():
        return
    with contextlib.suppress(OSError):  # they may stay
        for other in path.parent.iterdir():
            owner = owned.match(other.name)
            if other.name in earlier or (owner is not None and not _lives(int(owner[1]))):
                if other.is_dir() and not other.is_symlink():
                    shutil.rmtree(other)
                else:
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
