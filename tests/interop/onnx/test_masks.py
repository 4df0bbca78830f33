"""Masked timesteps move to the end and back."""

from __future__ import annotations

import functools
from typing import Any

import keras
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from keras import layers

from kerasseq.interop.onnx.converting import to_onnx
from tests.interop.onnx.harness import run
from tests.layers.harness import array, draw, randomize
from tests.thorough import examples


@functools.cache
def exported() -> tuple[keras.Model, Any]:
    """A model, and the same one in ONNX."""
    x, mask = keras.Input((None, 2), name="x"), keras.Input((None,), dtype="bool", name="mask")
    held = layers.GRU(3, return_sequences=True, go_backwards=True)(x, mask=mask)
    both = layers.Bidirectional(layers.LSTM(2, return_sequences=True))(held, mask=mask)
    made = keras.Model([x, mask], [held, both, layers.LSTM(2)(both, mask=mask)])
    randomize(made)
    return made, to_onnx(made)


@given(rows=st.lists(st.lists(st.booleans(), min_size=5, max_size=5), min_size=2, max_size=2))
@examples(30, deadline=None)
def test_any_mask_gives_the_outputs_of_keras(rows: list[list[bool]]) -> None:
    mask = np.array(rows)
    x = draw(len(rows), 5, 2)
    model, same = exported()
    for a, b in zip(run(same, {"x": x, "mask": mask}), model([x, mask]), strict=True):
        np.testing.assert_allclose(a, array(b), atol=1e-5)
