"""A streamed sequence classifier gives the outputs of the whole."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from kerasseq.models import SequenceClassifierConfig, SequenceStream
from tests.models.sequences import POOLINGS, sequences
from tests.thorough import first_of, one_in

CAUSAL: dict[str, Any] = {
    "channels": 3, "classes": 4, "units": 4, "bidirectional": False, "causal": True,
    "convolutions": 2, "filters": 5,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _seeded() -> None:
    keras.utils.set_random_seed(0)


def _check(sizes: SequenceClassifierConfig, chunks: list[int], rows: int = 2) -> None:
    """After every chunk, the outputs of the stream are those of the model on all samples so far."""
    model = sizes.build()
    random = np.random.default_rng(0)
    for weight in model.weights:  # moving averages and offsets, too
        weight.assign(np.abs(random.normal(0, 0.5, weight.shape)) + 0.1)
    stream = SequenceStream(sizes, model)
    values = sequences(sizes, [sum(chunks)] * rows)["sequences"]
    state, read = stream.start(rows), 0
    for chunk in chunks:
        outputs, state = stream.update(state, values[:, read : read + chunk])
        read += chunk
        lengths = np.full(rows, read, "int32")
        expected = model({"sequences": values[:, :read], "lengths": lengths}, training=False)
        np.testing.assert_allclose(
            outputs, keras.ops.convert_to_numpy(expected), atol=1e-5, err_msg=f"after {read}"
        )


@pytest.mark.parametrize("pooling", first_of(POOLINGS[::-1], 2))  # two modes in each
def test_every_pooling_is_a_running_one(pooling: str) -> None:
    _check(SequenceClassifierConfig(**CAUSAL, pooling=pooling), [1, 1, 1, 3, 9, 1, 2])


@pytest.mark.parametrize(
    ("kernel_size", "stride"), one_in(2, [(1, 2), (2, 1), (3, 3), (5, 2), (4, 7)])
)
def test_convolutions_go_on_where_they_were(kernel_size: int, stride: int) -> None:
    sizes = SequenceClassifierConfig(**CAUSAL, kernel_size=kernel_size, stride=stride)
    _check(sizes, [2, 1, 5, 1, 1, 1, 1, 4])


@pytest.mark.parametrize("cell", one_in(2, ["lstm", "layernorm_gru", "lru"]))
def test_states_of_every_level_are_carried(cell: str) -> None:
    sizes = SequenceClassifierConfig(
        3, 2, cell=cell, units=4, depth=2, bidirectional=False,
        options={"trainable_initial_state": True},
    )  # fmt: skip
    _check(sizes, [1, 4, 2])


def test_frames_are_streamed() -> None:
    _check(SequenceClassifierConfig(**CAUSAL, frame=(8, 8), frame_features=3), [1, 2, 4], rows=1)


def test_a_state_is_not_changed_by_what_follows() -> None:
    sizes = SequenceClassifierConfig(**CAUSAL)
    stream = SequenceStream(sizes, sizes.build())
    values = sequences(sizes, [6])["sequences"]
    _, state = stream.update(stream.start(), values[:, :3])
    first, _ = stream.update(state, values[:, 3:])
    second, _ = stream.update(state, values[:, 3:])
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        ({"bidirectional": True, "causal": False}, "bidirectional=False"),
        ({"causal": False}, "causal=True"),
    ],
)
def test_models_that_look_ahead_are_not_streamed(arguments: dict[str, Any], remedy: str) -> None:
    sizes = SequenceClassifierConfig(**{**CAUSAL, **arguments})
    with pytest.raises(ValueError, match=f"reads no later timestep.*{remedy}"):
        SequenceStream(sizes, sizes.build())


def test_no_samples_are_refused() -> None:
    sizes = SequenceClassifierConfig(**CAUSAL)
    stream = SequenceStream(sizes, sizes.build())
    with pytest.raises(ValueError, match=r"at least one timestep. Received: .*\(1, 0, 3\)"):
        stream.update(stream.start(), np.zeros((1, 0, 3), "float32"))
