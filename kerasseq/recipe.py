"""The stages of a recipe, and the one path that runs them: for its function and for a search."""

from __future__ import annotations

import abc
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from kerasseq import run as runs
from kerasseq.data.digest import digest
from kerasseq.settings import (
    Choice,
    Number,
    Range,
    Settings,
    Whole,
    levels,
    one_of,
    positive,
    share,
)

if TYPE_CHECKING:
    import keras
    import pandas as pd
    from matplotlib.figure import Figure

    from kerasseq.metrics import Score
    from kerasseq.run import Run
    from kerasseq.training import Examples, Generated, Trained

__all__ = [
    "Choice",
    "Number",
    "Objective",
    "Parts",
    "Prepared",
    "Range",
    "Stages",
    "Whole",
    "digest",
    "levels",
    "one_of",
    "perform",
    "positive",
    "share",
    "train",
    "verdict",
]

# The arguments of a recipe that are no hyperparameters, and are not part of what a run is.
OPTIONS = ("data", "out", "callbacks", "warm_start", "quiet")


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
            way. Its `facts` are the sizes that `count` and `build` need.
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
        """The sizes that `count` and `build` need."""
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
    ) -> Parts:
        """Part the raw data.

        Args:
            source: what `load` gave.
            settings: those in `prepares`.
            test: whether to hand out the test part. It is the same rows either way, and no others
                are ever trained on with it withheld.
            fold: `(k, n)` makes the k-th of n folds of all rows but the test part the validation
                part.
        """

    @abc.abstractmethod
    def prepare(self, parts: Parts, settings: Settings) -> Prepared:
        """Fit on the training part, and turn all parts into examples.

        A pure function of the parts and of those settings that are in `prepares`.
        """

    @abc.abstractmethod
    def count(self, facts: Mapping[str, Any], settings: Settings) -> int:
        """The parameters that `build` would give the model, in closed form and without building."""

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

    def forecast(
        self, run: Run, horizon: int | None, history: Any, future: Any, quantiles: Sequence[float]
    ) -> pd.DataFrame:
        """See `Run.forecast`."""
        raise ValueError(f"a run of {self.name} does not forecast: use predict.")

    def backtest(self, run: Run, folds: int, stride: int | None, refit: bool, data: Any) -> Any:
        """See `Run.backtest`."""
        raise ValueError(f"a run of {self.name} has no origins to forecast from: use evaluate.")

    def update(self, run: Run, rows: Any) -> None:
        """See `Run.update`."""
        raise ValueError(f"a run of {self.name} does not go on over rows: use predict.")

    def details(self, score: Score, baselines: Mapping[str, Score]) -> dict[str, Any]:
        """What goes into metrics.json beside the scores; plots are drawn from it."""
        return score.details

    def figures(self, run: Run) -> dict[str, Figure]:
        """Plots for the run folder, by file name."""
        from kerasseq import plots

        return {"curves": plots.learning_curves(run.history, run.metrics["epochs"]["kept"])}

    def row_names(self, state: Mapping[str, Any]) -> dict[str, list[str]]:
        """What the rows of a weight stand for, by its path (tokens, say), where they have names.

        A warm start copies such a weight row by row.
        """
        return {}


def perform(stages: Stages, arguments: Mapping[str, Any]) -> Run:
    """The life of a recipe, from raw data to a Run.

    Args:
        stages: those of the recipe.
        arguments: those that its function was called with: `OPTIONS` and settings.

    Raises:
        ValueError: for settings, data or a folder that cannot be used.
    """
    from kerasseq import training

    options = {name: arguments[name] for name in OPTIONS}
    settings = {name: value for name, value in arguments.items() if name not in OPTIONS}
    schedule = training.schedule_config(settings["schedule"])
    recorded = _as_json({**settings, "schedule": schedule})
    _check(settings)
    stages.check(settings)
    tell = _Teller(options["quiet"])

    source = stages.load(options["data"], settings)
    stamp = {"recipe": stages.name, "settings": recorded, "data": digest(source)}
    folder = None if options["out"] is None else Path(options["out"])
    if folder is not None:
        finished = runs.claim(folder, stamp)
        if finished is not None:
            tell(f"{folder} holds this very run, finished: loaded, not trained again")
            return finished

    subset = {name: settings[name] for name in stages.prepares}
    parts = stages.split(source, subset)
    prepared = stages.prepare(parts, subset)
    notes = [*parts.notes, *prepared.notes]
    tell(*notes)
    model, trained = train(
        stages,
        prepared,
        settings,
        callbacks=options["callbacks"],
        warm_start=options["warm_start"],
        checkpoint=None if folder is None else folder / runs.CHECKPOINT,
        stamp=stamp,
        quiet=options["quiet"],
    )
    prepared = replace(prepared, state=stages.calibrated(model, prepared, settings))
    run = runs.Run(
        recipe=stages.name,
        settings=recorded,
        model=model,
        state=prepared.state,
        metrics=_evaluate(stages, model, parts, prepared, settings, trained),
        history=trained.history,
        notes=notes,
        data=str(stamp["data"]),
        source=source if stages.keeps_source else None,
    )
    if folder is not None:
        run.save(folder)
    return run


