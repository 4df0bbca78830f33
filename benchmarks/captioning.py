"""The captioning recipe on Flickr8k and its demo: `python -m benchmarks.captioning [--only NAME]`.

Flickr8k in its own split (6,000, 1,000 and 1,000 images), as a MobileNetV2 sees it: the mean of
its last feature map, or the map itself for attention. Each setting and seed is a run of the recipe,
and a row. Captions are found by beam search of width 3, and scored in lower case and without
punctuation against all five references; settings were chosen on the validation part.
"""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import mean, stdev
from typing import Any

from benchmarks import rows

METRICS = {
    "bleu_1": "BLEU-1",
    "bleu_2": "-2",
    "bleu_3": "-3",
    "bleu_4": "-4",
    "cider": "CIDEr-D",
    "exact": "exact",
}

#: BLEU-4 on Flickr8k of Tanti et al. (arXiv 1703.09137), and of Xu et al. (arXiv 1502.03044).
PUBLISHED = "init-inject 19.1, hard attention 21.3"


@dataclass(frozen=True)
class Task:
    """What is captioned, and how.

    Args:
        title: as the table has it.
        features: of Flickr8k: "pooled" or "grid"; None for the demo.
        settings: arguments of the recipe beside its defaults.
        seeds: how many.
    """

    title: str
    features: str | None
    settings: dict[str, Any] = field(default_factory=dict)
    seeds: int = 3


TASKS = {
    "init": Task("Flickr8k, default", "pooled"),
    "merge": Task("Flickr8k, merge", "pooled", {"decoder": "merge"}),
    "attention": Task("Flickr8k, grid, default", "grid"),
    "demo": Task("demo, held-out scenes", None),
}


def runs(only: Sequence[str], seeds: int | None = None) -> Iterator[rows.Row]:
    """The rows of tasks, measured where they are not there yet."""
    for name in only:
        task = TASKS[name]
        for seed in range(seeds or task.seeds):
            measure = functools.partial(_run, task, seed)
            yield rows.measured("captioning", _setting(task), measure, seed=seed)


def table(measured: Sequence[rows.Row], part: str | None = None) -> str:
    """The results beside their baselines, as Markdown; `part` is a task, or all of them."""
    header = ["data", "model", *METRICS.values(), "parameters", "minutes"]
    lines: list[list[str]] = []
    rivals: dict[str, list[list[str]]] = {}
    for name, task in TASKS.items():
        found = [row["result"] for row in measured if row["setting"] == _setting(task)]
        if found and part in (None, name):
            data = task.title.partition(",")[0]
            lines.append(_line(task.title, found))
            rivals[data] = [
                [data, rival, *_figures([found[0]["baselines"][rival]]), "", ""]
                for rival in found[0]["baselines"]
            ]
    return rows.markdown(header, [*lines, *(line for own in rivals.values() for line in own)])


def headline(measured: Sequence[rows.Row]) -> list[str]:
    """The line of the recipe in the table of all recipes: Flickr8k, default settings."""
    found = [row["result"] for row in measured if row["setting"] == _setting(TASKS["init"])]
    baselines = found[0]["baselines"]
    best = max(baselines, key=lambda rival: baselines[rival]["bleu_4"])
    ours, theirs = (
        _figures(scores)[list(METRICS).index("bleu_4")]
        for scores in ([result["test"] for result in found], [baselines[best]])
    )
    task = "images to sentences (one to many)"
    return [task, "Flickr8k", "BLEU-4", ours, f"{theirs} ({best})", PUBLISHED]


def _line(title: str, results: Sequence[dict[str, Any]]) -> list[str]:
    return [
        title,
        "`kerasseq.captioning`",
        *_figures([result["test"] for result in results]),
        f"{results[0]['parameters']:,}",
        f"{mean(result['seconds'] for result in results) / 60:.1f}",
    ]


def _figures(scores: Sequence[dict[str, float]]) -> list[str]:
    """The mean of each metric over seeds, with its standard deviation."""
    cells = []
    for metric in METRICS:
        values = [score[metric] for score in scores]
        scale, digits = {"exact": (100, 1), "cider": (1, 2)}.get(metric, (1, 1))
        spread = f" ± {scale * stdev(values):.{digits}f}" if len(values) > 1 else ""
        cells.append(f"{scale * mean(values):.{digits}f}{spread}")
    return cells


def _setting(task: Task) -> rows.Row:
    data = "demo" if task.features is None else f"flickr8k/{task.features}"
    return {"data": data, **task.settings, "defaults": rows.defaults("captioning")}


def _run(task: Task, seed: int) -> dict[str, Any]:
    import kerasseq

    data: Any = "demo"
    given = dict(task.settings)
    if task.features is not None:
        data = rows.data_folder() / "flickr8k"
        given["features"] = data / f"flickr8k_mobilenetv2_{task.features}.npz"
    run = kerasseq.captioning(data, seed=seed, **given)
    run.summary()
    kept = ("test", "interval", "baselines", "parameters", "seconds", "verdict", "rows", "epochs")
    return {name: run.metrics[name] for name in kept}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--only", nargs="+", choices=list(TASKS), default=list(TASKS))
    parser.add_argument("--seeds", type=int, help="how many, from 0 on; three where not given")
    options = parser.parse_args(argv)
    for number, _ in enumerate(runs(options.only, options.seeds), start=1):
        print(f"{number} done", file=sys.stderr, flush=True)
    print(table(rows.load("captioning")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
