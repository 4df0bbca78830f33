"""One trial: trained and scored on each fold and seed, and resumed from its checkpoints."""

from __future__ import annotations

import errno
import gc
import math
import shutil
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict, cast

from kerasseq import training
from kerasseq.io import atomic, schema
from kerasseq.io.limits import TooLarge
from kerasseq.io.state import read_json, write_json
from kerasseq.settings import Settings
from kerasseq.tasks import perform
from kerasseq.tuning import pruning
from kerasseq.tuning.task import Data, Task, make_settings

if TYPE_CHECKING:
    import keras

    from kerasseq.evaluation.metrics import Score
    from kerasseq.tasks.base import Task as Recipe
    from kerasseq.training import FitResult

__all__ = ["COMPLETED", "FAILED", "PRUNED", "Outcome", "folder", "headline", "run"]

COMPLETED, PRUNED, FAILED = "completed", "pruned", "failed"
_ATTEMPTS = 5  # a trial fails if it kills its process so often at the same epoch
_BEGUN = "begun.json"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


@dataclass(frozen=True)
class Outcome:
    """Outcome of a trial, as JSON values.

    Args:
        status: completed, pruned or failed.
        reason: reason of a pruned or failed trial.
        score: the recipe's headline metric on the validation part, mean over folds and seeds.
        spread: standard deviation of the score over folds and seeds; None for one training.
        scores: score of each training.
        parameters: number of parameters of the model.
        macs: multiply-accumulates of the model for one row.
        epochs: number of trained epochs, mean over the trainings.
        best_epoch: the epoch with the best monitored value, mean over the trainings.
        seconds: total duration in seconds.
        curve: monitored value after each epoch of the first training.
    """

    status: str
    reason: str = ""
    score: float | None = None
    spread: float | None = None
    scores: list[float] = field(default_factory=list)
    parameters: int | None = None
    macs: int | None = None
    epochs: float | None = None
    best_epoch: float | None = None
    seconds: float = 0.0
    curve: list[float] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return asdict(self)


# How many times a trial was started with this number of trained epochs.
_Begun = TypedDict("_Begun", {"epochs": int, "times": int, "of parent": NotRequired[float]})


@dataclass
class _Training:
    """One training of a trial."""

    score: float
    parameters: int
    macs: int
    trained: FitResult
    curve: list[float]
    pruned: bool


def folder(task: Task, name: str) -> Path:
    """Folder with the checkpoints of a trial."""
    return task.folder / "trials" / name


def run(
    task: Task,
    data: Data,
    name: str,
    settings: Settings,
    *,
    epochs: int | None = None,
    parent: str | None = None,
    curves: Sequence[Sequence[float]] = (),
) -> Outcome:
    """Run a trial on each fold and seed, or resume it from its checkpoints.

    An exception does not end the search: the outcome of the trial is "failed", with the reason.
    Exceptions to this are an interruption by the user, and the errors below.

    Args:
        task: the search.
        data: data of the search.
        name: name of the trial.
        settings: values of all settings, by name.
        epochs: number of epochs after which each training stops, with those before it was resumed
            and those of `parent` counted; default: the epochs of the settings.
        parent: name of the trial from whose checkpoints this one starts, unless it has its own.
        curves: for each ended trial, the monitored value after each epoch, for pruning; empty for
            no pruning.

    Returns:
        The outcome: status, score and cost of the trial.

    Raises:
        OSError: if the folder of the search cannot be read or written, or the disk is full.
        ValueError: if a checkpoint is larger than `kerasseq.io.limits` allows to read.
    """
    started, before = time.perf_counter(), 0.0
    trial_folder = folder(task, name)
    try:
        before = _start(trial_folder, None if parent is None else folder(task, parent))
        task.recipe.settings_to_json(
            make_settings(task.recipe, settings)
        )  # raises if settings are invalid
        outcome = _outcome(_train_all(task, data, trial_folder, settings, epochs, curves))
    except KeyboardInterrupt:
        begun = _read_begun(trial_folder / _BEGUN)
        if begun is not None:  # an interruption does not count as a failed start
            write_json(trial_folder / _BEGUN, {**begun, "times": 0})
        raise
    except TooLarge:  # a checkpoint beyond the limit of what is read
        raise
    except Exception as error:  # any error fails this trial only
        if _is_disk_error(error, task.folder):
            raise
        outcome = Outcome(FAILED, _reason(error))
    finally:
        seconds = round(before + time.perf_counter() - started, 2)
        _free_models()
    return replace(outcome, seconds=seconds)


def _is_disk_error(error: Exception, folder: Path) -> bool:
    """Whether an error comes from a folder that cannot be written, or a full disk."""
    if not isinstance(error, OSError):
        return False
    names = [name for name in (error.filename, error.filename2) if isinstance(name, str)]
    inside = any(folder.absolute() in Path(name).absolute().parents for name in names)
    return inside or error.errno in _FULL


def headline(recipe: Recipe[Any, Any], score: Score) -> float:
    """The score of a trial: the recipe's headline metric, or the first metric if it is missing."""
    candidates = [recipe.headline, *score.values]
    return float(next(score.values[name] for name in candidates if name in score.values))


