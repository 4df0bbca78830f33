"""Run: the result of a recipe."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from kerasseq import registry
from kerasseq.evaluation.scoreboard import board
from kerasseq.formatting import numbers
from kerasseq.formatting.table import Table
from kerasseq.io import atomic, lock
from kerasseq.io.state import write_json, write_state
from kerasseq.io.tables import TABLES
from kerasseq.runs.folder import (
    CHECKPOINT,
    FORMAT,
    HISTORY,
    METRICS,
    MODEL,
    PLOTS,
    RECORD,
    STATE,
    check_free,
    holds,
    open_folder,
    read_record,
    tidy,
    versions,
)
from kerasseq.runs.saved import read_files
from kerasseq.settings import require_bool

if TYPE_CHECKING:
    from typing import Self

    import keras
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["Run", "load"]


@dataclass(repr=False)
class Run:
    """A trained model with its preprocessing and scores: the result of a recipe.

    Each task has a subclass with further methods. Every subclass has `predict`, which does the same
    as the first of its `verbs`.

    Args:
        recipe: name of the recipe.
        settings: arguments of the recipe, as JSON values.
        model: the trained Keras model.
        state: state of the preprocessing that was fitted on the training part (vocabularies,
            scalers, sizes), as JSON values and arrays.
        metrics: test scores, their intervals, baselines, parameters, seconds, seed, versions.
        history: loss and metrics of each epoch; names of the validation part begin with `val_`.
        notes: remarks about the data.
        data: fingerprint of the data.
        folder: folder where the run is saved; None for a run in memory.
        source: the raw data, if the recipe keeps it; it is not saved.
        task: task of the recipe.

    Example:

    >>> import kerasseq
    >>> run = kerasseq.sentiment(epochs=1, units=4, quiet=True)
    >>> isinstance(run, Run), run.metrics["recipe"]
    (True, 'sentiment')
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
    task: Any = None

    #: Names of the methods that the shell offers as `kerasseq VERB DIR`.
    verbs: ClassVar[tuple[str, ...]] = ("predict", "evaluate")
    #: Endings of the files that `verbs` read in place of a list of rows; "" stands for all files.
    files: ClassVar[tuple[str, ...]] = TABLES
    #: Verbs that read each row of a list by itself, so that a server predicts the rows of several
    #: requests in one call, and the column of the result that has the number of the row; "" if the
    #: result has a row for each row of the list.
    rowwise: ClassVar[Mapping[str, str]] = {}
    #: JSON schema of a row of the list that `verbs` take.
    row_schema: ClassVar[Mapping[str, Any]] = {}

    def __post_init__(self) -> None:
        if self.task is None:
            self.task = registry.task(self.recipe)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Self:
        """Load a run of this class from a folder.

        Args:
            folder: a folder that `Run.save`, or `out=` of a recipe, has written.

        Raises:
            FileNotFoundError: if the folder or one of its files does not exist.
            ValueError: if it holds no run of this class, or a file cannot be read.
        """
        run = load(folder)
        if not isinstance(run, cls):
            raise ValueError(
                f"{folder} is a run of {run.recipe}, a {type(run).__name__}: load it with "
                f"that class or with kerasseq.load. Expected: {cls.__name__}"
            )
        return run

    @cached_property
    def resolved(self) -> Any:
        """The settings as a typed object, with data-driven values in place of "auto"."""
        return self.task.resolve(self.state["data_info"], self.task.load_settings(self.settings))[0]

    def predict(self, data: Any) -> pd.DataFrame:
        """Predictions for new data.

        Args:
            data: new data, in a form that the recipe accepts.

        Returns:
            A row for each row of the data.

        Raises:
            ValueError: if there is nothing to predict from.
        """
        raise NotImplementedError(f"{type(self).__name__} has no predict.")

    def evaluate(self, data: Any, **reading: Any) -> dict[str, Any]:
        """Score the model on new data with known targets.

        Args:
            data: new data, in a form that the recipe accepts as its own `data`.
            **reading: arguments of the recipe that say how to read the data (names of columns,
                say); default: the values of the run.

        Returns:
            `rows`, `test` (each metric), `interval` and `remarks`, as in `metrics`.

        Raises:
            ValueError: if the data cannot be read, or has targets that the model does not know.
        """
        unknown = sorted({*reading} - {*self.task.reading})
        if unknown:
            raise ValueError(
                f"evaluate takes settings that say how {self.recipe} reads data: "
                f"{', '.join(self.task.reading)}. Received: {unknown[0]}="
            )
        examples = self.task.read(data, self.state, self.resolved, reading)
        predictions = self.task.predictions(self.model, examples, self.state, self.resolved)
        score = self.task.score(predictions, examples.targets, self.resolved)
        return {
            "rows": len(examples),
            "test": score.values,
            "interval": score.interval(),
            "remarks": [
                *getattr(examples, "remarks", ()), *self.task.remarks(score, self.state)
            ],
        }  # fmt: skip

    @contextlib.contextmanager
    def data_of_request(self, rows: list[Any], *, labelled: bool) -> Iterator[Any]:
        """Context with data for a verb, from the rows of a request to a server.

        A request must not open files of the server: the class of a run whose verbs take paths as
        rows overrides this.

        Args:
            rows: rows as JSON values; objects are rows of a table.
            labelled: whether the verb takes tables alone.

        Raises:
            ValueError: if the rows are neither a table nor a list that the verb takes.
        """
        objects = [isinstance(row, dict) for row in rows]
        if all(objects):
            import pandas as pd

            yield pd.DataFrame(rows)
        elif labelled or any(objects):
            place = objects.index(False)
            expected = "be objects, the rows of a table" if labelled else "all be objects, or none"
            raise ValueError(
                f"the rows must {expected}. "
                f"Received: row {place} (counted from 0) is {str(rows[place])[:60]!r}"
            )
        else:
            yield rows

    def figures(self) -> dict[str, Figure]:
        """Plots for the folder of the run, by file name."""
        from kerasseq.evaluation import plots

        return {"curves": plots.learning_curves(self.history, self.metrics["epochs"]["kept"])}

    def remarks(self) -> list[str]:
        """Remarks that `summary` prints below the scores and the verdict."""
        remarks: list[str] = self.metrics.get("remarks", [])  # runs of earlier versions have none
        return remarks

    def save(self, folder: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Save the run in a folder, from which `kerasseq.load` loads it.

        If the process is killed, the folder holds either its earlier content or the complete run.

        Args:
            folder: a new or empty folder, or the one in which this run was trained.
            overwrite: whether to replace a run in the folder.

        Raises:
            ValueError: if the folder holds other files, or another process writes to it.
        """
        require_bool(overwrite=overwrite)
        target = open_folder(folder)
        if holds(target, RECORD):
            if not overwrite:
                raise ValueError(
                    f"{target} holds a run already: choose another folder, or pass overwrite=True."
                )
        elif not holds(target, CHECKPOINT, MODEL):
            check_free(target)
        with lock.hold(target):
            with atomic.replacing_together(target) as temporary:
                self._write(temporary)
                has_arrays = (temporary / STATE).with_suffix(".npz").exists()
            if not has_arrays:
                (target / STATE).with_suffix(".npz").unlink(missing_ok=True)
            tidy(target)
        self.folder = target
        return target

    def export(
        self,
        folder: str | os.PathLike[str],
        format: str = "onnx",
        *,
        overwrite: bool = False,
        quantize: str | None = None,
        data: Any = None,
    ) -> Path:
        """Write the run as a folder that predicts without kerasseq and without a backend.

        It has the model, the fitted preprocessing as JSON, a manifest, and predict.py, which needs
        NumPy and onnxruntime or ai-edge-litert (for texts tokenizers, for images Pillow) and
        predicts from raw data as `predict` does.

        Args:
            folder: a new or empty folder, or one with an exported run.
            format: "onnx" or "litert".
            overwrite: whether to replace an exported run in the folder.
            quantize: in LiteRT, the type of the weights: "float16", "int8", or None for float32.
                The manifest, and a line on the standard error, tell what that costs in score.
            data: rows with known targets on which that is scored, as `evaluate` takes them; by
                default the validation part, if the run was trained on the recipe's own data.

        Returns:
            The folder.

        Raises:
            ValueError: if the folder holds other files, or the recipe's runs or layers of the model
                cannot be exported. Nothing is written.
            ModuleNotFoundError: if the package onnx, or ai-edge-litert, is not installed.
        """
        from kerasseq.runs.exported import export_run

        return export_run(self, folder, format, overwrite=overwrite, quantize=quantize, data=data)

    def _write(self, folder: Path) -> None:
        """Write all files into an empty folder."""
        from kerasseq.evaluation import plots

        self.model.save(folder / MODEL)
        write_state(folder / STATE, self.state)
        write_json(folder / METRICS, self.metrics, indent=2)
        write_json(folder / HISTORY, self.history, indent=2)
        plots.save(self.figures(), folder / PLOTS)
        record = {
            "format": FORMAT,
            "recipe": self.recipe,
            "settings": self.settings,
            "data": self.data,
            "notes": self.notes,
            "versions": versions(),
        }
        write_json(folder / RECORD, record, indent=2)

    def summary(self) -> None:
        """Print the scores of the model beside those of its baselines."""
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
    def _board(self) -> Table:
        metrics = self.metrics
        title = f"{self.recipe}: {metrics['rows']['test']:,} test {self.task.rows}"
        return board(title, metrics, self._board_notes())

    def _board_notes(self) -> list[str]:
        duration = numbers.duration(self.metrics["seconds"])
        location = [f"saved in {self.folder}"] if self.folder else []
        return [
            self.metrics["verdict"],
            *self.remarks(),
            f"{self.metrics['parameters']:,} parameters, trained in {duration}, "
            f"epoch {self.metrics['epochs']['kept']} of {self.metrics['epochs']['trained']} kept",
            *location,
        ]


def load(folder: str | os.PathLike[str]) -> Run:
    """Load the run in a folder; it predicts as it did before it was saved.

    Args:
        folder: a folder that `Run.save`, or `out=` of a recipe, has written.

    Returns:
        A Run of its task: `ClassificationRun`, `ForecastRun`, ...

    Raises:
        FileNotFoundError: if the folder or one of its files does not exist.
        ValueError: if the folder holds no run, or files are damaged; it names all of them.

    Example:

    >>> import kerasseq
    >>> run = kerasseq.sentiment(epochs=1, units=4, quiet=True)
    >>> saved = run.save("my-run")
    >>> again = load("my-run").predict(["a fine film"]).round(6)
    >>> again.equals(run.predict(["a fine film"]).round(6))
    True
    """
    folder = open_folder(folder)
    record = read_record(folder)
    name = record["recipe"]
    if name not in registry.names():
        raise ValueError(
            f"{folder} is a run of the recipe {name!r}, which is not known here. Known recipes: "
            f"{', '.join(registry.names())}. Install the package that has it, call "
            "kerasseq.register with it, or install the kerasseq that wrote it "
            f"({record.get('versions', {}).get('kerasseq', 'unknown')})."
        )
    task = registry.task(name)
    run: Run = task.run(
        recipe=name,
        settings=record["settings"],
        **read_files(folder, record, task),
        notes=record["notes"],
        data=record["data"],
        folder=folder,
        task=task,
    )
    return run
