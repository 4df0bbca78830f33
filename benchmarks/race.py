"""Contenders in processes of their own, timed in turns.

`benchmarks.kernels` and `benchmarks.gpu` measure with it.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import select
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from benchmarks import rows, targets

TOLERANCE = 1e-4  # of each tensor's largest magnitude, in float32
PAUSE = 0.02  # seconds between blocks, in which the threads of the last one come to rest
OURS = "kerasseq"
#: What a worker finds in its environment: no GPU, so that figures are those of the processor.
PROCESSOR = {"CUDA_VISIBLE_DEVICES": "-1"}


class Failure(Exception):
    """A benchmark that cannot be measured, or whose contenders disagree."""


@dataclass(frozen=True)
class Entry:
    """A contender of a race.

    Args:
        library: "kerasseq", "keras.layers", "keras.layers.RNN" or "torch.nn".
        backend: that of the process it runs in.
        task: further arguments of its `benchmarks.contenders.Task`.
        compared: it has the weights of the first entry, and is to compute the same.
        timed: it takes part in the race.
    """

    library: str
    backend: str
    task: dict[str, Any]
    compared: bool = True
    timed: bool = True


@dataclass(frozen=True)
class Place:
    """How workers are started, and how long they are waited for.

    Args:
        environment: backend -> variables of the environment beside those of this process.
        patience: gives the seconds that an answer may take; None waits for ever.
        log: takes what workers write beside answers; None for this process's stderr.
    """

    environment: Callable[[str], Mapping[str, str]] = lambda backend: PROCESSOR
    patience: Callable[[], float | None] = lambda: None
    log: IO[str] | None = None


class Worker:
    """A process that holds one backend, and waits while it is asked nothing."""

    def __init__(self, backend: str, place: Place = Place()) -> None:
        self.backend = backend
        self._patience = place.patience
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker"],
            cwd=rows.ROOT,
            env={
                "TF_CPP_MIN_LOG_LEVEL": "3",
                **os.environ,
                "KERAS_BACKEND": backend,
                **place.environment(backend),
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=place.log,
            text=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._messages, self._answers = self._process.stdin, self._process.stdout
        self.version = str(self.ask("hello", library=backend)["version"])

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def ask(self, do: str, **message: Any) -> dict[str, Any]:
        """What it answers to a message.

        Raises:
            Failure: if it answers with an error, ends instead, or takes too long, which ends it.
        """
        try:
            print(json.dumps({"do": do, **message}), file=self._messages, flush=True)
            answer = self._answer(do)
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise Failure(f"the {self.backend} process ended with {self._process.wait()}")
        reply: dict[str, Any] = json.loads(answer)
        if "error" in reply:
            raise Failure(reply["error"])
        return reply

    def _answer(self, do: str) -> str:
        patience = self._patience()
        if patience is not None and not select.select([self._answers], [], [], patience)[0]:
            self.kill()
            raise Failure(f"no answer to '{do}' within {patience:.0f} s")
        return self._answers.readline()

    def kill(self) -> None:
        """Ends it, whatever it is at."""
        self._process.kill()
        self.close()

    def cpu_seconds(self) -> float:
        """The processor time it has used; 0 where the system does not tell."""
        try:
            stat = Path(f"/proc/{self._process.pid}/stat").read_text(encoding="ascii")
        except OSError:
            return 0.0
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def close(self) -> None:
        """Ends it once it has done what it was asked."""
        with contextlib.suppress(BrokenPipeError):  # it was killed in the middle of a message
            self._messages.close()
        self._process.wait()
        self._answers.close()


class Crew:
    """One worker per backend, started when it is first needed, and again where it ended."""

    def __init__(self, place: Place = Place()) -> None:
        self._place = place
        self._workers: dict[str, Worker] = {}

    def __getitem__(self, backend: str) -> Worker:
        worker = self._workers.get(backend)
        if worker is None or not worker.alive:
            worker = self._workers[backend] = Worker(backend, self._place)
        return worker

    def waiting(self, worker: Worker) -> list[Worker]:
        """The others."""
        return [other for other in self._workers.values() if other is not worker and other.alive]

    def cpu_seconds(self) -> float:
        """The processor time that they have used."""
        return sum(worker.cpu_seconds() for worker in self._workers.values() if worker.alive)

    def clear(self) -> None:
        """Drops what the workers hold."""
        for worker in self._workers.values():
            if worker.alive:
                worker.ask("clear")

    def close(self) -> None:
        """Ends all of them."""
        for worker in self._workers.values():
            worker.close()


@contextmanager
def crew(place: Place = Place()) -> Iterator[Crew]:
    """A crew that is sent home in the end."""
    made = Crew(place)
    try:
        yield made
    finally:
        made.close()


def race(
    entries: Sequence[Entry], crew: Crew, rounds: int, tolerance: float = TOLERANCE
) -> rows.Row:
    """Checks that the contenders agree, and times them in turns, in alternating order.

    Args:
        entries: ours first.
        crew: the processes.
        rounds: blocks per contender.
        tolerance: how far contenders may be apart, of each tensor's largest magnitude.

    Returns:
        `milliseconds` of a step, the median over the rounds; `against` each rival how many times
        as long it takes (see `targets.against`); our `kernel`; the `versions` of the backends;
        `apart`, how far a rival was from ours; `waiting`, the share of a core that the processes
        used which were not being timed; `elsewhere`, the cores that all other programs used; and
        `gemm`, the GFLOP/s of a product of large matrices, at its best in pauses of the race.

    Raises:
        Failure: if a contender cannot run, or does not compute what ours does.
    """
    crew.clear()
    with tempfile.TemporaryDirectory() as folder:
        apart = _check(entries, crew, folder, tolerance)
    timed = {entry.library: crew[entry.backend] for entry in entries if entry.timed}
    warm = {name: worker.ask("warm", name=name) for name, worker in timed.items()}
    steps = {name: reply["steps"] for name, reply in warm.items()}
    start, before = time.perf_counter(), _machine_seconds() - crew.cpu_seconds()
    seconds, waiting, gemm = _rounds(timed, crew, steps, rounds)
    elsewhere = _machine_seconds() - crew.cpu_seconds() - before
    elsewhere /= time.perf_counter() - start
    ours = seconds[OURS]
    return {
        "milliseconds": {
            name: targets.rounded(1000 * statistics.median(each)) for name, each in seconds.items()
        },
        "against": {
            name: targets.against(ours, each) for name, each in seconds.items() if name != OURS
        },
        "kernel": warm[OURS]["kernel"],
        "versions": {worker.backend: worker.version for worker in timed.values()},
        "apart": targets.rounded(apart),
        "waiting": round(waiting, 3),
        "elsewhere": round(elsewhere, 2),
        "gemm": targets.rounded(gemm),
    }


def weigh(entries: Sequence[Entry], rounds: int) -> rows.Row:
    """The peak memory of training steps, each contender in fresh processes.

    Returns:
        `mebibytes`, the median over the rounds; `against` each rival how many times as much it
        takes; our `kernel`; and the `versions` of the backends.
    """
    found: dict[str, list[float]] = {entry.library: [] for entry in entries}
    kernel, versions = None, {}
    for entry in itertools.chain.from_iterable([entries] * rounds):
        worker = Worker(entry.backend)
        try:
            reply = worker.ask("peak", task={"library": entry.library, **entry.task})
        finally:
            worker.close()
        found[entry.library].append(reply["bytes"] / 2**20)
        kernel = kernel or reply["kernel"]
        versions[worker.backend] = worker.version
    return {
        "mebibytes": {
            name: targets.rounded(statistics.median(each)) for name, each in found.items()
        },
        "against": {
            name: targets.against(found[OURS], each) for name, each in found.items() if name != OURS
        },
        "kernel": kernel,
        "versions": versions,
    }


def differences(ours: Sequence[np.ndarray], theirs: Sequence[np.ndarray]) -> list[float]:
    """How far each tensor is from ours, by its own largest magnitude."""
    found = []
    for mine, other in zip(ours, theirs, strict=True):
        if mine.shape != other.shape:
            raise Failure(f"a shape of {mine.shape} here is one of {other.shape} there")
        scale = float(np.abs(other).max(initial=0.0)) or 1.0
        apart = float(np.abs(mine.astype(np.float64) - other).max(initial=0.0)) / scale
        found.append(apart if np.isfinite(apart) else float("inf"))
    return found


def _check(entries: Sequence[Entry], crew: Crew, folder: str, tolerance: float) -> float:
    """Builds all contenders; those to be compared give what ours gives, and are so far from it."""
    ours: list[np.ndarray] = []
    most = 0.0
    for entry in entries:
        reply = crew[entry.backend].ask(
            "add",
            name=entry.library,
            task={"library": entry.library, **entry.task},
            folder=folder if entry.compared else None,
        )
        if not entry.compared:
            continue
        with np.load(Path(folder) / f"{entry.library}.npz", allow_pickle=False) as file:
            arrays = [file[key] for key in file.files]
        if not ours:
            ours, names = arrays, reply["arrays"]
            continue
        for name, apart in zip(names, differences(ours, arrays), strict=True):
            most = max(most, apart)
            if not apart <= tolerance:
                what = name if name == "outputs" else f"the gradient of {name}"
                raise Failure(
                    f"{what}: {entry.library} is apart from ours by {apart:.1e} of the largest "
                    f"value, and {tolerance:g} is allowed"
                )
    return most


def _machine_seconds() -> float:
    """The processor time that all programs have used; 0 where the system does not tell."""
    try:
        total = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:]
    except OSError:
        return 0.0
    user, nice, system, _, _, interrupts, soft, _ = map(int, total[:8])  # neither idle nor stolen
    return (user + nice + system + interrupts + soft) / os.sysconf("SC_CLK_TCK")


def _rounds(
    timed: dict[str, Worker], crew: Crew, steps: dict[str, int], rounds: int
) -> tuple[dict[str, list[float]], float, float]:
    """Seconds per step of each contender in each round, the load of those that waited, and the
    GFLOP/s of a product of matrices."""
    seconds: dict[str, list[float]] = {name: [] for name in timed}
    used = spent = gemm = 0.0
    for turn in range(rounds):
        if turn in (0, rounds // 2, rounds - 1):
            gemm = max(gemm, timed[OURS].ask("gemm")["gflops"])
        for name in list(timed)[:: 1 if turn % 2 == 0 else -1]:
            worker = timed[name]
            time.sleep(PAUSE)
            others = crew.waiting(worker)
            before, start = [other.cpu_seconds() for other in others], time.perf_counter()
            reply = worker.ask("block", name=name, steps=steps[name])
            spent += time.perf_counter() - start
            used += sum(other.cpu_seconds() - b for other, b in zip(others, before))
            seconds[name].append(reply["seconds"])
    return seconds, used / spent, gemm
