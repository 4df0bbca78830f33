"""Progress of a search on standard error: a live table in a terminal, else a line per trial."""

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
_ROWS = 12  # the latest trials that the table shows; the best one is the row below them
_LINES = 10  # lines of the terminal for the title, rules, the best trial and the time
_BETWEEN = 3  # characters between two columns
_LEAST = 15  # characters of the column of settings; narrower terminals do not have it
_FINAL = 2  # trainings after the last trial: of the best settings, and of the defaults


class Progress:
    """Display of the events of a journal.

    Args:
        metric: name of the score.
        higher_is_better: whether a higher score is better.
        trials: number of trials of the search, without the trial of the defaults.
        quiet: whether to show nothing.
    """

    def __init__(self, metric: str, higher_is_better: bool, trials: int, quiet: bool) -> None:
        self._metric, self._sign = metric, -1 if higher_is_better else 1
        self._trials, self._quiet = trials, quiet
        self._space: list[str] = []
        self._running: dict[str, Mapping[str, Any]] = {}
        self._ended: list[dict[str, Any]] = []
        self._started = self._last_end = time.monotonic()
        self._earlier_trials = 0  # trials of earlier calls
        self._activity = "searching"
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
        live.transient = kind is None  # the Result prints the table, unless there was an error
        live.stop()
        if kind is None and self._searched_count > self._earlier_trials:
            spent = numbers.duration(time.monotonic() - self._started)
            live.console.print(
                f"{numbers.plural(self._searched_count, 'trial')} in {spent}", highlight=False
            )

    def add_earlier(self, event: Mapping[str, Any]) -> None:
        """Add an event of an earlier call, without showing it."""
        self._add(event)
        self._earlier_trials = self._searched_count

    def show(self, event: Mapping[str, Any]) -> None:
        """Show an event."""
        self._add(event)
        if event["event"] == "ended" and not self._quiet and self._live is None:
            print(printable(self.line(self._ended[-1])), file=sys.stderr, flush=True)

    def announce(self, text: str) -> None:
        """Show the current activity."""
        self._activity = text
        if not self._quiet and self._live is None:
            print(printable(text), file=sys.stderr, flush=True)

    def line(self, row: Mapping[str, Any]) -> str:
        """Format a trial on one line."""
        settings = formatting.ordered(row["settings"], self._space)
        values = ", ".join(f"{name}={numbers.setting(value)}" for name, value in settings.items())
        outcome = (
            row["reason"]
            if row["score"] is None
            else f"{self._metric} {numbers.score(row['score'])}"
        )
        best = self._best()
        if best is not None and row is not best:
            outcome += f", best {numbers.score(best['score'])}"
        left = self._time_left()
        return f"trial {row['trial']} {row['status']}: {outcome} ({values}){left and '; ' + left}"

    def __rich_console__(self, console: Any, options: Any) -> Any:
        from rich.spinner import Spinner

        shown = max(3, min(_ROWS, console.height - _LINES - len(self._running)))
        best = self._best()
        rows = [*self._ended[-shown:], *self._running.values()]
        if best is not None and best not in rows:
            rows.append(best)
        width = console.measure(self._table(rows, _AMOUNTS, 0)).maximum
        room = options.max_width - width - _BETWEEN
        if room + _BETWEEN >= _LEAST:
            yield self._table(rows, _AMOUNTS, room)
        else:
            yield self._table(rows, [name for name in _AMOUNTS if name != "epochs"], 0)
        if self._spinner is None:
            self._spinner = Spinner("dots")
        spent = numbers.duration(time.monotonic() - self._started)
        parts = [self._activity, f"{spent} so far", self._time_left()]
        self._spinner.update(text="; ".join(part for part in parts if part))
        yield self._spinner

    def _table(self, rows: Sequence[Mapping[str, Any]], amounts: Sequence[str], room: int) -> Any:
        """Table of trials; settings are cut to `room` characters, and left out if it is 0."""
        from rich import box

        heads = tuple(self._metric if name == "score" else name for name in amounts)
        cells = [
            (row["trial"], *(_format_amount(n, row) for n in amounts), row.get("status", "runs"))
            for row in rows
        ]
        columns = ("trial", *heads, "status")
        if room:
            columns = (*columns, "settings")
            texts = [formatting.cut(self._settings_or_reason(row), room) for row in rows]
            cells = [(*row_cells, text) for row_cells, text in zip(cells, texts)]
        bold = next((place for place, row in enumerate(rows) if row is self._best()), None)
        return Table(columns, tuple(cells), right=heads).to_rich(
            bold=bold,
            box=box.SIMPLE,
            pad_edge=False,
            title=f"{self._searched_count:,} of {numbers.plural(self._trials, 'trial')}",
            title_justify="left",
        )

    def _settings_or_reason(self, row: Mapping[str, Any]) -> str:
        """The settings of a trial, or the reason if it has no score."""
        if "status" in row and row["score"] is None:
            return str(row["reason"])
        return formatting.inline(formatting.ordered(row["settings"], self._space))

    @property
    def _searched_count(self) -> int:
        """Number of trials that have ended, without the trial of the defaults."""
        return sum(row["trial"] != DEFAULT for row in self._ended)

    def _add(self, event: Mapping[str, Any]) -> None:
        if event["event"] == "search":
            self._space = [*event.get("space", {})]
        elif event["event"] == "began":
            self._running[event["trial"]] = event
        elif event["event"] == "ended":
            began = self._running.pop(event["trial"], {"settings": {}})
            self._ended.append({**began, **event})
            self._last_end = time.monotonic()

    def _best(self) -> dict[str, Any] | None:
        scored = [row for row in self._ended if row["score"] is not None]
        return min(scored, key=lambda row: self._sign * row["score"], default=None)

    def _time_left(self) -> str:
        """Estimate of the remaining time as text; "" if there is nothing to estimate it from.

        The remaining trials are assumed to take as long as those of this call, in which workers
        run side by side. The trainings after them run one after the other, and are assumed to take
        the mean time of a trial each.
        """
        searched = self._searched_count - self._earlier_trials
        ended = any(row["trial"] == DEFAULT for row in self._ended)
        all_searched = ended or DEFAULT in self._running
        remaining = 0 if all_searched else max(0, self._trials - self._searched_count)
        durations = [row["seconds"] for row in self._ended if row["score"] is not None]
        if not durations or (remaining and not searched):
            return ""
        seconds = (_FINAL if ended else _FINAL + 1) * sum(durations) / len(durations)
        if remaining:
            seconds += remaining * (self._last_end - self._started) / searched
        seconds_left = seconds - (time.monotonic() - self._last_end)
        return f"about {numbers.duration(seconds_left)} left" if seconds_left > 0 else ""


def _format_amount(name: str, row: Mapping[str, Any]) -> str:
    value = row.get(name)
    if value is None:
        return ""
    if name == "score":
        return numbers.score(value)
    return f"{value:.1f}" if name == "seconds" else f"{round(value):,}"
