"""The parts of a task: preprocessing, model, objective, scores and baselines."""

from __future__ import annotations

import abc
import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Generic,
    Literal,
    Protocol,
    TypedDict,
    TypeVar,
)

import numpy as np

from kerasseq.data import parts
from kerasseq.settings import Range, Stage, aliases, check, declared, names, raise_faults, unknown

if TYPE_CHECKING:
    import keras

    from kerasseq.evaluation.metrics import Score
    from kerasseq.runs import Run
    from kerasseq.training import Examples, Generated

__all__ = ["Learn", "ModelConfig", "Objective", "Parts", "Prepared", "State", "Task"]

#: How far the training part of a split goes: it alone, the validation part too, or all rows.
Learn = Literal["train", "validation", "all"]

_OWN_PART = "data of its own"

S = TypeVar("S")
R = TypeVar("R", bound="Run", covariant=True)


class ModelConfig(Protocol):
    """Sizes of a model, from which it is counted and built."""

    def count(self) -> int:
        """The parameters of the model, in closed form."""

    def build(self) -> keras.Model:
        """The untrained model, its layers named."""


@dataclass(frozen=True)
class Parts:
    """Raw data, split.

    Args:
        train: rows to learn from.
        validation: rows that decide when to stop.
        test: rows to score on, once; None where they are withheld.
        notes: remarks about the split, for the reader.
        reading: settings of the stage "read" that the data has decided (names of columns, say), for
            a state that has to remember them.
    """

    train: Any
    validation: Any
    test: Any | None = None
    notes: list[str] = field(default_factory=list)
    reading: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Prepared:
    """Examples for a model, and the state of the preprocessing fitted on the training part.

    Args:
        train: examples to learn from, in memory or generated.
        validation: examples that decide when to stop.
        test: examples to score on, with their `targets`, or None where they are withheld.
        state: the fitted preprocessing, as JSON values and arrays: enough to prepare new data in
            the same way. Its `data_info` are sizes and traits of the data that models depend on.
        initial: initial values of weights, by the path of the weight in the model.
        notes: remarks about the data, for the reader.
    """

    train: Examples | Generated
    validation: Examples | Generated
    test: Any | None
    state: dict[str, Any]
    initial: dict[str, np.ndarray] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def data_info(self) -> dict[str, Any]:
        """Sizes and traits of the data."""
        data_info: dict[str, Any] = self.state["data_info"]
        return data_info


@dataclass(frozen=True)
class Objective:
    """Loss, metrics and the figure that picks the best epoch; see `TrainingConfig`."""

    loss: Any
    metrics: Sequence[Any] = ()
    branches: Sequence[str] = ()
    monitor: str = "val_loss"


class State(TypedDict):
    """The entries that the state of each task has."""

    data_info: dict[str, Any]


