"""Forecasts by a decoder, which starts from where the encoder of the window ended."""

from __future__ import annotations

from typing import Any, ClassVar

import keras

from kerasseq.layers.attention import DotProductAttention
from kerasseq.layers.forecast.base import (
    Forecast,
    Tensor,
    for_every_row,
    joined,
    told_columns,
    told_window,
)
from kerasseq.layers.forecast.step_inputs import StepInputs


@keras.saving.register_keras_serializable("kerasseq")
class Seq2SeqForecast(Forecast):
    """Reads a window with one recurrent layer, and runs another from its states over the horizon.

    The decoder reads at each timestep ahead what is known of it: its place, what the calendar and
    the plans say, and what kind of series it is. It is not fed its own forecasts, so that it is
    trained as it is used, and runs over all timesteps in one go.

    Args:
        recurrent: The encoder, a recurrent layer that returns its states, and with `attention` its
            sequences too.
        decoder: A recurrent layer with states like those of the encoder, that returns sequences.
        attention: Whether the decoder looks back at every timestep of the window.
        **kwargs: Those of `Forecast`; `width` is that of the vectors that the decoder reads, and in
            which it looks back.

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

    layers_given: ClassVar[tuple[str, ...]] = ("recurrent", "decoder")

    def __init__(
        self, recurrent: Any, decoder: Any, *, attention: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(recurrent, **kwargs)
        self.decoder = decoder
        self.step_inputs = StepInputs(self.horizon, self.width, name="step_inputs")
        self.attention = DotProductAttention(self.width, name="attention") if attention else None
        self.head = keras.layers.Dense(self.outputs, name="head")

    def build(self, features_shape: Any) -> None:
        """Sized by the columns that there are."""
        batch, lookback, _ = features_shape["history"]
        read = (batch, lookback, told_columns(features_shape))
        steps = (batch, self.horizon, self.width)
        if not self.recurrent.built:  # one that comes from a file is
            self.recurrent.build(read)
        if not self.decoder.built:
            self.decoder.build(steps)
        self.step_inputs.build(features_shape.get("future"), features_shape.get("traits"))
        decoded = self.decoder.compute_output_shape(steps)
        if self.attention is not None:
            encoded, *_ = self.recurrent.compute_output_shape(read)
            self.attention.build(decoded, encoded)
            decoded = (*decoded[:2], decoded[-1] + encoded[-1])
        self.head.build(decoded)
        self.built = True

    def call(self, features: dict[str, Tensor], training: bool = False) -> Tensor:
        """Forecast from (batch, lookback, columns); see the class."""
        read = told_window(features)
        encoded, *states = self.recurrent(read, training=training)
        steps = self.step_inputs(features.get("future"), features.get("traits"))
        steps = for_every_row(steps, read)
        decoded = self.decoder(steps, initial_state=states, training=training)
        if self.attention is not None:
            decoded = joined([decoded, self.attention(decoded, encoded)])
        return self.head(self.dropout(decoded, training=training))

    def get_config(self) -> dict[str, Any]:
        """One entry per constructor argument."""
        return {**super().get_config(), "attention": self.attention is not None}