def train(
    stages: Stages,
    prepared: Prepared,
    settings: Settings,
    *,
    callbacks: Sequence[Any] = (),
    warm_start: Any = None,
    checkpoint: Path | None = None,
    stamp: Mapping[str, Any] | None = None,
    quiet: bool = False,
) -> tuple[keras.Model, Trained]:
    """Build a model and train it, the same for the same settings and examples.

    Args:
        stages: those of the recipe.
        prepared: what `stages.prepare` gave.
        settings: those of the recipe.
        callbacks: further Keras callbacks.
        warm_start: a Run, or the folder of one, to take weights from.
        checkpoint: file to write after each epoch, and to go on from.
        stamp: what the checkpoint belongs to.
        quiet: whether to show no progress.

    Returns:
        The model with the weights of its best epoch, not compiled, and how training went.
    """
    import keras

    from kerasseq import training

    objective = stages.objective(prepared.facts, settings)
    plan = training.Plan(
        loss=objective.loss,
        metrics=objective.metrics,
        branches=objective.branches,
        monitor=objective.monitor,
        **{name: settings[name] for name in TRAINING},
    )
    keras.utils.set_random_seed(settings["seed"])
    model = stages.build(prepared.facts, settings)
    weights = {weight.path: weight for weight in model.weights}
    for path, value in prepared.initial.items():
        weights[path].assign(value)
    if warm_start is not None:
        _Teller(quiet)(runs.warm(model, stages, prepared.state, warm_start))
    trained = training.fit(
        stages.trainee(model, prepared.facts, settings),
        prepared.train,
        prepared.validation,
        plan,
        callbacks=callbacks,
        checkpoint=checkpoint,
        stamp=stamp,
        quiet=quiet,
    )
    return model, trained


# The settings that every recipe has for its training.
TRAINING = (
    "epochs",
    "patience",
    "batch_size",
    "learning_rate",
    "schedule",
    "clip",
    "seed",
)


def _check(settings: Settings) -> None:
    positive(settings, "epochs", "patience", "batch_size")
    for name in ("learning_rate", "clip"):
        value = settings[name]
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not (number and value > 0) and not (name == "clip" and value is None):
            raise ValueError(f"{name} must be a number above zero. Received: {name}={value!r}")
    seed = settings["seed"]
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 2**32:
        raise ValueError(f"seed must be a whole number from 0 on. Received: seed={seed!r}")


class _Teller:
    """Says on standard error what goes on, unless it is to be quiet."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet

    def __call__(self, *lines: str) -> None:
        if not self._quiet:
            print(*lines, sep="\n", file=sys.stderr, flush=True)


def _evaluate(
    stages: Stages,
    model: keras.Model,
    parts: Parts,
    prepared: Prepared,
    settings: Settings,
    trained: Trained,
) -> dict[str, Any]:
    """What goes into metrics.json."""
    test = prepared.test
    if test is None:
        raise ValueError("a run is scored on a test part: split must not withhold it.")
    truth = test.targets
    score = stages.score(stages.predictions(model, test, prepared.state), truth, settings)
    rivals = {
        name: stages.score(found, truth, settings)
        for name, found in stages.baselines(parts, prepared, settings).items()
    }
    return {
        "recipe": stages.name,
        "test": score.values,
        "interval": score.interval(),
        "baselines": {name: rival.values for name, rival in rivals.items()},
        "parameters": model.count_params(),
        "seconds": round(trained.seconds, 1),
        "seed": settings["seed"],
        "versions": runs.versions(),
        "verdict": verdict(stages, score, rivals),
        "rows": {
            "train": len(prepared.train),
            "validation": len(prepared.validation),
            "test": len(test),
        },
        "epochs": {
            "trained": len(trained.history["loss"]),
            "kept": trained.best_epoch,
        },
        **stages.details(score, rivals),
    }


def verdict(stages: Stages, score: Score, rivals: Mapping[str, Score]) -> str:
    """In words, how a model does beside the strongest of its baselines.

    Args:
        stages: those of the recipe.
        score: of the model.
        rivals: of the baselines, by name.
    """
    from kerasseq import metrics

    all_of = [score, *rivals.values()]
    named = [stages.headline, *score.values]
    metric = next(name for name in named if all(name in own.values for own in all_of))
    sign = 1 if stages.higher_is_better else -1
    name = max(rivals, key=lambda rival: sign * rivals[rival].values[metric])
    rival, said = rivals[name], metric.replace("_", " ")
    if not (metric in score.samples and metric in rival.samples):
        difference = sign * (score.values[metric] - rival.values[metric])
        outcome = "better" if difference > 0 else "worse" if difference < 0 else "no better"
        return (
            f"{said}: this model is {outcome} than {name}, the strongest baseline "
            f"({difference:+.3f}; there is too little to score on for an interval)"
        )
    found = metrics.compare(score, rival, metric, higher_is_better=stages.higher_is_better)
    return (
        f"{said}: this model {found.outcome} {name}, the strongest baseline "
        f"({found.difference:+.3f}, 95% interval {found.low:+.3f} to {found.high:+.3f})"
    )


def _as_json(values: Settings) -> dict[str, Any]:
    """Settings as they will be read back."""
    plain: dict[str, Any] = json.loads(
        json.dumps(values, default=lambda own: own.item() if hasattr(own, "item") else str(own))
    )
    return plain
