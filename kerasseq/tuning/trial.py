"""One trial: trained and scored on each fold and seed, from its checkpoints where it was begun."""

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
from kerasseq.tuning.task import Data, Task, typed

if TYPE_CHECKING:
    import keras

    from kerasseq.evaluation.metrics import Score
    from kerasseq.tasks.base import Task as Recipe
    from kerasseq.training import FitResult

__all__ = ["COMPLETED", "FAILED", "PRUNED", "Outcome", "folder", "headline", "run"]

COMPLETED, PRUNED, FAILED = "completed", "pruned", "failed"
_ATTEMPTS = 5  # of a trial from one epoch on, each of which ended its process
_BEGUN = "begun.json"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


@dataclass(frozen=True)
class Outcome:
    """What came of a trial, as JSON values.

    Args:
        status: completed, pruned or failed.
        reason: of what was not completed.
        score: the recipe's headline on the validation part, the mean over folds and seeds.
        spread: the standard deviation over them; None for one.
        scores: of each of them.
        parameters: of the model.
        macs: its multiply-accumulates for one row.
        epochs: that it was trained, the mean.
        best_epoch: the one that was kept, the mean.
        seconds: that it took in all.
        curve: what decides which epoch is best, after each epoch of the first training.
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
        """As JSON values."""
        return asdict(self)


# How often a process has begun a trial, since it had so many epochs.
_Begun = TypedDict("_Begun", {"epochs": int, "times": int, "of parent": NotRequired[float]})


@dataclass
class _One:
    """One training of a trial."""

    score: float
    parameters: int
    macs: int
    trained: FitResult
    curve: list[float]
    pruned: bool


def folder(task: Task, name: str) -> Path:
    """Where a trial has its checkpoints."""
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
    """Run a trial, or go on with it; what goes wrong in it is its outcome.

    Args:
        task: the search.
        data: its data.
        name: of the trial.
        settings: of the trial.
        epochs: to stop after; those of the settings where it is not given.
        parent: the trial that this one goes on from.
        curves: of the trials that have ended, to prune by.

    Raises:
        OSError: if its folder cannot be written.
        ValueError: if a checkpoint is larger than memory is meant for.
    """
    started, before = time.perf_counter(), 0.0
    own = folder(task, name)
    try:
        before = _begin(own, None if parent is None else folder(task, parent))
        task.recipe.recorded(typed(task.recipe, settings))  # which refuses what cannot be
        outcome = _outcome(_all(task, data, own, settings, epochs, curves))
    except KeyboardInterrupt:
        begun = _read_begun(own / _BEGUN)
        if begun is not None:  # it is no fault of the trial
            write_json(own / _BEGUN, {**begun, "times": 0})
        raise
    except TooLarge:  # a checkpoint that the limit of this machine does not let in
        raise
    except Exception as error:  # whatever it is, the next trial may do without
        if _unwritable(error, task.folder):
            raise
        outcome = Outcome(FAILED, _reason(error))
    finally:
        seconds = round(before + time.perf_counter() - started, 2)
        _clear()
    return replace(outcome, seconds=seconds)


def _unwritable(error: Exception, folder: Path) -> bool:
    """Whether it is for the disk of a folder that something was not done."""
    if not isinstance(error, OSError):
        return False
    names = [name for name in (error.filename, error.filename2) if isinstance(name, str)]
    inside = any(folder.absolute() in Path(name).absolute().parents for name in names)
    return inside or error.errno in _FULL


def headline(recipe: Recipe[Any, Any], score: Score) -> float:
    """The value that trials are compared by: the recipe's headline, or the first one there is."""
    named = [recipe.headline, *score.values]
    return float(next(score.values[name] for name in named if name in score.values))


