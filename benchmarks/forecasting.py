"""The forecasting recipe on public data: `python -m benchmarks.forecasting [--only NAME ...]`.

`--data small` measures default settings on short series. Each data set, horizon and seed is a run
of the recipe, and a row. ETTh1 follows the protocol of the published figures: standardised by the
training rows, every window of the test part, all variables.
"""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Any

import numpy as np

from benchmarks import rows

WEATHER = ("DEWP", "TEMP", "PRES", "cbwd", "Iws", "Is", "Ir")
ETT_ROWS = 14_400  # what comes after them is not used
ETT = {
    "lookback": 336,
    "model": "segment",
    "segment": 24,
    "output": "point",
    "loss": "mse",
    "units": 128,
    "linear": True,
    "dropout": 0.5,
    "normalization": "last",
    "scaling": "standard",
    "calendar": False,
    "batch_size": 128,
    "learning_rate": 1e-3,
    "schedule": "cosine",
    "epochs": 8,
    "patience": 3,
    "validation": 2880,
    "test": 2880,
}
#: MSE of NLinear and of SegRNN (lookback 96), as their papers have them (arXiv 2205.13504,
#: 2308.11200).
PUBLISHED = {96: (0.374, 0.368), 192: (0.408, 0.408), 336: (0.429, 0.444), 720: (0.440, 0.446)}
#: MSE of SegRNN with a lookback of 720, from the same paper.
SEGRNN_720 = {96: 0.351, 192: 0.392, 336: 0.423, 720: 0.466}


@dataclass(frozen=True)
class Task:
    """Data and settings of a forecasting benchmark.

    Args:
        title: of the data, as the table has it.
        data: what reads it.
        settings: arguments of the recipe.
        metric: what the table shows first.
        seeds: how many.
        origins: scores are those of a backtest from so many origins; 0 for all test windows.
    """

    title: str
    data: str
    settings: dict[str, Any]
    metric: str = "mae"
    seeds: int = 3
    origins: int = 0


def _ett(horizon: int) -> Task:
    nlinear, segrnn = PUBLISHED[horizon]
    title = f"ETTh1, {horizon} h (published: NLinear {nlinear:.3f}, SegRNN {segrnn:.3f})"
    return Task(title, "ett", {**ETT, "horizon": horizon}, "mse")


AIR = {"test": 36}
TASKS = {
    **{f"etth1-{horizon}": _ett(horizon) for horizon in PUBLISHED},
    **{
        f"etth1-direct-{horizon}": Task(
            f"ETTh1, {horizon} h, direct",
            "ett",
            {**ETT, "model": "direct", "lookback": 96, "linear": None, "horizon": horizon},
            "mse",
            seeds=1,
        )
        for horizon in (96, 720)
    },
    "m4-hourly": Task(
        "M4 hourly, 48 h",
        "m4",
        {
            "horizon": 48,
            "lookback": 168,
            "validation": 96,
            "test": 48,
            "epochs": 12,
            "schedule": "cosine",
        },
        "smape",
    ),
    "pm25": Task("Beijing PM2.5, 24 h, weather", "pm25", {"horizon": 24, "lookback": 72}),
    "pm25-alone": Task("Beijing PM2.5, 24 h, alone", "pm25-alone", {"horizon": 24, "lookback": 72}),
    "air-passengers": Task(
        "AirPassengers, 36 months",
        "air",
        {
            "horizon": 36,
            "lookback": 12,
            "validation": 36,
            "test": 36,
            "scaling": "standard",
            "units": 32,
            "batch_size": 8,
            "learning_rate": 3e-3,
            "epochs": 100,
            "patience": 15,
        },
        "mase",
    ),
}


#: Short series with default settings; the settings here say what to forecast.
SMALL = {
    "small-air-12": Task(
        "AirPassengers, 12 months, 3 origins", "air", AIR | {"horizon": 12}, origins=3
    ),
    "small-air-36": Task("AirPassengers, 36 months, one origin", "air", {**AIR, "horizon": 36}),
    "small-sunspots": Task("Sunspots, 12 months", "sunspots", {"horizon": 12}),
    "small-temperatures": Task(
        "Daily minimum temperatures, 28 days", "temperatures", {"horizon": 28}
    ),
    "small-aep": Task("AEP load, weekly means, 52 weeks", "aep-weekly", {"horizon": 52}),
}
EVERY = {**TASKS, **SMALL}


