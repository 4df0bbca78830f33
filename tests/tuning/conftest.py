"""Searches of the toy: with trials that train, and with ones that only say their score."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kerasseq.settings import Choice, Float, Int
from kerasseq.tuning import trial
from kerasseq.tuning.task import Data, Task
from kerasseq.tuning.trial import Outcome
from tests import toy as toys

SPACE = {
    "units": Int(1, 16, log=True),
    "learning_rate": Float(1e-3, 1e-1, log=True),
    "batch_size": Choice((8, 16, 32)),
}


@pytest.fixture(autouse=True, scope="session")
def light() -> None:
    """Each trial ends by collecting garbage, which the objects of other tests are no part of."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def task(tmp_path: Path) -> Callable[..., Task]:
    """A search of the toy that has not begun."""

    def make(space: Any = None, **changes: Any) -> Task:
        settings = {**toys.SETTINGS, **changes.pop("settings", {})}
        folder = tmp_path / "search"
        made = Task(toys.TASK, toys.numbers(), settings, space or SPACE, folder, recorded=settings)
        return replace(made, **changes)

    return make


@pytest.fixture
def data() -> Data:
    return Data(toys.TASK, toys.numbers(), toys.SETTINGS)


def said(task: Task, data: Data, name: str, settings: Any, **options: Any) -> Outcome:
    """What a trial would come to: best at 7 units, at a rate of 0.02, after 5 epochs."""
    error = abs(settings["units"] - 7) + abs(settings["learning_rate"] - 0.02)
    epochs = options.get("epochs") or settings["epochs"]
    return Outcome(
        trial.COMPLETED,
        score=error + 1 / epochs,
        parameters=data.count(settings),
        macs=data.macs(settings),
        epochs=float(epochs),
        best_epoch=min(epochs, 5.0),
        seconds=1.0,
        curve=[error + 1 / k for k in range(1, epochs + 1)],
    )


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Trials do not train, and nothing is drawn; the settings of those that ran."""
    ran: list[dict[str, Any]] = []

    def run(task: Task, data: Data, name: str, settings: Any, **options: Any) -> Outcome:
        ran.append({"trial": name, **settings})
        return said(task, data, name, settings, **options)

    monkeypatch.setattr(trial, "run", run)
    monkeypatch.setattr("kerasseq.tuning.search.finish", lambda *given: {"best": None})
    monkeypatch.setattr("kerasseq.tuning.results.Result.plots", lambda self: {})
    return ran
