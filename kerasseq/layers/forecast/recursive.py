"""Forecasts one timestep at a time, each from those before it."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kerasseq.kernels import timeloop
from kerasseq.layers.forecast.base import Forecast, Tensor, at_every_step, joined, told_columns


@keras.saving.register_keras_serializable("kerasseq")
class RecursiveForecast(Forecast):
    """Forecasts the next timestep, and goes on from there as if that had been observed.

    At each timestep the recurrent layer reads the values there, what was observed beside them (held
    at its last values in the horizon), and what is known of the timestep that follows. In training
    it reads what was observed in the horizon, if it is given (`ahead`), or with
    `scheduled_sampling` in some places its forecasts from a first pass over the same values, so
    that both passes run over all timesteps in one go. Else, and always outside of training,
    it steps through the horizon on its forecasts.

    Its weights do not depend on the horizon.

    Args:
        recurrent: A recurrent layer that returns sequences and its states.
        scheduled_sampling: Share of the timesteps in the horizon whose values are replaced by the
            layer's forecasts in training.
        seed: Seed of which they are.
        **kwargs: Those of `Forecast`; the first number of each target is its forecast.

    Call arguments:
        features: See `Forecast`, and by name: `ahead`, (batch, horizon, targets), what was observed
            (NaN where nothing was); `states`, those to start from, instead of the first ones. The
            last columns of `past` are those of `future`.
        return_states: Whether to give, beside the forecast, the states after all timesteps of the
            window but the last.

    Output shape:
        (batch, horizon, outputs).

    Raises:
        ValueError: If a size is not a positive integer, or `scheduled_sampling` is no share.

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
        """Sized by the columns that there are."""
        batch, _, self.targets = features_shape["history"]
        read = (batch, None, told_columns(features_shape))
        if not self.recurrent.built:  # one that comes from a file is
            self.recurrent.build(read)
        sequences, *_ = self.recurrent.compute_output_shape(read)
        self.head.build(sequences)
        self.built = True

    def call(
        self, features: dict[str, Tensor], training: bool = False, return_states: bool = False
    ) -> Any:
        """Forecast from (batch, lookback, columns); see the class."""
        if training and "ahead" in features:
            return self._taught(features)
        # The last timestep of the window is the first of as many steps as there are ahead.
        history, known = features["history"], self._known(features)
        _, *states = self.recurrent(
            joined([history[:, :-1], known[:, : -self.horizon]]),
            initial_state=features.get("states"),
            training=training,
        )
        ahead = self._steps(history[:, -1], states, known[:, -self.horizon :])
        return (ahead, states) if return_states else ahead

    def _steps(self, value: Tensor, states: list[Tensor], known: Tensor) -> Tensor:
        """Step through the horizon from a value and the states before it, drawing no noise."""

        def step(carried: list[Tensor], known: Tensor) -> list[Tensor]:
            numbers, *states = carried
            read = joined([self._forecast(numbers), known])[:, None]
            output, *new = self.recurrent(read, initial_state=states, training=False)
            new = [self.head(output[:, 0]), *new]
            return [ops.cast(n, old.dtype) for n, old in zip(new, carried, strict=True)]

        # What is carried has one form, the first value too: as if it had been forecast.
        first = ops.repeat(value, self.outputs // self.targets, axis=-1)
        over_time = ops.transpose(known, (1, 0, 2))
        _, (numbers,) = timeloop.run(step, [first, *states], over_time, keep=1, unroll=False)
        return ops.transpose(numbers, (1, 0, 2))

    def _taught(self, features: dict[str, Tensor]) -> Tensor:
        """Forecast each timestep of the horizon from what was observed before it."""
        ahead = features["ahead"][:, :-1]
        seen = ops.logical_not(ops.isnan(ahead))
        ahead = ops.where(seen, ahead, 0.0)
        if self.scheduled_sampling:
            own = ops.stop_gradient(self._forecast(self._pass(features, ahead, seen)[:, :-1]))
            drawn = keras.random.uniform(ops.shape(own[..., :1]), seed=self.seed_generator)
            chosen = drawn < self.scheduled_sampling
            ahead, seen = ops.where(chosen, own, ahead), ops.logical_or(seen, chosen)
        return self._pass(features, ahead, seen)

    def _pass(self, features: dict[str, Tensor], ahead: Tensor, seen: Tensor) -> Tensor:
        """All numbers of the horizon from given values in it, in one go."""
        read = ops.concatenate([features["history"], ahead], axis=1)
        read = joined([read, self._known(features, seen)])
        sequences, *_ = self.recurrent(read, training=True)
        return self.head(self.dropout(sequences[:, -self.horizon :], training=True))

    def _known(self, features: dict[str, Tensor], seen: Tensor | None = None) -> Tensor:
        """What is read beside the values of window and horizon, but for its last timestep."""
        values, after = _padded(features["history"], self.horizon - 1), self.horizon - 1
        parts = [values[..., :0]]
        if "observed" in features:  # a forecast counts as observed
            observed = _padded(features["observed"], after, 1.0)
            if seen is not None:
                seen = ops.cast(seen, observed.dtype)
                observed = ops.concatenate([features["observed"], seen], axis=1)
            parts.append(observed)
        if "past" in features:
            past, future = features["past"], features.get("future")
            both = 0 if future is None else future.shape[-1]
            own = past[..., : past.shape[-1] - both]
            parts.append(ops.concatenate([own, ops.tile(own[:, -1:], (1, after, 1))], axis=1))
            if future is not None:  # that of the timestep that follows
                parts.append(ops.concatenate([past[:, 1:, -both:], future], axis=1))
        if "traits" in features:
            parts.append(at_every_step(features["traits"], values))
        return joined(parts)

    def _forecast(self, numbers: Tensor) -> Tensor:
        """Where the forecast of each target lies: the first of its numbers."""
        size = self.outputs // self.targets
        return numbers[..., ::size]

    def get_config(self) -> dict[str, Any]:
        """One entry per constructor argument."""
        return {
            **super().get_config(),
            "scheduled_sampling": self.scheduled_sampling,
            "seed": self.seed,
        }


def _padded(values: Tensor, steps: int, by: float = 0.0) -> Tensor:
    return ops.pad(values, ((0, 0), (0, steps), (0, 0)), constant_values=by)
