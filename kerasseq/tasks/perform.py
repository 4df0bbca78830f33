"""The one path that runs the parts of a task: for a recipe and for a search."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasseq import runs
from kerasseq.formatting.table import printable
from kerasseq.io.digest import digest
from kerasseq.settings import visible
from kerasseq.tasks.base import Learn, Parts, Prepared, Task

if TYPE_CHECKING:
    import keras

    from kerasseq import training
    from kerasseq.evaluation.metrics import Score
    from kerasseq.training import FitResult

__all__ = [
    "Model",
    "built",
    "calibrated",
    "evaluated",
    "fitted",
    "perform",
    "prepared",
    "refitted",
    "stop_after",
    "suggested",
    "train",
    "verdict",
]


@dataclass(frozen=True)
class Model:
    """A trained model with the state that belongs to it.

    Args:
        model: the model with the weights of its best epoch, not compiled.
        trained: history of the training.
        state: state of the fitted preprocessing and of the calibration.
        calibration: the entries of the state that were fitted on the validation part.
    """

    model: keras.Model
    trained: FitResult
    state: dict[str, Any]
    calibration: dict[str, Any] = field(default_factory=dict)


def perform(task: Task[Any, Any], settings: Any) -> Any:
    """Run a recipe, from raw data to a Run.

    Args:
        task: the task of the recipe.
        settings: its settings, `data` and options such as `out` among them.

    Raises:
        ValueError: for settings, data or a folder that cannot be used, or another process that
            writes to the folder.
    """
    recorded = task.recorded(settings)
    with runs.writing(settings.out) as folder:
        return _performed(task, settings, recorded, folder)


def _performed(
    task: Task[Any, Any], settings: Any, recorded: dict[str, Any], folder: Path | None
) -> Any:
    """The Run of settings that were checked, in a folder that no other process writes to."""
    tell = _Teller(settings.quiet)
    source = task.load(settings.data, settings)
    stamp = {"recipe": task.name, "settings": recorded, "data": digest(source)}
    if folder is not None:
        finished = runs.claim(folder, stamp)
        if finished is not None:
            tell(f"{folder} holds this very run, finished: loaded, not trained again")
            return finished

    parts, data = prepared(task, source, settings)
    resolved, reasons = task.resolve(data.data_info, settings)
    notes = [*parts.notes, *reasons, *data.notes]
    tell(*notes)
    options: dict[str, Any] = {
        "callbacks": settings.callbacks,
        "warm_start": settings.warm_start,
        "quiet": settings.quiet,
        "stamp": stamp,
    }
    model = train(task, data, resolved, checkpoint=_in(folder, runs.CHECKPOINT), **options)
    first = model = calibrated(task, model, data, resolved)
    metrics: dict[str, Any] = {}
    if settings.final != "validation":
        metrics = evaluated(task, first, parts, data, resolved)
    if settings.final != "train":
        refit = _in(folder, runs.REFIT)
        model, new, note = refitted(task, source, resolved, first, checkpoint=refit, **options)
        metrics = metrics or evaluated(task, model, parts, new, resolved, known=data)
        metrics["parameters"] = model.model.count_params()
        metrics["macs"] = task.macs(model.state["data_info"], resolved)
        metrics["seconds"] = round(first.trained.seconds + model.trained.seconds, 1)
        metrics["epochs"] = _epochs(first.trained)
        notes.append(note)
        tell(note)
    run = task.run(
        recipe=task.name,
        settings=recorded,
        model=model.model,
        state=model.state,
        metrics=metrics,
        history=first.trained.history,
        notes=notes,
        data=str(stamp["data"]),
        source=source if task.keeps_source else None,
        task=task,
    )
    if folder is not None:
        run.save(folder)
    return run


def _in(folder: Path | None, name: str) -> Path | None:
    return None if folder is None else folder / name


def prepared(
    task: Task[Any, Any],
    source: Any,
    settings: Any,
    *,
    test: bool = True,
    fold: tuple[int, int] | None = None,
    learn: Learn = "train",
    validated: bool = False,
) -> tuple[Parts, Prepared]:
    """Split raw data and prepare its parts, by the settings that data may depend on alone.

    Args:
        task: the task of the recipe.
        source: raw data, the result of `task.load`.
        settings: settings of the recipe.
        test: as in `Task.split`.
        fold: as in `Task.split`.
        learn: as in `Task.split`.
        validated: whether the validation part is to be scored, in place of the test part.
    """
    own = visible(settings, "split", "prepare")
    parts = task.split(source, own, test=test, fold=fold, learn=learn)
    if validated:
        parts = replace(parts, test=parts.validation)
    return parts, task.prepare(parts, own)


def train(
    task: Task[Any, Any],
    data: Prepared,
    settings: Any,
    *,
    callbacks: Sequence[Any] = (),
    warm_start: Any = None,
    checkpoint: Path | None = None,
    stamp: Mapping[str, Any] | None = None,
    stop_rule: training.StopRule | None = None,
    seconds: float | None = None,
    whole: bool = False,
    quiet: bool = False,
) -> Model:
    """Build a model and train it; the same for the same settings and examples.

    Args:
        task: the task of the recipe.
        data: the prepared data.
        settings: settings of the recipe, resolved.
        callbacks: further Keras callbacks.
        warm_start: a Run, or the folder of one, to take weights from.
        checkpoint: file to write after each epoch, and to go on from.
        stamp: description of the run that the checkpoint belongs to.
        stop_rule: function of the history that says after each epoch whether to stop; see
            `kerasseq.training.fit`.
        seconds: largest training time.
        whole: whether the training part is everything there is to learn from: the validation part
            is not looked at, and the last epoch is kept.
        quiet: whether to hide progress.
    """
    model = built(task, data, settings)
    if warm_start is not None:
        _Teller(quiet)(runs.warm(model, task, data.state, warm_start))
    trained = fitted(
        task,
        model,
        data,
        settings,
        whole=whole,
        callbacks=callbacks,
        checkpoint=checkpoint,
        stamp=stamp,
        stop_rule=stop_rule,
        seconds=seconds,
        quiet=quiet,
    )
    return Model(model, trained, data.state)


def calibrated(task: Task[Any, Any], model: Model, data: Prepared, settings: Any) -> Model:
    """The model with a state that is calibrated on the validation part.

    Args:
        task: the task of the recipe.
        model: trained on the training part alone.
        data: the prepared data.
        settings: settings of the recipe, resolved.
    """
    found = task.calibrate(model.model, data, settings)
    return replace(model, state={**model.state, **found}, calibration=found)


def built(task: Task[Any, Any], data: Prepared, settings: Any) -> keras.Model:
    """The untrained model, with its initial weights."""
    import keras

    keras.utils.set_random_seed(int(settings.seed))
    model = task.build(data.data_info, settings)
    weights = {weight.path: weight for weight in model.weights}
    for path, value in data.initial.items():
        weights[path].assign(value)
    return model


def fitted(
    task: Task[Any, Any],
    model: keras.Model,
    data: Prepared,
    settings: Any,
    *,
    whole: bool = False,
    **options: Any,
) -> FitResult:
    """Train a model that `built` gave.

    Args:
        task: the task of the recipe.
        model: gets the weights of its best epoch.
        data: the prepared data.
        settings: settings of the recipe, resolved.
        whole: as in `train`.
        **options: further arguments of `kerasseq.training.fit`.
    """
    from kerasseq import training

    objective = task.objective(data.data_info, settings)
    config = training.TrainingConfig(
        loss=objective.loss,
        metrics=objective.metrics,
        branches=objective.branches,
        monitor=None if whole else objective.monitor,
        **{name: getattr(settings, name) for name in training.SETTINGS},
    )
    training_model, learned, watched = task.training(model, data, settings)
    return training.fit(training_model, learned, None if whole else watched, config, **options)


def refitted(
    task: Task[Any, Any], source: Any, settings: Any, model: Model, **options: Any
) -> tuple[Model, Prepared, str]:
    """Train anew on more rows, for as many epochs as were best on the validation part.

    Args:
        task: the task of the recipe.
        source: the raw data.
        settings: settings of the recipe, resolved for the training part; `final` says on which
            rows.
        model: the model trained on the training part. Its calibration is kept, since the new model
            has seen the validation part.
        **options: of `train`.

    Returns:
        The new model, the data that it was trained on, and a remark for the reader.
    """
    epochs = max(1, model.trained.best_epoch)
    learn = settings.final
    _, data = prepared(task, source, settings, test=learn != "all", learn=learn)
    data = suggested(task, data, model.state["data_info"])
    new = train(task, data, settings, whole=True, stop_rule=stop_after(epochs), **options)
    rows = "all rows" if learn == "all" else "the training and validation part"
    note = f"weights refitted on {rows} for {epochs} epochs, the best number on the validation part"
    if learn == "all":
        note += "; the scores are those of the model before, which has not seen the test part"
    # The test examples that a run shows are from the model that was scored.
    return replace(new, state={**model.state, **new.state, **model.calibration}), data, note


def suggested(task: Task[Any, Any], data: Prepared, data_info: Mapping[str, Any]) -> Prepared:
    """Data of more rows, with the data_info of the training part that settings are chosen by.

    Args:
        task: the task of the recipe.
        data: data prepared from the training part and further rows.
        data_info: data_info of the training part alone.
    """
    kept = {name: data_info[name] for name in task.suggestions}
    return replace(data, state={**data.state, "data_info": {**data.data_info, **kept}})


def stop_after(epochs: int) -> Callable[[Mapping[str, Sequence[float]]], bool]:
    """A rule that stops after so many epochs, for `kerasseq.training.fit`."""
    return lambda history: len(history["loss"]) >= epochs


class _Teller:
    """Prints remarks on standard error, unless it is to be quiet."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet

    def __call__(self, *lines: str) -> None:
        if not self._quiet:
            print(*map(printable, lines), sep="\n", file=sys.stderr, flush=True)


