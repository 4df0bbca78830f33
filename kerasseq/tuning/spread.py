"""A search over several processes of one machine: KerasTuner's chief and its workers."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from glob import glob
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

from kerasseq.tuning.environment import CHIEF, CORES, RESTART, tuner_environment
from kerasseq.tuning.journal import read
from kerasseq.tuning.shared_arrays import Lender
from kerasseq.tuning.task import Task

__all__ = ["spread"]

_PAUSE = 0.2  # seconds between two looks
_DEATHS = 8  # of a worker in a row with nothing done in between
_TAIL = 5  # lines of its output that are told
_LOGGED = re.compile(r"[IWE]\d{4} |WARNING: All log messages|To enable the following instructions")


class _Member:
    """The chief or a worker: a process that is started again under the same name if it ends."""

    def __init__(
        self, name: str, environment: Mapping[str, str], task: Task, lender: Lender
    ) -> None:
        self.name, self._environment = name, dict(environment)
        self._task, self._lender = task, lender
        self._log = task.folder / f".{name}.log"
        self.deaths = 0
        self.start()

    def start(self) -> None:
        """Start the process, and hand it the search."""
        here, there = Pipe()
        with there, open(self._log, "wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "kerasseq.tuning.member", str(there.fileno())],
                env=self._environment,
                pass_fds=[there.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the process that stops the others
            )
        self._link = here  # as long as it is open, the process goes on
        with contextlib.suppress(OSError):  # it may have ended by now, which is seen elsewhere
            here.send_bytes(self._lender.packed(self._task))
            self._lender.serve(here)

    def stop(self) -> None:
        """End the process, and wait until it has."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._link.close()
        self._log.unlink(missing_ok=True)

    @property
    def tail(self) -> str:
        """The last lines that it printed, less what TensorFlow logs of itself."""
        text = self._log.read_text(errors="replace") if self._log.is_file() else ""
        lines = [line.strip() for line in text.splitlines() if not _LOGGED.match(line)]
        return " | ".join([line for line in lines if line][-_TAIL:]) or "none"


def spread(
    task: Task, workers: int, lender: Lender, show: Callable[[dict[str, Any]], None]
) -> None:
    """Run the trials of a search by several workers.

    Args:
        task: the search; its folder has a journal, which nobody holds.
        workers: how many.
        lender: of the data.
        show: takes the events of the journal as they come.

    Raises:
        ChildProcessError: if the processes cannot do their work.
    """
    seen = len(read(task.folder))
    members: list[_Member] = []
    try:
        base = _environment()
        chief = _Member(
            CHIEF, base | tuner_environment(CHIEF, "127.0.0.1", _free_port()), task, lender
        )
        members.append(chief)
        port = int(chief._environment["KERASTUNER_ORACLE_PORT"])
        for place in range(workers):
            own = tuner_environment(f"worker-{place}", "127.0.0.1", port) | _share(place, workers)
            members.append(_Member(f"worker-{place}", base | own, task, lender))
        waiting = members[1:]
        while waiting:
            time.sleep(_PAUSE)
            events = read(task.folder)[seen:]
            seen += len(events)
            for event in events:
                show(event)
            if events:
                for member in members:
                    member.deaths = 0
            if _over(chief):
                break
            waiting = [own for own in waiting if not _done(own)]
    finally:
        with _uninterrupted():
            for member in reversed(members):
                member.stop()
    for event in read(task.folder)[seen:]:
        show(event)


def _done(member: _Member) -> bool:
    """Whether a worker has come to the end; one that died is started again, for its trial."""
    code = member.process.poll()
    if code in (None, 0):
        return code == 0
    member.deaths += code != RESTART
    if member.deaths >= _DEATHS:
        raise ChildProcessError(
            f"{member.name} of the search ended {_DEATHS} times with nothing done in between "
            f"({_how(code)}). Its last words: {member.tail}"
        )
    member.start()
    return False


def _over(chief: _Member) -> bool:
    """Whether the chief has let all workers go."""
    code = chief.process.poll()
    if code not in (None, 0):
        raise ChildProcessError(
            f"the chief of the search ended ({_how(code)}); the same call goes on. "
            f"Its last words: {chief.tail}"
        )
    return code == 0


def _how(code: int | None) -> str:
    return f"by {signal.Signals(-code).name}" if code is not None and code < 0 else f"code {code}"


def _environment() -> dict[str, str]:
    """That of this process, with what it can import."""
    path = os.pathsep.join(own or str(Path.cwd()) for own in sys.path)
    return {**os.environ, "PYTHONPATH": path}


def _share(place: int, workers: int) -> dict[str, str]:
    """The cores, or the GPU, of one of the workers."""
    cores = sorted(os.sched_getaffinity(0))
    own = cores[place::workers] or [cores[place % len(cores)]]
    threads = str(len(own))
    found = {
        CORES: ",".join(map(str, own)),
        "OMP_NUM_THREADS": threads,
        "TF_NUM_INTRAOP_THREADS": threads,
        "TF_NUM_INTEROP_THREADS": "1",
    }
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    devices = [str(k) for k in range(len(glob("/dev/nvidia[0-9]*")))]
    gpus = devices if given is None else [name for name in given.split(",") if name]
    return found | ({"CUDA_VISIBLE_DEVICES": gpus[place % len(gpus)]} if gpus else {})


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """See to it that what is to be stopped is stopped, also if Ctrl-C comes again."""
    try:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    except ValueError:  # not in the main thread, which is where Ctrl-C goes
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
