"""Forecasts one timestep at a time, each from the timesteps before it."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kerasseq.kernels import timeloop
from kerasseq.layers.forecast.base import (
    Forecast,
    Tensor,
    at_every_step,
    concatenate_columns,
    window_with_traits_columns,
)


@keras.saving.register_keras_serializable("kerasseq")
class RecursiveForecast(Forecast):
    """Forecast one timestep at a time, and read each forecast as the next input (autoregression).

    At each timestep the recurrent layer reads the targets, the covariates (`past`; in the horizon,
    columns that are not known ahead keep their last values), and the covariates known ahead
    (`future`) of the next timestep.

    In training with `ahead`, it reads the observed targets of the horizon (teacher forcing). With
    `scheduled_sampling`, a share of them is replaced by forecasts. These forecasts are from a first
    pass with teacher forcing, so both passes run over all timesteps in one call of a kernel.
    Without `ahead`, and at inference, it runs through the horizon on its forecasts.

    The weights do not depend on the horizon.

    Args:
        recurrent: A recurrent layer that returns sequences and its states.
        scheduled_sampling: Share of the timesteps of the horizon whose input is a forecast in
            training.
        seed: Seed of the draw of these timesteps.
        **kwargs: Arguments of `Forecast`; the first number of each target is its forecast.

    Call arguments:
        features: See `Forecast`. The last columns of `past` must be the columns of `future`. Two
            more are optional: `ahead`, (batch, horizon, targets), the observed targets, NaN if
            missing; and `states`, the states to start from.
        return_states: Whether to return, beside the forecast, the states before the last timestep
            of the window.

    Output shape:
        (batch, horizon, outputs).

    Raises:
        ValueError: If a size is not a positive integer, or `scheduled_sampling` is not in [0, 1].

    Example:
        >>> import kerasseq, numpy as np
        >>> recurrent = kerasseq.gru(4, return_sequences=True, return_state=True)
        >>> layer = RecursiveForecast(recurrent, horizon=8, outputs=1, width=4)
        >>> layer({"history": np.ones((2, 10, 1), "float32")}).shape == (2, 8, 1)
        True

    Reference: DeepAR, Salinas et al. (2020), arXiv 1704.04110; scheduled sampling of Bengio et al.
    (2015), arXiv 1506.03099, in two passes as Mihaylova & Martins (2019), arXiv 1906.07651.
    """

    def __init__(
        self,
        recurrent: Any,
        *,
        scheduled_sampling: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(recurrent, **kwargs)
        if not 0 <= scheduled_sampling <= 1:
            raise ValueError(
                "`scheduled_sampling` must be a share from 0 to 1. "
                f"Received: scheduled_sampling={scheduled_sampling!r}"
            )
        self.scheduled_sampling, self.seed = scheduled_sampling, seed
        self.seed_generator = keras.random.SeedGenerator(seed=seed)
        self.head = keras.layers.Dense(self.outputs, name="head")

    def build(self, features_shape: Any) -> None:
        """Create the weights, sized by the columns of the features."""
        batch, _, self.targets = features_shape["history"]
        inputs_shape = (batch, None, window_with_traits_columns(features_shape))
        if not self.recurrent.built:  # a layer that was loaded from a file is built
            self.recurrent.build(inputs_shape)
        sequences, *_ = self.recurrent.compute_output_shape(inputs_shape)
        self.head.build(sequences)
        self.built = True

    def call(
        self, features: dict[str, Tensor], training: bool = False, return_states: bool = False
    ) -> Any:
        """Forecast from (batch, lookback, columns); see the class."""
        if training and "ahead" in features:
            return self._forecast_in_training(features)
        # The first of the `horizon` steps reads the last timestep of the window.
        history, other_inputs = features["history"], self._other_inputs(features)
        _, *states = self.recurrent(
            concatenate_columns([history[:, :-1], other_inputs[:, : -self.horizon]]),
            initial_state=features.get("states"),
            training=training,
        )
        ahead = self._autoregress(history[:, -1], states, other_inputs[:, -self.horizon :])
        return (ahead, states) if return_states else ahead

    def _autoregress(self, value: Tensor, states: list[Tensor], other_inputs: Tensor) -> Tensor:
        """Run through the horizon on the layer's forecasts, without noise.

        Args:
            value: The targets at the last timestep of the window, (batch, targets).
            states: The states before that timestep.
            other_inputs: The other inputs of every step, (batch, horizon, columns).
        """

        def step(carried: list[Tensor], other_inputs: Tensor) -> list[Tensor]:
            numbers, *states = carried
            inputs = concatenate_columns([self._forecast(numbers), other_inputs])[:, None]
            output, *new_carried = self.recurrent(inputs, initial_state=states, training=False)
            new_carried = [self.head(output[:, 0]), *new_carried]
            return [ops.cast(n, old.dtype) for n, old in zip(new_carried, carried, strict=True)]

        # The loop carries numbers of one shape, so the first value is repeated to that shape.
        first = ops.repeat(value, self.outputs // self.targets, axis=-1)
        over_time = ops.transpose(other_inputs, (1, 0, 2))
        _, (numbers,) = timeloop.run(step, [first, *states], over_time, keep=1, unroll=False)
        return ops.transpose(numbers, (1, 0, 2))

    def _forecast_in_training(self, features: dict[str, Tensor]) -> Tensor:
        """Forecast with teacher forcing, and scheduled sampling if `scheduled` is not 0."""
        ahead = features["ahead"][:, :-1]
        is_observed = ops.logical_not(ops.isnan(ahead))
        ahead = ops.where(is_observed, ahead, 0.0)
        if self.scheduled_sampling:
            forecasts = ops.stop_gradient(
                self._forecast(self._read_horizon(features, ahead, is_observed)[:, :-1])
            )
            draws = keras.random.uniform(ops.shape(forecasts[..., :1]), seed=self.seed_generator)
            is_replaced = draws < self.scheduled_sampling
            ahead, is_observed = (
                ops.where(is_replaced, forecasts, ahead),
                ops.logical_or(is_observed, is_replaced),
            )
        return self._read_horizon(features, ahead, is_observed)

    def _read_horizon(
        self, features: dict[str, Tensor], ahead: Tensor, is_observed: Tensor
    ) -> Tensor:
        """Compute all numbers of the horizon in one call, from given targets in it.

        Args:
            features: The features.
            ahead: Targets of the horizon but its last timestep, (batch, horizon - 1, targets).
            is_observed: Where a target counts as observed, of the same shape.
        """
        inputs = ops.concatenate([features["history"], ahead], axis=1)
        inputs = concatenate_columns([inputs, self._other_inputs(features, is_observed)])
        sequences, *_ = self.recurrent(inputs, training=True)
        return self.head(self.dropout(sequences[:, -self.horizon :], training=True))

    def _other_inputs(
        self, features: dict[str, Tensor], is_observed: Tensor | None = None
    ) -> Tensor:
        """The inputs beside the targets, (batch, lookback + horizon - 1, columns).

        Args:
            features: The features.
            is_observed: Where a target of the horizon counts as observed; everywhere if None.
        """
        values, after = _pad_end(features["history"], self.horizon - 1), self.horizon - 1
        parts = [values[..., :0]]
        if "observed" in features:  # forecasts count as observed
            observed = _pad_end(features["observed"], after, 1.0)
            if is_observed is not None:
                is_observed = ops.cast(is_observed, observed.dtype)
                observed = ops.concatenate([features["observed"], is_observed], axis=1)
            parts.append(observed)
        if "past" in features:
            past, future = features["past"], features.get("future")
            known_ahead = 0 if future is None else future.shape[-1]
            unknown_ahead = past[..., : past.shape[-1] - known_ahead]
            parts.append(
                ops.concatenate(
                    [unknown_ahead, ops.tile(unknown_ahead[:, -1:], (1, after, 1))], axis=1
                )
            )
            if future is not None:  # the covariates of the next timestep
                parts.append(ops.concatenate([past[:, 1:, -known_ahead:], future], axis=1))
        if "traits" in features:
            parts.append(at_every_step(features["traits"], values))
        return concatenate_columns(parts)

    def _forecast(self, numbers: Tensor) -> Tensor:
        """The forecast of each target, which is the first of its numbers."""
        size = self.outputs // self.targets
        return numbers[..., ::size]

    def get_config(self) -> dict[str, Any]:
        """The config, with one entry per constructor argument."""
        return {
            **super().get_config(),
            "scheduled_sampling": self.scheduled_sampling,
            "seed": self.seed,
        }


def _pad_end(values: Tensor, steps: int, by: float = 0.0) -> Tensor:
    return ops.pad(values, ((0, 0), (0, steps), (0, 0)), constant_values=by)
