"""Every cell comes back from its config, whatever its options."""

from __future__ import annotations

import inspect
import json
from typing import Any

import keras
import numpy as np
import pytest

from kerasseq import cells, kernels
from tests.cells.harness import (
    BACKEND,
    DTYPE,
    KINDS,
    NO_RECURRENT_KERNEL,
    close,
    layer_of,
    make,
    numpy,
    sequences,
    twin,
)
from tests.thorough import one_in

# Something other than the default for every argument of every cell.
OTHERS: dict[str, Any] = {
    "units": 3,
    "use_bias": False,
    "kernel_initializer": keras.initializers.RandomNormal(stddev=0.1, seed=1),
    "recurrent_initializer": "glorot_normal",
    "bias_initializer": keras.initializers.Constant(0.5),
    "kernel_regularizer": keras.regularizers.L2(0.01),
    "recurrent_regularizer": keras.regularizers.L1(0.02),
    "bias_regularizer": "l2",
    "kernel_constraint": keras.constraints.MaxNorm(3),
    "recurrent_constraint": keras.constraints.UnitNorm(),
    "bias_constraint": "non_neg",
    "dropout": 0.1,
    "recurrent_dropout": 0.2,
    "variational": False,
    "zoneout": 0.3,
    "weight_drop": 0.4,
    "projection": 2,
    "trainable_initial_state": True,
    "seed": 5,
    "activation": "softsign",
    "recurrent_activation": "hard_sigmoid",
    "unit_forget_bias": False,
    "reset_after": False,
    "beta": 0.5,
    "state": 6,
    "radius": (0.5, 0.9),
    "phase": 1.5,
}
SITUATION = kernels.CallContext(backend=BACKEND, timesteps=3)


def arguments(kind: type) -> set[str]:
    """All arguments of a cell's constructor, those of its bases included."""
    bases = kind.__mro__[: kind.__mro__.index(cells.Cell) + 1]
    result = {name for base in bases for name in inspect.signature(base.__init__).parameters}
    return result - {"self", "kwargs"}


def others(kind: str) -> dict[str, Any]:
    options = {name: OTHERS[name] for name in arguments(cells.get(kind))}
    if kind in NO_RECURRENT_KERNEL:
        del options["weight_drop"]
    if "use_bias" not in cells.get(kind)(1).options:
        del options["use_bias"]
    return options


@pytest.mark.parametrize("kind", KINDS)
def test_every_argument_survives_json(kind: str) -> None:
    cell = cells.get(kind)(**others(kind))
    config = cell.get_config()
    assert arguments(cells.get(kind)) <= set(config)
    again = cells.get(kind).from_config(json.loads(json.dumps(config)))
    assert json.dumps(again.get_config()) == json.dumps(config)
    default = cells.get(kind)(4).get_config()
    changed = {name for name in arguments(cells.get(kind)) if config[name] != default[name]}
    assert changed == set(others(kind))


@pytest.mark.parametrize("kind", one_in(3, KINDS))
def test_a_cell_from_its_config_computes_the_same(kind: str) -> None:
    options = {name: value for name, value in others(kind).items() if name not in ("units", "seed")}
    cell = make(kind, units=3, seed=5, **options)
    saved = keras.saving.serialize_keras_object(cell)
    again = keras.saving.deserialize_keras_object(json.loads(json.dumps(saved)))
    assert type(again) is type(cell)
    assert again.built  # Keras saves what it was built for
    assert [w.name for w in again.weights] == [w.name for w in cell.weights]
    again.set_weights(cell.get_weights())
    x = sequences(2, 3, 3)
    close(layer_of(again)(x), numpy(layer_of(cell)(x)))
    close(layer_of(twin(cell))(x, training=True), numpy(layer_of(twin(cell))(x, training=True)))


def test_per_state_rates_and_own_functions_survive_too() -> None:
    cell = cells.get("lstm")(3, zoneout=(0.1, 0.2), activation=keras.activations.gelu)
    again = cells.get("lstm").from_config(json.loads(json.dumps(cell.get_config())))
    assert again.zoneout_rates == (0.1, 0.2)
    assert again.activation is keras.activations.gelu


ACTIVATIONS = [
    (kind, option)
    for kind in KINDS
    for option in ("activation", "recurrent_activation")
    if option in arguments(cells.get(kind))
]


@pytest.mark.parametrize(("kind", "option"), one_in(3, ACTIVATIONS))
def test_an_activation_of_none_is_linear_on_every_kernel(kind: str, option: str) -> None:
    cell, linear = (make(kind, **{option: value}) for value in (None, "linear"))
    assert cell.get_config()[option] == "linear"
    x = sequences(2, 3, 3)
    expected = numpy(layer_of(linear, kernel="scan")(x))
    for kernel in kernels.names():
        if kernels.why_not(kernel, cell, SITUATION) is None:
            close(layer_of(twin(cell), kernel=kernel)(x), expected, what=kernel)


def test_an_lstm_without_activations_is_that_of_keras() -> None:
    options = {"activation": None, "recurrent_activation": None, "dtype": DTYPE}
    ours, theirs = make("lstm", **options), keras.layers.LSTM(4, return_sequences=True, **options)
    theirs.build((2, 3, 3))
    theirs.set_weights(ours.get_weights())
    x = sequences(2, 3, 3)
    close(layer_of(ours, return_state=False)(x), numpy(theirs(x)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_config_of_the_defaults_names_them(kind: str) -> None:
    """A file says which activation it was trained with, so that it never depends on a default."""
    config = cells.get(kind)(4).get_config()
    for option in ("activation", "recurrent_activation", "recurrent_initializer"):
        assert config.get(option, "") is not None


@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_argument_is_refused(kind: str) -> None:
    with pytest.raises((TypeError, ValueError), match="no_such_option"):
        cells.get(kind)(4, no_such_option=1)


def test_the_draws_of_a_cell_start_anew_from_its_config() -> None:
    cell = make("gru", recurrent_dropout=0.5, seed=5)
    x = np.ones((2, 3, 3), "float32")
    mask = numpy(cell.begin(x, True).recurrent_mask)
    assert 0 < np.mean(mask == 0) < 1
    close(twin(cell).begin(x, True).recurrent_mask, mask)
