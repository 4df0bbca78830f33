"""Bytes to text, and the text files of a folder or an archive, read without unpacking it."""

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

__all__ = ["ARCHIVES", "decode", "own_file", "read_text", "text_files"]

ARCHIVES = (".tar.gz", ".tgz", ".tar", ".zip")

_CONTROL = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1b"))
# As the WHATWG has it: the five bytes that Windows leaves undefined are control characters.
_WINDOWS_1252 = "".join(
    bytes([byte]).decode("cp1252" if byte not in (0x81, 0x8D, 0x8F, 0x90, 0x9D) else "latin-1")
    for byte in range(256)
)
_LONGEST_NAME = 2**20
_BROKEN = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    RuntimeError,  # zipfile's for an archive that needs a password
)


def decode(raw: bytes, name: str) -> tuple[str, str]:
    """Text from bytes: UTF-8, UTF-16 with its mark, else Windows-1252.

    Who says latin-1 means Windows-1252, says the WHATWG's Encoding Standard: the two differ in
    control characters alone, where it has quotation marks, dashes and the euro sign.

    Args:
        raw: the content of a file.
        name: what to call the file in an error.

    Returns:
        The text, and the encoding.

    Raises:
        ValueError: if it is not text at all.

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
    # Windows-1252 takes any bytes: text is told from the rest by its lack of control characters.
    control = len(raw) - len(raw.translate(None, _CONTROL))
    if b"\0" in raw or control > len(raw) / 50:
        raise binary
    try:
        return raw.decode("utf-8-sig"), "UTF-8"
    except UnicodeDecodeError:
        return codecs.charmap_decode(raw, "strict", _WINDOWS_1252)[0], "Windows-1252"


def read_text(path: Path) -> tuple[str, str]:
    """The text of a file, and its encoding, as `decode` tells them.

    Raises:
        ValueError: if it is too large, or no text at all.
    """
    return decode(read_bytes(path), str(path))


def text_files(path: Path) -> Iterator[tuple[tuple[str, ...], bytes]]:
    """The .txt files below a folder or in an archive, hidden ones apart.

    Args:
        path: a folder, or a file whose name ends on one of `ARCHIVES`.

    Returns:
        The parts of each file's path in there, and its content; sorted by path.

    Raises:
        ValueError: if the archive is corrupt, cut off, locked or too large, or a link leads out of
            the folder.
    """
    if path.is_dir():
        found = _in_folder(path)
    elif path.name.lower().endswith(".zip"):
        found = _in_zip(path)
    else:
        found = _in_tar(path)
    try:
        files = [(PurePosixPath(name).parts, raw) for name, raw in found]
    except _BROKEN as error:
        if path.is_dir():
            raise
        raise ValueError(
            f"{path} cannot be read as an archive: it is corrupt, cut off or locked "
            f"({str(error) or type(error).__name__}). Fetch or pack it again."
        ) from None
    hidden = (".", "__MACOSX")
    return iter(sorted(f for f in files if not any(part.startswith(hidden) for part in f[0])))


def own_file(path: Path, folder: Path) -> bool:
    """Whether a file that was found in a folder is one, and no link that leads out of it.

    Raises:
        ValueError: if it is such a link, which shows somebody else's file as one of the folder's.
    """
    if not path.is_file():
        return False
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ValueError(
            f"{path} is a link to a file outside of {folder}. Copy the file there, or leave it out."
        )
    return True


def _in_folder(path: Path) -> Iterator[tuple[str, bytes]]:
    total = 0
    for file in path.rglob("*.txt"):
        if own_file(file, path):
            total += file.stat().st_size
            check_size(total, str(path))
            yield file.relative_to(path).as_posix(), file.read_bytes()


def _in_zip(path: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        texts = [member for member in archive.infolist() if member.filename.endswith(".txt")]
        check_size(sum(member.file_size for member in texts), str(path), path.stat().st_size)
        for member in texts:
            yield member.filename.lstrip("/"), read_member(archive, member)


def _in_tar(path: Path) -> Iterator[tuple[str, bytes]]:
    with open(path, "rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
    total, stored = 0, path.stat().st_size
    with gzip.open(path) if packed else open(path, "rb") as content:
        # In the order of the file: looking members up by name would unpack it again and again.
        with tarfile.open(fileobj=content, mode="r:", tarinfo=_Member) as archive:
            for member in archive:
                total += member.size  # a sparse one stands for more than is there
                check_size(total, str(path), stored)
                file = archive.extractfile(member) if member.isreg() else None
                if file is not None and member.name.endswith(".txt"):
                    yield member.name.removeprefix("./").lstrip("/"), file.read()
        while part := content.read(1 << 20):  # gzip compares its checksum where the content ends
            total += len(part)
            check_size(total, str(path), stored)


class _Member(tarfile.TarInfo):
    """A member whose header is checked: tarfile would take a damaged one for the archive's end."""

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
