"""Where the weights of a cell start."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from kerasseq import cells
from tests.cells import statement
from tests.cells.harness import KINDS
from tests.thorough import covering

WITH_FORGET_BIAS = ["lstm", "peephole_lstm", "coupled_lstm", "layernorm_lstm", "janet"]


def built(kind: str, units: int = 4, **options: Any) -> statement.Weights:
    cell = cells.get(kind)(units, **options)
    cell.build((None, 3))
    return statement.weights_of(cell)


@pytest.mark.parametrize("kind", KINDS)
def test_biases_and_initial_states_start_at_zero_and_gains_at_one(kind: str) -> None:
    weights = built(kind, trainable_initial_state=True)
    for name, value in weights.items():
        if name.startswith("initial_") or "shift" in name or name == "recurrent_bias":
            assert not value.any(), name
        elif "gain" in name:
            assert (value == 1).all(), name
        elif name == "bias" and kind not in WITH_FORGET_BIAS:
            assert not value.any()
        elif "kernel" in name:
            assert value.any(), name


@pytest.mark.parametrize("kind", WITH_FORGET_BIAS)
def test_the_forget_gate_starts_open_unless_told_otherwise(kind: str) -> None:
    gates = cells.get(kind)(4).spec.gates
    for gate, bias in zip(gates, np.split(built(kind)["bias"], len(gates)), strict=True):
        assert (bias == (gate == "forget")).all(), gate
    assert not built(kind, unit_forget_bias=False)["bias"].any()
    fixed = built(kind, bias_initializer=keras.initializers.Constant(0.25))["bias"]
    assert sorted(set(fixed)) == [0.25, 1.0]
    drawn = built(kind, bias_initializer=keras.initializers.RandomNormal(seed=1))["bias"]
    assert len(set(drawn)) == len(drawn) - 4 + 1, "each gate starts from numbers of its own"


def test_only_cells_with_a_forget_bias_have_the_option() -> None:
    result = [kind for kind in KINDS if "unit_forget_bias" in cells.get(kind)(1).get_config()]
    assert sorted(result) == sorted(WITH_FORGET_BIAS)


def test_identity_makes_the_irnn() -> None:
    weights = built("simple_rnn", activation="relu", recurrent_initializer="identity")
    assert (weights["recurrent_kernel"] == np.eye(4)).all()


def test_an_orthogonal_recurrent_kernel_is_the_default() -> None:
    kernel = built("simple_rnn", units=8)["recurrent_kernel"]
    np.testing.assert_allclose(kernel @ kernel.T, np.eye(8), atol=1e-5)


def test_an_indrnn_spans_short_to_long_memories() -> None:
    own = built("indrnn", units=500)["recurrent_kernel"]
    assert own.min() >= 0
    assert own.max() < 1
    assert own.min() < 0.1
    assert own.max() > 0.9


def test_an_lru_starts_on_its_ring_with_unit_variance() -> None:
    weights = built("lru", state=500, radius=(0.4, 0.9), phase=0.3)
    modulus, phase = np.exp(-np.exp(weights["nu_log"])), np.exp(weights["theta_log"])
    assert modulus.min() >= 0.4 - 1e-4
    assert modulus.max() <= 0.9 + 1e-4
    assert abs((modulus**2).mean() - (0.4**2 + 0.9**2) / 2) < 0.05  # uniform on the ring
    assert phase.min() >= 0
    assert phase.max() <= 0.3 + 1e-6
    np.testing.assert_allclose(np.exp(weights["gamma_log"]), np.sqrt(1 - modulus**2), rtol=1e-4)


def test_the_default_lru_is_stable_and_finite() -> None:
    weights = built("lru", state=2000)
    assert all(np.isfinite(value).all() for value in weights.values())
    assert np.exp(-np.exp(weights["nu_log"])).max() < 1


def test_a_seed_repeats_what_the_cell_draws_itself() -> None:
    first, second = (built("lru", seed=5)["nu_log"] for _ in range(2))
    assert (first == second).all()
    assert (first != built("lru", seed=6)["nu_log"]).any()


@pytest.mark.parametrize(
    ("kind", "name", "group"),
    [
        ("lstm", "kernel", "kernel"),
        ("lstm", "recurrent_kernel", "recurrent"),
        ("lstm", "bias", "bias"),
        ("indrnn", "recurrent_kernel", "recurrent"),
        ("peephole_lstm", "peephole_kernel", "recurrent"),
        ("lru", "readout_real", "kernel"),
        ("layernorm_lstm", "state_shift", "bias"),
        ("gru", "projection_kernel", "kernel"),
    ],
)
def test_constraints_and_regularizers_reach_their_weights(kind: str, name: str, group: str) -> None:
    options = {
        f"{group}_regularizer": keras.regularizers.L2(0.5),
        f"{group}_constraint": keras.constraints.NonNeg(),
    }
    cell = cells.get(kind)(4, projection=2, **options)
    cell.build((None, 3))
    weight = getattr(cell, name)
    assert weight.regularizer is getattr(cell, f"{group}_regularizer")
    assert weight.constraint is getattr(cell, f"{group}_constraint")
    assert all(w.regularizer is None for w in cell.weights if "gain" in w.name)
    assert cell.losses


@pytest.mark.parametrize(
    ("kind", "name"),
    covering(
        sorted(set(KINDS) - {"lru"}),  # which has starting points of its own
        ["kernel", "recurrent_kernel", "bias"],
    ),
)
def test_an_initializer_of_none_is_the_default_of_keras(kind: str, name: str) -> None:
    """As for any weight of a Keras layer: uniform around zero, not what the cell starts from."""
    keras.utils.set_random_seed(0)
    weights = built(kind, **{f"{name.removesuffix('_kernel')}_initializer": None})
    assert name not in weights or (weights[name] < 0).any()
