"""Writes models in the HDF5 format of Keras 2, with their predictions.

The files beside this script were written with TensorFlow 2.15.1 and its Keras 2.15.0, in an
environment of their own:

    python -m pip install tensorflow-cpu==2.15.1 && python tests/interop/keras2/make.py

`old.h5` is a file of Keras 2.1 as far as its config and the names of its weights go: they are
written anew here, since Keras 2.1 does not run on any Python of today.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import tensorflow as tf
from keras import layers

FOLDER = Path(__file__).parent
TOKENS = np.array([[1, 2, 3, 4, 5], [6, 5, 0, 0, 0], [3, 0, 4, 0, 0]])
SEQUENCES = np.random.default_rng(0).normal(size=(4, 5, 3)).astype("float32")


def stacked() -> tuple[Any, Any]:
    """Two levels behind an embedding with a mask, compiled, with the state of the optimizer."""
    model = keras.Sequential(
        [
            layers.Embedding(7, 3, mask_zero=True, input_length=5),
            layers.LSTM(4, return_sequences=True, dropout=0.1, recurrent_dropout=0.1),
            layers.LSTM(3),
            layers.Dense(2, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(TOKENS, np.array([0, 1, 1]), epochs=2, verbose=0)
    return model, TOKENS


def bidirectional() -> tuple[Any, Any]:
    """Two directions, twice, and a layer at every timestep."""
    model = keras.Sequential(
        [
            keras.Input((None, 3)),
            layers.Bidirectional(layers.LSTM(4, return_sequences=True), name="reader"),
            layers.Bidirectional(layers.GRU(3, return_sequences=True), merge_mode="sum"),
            layers.TimeDistributed(layers.Dense(2)),
        ]
    )
    return model, SEQUENCES


def stateful() -> tuple[Any, Any]:
    """A GRU that carries its state; predictions are those of the first batch."""
    model = keras.Sequential(
        [layers.GRU(4, stateful=True, batch_input_shape=(4, 5, 3)), layers.Dense(1)]
    )
    return model, SEQUENCES


def grus() -> tuple[Any, Any]:
    """Both forms of the GRU beside each other, behind a mask."""
    inputs = keras.Input((5, 3))
    masked = layers.Masking(0.0)(inputs)
    after = layers.GRU(4, reset_after=True, name="after")(masked)
    before = layers.GRU(4, reset_after=False, name="before")(masked)
    sequences = SEQUENCES.copy()
    sequences[1, 3:] = 0
    sequences[2, :2] = 0
    return keras.Model(inputs, layers.Dense(1)(layers.concatenate([after, before]))), sequences


def activations() -> tuple[Any, Any]:
    """Functions other than the defaults; the hard sigmoid of Keras 2 is steeper than that of 3."""
    hidden = [
        layers.LSTM(
            4, activation="elu", recurrent_activation="hard_sigmoid", return_sequences=True
        ),
        layers.SimpleRNN(3, activation="relu", return_sequences=True, go_backwards=True),
        layers.RNN([layers.LSTMCell(3), layers.GRUCell(2)]),
        layers.Dense(2, activation="hard_sigmoid"),
    ]
    return keras.Sequential([keras.Input((5, 3)), *hidden]), SEQUENCES


def seq2seq() -> tuple[Any, Any]:
    """An encoder whose states begin a decoder, and a model inside a model."""
    inputs = [keras.Input((5, 3), name="past"), keras.Input((4, 2), name="future")]
    *_, h, c = layers.LSTM(4, return_state=True, name="encoder")(inputs[0])
    decoded = layers.LSTM(4, return_sequences=True, name="decoder")(inputs[1], initial_state=[h, c])
    head = keras.Sequential(
        [keras.Input((4, 4)), layers.BatchNormalization(), layers.GRU(3, name="inner")],
        name="head",
    )
    future = np.random.default_rng(1).normal(size=(4, 4, 2)).astype("float32")
    return keras.Model(inputs, head(decoded)), [SEQUENCES, future]


def shared() -> tuple[Any, Any]:
    """A model that is called twice, states by keyword, and options that Keras 3 does not have."""
    steps = keras.Input((5, 3), name="steps")
    inner = keras.Model(steps, layers.GRU(3, name="inner_gru")(steps), name="inner")
    inputs = [keras.Input((5, 3), name="a"), keras.Input((5, 3), name="b")]
    difference = layers.subtract([inner(inputs[0]), inner(inputs[1])])
    dropped = layers.SpatialDropout1D(0.1)(layers.BatchNormalization()(inputs[0]))
    read = layers.Bidirectional(layers.GRU(3), name="read")(
        dropped, initial_state=[difference, difference]
    )
    model = keras.Model(inputs, layers.Dense(1)(layers.LeakyReLU(alpha=0.2)(read)))
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(keras.optimizers.legacy.Adam(decay=1e-5), loss, metrics=["acc"])
    return model, [SEQUENCES, SEQUENCES[::-1].copy()]


def cudnn() -> tuple[Any, Any]:
    """Layers of cuDNN; Keras 2 itself gives their weights to ordinary layers, which predict."""
    fast, slow = (
        keras.Sequential([keras.Input((5, 3)), first, second, layers.Dense(1)])
        for first, second in (
            (
                tf.compat.v1.keras.layers.CuDNNLSTM(4, return_sequences=True),
                tf.compat.v1.keras.layers.CuDNNGRU(3),
            ),
            (layers.LSTM(4, return_sequences=True), layers.GRU(3)),
        )
    )
    randomize(fast)
    fast.save_weights(FOLDER / "weights.h5")
    slow.load_weights(FOLDER / "weights.h5")
    (FOLDER / "weights.h5").unlink()
    fast.reference = slow
    return fast, SEQUENCES


def old() -> tuple[Any, Any]:
    """A model of Keras 2.1: no `reset_after`, hard sigmoids, layers in a bare list."""
    hidden = [
        layers.GRU(
            4, reset_after=False, recurrent_activation="hard_sigmoid", name="gru_1",
            return_sequences=True,
        ),
        layers.LSTM(3, recurrent_activation="hard_sigmoid", name="lstm_1"),
        layers.Dense(1, name="dense_1"),
    ]  # fmt: skip
    return keras.Sequential([keras.Input((5, 3)), *hidden]), SEQUENCES


def randomize(model: Any) -> None:
    """Give a model weights of which none is zero, and variances above zero."""
    rng = np.random.default_rng(2)
    values = [(w.name, rng.normal(scale=0.5, size=w.shape)) for w in model.weights]
    model.set_weights([abs(value) if "variance" in name else value for name, value in values])


def age(path: Path) -> None:
    """Give a file the config and the names of Keras 2.1."""
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        nodes = [n for n in config["config"]["layers"] if n["class_name"] != "InputLayer"]
        keep = ("units", "activation", "recurrent_activation", "use_bias", "implementation")
        keep += ("return_sequences", "name", "trainable", "dtype", "dropout", "recurrent_dropout")
        for node in nodes:
            settings = node["config"]
            node.clear()
            node["class_name"] = {"gru": "GRU", "lstm": "LSTM", "dense": "Dense"}[
                settings["name"].partition("_")[0]
            ]
            node["config"] = {key: settings[key] for key in keep if key in settings}
            node["config"]["dtype"] = "float32"
        nodes[0]["config"]["batch_input_shape"] = [None, 5, 3]
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": nodes})
        for place in (file, file["model_weights"]):
            place.attrs["keras_version"] = "2.1.6"
        for name, group in file["model_weights"].items():
            if name not in ("gru_1", "lstm_1", "dense_1"):
                continue
            values = [(key, group[key][()]) for key in group.attrs["weight_names"]]
            for key in list(group):
                del group[key]
            names = [f"{name}/{key.rsplit('/', 1)[-1]}" for key, _ in values]
            for key, (_, value) in zip(names, values):
                group[key] = value
            group.attrs["weight_names"] = [key.encode() for key in names]


def main() -> None:
    arrays: dict[str, np.ndarray] = {}
    for make in (stacked, bidirectional, stateful, grus, activations, seq2seq, shared, cudnn, old):
        keras.utils.set_random_seed(1)
        keras.backend.clear_session()
        model, inputs = make()
        if make not in (stacked, cudnn):
            randomize(model)
        path = FOLDER / f"{make.__name__}.h5"
        model.save(path, save_format="h5")
        if make is shared:  # Keras 2.12 to 2.15 wrote such files, too
            model.save(path.with_suffix(".keras"))
        if make is old:
            age(path)
        inputs = inputs if isinstance(inputs, list) else [inputs]
        reference = getattr(model, "reference", model)
        for number, array in enumerate(inputs):
            arrays[f"{make.__name__}/{number}"] = array
        arrays[make.__name__] = reference(inputs if len(inputs) > 1 else inputs[0]).numpy()
    np.savez_compressed(FOLDER / "predictions.npz", **arrays)


if __name__ == "__main__":
    main()
