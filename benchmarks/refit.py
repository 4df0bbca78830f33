"""Whether a classifier learns from its validation part, too: `python -m benchmarks.refit`.

The training part of the first of MR's ten folds, whole or cut to phrases of one to five words. Each
row is a seed: 1,500 texts to score on are drawn, and so many others to learn from. The model of the
default settings is scored as early stopping leaves it (final="train") and refitted on its training
and validation part for that number of epochs (final="validation"). The test part of the fold, on
which the recipe is scored elsewhere, is not looked at.
"""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Iterator, Sequence
from statistics import mean, stdev
from typing import Any

from benchmarks import rows
from benchmarks.sentiment import mr

SCORED = 1_500
SIZES = {"250": 250, "1,000": 1_000, "4,000": 4_000, "all": None}
CUTS = ("whole", "phrases")
METRICS = {"accuracy": (100, 2), "log_loss": (1, 4)}


def runs(cuts: Sequence[str], sizes: Sequence[str], seeds: int) -> Iterator[rows.Row]:
    """The rows, measured where they are not there yet."""
    for size in sizes:
        for cut in cuts:
            for seed in range(seeds):
                setting = {"data": "mr", "cut": cut, "texts": size}
                measure = functools.partial(_run, cut, SIZES[size], seed)
                yield rows.measured("refit", setting, measure, seed=seed)


def table(measured: Sequence[rows.Row]) -> str:
    """The gain of the refit over the model of early stopping, paired by seed, as Markdown."""
    header = [
        "texts",
        "accuracy, train",
        "accuracy, validation",
        "gain",
        "baseline",
        "log loss gain",
    ]
    lines = []
    for size in SIZES:
        for cut in CUTS:
            wanted = {"data": "mr", "cut": cut, "texts": size}
            results = [row["result"] for row in measured if row["setting"] == wanted]
            if results:
                lines.append([f"{size}, {cut}", *_cells(results)])
    return rows.markdown(header, lines)


def _cells(results: Sequence[dict[str, Any]]) -> Iterator[str]:
    def scores(name: str, metric: str = "accuracy") -> list[float]:
        return [result[name][metric] for result in results]

    def gain(metric: str) -> str:
        scale, digits = METRICS[metric]
        pairs = zip(scores("validation", metric), scores("train", metric))
        gains = [scale * (refit - first) for refit, first in pairs]
        spread = f" ± {stdev(gains):.{digits}f}" if len(gains) > 1 else ""
        return f"{mean(gains):+.{digits}f}{spread}"

    yield f"{100 * mean(scores('train')):.2f}"
    yield f"{100 * mean(scores('validation')):.2f}"
    yield gain("accuracy")
    yield f"{100 * mean(scores('baseline')):.2f}"
    yield gain("log_loss")


def _run(cut: str, size: int | None, seed: int) -> dict[str, Any]:
    import kerasseq
    from kerasseq.recipes.sentiment import SentimentSettings
    from kerasseq.tasks import perform

    task = kerasseq.sentiment.task
    source = _texts(cut, size, seed)
    settings = SentimentSettings(seed=seed, quiet=True, final="validation")
    parts, data = perform.prepare(task, source, settings)
    assert data.test is not None
    first = perform.train(task, data, settings, quiet=True)
    refit, more, _ = perform.refit_model(task, source, settings, first, quiet=True)
    assert more.test is not None
    scores = {}
    for name, model, test in (("train", first, data.test), ("validation", refit, more.test)):
        predictions = task.predictions(model.model, test, model.state, settings)
        scores[name] = task.score(predictions, test.targets, settings).values
    baseline = list(task.baselines(parts, data, settings).values())[-1]
    scores["baseline"] = task.score(baseline, data.test.targets, settings).values
    return {**scores, "epochs": first.trained.best_epoch, "rows": len(source.texts)}


def _texts(cut: str, size: int | None, seed: int) -> Any:
    import numpy as np

    from kerasseq.data.text.labelled import LabelledTexts

    fold = mr(0)
    random = np.random.default_rng([seed, CUTS.index(cut)])
    order = random.permutation(len(fold.texts))
    scored, learned = order[:SCORED], order[SCORED:][:size]

    def taken(places: Any) -> list[str]:
        return [_cut(fold.texts[i], random) if cut == "phrases" else fold.texts[i] for i in places]

    test = taken(scored)
    return LabelledTexts(
        texts=taken(learned),
        labels=[fold.labels[i] for i in learned],
        test_texts=test,
        test_labels=[fold.labels[i] for i in scored],
    )


def _cut(text: str, random: Any) -> str:
    """One to five words of a text that follow each other."""
    words = text.split()
    length = min(int(random.integers(1, 6)), len(words))
    start = int(random.integers(0, len(words) - length + 1))
    return " ".join(words[start : start + length])


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--cuts", nargs="+", choices=CUTS, default=CUTS)
    parser.add_argument("--sizes", nargs="+", choices=tuple(SIZES), default=tuple(SIZES))
    parser.add_argument("--seeds", type=int, default=5, help="how many, from 0 on")
    options = parser.parse_args(argv)
    for number, _ in enumerate(runs(options.cuts, options.sizes, options.seeds), start=1):
        print(f"{number} done", file=sys.stderr, flush=True)
    print(table(rows.load("refit")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
