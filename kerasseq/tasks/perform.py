"""Running a task from raw data to a Run, for recipes and for searches."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasseq import runs
from kerasseq.formatting import numbers
from kerasseq.formatting.table import printable
from kerasseq.io.digest import digest
from kerasseq.settings import restrict_to
from kerasseq.tasks.base import Learn, Parts, Prepared, Task

if TYPE_CHECKING:
    import keras

    from kerasseq import training
    from kerasseq.evaluation.metrics import Score
    from kerasseq.training import FitResult

__all__ = [
    "Model",
    "build_model",
    "calibrate",
    "evaluate",
    "fit_model",
    "perform",
    "prepare",
    "refit_model",
    "stop_after",
    "keep_suggestions",
    "train",
    "verdict",
]

_SCORED_BEFORE = (
    "scores and plots are of the weights before the refit on all rows, which have not seen the "
    "test part"
)


@dataclass(frozen=True)
class Model:
    """A trained model with the state of its preprocessing.

    Args:
        model: the model with the weights of its best epoch, not compiled.
        trained: result of the training.
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
        settings: settings of the recipe, including `data` and options such as `out`.

    Raises:
        ValueError: if settings, data or the folder cannot be used, or another process writes to
            the folder.
    """
    source = task.load_early(settings)
    recorded = task.settings_to_json(settings)
    with runs.lock_folder(settings.out) as folder:
        if source is None:
            source = task.load(settings.data, settings)
        return _run_task(task, settings, source, recorded, folder)


def _run_task(
    task: Task[Any, Any], settings: Any, source: Any, recorded: dict[str, Any], folder: Path | None
) -> Any:
    """Run a recipe whose settings are checked, whose data is read and whose folder is locked."""
    print_remarks = _RemarkPrinter(settings.quiet)
    stamp = {"recipe": task.name, "settings": recorded, "data": digest(source)}
    if folder is not None:
        finished = runs.claim(folder, stamp)
        if finished is not None:
            print_remarks(f"{folder} holds this very run, finished: loaded, not trained again")
            return finished

    parts, data = prepare(task, source, settings)
    resolved, reasons = task.resolve(data.data_info, settings)
    notes = [*parts.notes, *reasons, *data.notes]
    print_remarks(*notes)
    options: dict[str, Any] = {
        "callbacks": settings.callbacks,
        "warm_start": settings.warm_start,
        "quiet": settings.quiet,
        "stamp": stamp,
    }
    model = train(task, data, resolved, checkpoint=_join(folder, runs.CHECKPOINT), **options)
    member_notes = _member_notes(model.trained, resolved)
    print_remarks(*member_notes)
    notes += member_notes
    first = model = calibrate(task, model, data, resolved)
    metrics: dict[str, Any] = {}
    if settings.final != "validation":
        metrics = evaluate(task, first, parts, data, resolved)
    if settings.final != "train":
        refit = _join(folder, runs.REFIT)
        model, new, note = refit_model(task, source, resolved, first, checkpoint=refit, **options)
        metrics = metrics or evaluate(task, model, parts, new, resolved, baseline_data=data)
        metrics["parameters"] = model.model.count_params()
        metrics["macs"] = task.macs(model.state["data_info"], resolved)
        metrics["seconds"] = round(first.trained.seconds + model.trained.seconds, 1)
        metrics["epochs"] = _epochs(first.trained)
        if settings.final == "all":
            metrics["remarks"] = [*metrics["remarks"], _SCORED_BEFORE]
        notes.append(note)
        print_remarks(note)
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


def _join(folder: Path | None, name: str) -> Path | None:
    """The path of a file in a folder, or None without a folder."""
    return None if folder is None else folder / name


def prepare(
    task: Task[Any, Any],
    source: Any,
    settings: Any,
    *,
    test: bool = True,
    fold: tuple[int, int] | None = None,
    learn: Learn = "train",
    validated: bool = False,
) -> tuple[Parts, Prepared]:
    """Split raw data and prepare its parts, from settings of the stages "split" and "prepare".

    Args:
        task: the task of the recipe.
        source: raw data, the result of `task.load`.
        settings: settings of the recipe.
        test: as in `Task.split`.
        fold: as in `Task.split`.
        learn: as in `Task.split`.
        validated: whether to score the validation part in place of the test part.

    Returns:
        The raw parts; and their examples, with the state of the preprocessing.
    """
    data_settings = restrict_to(settings, "split", "prepare")
    parts = task.split(source, data_settings, test=test, fold=fold, learn=learn)
    if validated:
        parts = replace(parts, test=parts.validation)
    return parts, task.prepare(parts, data_settings)


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
    epochs: Sequence[int] = (),
    seconds: float | None = None,
    refit: bool = False,
    quiet: bool = False,
) -> Model:
    """Build a model and train it; equal settings and examples give equal models.

    The members of an ensemble are trained one after another, each as a single model of its
    settings, and then joined.

    Args:
        task: the task of the recipe.
        data: the prepared data.
        settings: settings of the recipe, resolved.
        callbacks: further Keras callbacks.
        warm_start: a Run, or its folder, whose weights are copied where shapes agree.
        checkpoint: file to write after each epoch, and to resume from; each further member of an
            ensemble has its own file beside it.
        stamp: description of the run that the checkpoint belongs to.
        stop_rule: function of the history that says after each epoch whether to stop; see
            `kerasseq.training.fit`.
        epochs: for each model, the number of epochs after which to stop, in place of `stop_rule`.
        seconds: largest training time of each model.
        refit: whether to train without the validation part and keep the last epoch.
        quiet: whether to hide progress.
    """
    from kerasseq import training

    members = task.members(settings)
    models, results = [], []
    for place, member in enumerate(members):
        model = build_model(task, data, member)
        if warm_start is not None:
            remark = runs.copy_weights(model, task, data.state, member, warm_start)
            _RemarkPrinter(quiet)(remark)
        if members[1:]:
            _RemarkPrinter(quiet)(f"model {place + 1} of {len(members)}, seed {member.seed}")
        models.append(model)
        results.append(
            fit_model(
                task,
                model,
                data,
                member,
                refit=refit,
                callbacks=callbacks,
                checkpoint=runs.member_checkpoint(checkpoint, place),
                stamp=stamp,
                stop_rule=stop_after(epochs[place]) if epochs else stop_rule,
                seconds=seconds,
                quiet=quiet,
            )
        )
    if not members[1:]:
        return Model(models[0], results[0], data.state)
    joined = task.join(models, data.data_info, settings)
    return Model(joined, training.mean_result(results), data.state)


def _member_notes(trained: FitResult, settings: Any) -> list[str]:
    """A note on the members of an ensemble; none for a single model."""
    if not trained.members:
        return []
    last = settings.seed + len(trained.members) - 1
    epochs = ", ".join(map(str, trained.best_epochs))
    return [
        f"ensemble of {len(trained.members)} models, from the seeds {settings.seed} to {last}, "
        f"whose outputs are averaged; best epochs {epochs}"
    ]


def calibrate(task: Task[Any, Any], model: Model, data: Prepared, settings: Any) -> Model:
    """Calibrate a trained model on the validation part.

    Args:
        task: the task of the recipe.
        model: model trained on the training part alone.
        data: the prepared data.
        settings: settings of the recipe, resolved.
    """
    calibration = task.calibrate(model.model, data, settings)
    return replace(model, state={**model.state, **calibration}, calibration=calibration)


def build_model(task: Task[Any, Any], data: Prepared, settings: Any) -> keras.Model:
    """Build a model and initialize its weights, before training.

    Weights are random, by the seed of the settings, except weights whose initial values come from
    the data (`Prepared.initial`), such as log-count ratios of n-grams.

    Args:
        task: the task of the recipe.
        data: the prepared data.
        settings: settings of the recipe, resolved.
    """
    import keras

    keras.utils.set_random_seed(int(settings.seed))
    model = task.build(data.data_info, settings)
    weights = {weight.path: weight for weight in model.weights}
    for path, value in data.initial.items():
        if path in weights:  # of the model that the settings have chosen
            weights[path].assign(value)
    return model


def fit_model(
    task: Task[Any, Any],
    model: keras.Model,
    data: Prepared,
    settings: Any,
    *,
    refit: bool = False,
    callbacks: Sequence[Any] = (),
    **options: Any,
) -> FitResult:
    """Train a model that `build_model` returned.

    Args:
        task: the task of the recipe.
        model: the model; afterwards it has the weights of its best epoch.
        data: the prepared data.
        settings: settings of the recipe, resolved.
        refit: as in `train`.
        callbacks: as in `train`.
        **options: further arguments of `kerasseq.training.fit`.
    """
    from kerasseq import training

    objective = task.objective(data.data_info, settings)
    config = training.TrainingConfig(
        loss=objective.loss,
        metrics=objective.metrics,
        branches=objective.branches,
        monitor=None if refit else objective.monitor,
        layer_rates=task.layer_rates(model, settings),
        **{name: getattr(settings, name) for name in training.SETTINGS},
    )
    training_model, train_examples, validation_examples = task.training(model, data, settings)
    return training.fit(
        training_model,
        train_examples,
        None if refit else validation_examples,
        config,
        callbacks=[*task.callbacks(model, data, settings), *callbacks],
        before=_pretraining(task, model, data, settings, **options),
        **options,
    )


def _pretraining(
    task: Task[Any, Any],
    model: keras.Model,
    data: Prepared,
    settings: Any,
    *,
    seconds: float | None = None,
    quiet: bool = False,
    **options: Any,
) -> Callable[[], Any] | None:
    """A function that pretrains a model, with the settings of its training; None for none."""
    from kerasseq import training

    pretraining = task.pretraining(model, data, settings)
    if pretraining is None:
        return None
    values = {name: getattr(settings, name) for name in training.SETTINGS}
    values |= {"epochs": pretraining.epochs, "schedule": "cosine", "ema_momentum": None}
    config = training.TrainingConfig(loss=pretraining.loss, monitor=None, **values)
    model, examples = pretraining.model, pretraining.examples
    return lambda: training.fit(model, examples, None, config, seconds=seconds, quiet=quiet)


def refit_model(
    task: Task[Any, Any], source: Any, settings: Any, model: Model, **options: Any
) -> tuple[Model, Prepared, str]:
    """Train again on more rows, for the number of epochs that was best on the validation part.

    Args:
        task: the task of the recipe.
        source: the raw data.
        settings: settings of the recipe, resolved for the training part; `final` names the rows.
        model: the model trained on the training part. Its calibration is kept, since the new model
            has seen the validation part.
        **options: further arguments of `train`.

    Returns:
        The new model, the data that it was trained on, and a remark for the reader.
    """
    epochs = [max(1, epoch) for epoch in model.trained.best_epochs]
    learn = settings.final
    _, data = prepare(task, source, settings, test=learn != "all", learn=learn)
    data = keep_suggestions(task, data, model.state["data_info"])
    new = train(task, data, settings, refit=True, epochs=epochs, **options)
    rows = "all rows" if learn == "all" else "the training and validation part"
    duration = numbers.duration(new.trained.seconds)
    note = (
        f"weights refitted on {rows} for {', '.join(map(str, epochs))} epochs, the best number on "
        f"the validation part, in {duration}"
    )
    # The test examples that a run shows are from the model that was scored.
    state = {**model.state, **new.state, **model.calibration}
    if learn == "all":
        note += "; the scores are those of the model before, which has not seen the test part"
        state |= task.scored_model(model.model, model.state)
    return replace(new, state=state), data, note


def keep_suggestions(
    task: Task[Any, Any], data: Prepared, data_info: Mapping[str, Any]
) -> Prepared:
    """Copy the suggestions for "auto" settings from one data_info into prepared data.

    So a model that is trained on more rows keeps the settings of the model before.

    Args:
        task: the task of the recipe.
        data: data prepared from the training part and further rows.
        data_info: data_info of the training part alone.
    """
    suggestions = {name: data_info[name] for name in task.suggestions}
    return replace(data, state={**data.state, "data_info": {**data.data_info, **suggestions}})


def stop_after(epochs: int) -> Callable[[Mapping[str, Sequence[float]]], bool]:
    """A stop rule for `kerasseq.training.fit` that stops after a number of epochs."""
    return lambda history: len(history["loss"]) >= epochs


class _RemarkPrinter:
    """Prints remarks on standard error, unless `quiet`."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet

    def __call__(self, *lines: str) -> None:
        if lines and not self._quiet:
            print(*map(printable, lines), sep="\n", file=sys.stderr, flush=True)


