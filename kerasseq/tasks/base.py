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
from kerasseq.settings import (
    Range,
    Stage,
    aliases,
    check,
    declarations_of,
    names,
    raise_faults,
    unknown_setting,
)

if TYPE_CHECKING:
    import keras

    from kerasseq.evaluation.metrics import Score
    from kerasseq.runs import Run, Standalone
    from kerasseq.training import Examples, Generated, LayerRates

__all__ = [
    *("Learn", "ModelConfig", "Objective", "Parts", "Prepared", "Pretraining", "State", "Task"),
]

#: Rows to learn from: the training part, the training and validation part, or all rows.
Learn = Literal["train", "validation", "all"]

_SEPARATE_DATA = "data of its own"

S = TypeVar("S")
R = TypeVar("R", bound="Run", covariant=True)


class ModelConfig(Protocol):
    """Sizes of a model, from which it is counted and built."""

    def count(self) -> int:
        """The number of parameters of the model, in closed form."""

    def build(self) -> keras.Model:
        """Build the untrained model, with named layers."""


@dataclass(frozen=True)
class Parts:
    """Raw data, split.

    Args:
        train: rows to learn from.
        validation: rows that decide when to stop.
        test: rows to score on, once; None where they are withheld.
        notes: remarks about the split, for the reader.
        reading: settings of the stage "read" that were derived from the data (names of columns,
            say) and are saved in the state.
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
            the same way. Its entry `data_info` holds the properties of the data that models depend
            on: sizes, names and so on.
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
        """Properties of the data that models depend on."""
        data_info: dict[str, Any] = self.state["data_info"]
        return data_info


@dataclass(frozen=True)
class Objective:
    """Loss, metrics and the metric that selects the best epoch; see `TrainingConfig`."""

    loss: Any
    metrics: Sequence[Any] = ()
    branches: Sequence[str] = ()
    monitor: str = "val_loss"


@dataclass(frozen=True)
class Pretraining:
    """A training without labels of the layers of a model, before the training itself.

    Args:
        model: a model that shares layers with the model.
        examples: its examples.
        loss: its loss.
        epochs: number of passes over the examples; the learning rate falls to 0 in them.
    """

    model: keras.Model
    examples: Examples
    loss: Any
    epochs: int


class State(TypedDict):
    """Entries of the state that all tasks share."""

    data_info: dict[str, Any]


class Task(abc.ABC, Generic[S, R]):
    """Base class of a task: everything that a recipe needs beside its settings.

    `perform` calls its methods in this order: load, split, prepare, build, train, score (model and
    baselines), and makes a Run. A search calls the same methods.

    Args:
        name: name of the recipe.
        settings: dataclass of its settings.
    """

    #: The Run class of the task.
    run: type[R]
    #: The metric by which models and baselines are compared.
    headline: ClassVar[str]
    higher_is_better: ClassVar[bool] = True
    #: Plural noun for the rows of the examples ("windows", say).
    rows: ClassVar[str] = "rows"
    #: Entries of data_info that `resolve` reads; a refit on more rows keeps their values.
    suggestions: ClassVar[tuple[str, ...]] = ()
    #: Arguments that other recipes have and this one refuses, with the reason.
    refused: ClassVar[Mapping[str, str]] = {}
    #: Whether a Run in memory keeps the raw data.
    keeps_source: ClassVar[bool] = False

    def __init__(self, name: str, settings: type[S]) -> None:
        self.name, self.settings = name, settings

    @property
    def run_name(self) -> str:
        """The name of the Run class."""
        return self.run.__name__

    # Settings

    def names(self, *stages: Stage) -> tuple[str, ...]:
        """The names of the settings of these stages."""
        return names(self.settings, *stages)

    @property
    def reading(self) -> tuple[str, ...]:
        """The settings of the stage "read" that may be passed again for new data."""
        return self.names("read")

    @cached_property
    def defaults(self) -> dict[str, Any]:
        """Default values of all settings but options, that is, of those that affect the result."""
        declarations = declarations_of(self.settings).values()
        return {s.name: s.default for s in declarations if s.stage != "option"}

    def space(self) -> dict[str, Range]:
        """The search range of each setting that has one."""
        declarations = declarations_of(self.settings).values()
        return {s.name: s.range for s in declarations if s.range is not None}

    def make_settings(self, values: Mapping[str, Any]) -> S:
        """Make a settings object from values by name; missing settings have their defaults.

        Raises:
            ValueError: if a name is no setting.
        """
        declarations = declarations_of(self.settings)
        raise_faults(
            [
                unknown_setting(n, declarations, aliases.renamed(self.name), self.refused)
                for n in values
                if n not in declarations
            ]
        )
        return self.settings(**values)

    def load_settings(self, values: Mapping[str, Any]) -> S:
        """Make a settings object from the settings of a saved run, earlier names included."""
        declarations = declarations_of(self.settings)
        current = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in aliases.current(self.name, values, declarations).items()
            if name in declarations
        }
        return self.settings(**{"quiet": True, **aliases.defaults_before(self.name), **current})

    def settings_to_json(self, settings: S) -> dict[str, Any]:
        """Check settings and convert them to JSON values, as they are saved.

        Raises:
            ValueError: if settings are invalid; it names all of them.
        """
        from kerasseq import training

        check(settings)
        training.check(settings)
        values = {name: getattr(settings, name) for name in self.defaults}
        self.check_conflicts(settings)
        self.check(settings)
        plain: dict[str, Any] = json.loads(json.dumps(values, default=training.setting_to_json))
        return plain

    def is_separate_part(self, value: Any) -> bool:
        """Whether a value of `validation` or `test` is separate data instead of a share."""
        return False

    def separate_parts(self, settings: S) -> dict[str, Any]:
        """The values of `validation` and `test` that are separate data, by name."""
        values = {name: getattr(settings, name, None) for name in parts.NAMES}
        return {name: value for name, value in values.items() if self.is_separate_part(value)}

    def settings_by_content(self, recorded: Mapping[str, Any]) -> dict[str, Any]:
        """Recorded settings with a placeholder for each part that is separate data.

        Its path does not matter: the fingerprint of the data covers its content.
        """
        return {
            name: _SEPARATE_DATA if name in parts.NAMES and self.is_separate_part(value) else value
            for name, value in recorded.items()
        }

    def check(self, settings: S) -> None:
        """Raise a ValueError for settings that cannot be used; called before data is read."""

    def check_conflicts(self, settings: S) -> None:
        """Raise a ValueError for settings that contradict each other.

        Called before `check`, and for the settings of a saved run, which is read on any machine:
        what it finds depends on the settings alone.
        """

    def resolve(self, data_info: Mapping[str, Any], settings: S) -> tuple[S, list[str]]:
        """Replace "auto" by data-driven values, and say why in remarks.

        Args:
            data_info: properties of the data, see `Prepared`.
            settings: settings of the user.
        """
        return settings, []

    # Data

    @abc.abstractmethod
    def load(self, data: Any, settings: S) -> Any:
        """Read raw data; the result is the `source` of `split`."""

    def load_early(self, settings: S) -> Any:
        """Read raw data before a backend is imported, which takes seconds; None to read it later.

        A task whose `load` needs no backend overrides this, so that faults of the data are told at
        once.
        """
        return None

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
            settings: settings of the stages "split" and "prepare"; others are not accessible.
            test: whether to return the test part. If not, its rows are still withheld from the
                other parts.
            fold: `(k, n)`: all rows but the test part are cut into n folds, and the k-th of them is
                the validation part.
            learn: rows of the training part: "validation" adds the validation part, "all" every
                row.
        """

    @abc.abstractmethod
    def prepare(self, parts: Parts, settings: S) -> Prepared:
        """Fit the preprocessing on the training part, and convert all parts to examples.

        A pure function of the parts and of the settings of the stages "split" and "prepare".
        """

    @abc.abstractmethod
    def read(
        self, data: Any, state: Mapping[str, Any], settings: S, reading: Mapping[str, Any]
    ) -> Any:
        """Read new data with its targets, and convert it to examples.

        Args:
            data: new data, in any form that `load` takes.
            state: state of the fitted preprocessing.
            settings: settings of the run.
            reading: settings among `Task.reading` that replace the settings of the run.
        """

    def state_type(self) -> Any:
        """The type that saved states are checked against, see `kerasseq.io.schema`."""
        return State

    def metrics_type(self) -> Any:
        """The type that the entries of metrics.json of this task are checked against."""
        return dict[str, Any]

    def history_type(self) -> Any:
        """The type that the entries of history.json of this task are checked against."""
        return dict[str, Any]

    def upgrade_state(self, state: dict[str, Any]) -> dict[str, Any]:
        """Convert a state that an earlier version saved to the current form.

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
        """Raise an error unless the files of a saved run are consistent.

        Args:
            model: the model.
            state: state of the preprocessing, of the type `state_type()`.
            settings: settings of the run, resolved.
            metrics: metrics of the run, of the type `metrics_type()`.
        """
        expected, parameters = self.count(state["data_info"], settings), model.count_params()
        if parameters != expected:
            raise ValueError(
                f"the model has {parameters:,} parameters, and a model of these settings and this "
                f"state has {expected:,}"
            )

    # Model

    @abc.abstractmethod
    def config(self, data_info: Mapping[str, Any], settings: S) -> ModelConfig:
        """The model config, from which the model is counted and built."""

    def count(self, data_info: Mapping[str, Any], settings: S) -> int:
        """The number of parameters of the model, in closed form, without building it."""
        return self.config(data_info, settings).count()

    @abc.abstractmethod
    def macs(self, data_info: Mapping[str, Any], settings: S) -> int:
        """Multiply-accumulate operations of the model for one row, in closed form.

        If rows differ in length, for a row of the mean length in the training part.
        """

    def build(self, data_info: Mapping[str, Any], settings: S) -> keras.Model:
        """Build the untrained model."""
        return self.config(data_info, settings).build()

    def members(self, settings: S) -> list[S]:
        """Settings of the models that are trained one after another, and then joined.

        A task with ensembles overrides this and `join`; a single model has the settings themselves.
        """
        return [settings]

    def join(
        self, models: Sequence[keras.Model], data_info: Mapping[str, Any], settings: S
    ) -> keras.Model:
        """The ensemble of trained models, one for each of `members`."""
        raise NotImplementedError(f"{self.name} has no ensembles.")

    @abc.abstractmethod
    def objective(self, data_info: Mapping[str, Any], settings: S) -> Objective:
        """Loss and metrics of the training."""

    def training(
        self, model: keras.Model, prepared: Prepared, settings: S
    ) -> tuple[keras.Model, Any, Any]:
        """The model to fit, its training examples and its validation examples.

        The training model shares the layers of `model`, but may have other inputs and outputs.
        """
        return model, prepared.train, prepared.validation

    def layer_rates(self, model: keras.Model, settings: S) -> LayerRates | None:
        """Learning rates of groups of layers; None if all learn alike."""
        return None

    def pretraining(
        self, model: keras.Model, prepared: Prepared, settings: S
    ) -> Pretraining | None:
        """The training of the layers of `model` before the training itself; None for none."""
        return None

    def training_remarks(self, settings: S) -> list[str]:
        """Remarks on the training for the summary of a run."""
        return []

    def callbacks(
        self, model: keras.Model, prepared: Prepared, settings: S
    ) -> Sequence[keras.callbacks.Callback]:
        """Callbacks of the training, such as one that logs a further metric after each epoch.

        They are called before the callbacks of the user, and before the best epoch is chosen.
        """
        return ()

    def calibrate(self, model: keras.Model, prepared: Prepared, settings: S) -> dict[str, Any]:
        """Calibrate on the validation part, after training; returns entries for the state."""
        return {}

    def scored_model(self, model: keras.Model, state: Mapping[str, Any]) -> dict[str, Any]:
        """Entries for the state of a run that keep the scored model, if another one is saved.

        Called if the weights were refitted on all rows, after the test part was scored.

        Args:
            model: the scored model.
            state: its state.
        """
        return {}

    def standalone(self, model: keras.Model, state: Mapping[str, Any], settings: S) -> Standalone:
        """Module, preprocessing and models of an exported run.

        Raises:
            ValueError: if runs of this recipe, or with these settings, cannot be exported.
        """
        raise ValueError(
            f"a run of {self.name} cannot be exported with its preprocessing. "
            "kerasseq.export(run.model, path) writes the model alone, if its layers can be written."
        )

    def row_names(self, state: Mapping[str, Any]) -> dict[str, list[str]]:
        """Names of the rows of weights (tokens, say), by the path of the weight.

        A warm start copies these weights row by row.
        """
        return {}

    def copy_other_recipe(
        self, model: keras.Model, state: Mapping[str, Any], settings: S, earlier: Run
    ) -> str | None:
        """Copy the weights of a run of another recipe into a new model, for a warm start.

        Args:
            model: the built, untrained model.
            state: state of the preprocessing of the new model.
            settings: settings of the new model, resolved.
            earlier: the run.

        Returns:
            A remark on the weights that were copied; None to copy them by name and shape.

        Raises:
            ValueError: if the model does not fit the run; it names the settings to change.
        """
        return None

    # Evaluation

    @abc.abstractmethod
    def predictions(
        self, model: keras.Model, examples: Any, state: Mapping[str, Any], settings: S
    ) -> Any:
        """Predictions for each row of the examples, as `score` takes them."""

    @abc.abstractmethod
    def score(self, predictions: Any, targets: Any, settings: S) -> Score:
        """Score predictions, of the model or of a baseline, against the targets.

        Args:
            predictions: predictions, as returned by `predictions` and as values of `baselines`.
            targets: the `targets` of the scored examples, row by row.
            settings: settings of the run, resolved.

        Returns:
            The metrics over all rows, `headline` among them, with their bootstrap samples if any.
        """

    @abc.abstractmethod
    def baselines(self, parts: Parts, prepared: Prepared, settings: S) -> Mapping[str, Any]:
        """Predictions of the baselines for the test part, by the name of the baseline.

        Baselines are fitted on the training and validation part. Each value is read once, and
        scored before the next one is read.
        """

    def details(self, score: Score, baselines: Mapping[str, Score]) -> dict[str, Any]:
        """Further entries of metrics.json, from which plots are drawn."""
        return score.details

    def remarks(self, score: Score, state: Mapping[str, Any]) -> list[str]:
        """Remarks for the user on limits of the scores, such as a class without test rows."""
        return []


def changed(settings: S, **values: Any) -> S:
    """Copy settings and replace some of their values.

    Args:
        settings: dataclass of settings.
        **values: new values by the name of the setting; the other settings keep their values.
    """
    return dataclasses.replace(settings, **values)  # type: ignore[type-var]
