"""Searches in processes of their own: shared by several, and killed at any moment."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import kerasseq
from kerasseq.settings import Float, Int
from kerasseq.tuning import spread
from kerasseq.tuning.journal import read
from tests.toy import toy

ROOT = Path(__file__).parents[2]
SPACE = {"units": Int(1, 9), "learning_rate": Float(1e-3, 1e-1, log=True)}
TUNE: dict[str, Any] = {"space": SPACE, "epochs": 4, "patience": 4, "quiet": True}
CODE = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # who runs the tests may ignore it
from tests.toy import toy
from tests.tuning.test_survival import TUNE
import kerasseq
folder, trials, workers = sys.argv[1:]
kerasseq.tune(toy, trials=int(trials), workers=int(workers), out=folder, **TUNE)
"""


def _comparable(result: Any) -> pd.DataFrame:
    """What does not depend on the clock, or on who ran it."""
    frame = result.trials.drop(columns=["seconds"])
    return frame.sort_values(["learning_rate", "units"], ignore_index=True)


def _searching(folder: Path, trials: int, workers: int = 1) -> subprocess.Popen[bytes]:
    arguments = [str(folder), str(trials), str(workers)]
    return subprocess.Popen(
        [sys.executable, "-c", CODE, *arguments], cwd=ROOT, stderr=subprocess.PIPE
    )


def _killed_and_finished(folder: Path, kills: int, trials: int, workers: int = 1) -> None:
    """Kill a search so many times at random moments, then let it end.

    Each third one is killed within 15 seconds of its start, the others when they are at it.
    """
    draw = random.Random(0)
    for kill in range(kills):
        process = _searching(folder, trials, workers)
        before = len(read(folder))
        while kill % 3 and len(read(folder)) <= before and process.poll() is None:
            time.sleep(0.05)  # until it does something: starting takes longest
        time.sleep(draw.uniform(0.0, 1.0 if kill % 3 else 15.0))
        process.kill()
        process.communicate()
    process = _searching(folder, trials, workers)
    _, told = process.communicate()
    assert process.returncode == 0, told.decode()


def _until(process: subprocess.Popen[bytes], folder: Path, event: str) -> None:
    """Wait for the first trial to begin or to end."""
    while not any(told["event"] == event for told in read(folder)):
        assert process.poll() is None
        time.sleep(0.1)


def _nothing_ran_twice(folder: Path) -> None:
    names = [event["trial"] for event in read(folder) if event["event"] == "ended"]
    assert len(names) == len({*names})


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A search that nothing happened to."""
    folder = tmp_path_factory.mktemp("whole") / "search"
    return kerasseq.tune(toy, trials=4, out=folder, **TUNE)


@pytest.mark.thorough
def test_workers_find_what_one_process_finds_also_when_one_is_killed(
    whole: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[tuple[str, subprocess.Popen[bytes]]] = []
    start = spread._Member.start

    def spied(self: Any) -> None:
        start(self)
        started.append((self.name, self.process))

    killed: list[str] = []

    def show(event: dict[str, Any]) -> None:
        if event["event"] == "began" and not killed:
            killed.append(event["trial"])
            dict(started)[event["worker"]].kill()

    monkeypatch.setattr(spread._Member, "start", spied)
    monkeypatch.setattr("kerasseq.tuning.progress.Progress.show", lambda self, event: show(event))
    folder = tmp_path / "search"
    result = kerasseq.tune(toy, trials=4, workers=2, out=folder, **TUNE)
    assert len(started) == 4  # a chief, two workers, and one of them again
    _nothing_ran_twice(folder)
    frames = [_comparable(own).drop(columns=["trial"]) for own in (result, whole)]
    pd.testing.assert_frame_equal(*frames)
    assert all(process.poll() is not None for _, process in started)
    assert not [path for path in folder.glob(".*") if path.name != ".new"]


@pytest.mark.thorough
def test_a_search_that_is_killed_goes_on(whole: Any, tmp_path: Path) -> None:
    process = _searching(tmp_path / "search", trials=4)
    _until(process, tmp_path / "search", "ended")  # so that there is one to go on after
    process.kill()
    process.communicate()
    again = kerasseq.tune(toy, trials=4, out=tmp_path / "search", **TUNE)
    _nothing_ran_twice(tmp_path / "search")
    pd.testing.assert_frame_equal(_comparable(again), _comparable(whole))


# Kills itself before the model of the best setting has its name.
SAVING = (
    """
import os, signal
replace = os.replace

def killed(source, target):
    if str(target).endswith("best/model.keras"):
        os.kill(os.getpid(), signal.SIGKILL)
    replace(source, target)

