"""End of a search: train the best settings and the recipe's defaults, and compare them.

Both are trained on the training and validation part together, and scored once on the test part.
"""

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
from kerasseq.tuning.task import Data, Task, make_settings

__all__ = ["BEST", "DEFAULT", "best_of", "finish", "candidates"]

BEST, DEFAULT = "best", "default"  # names of folders; "default" is the name of a trial too


def best_of(ended: Sequence[Mapping[str, Any]], higher_is_better: bool) -> Mapping[str, Any] | None:
    """The first trial with the best score; None if no trial has a score."""
    scored = [event for event in ended if event["score"] is not None]
    sign = -1 if higher_is_better else 1
    return min(scored, key=lambda event: sign * event["score"], default=None)


def finish(task: Task, data: Data, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Train the best settings and the defaults on all but the test part, and score both on it.

    Args:
        task: the search.
        data: data of the search.
        rows: trials that have ended, with their settings, including the trial "default".

    Returns:
        The fields of the event "finished": `best`, the name of the best trial, and `gain`, the
        difference on the test part, or `test`, the score of the best alone.
    """
    default = next(row for row in rows if row["trial"] == DEFAULT)
    best = best_of(candidates(task, data, rows), task.recipe.higher_is_better)
    if best is None:
        return {"best": None}
    ended = [best] if best is default or default["score"] is None else [best, default]
    retrained = [_retrain(task, data, row, DEFAULT if row is not best else BEST) for row in ended]
    if len(retrained) < 2:
        return {"best": best["trial"], "test": _test_score(task.recipe, retrained[0])}
    return {"best": best["trial"], "gain": _gain(task, data, ended, retrained)}


def candidates(
    task: Task, data: Data, rows: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """The trials that may become the best: all of the search, and the default if it is valid."""
    return [row for row in rows if row["trial"] != DEFAULT or _is_valid(task, data, row)]


def _test_score(recipe: Recipe[Any, Any], run: Run) -> dict[str, Any]:
    """The headline metric of a run on the test part."""
    scored = run.metrics["test"]
    metric = next(name for name in (recipe.headline, *scored) if name in scored)
    return {"metric": metric, "best": scored[metric]}


def _is_valid(task: Task, data: Data, row: Mapping[str, Any]) -> bool:
    """Whether the settings of a trial are within the caller's budget and ranges."""
    settings = {**task.settings, **row["settings"]}
    if task.match_params is not None or not task.allows(settings):
        return False
    return task.budget(data).holds(settings)


def _retrain(task: Task, data: Data, row: Mapping[str, Any], where: str) -> Run:
    """Train the settings of a trial on the training and validation part, and save the run.

    A finished run in the folder is loaded instead, if it has the same settings and data.
    """
    recipe, settings = task.recipe, {**task.settings, **row["settings"]}
    recorded = {**task.recorded, **row["settings"], "final": "validation"}
    stamp = {"recipe": recipe.name, "settings": recorded, "data": task.data}
    folder = task.folder / where
    checkpoint = task.folder / f"{where}.npz"
    saved = _load_matching(recipe, folder, stamp)
    if saved is not None:
        checkpoint.unlink(missing_ok=True)  # left behind if the process was killed
        runs.tidy(folder)
        return saved
    epochs = max(1, round(row["best_epoch"]))
    parts, first = data.prepared(settings, test=True)
    _, prepared = data.prepared(settings, test=True, whole=True)
    resolved, reasons = recipe.resolve(prepared.data_info, make_settings(recipe, settings))
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


def _load_matching(recipe: Recipe[Any, Any], folder: Path, stamp: Mapping[str, Any]) -> Run | None:
    """The run in a folder; None if it has other settings or data, or is incomplete."""
    try:
        run = runs.load(folder)
    except (FileNotFoundError, ValueError):
        return None
    saved = {"recipe": run.recipe, "settings": run.settings, "data": run.data}
    same = recipe.settings_by_content(run.settings) == recipe.settings_by_content(stamp["settings"])
    return run if same and {**saved, "settings": stamp["settings"]} == stamp else None


def _calibration(task: Task, data: Data, row: Mapping[str, Any]) -> dict[str, Any]:
    """Calibrate on the validation part, with the model of the trial, not trained on it."""
    recipe = task.recipe
    if type(recipe).calibrate is Recipe.calibrate:
        return {}
    fold, seed = task.runs()[0]
    settings = {**task.settings, **row["settings"], "seed": seed}
    _, prepared = data.prepared(settings, fold)
    resolved, _ = recipe.resolve(prepared.data_info, make_settings(recipe, settings))
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
    task: Task, data: Data, rows: Sequence[Mapping[str, Any]], trained_runs: Sequence[Run]
) -> dict[str, Any]:
    """Compare the best run with the default run on the test part."""
    recipe, scores = task.recipe, []
    for row, run in zip(rows, trained_runs):
        settings = {**task.settings, **row["settings"]}
        _, prepared = data.prepared(settings, test=True, whole=True)
        resolved, _ = recipe.resolve(prepared.data_info, make_settings(recipe, settings))
        assert prepared.test is not None
        predictions = recipe.predictions(run.model, prepared.test, run.state, resolved)
        scores.append(recipe.score(predictions, prepared.test.targets, resolved))
    best, default = scores
    names = [recipe.headline, *best.values]
    metric = next(n for n in names if n in best.values and n in default.values)
    comparison = metrics.compare(best, default, metric, higher_is_better=recipe.higher_is_better)
    return {
        "metric": metric,
        "best": best.values[metric],
        "default": default.values[metric],
        "difference": comparison.difference,
        "low": comparison.low if comparison.certain else None,
        "high": comparison.high if comparison.certain else None,
        "outcome": comparison.outcome,
    }
