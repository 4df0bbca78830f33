"""The level and scale of a window: taken off its history, given back to what is forecast."""

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
    """Normalises each window by its own history, reversibly and without weights.

    A forecaster sees shapes instead of levels, and what it gives is put back where the window was:
    the cure for series that drift away from where they were in training.

    Args:
        mode: `"none"`; `"last"`, which takes the last value off; `"seasonal"`, which takes the
            last season off, repeated; or `"instance"`, which takes the mean off and divides by the
            standard deviation.
        season: Timesteps of a season; `"seasonal"` alone needs it.
        **kwargs: Those of `keras.layers.Layer`.

    Call arguments:
        history: (batch, lookback, targets).
        observed: None, or (batch, lookback, targets), 1 where a value was observed. What was not
            has no part in level and scale, and is given as 0.

    Output shape:
        The normalised history (batch, lookback, targets); its centre (batch, season, targets), of
        which row i is taken off every timestep that many after the beginning of a season, the
        horizon beginning one; and its scale (batch, 1, targets). Outside of `"seasonal"` the season
        is one timestep.

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
        """There are no weights; the history must hold a season."""
        lookback = history_shape[1]
        if lookback is not None and lookback < self.season:
            raise ValueError(
                f"The history must be at least a season long. Received: {lookback} timesteps with "
                f"season={self.season}"
            )
        self.built = True

    def call(self, history: Tensor, observed: Tensor | None = None) -> tuple[Tensor, ...]:
        """Normalised history, centre and scale; see the class."""
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
        """Of history, centre and scale."""
        batch, _, targets = history_shape
        return tuple(history_shape), (batch, self.season, targets), (batch, 1, targets)

    def get_config(self) -> dict[str, Any]:
        """One entry per constructor argument."""
        return {**super().get_config(), "mode": self.mode, "season": self.season}


@keras.saving.register_keras_serializable("kerasseq")
class HorizonNorm(keras.layers.Layer):
    """Normalises what follows a window as `WindowNorm` did the window.

    Args:
        **kwargs: Those of `keras.layers.Layer`.

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
        """Normalised values; see the class."""
        return (values - spread(centre, values.shape[1])) / scale

    def compute_output_shape(self, values_shape: Any, centre_shape: Any, scale_shape: Any) -> Any:
        """(batch, horizon, targets)."""
        return tuple(values_shape)


def spread(centre: Tensor, steps: int, first: int = 0) -> Tensor:
    """The centre of each of so many timesteps, the first of them counted from the horizon's.

    Args:
        centre: (batch, season, targets).
        steps: How many timesteps.
        first: Where they begin: 0 at the first one of the horizon, -1 a timestep before.

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
    """The value that was observed last at each place in the season."""
    if observed is None:
        return history[:, -season:]
    seasons = -(-history.shape[1] // season)
    short = seasons * season - history.shape[1]
    shape = (-1, seasons, season, history.shape[2])
    values, seen = (
        ops.reshape(ops.pad(part, ((0, 0), (short, 0), (0, 0))), shape)
        for part in (history, observed)
    )
    ages = ops.arange(1, seasons + 1, dtype=seen.dtype)[None, :, None, None]
    latest = ops.argmax(seen * ages, axis=1)[:, None]
    found = ops.take_along_axis(values, latest, axis=1)[:, 0]
    mean, _ = _moments(
        history, observed
    )  # of a place that was never observed nothing else is known
    return ops.where(ops.any(seen > 0, axis=1), found, mean)


def _moments(history: Tensor, observed: Tensor | None) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation over time."""
    weight = ops.ones_like(history) if observed is None else observed
    count = ops.maximum(ops.sum(weight, axis=1, keepdims=True), 1.0)
    mean = ops.sum(weight * history, axis=1, keepdims=True) / count
    variance = ops.sum(weight * ops.square(history - mean), axis=1, keepdims=True) / count
    return mean, ops.sqrt(variance + _EPSILON)