def runs(only: Sequence[str], seeds: int | None = None) -> Iterator[tuple[str, rows.Row]]:
    """The rows of tasks, measured where they are not there yet."""
    for name in only:
        task = EVERY[name]
        for seed in range(seeds or task.seeds):
            measure = functools.partial(_measured, task, seed)
            yield name, rows.measured("forecasting", setting_of(task), measure, seed=seed)


def table(measured: Sequence[rows.Row], part: str | None = None) -> str:
    """The results beside the best baseline, as Markdown.

    Args:
        measured: the rows.
        part: the beginning of the names of the tasks to show; by default all but the small ones.
    """
    header = ["data", "metric", "kerasseq", "best baseline", "80% covers", "lookback"]
    header += ["parameters", "minutes"]
    if part == "small":
        header[5:5] = ["uncalibrated", "origins"]
    lines, horizons = [], []
    for name, task in EVERY.items():
        results = results_of(measured, task)
        if results and (name.startswith(part) if part else name in TASKS):
            lines.append(_line(task, results, part == "small"))
            if task in map(_ett, PUBLISHED):
                horizons.append(mean(result["test"]["mse"] for result in results))
                if len(horizons) == len(PUBLISHED):
                    lines.append(
                        ["ETTh1, mean of the four", "MSE", f"{mean(horizons):.3f}", *[""] * 5]
                    )
    return rows.markdown(header, lines)


def headline(measured: Sequence[rows.Row]) -> list[str]:
    """The line of the recipe in the table of all recipes: ETTh1, the mean of its horizons."""
    each = [results_of(measured, _ett(horizon)) for horizon in PUBLISHED]
    ours = mean(mean(result["test"]["mse"] for result in results) for results in each)
    best = mean(results[0]["baselines"]["nlinear"]["mse"] for results in each)
    nlinear, segrnn = map(mean, zip(*PUBLISHED.values()))
    published = f"NLinear {nlinear:.3f}, SegRNN {segrnn:.3f} ({mean(SEGRNN_720.values()):.3f}"
    return [
        "series to forecasts with intervals (many to one, many to many)",
        "ETTh1, mean of 4 horizons",
        "MSE, lower is better",
        f"{ours:.3f}",
        f"{best:.3f} (NLinear by ridge regression)",
        f"{published} with a lookback of 720)",
    ]


def results_of(measured: Sequence[rows.Row], task: Task) -> list[dict[str, Any]]:
    setting = setting_of(task)
    return [row["result"] for row in measured if row["setting"] == setting]


def _line(task: Task, results: Sequence[dict[str, Any]], small: bool) -> list[str]:
    metric = task.metric
    ours = [result["test"][metric] for result in results]
    spread = f" ± {stdev(ours):.3f}" if len(ours) > 1 else ""
    rivals = results[0]["baselines"]
    best = min(rivals, key=lambda rival: rivals[rival][metric])
    covered = [f"{mean(result['test']['coverage'] for result in results):.0%}"]
    if small:  # coverage is over all windows, errors may be over a few origins
        shares = ("calibrated", "uncalibrated")
        covers = [result["covers"] for result in results]
        covered = [f"{mean(each[share] for each in covers):.0%}" for share in shares]
        covered.append(f"{covers[0]['origins']:,}")
    return [
        task.title,
        {"mse": "MSE", "mae": "MAE", "smape": "sMAPE", "mase": "MASE"}[metric],
        f"{mean(ours):.3f}{spread}",
        f"{rivals[best][metric]:.3f} ({best})",
        *covered,
        f"{results[0]['lookback']:,}",
        f"{results[0]['parameters']:,}",
        f"{mean(result['seconds'] for result in results) / 60:.1f}",
    ]


def setting_of(task: Task) -> rows.Row:
    origins = {"origins": task.origins} if task.origins else {}
    return {"data": task.data, **task.settings, **origins}


