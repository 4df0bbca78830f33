"""Files that are there whole or not at all."""

from __future__ import annotations

import errno
import os
import platform
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kerasseq.io import atomic

ROOT = Path(__file__).parents[2]
NODE = platform.node()
# Writes a file, and kills itself before or after one of the calls that make it safe.
KILLED = """
import os, signal, sys
from pathlib import Path
from kerasseq.io import atomic

name, number, when, path = sys.argv[1:]
function, calls = getattr(os, name), []

def call(*given):
    calls.append(name)
    now = len(calls) == int(number)
    if now and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    result = function(*given)
    if now:
        os.kill(os.getpid(), signal.SIGKILL)
    return result

setattr(os, name, call)
atomic.write_text(Path(path), "new" * 9999)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file that is there already, alone in its folder."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file.json").write_text("old")
    return tmp_path / "folder" / "file.json"


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("text", ["", "twelve", "première\nline\n", "x" * 2**20])
def test_a_text_is_written_whole(path: Path, text: str) -> None:
    for target in (path, path.with_name("another")):
        atomic.write_text(target, text)
        assert target.read_bytes() == text.encode()
    assert _names(path.parent) == {"file.json", "another"}


@pytest.mark.parametrize(
    ("name", "number", "when", "content"),
    [
        ("open", 2, "before", "old"),  # written, and not yet synced
        ("fsync", 1, "before", "old"),
        ("fsync", 1, "after", "old"),
        ("replace", 1, "before", "old"),
        ("replace", 1, "after", "new" * 9999),
        ("fsync", 2, "before", "new" * 9999),
        ("fsync", 2, "after", "new" * 9999),
    ],
)
def test_a_killed_process_leaves_the_old_file_or_the_new_one(
    path: Path, name: str, number: int, when: str, content: str
) -> None:
    arguments = [name, str(number), when, str(path)]
    process = subprocess.run([sys.executable, "-c", KILLED, *arguments], cwd=ROOT, timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert path.read_text() == content
    left = [other for other in path.parent.iterdir() if other != path]
    assert len(left) == (content == "old")
    assert all(atomic.is_leftover(other) for other in left)
    atomic.write_text(path.with_name("another"), "whole")  # any write into the folder clears it
    assert _names(path.parent) == {"file.json", "another"}


def test_content_reaches_the_disk_before_the_name_and_the_name_before_the_end(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[Any] = []
    fsync, replace = os.fsync, os.replace

    def synced(descriptor: int) -> None:
        fsync(descriptor)
        there = os.fstat(descriptor)
        done.append("folder" if stat.S_ISDIR(there.st_mode) else there.st_size)

    def renamed(source: Path, target: Path) -> None:
        replace(source, target)
        done.append("renamed")

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", renamed)
    atomic.write_text(path, "12345")
    assert done == [5, "renamed", "folder"]


def _in_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """The writer itself meets a full disk."""
    monkeypatch.setattr(Path, "write_text", _full)


def _in_fsync(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", _full)


def _in_replace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "replace", _full)


def _full(*given: Any, **options: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("broken", [_in_block, _in_fsync, _in_replace])
def test_a_full_disk_leaves_the_old_file_alone(
    path: Path, broken: Callable[[pytest.MonkeyPatch], None]
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        broken(patched)
        with pytest.raises(OSError, match="No space left"):
            atomic.write_text(path, "new")
    assert path.read_text() == "old"
    assert _names(path.parent) == {"file.json"}


def test_an_error_of_the_disk_names_the_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", _full)
    with pytest.raises(OSError, match="No space left") as caught:
        atomic.write_text(path, "new")
    assert Path(caught.value.filename).parent == path.parent


def test_an_interruption_leaves_the_old_file_alone(path: Path) -> None:
    def write() -> None:
        with atomic.replacing(path) as temporary:
            temporary.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert path.read_text() == "old"
    assert _names(path.parent) == {"file.json"}


def test_a_folder_that_cannot_be_synced_is_no_error_and_a_failing_disk_is(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = errno.EINVAL

    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fsync)
    atomic.write_text(path, "new")
    code = errno.EIO
    with pytest.raises(OSError, match="Input/output error"):
        atomic.write_text(path, "newer")


def test_the_temporary_file_is_empty_beside_and_of_the_same_kind(path: Path) -> None:
    for name in ("model.keras", "weights.weights.h5", "a b.npz", "bare"):
        with atomic.replacing(path.with_name(name)) as temporary:
            assert temporary.parent == path.parent
            assert temporary.name.endswith(f".{name}")
            assert temporary.read_bytes() == b""
            assert atomic.is_leftover(temporary)


def test_two_writers_of_one_file_do_not_meet(path: Path) -> None:
    with atomic.replacing(path) as first, atomic.replacing(path) as second:
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"  # which ended last
    assert _names(path.parent) == {"file.json"}


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_the_mode_is_that_of_the_umask(path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        atomic.write_text(path, "new")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask


def test_a_link_that_was_planted_is_not_followed(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")

    def swap() -> None:
        with atomic.replacing(path) as temporary:
            temporary.unlink()
            temporary.symlink_to(victim)

    with pytest.raises(OSError, match="symbolic link"):
        swap()
    assert path.read_text() == "old"
    monkeypatch.setattr("secrets.token_hex", lambda count: "guessed")
    planted = path.with_name(f".new.{os.getpid()}@{NODE}.guessed.{path.name}")
    planted.symlink_to(victim)
    with pytest.raises(FileExistsError):
        atomic.write_text(path, "new")
    assert victim.read_text() == "mine"


def test_a_link_is_replaced_and_not_where_it_leads(path: Path, tmp_path: Path) -> None:
    link = path.with_name("link")
    link.symlink_to(path)
    atomic.write_text(link, "new")
    assert not link.is_symlink()
    assert path.read_text() == "old"


def test_names_differ_each_time(path: Path) -> None:
    names = set()
    for _ in range(9):
        with atomic.replacing(path) as temporary:
            names.add(temporary.name)
    assert len(names) == 9


def test_what_others_write_and_what_is_not_ours_stays(path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    gone = {
        f".new.{ended.pid}@{NODE}.0123.model.keras",  # of a process that has ended
        f".new.{ended.pid}@{NODE}.pixels.npy",  # the same, by an earlier version
        ".new.file.json",  # of an earlier version, beside the file that is written now
        ".file.json.new",
    }
    stays = {
        f".new.{os.getppid()}@{NODE}.0123.model.keras",
        f".new.{ended.pid}@another-{NODE}.0123.model.keras",
        ".new.thesis.txt",
        ".thesis.new",
        "file.json.new",
    }
    for name in gone | stays:
        path.with_name(name).touch()
    atomic.write_text(path, "new")
    assert _names(path.parent) == stays | {"file.json"}


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        (".new.12@node.0123.model.keras", True),
        (".new.model.keras", True),
        (".checkpoint.npz.new", True),
        ("model.keras", False),
        ("new.model.keras", False),
        (".newer.txt", False),
        (".new", False),
        ("thesis.new", False),
    ],
)
def test_leftovers_are_known_by_name(tmp_path: Path, name: str, ours: bool) -> None:
    (tmp_path / name).touch()
    assert atomic.is_leftover(tmp_path / name) is ours
    assert not atomic.is_leftover(tmp_path / "missing" / name)
    (tmp_path / "folder" / name).mkdir(parents=True)
    assert not atomic.is_leftover(tmp_path / "folder" / name)


# Several files that belong together


def _contents(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


def _write_together(folder: Path, text: str) -> None:
    with atomic.replacing_together(folder) as temporary:
        (temporary / "a.json").write_text(text)
        (temporary / "plots").mkdir()
        (temporary / "plots" / "b.png").write_text(text)


def test_files_that_belong_together_are_replaced_together(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    for text in ("old", "new"):
        _write_together(tmp_path, text)
        assert _contents(tmp_path) == {"a.json": text, "plots/b.png": text, "thesis.txt": "mine"}
    assert _names(tmp_path) == {"a.json", "plots", "thesis.txt"}


def test_an_error_leaves_files_that_belong_together_as_they_were(tmp_path: Path) -> None:
    _write_together(tmp_path, "old")

    def fail() -> None:
        with atomic.replacing_together(tmp_path) as temporary:
            (temporary / "a.json").write_text("new")
            raise RuntimeError("no memory")

    with pytest.raises(RuntimeError, match="no memory"):
        fail()
    assert _contents(tmp_path) == {"a.json": "old", "plots/b.png": "old"}


def test_at_every_moment_there_are_the_old_files_or_the_new_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, copies = tmp_path / "run", tmp_path / "copies"
    folder.mkdir()
    _write_together(folder, "old")
    replace, rmdir = os.replace, os.rmdir

    def copied() -> None:
        shutil.copytree(folder, copies / str(len([*copies.glob("*")])))

    def renamed(source: Path, target: Path) -> None:
        copied()
        replace(source, target)
        copied()

    def removed(path: Path, **options: Any) -> None:
        copied()
        rmdir(path, **options)

    copies.mkdir()
    with monkeypatch.context() as watched:
        watched.setattr(os, "replace", renamed)
        watched.setattr(os, "rmdir", removed)
        _write_together(folder, "new")
    states = []
    for copy in sorted(copies.iterdir(), key=lambda path: int(path.name)):
        atomic.finish(copy)
        own = {name: text for name, text in _contents(copy).items() if not name.startswith(".new")}
        assert own.keys() == {"a.json", "plots/b.png"}
        states += {*own.values()}  # one of the two
    assert len(states) >= 8
    assert states == sorted(states, reverse=True)
    assert {*states} == {"old", "new"}


def test_what_was_staged_by_a_process_that_is_gone_is_removed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        pass
    left = tmp_path / f".new.{gone.pid}@{platform.node()}.0123.files"
    left.mkdir()
    (left / "a.json").touch()
    assert atomic.is_leftover(left)
    _write_together(tmp_path, "new")
    assert _names(tmp_path) == {"a.json", "plots"}


def test_two_processes_may_finish_the_same(tmp_path: Path) -> None:
    for name in (".committed", ".committed/plots"):
        (tmp_path / name).mkdir()
    for name in ("a.json", "plots/b.png"):
        (tmp_path / ".committed" / name).write_text("new")
    replace = os.replace

    def slow(source: Path, target: Path) -> None:
        with pytest.MonkeyPatch.context() as other:
            other.setattr(os, "replace", replace)
            atomic.finish(tmp_path)  # the other process
        replace(source, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "replace", slow)
        atomic.finish(tmp_path)
    assert _contents(tmp_path) == {"a.json": "new", "plots/b.png": "new"}
    assert _names(tmp_path) == {"a.json", "plots"}
