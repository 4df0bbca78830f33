"""Searches on public data, and what they cost: `python -m benchmarks.tuning [--only NAME ...]`.

Each task and seed is a row. A search that is stopped goes on where it was, in runs/tuning-NAME.
"""

from __future__ import annotations

import argparse
import functools
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from benchmarks import rows
from kerasseq.settings import Choice
from kerasseq.tuning.results import Result
from kerasseq.tuning.search import Search
from kerasseq.tuning.space import Space
from kerasseq.tuning.task import Task, lookup_recipe, make_settings

TRIALS, SECONDS = 20, 75  # of training: with all around it, a trial takes at most 90
ETT = {
    "horizon": 96,
    "lookback": 336,
    "validation": 2880,
    "test": 2880,
    "scaling": "standard",
    "output": "point",
    "calendar": False,
    "model": "auto",  # the others do not come to their second epoch in such a trial
}


@dataclass(frozen=True)
class Proof:
    """A search whose best setting is set against the recipe's own.

    Args:
        title: of the data, as the table has it.
        recipe: its name.
        data: gives the data for a seed.
        options: of `kerasseq.tune`.
        metric: of the test part.
    """

    title: str
    recipe: str
    data: Callable[[int], Any]
    options: dict[str, Any]
    metric: str


def _mr(seed: int) -> Any:
    from benchmarks.sentiment import _texts

    return _texts("mr", seed)  # another one of the ten folds for each seed


def _etth1(seed: int) -> Any:
    import pandas as pd

    return pd.read_csv(rows.data_folder() / "ett" / "ETTh1.csv")[:14_400]


PROOFS = {
    "mr": Proof("MR, one fold a seed", "sentiment", _mr, {"max_params": 500_000}, "accuracy"),
    "etth1": Proof("ETTh1, 96 h", "forecasting", _etth1, {"max_params": 200_000, **ETT}, "mase"),
}


def runs(only: Sequence[str], seeds: int, trials: int, seconds: float) -> Iterator[rows.Row]:
    """The rows of tasks, measured where they are not there yet."""
    for name in only:
        for seed in range(seeds if name in PROOFS else 1):
            setting: rows.Row = {"task": name}
            measure = COSTS.get(name) or functools.partial(_proved, name, seed, trials, seconds)
            if name in PROOFS:
                setting = {**_setting(name), "trials": trials, "seconds": seconds}
            yield rows.measured("tuning", setting, measure, seed=seed)


def table(measured: Sequence[rows.Row], part: str | None = None) -> str:
    """Tuned against default on the test part, or what searches cost, as Markdown."""
    if part == "costs":
        return _costs({row["setting"]["task"]: row["result"] for row in measured})
    header = ["data", "metric", "default", "tuned", "parameters, default", "tuned"]
    lines = []
    for name, proof in PROOFS.items():
        setting = {**_setting(name), "trials": TRIALS, "seconds": SECONDS}
        found = [row["result"] for row in measured if row["setting"] == setting]
        if found:
            scores = [_spread([own[kind] for own in found]) for kind in ("default", "best")]
            sizes = [
                f"{mean(own[f'{kind}_parameters'] for own in found):,.0f}"
                for kind in ("default", "best")
            ]
            lines.append([proof.title, proof.metric, *scores, *sizes])
    return rows.markdown(header, lines)


def _costs(measured: Mapping[str, rows.Row]) -> str:
    lines = []
    if "workers" in measured:
        found = measured["workers"]
        seconds = f"{found['one']:.0f} s by one, {found['two']:.0f} s by two"
        lines.append(["16 equal trials", seconds, f"{found['gain']:.2f} times sooner"])
    if "overhead" in measured:
        for tuner, seconds in measured["overhead"]["seconds"].items():
            share = f"{seconds / 20:.1%}"
            lines.append([f"{tuner}, for a trial", f"{1000 * seconds:.0f} ms", f"{share} of 20 s"])
    if "memory" in measured:
        grown = f"{measured['memory']['growth']} MiB"
        lines.append(["memory, over 100 trials after the first ten", grown, ""])
    return rows.markdown(["of a search", "takes", ""], lines)


def _setting(name: str) -> rows.Row:
    # Trials learn from the training part, whatever the recipe does in the end.
    return {"task": name, "defaults": rows.defaults(PROOFS[name].recipe, final="train")}


def _spread(values: Sequence[float]) -> str:
    shown = f"{mean(values):.3f}"
    return f"{shown} ± {stdev(values):.3f}" if len(values) > 1 else shown


