"""Run: what a recipe hands back, and the folder that it is on disk."""

from __future__ import annotations

import importlib
import os
import platform
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasseq import numbers, registry
from kerasseq.board import board
from kerasseq.state import read_json, read_state, write_json, write_state
from kerasseq.table import Table

if TYPE_CHECKING:
    import keras
    import pandas as pd

__all__ = ["Run", "claim", "load", "versions", "warm"]

FORMAT = 1
RECORD, MODEL, STATE = "run.json", "model.keras", "state.json"
METRICS, HISTORY, PLOTS = "metrics.json", "history.json", "plots"
CHECKPOINT = "checkpoint.npz"
_LIBRARIES = ("kerasseq", "keras", "numpy", "scikit-learn", "tokenizers")
_BACKENDS = ("tensorflow", "jax", "torch")


@dataclass(repr=False)
class Run:
    """A trained model with all that it takes to use it, and what it was found to be worth.

    Args:
        recipe: the recipe's name.
        settings: the recipe's arguments, as JSON values.
        model: the trained Keras model.
        state: what was fitted on the training part (vocabularies, scalers, sizes), as JSON values
            and arrays.
        metrics: test scores, their intervals, baselines, parameters, seconds, seed, versions.
        history: loss and metrics of each epoch, those of the validation part as `val_...`.
        notes: what was found in the data and done about it.
        data: fingerprint of the data that it was made from.
        folder: where it is saved; None while it is in memory only.
        source: the raw data, where the recipe asks for it; it is not saved.

    Example:

    >>> import kerasseq
    >>> run = kerasseq.sentiment(epochs=1, units=4, quiet=True)
    >>> run.predict(["a fine film"]).columns.tolist()
    ['text', 'label', 'negative', 'positive']
    """

    recipe: str
    settings: dict[str, Any]
    model: keras.Model
    state: dict[str, Any]
    metrics: dict[str, Any]
    history: dict[str, list[float]]
    notes: list[str] = field(default_factory=list)
    data: str = ""
    folder: Path | None = None
    source: Any = None

    def predict(self, data: Any) -> pd.DataFrame:
        """What the model says about new data.

        Args:
            data: what the recipe itself takes, with or without answers; a list of texts or pictures
                does, too. A run that forecasts takes it as the `history` of `forecast`.

        Returns:
            A row for each row of the data; of a run that forecasts, for each step ahead.

        Raises:
            ValueError: if there is nothing to predict from.
        """
        frame: pd.DataFrame = self._stages.predict(self.model, self.state, self.settings, data)
        return frame

    def evaluate(self, data: Any, **reading: Any) -> dict[str, Any]:
        """Scores on new data with known answers.

        Args:
            data: what the recipe itself takes.
            **reading: arguments of the recipe that say how to read it (names of columns, say);
                what is not given is as it was for the recipe.

        Returns:
            `rows`, `test` (each metric) and `interval`, as in `metrics`.

        Raises:
            ValueError: if the data cannot be read, or has answers that the model does not know.
        """
        examples = self._stages.read(data, self.state, self.settings, reading)
        found = self._stages.predictions(self.model, examples, self.state)
        score = self._stages.score(found, examples.targets, self.settings)
        return {"rows": len(examples), "test": score.values, "interval": score.interval()}

    def forecast(
        self,
        horizon: int | None = None,
        history: Any = None,
        future: Any = None,
        quantiles: Sequence[float] = (0.1, 0.5, 0.9),
        paths: int = 0,
        seed: int = 0,
        **reading: Any,
    ) -> pd.DataFrame:
        """What comes next, in the units of the data, one row for each step ahead.

        Args:
            horizon: steps ahead; as many as the model was trained for where it is not given.
            history: series to go on from, as the recipe takes them, also ones that it was not
                trained on; the end of those that it was trained on where it is not given.
            future: a table of what is known of the steps ahead, where the recipe was given `future`
                columns.
            quantiles: levels between 0 and 1, a column each, where the run has intervals.
            paths: how many whole forecasts to draw, a column each, where the model is recursive and
                has quantiles or a distribution; these are the model's own, not calibrated.
            seed: of the draws.
            **reading: arguments of the recipe that say how to read `history` (`fill`, say); what is
                not given is as it was for the recipe.

        Raises:
            ValueError: if the run does not forecast, or not from what is given.

        Example:

        >>> import kerasseq
        >>> run = kerasseq.forecasting(horizon=3, units=4, epochs=1, quiet=True)
        >>> run.forecast().columns.tolist()
        ['series', 'month', 'forecast', '0.1', '0.5', '0.9']
        """
        asked = {"horizon": horizon, "history": history, "future": future, "levels": quantiles}
        drawn = {"paths": paths, "seed": seed}
        frame: pd.DataFrame = self._stages.forecast(self, **asked, **drawn, reading=reading)
        return frame

    def backtest(
        self, folds: int = 5, stride: int | None = None, refit: bool = False, data: Any = None
    ) -> Any:
        """How good forecasts were from several origins, the last one a horizon before the end.

        Args:
            folds: how many origins.
            stride: steps from one to the next; as many as are forecast where it is not given.
            refit: whether to train anew before each origin, on nothing but what is before it;
                without it, all origins lie in the test part.
            data: what the recipe was given; needed where the run comes from a folder.

        Returns:
            A table of scores, fold by fold, beside those of the baselines, and all forecasts beside
            what came; see `kerasseq.backtest.Backtest`.

        Raises:
            ValueError: if the run does not forecast, or has no room for so many folds.
        """
        return self._stages.backtest(self, folds, stride, refit, data)

    def update(self, rows: Any, **reading: Any) -> None:
        """Go on over new rows: the next `forecast` begins after them.

        Nothing is learned from them. `save` keeps them.

        Args:
            rows: a table with the columns of the one that the recipe was given, beginning with the
                row after the last one.
            **reading: arguments of the recipe that say how to read them (`fill`, say); what is not
                given is as it was for the recipe.

        Raises:
            ValueError: if the run does not forecast, the rows do not go on where it ends, or the
                model cannot take them; then the run is as it was.
        """
        self._stages.update(self, rows, reading)

    def save(self, folder: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write everything into a folder, from which `kerasseq.load` gives this run again.

        Args:
            folder: a new or empty folder, or the one in which this run was trained.
            overwrite: whether a run that is there may be replaced.

        Raises:
            ValueError: if the folder holds something else.
        """
        from kerasseq import plots

        folder = Path(folder)
        if _holds(folder, RECORD):
            if not overwrite:
                raise ValueError(
                    f"{folder} holds a run already: choose another folder, or pass overwrite=True."
                )
            (folder / RECORD).unlink()  # from here on, and until the end, it is no run
        elif not _holds(folder, CHECKPOINT, MODEL):
            _check_free(folder)
        folder.mkdir(parents=True, exist_ok=True)
        beside = folder / f".new.{MODEL}"
        self.model.save(beside)
        os.replace(beside, folder / MODEL)
        write_state(folder / STATE, self.state)
        write_json(folder / METRICS, self.metrics, indent=2)
        write_json(folder / HISTORY, self.history, indent=2)
        plots.save(self._stages.figures(self), folder / PLOTS)
        record = {
            "format": FORMAT,
            "recipe": self.recipe,
            "settings": self.settings,
            "data": self.data,
            "notes": self.notes,
            "versions": versions(),
        }
        write_json(folder / RECORD, record, indent=2)
        (folder / CHECKPOINT).unlink(missing_ok=True)
        self.folder = folder
        return folder

    def summary(self) -> None:
        """Print the result beside its baselines."""
        from rich import get_console

        get_console().print(self)

    def __rich__(self) -> Table:
        return self._board

    def _repr_html_(self) -> str:
        return self._board._repr_html_()

    def __repr__(self) -> str:
        scores = ", ".join(f"{name} {value:.3f}" for name, value in self.metrics["test"].items())
        return f"<Run of {self.recipe}: {scores}>"

    @property
    def _stages(self) -> Any:
        return registry.stages(self.recipe)

    @property
    def _board(self) -> Table:
        found = self.metrics
        title = f"{self.recipe}: {found['rows']['test']:,} test {self._stages.rows}"
        return board(title, found, self._remarks())

    def _remarks(self) -> list[str]:
        spent = numbers.duration(self.metrics["seconds"])
        where = [f"saved in {self.folder}"] if self.folder else []
        return [
            self.metrics["verdict"],
            *self._stages.remarks(self.metrics),
            f"{self.metrics['parameters']:,} parameters, trained in {spent}, "
            f"epoch {self.metrics['epochs']['kept']} of {self.metrics['epochs']['trained']} kept",
            *where,
        ]


def load(folder: str | os.PathLike[str]) -> Run:
    """The Run that was saved in a folder; it predicts as it did where it was made.

    Args:
        folder: one that `Run.save`, or a recipe's `out`, has written.

    Raises:
        FileNotFoundError: if there is no such folder, or a file is missing in it.
        ValueError: if it is not a run, or cannot be read.

    Example:

    >>> import kerasseq
    >>> run = kerasseq.sentiment(epochs=1, units=4, quiet=True)
    >>> saved = run.save("my-run")
    >>> again = load("my-run").predict(["a fine film"]).round(6)
    >>> again.equals(run.predict(["a fine film"]).round(6))
    True
    """
    folder = Path(folder)
    record = _record(folder)
    name = record["recipe"]
    if name not in registry.names():
        raise ValueError(
            f"{folder} is a run of the recipe {name!r}, which this kerasseq does not have. It has: "
            f"{', '.join(registry.names())}. Install the kerasseq that wrote it "
            f"({record['versions'].get('kerasseq', 'unknown')})."
        )
    return Run(
        recipe=name,
        settings=record["settings"],
        model=_model(folder / MODEL),
        state=read_state(folder / STATE),
        metrics=read_json(folder / METRICS),
        history=read_json(folder / HISTORY),
        notes=record["notes"],
        data=record["data"],
        folder=folder,
    )


def claim(folder: Path, stamp: Mapping[str, Any]) -> Run | None:
    """See that a folder may be written: the Run that is there already, if it is the one asked for.

    Args:
        folder: where a run is to go; nothing is written.
        stamp: `recipe`, `settings` and `data` of that run.

    Raises:
        ValueError: if the folder holds another run, or anything else.
    """
    if _holds(folder, RECORD):
        _check_same(_record(folder), stamp, f"{folder} holds a run")
        return load(folder)
    if _holds(folder, CHECKPOINT):
        _check_same(_interrupted(folder), stamp, f"{folder} holds an interrupted run")
        return None
    _check_free(folder)
    return None


def versions() -> dict[str, str]:
    """Versions of what a result depends on."""
    import keras

    found = {"python": platform.python_version(), "backend": keras.backend.backend()}
    for name in (*_LIBRARIES, *_BACKENDS):
        if name not in _BACKENDS or name == found["backend"]:
            try:
                found[name] = metadata.version(name)
            except metadata.PackageNotFoundError:  # kerasseq in a checkout that was not installed
                continue
    return found


def _holds(folder: Path, *names: str) -> bool:
    return any((folder / name).is_file() for name in names)


def _check_free(folder: Path) -> None:
    if folder.is_file():
        raise ValueError(f"{folder} is a file: give the name of a folder.")
    if folder.is_dir() and any(folder.iterdir()):
        raise ValueError(f"{folder} is not empty, and no run: give another folder.")
    parent = next(path for path in [folder, *folder.absolute().parents] if path.exists())
    if not parent.is_dir():
        raise ValueError(f"{folder} cannot be made: {parent} is a file. Give another folder.")
    if not os.access(parent, os.W_OK):
        raise ValueError(f"{folder} cannot be written: {parent} is read-only for this user.")


def _check_same(there: Mapping[str, Any], here: Mapping[str, Any], what: str) -> None:
    changed = [] if there["recipe"] == here["recipe"] else [f"recipe {there['recipe']!r}"]
    changed += [
        f"{name}={there['settings'].get(name)!r}"
        for name in sorted({*there["settings"], *here["settings"]})
        if there["settings"].get(name) != here["settings"].get(name)
    ]
    changed += [] if there["data"] == here["data"] else ["other data"]
    if changed:
        raise ValueError(
            f"{what} with {', '.join(changed)}: give the same settings and data, or another folder."
        )


def _interrupted(folder: Path) -> dict[str, Any]:
    from kerasseq import training

    return training.read_stamp(folder / CHECKPOINT)


def _record(folder: Path) -> dict[str, Any]:
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}: give that of a saved run.")
    if not _holds(folder, RECORD):
        if _holds(folder, CHECKPOINT):
            raise ValueError(
                f"{folder} holds a run interrupted after epoch {_interrupted(folder)['epochs']}: "
                "call its recipe with the same settings, data and `out` to go on."
            )
        raise ValueError(f"{folder} is not a run: it has no {RECORD}. Give the folder of a run.")
    record: dict[str, Any] = read_json(folder / RECORD)
    if not isinstance(record, dict) or not isinstance(record.get("format"), int):
        raise ValueError(f"{folder / RECORD} is not the record of a run: restore it from a copy.")
    if record["format"] > FORMAT:
        raise ValueError(
            f"{folder} was written by a newer kerasseq (format {record['format']}; this one reads "
            f"up to {FORMAT}): upgrade kerasseq."
        )
    return record


def _model(path: Path) -> keras.Model:
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: restore it from a copy, or train again.")
    import keras

    importlib.import_module("kerasseq.models")  # registers what the file is made of
    try:
        return keras.saving.load_model(path, compile=False)
    except Exception as error:  # Keras has no error of its own for a file that it cannot read
        raise ValueError(
            f"{path} is damaged, or not a Keras model: restore it from a copy, or train again."
        ) from error


def warm(model: keras.Model, stages: Any, state: Mapping[str, Any], earlier: Any) -> str:
    """Copy into a model the weights that an earlier run has too.

    Args:
        model: built, not trained.
        stages: those of the model's recipe.
        state: what was fitted for the model.
        earlier: a Run, or the folder of one.

    Returns:
        What was copied, in words.
    """
    if not isinstance(earlier, Run):
        earlier = load(earlier)
    there = {name: np.asarray(weight) for name, weight in _named(earlier.model)}
    names_here = stages.row_names(state)
    names_there = stages.row_names(earlier.state) if earlier.recipe == stages.name else {}
    copied = 0
    for name, weight in _named(model):
        value = there.get(name)
        if value is None or value.shape[1:] != tuple(weight.shape[1:]):
            continue
        if name in names_here and name in names_there:
            old = {n: row for row, n in enumerate(names_there[name])}
            rows = [(i, old[n]) for i, n in enumerate(names_here[name]) if n in old]
            new = np.asarray(weight).copy()
            if rows:
                here, from_there = np.array(rows).T
                new[here] = value[from_there]
            weight.assign(new)
        elif value.shape == tuple(weight.shape):
            weight.assign(value)
        else:
            continue
        copied += 1
    return f"warm start: {copied} of {len(model.weights)} weights copied from the earlier run"


def _named(model: keras.Model) -> Iterator[tuple[str, Any]]:
    """The weights of a model by path, without the numbers that Keras gives layers to tell them
    apart (lstm_cell_3): those depend on what else was built in the process."""
    seen: dict[str, int] = {}
    for weight in model.weights:
        path = re.sub(r"_\d+(?=/)", "", weight.path)
        seen[path] = seen.get(path, 0) + 1
        yield path if seen[path] == 1 else f"{path}#{seen[path]}", weight
