"""What makes forecasts of windows, layer by layer."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

import kerasseq
from kerasseq.layers import (
    Channelwise,
    DirectForecast,
    RecursiveForecast,
    SegmentForecast,
    SeriesEmbedding,
    StepInputs,
)
from tests.layers.harness import array, assert_close, draw


def _segments(**options: Any) -> SegmentForecast:
    recurrent = kerasseq.gru(4, return_state=True)
    return SegmentForecast(recurrent, **{"outputs": 2, "width": 4, **options})


def test_targets_apart_are_forecast_as_if_alone() -> None:
    layer = Channelwise(_segments(segment=3, horizon=5), embedding=0)
    history, past = draw(4, 7, 3), draw(4, 7, 2, seed=1)
    result = array(layer({"history": history, "past": past})).reshape(4, 5, 3, 2)
    for target in range(3):
        alone = layer.network({"history": history[..., [target]], "past": past})
        assert_close(result[:, :, target], alone)


def test_segments_are_filled_up_with_zeros_before_and_cut_after() -> None:
    layer = _segments(segment=4, horizon=6)
    history, future = draw(3, 6, 1), draw(3, 6, 2)
    result = array(layer({"history": history, "future": future}))
    longer = _segments(segment=4, horizon=8)
    longer.build({"history": (None, 8, 1), "future": (None, 8, 2)})
    longer.set_weights(layer.get_weights())
    padded = {
        "history": np.pad(history, ((0, 0), (2, 0), (0, 0))),
        "future": np.pad(future, ((0, 0), (0, 2), (0, 0))),
    }
    assert_close(result, array(longer(padded))[:, :6])


def test_each_segment_ahead_is_one_step_from_the_end_of_the_window() -> None:
    """SegRNN in plain steps of the cell."""
    layer = _segments(segment=2, horizon=4)
    history = draw(3, 6, 1)
    result = array(layer({"history": history}))
    state = [np.zeros((3, 4), "float32")]
    cell = layer.recurrent.cell
    for segment in np.split(history[..., 0], 3, axis=1):
        _, state = cell(layer.embed(segment), state)
    ahead = [
        layer.head(cell(np.tile(place, (3, 1)), state)[0])
        for place in array(layer.step_inputs.positions)
    ]
    assert_close(result, np.concatenate([array(part).reshape(3, 2, 2) for part in ahead], axis=1))


def test_a_linear_map_goes_from_place_to_place_in_the_segments() -> None:
    layer = _segments(segment=3, horizon=5, outputs=4, linear=True)
    history = draw(2, 6, 2)
    before = array(layer({"history": history}))
    weights = draw(2, 2, seed=1)
    layer.map.assign(weights)
    result = (array(layer({"history": history})) - before).reshape(2, 5, 2, 2)
    ahead = np.einsum("ms,bswt->bmwt", weights, history.reshape(2, 2, 3, 2)).reshape(2, 6, 2)
    assert_close(result[..., 0], ahead[:, :5])  # of each target the first number, its forecast
    np.testing.assert_allclose(result[..., 1], 0, atol=1e-6)


def test_what_is_known_of_a_timestep_changes_that_timestep() -> None:
    layer = DirectForecast(kerasseq.gru(4), horizon=5, outputs=2, width=4)
    history, future = draw(3, 7, 1), draw(3, 5, 2)
    result = array(layer({"history": history, "future": future}))
    future[:, 2] += 1
    changed = array(layer({"history": history, "future": future})) - result
    assert np.abs(changed[:, 2]).min() > 0
    np.testing.assert_array_equal(np.delete(changed, 2, axis=1), 0)


def test_a_series_never_seen_has_the_mean_vector() -> None:
    layer = SeriesEmbedding(3, 2)
    result = array(layer(np.array([2, -1, 0], "int32")))
    table = array(layer.table)
    assert_close(result, np.stack([table[2], table.mean(axis=0), table[0]]))


@pytest.mark.parametrize("known", [(), ("future",), ("traits",), ("future", "traits")])
def test_steps_add_what_is_known_to_their_place(known: tuple[str, ...]) -> None:
    layer = StepInputs(3, 4)
    values = {"future": draw(2, 3, 5), "traits": draw(2, 6, seed=1)}
    actual = layer(**{name: values[name] for name in known})
    expected = array(layer.positions)[None]
    for name in known:
        part = values[name] @ array(getattr(layer, f"{name}_kernel"))
        expected = expected + (part if name == "future" else part[:, None])
    assert_close(actual, expected)
    assert actual.shape == layer.compute_output_shape(
        **{f"{name}_shape": values[name].shape for name in known}
    )


def test_what_is_only_observed_is_held_over_the_horizon() -> None:
    recurrent = kerasseq.gru(4, return_sequences=True, return_state=True)
    layer = RecursiveForecast(recurrent, horizon=3, outputs=1, width=4)
    history, past = draw(2, 5, 1), draw(2, 5, 2, seed=1)
    result = array(layer({"history": history, "past": past}))
    longer = {
        "history": np.concatenate([history, result[:, :2]], axis=1),
        "past": np.concatenate([past, past[:, -1:], past[:, -1:]], axis=1),
    }
    assert_close(result[:, 2], array(layer(longer))[:, 0])


@pytest.mark.parametrize("scheduled_sampling", [-0.1, 1.1])
def test_shares_that_cannot_be_are_named(scheduled_sampling: float) -> None:
    recurrent = kerasseq.gru(4, return_sequences=True, return_state=True)
    with pytest.raises(ValueError, match=f"Received: scheduled_sampling={scheduled_sampling}"):
        RecursiveForecast(
            recurrent, horizon=3, outputs=1, width=4, scheduled_sampling=scheduled_sampling
        )


def test_layers_come_back_from_their_configs() -> None:
    layer = Channelwise(_segments(segment=3, horizon=5, dropout=0.2), embedding=2)
    config = keras.saving.serialize_keras_object(layer)
    again = keras.saving.deserialize_keras_object(config)
    assert keras.saving.serialize_keras_object(again) == config
    assert (again.embedding, again.network.segment, again.network.dropout.rate) == (2, 3, 0.2)
