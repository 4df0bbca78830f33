"""What each process of a search does that several share: `python -m kerasseq.tuning.member FD`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from kerasseq.tuning.environment import AGAIN, CHIEF, CORES
from kerasseq.tuning.shared_arrays import Borrower, opened

__all__ = ["lead", "main", "work"]


def main(link: Connection) -> None:
    """Take part in the search that comes through a link, until it ends or the link does."""
    cores = os.environ.get(CORES)
    if cores:
        os.sched_setaffinity(0, {int(core) for core in cores.split(",")})
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that it clears up behind it
    task = opened(link.recv_bytes())
    lend = Borrower(link).ask
    if os.environ["KERASTUNER_TUNER_ID"] == CHIEF:
        lead(task, lend)
    else:
        work(task, lend, again=True)


def lead(task: Any, lend: Callable[..., Any] | None = None) -> None:
    """Propose trials to workers until there are none left; the environment says where."""
    from kerasseq.tuning.search import Search

    search = Search(task, quiet=True, lend=lend)
    try:
        search.trials()
    finally:
        search.journal.close()


def work(task: Any, lend: Callable[..., Any] | None = None, again: bool = False) -> None:
    """Run the trials that the chief proposes; the environment says where it is.

    Args:
        task: the search.
        lend: asks another process for prepared data, where one has it.
        again: whether the process is started again if it ends with the code `AGAIN`, which it does
            when it has grown too much.
    """
    import keras_tuner

    from kerasseq.tuning.journal import read
    from kerasseq.tuning.oracle import OBJECTIVE
    from kerasseq.tuning.runner import GROWTH, Full, Runner, Stranger
    from kerasseq.tuning.task import Data

    direction = "max" if task.recipe.higher_is_better else "min"
    objective = keras_tuner.Objective(OBJECTIVE, direction)
    oracle = keras_tuner.oracles.RandomSearchOracle(objective=objective)

    def curves() -> list[list[float]]:
        """Those that have ended, where the journal is in this folder."""
        return [e["curve"] for e in read(task.folder) if e["event"] == "ended" and e["curve"]]

    data = Data(task.recipe, task.source, task.settings, lend)
    try:
        Runner(oracle, task, data, curves, GROWTH if again else None).search()
    except Full:
        sys.exit(AGAIN)
    except Stranger as error:
        raise ValueError(str(error)) from error


if __name__ == "__main__":
    main(Connection(int(sys.argv[1])))
