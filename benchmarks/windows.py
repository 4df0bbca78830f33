"""Windows per second, against those of Keras: `python -m benchmarks.windows`.

Both give shuffled batches of windows and the step after each, as tensors, from the same array. Each
contender is measured in processes of its own, in turns. And the memory that the forecasting recipe
takes to train on the longest of these arrays.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from benchmarks import rows, targets

OURS, THEIRS, TRAINED = "kerasseq", "keras", "recipe"
SETTINGS = [
    {"rows": 17_420, "columns": 7, "lookback": 96, "batch": 32},
    {"rows": 17_420, "columns": 7, "lookback": 336, "batch": 32},
    {"rows": 17_420, "columns": 7, "lookback": 720, "batch": 64},
    {"rows": 10_000_000, "columns": 8, "lookback": 512, "batch": 256},
]
SECONDS = 3.0  # for which batches are counted
#: A run of the recipe over all rows, with a window to learn from at every so many of them.
TRAINING = {"rows": 10_000_000, "columns": 8, "lookback": 512, "horizon": 24, "stride": 2000}


def measure(setting: rows.Row, rounds: int) -> rows.Row:
    """Windows per second, seconds before the first batch and peak memory, medians over rounds."""
    found: dict[str, list[rows.Row]] = {OURS: [], THEIRS: []}
    for turn in range(rounds):
        for library in (OURS, THEIRS)[:: 1 if turn % 2 == 0 else -1]:
            found[library].append(_in_process(library, setting))
    return {
        figure: {
            library: targets.rounded(statistics.median(run[figure] for run in runs))
            for library, runs in found.items()
        }
        for figure in ("windows_per_second", "seconds_to_first", "peak_mebibytes")
    }


def table(measured: Sequence[rows.Row]) -> str:
    """One line per setting, as Markdown."""
    header = ["rows × columns, lookback, batch", "kerasseq", "keras", "", "memory", "of keras"]
    lines = []
    for row in measured:
        setting, result = row["setting"], row["result"]
        if "horizon" in setting:
            title = "{rows:,} × {columns}, {lookback}: the recipe, until trained".format(**setting)
            lines.append([title, "", "", "", f"{result['trained_mebibytes']:,.0f} MiB", ""])
            continue
        speed, memory = result["windows_per_second"], result["peak_mebibytes"]
        lines.append(
            [
                "{rows:,} × {columns}, {lookback}, {batch}".format(**setting),
                f"{speed[OURS]:,.0f}/s",
                f"{speed[THEIRS]:,.0f}/s",
                f"{speed[OURS] / speed[THEIRS]:.1f} times",
                f"{memory[OURS]:,.0f} MiB",
                f"{memory[THEIRS]:,.0f} MiB",
            ]
        )
    return rows.markdown(header, lines)


def trained(setting: rows.Row) -> rows.Row:
    """Peak memory of a run of the recipe: when it has trained, and when it has been scored too."""
    return _in_process(TRAINED, setting)


def _in_process(library: str, setting: rows.Row) -> rows.Row:
    found = subprocess.run(
        [sys.executable, "-m", "benchmarks.windows", "--worker", library, json.dumps(setting)],
        cwd=rows.ROOT,
        env={"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
        check=True,
        capture_output=True,
        text=True,
    )
    result: rows.Row = json.loads(found.stdout.splitlines()[-1])
    return result


def _worker(library: str, setting: rows.Row) -> rows.Row:
    """What one contender gives, in this process."""
    import keras

    shape = setting["rows"], setting["columns"]
    values = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    if library == TRAINED:
        return _train(values, setting)
    keras.utils.set_random_seed(0)
    keras.ops.convert_to_tensor(values[:1])  # the backend is there
    batches: Callable[..., Iterator[Any]] = _ours if library == OURS else _theirs
    start = time.perf_counter()
    found = batches(values, setting["lookback"], setting["batch"])
    next(found)
    first, counted = time.perf_counter(), 0
    while (now := time.perf_counter()) < first + SECONDS:
        counted += len(next(found)[1])
    return {
        "windows_per_second": counted / (now - first),
        "seconds_to_first": first - start,
        "peak_mebibytes": _peak_mebibytes(),
    }


def _peak_mebibytes() -> float:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _train(values: np.ndarray, setting: rows.Row) -> rows.Row:
    import keras
    import pandas as pd

    import kerasseq

    peaks = []
    frame = pd.DataFrame(values, columns=list("abcdefgh"[: values.shape[1]]), copy=False)
    note = keras.callbacks.LambdaCallback(on_train_end=lambda _: peaks.append(_peak_mebibytes()))
    asked = {name: setting[name] for name in ("lookback", "horizon", "stride")}
    asked |= {"units": 16, "epochs": 1, "batch_size": 256, "final": "train"}
    run = kerasseq.forecasting(frame, time=(), callbacks=[note], quiet=True, **asked)
    return {
        "trained_mebibytes": targets.rounded(peaks[0]),
        "scored_mebibytes": targets.rounded(_peak_mebibytes()),
        "windows": run.metrics["rows"],
        "seconds": run.metrics["seconds"],
    }


def _ours(values: np.ndarray, lookback: int, batch: int) -> Iterator[Any]:
    import keras
    import pandas as pd

    from kerasseq.data.series.read import Panel
    from kerasseq.data.series.windows import Windows

    empty = np.empty((len(values), 0), np.float32)
    panel = Panel(
        ids=[""],
        stamps=[pd.RangeIndex(len(values))],
        frequency=None,
        season=1,
        targets=[values],
        past=[empty],
        future=[empty],
        static=np.empty((1, 0)),
        names={"targets": [], "past": [], "future": [], "static": []},
    )
    windows = Windows(panel, lookback, horizon=1)
    random = np.random.default_rng(0)
    while True:
        order = random.permutation(len(windows))
        for begin in range(0, len(order), batch):
            inputs, next_ = windows.batch(order[begin : begin + batch])
            history = keras.ops.convert_to_tensor(inputs["history"])
            yield history, keras.ops.convert_to_tensor(next_[:, 0])


def _theirs(values: np.ndarray, lookback: int, batch: int) -> Iterator[Any]:
    import keras

    data = keras.utils.timeseries_dataset_from_array(
        values[:-1], values[lookback:], lookback, batch_size=batch, shuffle=True, seed=0
    )
    while True:
        yield from data


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5, help="runs of each contender")
    parser.add_argument("--worker", nargs=2, metavar=("LIBRARY", "SETTING"), help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.worker:
        library, setting = arguments.worker
        print(json.dumps(_worker(library, json.loads(setting))))
        return 0
    cores = len(os.sched_getaffinity(0))
    measured = []
    for each in SETTINGS:
        setting = {**each, "rounds": arguments.rounds, "cores": cores}
        measure_it = functools.partial(measure, each, arguments.rounds)
        measured.append(rows.measured("windows", setting, measure_it))
    measured.append(rows.measured("windows", TRAINING, functools.partial(trained, TRAINING)))
    print(table(measured))
    return 0


if __name__ == "__main__":
    sys.exit(main())
