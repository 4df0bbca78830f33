"""Locks keep other processes out, and end with the process that has them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kerasseq.io import lock

ROOT = Path(__file__).parents[2]
HOLD = """
import sys, time
from pathlib import Path
from kerasseq.io import lock
with lock.hold(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def _another_process(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lock of a folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_another_process_is_refused_in_words(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with _another_process(folder) as process:
        refused = pytest.raises(ValueError, match=r"another process writes to .*run: wait until")
        with refused, lock.hold(folder):
            pass
        process.communicate("")  # it ends
        with lock.hold(folder):
            pass
    assert not folder.exists()


def test_a_killed_process_has_no_lock_any_more(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with _another_process(folder) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert (folder / ".lock").exists()
    with lock.hold(folder):
        pass
    assert not (folder / ".lock").exists()


def test_another_thread_is_refused_and_the_same_one_is_not(tmp_path: Path) -> None:
    told: list[str] = []

    def take() -> None:
        try:
            with lock.hold(tmp_path):
                told.append("held")
        except ValueError as error:
            told.append(str(error))

    with lock.hold(tmp_path), lock.hold(tmp_path / "."):
        thread = threading.Thread(target=take)
        thread.start()
        thread.join()
    assert len(told) == 1
    assert told[0].startswith("another process writes to")
    take()
    assert told[1:] == ["held"]


def test_folders_are_made_and_go_if_nothing_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "one"
    with lock.hold(folder):
        assert [path.name for path in folder.iterdir()] == [".lock"]
    assert list(tmp_path.iterdir()) == []
    with lock.hold(folder):
        (folder / "run.json").touch()
    assert [path.name for path in folder.iterdir()] == ["run.json"]


def test_a_lock_ends_with_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no memory"), lock.hold(tmp_path):
        raise RuntimeError("no memory")
    with lock.hold(tmp_path):
        pass


def test_a_planted_link_is_not_followed(tmp_path: Path) -> None:
    victim, folder = tmp_path / "victim", tmp_path / "run"
    folder.mkdir()
    (folder / ".lock").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic link"), lock.hold(folder):
        pass
    assert not victim.exists()


def test_a_lock_on_a_file_that_is_gone_is_none(tmp_path: Path) -> None:
    # Between opening the file and locking it, the process that has the lock may remove the file.
    acquire = lock.acquire
    removed: list[Path] = []

    def late(file: object, patience: float = 0.0) -> bool:
        if not removed:
            removed.append(tmp_path / ".lock")
            os.unlink(removed[0])
        return acquire(file, patience)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lock, "acquire", late)
        with lock.hold(tmp_path):
            assert (tmp_path / ".lock").exists()
    assert removed


def test_a_file_system_without_locks_keeps_nobody_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno
    import fcntl

    def unsupported(file: object, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    with lock.hold(tmp_path / "run"):
        pass
