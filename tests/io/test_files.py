"""Bytes become text, or an error; archives are read as their folder would be."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseq.io.files import decode, is_file_inside, text_files
from kerasseq.io.limits import MAX_BYTES

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
    result = list(text_files(folder if kind == "folder" else _pack(folder, kind)))
    assert result == [
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
            result = list(text_files(path))
        except ValueError:
            return  # refused
        assert result == whole  # the time and the name in the header are not checked


def test_a_damaged_header_is_not_the_end_of_an_archive(folder: Path) -> None:
    path = _pack(folder, "tar")
    raw = bytearray(path.read_bytes())
    raw[1024] ^= 1  # the second member's: each has a block of its header and one of its content
    path.write_bytes(raw)
    with pytest.raises(ValueError, match=r"packed\.tar cannot be read .*a header in it is damaged"):
        text_files(path)


def _sparse(path: Path, kind: str) -> Path:
    """An archive with a text of 5 GB, of which one byte is there."""
    with tarfile.open(path, "w:gz" if kind == "tar.gz" else "w", format=tarfile.PAX_FORMAT) as tar:
        file = tarfile.TarInfo("a/1.txt")
        file.size = 1
        file.pax_headers = {"GNU.sparse.map": "0,1", "GNU.sparse.size": "5000000000"}
        tar.addfile(file, io.BytesIO(b"a"))
    return path


@pytest.mark.parametrize("kind", ["tar", "tar.gz"])
def test_a_sparse_member_is_refused_before_it_is_read(tmp_path: Path, kind: str) -> None:
    path = _sparse(tmp_path / f"a.{kind}", kind)
    with (
        mock.patch.object(tarfile.TarFile, "extractfile") as read,
        pytest.raises(ValueError, match=rf"a\.{kind} holds 5,000,000,000 bytes in a file of"),
    ):
        text_files(path)
    read.assert_not_called()


def test_a_large_member_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/1.txt", "good")
    raw = path.read_bytes()
    size = (4).to_bytes(4, "little")
    for at in (raw.index(b"PK\1\2") + 24, 22):  # where the two headers have the unpacked size
        assert raw[at : at + 4] == size
        raw = raw[:at] + (1_500_000_000).to_bytes(4, "little") + raw[at + 4 :]
    path.write_bytes(raw)
    with (
        mock.patch.object(zipfile.ZipFile, "open") as read,
        pytest.raises(ValueError, match=r"a\.zip holds 1,500,000,000 bytes in a file of"),
    ):
        text_files(path)
    read.assert_not_called()


@pytest.mark.parametrize("packed", ["members", "padding"])
def test_an_archive_that_unpacks_to_too_much(
    tmp_path: Path, packed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.tar.gz"
    with gzip.open(path, "wb") as content:
        with tarfile.open(fileobj=content, mode="w") as tar:
            for name in ("a/1.bin", "a/2.bin"):
                file = tarfile.TarInfo(name)
                file.size = 2_000_000 if packed == "members" else 1
                tar.addfile(file, io.BytesIO(bytes(file.size)))
        content.write(bytes(4_000_000 if packed == "padding" else 1))
    assert list(text_files(path)) == []
    monkeypatch.setenv(MAX_BYTES, "3000000")
    with pytest.raises(ValueError, match=r"a\.tar\.gz holds .* in a file of .*MAX_BYTES"):
        text_files(path)


def test_a_name_of_gigabytes_is_not_read(tmp_path: Path) -> None:
    name = tarfile.TarInfo("././@LongLink")
    name.type, name.size = tarfile.GNUTYPE_LONGNAME, 3_000_000_000
    (tmp_path / "a.tar").write_bytes(name.tobuf(tarfile.GNU_FORMAT) + bytes(1024))
    with pytest.raises(ValueError, match="a name in it is too long"):
        text_files(tmp_path / "a.tar")


def test_a_folder_of_sparse_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for number in range(3):
        with open(tmp_path / "a" / f"{number}.txt", "wb") as file:
            file.truncate(2_000_000_000)
    with (
        mock.patch.object(Path, "read_bytes", return_value=b"") as read,
        pytest.raises(ValueError, match=r"holds 6,000,000,000 bytes, and at most 4,294,967,296"),
    ):
        text_files(tmp_path)
    assert read.call_count < 3


@pytest.mark.parametrize("target", ["../../secret", "/etc/passwd"])
def test_a_link_out_of_a_folder_is_not_read_as_a_text(tmp_path: Path, target: str) -> None:
    (tmp_path / "secret").write_text("secret")
    folder = tmp_path / "tree" / "a"
    folder.mkdir(parents=True)
    link = folder / "1.txt"
    link.symlink_to(target)
    with pytest.raises(ValueError, match=r"a/1\.txt is a link to a file outside of .*tree\. Copy"):
        text_files(folder.parent)


def test_links_within_a_folder_are_files_of_it(tmp_path: Path) -> None:
    for name in ("tree/all", "tree/a"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "tree/all/1.txt").write_text("inside")
    (tmp_path / "tree/a/1.txt").symlink_to("../all/1.txt")
    (tmp_path / "tree/a/2.txt").symlink_to("nowhere.txt")
    (tmp_path / "link").symlink_to("tree")
    for folder in (tmp_path / "tree", tmp_path / "link"):
        assert [parts for parts, _ in text_files(folder)] == [("a", "1.txt"), ("all", "1.txt")]
        assert is_file_inside(folder / "a" / "1.txt", folder)
        assert not is_file_inside(folder / "a" / "2.txt", folder)
