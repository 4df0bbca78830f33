"""Checks before a file is read: that memory is meant for as much as it holds.

Small files can stand for any amount: sparse and packed ones, arrays that are declared and not
there, tables of equal values. So sizes are compared before anything is read:

- 4 GiB at most are read of one file, archive or folder, and declared by one table or array; a
  value in a table counts as 8 bytes, and a column as 64 KiB at least;
- what is stored in fewer bytes may stand for 100 times as many, or for 256 MiB;
- columns are looked through for their meaning where there are at most 2,048 (2 MiB for each).

The environment variable `KERASSEQ_MAX_BYTES` says another number of bytes in place of all these.
"""

from __future__ import annotations

import errno
import json
import math
import os
import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "MAX_BYTES",
    "VALUE",
    "Damaged",
    "TooLarge",
    "check_npz",
    "check_size",
    "check_table",
    "encodable",
    "most_columns",
    "parse_json",
    "read_bytes",
    "read_member",
    "read_npz",
]

#: The environment variable that says how many bytes may be read.
MAX_BYTES = "KERASSEQ_MAX_BYTES"
#: Bytes that a value of a table counts as.
VALUE = 8
_MOST = 4 * 2**30
_RATIO = 100  # text packs to a tenth or so
_SMALL = 256 * 2**20
_COLUMN = 64 * 2**10
_LOOK = 2 * 2**20
_HALF = re.compile(r"\\u[dD][89a-fA-F]")  # of a character, as JSON may have it


class Damaged(ValueError):
    """A file that does not hold what it was written with, such as a power cut leaves."""


class TooLarge(ValueError):
    """More to read than memory is meant for."""


def check_size(size: int, what: str, stored: int | None = None) -> None:
    """Raise TooLarge, a ValueError, if there is more to read than memory is meant for.

    Args:
        size: Bytes to be read, or made room for.
        what: What holds them, for the error.
        stored: Bytes that they take on disk, where that may be fewer.

    Example:
        >>> check_size(2**20, "a.csv")
    """
    most = _given() or min(_MOST, _MOST if stored is None else max(_SMALL, _RATIO * stored))
    if size > most:
        packed = "" if stored is None or stored >= size else f" in a file of {stored:,}"
        raise TooLarge(
            f"{what} holds {size:,} bytes{packed}, and at most {most:,} are read. If that is "
            f"meant, set the environment variable {MAX_BYTES} to {size} or more."
        )


def check_table(rows: int, columns: int, what: str, stored: int) -> None:
    """Raise a ValueError if a table has more values, or columns, than memory is meant for."""
    check_size(columns * _COLUMN, f"{what}, with {columns:,} columns,")
    check_size(
        rows * columns * VALUE, f"{what}, with {rows:,} rows of {columns:,} columns,", stored
    )


def most_columns() -> int:
    """How many columns of a table are looked through for their meaning."""
    return (_given() or _MOST) // _LOOK


def read_bytes(path: Path) -> bytes:
    """The content of a file.

    Raises:
        ValueError: If it is too large.
    """
    check_size(path.stat().st_size, str(path))
    return path.read_bytes()


def read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """A file in a zip archive; no more of it is unpacked than the archive says that it holds."""
    with archive.open(member) as file:
        return file.read(member.file_size)


def check_npz(path: Path) -> None:
    """Raise a ValueError if an .npz file unpacks to too much, or declares more than it holds.

    NumPy makes room for all that is declared. What is damaged otherwise is left to it.

    Raises:
        TooLarge: If it unpacks to too much.
        Damaged: If it declares more than it holds.
    """
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        check_size(sum(member.file_size for member in members), str(path), path.stat().st_size)
        for member in members:
            declared = _declared(archive, member)
            if declared > member.file_size:
                raise Damaged(
                    f"{path} is damaged: the array {member.filename} declares {declared:,} bytes "
                    f"and holds {member.file_size:,}"
                )


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an .npz file, by name.

    Raises:
        OSError: If the disk cannot be read.
        TooLarge: If it unpacks to too much.
        Damaged: If it cannot be read; it names the array, if a single one cannot be.
    """
    import numpy as np

    name, arrays = "", {}
    try:
        check_npz(path)
        with open(path, "rb") as raw, np.load(raw, allow_pickle=False) as file:
            for name in file.files:
                arrays[name] = np.asarray(file[name])  # what is no array comes as bytes
    except (Damaged, TooLarge):
        raise
    except Exception as error:  # NumPy has no error of its own for a file that it cannot read
        sought = isinstance(error, OSError) and error.errno == errno.EINVAL  # before its beginning
        if isinstance(error, OSError | MemoryError) and not sought:
            raise  # which is no fault of the file
        what = f"its array {name!r}" if name else "it"
        reason = " ".join(str(error).split()) or type(error).__name__
        raise Damaged(f"{path} is damaged: {what} cannot be read ({reason})") from error
    return arrays


def parse_json(text: str) -> Any:
    """The value in a JSON text that somebody else wrote; halves of characters as question marks.

    Raises:
        ValueError: If it is no JSON, or Python cannot hold it; in words.
    """
    try:
        value = json.loads(text)
        return _whole(value) if _HALF.search(text) else value
    except json.JSONDecodeError:
        raise
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except ValueError:
        raise ValueError("a number in it has too many digits") from None


def encodable(text: str) -> str:
    """The text, with halves of characters, which UTF-8 cannot hold, as question marks.

    Example:
        >>> encodable("caf\\u00e9 \\ud83d")
        'café ?'
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="replace").decode()
    return text


def _whole(value: Any) -> Any:
    if isinstance(value, dict):
        return {encodable(key): _whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return encodable(value) if isinstance(value, str) else value


def _given() -> int | None:
    text = os.environ.get(MAX_BYTES, "")
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and int(text)):
        raise ValueError(
            f"{MAX_BYTES} must be a positive whole number of bytes. Received: {text!r}"
        )
    return int(text)


def _declared(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> int:
    """The bytes of an array by its header; 0 for what NumPy refuses."""
    from numpy.lib import format

    try:
        with archive.open(member) as file:
            first = format.read_magic(file) == (1, 0)
            read = format.read_array_header_1_0 if first else format.read_array_header_2_0
            shape, _, dtype = read(file)
    except Exception:  # of zipfile, zlib and NumPy, which says it again when the array is read
        return 0
    return math.prod(shape) * int(dtype.itemsize)
