"""What a search shows while it runs, on standard error: a table, or a line a trial."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from kerasseq.formatting import numbers
from kerasseq.formatting.table import Table, printable
from kerasseq.tuning import formatting
from kerasseq.tuning.final import DEFAULT

__all__ = ["Progress"]

_AMOUNTS = ("score", "parameters", "epochs", "seconds")
_ROWS = 12  # the last trials, under which stands the best one
_LINES = 10  # of a terminal that are not the last trials: title, rules, the best one, time
_BETWEEN = 3  # characters between two columns
_LEAST = 15  # characters for the settings, which are left out of a narrower terminal
_FINAL = 2  # trainings that follow the last trial: of the best setting, and of the recipe's own


class Progress:
    """Shows the events of a journal.

    Args:
        metric: what trials are scored by.
        higher_is_better: of that.
        trials: how many there will be, and the recipe's own setting after them.
        quiet: whether to show nothing.
    """

    def __init__(self, metric: str, higher_is_better: bool, trials: int, quiet: bool) -> None:
        self._metric, self._sign = metric, -1 if higher_is_better else 1
        self._trials, self._quiet = trials, quiet
        self._space: list[str] = []
        self._running: dict[str, Mapping[str, Any]] = {}
        self._ended: list[dict[str, Any]] = []
        self._started = self._last = time.monotonic()
        self._before = 0  # trials of an earlier call
        self._doing = "searching"
        self._live: Any = None
        self._spinner: Any = None

    def __enter__(self) -> Progress:
        from rich.console import Console

        console = Console(stderr=True)
        if not self._quiet and console.is_terminal:
            from rich.live import Live

            self._live = Live(self, console=console, refresh_per_second=4)
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is None:
            return
        live, self._live = self._live, None
        live.transient = kind is None  # the Result has the table; what was broken off stays
        live.stop()
        if kind is None and self._searched > self._before:
            spent = numbers.duration(time.monotonic() - self._started)
            live.console.print(
                f"{numbers.plural(self._searched, 'trial')} in {spent}", highlight=False
            )

    def go_on(self, event: Mapping[str, Any]) -> None:
        """Take an event of an earlier call into account, and show nothing of it."""
        self._take(event)
        self._before = self._searched

    def show(self, event: Mapping[str, Any]) -> None:
        """Show an event."""
        self._take(event)
        if event["event"] == "ended" and not self._quiet and self._live is None:
            print(printable(self.line(self._ended[-1])), file=sys.stderr, flush=True)

    def say(self, text: str) -> None:
        """Show what is being done."""
        self._doing = text
        if not self._quiet and self._live is None:
            print(printable(text), file=sys.stderr, flush=True)

    def line(self, row: Mapping[str, Any]) -> str:
        """A trial in one line."""
        own = formatting.ordered(row["settings"], self._space)
        what = ", ".join(f"{name}={numbers.setting(value)}" for name, value in own.items())
        came = (
            row["reason"]
            if row["score"] is None
            else f"{self._metric} {numbers.score(row['score'])}"
        )
        best = self._best()
        told = "" if best is None or row is best else f", best {numbers.score(best['score'])}"
        left = self._left()
        return f"trial {row['trial']} {row['status']}: {came}{told} ({what}){left and '; ' + left}"

    def __rich_console__(self, console: Any, options: Any) -> Any:
        from rich.spinner import Spinner

        last = max(3, min(_ROWS, console.height - _LINES - len(self._running)))
        best = self._best()
        rows = [*self._ended[-last:], *self._running.values()]
        if best is not None and best not in rows:
            rows.append(best)
        taken = console.measure(self._table(rows, _AMOUNTS, 0)).maximum
        room = options.max_width - taken - _BETWEEN
        if room + _BETWEEN >= _LEAST:
            yield self._table(rows, _AMOUNTS, room)
        else:
            yield self._table(rows, [name for name in _AMOUNTS if name != "epochs"], 0)
        if self._spinner is None:
            self._spinner = Spinner("dots")
        spent = numbers.duration(time.monotonic() - self._started)
        told = [self._doing, f"{spent} so far", self._left()]
        self._spinner.update(text="; ".join(part for part in told if part))
        yield self._spinner

    def _table(self, rows: Sequence[Mapping[str, Any]], amounts: Sequence[str], room: int) -> Any:
        """The trials, with as much of their settings as there is room for."""
        from rich import box

        heads = tuple(self._metric if name == "score" else name for name in amounts)
        cells = [
            (row["trial"], *(_amount(name, row) for name in amounts), row.get("status", "runs"))
            for row in rows
        ]
        columns = ("trial", *heads, "status")
        if room:
            columns = (*columns, "settings")
            cells = [(*own, formatting.cut(self._told(row), room)) for own, row in zip(cells, rows)]
        bold = next((place for place, row in enumerate(rows) if row is self._best()), None)
        return Table(columns, tuple(cells), right=heads).to_rich(
            bold=bold,
            box=box.SIMPLE,
            pad_edge=False,
            title=f"{self._searched:,} of {numbers.plural(self._trials, 'trial')}",
            title_justify="left",
        )

    def _told(self, row: Mapping[str, Any]) -> str:
        """The settings of a trial, or why it has no score."""
        if "status" in row and row["score"] is None:
            return str(row["reason"])
        return formatting.inline(formatting.ordered(row["settings"], self._space))

    @property
    def _searched(self) -> int:
        """How many trials have ended, the recipe's own setting aside."""
        return sum(row["trial"] != DEFAULT for row in self._ended)

    def _take(self, event: Mapping[str, Any]) -> None:
        if event["event"] == "search":
            self._space = [*event.get("space", {})]
        elif event["event"] == "began":
            self._running[event["trial"]] = event
        elif event["event"] == "ended":
            began = self._running.pop(event["trial"], {"settings": {}})
            self._ended.append({**began, **event})
            self._last = time.monotonic()

    def _best(self) -> dict[str, Any] | None:
        scored = [row for row in self._ended if row["score"] is not None]
        return min(scored, key=lambda row: self._sign * row["score"], default=None)

    def _left(self) -> str:
        """The time until the end, where there are trials to tell it by.

        What is left of the trials takes as long as those of this call did; the recipe's own
        setting and the trainings of the end, one after the other, as long as a mean trial.
        """
        done = self._searched - self._before
        ended = any(row["trial"] == DEFAULT for row in self._ended)
        over = ended or DEFAULT in self._running
        ahead = 0 if over else max(0, self._trials - self._searched)
        spent = [row["seconds"] for row in self._ended if row["score"] is not None]
        if not spent or (ahead and not done):
            return ""
        after = (_FINAL if ended else _FINAL + 1) * sum(spent) / len(spent)
        if ahead:
            after += ahead * (self._last - self._started) / done
        left = after - (time.monotonic() - self._last)
        return f"about {numbers.duration(left)} left" if left > 0 else ""


def _amount(name: str, row: Mapping[str, Any]) -> str:
    value = row.get(name)
    if value is None:
        return ""
    if name == "score":
        return numbers.score(value)
    return f"{value:.1f}" if name == "seconds" else f"{round(value):,}"
