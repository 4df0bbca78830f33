"""Bytes become text, or an error; archives are read as their folder would be."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseq.data.files import decode, text_files

WORDS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1)


@given(WORDS)
def test_utf8_comes_back(text: str) -> None:
    expected = text.removeprefix("\ufeff")  # at the start it is a mark, and no sign
    assert decode(text.encode(), "a.txt") == (expected, "UTF-8")


@given(WORDS)
def test_a_byte_order_mark_is_no_part_of_the_text(text: str) -> None:
    assert decode(text.encode("utf-8-sig"), "a.txt") == (text, "UTF-8")
    assert decode(text.encode("utf-16"), "a.txt") == (text, "UTF-16")


def test_what_is_not_utf8_is_windows_1252() -> None:
    """Which the WHATWG's Encoding Standard also means by latin-1."""
    assert decode(b"na\xefve don\x92t \x93so\x94 \x85", "a.txt") == (
        "naïve don’t “so” …",
        "Windows-1252",
    )


def test_every_byte_above_ascii_is_one_sign_of_windows_1252() -> None:
    raw = bytes(range(0x80, 0x100))
    undefined = {0x81, 0x8D, 0x8F, 0x90, 0x9D}  # to Windows; control characters to the WHATWG
    expected = [chr(b) if b in undefined else bytes([b]).decode("cp1252") for b in raw]
    assert list(decode(raw, "a.txt")[0]) == expected


@pytest.mark.parametrize(
    "raw",
    [b"\x89PNG\r\n\x1a\n\x00\x00", b"\x01\x02\x03\x04\xff\xfe", b"good film\0", b"\xff\xfea"],
    ids=["png", "control characters", "a zero byte", "half a UTF-16 character"],
)
def test_binary_content_is_refused_by_name(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"photo\.txt is a binary file"):
        decode(raw, "photo.txt")


def _pack(folder: Path, kind: str) -> Path:
    path = folder.parent / f"packed.{kind}"
    files = [file for file in sorted(folder.rglob("*"), reverse=True) if file.is_file()]
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in files:
                archive.write(file, file.relative_to(folder))
    else:
        with tarfile.open(path, "w" if kind == "tar" else "w:gz") as tar:
            for file in files:
                tar.add(file, f"./{file.relative_to(folder)}")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b/2.txt", "b/10.txt", "a/1.txt", "readme.txt", "a/notes.csv", "a/.hidden.txt"):
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path / "tree"


@pytest.mark.parametrize("kind", ["folder", "zip", "tar", "tar.gz", "tgz"])
def test_text_files_are_found_in_the_same_order_everywhere(folder: Path, kind: str) -> None:
    found = list(text_files(folder if kind == "folder" else _pack(folder, kind)))
    assert found == [
        (("a", "1.txt"), b"a/1.txt"),
        (("b", "10.txt"), b"b/10.txt"),
        (("b", "2.txt"), b"b/2.txt"),
        (("readme.txt",), b"readme.txt"),
    ]


def test_links_in_an_archive_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "links.tar"
    with tarfile.open(path, "w") as tar:
        link = tarfile.TarInfo("a/link.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "../../secret.txt"
        tar.addfile(link)
        file = tarfile.TarInfo("a/file.txt")
        file.size = 2
        tar.addfile(file, io.BytesIO(b"hi"))
    assert [parts for parts, _ in text_files(path)] == [("a", "file.txt")]


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tgz"])
@pytest.mark.parametrize("fault", ["cut off", "no archive", "overwritten"])
def test_a_corrupt_archive_is_refused_by_name(folder: Path, kind: str, fault: str) -> None:
    (folder / "a" / "long.txt").write_bytes(bytes(ord("a") + i * i % 23 for i in range(60_000)))
    path = _pack(folder, kind)
    raw = path.read_bytes()
    half = len(raw) // 2
    path.write_bytes(
        {
            "cut off": raw[:half],
            "no archive": b"these are not the bytes of an archive" * 20,
            # The middle of a .tar is the content of a file, which it does not check.
            "overwritten": b"x" * 700 + raw[700:] if kind == "tar" else raw[:half] + b"x" * half,
        }[fault]
    )
    with pytest.raises(ValueError, match=rf"packed\.{kind} cannot be read as an archive.*again\."):
        text_files(path)


@given(st.data())
def test_damage_never_changes_what_a_compressed_archive_holds(data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "packed.tar.gz"
        with tarfile.open(path, "w:gz") as tar:
            for name in ("1.txt", "2.txt", "3.txt"):
                file = tarfile.TarInfo(name)
                file.size = 6
                tar.addfile(file, io.BytesIO(b"inside"))
        whole, raw = list(text_files(path)), path.read_bytes()
        start = data.draw(st.integers(0, len(raw) - 1))
        damage = data.draw(st.binary(min_size=1, max_size=len(raw) - start))
        path.write_bytes(raw[:start] + damage + raw[start + len(damage) :])
        try:
            found = list(text_files(path))
        except ValueError:
            return  # refused
        assert found == whole  # the time and the name in the header are not checked


def test_a_damaged_header_is_not_the_end_of_an_archive(folder: Path) -> None:
    path = _pack(folder, "tar")
    raw = bytearray(path.read_bytes())
    raw[1024] ^= 1  # the second member's: each has a block of its header and one of its content
    path.write_bytes(raw)
    with pytest.raises(ValueError, match=r"packed\.tar cannot be read .*a header in it is damaged"):
        text_files(path)
