"""The progress of training, on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import keras

from kerasseq.training.config import TrainingConfig, followed

__all__ = ["show_progress"]


@contextmanager
def show_progress(
    config: TrainingConfig, steps: int, epochs_done: int, quiet: bool
) -> Iterator[list[keras.callbacks.Callback]]:
    """What shows progress: a bar on a terminal, else a line per epoch; on standard error."""
    if quiet:
        yield []
        return
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield [_Lines(config.epochs)]
        return
    from rich import progress

    with progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(bar_width=24),
        progress.TaskProgressColumn(),
        progress.TimeElapsedColumn(),
        progress.TextColumn("left"),
        progress.TimeRemainingColumn(),
        progress.TextColumn("{task.fields[shown]}"),
        console=console,
        transient=True,
    ) as bar:
        task = bar.add_task(
            "", total=config.epochs * steps, completed=epochs_done * steps, shown=""
        )
        yield [_Bar(bar, task, steps, config.epochs), _Lines(config.epochs, bar.console)]


class _Lines(keras.callbacks.Callback):
    """One line per epoch."""

    def __init__(self, epochs: int, console: Any = None) -> None:
        super().__init__()
        self._epochs, self._console = epochs, console

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        line = f"epoch {epoch + 1}/{self._epochs}  {_shown(logs)}"
        if self._console is None:
            print(line, file=sys.stderr, flush=True)
        else:
            self._console.print(line, highlight=False)


class _Bar(keras.callbacks.Callback):
    """Moves the progress bar, a few times a second."""

    def __init__(self, bar: Any, task: Any, steps: int, epochs: int) -> None:
        super().__init__()
        self._bar, self._task, self._steps, self._epochs = bar, task, steps, epochs
        self._epoch = 0
        self._next = 0.0

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        if time.monotonic() < self._next and batch + 1 < self._steps:
            return  # reading the metrics out costs more than a step of a small model
        self._next = time.monotonic() + 0.2
        self._bar.update(
            self._task,
            completed=self._epoch * self._steps + batch + 1,
            description=f"epoch {self._epoch + 1}/{self._epochs}",
            shown=_shown(logs),
        )


def _shown(logs: Mapping[str, Any] | None) -> str:
    return "  ".join(f"{name} {value:.4f}" for name, value in followed(logs).items())