def _proved(name: str, seed: int, trials: int, seconds: float) -> rows.Row:
    import kerasseq

    proof = PROOFS[name]
    found = kerasseq.tune(
        proof.recipe,
        proof.data(seed),
        trials=trials,
        seconds=seconds,
        prune=True,
        seed=seed,
        out=rows.ROOT / "runs" / f"tuning-{name}-{seed}-{trials}-{seconds:g}",
        **proof.options,
    )
    best, default = found.best.metrics, found.default.metrics
    return {
        "best": best["test"][proof.metric],
        "default": default["test"][proof.metric],
        "best_parameters": best["parameters"],
        "default_parameters": default["parameters"],
        "settings": found.settings,
        "statuses": found.trials["status"].value_counts().to_dict(),
        "hours": round(found.trials["seconds"].sum() / 3600, 2),
        "gain": found.gain,
    }


class _Watched(Search):
    """A search that notes how much memory the process has when trials end."""

    def __init__(self, task: Task) -> None:
        self.mebibytes: list[float] = []
        super().__init__(task, quiet=True)

    def record(self, event: dict[str, Any]) -> None:
        from kerasseq.tuning.runner import memory  # which imports a backend

        super().record(event)
        if event["event"] == "ended":
            self.mebibytes.append(memory())


def _equal(folder: Path, trials: int, **settings: Any) -> Task:
    """A search of trials that all take as long."""
    recipe, defaults, data = lookup_recipe("sentiment")
    settings = {**defaults, "patience": 1000, **settings}
    rates = Choice(tuple(float(f"{1e-3 * (1 + k / 100):.4g}") for k in range(trials)))
    space: Space = {"learning_rate": rates}
    source = recipe.load(data, make_settings(recipe, settings))
    return Task(recipe, source, settings, space, folder, "grid", trials, recorded=settings)


def _workers() -> rows.Row:
    """Seconds of 16 equal trials by one and by two workers, starting the latter included."""
    found = {}
    for workers in (1, 2):
        with tempfile.TemporaryDirectory() as folder:
            task = _equal(Path(folder) / "search", 16, epochs=20)
            search = Search(task, quiet=True)
            started = time.perf_counter()
            if workers > 1 or not search.trials():
                search.run_workers(workers)
            found[workers] = time.perf_counter() - started
            search.journal.close()
            assert len(Result(task.folder, search.events).trials) == 16
    return {"one": round(found[1], 1), "two": round(found[2], 1), "gain": found[1] / found[2]}


def _overhead() -> rows.Row:
    """Seconds that a search takes for a trial beside the trial itself, for 30 trials.

    Of proposals, the journal, clearing up after models, and the starts of fresh processes.
    """
    import dataclasses

    recipe, defaults, data = lookup_recipe("sentiment")
    settings = {**defaults, "epochs": 1, "units": 4, "embedding": 4}
    source = recipe.load(data, make_settings(recipe, settings))
    found = {}
    for tuner in ("random", "bayesian", "hyperband"):
        with tempfile.TemporaryDirectory() as folder:
            space = {n: own for n, own in recipe.space().items() if n not in ("units", "depth")}
            task = _equal(Path(folder) / "search", 30)
            task = dataclasses.replace(
                task, source=source, settings=settings, space=space, tuner=tuner
            )
            search = Search(task, quiet=True)
            started = time.perf_counter()
            if not search.trials():  # a process that has grown too much leaves the rest to another
                search.run_workers(1)
            taken = time.perf_counter() - started
            search.journal.close()
            spent = [event["seconds"] for event in search.events if event["event"] == "ended"]
            assert len(spent) == 30
            found[tuner] = round((taken - sum(spent)) / len(spent), 3)
    return {"seconds": found, "share of 20 s": {n: own / 20 for n, own in found.items()}}


def _memory() -> rows.Row:
    """Mebibytes that this process grows by, in a search of 110 trials after its first ten."""
    from kerasseq.tuning.runner import memory

    with tempfile.TemporaryDirectory() as folder:
        task = _equal(Path(folder) / "search", 110, epochs=1, units=16, embedding=16)
        search = _Watched(task)
        search.run()
    after = search.mebibytes[9]
    return {"after 10": round(after), "growth": round(memory() - after)}


COSTS = {"workers": _workers, "overhead": _overhead, "memory": _memory}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--only", nargs="+", choices=[*PROOFS, *COSTS], default=[*PROOFS, *COSTS])
    parser.add_argument("--seeds", type=int, default=3, help="how many, from 0 on")
    parser.add_argument("--trials", type=int, default=TRIALS, help="of a search")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of a trial, at most")
    options = parser.parse_args(argv)
    for row in runs(options.only, options.seeds, options.trials, options.seconds):
        print(row["setting"], row["seed"], row["result"], file=sys.stderr, flush=True)
    print(table(rows.load("tuning")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
