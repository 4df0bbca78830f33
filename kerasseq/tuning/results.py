"""What a search found, read from its folder while it runs or after it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasseq import runs
from kerasseq.evaluation import plots
from kerasseq.formatting import numbers
from kerasseq.formatting.table import Table, Tabular, from_frame
from kerasseq.io import atomic, paths
from kerasseq.tuning import formatting
from kerasseq.tuning.journal import JOURNAL, sound

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from kerasseq.runs import Run

__all__ = ["MEASURED", "Result", "rows", "tuned"]

MEASURED = (
    *("parameters", "macs", "score", "spread", "epochs", "best_epoch", "seconds", "status"),
    "reason",
)
_WIDTH = 110  # characters of the table that `print` shows
_LEAST, _AROUND = 12, 6  # characters of its settings at least, and around them


@dataclass(frozen=True, repr=False)
class Result(Tabular):
    """The trials of a search, and the runs that it ended with.

    Args:
        folder: of the search.
        events: its journal.
    """

    folder: Path
    events: list[dict[str, Any]]

    @cached_property
    def trials(self) -> pd.DataFrame:
        """One row a trial, the best one first: what varied, what came of it, and why.

        `score` is the recipe's headline on the validation part, `spread` its standard deviation
        over folds and seeds.
        """
        import pandas as pd

        found = rows(self.events)
        known = {name: None for row in found for name in row["settings"]}
        varied = [*formatting.ordered(known, self._space)]
        frame = pd.DataFrame(
            [
                {
                    "trial": row["trial"],
                    **{name: row["settings"].get(name) for name in varied},
                    **{name: row.get(name) for name in MEASURED},
                }
                for row in found
            ],
            columns=["trial", *varied, *MEASURED],
        )
        numbers = ["score", "spread", "epochs", "best_epoch", "seconds"]
        frame[numbers] = frame[numbers].astype(float)
        frame[["parameters", "macs"]] = frame[["parameters", "macs"]].astype("Int64")
        return frame.sort_values(
            "score", ascending=not self.higher_is_better, kind="stable", ignore_index=True
        )

    @property
    def _space(self) -> dict[str, str]:
        """What each setting was drawn from, in the recipe's order."""
        return dict(self.events[0].get("space", {}))

    @property
    def _varied(self) -> list[str]:
        """The columns of the settings."""
        return [name for name in self.trials if name not in ("trial", *MEASURED)]

    @property
    def recipe(self) -> str:
        """The name of the recipe."""
        return str(self.events[0]["recipe"])

    @property
    def metric(self) -> str:
        """What trials are scored by."""
        return str(self.events[0]["metric"])

    @property
    def higher_is_better(self) -> bool:
        """Whether more of that is better."""
        return bool(self.events[0]["higher_is_better"])

    @property
    def finished(self) -> bool:
        """Whether the search has come to its end."""
        return self._end is not None

    @property
    def settings(self) -> dict[str, Any]:
        """What varied, as it was best."""
        name = None if self._end is None else self._end["best"]
        found = [row for row in rows(self.events) if row["trial"] == name]
        if not found:
            raise ValueError(f"{self.folder} {self._missing}")
        return formatting.ordered(found[0]["settings"], self._space)

    @cached_property
    def best(self) -> Run:
        """The run with the best setting, trained on the training and validation part.

        Raises:
            ValueError: if the search is not finished, or no trial was.
        """
        return self._run("best")

    @cached_property
    def default(self) -> Run:
        """The run with the recipe's own setting, trained in the same way.

        Raises:
            ValueError: if the search is not finished, or there is none.
        """
        best = self._end is not None and self._end["best"] == "default"
        return self._run("best" if best else "default")

    @property
    def gain(self) -> dict[str, Any] | None:
        """What tuning gained on the test part over the recipe's own setting, with its interval."""
        return None if self._end is None else self._end.get("gain")

    def importance(self) -> pd.DataFrame:
        """How much each setting matters to the score; see `kerasseq.tuning.importance`.

        Raises:
            ValueError: if too few trials have a score.
        """
        from kerasseq.tuning.importance import importance

        searched = self.trials[self.trials["trial"] != "default"]
        return importance(searched, self._varied)

    def plots(self) -> dict[str, Figure]:
        """Score by trial and against parameters, settings beside each other, and importance."""
        from kerasseq.tuning import figures

        seen = (self.trials, self.metric, self.higher_is_better)
        if not (self.trials["score"].notna() & (self.trials["trial"] != "default")).any():
            return {}
        found = {
            "score_by_trial": figures.score_by_trial(*seen),
            "score_by_parameters": figures.score_by_parameters(*seen),
            "settings": figures.parallel(*seen, {n: self._space.get(n, "") for n in self._varied}),
        }
        with contextlib.suppress(ValueError):  # there is nothing to see in few trials
            scored = self.trials["score"].notna() & (self.trials["trial"] != "default")
            found["importance"] = figures.importances(self.importance(), int(scored.sum()))
        return found

    def load(self) -> None:
        """Read the runs into memory, so that the folder may go."""
        if self._end is not None and self._end["best"] is not None:
            for run in (self.best, self.default):
                run.folder = None

    def save(self) -> None:
        """Write trials.csv, trials.parquet and the plots into the folder."""
        frame = self.trials.astype(
            {name: "string" for name in self.trials if self.trials[name].dtype == object}
        )
        for name, write in (("trials.csv", frame.to_csv), ("trials.parquet", frame.to_parquet)):
            with atomic.replacing(self.folder / name) as temporary:
                write(temporary, index=False)
        plots.save(self.plots(), self.folder / "plots")

    def table(self) -> Table:
        """The trials, the best one first, and what tuning gained; a column for each setting."""
        frame = self.trials.drop(columns=["best_epoch"])
        if not frame["spread"].notna().any():
            frame = frame.drop(columns=["spread"])
        return self._titled(frame, self.remarks)

    def render(self, format: str = "table", *, width: int | None = None) -> str:
        """The whole as text; as a text table, with all settings in one column.

        Args:
            format: `table` (text), `json`, `markdown`, `latex` or `csv`.
            width: characters a text table may take, to which the settings are cut; as many as it
                needs by default.

        Raises:
            ValueError: for a format that there is not.
        """
        if format != "table":
            return super().render(format, width=width)
        spread = ["spread"] if self.trials["spread"].notna().any() else []
        macs = ["macs"] if self.events[0].get("max_macs") is not None else []
        first = ["trial", "score", *spread, "parameters", *macs, "epochs", "seconds", "status"]
        frame, notes = self.trials[first], [*self._reasons, *self.remarks]
        told = {
            r["trial"]: formatting.ordered(r["settings"], self._space) for r in rows(self.events)
        }
        settings = [formatting.inline(told[name]) for name in frame["trial"]]
        if width is not None:
            taken = max(map(len, self._titled(frame, ()).text().splitlines()[1:]))
            room = max(_LEAST, width - taken - _AROUND)
            if any(len(text) > room for text in settings):
                settings = [formatting.cut(text, room) for text in settings]
                notes.append("settings in full: `trials` in Python, --format csv in the shell")
        return self._titled(frame.assign(settings=settings), notes).text(width)

    def __str__(self) -> str:
        return self.render(width=_WIDTH)

    def to_dict(self) -> dict[str, Any]:
        """What was searched, the rows of the table, and the end: None before there is one."""
        found = self.trials.astype(object).where(self.trials.notna(), None)
        end = None if self._end is None else {**self._end}
        if end is not None:
            del end["event"]
        return {
            "recipe": self.recipe,
            "metric": self.metric,
            "higher_is_better": self.higher_is_better,
            "trials": found.to_dict("records"),
            "end": end,
        }

    def _titled(self, frame: pd.DataFrame, notes: Iterable[str]) -> Table:
        found = from_frame(frame.astype(object).where(frame.notna(), None))
        return Table(found.columns, found.rows, title=self._title, notes=tuple(notes))

    @property
    def _title(self) -> str:
        searched = [row for row in rows(self.events) if row["trial"] != "default"]
        ended = sum(row["status"] != "runs" for row in searched)
        if self.finished:
            told = numbers.plural(ended, "trial")
        else:
            asked = self.events[0].get("trials", len(searched))
            begun = len(searched) - ended
            more = f" and {begun:,} begun" if begun else ""
            told = f"{ended:,} of {numbers.plural(asked, 'trial')}{more}"
        return f"{self.recipe}: {told}, by {self.metric} on the validation part"

    @property
    def _reasons(self) -> list[str]:
        """Why trials were not completed, a line for each reason."""
        found: dict[str, list[str]] = {}
        for row in rows(self.events):
            if row.get("reason"):
                found.setdefault(f"{row['status']}, {row['reason']}", []).append(row["trial"])
        return [f"{reason}: {', '.join(names)}" for reason, names in found.items()]

    @property
    def remarks(self) -> list[str]:
        """What is to be said of the search, a line each."""
        if self._end is None:
            return [
                f"not finished: the same call with out={str(self.folder)!r} goes on, unless it "
                "still runs"
            ]
        begun = sum(e["event"] == "began" and e["trial"] != "default" for e in self.events)
        asked = self.events[0].get("trials", begun)
        few = f"{begun} of {asked} trials: nothing else was found in the space within the budget"
        short = [few] if begun < asked else []
        if self._end["best"] is None:
            return [*short, "no trial was completed"]
        told = ", ".join(f"{name}={value!r}" for name, value in self.settings.items())
        saved = f", saved in {self.folder / 'best'}" if (self.folder / "best").is_dir() else ""
        found = [f"best: trial {self._end['best']} ({told}){saved}", *short]
        gain, test = self.gain, self._end.get("test")
        if test is not None:
            how = "was best" if self._end["best"] == "default" else "could not be trained"
            found.append(
                f"the recipe's own setting {how}; test {test['metric'].replace('_', ' ')} of the "
                f"best: {numbers.score(test['best'])}"
            )
        if gain is not None:
            words = f"{gain['outcome']} the recipe's own setting"
            between = (
                f", 95% interval {gain['low']:+.3f} to {gain['high']:+.3f}"
                if gain["low"] is not None
                else ""
            )
            tuned, default = numbers.score(gain["best"]), numbers.score(gain["default"])
            found.append(
                f"test {gain['metric'].replace('_', ' ')}: tuned {tuned}, default {default}; "
                f"tuning {words} ({gain['difference']:+.3f}{between})"
            )
        return found

    @property
    def _end(self) -> dict[str, Any] | None:
        last = self.events[-1]
        return last if last["event"] == "finished" else None

    @property
    def _missing(self) -> str:
        if self._end is not None and self._end["best"] is not None:
            return "has lost its runs: restore them from a copy, or search in another folder."
        return "has no such run: the search is not finished, or no trial of it was completed."

    def _run(self, name: str) -> Run:
        folder = runs.open_folder(self.folder / name)
        if self._end is None or not (folder / runs.RECORD).is_file():
            raise ValueError(f"{self.folder} {self._missing}")
        return runs.load(folder)


def rows(events: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One entry a trial, in the order in which they began: its settings and its outcome."""
    found: dict[str, dict[str, Any]] = {}
    for event in events:
        if event["event"] == "began":
            found[event["trial"]] = {**event, "status": "runs"}
        elif event["event"] == "ended":
            found[event["trial"]].update(event)
    return [*found.values()]


def tuned(folder: str | os.PathLike[str]) -> Result:
    """What a search has found so far, or in the end.

    Args:
        folder: the `out` of `kerasseq.tune`.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: if it is not that of a search.

    Example:

    >>> tuned("searches/demo").remarks[0]
    Traceback (most recent call last):
    FileNotFoundError: there is no folder searches/demo: give that of a search.
    """
    folder = paths.given(folder, "folder")
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}: give that of a search.")
    events = sound(folder)
    if not events:
        raise ValueError(f"{folder} is not a search: it has no {JOURNAL}. Give that of a search.")
    return Result(folder, events)
