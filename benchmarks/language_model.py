"""The language_model recipe on public texts and its demo: `python -m benchmarks.language_model`.

Tinyshakespeare: the last 10% are the test part, and a hundredth of the rest, before them, the
validation part: settings were chosen on a twentieth. PTB has its own parts; words are separated by
spaces, and each line ends with an end token. Each setting is a run of the recipe, and a row;
settings were chosen on the validation parts. `--only NAME` measures some of them; `speed` is the
speed of generation, which needs no training, and `step` the speed and memory of a training step.

`zaremba` is the small model of Zaremba et al. (2014, arXiv 1409.2329) with their training. Their
loss is the sum over the 20 timesteps of a chunk, and ours the mean: so their rate of 1 is 20, and
their limit of 5 for the norm of the gradient is 0.25.
"""

from __future__ import annotations

import argparse
import collections
import functools
import itertools
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks import language_step, rows

NAME = "language_model"
METRICS = {
    "perplexity": "perplexity",
    "nats": "nats per token",
    "bits_per_character": "bits per character",
}
#: The settings of nanoGPT for a GPU and for a CPU, 10.7 and 0.8 million parameters.
PUBLISHED = "nanoGPT 1.470 on a GPU, 1.88 on a CPU"
SPEED, STEP, ZAREMBA = "speed", "step", "zaremba"
BATCHES = (1, 64)
WIDTH = {"units": 512, "words": 69, "length": 1024}
PIECE = 64  # characters that `run.generate` samples in one compiled loop
FEW = 40  # characters that are enough to time a call of `predict` for each


@dataclass(frozen=True)
class Task:
    """Data and settings of a benchmark of language models.

    Args:
        title: as the table has it.
        data: file or folder of the benchmark data, or "demo".
        settings: arguments of the recipe beside its defaults.
    """

    title: str
    data: str
    settings: dict[str, Any] = field(default_factory=dict)


TASKS = {
    "characters": Task(
        "tinyshakespeare, characters",
        "text/tinyshakespeare.txt",
        {
            **{"units": 512, "dropout": 0.4, "embedding_dropout": 0.1, "steps": 100},
            **{"batch_size": 32, "epochs": 12, "learning_rate": 2e-3, "weight_decay": 0.01},
            **{"optimizer": "adamw", "min_count": 1, "validation": 0.01},
        },
    ),
    "words": Task(
        "PTB, words",
        "text",  # the folder, in which the files of the three parts are recognised
        {
            **{"tokens": "word", "min_count": 1, "units": 400, "depth": 2, "steps": 35},
            **{"dropout": 0.4, "layer_dropout": 0.3, "embedding_dropout": 0.4, "batch_size": 20},
            **{"epochs": 20, "learning_rate": 2e-3},
        },
    ),
    ZAREMBA: Task(
        "PTB, words, small model of Zaremba et al.",
        "text",
        {
            **{"tokens": "word", "min_count": 1, "vocabulary_size": 10_100},
            **{"units": 200, "depth": 2, "tied": False},
            **{"dropout": 0.0, "layer_dropout": 0.0, "embedding_dropout": 0.0, "restarts": 0.0},
            **{"batch_size": 20, "steps": 20, "epochs": 13, "patience": 13},
            **{"optimizer": "sgd", "weight_decay": None, "clipnorm": 5 / 20},
        },
    ),
    "demo": Task("demo, characters", "demo"),
}
#: Zaremba et al.: chunks of an epoch, epochs at the first rate, which is halved in each later one.
CHUNKS, FIRST_EPOCHS, RATE = 2_324, 4, 20.0
INITIAL = 0.1  # weights begin uniformly between this number and its negative


def runs(only: Sequence[str]) -> Iterator[rows.Row]:
    """The rows of tasks and speeds, measured where they are not there yet."""
    for name in only:
        if name == SPEED:
            for batch in BATCHES:
                setting = {**WIDTH, "batch": batch}
                yield rows.measured(NAME, setting, functools.partial(speed, setting))
        elif name == STEP:
            for setting in language_step.SETTINGS:
                yield rows.measured(
                    NAME, setting, functools.partial(language_step.measure, setting)
                )
        else:
            task = TASKS[name]
            yield rows.measured(NAME, _setting(task), functools.partial(_run, task))


def table(measured: Sequence[rows.Row], part: str | None = None) -> str:
    """The results beside their baselines, or the speeds (part "speed" or "step"), as Markdown."""
    if part == SPEED:
        return _speeds(measured)
    if part == STEP:
        return _steps(measured)
    header = ["data", "model", *METRICS.values(), "parameters", "minutes"]
    lines: list[list[str]] = []
    for name, task in TASKS.items():
        result = _result(measured, task)
        if result is None or part not in (None, name):
            continue
        size, minutes = f"{result['parameters']:,}", f"{result['seconds'] / 60:.1f}"
        ours = [task.title, "`kerasseq.language_model`", *_figures(result["test"]), size, minutes]
        rivals = [
            [task.title, rival, *_figures(scores), "", ""]
            for rival, scores in result["baselines"].items()
        ]
        lines += [ours, *rivals]
    return rows.markdown(header, lines, 2)