def _measured(task: Task, seed: int) -> dict[str, Any]:
    import kerasseq

    # A refit on all rows would change no score, and train twice.
    run = kerasseq.forecasting(panel(task.data), seed=seed, final="train", **task.settings)
    run.summary()
    result = {name: run.metrics[name] for name in ("test", "interval", "baselines", "verdict")}
    more = {name: run.metrics[name] for name in ("parameters", "seconds", "rows", "epochs")}
    result = {**result, **more, "lookback": run.state["data_info"]["lookback"]}
    if task in SMALL.values():
        result["covers"] = _covers(run)
    if task.origins:
        backtest = run.backtest(folds=task.origins)
        result |= {name: backtest.metrics[name] for name in ("test", "baselines", "verdict")}
    if task.metric == "mse":
        result = _in_standard_units(run, result)
    return result


def _covers(run: Any) -> dict[str, Any]:
    """Shares of values within 80% intervals, over all windows, with and without calibration."""
    from kerasseq.tasks import perform

    prepared: Any
    _, prepared = perform.prepare(run.task, run.source, run.resolved)
    state = {**run.state, "calibration": None}
    plain = run.task.predictions(run.model, prepared.test, state, run.resolved)
    score = run.task.score(plain, prepared.test.targets, run.resolved)
    return {
        "calibrated": run.metrics["test"]["coverage"],
        "uncalibrated": score.values["coverage"],
        "origins": len(prepared.test),
    }


def _in_standard_units(run: Any, result: dict[str, Any]) -> dict[str, Any]:
    """With MSE and MAE as papers have them: of all windows, in standardised units."""
    from kerasseq import training
    from kerasseq.tasks import perform
    from kerasseq.tasks.forecasting.baselines import standard

    parts: Any
    prepared: Any
    parts, prepared = perform.prepare(run.task, run.source, run.resolved)
    reader = run.task.reader(run.state)
    test = reader.examples(parts.test.panel, parts.test.first, stride=1)
    truth = test.scaled_targets
    baselines = {
        name: _errors(baseline.fit(prepared.train, prepared.validation).predict(test).point, truth)
        for name, baseline in standard(run.state["data_info"]["season"]).items()
    }
    ours = _errors(training.outputs(run.model, test), truth)
    return {
        **result,
        "windows": len(test),
        "test": {**result["test"], **ours},
        "baselines": baselines,
    }


def _errors(forecast: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    apart = forecast - truth
    return {"mse": float(np.mean(apart**2)), "mae": float(np.mean(np.abs(apart)))}


def panel(data: str) -> Any:
    from kerasseq.data.series.new_rows import append_rows
    from kerasseq.data.series.read import read_series

    folder = rows.data_folder()
    if data == "ett":
        return read_series(folder / "ett" / "ETTh1.csv").cut([0], [ETT_ROWS])
    if data == "m4":
        known = read_series(folder / "m4" / "Hourly-train.csv", season=24)
        later = read_series(folder / "m4" / "Hourly-test.csv", encoding=known.encoding)
        return append_rows(known, later)
    if data == "air":
        return read_series(folder / "series" / "airline-passengers.csv")
    if data == "sunspots":
        return read_series(folder / "series" / "monthly-sunspots.csv")
    if data == "temperatures":
        return read_series(folder / "series" / "daily-min-temperatures.csv", fill="linear")
    if data == "aep-weekly":
        return read_series(folder / "series" / "AEP_hourly.csv", resample="W")
    past = () if data == "pm25-alone" else WEATHER
    return read_series(folder / "series" / "pollution.csv", target="pm2.5", past=past)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--only", nargs="+", choices=EVERY, metavar="NAME")
    parser.add_argument("--data", choices=("public", "small"), default="public")
    parser.add_argument("--seeds", type=int, help="how many, from 0 on")
    options = parser.parse_args(argv)
    small = options.data == "small"
    only = options.only or list(SMALL if small else TASKS)
    for name, row in runs(only, options.seeds):
        print(f"{name}, seed {row['seed']}: {row['result']['verdict']}", file=sys.stderr)
    print(table(rows.load("forecasting"), "small" if small else None))
    return 0


if __name__ == "__main__":
    sys.exit(main())
