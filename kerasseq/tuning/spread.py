"""A search on several processes of one machine: KerasTuner's chief and its workers."""

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

__all__ = ["run_workers"]

_PAUSE = 0.2  # seconds between two checks of the processes
_DEATHS = 8  # failures of a worker in a row, with no event in between, that end the search
_TAIL = 5  # last lines of a process's output in error messages
_LOGGED = re.compile(r"[IWE]\d{4} |WARNING: All log messages|To enable the following instructions")


class _Member:
    """The chief or a worker: a process that can be restarted under the same name."""

    def __init__(
        self, name: str, environment: Mapping[str, str], task: Task, lender: Lender
    ) -> None:
        self.name, self.environment = name, dict(environment)
        self._task, self._lender = task, lender
        self._log = task.folder / f".{name}.log"
        self.deaths = 0
        self.start()

    def start(self) -> None:
        """Start the process, and send it the search."""
        connection, remote = Pipe()
        with remote, open(self._log, "wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "kerasseq.tuning.member", str(remote.fileno())],
                env=self.environment,
                pass_fds=[remote.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches this process only, which stops the others
            )
        self._link = connection  # the process ends when this connection is closed
        with contextlib.suppress(OSError):  # the process may have ended; `poll` reports it
            connection.send_bytes(self._lender.pack(self._task))
            self._lender.serve(connection)

    def stop(self) -> None:
        """Terminate the process, and wait until it has ended."""
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
        """The last lines of its output, without TensorFlow's log messages."""
        text = self._log.read_text(errors="replace") if self._log.is_file() else ""
        lines = [line.strip() for line in text.splitlines() if not _LOGGED.match(line)]
        return " | ".join([line for line in lines if line][-_TAIL:]) or "none"


def run_workers(
    task: Task, workers: int, lender: Lender, show: Callable[[dict[str, Any]], None]
) -> None:
    """Run the trials of a search on several workers.

    Args:
        task: the search; its folder has a journal, which no process has open.
        workers: number of worker processes.
        lender: shares prepared data with the processes.
        show: called with each new event of the journal.

    Raises:
        ChildProcessError: if the chief fails, or a worker fails repeatedly.
    """
    shown = len(read(task.folder))
    members: list[_Member] = []
    try:
        base = _inherited_environment()
        chief = _Member(
            CHIEF, base | tuner_environment(CHIEF, "127.0.0.1", _free_port()), task, lender
        )
        members.append(chief)
        port = int(chief.environment["KERASTUNER_ORACLE_PORT"])
        for place in range(workers):
            name = f"worker-{place}"
            variables = tuner_environment(name, "127.0.0.1", port)
            variables |= _worker_resources(place, workers)
            members.append(_Member(name, base | variables, task, lender))
        running_workers = members[1:]
        while running_workers:
            time.sleep(_PAUSE)
            events = read(task.folder)[shown:]
            shown += len(events)
            for event in events:
                show(event)
            if events:
                for member in members:
                    member.deaths = 0
            if _chief_has_ended(chief):
                break
            running_workers = [worker for worker in running_workers if not _has_ended(worker)]
    finally:
        with _ignoring_interrupts():
            for member in reversed(members):
                member.stop()
    for event in read(task.folder)[shown:]:
        show(event)


def _has_ended(member: _Member) -> bool:
    """Whether a worker has ended normally; a worker that failed is restarted."""
    code = member.process.poll()
    if code in (None, 0):
        return code == 0
    member.deaths += code != RESTART
    if member.deaths >= _DEATHS:
        raise ChildProcessError(
            f"{member.name} of the search ended {_DEATHS} times with nothing done in between "
            f"({_exit_reason(code)}). Its last output: {member.tail}"
        )
    member.start()
    return False


def _chief_has_ended(chief: _Member) -> bool:
    """Whether the chief has ended normally, after all workers have left."""
    code = chief.process.poll()
    if code not in (None, 0):
        raise ChildProcessError(
            f"the chief of the search ended ({_exit_reason(code)}); the same call resumes it. "
            f"Its last output: {chief.tail}"
        )
    return code == 0


def _exit_reason(code: int | None) -> str:
    return f"by {signal.Signals(-code).name}" if code is not None and code < 0 else f"code {code}"


def _inherited_environment() -> dict[str, str]:
    """The environment of this process, with its import path."""
    path = os.pathsep.join(folder or str(Path.cwd()) for folder in sys.path)
    return {**os.environ, "PYTHONPATH": path}


def _worker_resources(place: int, workers: int) -> dict[str, str]:
    """Environment variables that give a worker its share of the cores, and a GPU if any."""
    cores = sorted(os.sched_getaffinity(0))
    worker_cores = cores[place::workers] or [cores[place % len(cores)]]
    threads = str(len(worker_cores))
    variables = {
        CORES: ",".join(map(str, worker_cores)),
        "OMP_NUM_THREADS": threads,
        "TF_NUM_INTRAOP_THREADS": threads,
        "TF_NUM_INTEROP_THREADS": "1",
    }
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    devices = [str(k) for k in range(len(glob("/dev/nvidia[0-9]*")))]
    gpus = devices if visible is None else [name for name in visible.split(",") if name]
    return variables | ({"CUDA_VISIBLE_DEVICES": gpus[place % len(gpus)]} if gpus else {})


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def _ignoring_interrupts() -> Iterator[None]:
    """Context in which Ctrl-C is ignored, so that all processes are stopped."""
    try:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    except ValueError:  # not in the main thread, which alone receives Ctrl-C
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
