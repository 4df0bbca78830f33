"""The sentiment recipe on public data: `python -m benchmarks.sentiment --data mr|imdb`.

MR (rt-polarity) is scored in ten folds, IMDB on its own test set; each fold and seed is a run of
the recipe with its default settings, and a row. The validation part comes out of the training part.
"""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Iterator, Sequence
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any

from benchmarks import rows

if TYPE_CHECKING:
    from kerasseq.data.text.labelled import LabelledTexts

FOLDS = 10
METRICS = {"accuracy": "accuracy", "macro_f1": "macro F1", "log_loss": "log loss"}
TITLES = {"mr": f"MR, {FOLDS} folds", "imdb": "IMDB"}
OURS = "`kerasseq.sentiment`"
PUBLISHED = "NBSVM 91.2"  # Wang & Manning 2012, bigrams, on IMDB


def runs(data: str, seeds: int, folds: Sequence[int]) -> Iterator[rows.Row]:
    """The rows of a data set, measured where they are not there yet."""
    for seed in range(seeds):
        for fold in folds if data == "mr" else (None,):
            setting = {"data": data, **({} if fold is None else {"fold": fold})}
            setting["defaults"] = rows.defaults("sentiment")
            measure = functools.partial(_run, data, fold, seed)
            yield rows.measured("sentiment", setting, measure, seed=seed)


def table(measured: Sequence[rows.Row], part: str | None = None) -> str:
    """The result beside its baselines, as Markdown; `part` is a data set, or all of them."""
    header = ["data", "model", *METRICS.values(), "parameters", "minutes"]
    lines: list[list[str]] = []
    for data in TITLES if part is None else [part]:
        if results := _results(measured, data):
            lines += _lines(data, results)
    return rows.markdown(header, lines)


def headline(measured: Sequence[rows.Row]) -> list[str]:
    """The line of the recipe in the table of all recipes: IMDB."""
    ours, *baselines = (line[1:3] for line in _lines("imdb", _results(measured, "imdb")))
    best, accuracy = max(baselines, key=lambda line: float(line[1]))
    task = "texts to classes (many to one)"
    return [task, "IMDB", "accuracy", ours[1], f"{accuracy} ({best})", PUBLISHED]


def _results(measured: Sequence[rows.Row], data: str) -> list[dict[str, Any]]:
    """The results of a data set with today's default settings."""
    named = {"data": data, "defaults": rows.defaults("sentiment")}
    return [row["result"] for row in measured if named.items() <= row["setting"].items()]


def _lines(data: str, results: Sequence[dict[str, Any]]) -> list[list[str]]:
    each = {OURS: [result["test"] for result in results]}
    for name in results[0]["baselines"]:
        each[name] = [result["baselines"][name] for result in results]
    lines = []
    for name, scores in each.items():
        cells = [_spread(metric, [score[metric] for score in scores]) for metric in METRICS]
        size = spent = ""
        if name == OURS:
            if len(results) == 1:
                low, high = results[0]["interval"]["accuracy"]
                cells[0] += f" ({100 * low:.1f} to {100 * high:.1f})"
            size = f"{mean(result['parameters'] for result in results):,.0f}"
            spent = f"{mean(result['seconds'] for result in results) / 60:.1f}"
        lines.append([TITLES[data] if name == OURS else "", name, *cells, size, spent])
    return lines


def _spread(metric: str, values: Sequence[float]) -> str:
    """The mean, shares in per cent, with the standard deviation over folds and seeds."""
    scale, digits = (1, 3) if metric == "log_loss" else (100, 1)
    shown = f"{scale * mean(values):.{digits}f}"
    spread = f" ± {scale * stdev(values):.{digits}f}" if len(values) > 1 else ""
    return shown + spread


def _run(data: str, fold: int | None, seed: int) -> dict[str, Any]:
    import kerasseq

    run = kerasseq.sentiment(_texts(data, fold), seed=seed)
    run.summary()
    return rows.scores(run)


def _texts(data: str, fold: int | None) -> Any:
    from kerasseq.data.text.labelled import read_labelled

    if data == "imdb":
        return read_labelled(rows.data_folder() / "imdb" / "aclImdb.tar.gz")
    assert fold is not None
    return mr(fold)


def mr(fold: int) -> LabelledTexts:
    """MR with one of its ten folds as the test part."""
    from kerasseq.data.classes.splits import stratified_folds
    from kerasseq.data.text.labelled import LabelledTexts, read_labelled

    source = read_labelled(rows.data_folder() / "mr" / "rt-polarity.pos")
    # 10,662 sentences in the order of the published folds: the negative ones first.
    train, test = stratified_folds(source.labels, FOLDS, seed=0)[fold]
    texts, labels = source.texts, source.labels
    return LabelledTexts(
        texts=[texts[i] for i in train],
        labels=[labels[i] for i in train],
        test_texts=[texts[i] for i in test],
        test_labels=[labels[i] for i in test],
        notes=source.notes,
    )


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--data", choices=sorted(TITLES), required=True)
    parser.add_argument("--seeds", type=int, default=1, help="how many, from 0 on")
    parser.add_argument(
        "--folds", type=int, nargs="+", default=list(range(FOLDS)), help="which ones, of MR"
    )
    options = parser.parse_args(argv)
    for number, _ in enumerate(runs(options.data, options.seeds, options.folds), start=1):
        print(f"{number} done", file=sys.stderr, flush=True)
    print(table(rows.load("sentiment"), options.data))
    return 0


if __name__ == "__main__":
    sys.exit(main())