def _all(
    task: Task,
    data: Data,
    own: Path,
    settings: Settings,
    epochs: int | None,
    curves: Sequence[Sequence[float]],
) -> list[_One]:
    runs = task.runs()
    found: list[_One] = []
    for place, (fold, seed) in enumerate(runs):
        rules = [] if epochs is None else [pruning.epochs(epochs)]
        _, prepared = data.prepared(settings, fold)
        own_settings = typed(task.recipe, {**settings, "seed": seed})
        resolved, _ = task.recipe.resolve(prepared.data_info, own_settings)
        monitor = task.recipe.objective(prepared.data_info, resolved).monitor
        median = pruning.Median(
            curves if task.prune and not place else (), monitor, training.sign(monitor)
        )
        one = perform.train(
            task.recipe,
            prepared,
            resolved,
            checkpoint=own / f"{place}.npz",
            stop_rule=pruning.any_of([*rules, median]),
            seconds=None if task.seconds is None else task.seconds / len(runs),
            quiet=True,
        )
        trained = one.trained
        # The figure by which a trial is within the budget, or else that of a row it learns from.
        limited = task.max_macs is not None
        macs = data.macs(settings) if limited else task.recipe.macs(prepared.data_info, resolved)
        parameters = _counted(one.model, task.recipe.count(prepared.data_info, resolved))
        assert prepared.test is not None  # which is the validation part
        # A calibration is fitted on the validation part: scores on that part go without.
        said = task.recipe.predictions(one.model, prepared.test, prepared.state, resolved)
        score = task.recipe.score(said, prepared.test.targets, resolved)
        curve = trained.history[monitor]
        over = len(curve) >= settings["epochs"]
        over |= len(curve) - trained.best_epoch >= settings["patience"]
        pruned = not over and median(trained.history)
        found.append(_One(headline(task.recipe, score), parameters, macs, trained, curve, pruned))
        if pruned:
            break
    return found


def _outcome(found: Sequence[_One]) -> Outcome:
    scores = [one.score for one in found]
    if not all(math.isfinite(score) for score in scores):
        return Outcome(FAILED, f"its score is {next(s for s in scores if not math.isfinite(s))}")
    pruned = found[-1].pruned
    return Outcome(
        status=PRUNED if pruned else COMPLETED,
        reason="worse than the median of the others" if pruned else "",
        score=statistics.fmean(scores),
        spread=statistics.stdev(scores) if len(scores) > 1 else None,
        scores=scores,
        parameters=found[0].parameters,
        macs=found[0].macs,
        epochs=statistics.fmean(len(one.curve) for one in found),
        best_epoch=statistics.fmean(one.trained.best_epoch for one in found),
        curve=found[0].curve,
    )


def _counted(model: keras.Model, told: int) -> int:
    """The parameters of a model, which must be those of its closed form."""
    built: int = model.count_params()
    if built != told:
        raise ValueError(f"the model has {built:,} parameters, but was counted to have {told:,}")
    return built


def _begin(own: Path, parent: Path | None) -> float:
    """Make the folder of a trial, and see that the trial does not end its process for ever.

    Returns:
        The seconds that it has trained before, in processes that were ended.
    """
    own.mkdir(parents=True, exist_ok=True)
    path = own / _BEGUN
    begun = _read_begun(path)
    if parent is not None and not any(own.glob("*.npz")):
        for checkpoint in sorted(parent.glob("*.npz")):  # without them it trains from the start
            with atomic.replacing(own / checkpoint.name) as temporary:
                shutil.copyfile(checkpoint, temporary)
    held = [_held(checkpoint) for checkpoint in own.glob("*.npz")]
    epochs, seconds = (sum(own[place] for own in held) for place in range(2))
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
    """What a trial wrote when it was begun before; None where it was not, or that is damaged."""
    try:
        found = read_json(path)
        schema.check(found, _Begun, path.name)
    except (FileNotFoundError, ValueError):
        return None
    return cast(_Begun, found)


def _held(checkpoint: Path) -> tuple[int, float]:
    """How many epochs and seconds a checkpoint holds; one that cannot be read is removed."""
    try:
        stamp = training.read_stamp(checkpoint)
    except training.Damaged:
        checkpoint.unlink()
        return 0, 0.0
    return int(stamp["epochs"]), float(stamp["seconds"])


def _reason(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "out of memory"
    told = " ".join(str(error).split())
    shown = told if len(told) <= 300 else f"{told[:300]}..."
    return shown if isinstance(error, ValueError) else f"{type(error).__name__}: {shown}"


def _clear() -> None:
    """Forget the models of a trial, so that a search of many does not grow."""
    import keras

    keras.utils.clear_session()  # which collects garbage too
    # Frameworks keep some of each model: the next collection is not to look at all of it again.
    gc.freeze()
