"""The loss in score of a run whose model is quantized."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from kerasseq.formatting import numbers
from kerasseq.io.digest import digest
from kerasseq.settings import restrict_to

if TYPE_CHECKING:
    from kerasseq.runs.run import Run

__all__ = ["describe", "measure", "unchanged"]


def unchanged(quantize: str) -> dict[str, Any]:
    """What the manifest tells where the converter has quantized nothing.

    Args:
        quantize: type of the weights that was asked for.
    """
    from kerasseq.interop.litert.weights import UNCHANGED

    return {"weights": "float32", "reason": f"quantize={quantize!r} changed nothing: {UNCHANGED}"}


def measure(
    run: Run, model: Any, quantize: str, data: Any = None, kind: str = ""
) -> dict[str, Any]:
    """Score the model of a run and its quantized file on the same rows.

    Args:
        run: the run.
        model: predicts in place of the run's model, with quantized weights; None if nothing does.
        quantize: type of its weights.
        data: rows with known targets, as `Run.evaluate` takes them. By default the validation part
            of the recipe's data, if the run was trained on it: a run does not keep other data.
        kind: which runs of the recipe have no such model, if others do: "with ...".

    Returns:
        `weights`, `data`, `rows`, and the scores `float32` and `quantized`; without rows, `weights`
        and a `reason`.
    """
    if model is None:
        runs = f"{run.recipe} {kind}".rstrip()
        if data is not None:
            raise ValueError(
                f"`data`: the quantized models of a run of {runs} are not scored; leave it out."
            )
        return {"weights": quantize, "reason": f"models of {runs} are not scored"}
    quantized = dataclasses.replace(run, model=model)
    if data is not None:
        scores = [each.evaluate(data) for each in (run, quantized)]
        rows = {"data": "passed", "rows": scores[0]["rows"]}
        before, after = (each["test"] for each in scores)
        return {"weights": quantize, **rows, "float32": before, "quantized": after}
    examples = _validation(run)
    if examples is None:
        return {"weights": quantize, "reason": "a run keeps no rows; pass some as `data`"}
    before, after = (
        run.task.score(
            run.task.predictions(each.model, examples, run.state, run.resolved),
            examples.targets,
            run.resolved,
        ).values
        for each in (run, quantized)
    )
    rows = {"data": "validation", "rows": len(examples)}
    return {"weights": quantize, **rows, "float32": before, "quantized": after}


def describe(measured: dict[str, Any], headline: str) -> str:
    """One line that tells the loss.

    Args:
        measured: the result of `measure`.
        headline: the metric to tell.

    Example:

    >>> scores = {"float32": {"accuracy": 0.9}, "quantized": {"accuracy": 0.89}}
    >>> describe({"weights": "int8", "data": "passed", "rows": 100, **scores}, "accuracy")
    'int8 weights: accuracy 0.890 in place of 0.900, on 100 rows (passed)'
    """
    weights = f"{measured['weights']} weights"
    if "reason" in measured:
        return f"{weights}: the loss in score is not known ({measured['reason']})"
    after, before = (numbers.score(measured[name][headline]) for name in ("quantized", "float32"))
    rows = f"{measured['rows']:,} rows ({measured['data']})"
    return f"{weights}: {headline} {after} in place of {before}, on {rows}"


def _validation(run: Run) -> Any:
    """The validation part of the data that the recipe takes by default; None for other data.

    The preprocessing is fitted anew, and has to be that of the run.
    """
    settings = run.task.load_settings(run.settings)
    if run.task.separate_parts(settings):
        return None
    try:
        source = run.task.load(settings.data, settings)
    except (ValueError, TypeError):  # the settings of other data: the name of a column, say
        return None
    if digest(source) != run.data:
        return None
    visible = restrict_to(settings, "split", "prepare")
    parts = run.task.split(source, visible, test=settings.final != "all", learn=settings.final)
    prepared = run.task.prepare(parts, visible)
    fitted = {name: value for name, value in prepared.state.items() if name != "data_info"}
    same = all(
        name in run.state and digest(fitted[name]) == digest(run.state[name]) for name in fitted
    )
    return prepared.validation if same else None
