"""Every cell learns in `model.fit`, with a mask and every noise, compiled by XLA and not."""

from __future__ import annotations

import itertools
from typing import Any

import keras
import numpy as np
import pytest

from kerasseq import cells
from kerasseq.layers import RNN
from tests.cells.harness import BACKEND, NO_RECURRENT_KERNEL, VARIANTS
from tests.thorough import first_of

LENGTH = 6
FORMS = [
    ("lstm-projection", False),
    ("mingru", True),
    ("lstm-projection", True),
    ("mingru", False),
    *itertools.product(("gru-reset-before", "indrnn", "lru-state-projection"), (False, True)),
]


def marked(batch: int) -> tuple[np.ndarray, np.ndarray]:
    """Padded words from 1 to 9, and whether the first of them is even."""
    draw = np.random.default_rng(0)
    words = draw.integers(1, 10, (batch, LENGTH))
    lengths = draw.integers(1, LENGTH + 1, batch)
    padded = np.where(np.arange(LENGTH) < lengths[:, None], words, 0)
    return padded.astype("int32"), (words[:, :1] % 2 == 0).astype("float32")


def model_of(name: str, jit_compile: bool, time: int | None, return_sequences: bool) -> Any:
    keras.utils.set_random_seed(0)
    kind, options = VARIANTS[name]
    drop = {} if kind in NO_RECURRENT_KERNEL else {"weight_drop": 0.05}
    noise = {"dropout": 0.05, "recurrent_dropout": 0.05, "zoneout": 0.05, **drop}
    layer = RNN(cells.get(kind)(16, **noise, **options), return_sequences=return_sequences)
    pool = [keras.layers.GlobalAveragePooling1D()] if return_sequences else []
    words = keras.layers.Embedding(10, 8, mask_zero=True)
    start = keras.Input((time,), dtype="int32")
    end = keras.layers.Dense(1, activation="sigmoid")
    model = keras.Sequential([start, words, layer, *pool, end])
    optimizer = keras.optimizers.Adam(0.02, clipnorm=1.0)
    model.compile(optimizer, "binary_crossentropy", jit_compile=jit_compile)
    return model


def learns(
    name: str, jit_compile: bool, time: int | None = LENGTH, return_sequences: bool = True
) -> None:
    x, y = marked(64)
    model = model_of(name, jit_compile, time, return_sequences)
    losses = model.fit(x, y, batch_size=32, epochs=8, verbose=0).history["loss"]
    assert np.isfinite(losses).all()
    assert losses[-1] < losses[0]
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def can_compile(jit_compile: bool) -> None:
    if jit_compile and BACKEND == "torch":
        pytest.skip("torch.compile is no XLA, and takes minutes")
    if not jit_compile and BACKEND == "jax":
        pytest.skip("without jit, JAX compiles every operation of a training step alone")


@pytest.mark.parametrize(("name", "jit_compile"), first_of(FORMS, 2))
def test_a_cell_of_each_form_learns(name: str, jit_compile: bool) -> None:
    can_compile(jit_compile)
    learns(name, jit_compile)


@pytest.mark.slow
@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize(("time", "return_sequences"), [(LENGTH, True), (None, False)])
@pytest.mark.parametrize("name", VARIANTS)
def test_every_cell_learns(
    name: str, time: int | None, return_sequences: bool, jit_compile: bool
) -> None:
    can_compile(jit_compile)
    learns(name, jit_compile, time, return_sequences)


@pytest.mark.thorough
def test_a_seed_repeats_a_run() -> None:
    result = []
    for _ in range(2):
        model = model_of("gru", BACKEND == "jax", LENGTH, True)
        x, y = marked(32)
        model.fit(x, y, batch_size=16, epochs=1, verbose=0)
        result.append(model.get_weights())
    assert all((one == two).all() for one, two in zip(*result, strict=True))
