"""Sequence classification on public data: `python -m benchmarks.sequences --data NAME`.

Each row is a run of the recipe with its default settings; only how the data is read is given. Parts
that are official are used; the validation part comes out of the training part. `--data stream` and
`--data memory` measure the difference between a stream and the whole, and the memory of a large
training. `--rival PYTHON` adds random kernels (MiniRocket), by an interpreter that has aeon. Sounds
have the baselines on the whole range of the spectrogram too, which helps some of them.
"""

from __future__ import annotations

import argparse
import functools
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from benchmarks import rows

BENCHMARK = "sequences"
OURS = "`kerasseq.sequence_classification`"
RIVAL = "random kernels (MiniRocket)"
WHOLE_RANGE = "whole range"
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo")
METRICS = {"accuracy": "accuracy", "macro_f1": "macro F1"}


@dataclass(frozen=True)
class Data:
    """A data set and how it is read.

    Args:
        title: its name in the table.
        read: function that returns the `data` argument.
        settings: further arguments about the data.
        parts: values of `test_groups`, one run each; None for the test part of the data.
        published: a published figure, with its source.
        sound: whether the sequences are spectrograms.
    """

    title: str
    read: Callable[[], Any]
    settings: dict[str, Any] = field(default_factory=dict)
    parts: tuple[tuple[str, ...] | None, ...] = (None,)
    published: str = ""
    sound: bool = False


def _file(*names: str) -> Callable[[], Any]:
    return lambda: rows.data_folder().joinpath(*names)


def _digits(pixels: bool) -> Any:
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    shape = (64, 1) if pixels else (8, 8)
    return images.astype("float32").reshape(-1, *shape), labels.tolist()


DATA = {
    "vowels": Data(
        "JapaneseVowels",
        _file("sequences", "JapaneseVowels_TRAIN.ts"),
        published="FCN 99.3, ResNet 99.2",
    ),
    "motions": Data("BasicMotions", _file("sequences", "BasicMotions_TRAIN.ts")),
    "skeletons": Data(
        "MSR-Action3D, 20 actions, odd subjects train",
        _file("sequences", "msr-action3d-skeletons.zip"),
        {"pattern": "a{label}_s{group}_*"},
        (("02", "04", "06", "08", "10"),),
    ),
    "takes": Data(
        "spoken digits, official takes",
        _file("speech", "fsdd.zip"),
        {"pattern": "{label}_*_{group}"},
        (tuple("01234"),),
        sound=True,
    ),
    "speakers": Data(
        "spoken digits, one speaker left out",
        _file("speech", "fsdd.zip"),
        {"pattern": "{label}_{group}_*"},
        tuple((name,) for name in SPEAKERS),
        sound=True,
    ),
    "rows": Data("digit images, row by row", functools.partial(_digits, False)),
    "pixels": Data("digit images, pixel by pixel", functools.partial(_digits, True)),
}


def runs(name: str, seeds: Sequence[int], rival: str | None) -> Iterator[rows.Row]:
    """The rows of a data set, measured where they are not there yet."""
    for seed in seeds:
        for part in DATA[name].parts:
            setting: dict[str, Any] = {"data": name, **({"test": part} if part else {})}
            named = {**setting, "defaults": rows.defaults("sequence_classification")}
            yield rows.measured(
                BENCHMARK, named, functools.partial(_run, name, part, seed), seed=seed
            )
            if DATA[name].sound:
                measure = functools.partial(_whole_range, name, part, seed)
                yield rows.measured(
                    BENCHMARK, {**setting, "model": WHOLE_RANGE}, measure, seed=seed
                )
            if rival:
                measure = functools.partial(_rival, name, part, seed, rival)
                yield rows.measured(BENCHMARK, {**setting, "model": RIVAL}, measure, seed=seed)


def table(measured: Sequence[rows.Row], part: str | None = None) -> str:
    """Accuracy of the recipe and of the baselines on each data set, as Markdown."""
    header = ["data", "model", *METRICS.values(), "runs", "parameters", "minutes"]
    lines = [line for name in (DATA if part is None else [part]) for line in _lines(measured, name)]
    return rows.markdown(header, lines, left=2)


