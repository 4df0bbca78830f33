"""Statistical models beside the forecasting recipe: `python -m benchmarks.rivals --python PYTHON`.

AutoTheta, AutoETS, AutoARIMA and MSTL of statsforecast forecast the windows of the small tasks of
`benchmarks.forecasting`. PYTHON is an interpreter with the requirements in `rivals.txt`; without
it, the table of the rows that are there is printed.
"""

from __future__ import annotations

import argparse
import functools
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from benchmarks import forecasting, rows

MODELS = ("AutoTheta", "AutoETS", "AutoARIMA", "MSTL")


def runs(only: Sequence[str], models: Sequence[str], python: str) -> Iterator[rows.Row]:
    """The rows, measured where they are not there yet."""
    for name in only:
        for model in models:
            measure = functools.partial(_measured, forecasting.SMALL[name], model, python)
            yield rows.measured("rivals", _setting(forecasting.SMALL[name], model), measure)


def table(measured: Sequence[rows.Row]) -> str:
    """Errors and seconds beside kerasseq's, as Markdown."""
    by_setting = {json.dumps(row["setting"]): row["result"] for row in measured}
    ours = rows.load("forecasting")
    lines = []
    for task in forecasting.SMALL.values():
        results = [by_setting.get(json.dumps(_setting(task, model))) for model in MODELS]
        if any(results):
            cells = [_cell([result] if result else [], task.metric) for result in results]
            lines.append(
                [task.title, _cell(forecasting.results_of(ours, task), task.metric), *cells]
            )
    return rows.markdown(["data, MAE", "kerasseq", *MODELS], lines)


def _cell(results: Sequence[dict[str, Any]], metric: str) -> str:
    """The mean error, with the share that the interval covers and the mean seconds."""
    if not results:
        return ""
    error, covered = (mean(r["test"][name] for r in results) for name in (metric, "coverage"))
    seconds = mean(result["seconds"] for result in results)
    return f"{error:.4g} ({covered:.0%}, {seconds:,.1f} s)"


def _setting(task: forecasting.Task, model: str) -> rows.Row:
    return {**forecasting.setting_of(task), "model": model}


def _measured(task: forecasting.Task, model: str, python: str) -> dict[str, Any]:
    import kerasseq
    from kerasseq.evaluation.forecast_metrics import Forecasts
    from kerasseq.recipes.forecasting import ForecastingSettings

    recipe = kerasseq.forecasting.task
    settings = ForecastingSettings(**task.settings)
    test, fitted = _windows(recipe, settings, forecasting.panel(task.data), task.origins)
    truth = test.targets
    point, low, high, result = _forecasts(truth, fitted, model, python)
    forecasts = Forecasts(point, {0.1: low, 0.5: point, 0.9: high})
    score = recipe.score(forecasts, truth, settings)
    return {"test": score.values, "interval": score.interval(), "windows": len(test), **result}


def _windows(recipe: Any, settings: Any, panel: Any, origins: int) -> tuple[Any, np.ndarray]:
    """The windows on which the recipe is scored, and the rows before the test part."""
    from kerasseq.data.series.reader import SeriesReader
    from kerasseq.tasks import perform

    parts, prepared = perform.prepare(recipe, panel, settings)
    test: Any = prepared.test
    held_out: Any = parts.test
    before = np.array([len(values) for values in held_out.before])
    reader = SeriesReader.from_state(prepared.state["reader"])
    if origins:  # a backtest
        last = panel.lengths - reader.horizon
        first = last - reader.horizon * (origins - 1)
        return reader.examples(
            panel, first, stride=reader.horizon, insample=held_out.before
        ), before
    stride = test.windows.stride
    return reader.examples(panel, before, stride=stride, insample=held_out.before), before


def _forecasts(
    truth: Any, fitted: np.ndarray, model: str, python: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
    """Means, both ends of the interval, and the seconds, of one model."""
    panel = truth.panel
    with tempfile.TemporaryDirectory() as folder:
        windows, forecasts = (Path(folder) / name for name in ("windows.npz", "forecasts.npz"))
        np.savez(
            windows,
            values=np.concatenate(panel.targets)[:, 0],
            lengths=panel.lengths,
            fitted=fitted,
            series=truth.series,
            origins=truth.origins,
            horizon=truth.values.shape[1],
            season=panel.season,
        )
        script = Path(__file__).with_name("statistical_models.py")
        command = [python, str(script), str(windows), model, str(forecasts)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        with np.load(forecasts, allow_pickle=False) as file:
            point, low, high = (file[name][..., None] for name in ("mean", "low", "high"))
    return point, low, high, dict(json.loads(done.stdout.splitlines()[-1]))


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--only", nargs="+", choices=forecasting.SMALL, metavar="NAME")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=MODELS)
    parser.add_argument("--python", help="an interpreter with statsforecast")
    options = parser.parse_args(argv)
    if options.python:
        only = options.only or list(forecasting.SMALL)
        for row in runs(only, options.models, options.python):
            print(f"{row['setting']}: {row['result']['test']}", file=sys.stderr, flush=True)
    print(table(rows.load("rivals")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
