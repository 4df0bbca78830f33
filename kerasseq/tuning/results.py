"""Results of a search, read from its folder while it runs or afterwards."""

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
from kerasseq.tuning.journal import JOURNAL, read_checked

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from kerasseq.runs import Run

__all__ = ["OUTCOME_COLUMNS", "Result", "rows", "tuned"]

OUTCOME_COLUMNS = (
    *("parameters", "macs", "score", "spread", "epochs", "best_epoch", "seconds", "status"),
    "reason",
)
_WIDTH = 110  # characters per line of the table that `print` shows
_LEAST, _AROUND = 12, 6  # characters of the column of settings at least, and of its borders


@dataclass(frozen=True, repr=False)
class Result(Tabular):
    """The trials of a search, and its two final runs.

    Args:
        folder: folder of the search.
        events: events of its journal.
    """

    folder: Path
    events: list[dict[str, Any]]

    @cached_property
    def trials(self) -> pd.DataFrame:
        """Table of trials, the best one first: settings that vary, outcome and reason.

        `score` is the recipe's headline metric on the validation part, `spread` its standard
        deviation over folds and seeds.
        """
        import pandas as pd

        trial_rows = rows(self.events)
        varied_names = {name: None for row in trial_rows for name in row["settings"]}
        varied = [*formatting.ordered(varied_names, self._space)]
        frame = pd.DataFrame(
            [
                {
                    "trial": row["trial"],
                    **{name: row["settings"].get(name) for name in varied},
                    **{name: row.get(name) for name in OUTCOME_COLUMNS},
                }
                for row in trial_rows
            ],
            columns=["trial", *varied, *OUTCOME_COLUMNS],
        )
        numbers = ["score", "spread", "epochs", "best_epoch", "seconds"]
        frame[numbers] = frame[numbers].astype(float)
        frame[["parameters", "macs"]] = frame[["parameters", "macs"]].astype("Int64")
        return frame.sort_values(
            "score", ascending=not self.higher_is_better, kind="stable", ignore_index=True
        )

    @property
    def _space(self) -> dict[str, str]:
        """The range of each setting as text, in the recipe's order."""
        return dict(self.events[0].get("space", {}))

    @property
    def _varied(self) -> list[str]:
        """The columns of settings."""
        return [name for name in self.trials if name not in ("trial", *OUTCOME_COLUMNS)]

    @property
    def recipe(self) -> str:
        """The name of the recipe."""
        return str(self.events[0]["recipe"])

    @property
    def metric(self) -> str:
        """Name of the score: the recipe's headline metric."""
        return str(self.events[0]["metric"])

    @property
    def higher_is_better(self) -> bool:
        """Whether a higher score is better."""
        return bool(self.events[0]["higher_is_better"])

    @property
    def finished(self) -> bool:
        """Whether the search has ended, with its final runs trained."""
        return self._finished_event is not None

    @property
    def settings(self) -> dict[str, Any]:
        """The varied settings of the best trial.

        Raises:
            ValueError: if the search is not finished, or no trial was completed.
        """
        name = None if self._finished_event is None else self._finished_event["best"]
        best_rows = [row for row in rows(self.events) if row["trial"] == name]
        if not best_rows:
            raise ValueError(f"{self.folder} {self._missing_run}")
        return formatting.ordered(best_rows[0]["settings"], self._space)

    @cached_property
    def best(self) -> Run:
        """The run with the best settings, trained on the training and validation part.

        Raises:
            ValueError: if the search is not finished, or no trial was completed.
        """
        return self._run("best")

    @cached_property
    def default(self) -> Run:
        """The run with the recipe's default settings, trained in the same way.

        Raises:
            ValueError: if the search is not finished, or the defaults could not be trained.
        """
        best = self._finished_event is not None and self._finished_event["best"] == "default"
        return self._run("best" if best else "default")

    @property
    def gain(self) -> dict[str, Any] | None:
        """Gain of the best settings over the defaults on the test part, with its interval."""
        return None if self._finished_event is None else self._finished_event.get("gain")

    def importance(self) -> pd.DataFrame:
        """Importance of each setting for the score; see `kerasseq.tuning.importance`.

        Raises:
            ValueError: if too few trials have a score.
        """
        from kerasseq.tuning.importance import importance

        searched = self.trials[self.trials["trial"] != "default"]
        return importance(searched, self._varied)

    def plots(self) -> dict[str, Figure]:
        """Figures by name: score by trial, score against parameters, settings, importance."""
        from kerasseq.tuning import figures

        arguments = (self.trials, self.metric, self.higher_is_better)
        if not (self.trials["score"].notna() & (self.trials["trial"] != "default")).any():
            return {}
        ranges = {name: self._space.get(name, "") for name in self._varied}
        figure_by_name = {
            "score_by_trial": figures.score_by_trial(*arguments),
            "score_by_parameters": figures.score_by_parameters(*arguments),
            "settings": figures.parallel(*arguments, ranges),
        }
        with contextlib.suppress(ValueError):  # there are too few trials
            scored = self.trials["score"].notna() & (self.trials["trial"] != "default")
            figure_by_name["importance"] = figures.importances(self.importance(), int(scored.sum()))
        return figure_by_name

    def load(self) -> None:
        """Load the runs into memory, so that the folder can be removed."""
        if self._finished_event is not None and self._finished_event["best"] is not None:
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
        """The trials as a table with a column for each setting, the best first, and remarks."""
        frame = self.trials.drop(columns=["best_epoch"])
        if not frame["spread"].notna().any():
            frame = frame.drop(columns=["spread"])
        return self._make_table(frame, self.remarks)

    def render(self, format: str = "table", *, width: int | None = None) -> str:
        """Render as text; the text table has all settings in one column.

        Args:
            format: `table` (text), `json`, `markdown`, `latex` or `csv`.
            width: largest width of a text table in characters; settings are cut to fit. Default:
                no limit.

        Raises:
            ValueError: for an unknown format.
        """
        if format != "table":
            return super().render(format, width=width)
        spread = ["spread"] if self.trials["spread"].notna().any() else []
        macs = ["macs"] if self.events[0].get("max_macs") is not None else []
        first = ["trial", "score", *spread, "parameters", *macs, "epochs", "seconds", "status"]
        frame, notes = self.trials[first], [*self._reasons, *self.remarks]
        settings_by_trial = {
            r["trial"]: formatting.ordered(r["settings"], self._space) for r in rows(self.events)
        }
        settings = [formatting.inline(settings_by_trial[name]) for name in frame["trial"]]
        if width is not None:
            table_width = max(map(len, self._make_table(frame, ()).text().splitlines()[1:]))
            room = max(_LEAST, width - table_width - _AROUND)
            if any(len(text) > room for text in settings):
                settings = [formatting.cut(text, room) for text in settings]
                notes.append("settings in full: `trials` in Python, --format csv in the shell")
        return self._make_table(frame.assign(settings=settings), notes).text(width)

    def __str__(self) -> str:
        return self.render(width=_WIDTH)

    def to_dict(self) -> dict[str, Any]:
        """JSON values: recipe, metric, trials, and the end, which is None until the search ends."""
        frame = self.trials.astype(object).where(self.trials.notna(), None)
        end = None if self._finished_event is None else {**self._finished_event}
        if end is not None:
            del end["event"]
        return {
            "recipe": self.recipe,
            "metric": self.metric,
            "higher_is_better": self.higher_is_better,
            "trials": frame.to_dict("records"),
            "end": end,
        }

    def _make_table(self, frame: pd.DataFrame, notes: Iterable[str]) -> Table:
        table = from_frame(frame.astype(object).where(frame.notna(), None))
        return Table(table.columns, table.rows, title=self._title, notes=tuple(notes))

    @property
    def _title(self) -> str:
        searched = [row for row in rows(self.events) if row["trial"] != "default"]
        ended = sum(row["status"] != "runs" for row in searched)
        if self.finished:
            progress = numbers.plural(ended, "trial")
        else:
            planned = self.events[0].get("trials", len(searched))
            begun = len(searched) - ended
            running = f" and {begun:,} begun" if begun else ""
            progress = f"{ended:,} of {numbers.plural(planned, 'trial')}{running}"
        return f"{self.recipe}: {progress}, by {self.metric} on the validation part"

    @property
    def _reasons(self) -> list[str]:
        """Reasons why trials were not completed, a line for each reason with its trials."""
        trials: dict[str, list[str]] = {}
        for row in rows(self.events):
            if row.get("reason"):
                trials.setdefault(f"{row['status']}, {row['reason']}", []).append(row["trial"])
        return [f"{reason}: {', '.join(names)}" for reason, names in trials.items()]

    @property
    def remarks(self) -> list[str]:
        """Remarks on the search, a line each: the best trial, the gain, what is missing."""
        if self._finished_event is None:
            return [
                f"not finished: if it is not running, the same call with out={str(self.folder)!r} "
                "resumes it"
            ]
        begun = sum(e["event"] == "began" and e["trial"] != "default" for e in self.events)
        planned = self.events[0].get("trials", begun)
        few = f"{begun} of {planned} trials: the space has no other settings within the budget"
        short = [few] if begun < planned else []
        if self._finished_event["best"] is None:
            return [*short, "no trial was completed"]
        settings = ", ".join(f"{name}={value!r}" for name, value in self.settings.items())
        saved = f", saved in {self.folder / 'best'}" if (self.folder / "best").is_dir() else ""
        best = self._finished_event["best"]
        remarks = [f"best: trial {best} ({settings}){saved}", *short]
        gain, test = self.gain, self._finished_event.get("test")
        if test is not None:
            why = "was best" if best == "default" else "could not be trained"
            remarks.append(
                f"the recipe's own setting {why}; test {test['metric'].replace('_', ' ')} of the "
                f"best: {numbers.score(test['best'])}"
            )
        if gain is not None:
            outcome = f"{gain['outcome']} the recipe's own setting"
            interval = (
                f", 95% interval {gain['low']:+.3f} to {gain['high']:+.3f}"
                if gain["low"] is not None
                else ""
            )
            tuned, default = numbers.score(gain["best"]), numbers.score(gain["default"])
            remarks.append(
                f"test {gain['metric'].replace('_', ' ')}: tuned {tuned}, default {default}; "
                f"tuning {outcome} ({gain['difference']:+.3f}{interval})"
            )
        return remarks

    @property
    def _finished_event(self) -> dict[str, Any] | None:
        last = self.events[-1]
        return last if last["event"] == "finished" else None

    @property
    def _missing_run(self) -> str:
        if self._finished_event is not None and self._finished_event["best"] is not None:
            return "has lost its runs: restore them from a copy, or search in another folder."
        return "has no such run: the search is not finished, or no trial of it was completed."

    def _run(self, name: str) -> Run:
        folder = runs.open_folder(self.folder / name)
        if self._finished_event is None or not (folder / runs.RECORD).is_file():
            raise ValueError(f"{self.folder} {self._missing_run}")
        return runs.load(folder)


def rows(events: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Merge the events of each trial into one row, in the order in which trials began."""
    row_by_trial: dict[str, dict[str, Any]] = {}
    for event in events:
        if event["event"] == "began":
            row_by_trial[event["trial"]] = {**event, "status": "runs"}
        elif event["event"] == "ended":
            row_by_trial[event["trial"]].update(event)
    return [*row_by_trial.values()]


def tuned(folder: str | os.PathLike[str]) -> Result:
    """Read the results of a search, which may still be running.

    Args:
        folder: the `out` of `kerasseq.tune`.

    Raises:
        FileNotFoundError: if there is no such folder.
        ValueError: if the folder has no journal of a search, or a damaged one.

    Example:

    >>> tuned("searches/demo").remarks[0]
    Traceback (most recent call last):
    FileNotFoundError: there is no folder searches/demo: give the folder of a search.
    """
    folder = paths.user_path(folder, "folder")
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}: give the folder of a search.")
    events = read_checked(folder)
    if not events:
        raise ValueError(
            f"{folder} is not a search: it has no {JOURNAL}. Give the folder of a search."
        )
    return Result(folder, events)