def headline(measured: Sequence[rows.Row]) -> list[str]:
    """The line of the recipe in the table of all recipes: JapaneseVowels."""
    lines = _lines(measured, "vowels")
    if not lines:
        return ["sequences of numbers to classes (many to one)", "not measured yet", *[""] * 4]
    (_, _, ours, *_), *others = lines
    best = max(others, key=lambda line: float(line[2].split()[0]))
    baseline = f"{best[2]} ({best[1]})"
    task = "sequences of numbers to classes (many to one)"
    return [task, DATA["vowels"].title, "accuracy", ours, baseline, DATA["vowels"].published]


def _lines(measured: Sequence[rows.Row], name: str) -> list[list[str]]:
    results = _results(measured, name)
    if not results:
        return []
    others = [row for row in measured if row["setting"]["data"] == name]
    whole, rivals = (
        [row["result"] for row in others if row["setting"].get("model") == model]
        for model in (WHOLE_RANGE, RIVAL)
    )
    scores = {OURS: [result["test"] for result in results], **_baseline_scores(results)}
    scores |= {
        f"{kind}, {WHOLE_RANGE}": values
        for kind, values in _baseline_scores(whole).items()
        if kind != "majority"
    }
    if rivals:
        scores[RIVAL] = [result["test"] for result in rivals]
    lines = []
    for model, values in scores.items():
        ours = model == OURS
        size = f"{mean(result['parameters'] for result in results):,.0f}" if ours else ""
        spent = f"{mean(result['seconds'] for result in results) / 60:.1f}" if ours else ""
        cells = [
            _spread([score[metric] for score in values if metric in score]) for metric in METRICS
        ]
        title = DATA[name].title if ours else ""
        lines.append([title, model, *cells, str(len(values)), size, spent])
    return lines


def _baseline_scores(results: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, float]]]:
    """The scores of each baseline over runs."""
    scores: dict[str, list[dict[str, float]]] = {}
    for result in results:
        for baseline, values in result["baselines"].items():
            # A baseline that looked at fewer training sequences says so in its name.
            scores.setdefault(baseline.partition(" (")[0], []).append(values)
    return scores


def _results(measured: Sequence[rows.Row], name: str) -> list[dict[str, Any]]:
    """The results of a data set with today's default settings."""
    named = {"data": name, "defaults": rows.defaults("sequence_classification")}
    return [row["result"] for row in measured if named.items() <= row["setting"].items()]


def _spread(values: Sequence[float]) -> str:
    """The mean in per cent, with the standard deviation over runs."""
    if not values:
        return ""
    spread = f" ± {100 * stdev(values):.1f}" if len(values) > 1 else ""
    return f"{100 * mean(values):.1f}{spread}"


def _arguments(name: str, part: Sequence[str] | None, seed: int) -> dict[str, Any]:
    groups = {} if part is None else {"test_groups": list(part)}
    return {"data": DATA[name].read(), **DATA[name].settings, **groups, "seed": seed}


def _run(name: str, part: Sequence[str] | None, seed: int) -> dict[str, Any]:
    import kerasseq

    run = kerasseq.sequence_classification(**_arguments(name, part, seed))
    run.summary()
    return rows.scores(run)


def _prepared(name: str, part: Sequence[str] | None, seed: int, **others: Any) -> Any:
    """The task, its settings, the parts and the prepared data of a run, without a training."""
    from kerasseq.recipes.sequence_classification import SequenceClassificationSettings
    from kerasseq.registry import task
    from kerasseq.tasks.perform import prepare

    settings = SequenceClassificationSettings(**_arguments(name, part, seed), **others)
    recipe = task("sequence_classification")
    source = recipe.load(settings.data, settings)
    return recipe, settings, *prepare(recipe, source, settings)


