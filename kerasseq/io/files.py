"""Decoding of text, and reading of the text files in a folder or an archive."""

from __future__ import annotations

import codecs
import gzip
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Self

from kerasseq.io.limits import check_size, read_bytes, read_member

__all__ = ["ARCHIVES", "decode", "is_file_inside", "read_text", "text_files"]

ARCHIVES = (".tar.gz", ".tgz", ".tar", ".zip")

_CONTROL = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1b"))
# As in the WHATWG standard: the five bytes that Windows leaves undefined are control characters.
_WINDOWS_1252 = "".join(
    bytes([byte]).decode("cp1252" if byte not in (0x81, 0x8D, 0x8F, 0x90, 0x9D) else "latin-1")
    for byte in range(256)
)
_LONGEST_NAME = 2**20
_ARCHIVE_ERRORS = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    RuntimeError,  # zipfile's for an archive that needs a password
)


def decode(raw: bytes, name: str) -> tuple[str, str]:
    """Decode bytes to text: UTF-8, UTF-16 with a byte order mark, else Windows-1252.

    Windows-1252 stands for latin-1 too, as in the Encoding Standard of the WHATWG: it has quotation
    marks, dashes and the euro sign where latin-1 has control characters.

    Args:
        raw: The content of a file.
        name: Name of the file, for an error.

    Returns:
        The text, and the encoding.

    Raises:
        ValueError: If it is not text.

    Example:

    >>> decode(b"caf\\xe9 \\x93Chez Jo\\x94", "menu.txt")
    ('café “Chez Jo”', 'Windows-1252')
    """
    binary = ValueError(f"{name} is a binary file, not text. Save the texts as UTF-8.")
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            return raw.decode("utf-16"), "UTF-16"
        except UnicodeDecodeError:
            raise binary from None
    # Windows-1252 decodes any bytes, so binary files are recognised by their control characters.
    control = len(raw) - len(raw.translate(None, _CONTROL))
    if b"\0" in raw or control > len(raw) / 50:
        raise binary
    try:
        return raw.decode("utf-8-sig"), "UTF-8"
    except UnicodeDecodeError:
        return codecs.charmap_decode(raw, "strict", _WINDOWS_1252)[0], "Windows-1252"


def read_text(path: Path) -> tuple[str, str]:
    """Read the text of a file, and its encoding as `decode` names it.

    Raises:
        ValueError: If the file is too large, or is not text.
    """
    return decode(read_bytes(path), str(path))


def text_files(path: Path) -> Iterator[tuple[tuple[str, ...], bytes]]:
    """Read the .txt files below a folder or in an archive, except hidden files.

    Args:
        path: A folder, or a file whose name ends with one of `ARCHIVES`.

    Returns:
        For each file, the parts of its relative path and its content; sorted by path.

    Raises:
        ValueError: If the archive is corrupt, cut off, locked or too large, or if a link leads out
            of the folder.
    """
    if path.is_dir():
        members = _read_folder(path)
    elif path.name.lower().endswith(".zip"):
        members = _read_zip(path)
    else:
        members = _read_tar(path)
    try:
        files = [(PurePosixPath(name).parts, raw) for name, raw in members]
    except _ARCHIVE_ERRORS as error:
        if path.is_dir():
            raise
        raise ValueError(
            f"{path} cannot be read as an archive: it is corrupt, cut off or locked "
            f"({str(error) or type(error).__name__}). Fetch or pack it again."
        ) from None
    hidden = (".", "__MACOSX")
    return iter(sorted(f for f in files if not any(part.startswith(hidden) for part in f[0])))


def is_file_inside(path: Path, folder: Path) -> bool:
    """Whether a path in a folder is a file, and not a link to a file outside the folder.

    Raises:
        ValueError: If it is a link to a file outside the folder.
    """
    if not path.is_file():
        return False
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ValueError(
            f"{path} is a link to a file outside of {folder}. Copy the file there, or leave it out."
        )
    return True


def _read_folder(path: Path) -> Iterator[tuple[str, bytes]]:
    total = 0
    for file in path.rglob("*.txt"):
        if is_file_inside(file, path):
            total += file.stat().st_size
            check_size(total, str(path))
            yield file.relative_to(path).as_posix(), file.read_bytes()


def _read_zip(path: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        texts = [member for member in archive.infolist() if member.filename.endswith(".txt")]
        check_size(sum(member.file_size for member in texts), str(path), path.stat().st_size)
        for member in texts:
            yield member.filename.lstrip("/"), read_member(archive, member)


def _read_tar(path: Path) -> Iterator[tuple[str, bytes]]:
    with open(path, "rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
    total, stored = 0, path.stat().st_size
    with gzip.open(path) if packed else open(path, "rb") as content:
        # In the order of the file: looking members up by name would unpack it again and again.
        with tarfile.open(fileobj=content, mode="r:", tarinfo=_Member) as archive:
            for member in archive:
                total += member.size  # a sparse member may be larger than the archive
                check_size(total, str(path), stored)
                file = archive.extractfile(member) if member.isreg() else None
                if file is not None and member.name.endswith(".txt"):
                    yield member.name.removeprefix("./").lstrip("/"), file.read()
        while part := content.read(1 << 20):  # gzip checks its checksum at the end of the content
            total += len(part)
            check_size(total, str(path), stored)


class _Member(tarfile.TarInfo):
    """A member with a checked header; tarfile takes a damaged header for the end of the archive."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        try:
            member = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError:
            if any(buf):
                raise tarfile.ReadError("a header in it is damaged") from None
            raise
        # tarfile reads the content of special members (long file names) before it returns them.
        if member.type not in tarfile.REGULAR_TYPES and member.size > _LONGEST_NAME:
            raise tarfile.ReadError("a name in it is too long")
        return member
