"""Pointers of Git LFS: small texts that a clone without Git LFS has in place of large files."""

from __future__ import annotations

from pathlib import Path

__all__ = ["check_no_pointer"]

_BEGIN = b"version https://git-lfs.github.com/spec/"


def check_no_pointer(path: Path) -> None:
    """Raise a ValueError if a file is a pointer of Git LFS.

    Example:
        >>> Path("model.h5").write_bytes(_BEGIN + b"v1")
        42
        >>> check_no_pointer(Path("model.h5"))
        Traceback (most recent call last):
        ValueError: 'model.h5' is a pointer of Git LFS, 42 bytes of text, and not the file itself: \
run `git lfs pull` where it was cloned, or download the file.
    """
    with open(path, "rb") as file:
        is_pointer = file.read(len(_BEGIN)) == _BEGIN
    if is_pointer:
        raise ValueError(
            f"'{path}' is a pointer of Git LFS, {path.stat().st_size} bytes of text, and not the "
            "file itself: run `git lfs pull` where it was cloned, or download the file."
        )