def evaluated(
    task: Task[Any, Any],
    model: Model,
    parts: Parts,
    data: Prepared,
    settings: Any,
    known: Prepared | None = None,
) -> dict[str, Any]:
    """The metrics.json of a run.

    Args:
        task: the task of the recipe.
        model: the trained model.
        parts: the raw parts; baselines learn from them and are scored on them.
        data: the prepared data with the test part.
        settings: settings of the run, resolved.
        known: the data that baselines learn from, where the training part of `data` has the rows of
            the validation part too: they need the two apart.
    """
    if data.test is None:
        raise ValueError("a run is scored on a test part: split must not withhold it.")
    truth = data.test.targets
    predictions = task.predictions(model.model, data.test, model.state, settings)
    score = task.score(predictions, truth, settings)
    rivals = {
        name: task.score(predicted, truth, settings)
        for name, predicted in task.baselines(parts, known or data, settings).items()
    }
    trained = model.trained
    return {
        "recipe": task.name,
        "test": score.values,
        "interval": score.interval(),
        "baselines": {name: rival.values for name, rival in rivals.items()},
        "parameters": model.model.count_params(),
        "macs": task.macs(data.data_info, settings),
        "seconds": round(trained.seconds, 1),
        "seed": int(settings.seed),
        "versions": runs.versions(),
        "verdict": verdict(task, score, rivals),
        "rows": {
            "train": len(data.train),
            "validation": len(data.validation),
            "test": len(data.test),
        },
        "epochs": _epochs(trained),
        "remarks": task.remarks(score, data.state),
        **task.details(score, rivals),
    }


