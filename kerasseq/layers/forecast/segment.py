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
    """Reads a window segment by segment, and forecasts all segments ahead at once.

    A dense layer makes one vector of each segment, and a recurrent layer reads these. Its final
    states are then repeated for every segment ahead, from each of which the same layer takes one
    more step: on what is known of that segment, its place first of all. A long window takes few
    steps, and errors do not add up.

    Args:
        recurrent: A recurrent layer that returns its last output and its states.
        segment: Timesteps of a segment. The window is padded with zeros before its beginning, and
            the last segment ahead is cut, where they do not fit.
        linear: Whether to add a linear map of the segments of the window, by which each place in a
            segment ahead follows from the same place in those before: what a recurrent layer, which
            saturates, cannot carry on beyond the levels that it was trained on.
        **kwargs: Those of `Forecast`; `width` is that of the vectors that the recurrent layer
            reads, and the first number of each target is its forecast.

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

    Reference: SegRNN, Lin et al. (2023), arXiv 2308.11200. There position and target have half of
    the width each; here all that is known of a segment is projected on the width, and added. The
    linear map is SparseTSF, Lin et al. (2024), arXiv 2405.00946, beside a recurrent layer as in
    LSTNet, Lai et al. (2018), arXiv 1703.07015.
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
        """Sized by the columns that there are."""
        batch = features_shape["history"][0]
        future = features_shape.get("future")
        if future is not None:
            future = (batch, self.steps, self.segment * future[-1])
        self.embed.build((batch, None, self.segment * window_columns(features_shape)))
        if not self.recurrent.built:  # one that comes from a file is
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
            ahead = ahead + self._mapped(features["history"])
        return ahead[:, : self.horizon]

    def _mapped(self, history: Tensor) -> Tensor:
        """What the linear map gives, for the first number of each target."""
        targets = history.shape[-1]
        ahead = ops.matmul(self.map, self._cut(history, before=True))
        ahead = ops.reshape(ahead, (-1, self.steps * self.segment, targets, 1))
        others = self.outputs // targets - 1
        ahead = ops.pad(ahead, ((0, 0), (0, 0), (0, 0), (0, others)))
        return ops.reshape(ahead, (-1, self.steps * self.segment, self.outputs))

    def _cut(self, values: Tensor, *, before: bool) -> Tensor:
        """(batch, segments, segment * columns), filled up with zeros before or after the values."""
        timesteps, columns = values.shape[1:]
        segments = -(-timesteps // self.segment)
        short = segments * self.segment - timesteps
        values = ops.pad(values, ((0, 0), (short, 0) if before else (0, short), (0, 0)))
        return ops.reshape(values, (-1, segments, self.segment * columns))

    def get_config(self) -> dict[str, Any]:
        """One entry per constructor argument."""
        return {**super().get_config(), "segment": self.segment, "linear": self.linear}
