"""What is saved comes back: in a fresh process, from JSON, as a clone."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import kerasseq
from kerasseq import cells
from kerasseq.layers import AdditiveAttention, DotProductAttention, SequencePooling
from kerasseq.layers.pooling import MODES
from tests.layers.harness import WIDTH, array, assert_close, randomize, sequences, weighted
from tests.thorough import one_in

ROOT = Path(__file__).parents[2]

# Loads every model of a folder and compares what it predicts; knows only the layers' import.
FRESH = """
import sys
from pathlib import Path
import numpy as np
import keras
import kerasseq.layers

folder = Path(sys.argv[1])
inputs = np.load(folder / "inputs.npy")
for path in sorted(folder.glob("*.keras")):
    model = keras.models.load_model(path)
    found = np.asarray(keras.ops.convert_to_numpy(model(inputs)))
    expected = np.load(path.with_suffix(".npy"))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6, err_msg=path.stem)
    print(path.stem)
"""

STACKS: dict[str, tuple[Any, dict[str, Any]]] = {
    "one": ("lstm", {}),
    "both ways": ("gru", {"bidirectional": True, "merge": "ave"}),
    "deep": ("layernorm_lstm", {"depth": 2, "zoneout": (0.1, 0.2), "dropout": 0.3, "seed": 3}),
    "deep both ways": ("mgu", {"depth": 2, "bidirectional": True, "merge": "mul"}),
    "residual": ("indrnn", {"depth": 2, "residual": True}),
    "highway": ("gru", {"depth": 3, "highway": True, "reset_after": False}),
    "highway both ways": (
        "mingru",
        {"depth": 2, "highway": True, "bidirectional": True, "merge": "sum"},
    ),
    "projected": ("lstm", {"depth": 2, "projection": 2, "trainable_initial_state": True}),
    "complex": ("lru", {"depth": 2, "state": 5, "radius": (0.5, 0.9)}),
    "options": (
        "lstm",
        {
            "kernel": "scan",
            "zero_output_for_mask": True,
            "recurrent_initializer": "identity",
            "kernel_regularizer": "l2",
            "recurrent_constraint": "max_norm",
            "activation": "relu",
            "weight_drop": 0.2,
        },
    ),
    "mixed precision": ("gru", {"depth": 2, "highway": True, "dtype": "mixed_bfloat16"}),
}


def layer_of(name: str) -> Any:
    cell, options = STACKS[name]
    return kerasseq.rnn(cell, WIDTH, return_sequences=True, **options)


def models() -> dict[str, Any]:
    """Models of every kind of stack, and one with every mode of pooling and kind of attention."""
    levels = [cells.get("lstm")(2), keras.layers.GRUCell(2)]
    stacks = {name: layer_of(name) for name in STACKS if name not in ("one", "deep", "options")}
    stacks["list of cells"] = kerasseq.rnn(levels, bidirectional=True)
    made: dict[str, Any] = {}
    for name, stack in stacks.items():
        made[name] = keras.Sequential([keras.Input((None, WIDTH)), keras.layers.Masking(), stack])
    inputs = keras.Input((None, WIDTH))
    hidden = kerasseq.gru(4, return_sequences=True)(keras.layers.Masking()(inputs))
    heads = [SequencePooling(mode, units=5)(hidden) for mode in MODES]
    heads += [kind(6)(heads[0], hidden) for kind in (AdditiveAttention, DotProductAttention)]
    made["heads"] = keras.Model(inputs, keras.layers.Concatenate()(heads))
    return made


@pytest.mark.thorough
def test_models_load_in_a_fresh_process(tmp_path: Path) -> None:
    inputs = sequences()
    inputs[1, 3:] = 0  # masked
    np.save(tmp_path / "inputs.npy", inputs)
    made = models()
    for name, model in made.items():
        randomize(model)
        model.save(tmp_path / f"{name}.keras")
        expected = array(keras.ops.cast(model(inputs), "float32"))
        assert np.isfinite(expected).all()
        np.save(tmp_path / f"{name}.npy", expected)
    result = subprocess.run(
        [sys.executable, "-c", FRESH, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    assert sorted(result.stdout.splitlines()) == sorted(made)


LAYERS: dict[str, Callable[[], Any]] = {
    **{name: functools.partial(layer_of, name) for name in STACKS},
    **{f"pooling {mode}": functools.partial(SequencePooling, mode, units=2) for mode in MODES},
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_config_goes_through_json(name: str) -> None:
    layer = weighted(LAYERS[name]())
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(layer)))
    copy = keras.saving.deserialize_keras_object(config)
    assert type(copy) is type(layer)
    # Through JSON, since tuples come back as lists.
    assert json.dumps(copy.get_config()) == json.dumps(layer.get_config())
    copy.set_weights(layer.get_weights())
    assert_close(copy(sequences()), layer(sequences()))


@pytest.mark.parametrize("kind", [AdditiveAttention, DotProductAttention])
def test_a_config_of_attention_goes_through_json(kind: Any) -> None:
    config = json.loads(json.dumps(kind(6, name="mine").get_config()))
    copy = kind.from_config(config)
    assert (copy.units, copy.name) == (6, "mine")


@pytest.mark.parametrize("name", one_in(3, STACKS))
def test_a_clone_is_the_same_model_with_weights_of_its_own(name: str) -> None:
    model = keras.Sequential([keras.Input((None, WIDTH)), layer_of(name)])
    randomize(model)
    clone = keras.models.clone_model(model)
    assert_close([np.shape(w) for w in clone.get_weights()], [w.shape for w in model.get_weights()])
    assert {id(w) for w in clone.weights}.isdisjoint({id(w) for w in model.weights})
    clone.set_weights(model.get_weights())
    assert_close(clone(sequences()), model(sequences()))


@pytest.mark.parametrize("name", ["deep both ways", "highway", "projected"])
def test_weights_alone_load_into_the_same_stack(name: str, tmp_path: Path) -> None:
    def made(seed: int) -> Any:
        model = keras.Sequential([keras.Input((None, WIDTH)), layer_of(name)])
        randomize(model, seed)
        return model

    saved, loaded = made(1), made(2)
    saved.save_weights(tmp_path / "stack.weights.h5")
    loaded.load_weights(tmp_path / "stack.weights.h5")
    assert_close(loaded(sequences()), saved(sequences()), 0)
