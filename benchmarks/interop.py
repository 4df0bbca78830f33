"""Models of public examples before and after `kerasseq.convert`: `python -m benchmarks.interop`.

A training step (Adam, `train_on_batch`) of each model as it is written with keras.layers, of the
converted model, and of the model with its recurrent layers replaced by means, which shows the share
of the recurrent layers. All three in one process and in turns. The backend is that of
`KERAS_BACKEND`. The sizes are those of the examples, the data are random.

`--onnx` measures predictions of the converted models instead, by Keras and from their ONNX files:
of one row by `predict`, and of a batch by `predict_on_batch`.
"""

from __future__ import annotations

import argparse
import functools
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import rows, targets

MEAN, LEAST = 2.5, 1.0  # how many times as fast a step is to be, as a geometric mean, and at least
KERAS, OURS, REST = "keras.layers", "kerasseq", "without recurrence"
ONNX_ROW, ONNX_BATCH = 10.0, 0.8  # how many times as fast as kerasseq ONNX is to be
ONNX = "ONNX"

Made = tuple[Any, Any, Any]  # a compiled model, its inputs and targets


def text_classifier() -> Made:
    """Two LSTMs over 200 words, as in the examples on IMDB."""
    import keras
    from keras import layers

    model = keras.Sequential(
        [
            keras.Input((200,), dtype="int32"),
            layers.Embedding(20_000, 128),
            layers.LSTM(64, return_sequences=True),
            layers.LSTM(64),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    return _compiled(model, _words(32, 200, 20_000), _words(32, 1, 2), "binary_crossentropy")


def seq2seq() -> Made:
    """Characters to characters, as in keras.io/examples/nlp/lstm_seq2seq."""
    import keras
    from keras import layers

    past, future = keras.Input((None, 71)), keras.Input((None, 93))
    *_, h, c = layers.LSTM(256, return_state=True)(past)
    decoded = layers.LSTM(256, return_sequences=True)(future, initial_state=[h, c])
    model = keras.Model([past, future], layers.Dense(93, activation="softmax")(decoded))
    x = [_normal(64, 16, 71), _normal(64, 59, 93)]
    return _compiled(model, x, _words(64, 59, 93), "sparse_categorical_crossentropy")


def forecaster() -> Made:
    """Two GRUs over 120 hours of 14 measurements, as in the examples on the weather in Jena."""
    import keras
    from keras import layers

    hidden = [layers.GRU(32, return_sequences=True), layers.GRU(32), layers.Dropout(0.5)]
    model = keras.Sequential([keras.Input((120, 14)), *hidden, layers.Dense(1)])
    return _compiled(model, _normal(256, 120, 14), _normal(256, 1), "mse")


def character_model() -> Made:
    """The next of 56 characters, as in keras.io/examples/generative/lstm_character_level_text."""
    import keras
    from keras import layers

    model = keras.Sequential(
        [keras.Input((40, 56)), layers.LSTM(128), layers.Dense(56, activation="softmax")]
    )
    x = np.eye(56, dtype="float32")[_words(128, 40, 56)]
    return _compiled(model, x, _words(128, 1, 56), "sparse_categorical_crossentropy")


def captioner() -> Made:
    """Features of an image and an LSTM over the words so far, added, as in Tanti et al. (2017)."""
    import keras
    from keras import layers

    image, words = keras.Input((4096,)), keras.Input((34,), dtype="int32")
    features = layers.Dense(256, activation="relu")(layers.Dropout(0.5)(image))
    read = layers.Dropout(0.5)(layers.Embedding(7_579, 256, mask_zero=True)(words))
    both = layers.Dense(256, activation="relu")(layers.add([features, layers.LSTM(256)(read)]))
    model = keras.Model([image, words], layers.Dense(7_579, activation="softmax")(both))
    lengths = np.random.default_rng(0).integers(1, 35, (64, 1))
    tokens = np.where(np.arange(34) < lengths, _words(64, 34, 7_578) + 1, 0)
    x = [_normal(64, 4096), tokens]
    return _compiled(model, x, _words(64, 1, 7_579), "sparse_categorical_crossentropy")


def ocr() -> Made:
    """Convolutions and two bidirectional LSTMs, as in keras.io/examples/vision/captcha_ocr."""
    import keras
    from keras import layers

    options = {"activation": "relu", "padding": "same"}
    convolutions = [
        layers.Conv2D(32, 3, **options),
        layers.MaxPooling2D(),
        layers.Conv2D(64, 3, **options),
        layers.MaxPooling2D(),
        layers.Reshape((50, 768)),
        layers.Dense(64, activation="relu"),
        layers.Dropout(0.2),
    ]
    recurrent = [
        layers.Bidirectional(layers.LSTM(units, return_sequences=True, dropout=0.25))
        for units in (128, 64)
    ]
    head = layers.Dense(21, activation="softmax")
    model = keras.Sequential([keras.Input((200, 50, 1)), *convolutions, *recurrent, head])
    x, y = _normal(16, 200, 50, 1), _words(16, 50, 21)
    return _compiled(model, x, y, "sparse_categorical_crossentropy")


MODELS: dict[str, Callable[[], Made]] = {
    "stacked LSTM text classifier": text_classifier,
    "seq2seq": seq2seq,
    "GRU forecaster": forecaster,
    "character model": character_model,
    "captioner": captioner,
    "OCR, two bidirectional layers": ocr,
}


def measure(name: str, rounds: int) -> rows.Row:
    """Milliseconds of a step of each, medians over rounds."""
    import keras

    import kerasseq

    keras.utils.set_random_seed(0)
    model, x, y = MODELS[name]()
    contenders = {KERAS: model, OURS: kerasseq.convert(model), REST: _without(model)}
    outputs = (contenders[name](x, training=False) for name in (KERAS, OURS))
    before, after = map(keras.ops.convert_to_numpy, outputs)
    apart = float(np.abs(before - after).max())
    seconds = _in_turns(
        {key: functools.partial(each.train_on_batch, x, y) for key, each in contenders.items()},
        rounds,
    )
    medians = {key: statistics.median(each) for key, each in seconds.items()}
    explained = kerasseq.explain(contenders[OURS]).layers
    return {
        "milliseconds": {key: targets.rounded(1000 * value) for key, value in medians.items()},
        "against": targets.against(seconds[OURS], seconds[KERAS]),
        "recurrent": targets.rounded(max(0.0, 1 - medians[REST] / medians[KERAS])),
        "kernels": sorted({row.kernel for row in explained}),
        "apart": targets.rounded(apart),
    }


def measure_onnx(name: str, rounds: int) -> rows.Row:
    """Milliseconds of a prediction by Keras and from an ONNX file, medians over rounds."""
    import keras
    import onnxruntime

    import kerasseq

    keras.utils.set_random_seed(0)
    model, x, _ = MODELS[name]()
    model = kerasseq.convert(model)
    with tempfile.TemporaryDirectory() as folder:
        path = kerasseq.export(model, Path(folder) / "model.onnx")
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    result: rows.Row = {}
    for size, run in (("row", functools.partial(model.predict, verbose=0)),
                      ("batch", model.predict_on_batch)):  # fmt: skip
        inputs = [
            part[:1] if size == "row" else part for part in (x if isinstance(x, list) else [x])
        ]
        feeds = {
            each.name: part.astype("int32" if each.type == "tensor(int32)" else "float32")
            for each, part in zip(session.get_inputs(), inputs, strict=True)
        }
        arguments = inputs if isinstance(x, list) else inputs[0]
        contenders: dict[str, Callable[[], Any]] = {
            OURS: functools.partial(run, arguments),
            ONNX: lambda feeds=feeds: session.run(None, feeds)[0],  # type: ignore[misc]
        }
        outputs = [np.asarray(contender()) for contender in contenders.values()]
        seconds = _in_turns(contenders, rounds)
        medians = {key: statistics.median(each) for key, each in seconds.items()}
        result[size] = {
            "rows": len(inputs[0]),
            "milliseconds": {key: targets.rounded(1000 * each) for key, each in medians.items()},
            "against": targets.against(seconds[ONNX], seconds[OURS]),
            "apart": targets.rounded(float(np.abs(outputs[0] - outputs[1]).max())),
        }
    return result


def _in_turns(contenders: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each call, after three that do not count."""
    seconds: dict[str, list[float]] = {key: [] for key in contenders}
    for turn in range(-3, rounds):
        for key in list(contenders)[:: 1 if turn % 2 == 0 else -1]:
            start = time.perf_counter()
            contenders[key]()
            if turn >= 0:
                seconds[key].append(time.perf_counter() - start)
    return seconds


def _compiled(model: Any, x: Any, y: np.ndarray, loss: str) -> Made:
    model.compile("adam", loss)
    return model, x, y


def _normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).standard_normal(shape, dtype="float32")


def _words(rows: int, length: int, vocabulary: int) -> np.ndarray:
    return np.random.default_rng(2).integers(0, vocabulary, (rows, length))


def _without(model: Any) -> Any:
    """The model, compiled, with means over features in place of recurrent layers."""
    import keras
    from keras import ops

    class Means(keras.layers.Layer):
        def __init__(self, like: Any) -> None:
            super().__init__(name=like.name)
            both = isinstance(like, keras.layers.Bidirectional)
            self.units = 2 * like.forward_layer.cell.units if both else like.cell.units
            self.sequences, self.state = like.return_sequences, like.return_state

        def call(self, sequences: Any, initial_state: Any = None, mask: Any = None) -> Any:
            mean = ops.repeat(ops.mean(sequences, axis=-1, keepdims=True), self.units, axis=-1)
            last = mean[:, -1]
            if initial_state is not None:
                mean = mean + sum(initial_state)[:, None]
            output = mean if self.sequences else last
            return (output, last, last) if self.state else output

    def replaced(layer: Any) -> Any:
        if isinstance(layer, keras.layers.RNN | keras.layers.Bidirectional):
            return Means(layer)
        return type(layer).from_config(layer.get_config())

    return keras.models.clone_model(model, clone_function=replaced)


def table(measured: Sequence[rows.Row], part: str = "") -> str:
    """One line per model and backend, as Markdown, and the geometric mean; "onnx" for that part."""
    if part == "onnx":
        return _onnx_table([row for row in measured if "export" in row["setting"]])
    measured = [row for row in measured if "export" not in row["setting"]]
    header = ["model", "backend", KERAS, OURS, "times as fast", "middle half", "recurrent share"]
    lines: list[Sequence[object]] = []
    backends = dict.fromkeys(row["setting"]["backend"] for row in measured)
    for backend in backends:
        group = [row for row in measured if row["setting"]["backend"] == backend]
        for row in group:
            result = row["result"]
            speed, ratio = result["milliseconds"], result["against"]
            lines.append(
                [
                    *(row["setting"]["model"], backend),
                    *(f"{speed[name]:.3g} ms" for name in (KERAS, OURS)),
                    f"{ratio['ratio']:.2f}x",
                    f"{ratio['low']:.2f}x to {ratio['high']:.2f}x",
                    f"{result['recurrent']:.0%}",
                ]
            )
        mean = targets.geometric_mean(row["result"]["against"]["ratio"] for row in group)
        lines.append(["geometric mean", backend, "", "", f"{mean:.2f}x", "", ""])
    return rows.markdown(header, lines, left=2)


def _onnx_table(measured: Sequence[rows.Row]) -> str:
    """One line per model and size of a batch, as Markdown."""
    header = ["model", "rows", OURS, ONNX, "times as fast", "middle half", "largest difference"]
    lines: list[Sequence[object]] = []
    for row in measured:
        for result in row["result"].values():
            ratio, speed = result["against"], result["milliseconds"]
            lines.append(
                [
                    *(row["setting"]["model"], result["rows"]),
                    *(f"{speed[name]:.3g} ms" for name in (OURS, ONNX)),
                    f"{ratio['ratio']:.2f}x",
                    f"{ratio['low']:.2f}x to {ratio['high']:.2f}x",
                    f"{result['apart']:.1g}",
                ]
            )
    return rows.markdown(header, lines, left=1)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--models", nargs="+", choices=tuple(MODELS), default=tuple(MODELS))
    parser.add_argument("--rounds", type=int, default=31, help="steps of each contender")
    parser.add_argument("--onnx", action="store_true", help="measure predictions from ONNX files")
    arguments = parser.parse_args(argv)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    import keras

    cores = len(os.sched_getaffinity(0))
    backend = keras.backend.backend()
    measured = []
    for name in arguments.models:
        setting = {"model": name, "backend": backend, "rounds": arguments.rounds, "cores": cores}
        step = functools.partial(measure, name, arguments.rounds)
        if arguments.onnx:
            setting["export"] = "onnx"
            step = functools.partial(measure_onnx, name, arguments.rounds)
        row = rows.measured("interop", setting, step)
        measured.append(row)
        print(name, row["result"], file=sys.stderr, flush=True)
    print(table(measured, "onnx" if arguments.onnx else ""))
    if arguments.onnx:
        for size, least in (("row", ONNX_ROW), ("batch", ONNX_BATCH)):
            lowest = min(row["result"][size]["against"]["ratio"] for row in measured)
            verdict = "met" if lowest >= least else "missed"
            print(f"a {size} at least {least}x as fast: {verdict}, lowest {lowest:.2f}x")
        return 0
    ratios = [row["result"]["against"]["ratio"] for row in measured]
    mean = targets.geometric_mean(ratios)
    met = mean >= MEAN and min(ratios) >= LEAST
    wanted = f"at least {MEAN:.1f}x as a geometric mean, and none slower"
    print(f"{wanted}: {'met' if met else f'missed, {mean:.2f}x, lowest {min(ratios):.2f}x'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
