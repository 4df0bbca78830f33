"""Limits on the size of files, checked before anything is read into memory.

A small file can expand to any size: sparse and compressed files, arrays with a large shape in the
header and no data, tables of equal values. So sizes are checked first:

- at most 4 GiB of one file, archive or folder are read, and at most 4 GiB of one table or array; a
  value of a table counts as 8 bytes, and a column as at least 64 KiB;
- compressed data may expand to 100 times its stored size, or to 256 MiB if that is more;
- the roles of columns (texts, labels, targets) are only guessed in tables of at most 2,048 columns
  (2 MiB for each).

The environment variable `KERASSEQ_MAX_BYTES` replaces all these limits by another number of bytes.
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

#: Environment variable with the number of bytes that may be read.
MAX_BYTES = "KERASSEQ_MAX_BYTES"
#: Bytes that one value of a table counts as.
VALUE = 8
_MOST = 4 * 2**30
_RATIO = 100  # text packs to a tenth or so
_SMALL = 256 * 2**20
_COLUMN = 64 * 2**10
_LOOK = 2 * 2**20
_HALF = re.compile(r"\\u[dD][89a-fA-F]")  # of a character, as JSON may have it


class Damaged(ValueError):
    """A damaged file, for example after a power cut."""


class TooLarge(ValueError):
    """A file or value above the limit of what is read."""


def check_size(size: int, what: str, stored: int | None = None) -> None:
    """Raise TooLarge, a ValueError, if a size in bytes is above the limit.

    Args:
        size: Number of bytes to read or allocate.
        what: Name of the file or part, for the error.
        stored: Number of bytes on disk, if the data may be compressed.

    Example:
        >>> check_size(2**20, "a.csv")
    """
    most = _limit_of_user() or min(_MOST, _MOST if stored is None else max(_SMALL, _RATIO * stored))
    if size > most:
        packed = "" if stored is None or stored >= size else f" in a file of {stored:,}"
        raise TooLarge(
            f"{what} holds {size:,} bytes{packed}, and at most {most:,} are read. If that is "
            f"meant, set the environment variable {MAX_BYTES} to {size} or more."
        )


def check_table(rows: int, columns: int, what: str, stored: int) -> None:
    """Raise a ValueError if a table has too many values or columns for the limit."""
    check_size(columns * _COLUMN, f"{what}, with {columns:,} columns,")
    check_size(
        rows * columns * VALUE, f"{what}, with {rows:,} rows of {columns:,} columns,", stored
    )


def most_columns() -> int:
    """Largest number of columns of a table in which roles of columns are guessed."""
    return (_limit_of_user() or _MOST) // _LOOK


def read_bytes(path: Path) -> bytes:
    """Read the content of a file.

    Raises:
        ValueError: If the file is too large.
    """
    check_size(path.stat().st_size, str(path))
    return path.read_bytes()


def read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """Read a file in a zip archive, up to the size that the archive declares for it."""
    with archive.open(member) as file:
        return file.read(member.file_size)


def check_npz(path: Path) -> None:
    """Raise a ValueError if an .npz file is too large, or an array declares more than it has.

    NumPy allocates memory for the declared shape. Other damage is reported by NumPy.

    Raises:
        TooLarge: If the file unpacks to too many bytes.
        Damaged: If an array declares more than it has.
    """
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        check_size(sum(member.file_size for member in members), str(path), path.stat().st_size)
        for member in members:
            declared = _declared_bytes(archive, member)
            if declared > member.file_size:
                raise Damaged(
                    f"{path} is damaged: the array {member.filename} declares {declared:,} bytes "
                    f"and holds {member.file_size:,}"
                )


def read_npz(path: Path) -> dict[str, np.ndarray]:
    """Read the arrays of an .npz file, by name.

    Raises:
        OSError: If the disk cannot be read.
        TooLarge: If the file unpacks to too many bytes.
        Damaged: If the file or an array of it cannot be read; the error names the array.
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
    """Parse a JSON text of unknown origin; lone surrogates become question marks.

    Raises:
        ValueError: If it is not JSON, is nested too deeply, or has a number with too many digits.
    """
    try:
        value = json.loads(text)
        return _replace_surrogates(value) if _HALF.search(text) else value
    except json.JSONDecodeError:
        raise
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except ValueError:
        raise ValueError("a number in it has too many digits") from None


def encodable(text: str) -> str:
    """Replace lone surrogates, which UTF-8 cannot encode, by question marks.

    Example:
        >>> encodable("caf\\u00e9 \\ud83d")
        'café ?'
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="replace").decode()
    return text


def _replace_surrogates(value: Any) -> Any:
    if isinstance(value, dict):
        return {encodable(key): _replace_surrogates(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_replace_surrogates(item) for item in value]
    return encodable(value) if isinstance(value, str) else value


def _limit_of_user() -> int | None:
    text = os.environ.get(MAX_BYTES, "")
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and int(text)):
        raise ValueError(
            f"{MAX_BYTES} must be a positive whole number of bytes. Received: {text!r}"
        )
    return int(text)


def _declared_bytes(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> int:
    """Size of an array in bytes by its header; 0 if NumPy cannot read the header."""
    from numpy.lib import format

    try:
        with archive.open(member) as file:
            first = format.read_magic(file) == (1, 0)
            read = format.read_array_header_1_0 if first else format.read_array_header_2_0
            shape, _, dtype = read(file)
    except Exception:  # of zipfile, zlib and NumPy, which says it again when the array is read
        return 0
    return math.prod(shape) * int(dtype.itemsize)
