"""Forecasts by an encoder over the window and a decoder over the horizon."""

from __future__ import annotations

from typing import Any, ClassVar

import keras

from kerasseq.layers.attention import DotProductAttention
from kerasseq.layers.forecast.base import (
    Forecast,
    Tensor,
    concatenate_columns,
    for_every_row,
    window_with_traits,
    window_with_traits_columns,
)
from kerasseq.layers.forecast.step_inputs import StepInputs


@keras.saving.register_keras_serializable("kerasseq")
class Seq2SeqForecast(Forecast):
    """Read a window with an encoder, and run a decoder from its final states over the horizon.

    At each timestep ahead the decoder reads a vector for the position, the covariates known ahead
    and the traits of the series. It does not read forecasts, so training and inference are the
    same, and it runs over all timesteps in one call.

    Args:
        recurrent: The encoder, a recurrent layer that returns its states, and with `attention` its
            sequences too.
        decoder: A recurrent layer with the same state shapes as the encoder, that returns
            sequences.
        attention: Whether the decoder attends to every timestep of the window.
        **kwargs: Arguments of `Forecast`; `width` is the width of the vectors that the decoder
            reads, and of the attention.

    Call arguments:
        features: See `Forecast`.

    Output shape:
        (batch, horizon, outputs).

    Raises:
        ValueError: If a size is not a positive integer.

    Example:
        >>> import kerasseq, numpy as np
        >>> encoder = kerasseq.gru(4, return_state=True)
        >>> decoder = kerasseq.gru(4, return_sequences=True)
        >>> layer = Seq2SeqForecast(encoder, decoder, horizon=8, outputs=1, width=4)
        >>> layer({"history": np.ones((2, 10, 1), "float32")}).shape == (2, 8, 1)
        True

    Reference: Sutskever et al. (2014), arXiv 1409.3215; attention after Luong et al. (2015),
    arXiv 1508.04025.
    """

    layer_arguments: ClassVar[tuple[str, ...]] = ("recurrent", "decoder")

    def __init__(
        self, recurrent: Any, decoder: Any, *, attention: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(recurrent, **kwargs)
        self.decoder = decoder
        self.step_inputs = StepInputs(self.horizon, self.width, name="step_inputs")
        self.attention = DotProductAttention(self.width, name="attention") if attention else None
        self.head = keras.layers.Dense(self.outputs, name="head")

    def build(self, features_shape: Any) -> None:
        """Create the weights, sized by the columns of the features."""
        batch, lookback, _ = features_shape["history"]
        window_shape = (batch, lookback, window_with_traits_columns(features_shape))
        steps = (batch, self.horizon, self.width)
        if not self.recurrent.built:  # a layer that was loaded from a file is built
            self.recurrent.build(window_shape)
        if not self.decoder.built:
            self.decoder.build(steps)
        self.step_inputs.build(features_shape.get("future"), features_shape.get("traits"))
        decoded = self.decoder.compute_output_shape(steps)
        if self.attention is not None:
            encoded, *_ = self.recurrent.compute_output_shape(window_shape)
            self.attention.build(decoded, encoded)
            decoded = (*decoded[:2], decoded[-1] + encoded[-1])
        self.head.build(decoded)
        self.built = True

    def call(self, features: dict[str, Tensor], training: bool = False) -> Tensor:
        """Forecast from (batch, lookback, columns); see the class."""
        inputs = window_with_traits(features)
        encoded, *states = self.recurrent(inputs, training=training)
        steps = self.step_inputs(features.get("future"), features.get("traits"))
        steps = for_every_row(steps, inputs)
        decoded = self.decoder(steps, initial_state=states, training=training)
        if self.attention is not None:
            decoded = concatenate_columns([decoded, self.attention(decoded, encoded)])
        return self.head(self.dropout(decoded, training=training))

    def get_config(self) -> dict[str, Any]:
        """The config, with one entry per constructor argument."""
        return {**super().get_config(), "attention": self.attention is not None}
