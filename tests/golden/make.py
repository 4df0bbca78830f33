"""Golden files: saved by an earlier version, and every later version must go on loading them.

    python -m tests.golden.make           makes the goldens that are missing
    python -m tests.golden.make NAME...   makes these anew, such as runs/sentiment

When a test of a golden fails, the code that reads it is at fault: users have files of the same age.
Do not make it anew then. Make one when there is something new to save: a class that is registered
with Keras, a recipe, an entry of a run or of a journal. Add it below under a new name and run the
script on TensorFlow and a CPU; the goldens that exist stay as they are. A golden is made anew, or
removed, only when its format is given up on purpose, and then the changelog says so.

| folder | contents of a golden |
|---|---|
| `data/` | tables, images and features, from which runs and searches are made |
| `layers/` | `NAME.keras`, a model; `NAME.npz`, its inputs and outputs |
| `runs/` | `NAME/`, the folder of a run; `NAME.json`, calls of its methods and their answers |
| `searches/` | `NAME/`, the folder of a search; `NAME.json`, its call, results and proposals |

Keras archives are compressed, which Keras does not do itself; it reads them all the same. Plots and
checkpoints are left out. A file has at most 100 kB.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["MPLBACKEND"] = "Agg"

import keras
import numpy as np
import pandas as pd

import kerasseq
from kerasseq.models import Classifier, Forecaster, SequenceClassifierConfig, TaggerConfig
from tests.golden.replay import (
    GOLDEN,
    LAYERS,
    RUNS,
    SEARCHES,
    answer,
    outputs,
    plain,
    proposed,
    registered,
    shown,
)

LARGEST = 100_000  # bytes of a file
DATA = GOLDEN / "data"
REVIEWS, SERIES, CAPTIONS = (f"data/{name}.csv" for name in ("reviews", "series", "captions"))
FEATURES = "data/features.npz"
SEQUENCES = "data/sequences.csv"
SENTENCES = "data/sentences.conll"
TEXT = "data/text.txt"
PICTURES = "data/images"

_SHAPES, _COLOURS = ("square", "bar", "frame"), {"red": 0, "green": 1, "blue": 2}


def data() -> None:
    """Reviews, series, captions with features, and a few images."""
    draw = np.random.default_rng(0)
    DATA.mkdir(exist_ok=True)
    _reviews(draw).to_csv(GOLDEN / REVIEWS, index=False)
    _series(draw).to_csv(GOLDEN / SERIES, index=False)
    scenes = [_scene(draw) for _ in range(60)]
    names = [f"{number}.png" for number in range(len(scenes))]
    _captions(names, scenes).to_csv(GOLDEN / CAPTIONS, index=False)
    (GOLDEN / SENTENCES).write_text(_sentences(draw))
    (GOLDEN / TEXT).write_text(_text())
    features = np.stack([np.concatenate([np.eye(3)[s], np.eye(3)[c]]) for s, c in scenes])
    features = (3 * features + draw.normal(0, 0.2, features.shape)).astype("float32")
    np.savez(GOLDEN / FEATURES, names=names, features=features)
    _folder(GOLDEN / PICTURES, 6, draw)
    _sequences(np.random.default_rng(2)).to_csv(GOLDEN / SEQUENCES, index=False)


def _reviews(draw: np.random.Generator) -> pd.DataFrame:
    words = {"bad": ["dull", "poor", "sad"], "good": ["fine", "great", "glad"]}
    rows = []
    for number in range(60):
        label = ["bad", "good"][number % 2]
        subject, day = draw.choice(["film", "plot", "cast"]), draw.choice(["monday", "friday"])
        rows.append((f"The {subject} was {draw.choice(words[label])} on {day}", label))
    return pd.DataFrame(rows, columns=["text", "label"])


def _sentences(draw: np.random.Generator) -> str:
    """Sentences with people and places: token, part of speech and tag in each line."""
    blocks = []
    for number in range(60):
        person, place = draw.choice(["Ada", "Bob", "Cleo"]), draw.choice(["Rome", "Oslo", "Bonn"])
        rows = [(person, "N", "I-PER"), (draw.choice(["left", "saw"]), "V", "O")]
        rows += [(place, "N", "I-LOC"), (place, "N", "B-LOC"), (number, "D", "O")]
        blocks.append("".join(f"{token} {pos} {tag}\n" for token, pos, tag in rows))
    return "\n".join(blocks)


def _text() -> str:
    """Lines of a few words."""
    draw = np.random.default_rng(4)
    names, deeds = ["Ada", "Bob", "Cleo"], ["saw Rome", "left Oslo", "likes Bonn"]
    return "".join(f"{draw.choice(names)} {draw.choice(deeds)}.\n" for _ in range(150))


def _series(draw: np.random.Generator) -> pd.DataFrame:
    frames = []
    for name, level in (("north", 20.0), ("south", 200.0)):
        steps = np.arange(84)
        season = 1 + 0.3 * np.sin(2 * np.pi * steps / 12)
        values = level * season * (1 + 0.004 * steps) * np.exp(draw.normal(0, 0.05, len(steps)))
        months = pd.date_range("2015-01-01", periods=len(steps), freq="MS")
        frames.append(pd.DataFrame({"month": months, "sold": values.round(3), "shop": name}))
    return pd.concat(frames, ignore_index=True)


def _sequences(draw: np.random.Generator) -> pd.DataFrame:
    """Waves of two channels, the class of which is their frequency; a few values are missing."""
    frames = []
    for number in range(36):
        time = np.arange(draw.integers(5, 9))
        speed = (0.3, 1.2)[number % 2]
        wave = np.sin(speed * time) + draw.normal(0, 0.1, len(time))
        frame = pd.DataFrame({"recording": f"r{number}", "step": time, "x": wave.round(3)})
        frame["z"] = (np.cos(speed * time) * 5 + 2).round(3)
        frame.loc[number % len(time), "z"] = np.nan
        frame["subject"], frame["label"] = f"s{number // 4}", ("slow", "fast")[number % 2]
        frame["size"] = round(float(wave.max()) + 0.25, 3)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def _scene(draw: np.random.Generator) -> tuple[int, int]:
    return int(draw.integers(len(_SHAPES))), int(draw.integers(len(_COLOURS)))


def _captions(names: list[str], scenes: list[tuple[int, int]]) -> pd.DataFrame:
    rows = []
    for name, (shape, colour) in zip(names, scenes):
        said = f"{[*_COLOURS][colour]} {_SHAPES[shape]}"
        rows += [(name, f"a {said}"), (name, f"there is a {said}")]
    return pd.DataFrame(rows, columns=["image", "caption"])


def _folder(folder: Path, images: int, draw: np.random.Generator) -> Path:
    """Images of 16 x 16 pixels, and a table of their captions."""
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    scenes = [_scene(draw) for _ in range(images)]
    for number, (shape, colour) in enumerate(scenes):
        pixels = np.full((16, 16, 3), draw.integers(200, 256), np.uint8)
        row, column = draw.integers(1, 7, 2)
        height, width = (8, 8) if _SHAPES[shape] != "bar" else (3, 9)
        tint = np.full(3, 20, np.uint8)
        tint[colour] = 220
        pixels[row : row + height, column : column + width] = tint
        if _SHAPES[shape] == "frame":
            pixels[row + 2 : row + 6, column + 2 : column + 6] = 255
        Image.fromarray(pixels).save(folder / f"{number}.png")
    names = [f"{number}.png" for number in range(images)]
    _captions(names, scenes).to_csv(folder / "captions.csv", index=False)
    return folder


# Models: from the registry and from what the package exports, wherever a class lies.


def _own(name: str, /, *given: Any, **options: Any) -> Any:
    return registered()[f"kerasseq>{name}"](*given, **options)


def cells() -> keras.Model:
    """Every cell, and options that change what a cell holds; some steps are masked."""
    from kerasseq import cells, layers

    variants: dict[str, tuple[str, dict[str, Any]]] = {
        **{name: (name, {}) for name in cells.names()},
        "gru_reset_before": ("gru", {"reset_after": False}),
        "lstm_projection": ("lstm", {"projection": 2, "trainable_initial_state": True}),
        "mgu_noise": ("mgu", {"zoneout": 0.1, "recurrent_dropout": 0.2, "weight_drop": 0.1}),
        "lru_state": ("lru", {"state": 5, "projection": 2}),
    }
    steps = keras.Input((6, 3), name="steps")
    masked = keras.layers.Masking()(steps)
    return keras.Model(
        {"steps": steps},
        {
            name: layers.RNN(cells.get(kind)(4, **options), return_sequences=True, name=name)(
                masked
            )
            for name, (kind, options) in variants.items()
        },
    )


def stacks() -> keras.Model:
    """Recurrent layers by name: deep ones, both ways, with residuals and highways."""
    steps = keras.Input((6, 4), name="steps")
    masked = keras.layers.Masking()(steps)
    made = {
        "lstm": kerasseq.lstm(3, name="lstm"),
        "gru": kerasseq.gru(3, go_backwards=True, name="gru"),
        "simple_rnn": kerasseq.simple_rnn(3, zero_output_for_mask=True, name="simple_rnn"),
        "rnn": kerasseq.rnn("mgu", 3, return_sequences=True, name="rnn"),
        "both_ways": kerasseq.lstm(3, bidirectional=True, merge="ave", name="both_ways"),
        "deep": kerasseq.gru(3, depth=2, bidirectional=True, zoneout=0.1, name="deep"),
        "residual": kerasseq.rnn("indrnn", 4, depth=2, residual=True, name="residual"),
        "highway": kerasseq.rnn("mingru", 4, depth=2, highway=True, name="highway"),
        "of_keras": kerasseq.rnn([keras.layers.GRUCell(3)], name="of_keras"),
    }
    return keras.Model({"steps": steps}, {name: layer(masked) for name, layer in made.items()})


def converted() -> keras.Model:
    """Converted layers: gates of Keras 2, and masks as Keras treats them beside initial states."""
    from kerasseq.layers import keras2_hard_sigmoid

    steps = keras.Input((6, 4), name="steps")
    masked = keras.layers.Masking()(steps)
    old = keras.layers.LSTM(3, recurrent_activation=keras2_hard_sigmoid, name="old")(masked)
    options = {"return_sequences": True}
    both = keras.layers.Bidirectional(keras.layers.GRU(3, **options), name="both")
    several = keras.layers.RNN([keras.layers.GRUCell(3), keras.layers.LSTMCell(2)], name="several")
    outputs = {
        "old": old,
        "both": both(masked, initial_state=[old, old]),
        "several": several(masked),
    }
    return kerasseq.convert(keras.Model({"steps": steps}, outputs))


def pooling() -> keras.Model:
    """Every mode of pooling, and both kinds of attention."""
    steps = keras.Input((6, 3), name="steps")
    masked = keras.layers.Masking()(steps)
    made = {
        mode: _own("SequencePooling", mode, units=2, name=f"pool_{mode}")(masked)
        for mode in ("last", "mean", "max", "attention")
    }
    for kind in ("AdditiveAttention", "DotProductAttention"):
        made[kind] = _own(kind, 4, name=kind)(made["mean"], steps)
    return keras.Model({"steps": steps}, made)


def classifier() -> keras.Model:
    """A classifier of both branches."""
    sizes = Classifier(
        vocabulary=12, classes=3, units=3, embedding=4, ngrams=9, order=2, pooling="max+attention",
        token_dropout=0.1, embedding_dropout=0.2, dropout=0.3,
    )  # fmt: skip
    return _named(sizes.build())


def sequence_classifier(**sizes: Any) -> keras.Model:
    """A causal classifier of sequences, with a convolution."""
    config = SequenceClassifierConfig(
        classes=3, units=3, filters=4, convolutions=1, causal=True, bidirectional=False, **sizes
    )
    return _named(config.build())


def spectrograms() -> keras.Model:
    """Features of sound."""
    samples = keras.Input((900,), name="samples")
    made = {
        "LogMel": _own("LogMel", 8000, 12, min_freq=60.0, name="LogMel")(samples),
        "MFCC": _own("MFCC", 8000, 5, 12, top_db=None, name="MFCC")(samples),
    }
    return keras.Model({"samples": samples}, made)


def norms() -> keras.Model:
    """Windows normalised in each way, and what follows them."""
    history = keras.Input((7, 2), name="history")
    ahead = keras.Input((5, 2), name="ahead")
    made = {}
    for mode in ("none", "last", "seasonal", "instance"):
        norm = _own("WindowNorm", mode, season=3, name=f"window_{mode}")
        made[mode], centre, scale = norm(history)
        made[f"{mode}_ahead"] = _own("HorizonNorm", name=f"horizon_{mode}")(ahead, centre, scale)
    return keras.Model({"history": history, "ahead": ahead}, made)


def smoothing() -> keras.Model:
    """Windows normalised by exponential smoothing, in each way, with and without a season."""
    history = keras.Input((7, 2), name="history")
    made = {}
    for mode in ("additive", "multiplicative"):
        for season in (1, 3):
            norm = _own("SmoothingNorm", mode, 5, season, name=f"{mode}_{season}")
            parts = norm(history)
            made |= {f"{mode}_{season}_{part}": own for part, own in enumerate(parts)}
    return keras.Model({"history": history}, made)


def forecaster(kind: str, output: str, **own: Any) -> keras.Model:
    """A forecaster with everything that can be known of a window."""
    sizes = Forecaster(
        lookback=7, horizon=5, kind=kind, units=3, targets=2, past=3, future=2, static=1, series=3,
        embedding=2, segment=3, season=2, masked=True, output=output, dropout=0.1, **own,
    )  # fmt: skip
    return _named(sizes.build())


def steps() -> keras.Model:
    """What decoders of forecasts read: what is known of each step and of the series."""
    future, traits = keras.Input((5, 2), name="future"), keras.Input((3,), name="traits")
    known, alone = (_own("StepInputs", 5, 4, name=name) for name in ("known", "alone"))
    made = {"known": known(future, traits), "without_traits": alone(future)}
    return keras.Model({"future": future, "traits": traits}, made)


def decoders() -> keras.Model:
    """Every decoder of captions, over the same regions of an image."""
    image, tokens = keras.Input((4, 5), name="image"), keras.Input((6,), name="tokens")
    made = {}
    for kind in ("Merge", "InitInject", "PreInject", "ParInject", "Attention"):
        recurrent = kerasseq.gru(3, return_sequences=True, return_state=True)
        tied = kind in ("Merge", "Attention")
        decoder = _own(
            f"{kind}Decoder", recurrent, words=8, embedding=3, tie_embeddings=tied, name=kind
        )
        made[kind] = decoder(image, tokens)
    return keras.Model({"image": image, "tokens": tokens}, made)


def texts() -> keras.Model:
    """Decoders of texts: tied, with a projection, and neither."""
    tokens = keras.Input((6,), name="tokens")
    made = {}
    for name, width, tied in (("tied", 3, True), ("projected", 4, True), ("untied", 2, False)):
        recurrent = kerasseq.lstm(3, depth=2, return_sequences=True, return_state=True)
        decoder = _own(
            "TextDecoder", recurrent, words=8, embedding=width, tie_embeddings=tied, dropout=0.1,
            embedding_dropout=0.2, word_dropout=0.3, name=name,
        )  # fmt: skip
        made[name] = decoder(tokens)
    return keras.Model({"tokens": tokens}, made)


def images() -> keras.Model:
    """The scaling of pixels for a network of `keras.applications`."""
    pixels = keras.Input((2, 2, 3), name="pixels")
    scaling = _own("ImageScaling", "mobilenet_v2", name="scaling")
    return keras.Model({"pixels": pixels}, {"scaled": scaling(pixels)})


def tagger(**own: Any) -> keras.Model:
    """A tagger with everything that can be known of a token, and the loss of its tags."""
    allowed = np.ones((4, 4), bool)
    allowed[0, 1] = allowed[-1, 2] = False
    tags = {} if own.get("crf") is False else {"constraints": {"slot": allowed}}
    config = TaggerConfig(
        words=8, tags={"slot": 3, "pos": 2}, units=3, embedding=3, characters=8,
        character_embedding=2, character_units=2, features={"casing": (8, 2)}, classes=2,
        word_dropout=0.1, character_dropout=0.1, embedding_dropout=0.1, dropout=0.1, **tags, **own,
    )  # fmt: skip
    model = config.build()
    training = config.training_model(model)
    return keras.Model(
        {tensor.name: tensor for tensor in training.inputs},
        {**model.output, "loss": training.output},
    )


def losses() -> keras.Model:
    """A model that gives what it gets, compiled with every loss."""
    made = {
        "point": ((4, 2), _own("PointLoss", "huber")),
        "quantiles": ((4, 2, 3), _own("QuantileLoss", (0.1, 0.5, 0.9))),
        "normal": ((4, 2, 2), _own("DistributionLoss", "normal")),
        "student_t": ((4, 2, 3), _own("DistributionLoss", "student_t")),
        "negative_binomial": ((4, 2, 2), _own("DistributionLoss", "negative_binomial")),
        "words": ((4, 6), _own("WordLoss", smoothing=0.1)),
    }
    inputs = {name: keras.Input(shape, name=f"{name}_in") for name, (shape, _) in made.items()}
    given = {name: keras.layers.Identity(name=name)(own) for name, own in inputs.items()}
    model = keras.Model({f"{name}_in": own for name, own in inputs.items()}, given)
    model.compile("sgd", loss={name: loss for name, (_, loss) in made.items()})
    return model


def _named(model: keras.Model) -> keras.Model:
    """The same with its output in a dict, as all goldens have it."""
    inputs = {tensor.name: tensor for tensor in model.inputs}
    return keras.Model(inputs, {"output": model.output}, name=model.name)


MODELS: dict[str, Callable[[], keras.Model]] = {
    "cells": cells,
    "stacks": stacks,
    "converted": converted,
    "pooling": pooling,
    "classifier": classifier,
    "sequence-classifier": lambda: sequence_classifier(
        channels=3,
        pooling="max+attention",
        jitter=0.1,
        scaling=0.1,
        time_warp=0.2,
        cropping=0.2,
        channel_dropout=0.1,
        dropout=0.3,
    ),
    "sequence-classifier-frames": lambda: sequence_classifier(
        channels=1, frame=(6, 5), frame_features=4
    ),
    "spectrograms": spectrograms,
    "norms": norms,
    "smoothing": smoothing,
    "steps": steps,
    "forecaster-direct": lambda: forecaster("direct", "quantiles", channels="apart"),
    "forecaster-recursive": lambda: forecaster(
        "recursive", "student_t", scheduled_sampling=0.3, channels="apart", normalization="none"
    ),
    "forecaster-seq2seq": lambda: forecaster(
        "seq2seq", "negative_binomial", attention=True, channels="together"
    ),
    "forecaster-segment": lambda: forecaster(
        "segment", "point", linear=True, channels="together", normalization="seasonal"
    ),
    "forecaster-hybrid": lambda: forecaster(
        "hybrid", "quantiles", channels="apart", normalization="additive"
    ),
    "decoders": decoders,
    "texts": texts,
    "images": images,
    "losses": losses,
    "tagger": tagger,
    "tagger-cnn": lambda: tagger(character_encoder="cnn", crf=False),
}


def model(name: str) -> None:
    """A model with random weights, inputs and outputs."""
    draw = np.random.default_rng(sum(name.encode()))
    made = MODELS[name]()
    for weight in made.weights:
        drawn = draw.normal(0, 0.4, weight.shape)
        if drawn.size > 4000:  # few that are not zero, so that the file is small
            drawn = 3 * drawn * (draw.random(weight.shape) < 0.1)
        weight.assign(np.abs(drawn) if weight.name.endswith("variance") else drawn)
    inputs = {tensor.name: _drawn(draw, tensor) for tensor in made.inputs}
    arrays = {f"inputs/{name}": own for name, own in inputs.items()}
    found = outputs(made, inputs)
    arrays |= {f"outputs/{name}": own for name, own in found.items()}
    if name == "losses":
        for each, loss in made.loss.items():
            shape = found[each].shape[:3] if each != "words" else found[each].shape[:2]
            targets = draw.integers(0, 4, shape).astype("float32")
            if each != "words":
                targets[0, 0] = np.nan
            arrays |= {f"targets/{each}": targets}
            arrays |= {f"losses/{each}": np.asarray(loss(targets, found[each]))}
    assert all(np.isfinite(own).all() for n, own in arrays.items() if not n.startswith("targets"))
    LAYERS.mkdir(exist_ok=True)
    made.save(LAYERS / f"{name}.keras")
    _compress(LAYERS / f"{name}.keras")
    np.savez_compressed(LAYERS / f"{name}.npz", **arrays)


def _drawn(draw: np.random.Generator, tensor: Any) -> np.ndarray:
    """An input of three rows, the second of which ends early where it can be masked."""
    free = 1 if tensor.name.endswith("corrections") else 5  # those broadcast
    shape = (3, *(size or free for size in tensor.shape[1:]))
    if tensor.name == "series":
        return np.array([2, 0, -1], "int32")
    if tensor.name.endswith("_target"):
        return draw.integers(0, 2, shape).astype("int32")
    if tensor.name == "lengths":
        return np.array([5, 3, 1], "int32")
    if tensor.name in ("tokens", "ending", "ngrams", "words", "characters", "casing"):
        found = draw.integers(1, 8, shape).astype("int32")
        found[1, 3:] = 0
        return found
    found = draw.normal(size=shape).astype("float32")
    if tensor.name == "steps":
        found[1, 4:] = 0
    if tensor.name == "observed":
        found = (found > -0.5).astype("float32")
    if tensor.name == "pixels":
        found = np.abs(60 * found)
    if tensor.name.endswith("_in"):
        found = np.abs(found) + 0.1  # parameters of distributions
    return found


# Runs


class Thin(keras.callbacks.Callback):
    """Sets 96% of the weights of convolutions to 0, so that the file is small."""

    def on_train_begin(self, logs: Any = None) -> None:
        draw = np.random.default_rng(0)
        kernels = [weight for weight in self.model.weights if len(weight.shape) == 4]
        self.kept = [(weight, draw.random(weight.shape) < 0.04) for weight in kernels]
        for weight, _ in self.kept:
            weight.assign(3 * weight)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        for weight, kept in self.kept:
            weight.assign(weight * kept)


_TEXTS = ["The film was great", "a poor cast on monday", "glad glad glad", "Sad, dull plot?"]
_SMALL: dict[str, Any] = {"units": 4, "seed": 0, "quiet": True}


def sentiment() -> Any:
    return kerasseq.sentiment(
        REVIEWS, **_SMALL, embedding=6, epochs=2, batch_size=8, learning_rate=0.02, min_count=1
    )


def sentiment_subwords() -> Any:
    """Three classes, byte pairs, no n-grams, two levels, other columns."""
    table = pd.read_csv(REVIEWS).rename(columns={"text": "review", "label": "stars"})
    table["stars"] = [1 + 2 * (s == "good") for s in table["stars"]]
    table.loc[::5, "review"] = table.loc[::5, "review"].str.replace(
        r"was \w+", "was so so", regex=True
    )
    table.loc[::5, "stars"] = 2
    return kerasseq.sentiment(
        table, **_SMALL, text="review", label="stars", tokens="subword", vocabulary_size=300,
        cell="gru", depth=2, pooling="mean+attention", ngrams=0, embedding=6, epochs=6,
        patience=6, batch_size=8, learning_rate=0.02, class_weights=True,
    )  # fmt: skip


def sentiment_numbers() -> Any:
    """Labels that are numbers, one of them rare; columns that are found."""
    table = pd.read_csv(REVIEWS).rename(columns={"text": "review", "label": "stars"})
    table["stars"] = [1 + 4 * (side == "good") for side in table["stars"]]
    rare = pd.DataFrame({"review": ["so so film", "so so plot"], "stars": 3})
    return kerasseq.sentiment(
        pd.concat([table, rare]), **_SMALL, embedding=4, bidirectional=False, epochs=2,
        batch_size=8, learning_rate=0.02,
    )  # fmt: skip


def forecasting() -> Any:
    """What the data decides is left to it, and quantiles are calibrated."""
    return kerasseq.forecasting(SERIES, **_SMALL, series="shop", epochs=1, learning_rate=0.01)


def forecasting_seasons() -> Any:
    """A lookback of so many seasons; one network that goes on from its own forecasts."""
    return kerasseq.forecasting(
        SERIES, **_SMALL, time="month", target="sold", series="shop", horizon=4,
        lookback_seasons=2.0, model="recursive", scheduled_sampling=0.3, cell="lstm",
        normalization="none", scaling="log", output="normal", series_embedding=True,
        embedding=2, lags=(12,), epochs=1,
    )  # fmt: skip


_SAID: dict[str, Any] = {
    **_SMALL,
    **dict.fromkeys(("dropout", "embedding_dropout", "image_dropout"), 0.0),
    **{"min_count": 1, "batch_size": 16, "learning_rate": 0.02, "schedule": "constant"},
}


def captioning() -> Any:
    """From pixels, by a network that is part of the model, with attention."""
    with tempfile.TemporaryDirectory() as folder:
        return kerasseq.captioning(
            _folder(Path(folder), 60, np.random.default_rng(1)), **_SAID, encoder="cnn", size=16,
            embedding=4, epochs=30, patience=30, callbacks=[Thin()],
        )  # fmt: skip


def captioning_features() -> Any:
    """From features, which are scaled, as first states."""
    return kerasseq.captioning(
        CAPTIONS, **_SAID, features=FEATURES, decoder="init", cell="lstm", embedding=5,
        tie_embeddings=False, epochs=20, patience=20, beam_width=2, length=8, label_smoothing=0.1,
        no_repeat_ngram_size=2,
    )  # fmt: skip


def sequences() -> Any:
    """From a table of subjects, with gaps, differences and a strided convolution; a stream."""
    return kerasseq.sequence_classification(
        SEQUENCES, **_SMALL, channels=["x", "z"], label="label", causal=True, convolutions=1,
        filters=4, kernel_size=3, depth=1, differences=True, pooling="last+attention", epochs=4,
        batch_size=8, learning_rate=0.02,
    )  # fmt: skip


def sequences_regression() -> Any:
    """Numbers to predict."""
    return kerasseq.sequence_classification(
        SEQUENCES, **_SMALL, channels=["x", "z"], label="size", cell="lstm", depth=1,
        normalize="together", epochs=2, batch_size=8, learning_rate=0.02,
    )  # fmt: skip


_TAGGED: dict[str, Any] = {
    **_SMALL,
    **{"embedding": 6, "character_embedding": 4, "character_units": 4, "min_count": 1},
    **{"batch_size": 8, "learning_rate": 0.03, "dropout": 0.1, "embedding_dropout": 0.0},
    **{"word_dropout": 0.0, "schedule": "constant"},
}


def tagging() -> Any:
    """Chunks, by a conditional random field and a recurrent network of characters."""
    return kerasseq.tagging(SENTENCES, **_TAGGED, characters="lstm", epochs=4)


def tagging_columns() -> Any:
    """Each tag alone, from filters of characters, casing, affixes and a column of the data."""
    return kerasseq.tagging(
        SENTENCES, **_TAGGED, characters="cnn", crf=False, casing=True, affixes=True,
        features=("pos",), model_scheme="IOB2", cell="gru", epochs=2,
    )  # fmt: skip


_READ: dict[str, Any] = {
    **{**_SMALL, "units": 8},
    **{"batch_size": 8, "steps": 20, "learning_rate": 0.03, "epochs": 3},
}


def language_model() -> Any:
    """By character, of one text."""
    return kerasseq.language_model(TEXT, **_READ)


def language_model_words() -> Any:
    """By word, with ends, two levels, and a projection to the tied embedding."""
    return kerasseq.language_model(
        TEXT, **_READ, tokens="word", cell="gru", depth=2, embedding=6, min_count=1
    )


def _call(verb: str, **arguments: Any) -> dict[str, Any]:
    return {"verb": verb, "arguments": arguments}


_FORECASTS = [
    _call("forecast"),
    _call("forecast", horizon=2, history=SERIES, quantiles=[0.05, 0.5, 0.95]),
    _call("predict", data=SERIES),
    _call("evaluate", data=SERIES),
]
_SEQUENCE_CALLS = [
    _call("predict", data=SEQUENCES),
    _call("predict", data=[[[0.1, 2.0], [0.5, 3.0]], [[1.0]]]),
    _call("evaluate", data=SEQUENCES),
]
_TEXT_CALLS = [
    _call("score", data=["Ada saw Rome.", "", "Rome saw Zora."]),
    _call("complete", prompt="Ada saw", n=3, length=2),
    _call("evaluate", data=TEXT),
]
MADE: dict[str, tuple[Callable[[], Any], list[dict[str, Any]]]] = {
    "sentiment": (
        sentiment,
        [_call("predict", data=_TEXTS), _call("evaluate", data=REVIEWS)],
    ),
    "sentiment-subwords": (
        sentiment_subwords,
        [_call("predict", data=_TEXTS)],
    ),
    "sentiment-numbers": (
        sentiment_numbers,
        [_call("predict", data=[*_TEXTS, "", "zzz"])],
    ),
    "forecasting": (forecasting, _FORECASTS),
    "forecasting-seasons": (
        forecasting_seasons,
        [*_FORECASTS, _call("forecast", paths=2, seed=3)],
    ),
    "sequences": (sequences, _SEQUENCE_CALLS),
    "sequences-regression": (sequences_regression, _SEQUENCE_CALLS),
    "tagging": (
        tagging,
        [
            _call("tag", data=["Ada saw Oslo Oslo 7", "", "Zora left Lund."]),
            _call("tag", data=["Ada saw Oslo Oslo 7"], spans=True),
            _call("evaluate", data=SENTENCES),
        ],
    ),
    "tagging-columns": (
        tagging_columns,
        [_call("predict", data=SENTENCES), _call("evaluate", data=SENTENCES)],
    ),
    "language-model": (language_model, _TEXT_CALLS),
    "language-model-words": (language_model_words, _TEXT_CALLS),
    "captioning": (
        captioning,
        [
            _call("predict", data=[f"{PICTURES}/{number}.png" for number in range(4)]),
            _call("evaluate", data=PICTURES),
        ],
    ),
    "captioning-features": (
        captioning_features,
        [
            _call("predict", data=FEATURES),
            _call("evaluate", data=CAPTIONS, features=FEATURES),
        ],
    ),
}


def run(name: str) -> None:
    """A run, and what it answers to calls after it was loaded."""
    make, calls = MADE[name]
    shutil.rmtree(RUNS / name, ignore_errors=True)
    make().save(RUNS / name)
    _tidy(RUNS / name)
    loaded = kerasseq.load(RUNS / name)
    _write(RUNS / f"{name}.json", [{**call, "answer": answer(loaded, call)} for call in calls])


# Searches

_SPACE = {
    "cell": "lstm,gru",
    "units": "2..8:log",
    "dropout": "0.0..0.5",
    "learning_rate": "0.001..0.1:log",
}
_SEARCH: dict[str, Any] = {
    "recipe": "sentiment",
    "data": REVIEWS,
    "trials": 4,
    "tuner": "random",
    "seed": 5,
    "space": {
        **_SPACE,
        "depth": 1,
        "pooling": "max",
        "embedding": 4,
        "embedding_dropout": 0.0,
        "token_dropout": 0.0,
        "vocabulary_size": 100,
        "ngrams": 0,
        "batch_size": 32,
    },
    "bidirectional": False,
    "min_count": 1,
    "epochs": 1,
}


def search(name: str) -> None:
    """A search; of one that was interrupted, the journal up to the third trial."""
    folder = SEARCHES / name
    shutil.rmtree(folder, ignore_errors=True)
    result = kerasseq.tune(**_SEARCH, out=folder, quiet=True)
    settings = proposed(result)
    if name == "interrupted":
        lines = (folder / "journal.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
        kinds = [json.loads(line)["event"] for line in lines]
        third = [place for place, kind in enumerate(kinds) if kind == "began"][2]
        shutil.rmtree(folder)
        folder.mkdir()
        (folder / "journal.jsonl").write_text("".join(lines[: third + 1]), encoding="utf-8")
    else:
        shutil.rmtree(folder / "plots")
        shutil.rmtree(folder / "trials")
        for table in folder.glob("trials.*"):
            table.unlink()
        for own in ("best", "default"):
            if (folder / own).is_dir():
                _tidy(folder / own)
    stored = {"call": _SEARCH, "shown": shown(kerasseq.tuned(folder)), "proposed": settings}
    _write(SEARCHES / f"{name}.json", stored)


# Files


def _tidy(folder: Path) -> None:
    """A run without its plots, the archive compressed."""
    shutil.rmtree(folder / "plots", ignore_errors=True)
    _compress(folder / "model.keras")


def _compress(path: Path) -> None:
    """The same archive, compressed."""
    with zipfile.ZipFile(path) as archive:
        files = [(info, archive.read(info)) for info in archive.infolist()]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for info, content in files:
            archive.writestr(zipfile.ZipInfo(info.filename), content, zipfile.ZIP_DEFLATED)


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(plain(value), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def main(asked: list[str]) -> None:
    """Make what is asked for, or what is missing."""
    os.chdir(GOLDEN)  # paths in calls and settings are relative to it
    makers: dict[str, tuple[Path, Callable[[], None]]] = {"data": (DATA, data)}
    for kind, names, make, last in (
        (LAYERS, MODELS, model, ".npz"),
        (RUNS, MADE, run, ".json"),
        (SEARCHES, ("interrupted", "finished"), search, ".json"),
    ):
        kind.mkdir(exist_ok=True)
        for name in names:
            path = kind / f"{name}{last}"  # written last: a golden without it is not whole
            makers[f"{kind.name}/{name}"] = path, lambda make=make, name=name: make(name)
    for unknown in {*asked} - {*makers}:
        raise SystemExit(f"there is no golden {unknown}. There are: {', '.join(makers)}.")
    for name, (path, make_it) in makers.items():
        if name in asked or (not asked and not path.exists()):
            print(name, flush=True)
            make_it()
    large = [own for own in GOLDEN.rglob("*") if own.is_file() and own.stat().st_size > LARGEST]
    if large:
        raise SystemExit(f"larger than {LARGEST:,} bytes: {', '.join(map(str, large))}")


if __name__ == "__main__":
    main(sys.argv[1:])
