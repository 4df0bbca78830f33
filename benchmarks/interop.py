"""Models of public examples before and after `kerasseq.convert`: `python -m benchmarks.interop`.

A training step (Adam, `train_on_batch`) of each model as it is written with keras.layers, of the
converted model, and of the model with its recurrent layers replaced by means, which shows the share
of the recurrent layers. All three in one process and in turns. The backend is that of
`KERAS_BACKEND`. The sizes are those of the examples, the data are random.

`--onnx` measures predictions of the converted models instead, by Keras and from their ONNX files:
of one row by `predict`, and of a batch by `predict_on_batch`. `--litert` measures those of one row
from LiteRT files with weights of three types, and their sizes; and of two recipes, trained on the
data that they generate, the loss in score. `--peak` measures how much of the speed of a large
matrix product a step reaches, which bounds what any conversion can gain.
"""

from __future__ import annotations

import argparse
import functools
import json
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
WEIGHTS = ("float32", "float16", "int8")  # types of the weights in LiteRT
#: Recipes whose loss in score is measured, and the settings of the runs.
SCORED: dict[str, dict[str, Any]] = {
    "sentiment": {"units": 32, "embedding": 32, "epochs": 4},
    "sequence_classification": {"cell": "lstm", "units": 32, "epochs": 4},
}
SIDE = 1024  # rows and columns of the matrices whose product is the peak

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


def measure_litert(name: str, rounds: int) -> rows.Row:
    """Kilobytes of LiteRT files, and milliseconds of one row from them and by `predict`."""
    import keras

    import kerasseq
    from kerasseq.interop.litert.names import input_names
    from kerasseq.interop.litert.session import InferenceSession

    keras.utils.set_random_seed(0)
    model, x, _ = MODELS[name]()
    model = kerasseq.convert(model)
    row = [part[:1] for part in (x if isinstance(x, list) else [x])]
    feeds = dict(zip(input_names(model), row, strict=True))
    contenders: dict[str, Callable[[], Any]] = {
        OURS: functools.partial(model.predict, row if isinstance(x, list) else row[0], verbose=0)
    }
    kilobytes = {}
    with tempfile.TemporaryDirectory() as folder:
        for weights in WEIGHTS:
            quantize = None if weights == WEIGHTS[0] else weights
            target = Path(folder) / f"{weights}.tflite"
            content = kerasseq.export(model, target, "litert", quantize=quantize).read_bytes()
            kilobytes[weights] = round(len(content) / 1000)
            contenders[weights] = functools.partial(InferenceSession(content).run, None, feeds)
    outputs = {key: np.asarray(contender()).ravel() for key, contender in contenders.items()}
    seconds = _in_turns(contenders, rounds)
    return {
        "kilobytes": kilobytes,
        "milliseconds": {
            key: targets.rounded(1000 * statistics.median(each)) for key, each in seconds.items()
        },
        "against": {key: targets.against(seconds[key], seconds[OURS]) for key in WEIGHTS},
        "apart": {
            key: targets.rounded(float(np.abs(outputs[key] - outputs[OURS]).max()))
            for key in WEIGHTS
        },
    }


def measure_scores(recipe: str) -> rows.Row:
    """Accuracy of a small run on its validation part, with each type of weights in LiteRT."""
    import kerasseq

    run = getattr(kerasseq, recipe)(**SCORED[recipe], quiet=True)
    scores: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for weights in WEIGHTS[1:]:
            place = run.export(Path(folder) / weights, "litert", quantize=weights)
            measured = json.loads((place / "manifest.json").read_text())["quantization"]
            scores |= {WEIGHTS[0]: measured[WEIGHTS[0]], weights: measured["quantized"]}
    return {"rows": measured["rows"], "scores": scores}