def _train_all(
    task: Task,
    data: Data,
    trial_folder: Path,
    settings: Settings,
    epochs: int | None,
    curves: Sequence[Sequence[float]],
) -> list[_Training]:
    runs = task.runs()
    trainings: list[_Training] = []
    for place, (fold, seed) in enumerate(runs):
        rules = [] if epochs is None else [pruning.epochs(epochs)]
        _, prepared = data.prepared(settings, fold)
        own_settings = make_settings(task.recipe, {**settings, "seed": seed})
        resolved, _ = task.recipe.resolve(prepared.data_info, own_settings)
        monitor = task.recipe.objective(prepared.data_info, resolved).monitor
        median = pruning.Median(
            curves if task.prune and not place else (), monitor, training.direction(monitor)
        )
        fitted = perform.train(
            task.recipe,
            prepared,
            resolved,
            checkpoint=trial_folder / f"{place}.npz",
            stop_rule=pruning.any_of([*rules, median]),
            seconds=None if task.seconds is None else task.seconds / len(runs),
            quiet=True,
        )
        trained = fitted.trained
        # With a limit, the number that is compared with it; else that of a row of this training.
        limited = task.max_macs is not None
        macs = data.macs(settings) if limited else task.recipe.macs(prepared.data_info, resolved)
        parameters = _check_count(fitted.model, task.recipe.count(prepared.data_info, resolved))
        assert prepared.test is not None  # holds the validation part
        # Calibration is fitted on the validation part, so that scores on it are uncalibrated.
        predictions = task.recipe.predictions(fitted.model, prepared.test, prepared.state, resolved)
        score = task.recipe.score(predictions, prepared.test.targets, resolved)
        curve = trained.history[monitor]
        at_end = len(curve) >= settings["epochs"]
        at_end |= len(curve) - trained.best_epoch >= settings["patience"]
        pruned = not at_end and median(trained.history)
        trainings.append(
            _Training(headline(task.recipe, score), parameters, macs, trained, curve, pruned)
        )
        if pruned:
            break
    return trainings


def _outcome(trainings: Sequence[_Training]) -> Outcome:
    scores = [each.score for each in trainings]
    if not all(math.isfinite(score) for score in scores):
        return Outcome(FAILED, f"its score is {next(s for s in scores if not math.isfinite(s))}")
    pruned = trainings[-1].pruned
    return Outcome(
        status=PRUNED if pruned else COMPLETED,
        reason="worse than the median of the others" if pruned else "",
        score=statistics.fmean(scores),
        spread=statistics.stdev(scores) if len(scores) > 1 else None,
        scores=scores,
        parameters=trainings[0].parameters,
        macs=trainings[0].macs,
        epochs=statistics.fmean(len(each.curve) for each in trainings),
        best_epoch=statistics.fmean(each.trained.best_epoch for each in trainings),
        curve=trainings[0].curve,
    )


def _check_count(model: keras.Model, expected: int) -> int:
    """The number of parameters of a model; raises if it differs from the closed form."""
    parameters: int = model.count_params()
    if parameters != expected:
        raise ValueError(
            f"the model has {parameters:,} parameters, but was counted to have {expected:,}"
        )
    return parameters


def _start(trial_folder: Path, parent: Path | None) -> float:
    """Make the folder of a trial, and count how many times it was started.

    A trial that kills its process before an epoch ends, by using too much memory for example, would
    be started forever; after five starts from the same epoch it fails instead.

    Returns:
        The seconds that it was trained in earlier processes.
    """
    trial_folder.mkdir(parents=True, exist_ok=True)
    path = trial_folder / _BEGUN
    begun = _read_begun(path)
    if parent is not None and not any(trial_folder.glob("*.npz")):
        for checkpoint in sorted(parent.glob("*.npz")):  # starts from scratch if none
            with atomic.replacing(trial_folder / checkpoint.name) as temporary:
                shutil.copyfile(checkpoint, temporary)
    stamps = [_read_checkpoint(checkpoint) for checkpoint in trial_folder.glob("*.npz")]
    epochs, seconds = (sum(stamp[place] for stamp in stamps) for place in range(2))
    before = begun or {"epochs": -1, "times": 0, "of parent": seconds}
    times = before["times"] + 1 if before["epochs"] == epochs else 1
    write_json(path, {**before, "epochs": epochs, "times": times})
    if times > _ATTEMPTS:
        raise RuntimeError(
            f"its process ended {_ATTEMPTS} times before the next epoch was done, perhaps for "
            "want of memory"
        )
    return float(seconds - before.get("of parent", 0.0))


def _read_begun(path: Path) -> _Begun | None:
    """Read the counter of starts; None if there is none, or it is damaged."""
    try:
        record = read_json(path)
        schema.check(record, _Begun, path.name)
    except (FileNotFoundError, ValueError):
        return None
    return cast(_Begun, record)


def _read_checkpoint(checkpoint: Path) -> tuple[int, float]:
    """Epochs and seconds of a checkpoint; a damaged one is removed."""
    try:
        stamp = training.read_stamp(checkpoint)
    except training.Damaged:
        checkpoint.unlink()
        return 0, 0.0
    return int(stamp["epochs"]), float(stamp["seconds"])


def _reason(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "out of memory"
    text = " ".join(str(error).split())
    shortened = text if len(text) <= 300 else f"{text[:300]}..."
    return shortened if isinstance(error, ValueError) else f"{type(error).__name__}: {shortened}"


def _free_models() -> None:
    """Free the models of a trial, so that memory does not grow over many trials."""
    import keras

    keras.utils.clear_session()  # collects garbage too
    # Frameworks keep some objects of each model; frozen, they do not slow down later collections.
    gc.freeze()