def _epochs(trained: FitResult) -> dict[str, int]:
    return {"trained": len(trained.history["loss"]), "kept": trained.best_epoch}


def verdict(task: Task[Any, Any], score: Score, rivals: Mapping[str, Score]) -> str:
    """A sentence that compares a model with the strongest of its baselines.

    Args:
        task: the task of the recipe.
        score: scores of the model.
        rivals: scores of the baselines, by name.
    """
    from kerasseq.evaluation import metrics

    all_of = [score, *rivals.values()]
    named = [task.headline, *score.values]
    metric = next(name for name in named if all(name in own.values for own in all_of))
    sign = 1 if task.higher_is_better else -1
    name = max(rivals, key=lambda rival: sign * rivals[rival].values[metric])
    rival, said = rivals[name], metric.replace("_", " ")
    if not (metric in score.samples and metric in rival.samples):
        difference = sign * (score.values[metric] - rival.values[metric])
        outcome = "better" if difference > 0 else "worse" if difference < 0 else "no better"
        return (
            f"{said}: this model is {outcome} than {name}, the strongest baseline "
            f"({difference:+.3f}; there is too little to score on for an interval)"
        )
    compared = metrics.compare(score, rival, metric, higher_is_better=task.higher_is_better)
    return (
        f"{said}: this model {compared.outcome} {name}, the strongest baseline "
        f"({compared.difference:+.3f}, 95% interval {compared.low:+.3f} to {compared.high:+.3f})"
    )