def measure_peak(name: str, rounds: int) -> rows.Row:
    """Operations a second, of a training step and of the fastest product of large matrices."""
    import keras

    import kerasseq

    keras.utils.set_random_seed(0)
    model, x, y = MODELS[name]()
    work = _operations(model, x)
    matrices = _normal(2, SIDE, SIDE)
    a, b = map(keras.ops.convert_to_tensor, matrices)
    contenders: dict[str, Callable[[], Any]] = {
        KERAS: functools.partial(model.train_on_batch, x, y),
        OURS: functools.partial(kerasseq.convert(model).train_on_batch, x, y),
        "NumPy": functools.partial(np.matmul, *matrices),
        "backend": lambda: keras.ops.convert_to_numpy(keras.ops.matmul(a, b)),
    }
    seconds = _in_turns(contenders, rounds)
    medians = {key: statistics.median(each) for key, each in seconds.items()}
    peak = 2 * SIDE**3 / min(medians["NumPy"], medians["backend"])
    return {
        "gigaoperations": targets.rounded(work / 1e9),
        "milliseconds": {key: targets.rounded(1000 * value) for key, value in medians.items()},
        "against": targets.against(seconds[OURS], seconds[KERAS]),
        "peak": targets.rounded(peak / 1e9),
        "share": {
            key: targets.rounded(work / medians[key] / peak) for key in (KERAS, OURS)
        },
    }  # fmt: skip


def _operations(model: Any, x: Any) -> int:
    """Multiplications and additions of all products and convolutions of a training step.

    Forward, and backward those of the gradients of the weights and of the inputs: of the inputs of
    the model none is computed.
    """
    import keras

    layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    first = [keras.tree.flatten(layer.input)[0] for layer in layers]
    last = [keras.tree.flatten(layer.output)[0] for layer in layers]
    inputs = x if isinstance(x, list) else [x]
    shapes = [each.shape for each in keras.Model(model.inputs, [*first, *last])(inputs)]
    without_gradient = {id(tensor) for tensor in model.inputs}
    total = 0
    for layer, before, after, read, made in zip(
        layers, first, last, shapes, shapes[len(layers) :], strict=False
    ):
        is_first = id(before) in without_gradient
        if is_first and not layer.weights:
            without_gradient.add(id(after))
        is_recurrent = isinstance(layer, keras.layers.RNN | keras.layers.Bidirectional)
        places = int(np.prod(read[:2] if is_recurrent else made[:-1]))
        for weight in layer.trainable_weights:
            if weight.name in ("kernel", "recurrent_kernel"):
                products = 2 if is_first and weight.name == "kernel" else 3
                total += 2 * products * places * int(np.prod(weight.shape))
    return total


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
    """A part of the rows as Markdown: "", of a step; "onnx", "litert", "scores" or "peak"."""
    return TABLES[part]([row for row in measured if row["setting"].get("export", "") == part])


def _step_table(measured: Sequence[rows.Row]) -> str:
    """One line per model and backend, and the geometric mean."""
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


def _litert_table(measured: Sequence[rows.Row]) -> str:
    """One line per model and type of the weights."""
    header = ["model", "weights", "size", OURS, "LiteRT", "times as fast", "middle half",
              "largest difference"]  # fmt: skip
    lines: list[Sequence[object]] = []
    for row in measured:
        result = row["result"]
        speed = result["milliseconds"]
        for weights in WEIGHTS:
            ratio = result["against"][weights]
            lines.append(
                [
                    *(row["setting"]["model"], weights),
                    f"{result['kilobytes'][weights]:,} kB",
                    *(f"{speed[key]:.3g} ms" for key in (OURS, weights)),
                    f"{ratio['ratio']:.2f}x",
                    f"{ratio['low']:.2f}x to {ratio['high']:.2f}x",
                    f"{result['apart'][weights]:.1g}",
                ]
            )
    return rows.markdown(header, lines, left=2)


def _score_table(measured: Sequence[rows.Row]) -> str:
    """One line per recipe: the accuracy with each type of weights, and the logarithmic loss."""
    header = ["recipe", "rows", *(f"{name}, {weights}" for name in ("accuracy", "log loss")
                                  for weights in WEIGHTS)]  # fmt: skip
    lines = []
    for row in measured:
        scores = row["result"]["scores"]
        values = [scores[w][name] for name in ("accuracy", "log_loss") for w in WEIGHTS]
        cells = [f"{value:.4f}" for value in values]
        lines.append([row["setting"]["recipe"], f"{row['result']['rows']:,}", *cells])
    return rows.markdown(header, lines, left=1)