os.replace = killed
"""
    + CODE
)


@pytest.mark.thorough
def test_a_search_that_is_killed_while_its_best_run_is_saved_goes_on(
    whole: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "search"
    killed = subprocess.run([sys.executable, "-c", SAVING, str(folder), "4", "1"], cwd=ROOT)
    assert killed.returncode == -signal.SIGKILL
    assert (folder / "best" / ".committed" / "model.keras").is_file()
    again = kerasseq.tune(toy, trials=4, out=folder, **TUNE)
    pd.testing.assert_frame_equal(_comparable(again), _comparable(whole))
    assert not list((folder / "best").rglob(".*"))


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_search_that_is_killed_twenty_times_goes_on(tmp_path: Path, workers: int) -> None:
    whole, folder = tmp_path / "whole", tmp_path / "search"
    _searching(whole, 12).communicate()
    _killed_and_finished(folder, kills=20, trials=12, workers=workers)
    _nothing_ran_twice(folder)
    frames = [_comparable(kerasseq.tuned(own)) for own in (folder, whole)]
    if workers > 1:  # which of them is first is another one each time
        frames = [frame.drop(columns=["trial"]) for frame in frames]
    pd.testing.assert_frame_equal(*frames)


@pytest.mark.thorough
def test_an_interruption_stops_all_processes(tmp_path: Path) -> None:
    process = _searching(tmp_path / "search", 9, workers=2)
    _until(process, tmp_path / "search", "began")
    members = _members(process.pid)
    assert len(members) == 3
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert b"KeyboardInterrupt" in told
    assert not any(_alive(member) for member in members)


@pytest.mark.thorough  # an interruption, above, is the more frequent end
def test_what_shares_a_killed_search_ends_with_it(tmp_path: Path) -> None:
    process = _searching(tmp_path / "search", 9, workers=2)
    _until(process, tmp_path / "search", "began")
    members = _members(process.pid)
    process.kill()
    process.communicate()
    until = time.monotonic() + 30
    while any(_alive(member) for member in members) and time.monotonic() < until:
        time.sleep(0.1)
    assert not any(_alive(member) for member in members)


# On several machines, each a process with a folder of its own


LED = """
import signal, sys
from kerasseq.tuning import oracle, runner
from tests.toy import toy
from tests.tuning.test_survival import TUNE
import kerasseq
oracle.SILENCE, runner.HEARTBEAT = 4.0, 0.5
role, address, folder, epochs = sys.argv[1:]
options = {**TUNE, "trials": 4, "out": folder, "epochs": int(epochs)}
if role == "chief":
    kerasseq.tune(toy, chief=address, **options)
else:
    kerasseq.join(address, toy, **options)
"""


def _machine(*arguments: str, space: Sequence[str] = (), **environment: str) -> Any:
    """A process that takes part in a search."""
    return subprocess.Popen(
        [*space, sys.executable, "-c", LED, *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        stderr=subprocess.PIPE,
    )


@pytest.fixture(params=["processes", "network namespaces"])
def machines(request: pytest.FixtureRequest) -> Iterator[tuple[str, list[str], list[str]]]:
    """The address of the chief, and how commands are run on its machine and on the others."""
    port = spread._free_port()
    if request.param == "processes":
        yield f"127.0.0.1:{port}", [], []
        return
    names = [f"kerasseq-{os.getpid()}-{place}" for place in range(2)]

    def ip(line: str, *, check: bool = True) -> None:
        subprocess.run(["ip", *line.split()], check=check, capture_output=True)

    try:
        for name in names:
            ip(f"netns add {name}")
        ip(f"link add one netns {names[0]} type veth peer name two netns {names[1]}")
        for place, (name, link) in enumerate(zip(names, ("one", "two")), 1):
            ip(f"-n {name} addr add 10.231.7.{place}/24 dev {link}")
            ip(f"-n {name} link set {link} up")
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no network namespaces: {error}")
    else:
        within = [["ip", "netns", "exec", name] for name in names]
        yield f"10.231.7.1:{port}", within[0], within[1]
    finally:
        with contextlib.suppress(OSError):
            for name in names:
                ip(f"netns del {name}", check=False)


@pytest.mark.slow
def test_machines_share_a_search_also_when_one_is_lost(
    whole: Any, tmp_path: Path, machines: tuple[str, list[str], list[str]]
) -> None:
    address, here, there = machines
    chief = _machine("chief", address, str(tmp_path / "chief"), "4", space=here)
    lost, other, stranger = (
        _machine(
            *("worker", address, str(tmp_path / name), epochs),
            space=there,
            KERASTUNER_TUNER_ID=name,
        )
        for name, epochs in (("lost", "4"), ("other", "4"), ("stranger", "5"))
    )
    began: list[str] = []
    while "lost" not in began:
        assert chief.poll() is None, chief.communicate()
        time.sleep(0.05)
        began = [e["worker"] for e in read(tmp_path / "chief") if e["event"] == "began"]
    lost.kill()
    for process in (other, chief):
        _, told = process.communicate(timeout=300)
        assert process.returncode == 0, told.decode()
    _, told = stranger.communicate(timeout=300)
    lost.communicate()
    assert stranger.returncode != 0
    assert b"the chief has another search" in told
    _nothing_ran_twice(tmp_path / "chief")
    result = kerasseq.tuned(tmp_path / "chief")
    assert result.finished
    frames = [_comparable(own).drop(columns=["trial"]) for own in (result, whole)]
    pd.testing.assert_frame_equal(*frames)
    assert [*(tmp_path / "other").rglob("*.npz")] == []  # what a chief does not see


def _members(parent: int) -> list[int]:
    """The processes that a process has started."""
    listed = Path(f"/proc/{parent}/task/{parent}/children").read_text()
    return [int(word) for word in listed.split()]


def _alive(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z" and os.path.exists(f"/proc/{process}")
