"""Forecasts in segments: few recurrent steps over long windows."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kerasseq.layers.forecast.base import Forecast, Tensor, for_every_row, window, window_columns
from kerasseq.layers.forecast.step_inputs import StepInputs
from kerasseq.params.spec import positive_int


@keras.saving.register_keras_serializable("kerasseq")
class SegmentForecast(Forecast):
    """Read a window segment by segment, and forecast all segments ahead in parallel.

    A dense layer turns each segment into one vector, and a recurrent layer reads these vectors.
    Then it takes one more step for every segment ahead, each from the same final states. The input
    of that step is a vector for the position of the segment, and its known covariates. So a long
    window takes few steps, and no forecast depends on another.

    Args:
        recurrent: A recurrent layer that returns its last output and its states.
        segment: Timesteps of a segment. If the lengths are no multiples of it, the window is padded
            with zeros at its beginning, and the last segment ahead is cut.
        linear: Whether to add a linear map from the segments of the window to the segments ahead,
            with the same weights for every timestep of a segment. It can follow a trend beyond the
            levels of the training data; a recurrent layer cannot, since its activations saturate.
        **kwargs: Arguments of `Forecast`; `width` is the width of the vectors that the recurrent
            layer reads, and the first number of each target is its forecast.

    Call arguments:
        features: See `Forecast`.

    Output shape:
        (batch, horizon, outputs).

    Raises:
        ValueError: If a size is not a positive integer.

    Example:
        >>> import kerasseq, numpy as np
        >>> recurrent = kerasseq.gru(4, return_state=True)
        >>> layer = SegmentForecast(recurrent, segment=3, horizon=8, outputs=1, width=4)
        >>> layer({"history": np.ones((2, 10, 1), "float32")}).shape == (2, 8, 1)
        True

    Reference: SegRNN, Lin et al. (2023), arXiv 2308.11200. There, position and target have
    half of the width each; here, position and covariates of a segment are projected to the width
    and added. The linear map is SparseTSF, Lin et al. (2024), arXiv 2405.00946, beside a recurrent
    layer as in LSTNet, Lai et al. (2018), arXiv 1703.07015.
    """

    def __init__(
        self, recurrent: Any, *, segment: int, linear: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(recurrent, **kwargs)
        self.segment, self.linear = positive_int("segment", segment), linear
        self.steps = -(-self.horizon // self.segment)
        self.embed = keras.layers.Dense(self.width, activation="relu", name="embed")
        self.step_inputs = StepInputs(self.steps, self.width, name="step_inputs")
        self.head = keras.layers.Dense(self.segment * self.outputs, name="head")

    def build(self, features_shape: Any) -> None:
        """Create the weights, sized by the columns of the features."""
        batch = features_shape["history"][0]
        future = features_shape.get("future")
        if future is not None:
            future = (batch, self.steps, self.segment * future[-1])
        self.embed.build((batch, None, self.segment * window_columns(features_shape)))
        if not self.recurrent.built:  # a layer that was loaded from a file is built
            self.recurrent.build((batch, None, self.width))
        self.step_inputs.build(future, features_shape.get("traits"))
        last, *_ = self.recurrent.compute_output_shape((batch, None, self.width))
        self.head.build(last)
        if self.linear:
            segments = -(-features_shape["history"][1] // self.segment)
            self.map = self.add_weight(
                shape=(self.steps, segments), name="map", initializer="zeros"
            )
        self.built = True

    def call(self, features: dict[str, Tensor], training: bool = False) -> Tensor:
        """Forecast from (batch, lookback, columns); see the class."""
        segments = self.embed(self._cut(window(features), before=True))
        _, *states = self.recurrent(segments, training=training)
        future = features.get("future")
        steps = self.step_inputs(
            None if future is None else self._cut(future, before=False), features.get("traits")
        )
        output, *_ = self.recurrent(
            ops.reshape(for_every_row(steps, segments), (-1, 1, self.width)),
            initial_state=[ops.repeat(state, self.steps, axis=0) for state in states],
            training=training,
        )
        ahead = self.head(self.dropout(output, training=training))
        ahead = ops.reshape(ahead, (-1, self.steps * self.segment, self.outputs))
        if self.linear:
            ahead = ahead + self._linear_forecast(features["history"])
        return ahead[:, : self.horizon]

    def _linear_forecast(self, history: Tensor) -> Tensor:
        """Map the history linearly to the first number of each target; the others are zeros."""
        targets = history.shape[-1]
        ahead = ops.matmul(self.map, self._cut(history, before=True))
        ahead = ops.reshape(ahead, (-1, self.steps * self.segment, targets, 1))
        other_numbers = self.outputs // targets - 1
        ahead = ops.pad(ahead, ((0, 0), (0, 0), (0, 0), (0, other_numbers)))
        return ops.reshape(ahead, (-1, self.steps * self.segment, self.outputs))

    def _cut(self, values: Tensor, *, before: bool) -> Tensor:
        """Cut values to (batch, segments, segment * columns), padded with zeros before or after."""
        timesteps, columns = values.shape[1:]
        segments = -(-timesteps // self.segment)
        padding = segments * self.segment - timesteps
        values = ops.pad(values, ((0, 0), (padding, 0) if before else (0, padding), (0, 0)))
        return ops.reshape(values, (-1, segments, self.segment * columns))

    def get_config(self) -> dict[str, Any]:
        """The config, with one entry per constructor argument."""
        return {**super().get_config(), "segment": self.segment, "linear": self.linear}
