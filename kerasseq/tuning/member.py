"""Entry point of the processes of a search, chief or worker: `python -m kerasseq.tuning.member FD`.

FD is the file descriptor of the connection to the process that started the search.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from kerasseq.tuning.environment import CHIEF, CORES, RESTART
from kerasseq.tuning.shared_arrays import Borrower, unpack

__all__ = ["lead", "main", "work"]


def main(link: Connection) -> None:
    """Receive a search through a connection, and run it as chief or worker until it ends."""
    cores = os.environ.get(CORES)
    if cores:
        os.sched_setaffinity(0, {int(core) for core in cores.split(",")})
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that `finally` blocks run
    task = unpack(link.recv_bytes())
    borrow = Borrower(link).ask
    if os.environ["KERASTUNER_TUNER_ID"] == CHIEF:
        lead(task, borrow)
    else:
        work(task, borrow, again=True)


def lead(task: Any, borrow: Callable[..., Any] | None = None) -> None:
    """Propose trials to workers until none are left; the environment holds the address."""
    from kerasseq.tuning.search import Search

    search = Search(task, quiet=True, borrow=borrow)
    try:
        search.trials()
    finally:
        search.journal.close()


def work(task: Any, borrow: Callable[..., Any] | None = None, again: bool = False) -> None:
    """Run the trials that the chief proposes; the environment holds the chief's address.

    Args:
        task: the search.
        borrow: requests prepared data from the process that started the search, if there is one.
        again: whether this process ends with the exit code `RESTART` once its memory has grown too
            much, to be started again.
    """
    import keras_tuner

    from kerasseq.tuning.journal import read
    from kerasseq.tuning.oracle import OBJECTIVE
    from kerasseq.tuning.runner import GROWTH, MemoryGrown, Runner, SearchMismatch
    from kerasseq.tuning.task import Data

    direction = "max" if task.recipe.higher_is_better else "min"
    objective = keras_tuner.Objective(OBJECTIVE, direction)
    oracle = keras_tuner.oracles.RandomSearchOracle(objective=objective)

    def curves() -> list[list[float]]:
        """Curves of the trials that have ended; none where the journal is on another machine."""
        return [e["curve"] for e in read(task.folder) if e["event"] == "ended" and e["curve"]]

    data = Data(task.recipe, task.source, task.settings, borrow)
    try:
        Runner(oracle, task, data, curves, GROWTH if again else None).search()
    except MemoryGrown:
        sys.exit(RESTART)
    except SearchMismatch as error:
        raise ValueError(str(error)) from error


if __name__ == "__main__":
    main(Connection(int(sys.argv[1])))
