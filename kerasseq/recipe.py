"""The one path that runs the stages of a recipe: for its function and for a search."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasseq import run as runs
from kerasseq.data.digest import digest
from kerasseq.settings import (
    Choice,
    Number,
    Range,
    Settings,
    When,
    Whole,
    levels,
    one_of,
    positive,
    share,
    steps,
)
from kerasseq.stages import Objective, Parts, Prepared, Stages

if TYPE_CHECKING:
    import keras

    from kerasseq import training
    from kerasseq.metrics import Score
    from kerasseq.run import Run
    from kerasseq.training import Trained

__all__ = [
    "Choice",
    "Number",
    "Objective",
    "Parts",
    "Prepared",
    "Range",
    "Stages",
    "When",
    "Whole",
    "built",
    "checked",
    "digest",
    "evaluated",
    "fitted",
    "levels",
    "one_of",
    "perform",
    "positive",
    "share",
    "steps",
    "train",
    "verdict",
]

# The arguments of a recipe that are no hyperparameters, and are not part of what a run is.
OPTIONS = ("data", "out", "callbacks", "warm_start", "quiet")


def perform(stages: Stages, arguments: Mapping[str, Any]) -> Run:
    """The life of a recipe, from raw data to a Run.

    Args:
        stages: those of the recipe.
        arguments: those that its function was called with: `OPTIONS` and settings.

    Raises:
        ValueError: for settings, data or a folder that cannot be used.
    """
    options = {name: arguments[name] for name in OPTIONS}
    settings = {name: value for name, value in arguments.items() if name not in OPTIONS}
    recorded = checked(stages, settings)
    tell = _Teller(options["quiet"])

    source = stages.load(options["data"], {**settings, "quiet": options["quiet"]})
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
        metrics=evaluated(stages, model, parts, prepared, settings, trained),
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
    enough: training.Enough | None = None,
    seconds: float | None = None,
    whole: bool = False,
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
        enough: says after each epoch whether to stop; see `kerasseq.training.fit`.
        seconds: to train at most.
        whole: whether the train part is all there is to learn from: the validation part is not
            looked at, and the last epoch is kept.
        quiet: whether to show no progress.

    Returns:
        The model with the weights of its best epoch, not compiled, and how training went.
    """
    model = built(stages, prepared, settings)
    if warm_start is not None:
        _Teller(quiet)(runs.warm(model, stages, prepared.state, warm_start))
    trained = fitted(
        stages,
        model,
        prepared,
        settings,
        whole=whole,
        callbacks=callbacks,
        checkpoint=checkpoint,
        stamp=stamp,
        enough=enough,
        seconds=seconds,
        quiet=quiet,
    )
    return model, trained


def built(stages: Stages, prepared: Prepared, settings: Settings) -> keras.Model:
    """The untrained model, with the weights that it starts from."""
    import keras

    keras.utils.set_random_seed(int(settings["seed"]))
    model = stages.build(prepared.facts, settings)
    weights = {weight.path: weight for weight in model.weights}
    for path, value in prepared.initial.items():
        weights[path].assign(value)
    return model


def fitted(
    stages: Stages,
    model: keras.Model,
    prepared: Prepared,
    settings: Settings,
    *,
    whole: bool = False,
    **options: Any,
) -> Trained:
    """Train a model that `built` gave.

    Args:
        stages: those of the recipe.
        model: gets the weights of its best epoch.
        prepared: what `stages.prepare` gave.
        settings: those of the recipe.
        whole: as in `train`.
        **options: those of `kerasseq.training.fit`.
    """
    from kerasseq import training

    objective = stages.objective(prepared.facts, settings)
    plan = training.Plan(
        loss=objective.loss,
        metrics=objective.metrics,
        branches=objective.branches,
        monitor=None if whole else objective.monitor,
        **{name: settings[name] for name in TRAINING},
    )
    trainee = stages.trainee(model, prepared.facts, settings)
    validation = None if whole else prepared.validation
    return training.fit(trainee, prepared.train, validation, plan, **options)


def checked(stages: Stages, settings: Settings) -> dict[str, Any]:
    """Settings as they are written down: JSON values.

    Raises:
        ValueError: for settings that cannot be.
    """
    from kerasseq import training

    schedule = training.schedule_config(settings["schedule"])
    recorded = _as_json({**settings, "schedule": schedule})
    _check(settings)
    stages.check(settings)
    return recorded


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


def evaluated(
    stages: Stages,
    model: keras.Model,
    parts: Parts,
    prepared: Prepared,
    settings: Settings,
    trained: Trained,
) -> dict[str, Any]:
    """What goes into the metrics.json of a run.

    Args:
        stages: those of the recipe.
        model: trained.
        parts: what baselines learn from, and are scored on.
        prepared: what the model learned from, and is scored on.
        settings: those of the run.
        trained: how training went.
    """
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
        "macs": stages.macs(prepared.facts, settings),
        "seconds": round(trained.seconds, 1),
        "seed": int(settings["seed"]),
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
