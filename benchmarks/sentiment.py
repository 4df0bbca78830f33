"""The sentiment recipe on public data: `python -m benchmarks.sentiment --only NAME`.

MR (rt-polarity) is scored in ten folds, IMDB on its own test set, surnames of 18 languages on a
random tenth for each seed; each fold and seed is a run of the recipe, and a row. The validation
part comes out of the training part. Surnames are compared as Unicode composes them (NFC), with
diacritics; a name that a language has several times counts once, and a name that several languages
have is in one part alone. IMDB is also classified by the recurrent branch alone, and with
pretraining on its training texts. Settings were chosen on the validation parts.
"""

from __future__ import annotations

import argparse
import functools
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any

from benchmarks import rows

if TYPE_CHECKING:
    from kerasseq.data.text.labelled import LabelledTexts

FOLDS = 10
METRICS = {"accuracy": "accuracy", "macro_f1": "macro F1", "log_loss": "log loss"}
_PRETRAINED = {
    **{"units": 128, "embedding": 128, "pretrain": True, "pretrain_epochs": 8},
    **{"epochs": 8, "validation": 0.05, "final": "train"},
}
_NAMES = {
    **{"tokens": "character", "lowercase": False, "test": 0.1, "validation": 1 / 9, "ngrams": 5},
    **{"units": 128, "embedding": 64, "embedding_dropout": 0.3, "token_dropout": 0.02},
    **{"dropout": 0.5, "length": 16, "epochs": 9, "patience": 9, "batch_size": 64},
    **{"class_weights": True, "class_weight_power": 0.25},
    **{"learning_rate": 0.004, "schedule": "cosine"},
}


@dataclass(frozen=True)
class Task:
    """Data and settings of a benchmark of text classification.

    Args:
        title: as the table has it.
        data: name of the data.
        settings: arguments of the recipe beside its defaults.
    """

    title: str
    data: str
    settings: dict[str, Any] = field(default_factory=dict)


TASKS = {
    "mr": Task(f"MR, {FOLDS} folds", "mr"),
    "imdb": Task("IMDB", "imdb"),
    "imdb-pretrained": Task("IMDB, pretrained", "imdb", _PRETRAINED),
    "imdb-recurrent": Task(
        "IMDB, recurrent branch", "imdb", {**_PRETRAINED, "pretrain": False, "ngrams": 0}
    ),
    "imdb-recurrent-pretrained": Task(
        "IMDB, recurrent branch, pretrained", "imdb", {**_PRETRAINED, "ngrams": 0}
    ),
    "names": Task("surnames of 18 languages", "names", _NAMES),
}
OURS = "`kerasseq.sentiment`"
PUBLISHED = "NBSVM 91.2"  # Wang & Manning 2012, bigrams, on IMDB


def runs(name: str, seeds: int, folds: Sequence[int]) -> Iterator[rows.Row]:
    """The rows of a task, measured where they are not there yet."""
    task = TASKS[name]
    for seed in range(seeds):
        for fold in folds if task.data == "mr" else (None,):
            setting = {**_setting(task), **({} if fold is None else {"fold": fold})}
            measure = functools.partial(_run, task, fold, seed)
            yield rows.measured("sentiment", setting, measure, seed=seed)


def table(measured: Sequence[rows.Row], part: str | None = None) -> str:
    """The results beside their baselines, as Markdown; `part` is a task, or all of them."""
    header = ["data", "model", *METRICS.values(), "parameters", "minutes"]
    lines: list[list[str]] = []
    for name in TASKS if part is None else [part]:
        if results := _results(measured, TASKS[name]):
            lines += _lines(TASKS[name].title, results)
    return rows.markdown(header, lines)


def headline(measured: Sequence[rows.Row]) -> list[str]:
    """The line of the recipe in the table of all recipes: IMDB."""
    ours, *baselines = (line[1:3] for line in _lines("IMDB", _results(measured, TASKS["imdb"])))
    best, accuracy = max(baselines, key=lambda line: float(line[1]))
    task = "texts to classes (many to one)"
    return [task, "IMDB", "accuracy", ours[1], f"{accuracy} ({best})", PUBLISHED]


def _setting(task: Task) -> rows.Row:
    return {"data": task.data, **task.settings, "defaults": rows.defaults("sentiment")}


def _results(measured: Sequence[rows.Row], task: Task) -> list[dict[str, Any]]:
    """The results of a task with today's default settings, of all folds and seeds."""
    settings = [{**row["setting"], "fold": None} for row in measured]
    wanted = {**_setting(task), "fold": None}
    return [row["result"] for row, each in zip(measured, settings) if each == wanted]


def _lines(title: str, results: Sequence[dict[str, Any]]) -> list[list[str]]:
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
        lines.append([title if name == OURS else "", name, *cells, size, spent])
    return lines


def _spread(metric: str, values: Sequence[float]) -> str:
    """The mean, shares in per cent, with the standard deviation over folds and seeds."""
    scale, digits = (1, 3) if metric == "log_loss" else (100, 1)
    shown = f"{scale * mean(values):.{digits}f}"
    spread = f" ± {scale * stdev(values):.{digits}f}" if len(values) > 1 else ""
    return shown + spread


def _run(task: Task, fold: int | None, seed: int) -> dict[str, Any]:
    import kerasseq

    run = kerasseq.sentiment(_texts(task.data, fold), seed=seed, **task.settings)
    run.summary()
    return rows.scores(run)


def _texts(data: str, fold: int | None) -> Any:
    from kerasseq.data.text.labelled import read_labelled

    if data == "imdb":
        return read_labelled(rows.data_folder() / "imdb" / "aclImdb.tar.gz")
    if data == "names":
        return surnames()
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


def surnames() -> LabelledTexts:
    """Surnames of 18 languages, each once for a language."""
    from kerasseq.data.text.labelled import LabelledTexts, read_labelled

    source = read_labelled(rows.data_folder() / "names")
    composed = (unicodedata.normalize("NFC", text) for text in source.texts)
    pairs = dict.fromkeys(zip(composed, source.labels))
    return LabelledTexts([text for text, _ in pairs], [label for _, label in pairs])


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--only", nargs="+", choices=[*TASKS], required=True)
    parser.add_argument("--seeds", type=int, default=1, help="how many, from 0 on")
    parser.add_argument(
        "--folds", type=int, nargs="+", default=list(range(FOLDS)), help="which ones, of MR"
    )
    options = parser.parse_args(argv)
    for name in options.only:
        for number, _ in enumerate(runs(name, options.seeds, options.folds), start=1):
            print(f"{name}: {number} done", file=sys.stderr, flush=True)
        print(table(rows.load("sentiment"), name))
    return 0


if __name__ == "__main__":
    sys.exit(main())