def evaluate(
    task: Task[Any, Any],
    model: Model,
    parts: Parts,
    data: Prepared,
    settings: Any,
    baseline_data: Prepared | None = None,
) -> dict[str, Any]:
    """Score a model and its baselines: the content of metrics.json.

    Args:
        task: the task of the recipe.
        model: the trained model.
        parts: the raw parts; baselines are fitted and scored on them.
        data: the prepared data with the test part.
        settings: settings of the run, resolved.
        baseline_data: the prepared data that baselines are fitted on, if the training part of
            `data` includes the validation part: baselines need the two apart.
    """
    if data.test is None:
        raise ValueError("a run is scored on a test part: split must not withhold it.")
    truth = data.test.targets
    predictions = task.predictions(model.model, data.test, model.state, settings)
    score = task.score(predictions, truth, settings)
    baselines = {
        name: task.score(predicted, truth, settings)
        for name, predicted in task.baselines(parts, baseline_data or data, settings).items()
    }
    trained = model.trained
    return {
        "recipe": task.name,
        "test": score.values,
        "interval": score.interval(),
        "baselines": {name: baseline.values for name, baseline in baselines.items()},
        "parameters": model.model.count_params(),
        "macs": task.macs(data.data_info, settings),
        "seconds": round(trained.seconds, 1),
        "seed": int(settings.seed),
        "versions": runs.versions(),
        "verdict": verdict(task, score, baselines),
        "rows": {
            "train": len(data.train),
            "validation": len(data.validation),
            "test": len(data.test),
        },
        "epochs": _epochs(trained),
        "remarks": [*task.remarks(score, data.state), *task.training_remarks(settings)],
        **task.details(score, baselines),
    }


