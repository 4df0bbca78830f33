"""Reversible normalisation of a window by its level and scale."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from kerasseq.params.spec import positive_int

Tensor = Any
MODES = ("none", "last", "seasonal", "instance")
_EPSILON = 1e-5  # as in the paper: keeps the variance of a constant window from zero


@keras.saving.register_keras_serializable("kerasseq")
class WindowNorm(keras.layers.Layer):
    """Normalise each window by its history, reversibly and without weights.

    The network reads normalised windows, and `Emission` brings its forecasts back to the level of
    the window. So the network also works for series whose level drifts away from the training data.

    Args:
        mode: `"none"`; `"last"`, subtract the last value; `"seasonal"`, subtract the last season,
            repeated; or `"instance"`, subtract the mean and divide by the standard deviation.
        season: Timesteps of a season; only `"seasonal"` needs it.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        history: (batch, lookback, targets).
        observed: None, or (batch, lookback, targets), 1 where a value was observed, else 0. Missing
            values do not count in level and scale, and become 0.

    Output shape:
        The normalised history, (batch, lookback, targets); the centre that was subtracted, (batch,
        season, targets); and the scale, (batch, 1, targets). Row i of the centre belongs to the
        timesteps i after the beginning of a season, and the horizon begins a season. In other modes
        than `"seasonal"` the season is one timestep.

    Raises:
        ValueError: If `mode` is unknown, or the history is shorter than a season.

    Example:
        >>> import numpy as np
        >>> history = np.array([[[5.0], [1.0], [6.0], [2.0]]])
        >>> normalised, centre, scale = WindowNorm("seasonal", season=2)(history)
        >>> np.asarray(normalised).ravel().tolist(), np.asarray(centre).ravel().tolist()
        ([-1.0, -1.0, 0.0, 0.0], [6.0, 2.0])

    Reference: `"last"` as in NLinear, Zeng et al. (2023), arXiv 2205.13504; `"instance"` as in
    RevIN, Kim et al. (2022), https://openreview.net/forum?id=cGDAkQo1C0p, without its gains.
    """

    def __init__(self, mode: str = "last", season: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if mode not in MODES:
            raise ValueError(f"`mode` must be one of {', '.join(MODES)}. Received: mode={mode!r}")
        self.mode = mode
        self.season = positive_int("season", season) if mode == "seasonal" else 1

    def build(self, history_shape: Any, *_: Any) -> None:
        """Check that the history has at least one season; there are no weights."""
        lookback = history_shape[1]
        if lookback is not None and lookback < self.season:
            raise ValueError(
                f"The history must be at least a season long. Received: {lookback} timesteps with "
                f"season={self.season}"
            )
        self.built = True

    def call(self, history: Tensor, observed: Tensor | None = None) -> tuple[Tensor, ...]:
        """Compute normalised history, centre and scale; see the class."""
        centre, scale = self._level(history, observed)
        lookback = history.shape[1]
        normalised = (history - spread(centre, lookback, first=-lookback)) / scale
        return (normalised if observed is None else normalised * observed), centre, scale

    def _level(self, history: Tensor, observed: Tensor | None) -> tuple[Tensor, Tensor]:
        """Centre and scale."""
        if self.mode == "instance":
            return _moments(history, observed)
        if self.mode == "none":
            centre = ops.zeros_like(history[:, :1])
        else:
            centre = _last(history, observed, self.season)
        return centre, ops.ones_like(centre[:, :1])

    def compute_output_shape(self, history_shape: Any, observed_shape: Any = None) -> Any:
        """Shapes of history, centre and scale."""
        batch, _, targets = history_shape
        return tuple(history_shape), (batch, self.season, targets), (batch, 1, targets)

    def get_config(self) -> dict[str, Any]:
        """The config, with one entry per constructor argument."""
        return {**super().get_config(), "mode": self.mode, "season": self.season}


@keras.saving.register_keras_serializable("kerasseq")
class HorizonNorm(keras.layers.Layer):
    """Normalise the values of the horizon by centre and scale of the window before it.

    Args:
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        values: (batch, horizon, targets).
        centre: (batch, season, targets), from `WindowNorm`.
        scale: (batch, 1, targets), from `WindowNorm`.

    Output shape:
        (batch, horizon, targets).

    Example:
        >>> import numpy as np
        >>> values, centre = np.array([[[7.0], [5.0]]]), np.array([[[3.0]]])
        >>> np.asarray(HorizonNorm()(values, centre, np.array([[[2.0]]]))).ravel().tolist()
        [2.0, 1.0]
    """

    def call(self, values: Tensor, centre: Tensor, scale: Tensor) -> Tensor:
        """Normalise (batch, horizon, targets); see the class."""
        return (values - spread(centre, values.shape[1])) / scale

    def compute_output_shape(self, values_shape: Any, centre_shape: Any, scale_shape: Any) -> Any:
        """(batch, horizon, targets)."""
        return tuple(values_shape)


def spread(centre: Tensor, steps: int, first: int = 0) -> Tensor:
    """Repeat a seasonal centre over `steps` timesteps.

    Args:
        centre: (batch, season, targets).
        steps: Number of timesteps.
        first: The first of them: 0 is the first timestep of the horizon, -1 the one before.

    Example:
        >>> import numpy as np
        >>> centre = np.array([[[6.0], [2.0]]])
        >>> np.asarray(spread(centre, 3, first=-1)).ravel().tolist()
        [2.0, 6.0, 2.0]
    """
    season = centre.shape[1]
    if season == 1:
        return centre  # broadcasts
    return ops.take(centre, (first + np.arange(steps)) % season, axis=1)


def _last(history: Tensor, observed: Tensor | None, season: int) -> Tensor:
    """The last observed value at each position in the season, (batch, season, targets)."""
    if observed is None:
        return history[:, -season:]
    seasons = -(-history.shape[1] // season)
    padding = seasons * season - history.shape[1]
    shape = (-1, seasons, season, history.shape[2])
    values, flags = (
        ops.reshape(ops.pad(part, ((0, 0), (padding, 0), (0, 0))), shape)
        for part in (history, observed)
    )
    ages = ops.arange(1, seasons + 1, dtype=flags.dtype)[None, :, None, None]
    latest = ops.argmax(flags * ages, axis=1)[:, None]
    values_at_last = ops.take_along_axis(values, latest, axis=1)[:, 0]
    # A position without any observed value gets the mean of the window.
    mean, _ = _moments(history, observed)
    return ops.where(ops.any(flags > 0, axis=1), values_at_last, mean)


def _moments(history: Tensor, observed: Tensor | None) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation over time, of observed values."""
    weight = ops.ones_like(history) if observed is None else observed
    count = ops.maximum(ops.sum(weight, axis=1, keepdims=True), 1.0)
    mean = ops.sum(weight * history, axis=1, keepdims=True) / count
    variance = ops.sum(weight * ops.square(history - mean), axis=1, keepdims=True) / count
    return mean, ops.sqrt(variance + _EPSILON)
