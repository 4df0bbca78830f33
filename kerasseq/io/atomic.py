"""Atomic writing: a file is replaced as a whole or not at all, even if the process is killed.

A file is written under a temporary name in the same folder, synced to disk and renamed. If the
process is killed before that, the temporary file remains, and the next write into the folder
removes it.

Several files that belong together are written into a temporary folder, in the folder of the files
that they replace. Renaming the temporary folder to `.committed` commits them; then each file is
moved to its place. If the process is killed while it moves them, `finish` moves the rest.
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

#: Name of the folder with files that are committed, but not all moved to their places.
COMMITTED = ".committed"

_LEFTOVER = re.compile(r"\.new\..+|\..+\.new")  # earlier versions used the second form
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)  # which Windows lacks
_STAGED = re.compile(r"\.new\.\d+@.+\.files")  # a temporary folder that is not committed
# Errors of a file system or a folder that cannot be synced.
_UNSUPPORTED = (errno.EACCES, errno.EINVAL, errno.ENOTSUP)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write a temporary file that replaces another file when the block ends.

    If the block raises an error, the temporary file is removed and the other file does not change.

    Args:
        path: The file to replace, in a folder that exists.

    Yields:
        The path of an empty file in the same folder, whose name ends in the name of `path`. The
        name cannot be guessed and links are not followed, so nobody can redirect the writing.

    Raises:
        OSError: If the files cannot be written.

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
        _sync(temporary, os.O_RDWR | _NO_FOLLOW)  # content on disk before the name
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    sync_folder(path.parent)


@contextlib.contextmanager
def replacing_together(folder: Path) -> Iterator[Path]:
    """Write several files to a temporary folder, then move all of them into `folder`, or none.

    Other files in `folder` do not change. If the block raises an error, no file changes.

    Args:
        folder: The folder whose files are replaced; it exists.

    Yields:
        The path of a temporary folder inside `folder`.

    Raises:
        OSError: If the files cannot be written.

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
    """Move committed files to their places, if a killed process has not moved all of them.

    Several processes may do this at the same time.

    Args:
        folder: The folder that the files belong to.

    Raises:
        OSError: If the files cannot be written.

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
    paths = [committed, *sorted(committed.rglob("*"))]
    folders = [path for path in paths if path.is_dir()]
    for inner_folder in folders:
        (folder / inner_folder.relative_to(committed)).mkdir(exist_ok=True)
    for path in paths:
        if path not in folders:
            with contextlib.suppress(FileNotFoundError):  # another process was faster
                os.replace(path, folder / path.relative_to(committed))
    for inner_folder in folders:
        sync_folder(folder / inner_folder.relative_to(committed))
    with contextlib.suppress(OSError):
        for inner_folder in reversed(folders):
            inner_folder.rmdir()


def write_text(path: Path, text: str) -> None:
    """Replace a file by a text, in UTF-8.

    Args:
        path: The file, in a folder that exists.
        text: Its new content.

    Raises:
        OSError: If the file cannot be written; the old file is then unchanged.

    Example:

    >>> write_text(Path("notes.txt"), "twelve")
    >>> Path("notes.txt").read_text()
    'twelve'
    """
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def sync_folder(folder: Path) -> None:
    """Wait until the names of the files in a folder are on disk, if the system can sync them."""
    if os.name != "posix":  # elsewhere a folder cannot be opened
        return
    try:
        _sync(folder, os.O_RDONLY)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise


def is_leftover(path: Path) -> bool:
    """Whether a file or folder is temporary, so a killed process may have left it there.

    Example:

    >>> Path(".new.model.keras").touch()
    >>> is_leftover(Path(".new.model.keras")), is_leftover(Path("model.keras"))
    (True, False)
    """
    if _STAGED.fullmatch(path.name) and path.is_dir():
        return True
    return _LEFTOVER.fullmatch(path.name) is not None and path.is_file()


def _temporary(path: Path) -> Path:
    """A temporary path in the same folder, with the process and random digits in its name."""
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
    """Remove temporary files of processes that have ended, and of earlier versions."""
    old_names = {f".new.{path.name}", f".{path.name}.new"}
    with_owner = re.compile(rf"\.new\.(\d+)@{re.escape(platform.node())}\.")
    if not path.parent.is_dir():
        return
    with contextlib.suppress(OSError):  # leftovers do no harm
        for entry in path.parent.iterdir():
            owner = with_owner.match(entry.name)
            if entry.name in old_names or (owner is not None and not _is_running(int(owner[1]))):
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
                else:
                    entry.unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    """Whether a process of this machine is running; True if that is unknown."""
    if os.name != "posix":  # on Windows, `os.kill` would end the process
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # of another user, or not a process number
        return True
    return True
