"""The stages of a recipe: what it does at each step of the life that all recipes share."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from kerasseq.settings import Range, Settings

if TYPE_CHECKING:
    import keras
    import pandas as pd
    from matplotlib.figure import Figure

    from kerasseq.metrics import Score
    from kerasseq.run import Run
    from kerasseq.training import Examples, Generated

__all__ = ["Objective", "Parts", "Prepared", "Stages"]


@dataclass(frozen=True)
class Parts:
    """Raw data, split.

    Args:
        train: what to learn from.
        validation: what decides when to stop.
        test: what to score on, once; None where it is withheld.
        notes: what was done, for the reader.
    """

    train: Any
    validation: Any
    test: Any | None = None
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Prepared:
    """Data ready for a model, and what was fitted on its training part.

    Args:
        train: examples to learn from, in memory or generated.
        validation: examples that decide when to stop.
        test: examples to score on, with their `targets`, or None where they are withheld.
        state: what was fitted, as JSON values and arrays: enough to prepare new data in the same
            way. Its `facts` are the sizes that `count`, `macs` and `build` need.
        initial: values that weights start from, by the weight's path in the model.
        notes: what was found, for the reader.
    """

    train: Examples | Generated
    validation: Examples | Generated
    test: Any | None
    state: dict[str, Any]
    initial: dict[str, np.ndarray] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def facts(self) -> dict[str, Any]:
        """The sizes that `count`, `macs` and `build` need."""
        facts: dict[str, Any] = self.state["facts"]
        return facts


@dataclass(frozen=True)
class Objective:
    """What training lowers, follows, and picks the best epoch by: see `kerasseq.training.Plan`."""

    loss: Any
    metrics: Sequence[Any] = ()
    branches: Sequence[str] = ()
    monitor: str = "val_loss"


class Stages(abc.ABC):
    """The stages of a recipe: what it does at each step of the life that all recipes share.

    load -> split -> prepare -> build -> train -> score beside baselines -> Run. `perform` runs
    them all, and a search those that it needs. Settings are the arguments of the recipe's function.
    """

    name: ClassVar[str]
    #: The settings that `split` and `prepare` look at, and no others: the rest may change without
    #: the data being prepared again.
    prepares: ClassVar[tuple[str, ...]]
    #: The settings that `load` looks at: how the data is read.
    reads: ClassVar[tuple[str, ...]] = ()
    #: The settings that say what is scored, and on what: where they differ, scores do not compare.
    scored: ClassVar[tuple[str, ...]] = ("validation", "test")
    #: The metric by which models and baselines are compared.
    headline: ClassVar[str]
    higher_is_better: ClassVar[bool] = True
    #: What the rows of the examples are called.
    rows: ClassVar[str] = "rows"
    #: Whether a Run holds on to the raw data, while it is in memory.
    keeps_source: ClassVar[bool] = False

    @abc.abstractmethod
    def check(self, settings: Settings) -> None:
        """Raise a ValueError for settings that cannot be; called before any data is read."""

    @abc.abstractmethod
    def load(self, data: Any, settings: Settings) -> Any:
        """The raw data from whatever was given for it; what `split` takes."""

    @abc.abstractmethod
    def split(
        self,
        source: Any,
        settings: Settings,
        *,
        test: bool = True,
        fold: tuple[int, int] | None = None,
        whole: bool = False,
    ) -> Parts:
        """Part the raw data.

        Args:
            source: what `load` gave.
            settings: those in `prepares`.
            test: whether to hand out the test part. It is the same rows either way, and no others
                are ever trained on with it withheld.
            fold: `(k, n)` makes the k-th of n folds of all rows but the test part the validation
                part.
            whole: whether the train part has the rows of the validation part too.
        """

    @abc.abstractmethod
    def prepare(self, parts: Parts, settings: Settings) -> Prepared:
        """Fit on the training part, and turn all parts into examples.

        A pure function of the parts and of those settings that are in `prepares`.
        """

    def settled(self, facts: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
        """Settings with what the data has decided in place of "auto", where facts name it."""
        return {n: facts.get(n, own) if own == "auto" else own for n, own in settings.items()}

    @abc.abstractmethod
    def count(self, facts: Mapping[str, Any], settings: Settings) -> int:
        """The parameters that `build` would give the model, in closed form and without building."""

    @abc.abstractmethod
    def macs(self, facts: Mapping[str, Any], settings: Settings) -> int:
        """Multiply-accumulates with a weight of that model for one row, in closed form too.

        Where rows differ in length, for one of the mean length of those to learn from.
        """

    @abc.abstractmethod
    def build(self, facts: Mapping[str, Any], settings: Settings) -> keras.Model:
        """The untrained model, its layers named, from sizes and settings alone."""

    @abc.abstractmethod
    def objective(self, facts: Mapping[str, Any], settings: Settings) -> Objective:
        """What to train the model for."""

    @abc.abstractmethod
    def predictions(self, model: keras.Model, examples: Any, state: Mapping[str, Any]) -> Any:
        """What the model says of each row, in the terms that `score` takes."""

    @abc.abstractmethod
    def score(self, predictions: Any, targets: Any, settings: Settings) -> Score:
        """What predictions are worth; those of a baseline too."""

    @abc.abstractmethod
    def baselines(self, parts: Parts, prepared: Prepared, settings: Settings) -> Mapping[str, Any]:
        """What cheap methods predict for the test part, fitted on train and validation.

        By the name of the method; each is asked for once, and scored before the next one.
        """

    @abc.abstractmethod
    def read(
        self, data: Any, state: Mapping[str, Any], settings: Settings, reading: Mapping[str, Any]
    ) -> Any:
        """New data with its targets, prepared as what the model was trained on.

        Args:
            data: what `load` takes.
            state: what `prepare` fitted.
            settings: those of the run.
            reading: arguments of the recipe that say how to read this data, in their place.
        """

    @abc.abstractmethod
    def predict(
        self, model: keras.Model, state: Mapping[str, Any], settings: Settings, data: Any
    ) -> pd.DataFrame:
        """New data without targets, and what the model says of it, in the user's terms."""

    @abc.abstractmethod
    def space(self) -> dict[str, Range]:
        """A range for each setting that is worth tuning."""

    def trainee(self, model: keras.Model, facts: Mapping[str, Any], settings: Settings) -> Any:
        """What is trained in place of the model: another one with the same layers, or itself."""
        return model

    def calibrated(
        self, model: keras.Model, prepared: Prepared, settings: Settings
    ) -> dict[str, Any]:
        """The state with what is fitted on the validation part once the model is trained."""
        return prepared.state

    def forecast(self, run: Run, **asked: Any) -> pd.DataFrame:
        """See `Run.forecast`."""
        raise ValueError(f"a run of {self.name} does not forecast: use predict.")

    def backtest(self, run: Run, folds: int, stride: int | None, refit: bool, data: Any) -> Any:
        """See `Run.backtest`."""
        raise ValueError(f"a run of {self.name} has no origins to forecast from: use evaluate.")

    def update(self, run: Run, rows: Any, reading: Mapping[str, Any]) -> None:
        """See `Run.update`."""
        raise ValueError(f"a run of {self.name} does not go on over rows: use predict.")

    def details(self, score: Score, baselines: Mapping[str, Score]) -> dict[str, Any]:
        """What goes into metrics.json beside the scores; plots are drawn from it."""
        return score.details

    def remarks(self, metrics: Mapping[str, Any]) -> list[str]:
        """What is to be said below the scores of a run, after the verdict."""
        return []

    def figures(self, run: Run) -> dict[str, Figure]:
        """Plots for the run folder, by file name."""
        from kerasseq import plots

        return {"curves": plots.learning_curves(run.history, run.metrics["epochs"]["kept"])}

    def row_names(self, state: Mapping[str, Any]) -> dict[str, list[str]]:
        """What the rows of a weight stand for, by its path (tokens, say), where they have names.

        A warm start copies such a weight row by row.
        """
        return {}