def _peak_table(measured: Sequence[rows.Row]) -> str:
    """One line per model: the share of the peak, and the ratio that a step at the peak would have.

    A step cannot be faster than its products alone at the speed of the largest one.
    """
    header = ["model", "backend", "a step", "peak", f"share, {KERAS}", f"share, {OURS}",
              "times as fast", "at the peak"]  # fmt: skip
    lines: list[Sequence[object]] = []
    for row in measured:
        result = row["result"]
        share = result["share"]
        lines.append(
            [
                *(row["setting"]["model"], row["setting"]["backend"]),
                f"{result['gigaoperations']:.3g} GFLOP",
                f"{result['peak']:.3g} GFLOP/s",
                *(f"{share[key]:.0%}" for key in (KERAS, OURS)),
                f"{result['against']['ratio']:.2f}x",
                f"{1 / share[KERAS]:.2f}x",
            ]
        )
    return rows.markdown(header, lines, left=2)


TABLES: dict[str, Callable[[Sequence[rows.Row]], str]] = {
    "": _step_table,
    "onnx": _onnx_table,
    "litert": _litert_table,
    "scores": _score_table,
    "peak": _peak_table,
}
#: The measurement of a model, by the value of the setting `export`.
MEASURES: dict[str, Callable[[str, int], rows.Row]] = {
    "": measure,
    "onnx": measure_onnx,
    "litert": measure_litert,
    "peak": measure_peak,
}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--models", nargs="+", choices=tuple(MODELS), default=tuple(MODELS))
    parser.add_argument("--rounds", type=int, default=31, help="steps of each contender")
    parts = parser.add_mutually_exclusive_group()
    for part, about in (
        ("onnx", "measure predictions from ONNX files"),
        ("litert", "measure predictions from LiteRT files, and what quantization costs"),
        ("peak", "measure a step beside a large matrix product"),
    ):
        parts.add_argument(f"--{part}", dest="part", action="store_const", const=part, help=about)
    arguments = parser.parse_args(argv)
    part = arguments.part or ""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    import keras

    cores = len(os.sched_getaffinity(0))
    backend = keras.backend.backend()
    measured = []
    for name in arguments.models:
        setting = {"model": name, "backend": backend, "rounds": arguments.rounds, "cores": cores}
        if part:
            setting["export"] = part
        step = functools.partial(MEASURES[part], name, arguments.rounds)
        row = rows.measured("interop", setting, step)
        measured.append(row)
        print(name, row["result"], file=sys.stderr, flush=True)
    print(table(measured, part))
    if part == "onnx":
        _judge_onnx(measured)
    elif part == "litert":
        print(table(_scored(), "scores"))
    elif not part:
        _judge_steps(measured)
    return 0


def _scored() -> list[rows.Row]:
    """A row for each recipe whose loss in score is measured."""
    result = []
    for recipe, settings in SCORED.items():
        setting = {"recipe": recipe, **settings, "export": "scores"}
        measure_recipe = functools.partial(measure_scores, recipe)
        result.append(rows.measured("interop", setting, measure_recipe))
    return result


def _judge_onnx(measured: Sequence[rows.Row]) -> None:
    """Print whether predictions from ONNX files reach the aims."""
    for size, least in (("row", ONNX_ROW), ("batch", ONNX_BATCH)):
        lowest = min(row["result"][size]["against"]["ratio"] for row in measured)
        verdict = "met" if lowest >= least else "missed"
        print(f"a {size} at least {least}x as fast: {verdict}, lowest {lowest:.2f}x")


def _judge_steps(measured: Sequence[rows.Row]) -> None:
    """Print whether a training step reaches the aim."""
    ratios = [row["result"]["against"]["ratio"] for row in measured]
    mean = targets.geometric_mean(ratios)
    met = mean >= MEAN and min(ratios) >= LEAST
    wanted = f"at least {MEAN:.1f}x as a geometric mean, and none slower"
    print(f"{wanted}: {'met' if met else f'missed, {mean:.2f}x, lowest {min(ratios):.2f}x'}")


if __name__ == "__main__":
    sys.exit(main())