class Task(abc.ABC, Generic[S, R]):
    """A task: everything that a recipe needs beside its settings.

    `perform` runs the parts in this order: load, split, prepare, build, train, score beside the
    baselines, make a Run. A search runs the same parts.

    Args:
        name: name of the recipe.
        settings: dataclass of its settings.
    """

    #: Class of the runs.
    run: type[R]
    #: The metric by which models and baselines are compared.
    headline: ClassVar[str]
    higher_is_better: ClassVar[bool] = True
    #: Name of the rows of the examples.
    rows: ClassVar[str] = "rows"
    #: DataInfo by which `resolve` chooses; a refit on more rows keeps those of the training part.
    suggestions: ClassVar[tuple[str, ...]] = ()
    #: Whether a Run holds on to the raw data, while it is in memory.
    keeps_source: ClassVar[bool] = False

    def __init__(self, name: str, settings: type[S]) -> None:
        self.name, self.settings = name, settings

    @property
    def run_name(self) -> str:
        """The name of the class of the runs."""
        return self.run.__name__

    # Settings

    def names(self, *stages: Stage) -> tuple[str, ...]:
        """The names of the settings of these stages."""
        return names(self.settings, *stages)

    @property
    def reading(self) -> tuple[str, ...]:
        """The settings of the stage "read" that may be given anew for other data."""
        return self.names("read")

    @cached_property
    def defaults(self) -> dict[str, Any]:
        """The settings that make a run what it is, with their default values."""
        own = declared(self.settings).values()
        return {s.name: s.default for s in own if s.stage != "option"}

    def space(self) -> dict[str, Range]:
        """A range for each setting that is worth tuning."""
        own = declared(self.settings).values()
        return {s.name: s.range for s in own if s.range is not None}

    def typed(self, values: Mapping[str, Any]) -> S:
        """Settings from their values by name; those that are left out have their defaults.

        Raises:
            ValueError: if there is no such setting.
        """
        known = declared(self.settings)
        raise_faults(
            [unknown(n, known, aliases.renamed(self.name)) for n in values if n not in known]
        )
        return self.settings(**values)

    def saved(self, values: Mapping[str, Any]) -> S:
        """Settings from those that a run has saved, also under names that they had once."""
        known = declared(self.settings)
        found = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in aliases.current(self.name, values, known).items()
            if name in known
        }
        return self.settings(**{"quiet": True, **found})

    def recorded(self, settings: S) -> dict[str, Any]:
        """Settings as they are written down: JSON values.

        Raises:
            ValueError: for settings that cannot be, all of them named.
        """
        from kerasseq import training

        check(settings)
        training.check(settings)
        values = {name: getattr(settings, name) for name in self.defaults}
        self.check(settings)
        plain: dict[str, Any] = json.loads(json.dumps(values, default=training.recorded))
        return plain

    def is_own_part(self, value: Any) -> bool:
        """Whether a validation or test part, as given or recorded, is data of its own."""
        return False

    def own_parts(self, settings: S) -> dict[str, Any]:
        """The validation and the test part, by name, where they are given as data of their own."""
        given = {name: getattr(settings, name, None) for name in parts.NAMES}
        return {name: part for name, part in given.items() if self.is_own_part(part)}

    def by_content(self, recorded: Mapping[str, Any]) -> dict[str, Any]:
        """Recorded settings with one mark for each part that is data of its own.

        The fingerprint of the data tells the content of such a part, whatever path it has.
        """
        return {
            name: _OWN_PART if name in parts.NAMES and self.is_own_part(value) else value
            for name, value in recorded.items()
        }

    def check(self, settings: S) -> None:
        """Raise a ValueError for settings that exclude each other; called before data is read."""

    def resolve(self, data_info: Mapping[str, Any], settings: S) -> tuple[S, list[str]]:
        """Settings with a choice by the data in place of "auto", and remarks that say why.

        Args:
            data_info: sizes and traits of the data, see `Prepared`.
            settings: settings as they were given.
        """
        return settings, []

    # Data

    @abc.abstractmethod
    def load(self, data: Any, settings: S) -> Any:
        """Read raw data; the result is the argument of `split`."""

    @abc.abstractmethod
    def split(
        self,
        source: Any,
        settings: S,
        *,
        test: bool = True,
        fold: tuple[int, int] | None = None,
        learn: Learn = "train",
    ) -> Parts:
        """Split raw data into training, validation and test part.

        Args:
            source: the result of `load`.
            settings: settings of the stages "split" and "prepare"; no others can be read.
            test: whether to hand out the test part. It has the same rows either way, and no other
                rows are ever trained on with it withheld.
            fold: `(k, n)` makes the k-th of n folds of all rows but the test part the validation
                part.
            learn: "validation" gives the training part the rows of the validation part too, "all"
                every row.
        """

    @abc.abstractmethod
    def prepare(self, parts: Parts, settings: S) -> Prepared:
        """Fit the preprocessing on the training part, and turn all parts into examples.

        A pure function of the parts and of settings of the stages "split" and "prepare".
        """

    @abc.abstractmethod
    def read(
        self, data: Any, state: Mapping[str, Any], settings: S, reading: Mapping[str, Any]
    ) -> Any:
        """Examples of new data with its targets.

        Args:
            data: new data, in any form that `load` takes.
            state: state of the fitted preprocessing.
            settings: settings of the run.
            reading: settings among `Task.reading` that replace those of the run.
        """

    def state_type(self) -> Any:
        """The type that saved states are checked against, see `kerasseq.io.schema`."""
        return State

    def metrics_type(self) -> Any:
        """The same of metrics.json, for the entries that not all tasks have."""
        return dict[str, Any]

    def upgraded(self, state: dict[str, Any]) -> dict[str, Any]:
        """A state that an earlier version has saved, as this version has it.

        Raises:
            ValueError: if it is damaged.
        """
        return state

    def check_saved(
        self,
        model: keras.Model,
        state: Mapping[str, Any],
        settings: S,
        metrics: Mapping[str, Any],
    ) -> None:
        """Raise an error unless what was loaded from the files of a run goes together.

        Args:
            model: the model.
            state: state of the preprocessing, of the type `state_type()`.
            settings: settings of the run, resolved.
            metrics: metrics of the run, of the type `metrics_type()`.
        """
        expected, found = self.count(state["data_info"], settings), model.count_params()
        if found != expected:
            raise ValueError(
                f"the model has {found:,} parameters, and the settings and the state are of one "
                f"with {expected:,}"
            )

    # Model

    @abc.abstractmethod
    def config(self, data_info: Mapping[str, Any], settings: S) -> ModelConfig:
        """The config from which the model is counted and built."""

    def count(self, data_info: Mapping[str, Any], settings: S) -> int:
        """The parameters of the model, in closed form and without building it."""
        return self.config(data_info, settings).count()

    @abc.abstractmethod
    def macs(self, data_info: Mapping[str, Any], settings: S) -> int:
        """Multiply-accumulates with a weight of that model for one row, in closed form too.

        Where rows differ in length, for one of the mean length of those to learn from.
        """

    def build(self, data_info: Mapping[str, Any], settings: S) -> keras.Model:
        """The untrained model."""
        return self.config(data_info, settings).build()

    @abc.abstractmethod
    def objective(self, data_info: Mapping[str, Any], settings: S) -> Objective:
        """Loss and metrics of the training."""

    def training(
        self, model: keras.Model, prepared: Prepared, settings: S
    ) -> tuple[keras.Model, Any, Any]:
        """The model to fit and its training and validation examples.

        A training model may have other inputs and outputs than the model, over the same layers.
        """
        return model, prepared.train, prepared.validation

    def calibrate(self, model: keras.Model, prepared: Prepared, settings: S) -> dict[str, Any]:
        """Entries of the state that are fitted on the validation part, after training."""
        return {}

    def row_names(self, state: Mapping[str, Any]) -> dict[str, list[str]]:
        """Names of the rows of a weight (tokens, say) by its path, where they have names.

        A warm start copies such a weight row by row.
        """
        return {}

    # Evaluation

    @abc.abstractmethod
    def predictions(
        self, model: keras.Model, examples: Any, state: Mapping[str, Any], settings: S
    ) -> Any:
        """Predictions for each row of the examples, as `score` takes them."""

    @abc.abstractmethod
    def score(self, predictions: Any, targets: Any, settings: S) -> Score:
        """Scores of predictions of the model or of a baseline."""

    @abc.abstractmethod
    def baselines(self, parts: Parts, prepared: Prepared, settings: S) -> Mapping[str, Any]:
        """Predictions of cheap methods for the test part, fitted on training and validation part.

        By the name of the method; each is asked for once, and scored before the next one.
        """

    def details(self, score: Score, baselines: Mapping[str, Score]) -> dict[str, Any]:
        """Entries of metrics.json beside the scores; plots are drawn from them."""
        return score.details

    def remarks(self, score: Score, state: Mapping[str, Any]) -> list[str]:
        """Remarks about scores, for the reader: what they do not measure, say."""
        return []


def changed(settings: S, **values: Any) -> S:
    """The same settings with other values."""
    return dataclasses.replace(settings, **values)  # type: ignore[type-var]