def headline(measured: Sequence[rows.Row]) -> list[str]:
    """The line of the recipe in the table of all recipes: tinyshakespeare, or else the demo."""
    kind = "a text to the text that follows (many to many)"
    for name, published in (("characters", PUBLISHED), ("demo", "none")):
        result = _result(measured, TASKS[name])
        if result is not None:
            scores = {rival: each["nats"] for rival, each in result["baselines"].items()}
            best = min(scores, key=scores.__getitem__)
            ours = f"{result['test']['nats']:.3f}"
            metric = "nats per character, lower is better"
            rival = f"{scores[best]:.3f} ({best})"
            return [kind, TASKS[name].title, metric, ours, rival, published]
    return [kind, TASKS["characters"].title, "nats", "not measured yet", "", PUBLISHED]


def speed(setting: rows.Row) -> rows.Row:
    """Characters per second of sampling, and of a call of `predict` for each character."""
    import keras

    from kerasseq.generation import Sampler
    from kerasseq.models import LanguageModelConfig

    keras.utils.set_random_seed(0)
    batch, length, units = setting["batch"], setting["length"], setting["units"]
    model = LanguageModelConfig(words=setting["words"], units=units).build()
    decoder = model.get_layer("decoder")
    options: dict[str, Any] = {"temperature": 1.0, "jit_compile": True}  # as `run.generate` has it
    sampler = Sampler(decoder, length=PIECE, start=2, end=(), **options)
    context = {"states": [np.zeros((batch, units), np.float32)] * 2}
    text = np.full((batch, FEW), 5, np.int32)

    def predict() -> None:
        """Read the whole text so far for each character, as tutorials do."""
        for end in range(1, FEW + 1):
            model.predict({"tokens": text[:, :end]}, verbose=0)

    def sample() -> None:
        collections.deque(itertools.islice(sampler.stream(context), length // PIECE), maxlen=0)

    sampled = _seconds(sample)
    predicted = _seconds(predict)
    return {
        "characters_per_second": batch * length / sampled,
        "predict_per_second": batch * FEW / predicted,
    }


def _seconds(call: Callable[[], Any], rounds: int = 5) -> float:
    """Median time of a call, after one that compiles it."""
    call()
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def _speeds(measured: Sequence[rows.Row]) -> str:
    lines = []
    for row in measured:
        if "batch" in row["setting"]:
            ours, theirs = (
                row["result"][name] for name in ("characters_per_second", "predict_per_second")
            )
            times = f"{ours / theirs:.0f}x"
            lines.append([row["setting"]["batch"], f"{ours:,.0f}", f"{theirs:,.0f}", times])
    header = ["texts", "characters a second", "one `predict` per character", "ratio"]
    return rows.markdown(header, lines, 0)


def _steps(measured: Sequence[rows.Row]) -> str:
    lines = []
    for row in measured:
        if row["setting"] in language_step.SETTINGS:
            seconds, peak = row["result"]["seconds"], row["result"]["bytes"]
            first = seconds[language_step.PLAIN]
            lines += [
                [
                    f"2 x {row['setting']['units']}",
                    name,
                    f"{taken * 1000:.0f} ms",
                    f"{first / taken:.1f}x",
                    f"{peak[name] / 2**20:.0f} MiB",
                ]
                for name, taken in seconds.items()
            ]
    return rows.markdown(["model", "layers", "a step", "ratio", "peak memory"], lines, 2)


def _figures(scores: dict[str, float]) -> list[str]:
    return [f"{scores[metric]:.{1 if scores[metric] > 20 else 3}f}" for metric in METRICS]


def _result(measured: Sequence[rows.Row], task: Task) -> dict[str, Any] | None:
    results = [row["result"] for row in measured if row["setting"] == _setting(task)]
    return results[0] if results else None


def _setting(task: Task) -> rows.Row:
    return {"data": task.data, **task.settings, "defaults": rows.defaults(NAME)}


def _run(task: Task) -> dict[str, Any]:
    import kerasseq

    data: Any = task.data if task.data == "demo" else rows.data_folder() / task.data
    extra = _training_of_zaremba() if task is TASKS[ZAREMBA] else {}
    run = kerasseq.language_model(data, **task.settings, **extra)
    run.summary()
    return rows.scores(run)


def _training_of_zaremba() -> dict[str, Any]:
    """Arguments of the recipe that are objects: the learning rate, and the initial weights."""
    import keras

    class UniformWeights(keras.callbacks.Callback):
        """Gives all weights a uniform initial value, before the first epoch."""

        def on_train_begin(self, logs: Any = None) -> None:
            for seed, weight in enumerate(self.model.trainable_variables):
                initializer = keras.initializers.RandomUniform(-INITIAL, INITIAL, seed=seed)
                weight.assign(initializer(weight.shape))

    halvings = range(1, TASKS[ZAREMBA].settings["epochs"] - FIRST_EPOCHS + 1)
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay(
        [(FIRST_EPOCHS + k) * CHUNKS for k in range(len(halvings))],
        [RATE, *(RATE / 2**k for k in halvings)],
    )
    return {"schedule": schedule, "callbacks": [UniformWeights()]}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    names = [*TASKS, SPEED, STEP]
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    for number, _ in enumerate(runs(parser.parse_args(argv).only), start=1):
        print(f"{number} done", file=sys.stderr, flush=True)
    print(table(rows.load(NAME)))
    for part in (SPEED, STEP):
        print(table(rows.load(NAME), part))
    return 0


if __name__ == "__main__":
    sys.exit(main())
