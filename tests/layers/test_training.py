"""Layers train: in every precision, compiled, and down to a task solved."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

import kerasseq
from kerasseq.layers import SequencePooling
from tests.layers.harness import (
    EAGERLY,
    WIDTH,
    arrays,
    assert_close,
    draw,
    mask,
    sequences,
    twin,
    weighted,
)
from tests.thorough import covering, first_of

POLICIES = ["mixed_bfloat16", "mixed_float16"]
if keras.backend.backend() != "jax":  # which has no float64 unless told at its start
    POLICIES.append("float64")
LAYERS: dict[str, dict[str, Any]] = {
    "both ways": {"bidirectional": True},
    "deep both ways": {"depth": 2, "bidirectional": True},
    "residual": {"depth": 2, "residual": True},
    "highway": {"depth": 2, "highway": True},
}


def signs(count: int = 256, length: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Sequences of numbers, and whether their sum is positive."""
    inputs = draw(count, length, 1)
    return inputs, (inputs.sum(axis=(1, 2)) > 0).astype("float32")


def classifier(*layers: Any, rate: float = 0.02, **compiled: Any) -> Any:
    model = keras.Sequential(
        [keras.Input((6, 1)), *layers, keras.layers.Dense(1, activation="sigmoid")]
    )
    model.compile(
        keras.optimizers.Adam(rate), "binary_crossentropy", metrics=["accuracy"], **compiled
    )
    return model


@pytest.mark.parametrize(("options", "policy"), covering([*LAYERS.values()], POLICIES), ids=str)
def test_outputs_and_states_have_the_dtype_of_the_policy(
    options: dict[str, Any], policy: str
) -> None:
    settings = {"return_sequences": True, "return_state": True} | options
    full = weighted(kerasseq.rnn("gru", WIDTH, **settings))
    layer = twin(kerasseq.rnn("gru", WIDTH, dtype=policy, **settings), full)
    results = keras.tree.flatten(layer(sequences(), mask=mask()))
    compute = keras.DTypePolicy(policy).compute_dtype
    assert {keras.backend.standardize_dtype(part.dtype) for part in results} == {compute}
    assert {w.dtype for w in layer.weights} == {keras.DTypePolicy(policy).variable_dtype}
    assert_close(
        [keras.ops.cast(part, "float32") for part in results],
        full(sequences(), mask=mask()),
        1e-5 if policy == "float64" else 0.06,
    )


@pytest.mark.parametrize("options", LAYERS.values(), ids=LAYERS)
def test_ready_cells_in_mixed_precision_make_a_layer_of_their_dtype(
    options: dict[str, Any],
) -> None:
    rest = {name: value for name, value in options.items() if name != "depth"}
    made = [
        kerasseq.cells.get("gru")(WIDTH, dtype="mixed_bfloat16")
        for _ in range(options.get("depth", 1))
    ]
    layer = kerasseq.rnn(made, return_sequences=True, **rest)
    result = layer(sequences())
    assert keras.backend.standardize_dtype(result.dtype) == "bfloat16"
    assert layer.compute_dtype == "bfloat16"


def test_a_global_policy_holds_for_every_part() -> None:
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        layers = [
            kerasseq.rnn("mgu", 4, depth=2, highway=True, return_sequences=True),
            SequencePooling("attention"),
        ]
        model = classifier(*layers, run_eagerly=EAGERLY)
        inputs, labels = signs(32)
        loss = model.train_on_batch(inputs, labels)[0]
    finally:
        keras.config.set_dtype_policy("float32")
    assert [layer.compute_dtype for layer in layers] == ["bfloat16", "bfloat16"]
    assert np.isfinite(loss)
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


@pytest.mark.parametrize(
    ("cell", "options"),
    first_of(
        [
            ("gru", {"depth": 2, "bidirectional": True}),
            ("lstm", {"depth": 2, "highway": True, "dropout": 0.1, "recurrent_dropout": 0.1}),
            ("mingru", {"depth": 2, "residual": True, "zoneout": 0.05}),
        ]
    ),
    ids=str,
)
def test_a_small_task_is_learned(cell: str, options: dict[str, Any]) -> None:
    inputs, labels = signs()
    model = classifier(kerasseq.rnn(cell, 8, **options))
    history = model.fit(inputs, labels, batch_size=32, epochs=8, verbose=0).history
    assert history["loss"][-1] < 0.6 * history["loss"][0]
    assert model.evaluate(inputs, labels, verbose=0)[1] > 0.9


@pytest.mark.thorough
@pytest.mark.parametrize("mode", ["mean", "attention"])
def test_pooling_passes_on_what_is_learned(mode: str) -> None:
    inputs, labels = signs()
    model = classifier(
        kerasseq.rnn("gru", 8, return_sequences=True), SequencePooling(mode), rate=0.03
    )
    model.fit(inputs, labels, batch_size=32, epochs=8, verbose=0)
    assert model.evaluate(inputs, labels, verbose=0)[1] > 0.9


@pytest.mark.thorough
@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="JAX compiles all that is trained here; on PyTorch torch.compile is another matter",
)
@pytest.mark.parametrize(("cell", "depth", "masked"), [("lstm", 2, True), ("mingru", 1, False)])
def test_compiled_by_xla_the_numbers_are_the_same(cell: str, depth: int, masked: bool) -> None:
    inputs, labels = signs(64)
    if masked:
        inputs[::2, 4:] = 0
    first = [keras.layers.Masking()] if masked else []
    losses, weights = [], []
    start: Any = None
    for compiled in (False, True):
        model = classifier(
            *first, kerasseq.rnn(cell, 4, depth=depth, bidirectional=True), jit_compile=compiled
        )
        start = model.get_weights() if start is None else start
        model.set_weights(start)
        history = model.fit(inputs, labels, batch_size=32, epochs=2, shuffle=False, verbose=0)
        losses.append(history.history["loss"])
        weights.append(model.get_weights())
    assert_close(np.array(losses[0]), np.array(losses[1]), 1e-4)
    assert_close(weights[0], weights[1], 1e-3)
    assert np.abs(weights[1][0] - start[0]).max() > 1e-3


def test_every_weight_of_a_stack_learns() -> None:
    layer = kerasseq.rnn(
        "lstm", 4, depth=2, bidirectional=True, merge="sum", highway=True,
        trainable_initial_state=True, return_sequences=True,
    )  # fmt: skip
    model = classifier(layer, SequencePooling("attention"), run_eagerly=EAGERLY)
    inputs, labels = signs(32)
    before = [part.copy() for part in arrays(model.trainable_variables)]
    model.fit(inputs, labels, batch_size=32, epochs=1, verbose=0)
    names = [weight.path for weight in model.trainable_variables]
    for name, old, new in zip(names, before, arrays(model.trainable_variables), strict=True):
        assert np.abs(new - old).max() > 0, name
