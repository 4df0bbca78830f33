"""The end of a search: its best setting and the recipe's own, trained on all but the test part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from kerasseq import runs
from kerasseq.evaluation import metrics
from kerasseq.runs import Run
from kerasseq.tasks import perform
from kerasseq.tasks.base import Task as Recipe
from kerasseq.tuning import pruning
from kerasseq.tuning import trial as trials
from kerasseq.tuning.task import Data, Task, typed

__all__ = ["BEST", "DEFAULT", "best_of", "finish", "rivals"]

BEST, DEFAULT = "best", "default"  # folders, and the latter is a trial too


def best_of(ended: Sequence[Mapping[str, Any]], higher_is_better: bool) -> Mapping[str, Any] | None:
    """The trial with the best score, the first of those that have it; None if none has any."""
    scored = [event for event in ended if event["score"] is not None]
    sign = -1 if higher_is_better else 1
    return min(scored, key=lambda event: sign * event["score"], default=None)


def finish(task: Task, data: Data, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Train the best setting and the default one on all but the test part, and score both on it.

    Args:
        task: the search.
        data: its data.
        rows: the trials that have ended, with their settings; the default one among them.

    Returns:
        Which trial was best, what tuning gained on the test part, and in words.
    """
    default = next(row for row in rows if row["trial"] == DEFAULT)
    best = best_of(rivals(task, data, rows), task.recipe.higher_is_better)
    if best is None:
        return {"best": None}
    ended = [best] if best is default or default["score"] is None else [best, default]
    found = [_retrained(task, data, row, DEFAULT if row is not best else BEST) for row in ended]
    if len(found) < 2:
        return {"best": best["trial"], "test": _tested(task.recipe, found[0])}
    return {"best": best["trial"], "gain": _gain(task, data, ended, found)}


def rivals(task: Task, data: Data, rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The trials of which the best one is to be: all, and the default one where it is allowed."""
    return [row for row in rows if row["trial"] != DEFAULT or _within(task, data, row)]


def _tested(recipe: Recipe[Any, Any], run: Run) -> dict[str, Any]:
    """The headline of a run on the test part."""
    scored = run.metrics["test"]
    metric = next(name for name in (recipe.headline, *scored) if name in scored)
    return {"metric": metric, "best": scored[metric]}


def _within(task: Task, data: Data, row: Mapping[str, Any]) -> bool:
    """Whether a trial is one that the caller has asked for: by its size, and by the ranges."""
    settings = {**task.settings, **row["settings"]}
    if task.match_params is not None or not task.allows(settings):
        return False
    return task.budget(data).holds(settings)


def _retrained(task: Task, data: Data, row: Mapping[str, Any], where: str) -> Run:
    """The setting of a trial, trained on the training and validation part, as a run."""
    recipe, settings = task.recipe, {**task.settings, **row["settings"]}
    recorded = {**task.recorded, **row["settings"], "final": "validation"}
    stamp = {"recipe": recipe.name, "settings": recorded, "data": task.data}
    folder = task.folder / where
    checkpoint = task.folder / f"{where}.npz"
    saved = _saved(recipe, folder, stamp)
    if saved is not None:
        checkpoint.unlink(missing_ok=True)  # after a kill
        runs.tidy(folder)
        return saved
    epochs = max(1, round(row["best_epoch"]))
    parts, first = data.prepared(settings, test=True)
    _, prepared = data.prepared(settings, test=True, whole=True)
    resolved, reasons = recipe.resolve(prepared.data_info, typed(recipe, settings))
    model = perform.train(
        recipe,
        prepared,
        resolved,
        checkpoint=checkpoint,
        stamp=stamp,
        stop_rule=pruning.epochs(epochs),
        refit=True,
        quiet=True,
    )
    model = replace(model, state={**model.state, **_calibration(task, data, row)})
    run: Run = recipe.run(
        recipe=recipe.name,
        settings=recorded,
        model=model.model,
        state=model.state,
        metrics=perform.evaluate(recipe, model, parts, prepared, resolved, baseline_data=first),
        history=model.trained.history,
        notes=[
            *parts.notes,
            *reasons,
            *prepared.notes,
            f"trained on the training and validation part together, {epochs} epochs: as many as "
            f"were best for trial {row['trial']} of a search",
        ],
        data=task.data,
        task=recipe,
    )
    run.save(folder, overwrite=True)
    checkpoint.unlink(missing_ok=True)
    return run


def _saved(recipe: Recipe[Any, Any], folder: Path, stamp: Mapping[str, Any]) -> Run | None:
    """The run in a folder, if it is that very run, and whole."""
    try:
        run = runs.load(folder)
    except (FileNotFoundError, ValueError):
        return None
    there = {"recipe": run.recipe, "settings": run.settings, "data": run.data}
    alike = recipe.by_content(run.settings) == recipe.by_content(stamp["settings"])
    return run if alike and {**there, "settings": stamp["settings"]} == stamp else None


def _calibration(task: Task, data: Data, row: Mapping[str, Any]) -> dict[str, Any]:
    """The calibration on the validation part: by the model of the trial, which did not see it."""
    recipe = task.recipe
    if type(recipe).calibrate is Recipe.calibrate:
        return {}
    fold, seed = task.runs()[0]
    settings = {**task.settings, **row["settings"], "seed": seed}
    _, prepared = data.prepared(settings, fold)
    resolved, _ = recipe.resolve(prepared.data_info, typed(recipe, settings))
    model = perform.train(
        recipe,
        prepared,
        resolved,
        checkpoint=trials.folder(task, row["trial"]) / "0.npz",
        stop_rule=pruning.epochs(len(row["curve"])),
        quiet=True,
    )
    return perform.calibrate(recipe, model, prepared, resolved).calibration


def _gain(
    task: Task, data: Data, rows: Sequence[Mapping[str, Any]], found: Sequence[Run]
) -> dict[str, Any]:
    """How much better the best run is than the default one, on the test part."""
    recipe, scores = task.recipe, []
    for row, run in zip(rows, found):
        settings = {**task.settings, **row["settings"]}
        _, prepared = data.prepared(settings, test=True, whole=True)
        resolved, _ = recipe.resolve(prepared.data_info, typed(recipe, settings))
        assert prepared.test is not None
        said = recipe.predictions(run.model, prepared.test, run.state, resolved)
        scores.append(recipe.score(said, prepared.test.targets, resolved))
    best, default = scores
    named = [recipe.headline, *best.values]
    metric = next(n for n in named if n in best.values and n in default.values)
    compared = metrics.compare(best, default, metric, higher_is_better=recipe.higher_is_better)
    return {
        "metric": metric,
        "best": best.values[metric],
        "default": default.values[metric],
        "difference": compared.difference,
        "low": compared.low if compared.certain else None,
        "high": compared.high if compared.certain else None,
        "outcome": compared.outcome,
    }
