"""The progress of training, on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import keras

from kerasseq.training.config import TrainingConfig, main_logs

__all__ = ["show_progress"]


@contextmanager
def show_progress(
    config: TrainingConfig, steps: int, epochs_done: int, quiet: bool
) -> Iterator[list[keras.callbacks.Callback]]:
    """Callbacks that show progress on standard error: a bar on a terminal, a line per epoch."""
    if quiet:
        yield []
        return
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield [_EpochLines(config.epochs)]
        return
    from rich import progress

    with progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(bar_width=24),
        progress.TaskProgressColumn(),
        progress.TimeElapsedColumn(),
        progress.TextColumn("left"),
        progress.TimeRemainingColumn(),
        progress.TextColumn("{task.fields[logs]}"),
        console=console,
        transient=True,
    ) as bar:
        task = bar.add_task("", total=config.epochs * steps, completed=epochs_done * steps, logs="")
        yield [
            _ProgressBar(bar, task, steps, config.epochs),
            _EpochLines(config.epochs, bar.console),
        ]


class _EpochLines(keras.callbacks.Callback):
    """Prints a line after each epoch."""

    def __init__(self, epochs: int, console: Any = None) -> None:
        super().__init__()
        self._epochs, self._console = epochs, console

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        line = f"epoch {epoch + 1}/{self._epochs}  {_format_logs(logs)}"
        if self._console is None:
            print(line, file=sys.stderr, flush=True)
        else:
            self._console.print(line, highlight=False)


class _ProgressBar(keras.callbacks.Callback):
    """Moves the progress bar, at most five times per second."""

    def __init__(self, bar: Any, task: Any, steps: int, epochs: int) -> None:
        super().__init__()
        self._bar, self._task, self._steps, self._epochs = bar, task, steps, epochs
        self._epoch = 0
        self._next_update = 0.0

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        if time.monotonic() < self._next_update and batch + 1 < self._steps:
            return  # reading the metrics takes longer than a step of a small model
        self._next_update = time.monotonic() + 0.2
        self._bar.update(
            self._task,
            completed=self._epoch * self._steps + batch + 1,
            description=f"epoch {self._epoch + 1}/{self._epochs}",
            logs=_format_logs(logs),
        )


def _format_logs(logs: Mapping[str, Any] | None) -> str:
    return "  ".join(f"{name} {value:.4f}" for name, value in main_logs(logs).items())
