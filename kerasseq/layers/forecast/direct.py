"""Forecasts of all timesteps at once, from the last output over a window."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kerasseq.layers.forecast.base import (
    Forecast,
    Tensor,
    window_with_traits,
    window_with_traits_columns,
)


@keras.saving.register_keras_serializable("kerasseq")
class DirectForecast(Forecast):
    """Forecast every timestep ahead from the last output of a recurrent layer.

    One dense layer gives all timesteps. If covariates are known ahead (`future`), a small network
    with the same weights at every timestep adds a correction, from the covariates of the timestep
    and a projection of the last output.

    Args:
        recurrent: A recurrent layer that returns its last output alone.
        head_initializer: Initializer of the last dense layers: with `"zeros"`, forecasts are zeros
            before training.
        **kwargs: Arguments of `Forecast`; `width` is the width of the small network.

    Call arguments:
        features: See `Forecast`.

    Output shape:
        (batch, horizon, outputs).

    Raises:
        ValueError: If a size is not a positive integer.

    Example:
        >>> import kerasseq, numpy as np
        >>> layer = DirectForecast(kerasseq.gru(4), horizon=8, outputs=1, width=4)
        >>> layer({"history": np.ones((2, 10, 1), "float32")}).shape == (2, 8, 1)
        True
    """

    def __init__(
        self, recurrent: Any, *, head_initializer: str = "glorot_uniform", **kwargs: Any
    ) -> None:
        super().__init__(recurrent, **kwargs)
        self.head_initializer = head_initializer
        self.head = keras.layers.Dense(
            self.horizon * self.outputs, kernel_initializer=head_initializer, name="head"
        )

    def build(self, features_shape: Any) -> None:
        """Create the weights; weights for covariates only if `features_shape` has `future`."""
        batch, lookback, _ = features_shape["history"]
        window_shape = (batch, lookback, window_with_traits_columns(features_shape))
        if not self.recurrent.built:  # a layer that was loaded from a file is built
            self.recurrent.build(window_shape)
        last = self.recurrent.compute_output_shape(window_shape)
        self.head.build(last)
        if "future" in features_shape:
            self.known = keras.layers.Dense(self.width, name="known")
            self.context = keras.layers.Dense(self.width, use_bias=False, name="context")
            self.change = keras.layers.Dense(
                self.outputs,
                use_bias=False,
                kernel_initializer=self.head_initializer,
                name="change",
            )
            self.known.build(features_shape["future"])
            self.context.build(last)
            self.change.build((batch, self.horizon, self.width))
        self.built = True

    def call(self, features: dict[str, Tensor], training: bool = False) -> Tensor:
        """Forecast from (batch, lookback, columns); see the class."""
        last = self.recurrent(window_with_traits(features), training=training)
        last = self.dropout(last, training=training)
        ahead = ops.reshape(self.head(last), (-1, self.horizon, self.outputs))
        if "future" in features:
            hidden = self.known(features["future"]) + self.context(last)[:, None]
            ahead = ahead + self.change(ops.relu(hidden))
        return ahead

    def get_config(self) -> dict[str, Any]:
        """The config, with one entry per constructor argument."""
        return {**super().get_config(), "head_initializer": self.head_initializer}