def _epochs(trained: FitResult) -> dict[str, int]:
    return {"trained": len(trained.history["loss"]), "kept": trained.best_epoch}


def verdict(task: Task[Any, Any], score: Score, baselines: Mapping[str, Score]) -> str:
    """A sentence that compares a model with its strongest baseline.

    Args:
        task: the task of the recipe.
        score: scores of the model.
        baselines: scores of the baselines, by name.
    """
    from kerasseq.evaluation import metrics

    scores = [score, *baselines.values()]
    candidates = [task.headline, *score.values]
    metric = next(name for name in candidates if all(name in each.values for each in scores))
    sign = 1 if task.higher_is_better else -1
    name = max(baselines, key=lambda key: sign * baselines[key].values[metric])
    baseline, metric_name = baselines[name], metric.replace("_", " ")
    if not (metric in score.samples and metric in baseline.samples):
        difference = sign * (score.values[metric] - baseline.values[metric])
        outcome = "better" if difference > 0 else "worse" if difference < 0 else "no better"
        return (
            f"{metric_name}: this model is {outcome} than {name}, the strongest baseline "
            f"({difference:+.3f}; there is too little to score on for an interval)"
        )
    result = metrics.compare(score, baseline, metric, higher_is_better=task.higher_is_better)
    return (
        f"{metric_name}: this model {result.outcome} {name}, the strongest baseline "
        f"({result.difference:+.3f}, 95% interval {result.low:+.3f} to {result.high:+.3f})"
    )
