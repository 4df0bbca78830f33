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

__all__ = ["ARCHIVES", "decode", "text_files"]

ARCHIVES = (".tar.gz", ".tgz", ".tar", ".zip")

_CONTROL = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1b"))
# As the WHATWG has it: the five bytes that Windows leaves undefined are control characters.
_WINDOWS_1252 = "".join(
    bytes([byte]).decode("cp1252" if byte not in (0x81, 0x8D, 0x8F, 0x90, 0x9D) else "latin-1")
    for byte in range(256)
)
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


def text_files(path: Path) -> Iterator[tuple[tuple[str, ...], bytes]]:
    """The .txt files below a folder or in an archive, hidden ones apart.

    Args:
        path: a folder, or a file whose name ends on one of `ARCHIVES`.

    Returns:
        The parts of each file's path in there, and its content; sorted by path.

    Raises:
        ValueError: if the archive is corrupt, cut off or locked.
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


def _in_folder(path: Path) -> Iterator[tuple[str, bytes]]:
    for file in path.rglob("*.txt"):
        if file.is_file():
            yield file.relative_to(path).as_posix(), file.read_bytes()


def _in_zip(path: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.endswith(".txt"):
                yield name.lstrip("/"), archive.read(name)


def _in_tar(path: Path) -> Iterator[tuple[str, bytes]]:
    with open(path, "rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
    with gzip.open(path) if packed else open(path, "rb") as content:
        # In the order of the file: looking members up by name would unpack it again and again.
        with tarfile.open(fileobj=content, mode="r:", tarinfo=_Member) as archive:
            for member in archive:
                file = archive.extractfile(member) if member.isreg() else None
                if file is not None and member.name.endswith(".txt"):
                    yield member.name.removeprefix("./").lstrip("/"), file.read()
        while content.read(1 << 20):  # gzip compares its checksum where the content ends
            pass


class _Member(tarfile.TarInfo):
    """A member whose damaged header is an error; tarfile would take it for the archive's end."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError:
            if any(buf):
                raise tarfile.ReadError("a header in it is damaged") from None
            raise
