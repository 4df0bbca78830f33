"""A training step of a language model of words, beside plain Keras layers in the same loop.

`measure` times the contenders by turns in this process; the peak memory of each is that of a
process of its own, `python -m benchmarks.language_step NAME SETTING`.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import rows

PLAIN, FULL, SAMPLED = "plain Keras layers", "kerasseq", "kerasseq, sampled softmax"
CONTENDERS = (PLAIN, FULL, SAMPLED)
SIZES = {"words": 10_000, "depth": 2, "batch_size": 20, "steps": 35}
SETTINGS = tuple({**SIZES, "units": units} for units in (200, 256))
SAMPLES = 1024
ROUNDS, BLOCK = 20, 5  # by turns, and steps of a turn

Step = Callable[[], Any]


def measure(setting: rows.Row, rounds: int = ROUNDS) -> rows.Row:
    """Median seconds of a step of each contender, and peak bytes above those before it is built."""
    steps = {name: step(name, setting) for name in CONTENDERS}
    times: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    for call in steps.values():
        _block(call)
    for _ in range(rounds):
        for name, call in steps.items():
            times[name].append(_block(call))
    return {
        "seconds": {name: statistics.median(taken) for name, taken in times.items()},
        "bytes": {name: _bytes(name, setting) for name in CONTENDERS},
    }


def step(name: str, setting: rows.Row) -> Step:
    """A function that trains a contender on one batch; all have the same batches and optimizer."""
    import keras

    keras.utils.set_random_seed(0)
    shape = (setting["batch_size"], setting["steps"] + 1)
    tokens = np.random.default_rng(0).integers(4, setting["words"], shape).astype(np.int32)
    inputs, targets = {"tokens": tokens[:, :-1]}, tokens[:, 1:]
    if name == PLAIN:
        model, loss = _plain(setting), _cross_entropy()
    else:
        model, loss = _ours(setting, SAMPLES if name == SAMPLED else None)
        inputs |= {"following": targets, "first": np.zeros(shape[0], np.int32)}
    optimizer = keras.optimizers.AdamW(1e-3, weight_decay=0.02, global_clipnorm=1.0)
    model.compile(optimizer, loss)
    return lambda: model.train_on_batch(inputs, targets)


def _ours(setting: rows.Row, samples: int | None) -> tuple[Any, Any]:
    from kerasseq.models import BatchLoss, LanguageModelConfig

    sizes = {name: setting[name] for name in ("words", "units", "depth")}
    config = LanguageModelConfig(**sizes)
    model = config.training_model(config.build(), setting["batch_size"], samples=samples)
    return model, BatchLoss()


def _cross_entropy() -> Any:
    import keras

    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def _plain(setting: rows.Row) -> Any:
    """A tied model of layers of `keras.layers`, whose state is carried from batch to batch."""
    import keras
    from keras import ops

    words, units = setting["words"], setting["units"]

    class Tied(keras.layers.Layer):
        """Logits by the matrix of an embedding."""

        def __init__(self, embedding: Any) -> None:
            super().__init__()
            self.embedding = embedding

        def build(self, shape: Any) -> None:
            self.bias = self.add_weight(shape=(words,), initializer="zeros", name="bias")

        def call(self, inputs: Any) -> Any:
            return ops.matmul(inputs, ops.transpose(self.embedding.embeddings)) + self.bias

    shape = (setting["batch_size"], setting["steps"])
    tokens = keras.Input(batch_shape=shape, dtype="int32", name="tokens")
    embedding = keras.layers.Embedding(words, units)
    outputs = embedding(tokens)
    for _ in range(setting["depth"]):
        outputs = keras.layers.LSTM(units, return_sequences=True, stateful=True)(outputs)
    return keras.Model({"tokens": tokens}, Tied(embedding)(outputs))


def _block(call: Step) -> float:
    """Seconds of a step, as the mean of a block."""
    start = time.perf_counter()
    for _ in range(BLOCK):
        call()
    return (time.perf_counter() - start) / BLOCK


def _bytes(name: str, setting: rows.Row) -> int:
    """Bytes by which a contender raises the peak memory of a new process."""
    command = [sys.executable, "-m", "benchmarks.language_step", name, json.dumps(setting)]
    answer = subprocess.run(command, cwd=rows.ROOT, check=True, capture_output=True, text=True)
    return int(answer.stdout)


def _resident(entry: str) -> int:
    """An entry of the status of this process, in bytes: "VmRSS", or "VmHWM" for the peak."""
    with open("/proc/self/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(entry)) * 1024


def main(name: str, setting: str) -> None:
    """Print the peak memory of a contender."""
    import keras

    keras.ops.zeros(1)  # starts the backend
    before = _resident("VmRSS")
    call = step(name, json.loads(setting))
    for _ in range(2 * BLOCK):
        call()
    print(_resident("VmHWM") - before)


if __name__ == "__main__":
    main(*sys.argv[1:])
