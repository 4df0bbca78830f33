"""The tagging recipe on CoNLL-2000, CoNLL-2003 and its demo: `python -m benchmarks.tagging`.

CoNLL-2000 (phrases) has no development part: 1,000 training sentences are held out, the same ones
for all seeds. CoNLL-2003 (entities) has its own parts. No word vectors from elsewhere are used.
Each setting and seed is a run of the recipe, and a row; settings were chosen on the development
parts. `--only NAME` measures some of them, `--seeds N` the first N seeds.
"""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any

from benchmarks import rows

if TYPE_CHECKING:
    from kerasseq.data.tags.sentences import TaggedData

METRICS = {
    "f1": "F1",
    "precision": "precision",
    "recall": "recall",
    "accuracy": "tags",
    "unknown_accuracy": "unknown words",
    "sentence_accuracy": "sentences",
}
HELD_OUT = 1000

#: BiLSTM-CRF with spelling features, and no word vectors, of Huang et al. (arXiv 1508.01991).
PUBLISHED = "BiLSTM-CRF 94.1 (Huang et al. 2015)"


@dataclass(frozen=True)
class Task:
    """Data and settings of a tagging benchmark.

    Args:
        title: as the table has it.
        data: "conll2000", "conll2003" or "demo".
        settings: arguments of the recipe beside its defaults.
        seeds: how many.
    """

    title: str
    data: str
    settings: dict[str, Any] = field(default_factory=dict)
    seeds: int = 5


TASKS = {
    "chunks-pos": Task("CoNLL-2000, with parts of speech", "conll2000", {"features": ["pos"]}),
    "chunks": Task("CoNLL-2000, words alone", "conll2000"),
    "entities": Task("CoNLL-2003", "conll2003"),
    "no-crf": Task("CoNLL-2003, no CRF", "conll2003", {"crf": False}, 1),
    "no-characters": Task("CoNLL-2003, no characters", "conll2003", {"characters": "none"}, 1),
    "neither": Task("CoNLL-2003, neither", "conll2003", {"crf": False, "characters": "none"}, 1),
    "demo": Task("demo, new names", "demo", {}, 1),
}


def runs(only: Sequence[str], seeds: int | None = None) -> Iterator[rows.Row]:
    """The rows of tasks, measured where they are not there yet."""
    for name in only:
        task = TASKS[name]
        for seed in range(min(seeds or task.seeds, task.seeds)):
            measure = functools.partial(_run, task, seed)
            yield rows.measured("tagging", _setting(task), measure, seed=seed)


def table(measured: Sequence[rows.Row], part: str | None = None) -> str:
    """The results beside their baselines, as Markdown; `part` is a task, or all of them."""
    header = ["data", "model", "seeds", *METRICS.values(), "parameters", "minutes"]
    lines: list[list[str]] = []
    rivals: dict[str, list[list[str]]] = {}
    for name, task in TASKS.items():
        results = [row["result"] for row in measured if row["setting"] == _setting(task)]
        if results and part in (None, name):
            lines.append(_line(task.title, results))
            data = task.title if task.data != "conll2003" else "CoNLL-2003"
            rivals.setdefault(
                data,
                [
                    [data, rival, "", *_figures([scores]), "", ""]
                    for rival, scores in results[0]["baselines"].items()
                ],
            )
    return rows.markdown(header, [*lines, *(line for each in rivals.values() for line in each)], 2)


def headline(measured: Sequence[rows.Row]) -> list[str]:
    """The line of the recipe in the table of all recipes: CoNLL-2000 with parts of speech."""
    headline = TASKS["chunks-pos"]
    results = [row["result"] for row in measured if row["setting"] == _setting(headline)]
    task = "words to tags (many to many)"
    if not results:
        return [task, headline.title, "F1", "not measured yet", "", PUBLISHED]
    baselines = results[0]["baselines"]
    best = max(baselines, key=lambda rival: baselines[rival]["f1"])
    ours, theirs = (
        _figures(scores)[0]
        for scores in ([result["test"] for result in results], [baselines[best]])
    )
    return [task, headline.title, "F1", ours, f"{theirs} ({best})", PUBLISHED]


def _line(title: str, results: Sequence[dict[str, Any]]) -> list[str]:
    return [
        title,
        "`kerasseq.tagging`",
        str(len(results)),
        *_figures([result["test"] for result in results]),
        f"{results[0]['parameters']:,}",
        f"{mean(result['seconds'] for result in results) / 60:.1f}",
    ]


def _figures(scores: Sequence[dict[str, float]]) -> list[str]:
    """The mean of each metric over seeds in per cent, with its standard deviation."""
    cells = []
    for metric in METRICS:
        values = [100 * score[metric] for score in scores if metric in score]
        spread = f" ± {stdev(values):.1f}" if len(values) > 1 else ""
        cells.append(f"{mean(values):.1f}{spread}" if values else "")
    return cells


def _setting(task: Task) -> rows.Row:
    return {"data": task.data, **task.settings, "defaults": rows.defaults("tagging")}


def _run(task: Task, seed: int) -> dict[str, Any]:
    import kerasseq

    data: Any = task.data if task.data == "demo" else source(task.data, task.settings)
    run = kerasseq.tagging(data, seed=seed, **task.settings)
    run.summary()
    return rows.scores(run)


def source(data: str, reading: dict[str, Any]) -> TaggedData:
    """The parts of a corpus, with the columns that the settings name."""
    import numpy as np

    from kerasseq.data.tags.read import add_part, read_tagged

    folder = rows.data_folder() / "ner"
    whole = read_tagged(folder / f"{data}.train.txt", reading)
    if data == "conll2003":
        for name, file in (("validation", "testa"), ("test", "testb")):
            whole = add_part(whole, name, folder / f"{data}.{file}.txt", reading)
        return whole
    whole = add_part(whole, "test", folder / f"{data}.test.txt", reading)
    order = np.random.default_rng(0).permutation(len(whole.sentences))
    sentences = whole.sentences
    whole.validation = sentences.take(np.sort(order[:HELD_OUT]))
    whole.sentences = sentences.take(np.sort(order[HELD_OUT:]))
    return whole


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--only", nargs="+", choices=list(TASKS), default=list(TASKS))
    parser.add_argument("--seeds", type=int, help="how many, from 0 on; at most five, or one")
    options = parser.parse_args(argv)
    for number, _ in enumerate(runs(options.only, options.seeds), start=1):
        print(f"{number} done", file=sys.stderr, flush=True)
    print(table(rows.load("tagging")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
