"""What a search shows while it runs, on standard error: a table, or a line a trial."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from kerasseq.board import figure

__all__ = ["Progress"]

_ROWS = 12  # the last trials, under which stands the best one


class Progress:
    """Shows the events of a journal.

    Args:
        metric: what trials are scored by.
        higher_is_better: of that.
        trials: how many there will be.
        quiet: whether to show nothing.
    """

    def __init__(self, metric: str, higher_is_better: bool, trials: int, quiet: bool) -> None:
        self._metric, self._sign = metric, -1 if higher_is_better else 1
        self._trials, self._quiet = trials, quiet
        self._running: dict[str, Mapping[str, Any]] = {}
        self._ended: list[dict[str, Any]] = []
        self._started, self._before = time.monotonic(), 0
        self._live: Any = None

    def __enter__(self) -> Progress:
        from rich.console import Console

        console = Console(stderr=True)
        if not self._quiet and console.is_terminal:
            from rich.live import Live

            self._live = Live(self, console=console, refresh_per_second=2)
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def go_on(self, event: Mapping[str, Any]) -> None:
        """Take an event of an earlier call into account, and show nothing of it."""
        self._take(event)
        self._before = len(self._ended)

    def show(self, event: Mapping[str, Any]) -> None:
        """Show an event."""
        self._take(event)
        if event["event"] == "ended" and not self._quiet and self._live is None:
            print(self.line(self._ended[-1]), file=sys.stderr, flush=True)

    def say(self, text: str) -> None:
        """Show a text."""
        if self._live is not None:
            self._live.console.print(text, highlight=False)
        elif not self._quiet:
            print(text, file=sys.stderr, flush=True)

    def line(self, row: Mapping[str, Any]) -> str:
        """A trial in one line."""
        what = ", ".join(f"{name}={_short(value)}" for name, value in row["settings"].items())
        came = row["reason"] if row["score"] is None else f"{self._metric} {figure(row['score'])}"
        best = self._best()
        told = "" if best is None or row is best else f", best {figure(best['score'])}"
        return f"trial {row['trial']} {row['status']}: {came}{told} ({what}){self._left()}"

    def __rich__(self) -> Any:
        from rich.console import Group
        from rich.table import Table

        best = self._best()
        shown = [*self._ended[-_ROWS:], *self._running.values()]
        names = list(dict.fromkeys(name for row in shown for name in row["settings"]))
        table = Table(title=f"{len(self._ended)} of {self._trials} trials", title_justify="left")
        for name in ("trial", *names, "parameters", self._metric, "epochs", "seconds", "status"):
            table.add_column(name, justify="left" if name in ("trial", "status") else "right")
        for row in [*shown, *([best] if best is not None and best not in shown else [])]:
            table.add_row(*_cells(row, names), style="bold" if row is best else None)
        return Group(table, self._left().lstrip("; "))

    def _take(self, event: Mapping[str, Any]) -> None:
        if event["event"] == "began":
            self._running[event["trial"]] = event
        elif event["event"] == "ended":
            began = self._running.pop(event["trial"], {"settings": {}})
            self._ended.append({**began, **event})

    def _best(self) -> dict[str, Any] | None:
        scored = [row for row in self._ended if row["score"] is not None]
        return min(scored, key=lambda row: self._sign * row["score"], default=None)

    def _left(self) -> str:
        done = len(self._ended) - self._before
        ahead = self._trials - len(self._ended)
        if done < 1 or ahead < 1:
            return ""
        minutes, seconds = divmod(round((time.monotonic() - self._started) / done * ahead), 60)
        return f"; {minutes} min {seconds} s left" if minutes else f"; {seconds} s left"


def _cells(row: Mapping[str, Any], names: list[str]) -> list[str]:
    own = [_short(row["settings"].get(name, "")) for name in names]
    if "status" not in row:
        return [row["trial"], *own, "", "", "", "", "runs"]
    return [
        row["trial"],
        *own,
        "" if row["parameters"] is None else f"{row['parameters']:,}",
        "" if row["score"] is None else figure(row["score"]),
        "" if row["epochs"] is None else f"{row['epochs']:g}",
        f"{row['seconds']:.1f}",
        row["status"],
    ]


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