def _whole_range(name: str, part: Sequence[str] | None, seed: int) -> dict[str, Any]:
    """The baselines on spectrograms that are not cut off below."""
    recipe, settings, parts, prepared = _prepared(name, part, seed, top_db=None)
    scores = {
        baseline: recipe.score(predictions, prepared.test.targets, settings).values
        for baseline, predictions in recipe.baselines(parts, prepared, settings).items()
    }
    return {"baselines": scores}


def _rival(name: str, part: Sequence[str] | None, seed: int, python: str) -> dict[str, Any]:
    """Random kernels on the training and validation part, scored on the test part."""
    import json

    import numpy as np

    _, _, parts, _ = _prepared(name, part, seed)
    test = parts.test
    assert test is not None
    known = parts.train.joined(parts.validation)
    length = max(9, int(max(known.values.lengths)))  # the least that MiniRocket takes
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "parts.npz"
        np.savez(
            path,
            train=_stretched(known.values, length),
            train_labels=np.array(known.labels, dtype=str),
            test=_stretched(test.values, length),
            test_labels=np.array(test.labels, dtype=str),
        )
        script = Path(__file__).with_name("minirocket.py")
        command = [python, str(script), str(path), str(seed)]
        result = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(json.loads(result.stdout.splitlines()[-1]))


def _stretched(sequences: Any, length: int) -> Any:
    """All sequences interpolated to one length, (sequences, channels, length)."""
    import numpy as np

    from kerasseq.data.sequences.filling import fill_gaps

    result = []
    for values in sequences:
        filled = fill_gaps(values, np.zeros(values.shape[1]))
        places = np.linspace(0, len(filled) - 1, length)
        steps = np.arange(len(filled))
        result.append([np.interp(places, steps, channel) for channel in filled.T])
    return np.array(result, dtype=np.float32)


def _stream() -> dict[str, Any]:
    """Largest difference between the probabilities of a stream and of the whole."""
    import numpy as np

    import kerasseq
    from kerasseq.data.demo.motions import demo_motions

    values, labels, subjects = demo_motions()
    run = kerasseq.sequence_classification(
        values, label=labels, groups=subjects, causal=True, convolutions=1, epochs=2, final="train"
    )
    whole = run.predict(values[:20])
    difference = 0.0
    for row, sequence in enumerate(values[:20]):
        stream = run.stream()
        for begin in range(0, len(sequence), 7):
            answer = stream.update(sequence[begin : begin + 7])
        probabilities = answer["probabilities"]
        expected = whole.loc[row, list(probabilities)].to_numpy(dtype=float)
        difference = max(difference, np.abs(expected - [*probabilities.values()]).max())
    return {"difference": float(difference)}


def _memory() -> dict[str, Any]:
    """Peak resident memory of training on 10,000 sequences of 1,000 steps and 9 channels."""
    import numpy as np

    import kerasseq

    random = np.random.default_rng(0)
    values = random.standard_normal((10_000, 1_000, 9), dtype=np.float32)
    labels = random.integers(0, 4, 10_000)
    values[:, :, 0] += labels[:, None]
    run = kerasseq.sequence_classification(
        values, label=labels, epochs=1, final="train", units=16, depth=1, convolutions=3
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"bytes": peak, "seconds": run.metrics["seconds"], "test": run.metrics["test"]}


OTHERS: dict[str, Callable[[], dict[str, Any]]] = {"stream": _stream, "memory": _memory}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--data", choices=[*DATA, *OTHERS], required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(5)), help="which ones")
    parser.add_argument("--rival", help="an interpreter with aeon, for random kernels")
    options = parser.parse_args(argv)
    if options.data in OTHERS:
        row = rows.measured(BENCHMARK, {"data": options.data}, OTHERS[options.data])
        print(row["result"])
        return 0
    for number, _ in enumerate(runs(options.data, options.seeds, options.rival), start=1):
        print(f"{number} done", file=sys.stderr, flush=True)
    print(table(rows.load(BENCHMARK), options.data))
    return 0


if __name__ == "__main__":
    sys.exit(main())
