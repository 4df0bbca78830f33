"""Normalisation of a window by exponential smoothing with learned coefficients."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from kerasseq.layers.forecast.window_norm import spread
from kerasseq.params.spec import positive_int

Tensor = Any
SMOOTHED = ("additive", "multiplicative")
#: Coefficients of each target, each with the logit that it begins with.
COEFFICIENTS = {"level": 0.0, "season": -1.0, "trend": 3.0, "damping": 4.0}
_PACE = 10.0  # logit of a coefficient per unit of its weight: Adam moves all weights equally fast
_EPSILON = 1e-5  # keeps the variance of a constant window from zero
_FLOOR = 0.05  # least level under a multiplicative season, as a share of the mean of the window


@keras.saving.register_keras_serializable("kerasseq")
class SmoothingNorm(keras.layers.Layer):
    """Normalise each window by exponential smoothing of its level and season.

    The centre is the forecast of exponential smoothing, so that a network whose output is zero
    forecasts as it does, and learns corrections. Four coefficients of each target, between 0 and 1,
    are learned with the network: the rates of level and season, the share of the trend that is
    extended, and its damping from step to step. States are those of the window: the trend is the
    slope of a line through the means of its seasons, and the season begins as the mean deviation
    from this line. Missing values become the mean of their phase in the season.

    Args:
        mode: `"additive"`, the season is added to the level; or `"multiplicative"`, the level is
            multiplied by it, for windows of positive values.
        horizon: Timesteps ahead.
        season: Timesteps of a season; 1 for none.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        history: (batch, lookback, targets).
        observed: None, or (batch, lookback, targets), 1 where a value was observed, else 0.

    Output shape:
        The history without its season, less the last level and divided by the deviation, (batch,
        lookback, targets); the centre of the horizon, (batch, horizon, targets); and its scale,
        also (batch, horizon, targets): the deviation of one-step errors times the square root of
        the number of steps ahead, as of a random walk.

    Raises:
        ValueError: If `mode` is unknown, or the history is shorter than two seasons.

    Example:
        >>> import numpy as np
        >>> history = np.array([[[1.0], [3.0], [2.0], [4.0], [3.0], [5.0]]])
        >>> _, centre, _ = SmoothingNorm("additive", horizon=2, season=2)(history)
        >>> np.asarray(centre, "float64").ravel().round(1).tolist()
        [4.0, 5.9]

    Reference: the hybrid of exponential smoothing and a recurrent network, Smyl (2020),
    https://doi.org/10.1016/j.ijforecast.2019.03.017. There, coefficients and first states of each
    series are learned, and the network alone forecasts the trend. Here, series that were not in the
    training data are forecast too.
    """

    def __init__(self, mode: str, horizon: int, season: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if mode not in SMOOTHED:
            raise ValueError(
                f"`mode` must be one of {', '.join(SMOOTHED)}. Received: mode={mode!r}"
            )
        self.mode = mode
        self.horizon, self.season = positive_int("horizon", horizon), positive_int("season", season)

    def build(self, history_shape: Any, *_: Any) -> None:
        """Create the coefficients; check that the history has two seasons."""
        lookback, targets = history_shape[1:]
        if self.season > 1 and lookback < 2 * self.season:
            raise ValueError(
                "The history must have at least two seasons. "
                f"Received: {lookback} timesteps with season={self.season}"
            )
        for name, logit in COEFFICIENTS.items():
            weight = self.add_weight(
                shape=(targets,),
                name=name,
                initializer=keras.initializers.Constant(logit / _PACE),
            )
            setattr(self, f"{name}_weight", weight)
        self.built = True

    def call(self, history: Tensor, observed: Tensor | None = None) -> tuple[Tensor, ...]:
        """Compute normalised history, centre and scale; see the class."""
        if observed is not None:
            history = _fill(history, observed, self.season)
        steps = history.shape[1] // self.season * self.season  # whole seasons, the last ones
        recent = history[:, history.shape[1] - steps :]
        mean = ops.mean(recent, axis=1, keepdims=True)
        weights = _column(_slope_weights(steps, self.season))
        trend = ops.sum(recent * weights, axis=1, keepdims=True)
        line = mean + trend * _column(np.arange(steps) - (steps - 1) / 2)
        plain, errors, level, index = self._smooth(history, recent, line, trend)
        deviation = _root_mean_square(plain - level)
        normalised = (plain - level) / deviation
        ahead = _column(np.arange(1, self.horizon + 1))
        powers = ops.exp(ahead * self._log_share("damping"))
        damped = ops.cumsum(powers, axis=1) * self._share("trend")
        centre = level + trend * damped
        scale = _root_mean_square(errors) * ops.sqrt(ahead)
        if index is not None:
            index = spread(index, self.horizon)
            if self.mode == "multiplicative":
                centre, scale = ops.maximum(centre, _floor(line)) * index, scale * index
            else:
                centre = centre + index
        return (normalised if observed is None else normalised * observed), centre, scale

    def _smooth(
        self, history: Tensor, recent: Tensor, line: Tensor, trend: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """History without its season, one-step errors, the last level, the last season or None."""
        steps, level = recent.shape[1], line[:, :1] - trend
        if self.season == 1:
            levels = self._levels(recent, level, trend)
            return recent, recent - _shifted(levels, level) - trend, levels[:, -1:], None
        multiplicative, floor = self.mode == "multiplicative", _floor(line)
        index = self._first_season(recent, line)
        oldest = history.shape[1] - steps  # timesteps before the first whole season
        plain, errors = [self._without(history[:, :oldest], index[:, self.season - oldest :])], []
        for first in range(0, steps, self.season):
            values = recent[:, first : first + self.season]
            plain.append(self._without(values, index))
            levels = self._levels(plain[-1], level, trend)
            errors.append(plain[-1] - _shifted(levels, level) - trend)
            level = levels[:, -1:]
            about = values / ops.maximum(levels, floor) if multiplicative else values - levels
            index = index + (about - index) * self._share("season")
        return ops.concatenate(plain, axis=1), ops.concatenate(errors, axis=1), level, index

    def _levels(self, values: Tensor, level: Tensor, trend: Tensor) -> Tensor:
        """The levels after each of some values, from the level before them; all in one product."""
        timesteps = np.arange(values.shape[1])
        ages = timesteps[:, None] - timesteps  # of the values of columns, at the timesteps of rows
        past = ops.convert_to_tensor((ages >= 0)[..., None], dtype="float32")
        ages = ops.convert_to_tensor(np.maximum(ages, 0)[..., None], dtype="float32")
        keep = self._log_share("level", of_rest=True)
        changes = values * self._share("level") + trend * ops.exp(keep)
        moved = ops.einsum("ijt,bjt->bit", ops.exp(ages * keep) * past, changes)
        return moved + level * ops.exp(_column(timesteps + 1) * keep)

    def _first_season(self, recent: Tensor, line: Tensor) -> Tensor:
        """The mean season about a line, (batch, season, targets)."""
        multiplicative = self.mode == "multiplicative"
        about = recent / ops.maximum(line, _floor(line)) if multiplicative else recent - line
        seasons = about.shape[1] // self.season
        about = ops.reshape(about, (-1, seasons, self.season, about.shape[2]))
        index = ops.mean(about, axis=1)
        mean = ops.mean(index, axis=1, keepdims=True)
        return index / mean if multiplicative else index - mean

    def _without(self, values: Tensor, index: Tensor) -> Tensor:
        """Values without the season."""
        if self.mode == "multiplicative":
            return values / ops.maximum(index, _FLOOR)
        return values - index

    @staticmethod
    def weight_of(share: float) -> float:
        """The value of a weight for a coefficient between 0 and 1."""
        return float(np.log(share / (1 - share))) / _PACE

    def _share(self, name: str) -> Tensor:
        """A coefficient of each target, between 0 and 1, (targets,)."""
        return ops.sigmoid(_PACE * getattr(self, f"{name}_weight"))

    def _log_share(self, name: str, of_rest: bool = False) -> Tensor:
        """The logarithm of a coefficient, or of the rest to 1, (targets,)."""
        return ops.log_sigmoid((-_PACE if of_rest else _PACE) * getattr(self, f"{name}_weight"))

    def compute_output_shape(self, history_shape: Any, observed_shape: Any = None) -> Any:
        """Shapes of history, centre and scale."""
        ahead = (history_shape[0], self.horizon, history_shape[2])
        return tuple(history_shape), ahead, ahead

    def get_config(self) -> dict[str, Any]:
        """The config, with one entry per constructor argument."""
        sizes = {name: getattr(self, name) for name in ("mode", "horizon", "season")}
        return {**super().get_config(), **sizes}


def _column(values: np.ndarray) -> Tensor:
    """Numbers of timesteps, as (1, time, 1)."""
    return ops.convert_to_tensor(values[None, :, None], dtype="float32")


def _slope_weights(steps: int, season: int) -> np.ndarray:
    """Weights of timesteps whose sum is the slope, per timestep, of a line through season means."""
    seasons = np.arange(steps // season) - (steps // season - 1) / 2
    squares = max(float((seasons**2).sum()), _EPSILON)
    return np.repeat(seasons / squares / season**2, season)


def _shifted(levels: Tensor, first: Tensor) -> Tensor:
    """The level before each timestep."""
    return ops.concatenate([first, levels[:, :-1]], axis=1)


def _floor(line: Tensor) -> Tensor:
    """Least level under a multiplicative season, (batch, 1, targets)."""
    return _FLOOR * ops.abs(ops.mean(line, axis=1, keepdims=True)) + _EPSILON


def _root_mean_square(values: Tensor) -> Tensor:
    """Root of the mean square over time, (batch, 1, targets)."""
    return ops.sqrt(ops.mean(ops.square(values), axis=1, keepdims=True) + _EPSILON)


def _fill(history: Tensor, observed: Tensor, season: int) -> Tensor:
    """Replace missing values by the mean of their phase of the season, or of the window."""
    lookback, targets = history.shape[1:]
    seasons = -(-lookback // season)
    padding = ((0, 0), (seasons * season - lookback, 0), (0, 0))
    shape = (-1, seasons, season, targets)
    flags, values = (
        ops.reshape(ops.pad(part, padding), shape) for part in (observed, history * observed)
    )
    total, count = ops.sum(values, axis=1, keepdims=True), ops.sum(flags, axis=1, keepdims=True)
    mean = ops.sum(total, axis=2, keepdims=True) / ops.maximum(
        ops.sum(count, axis=2, keepdims=True), 1.0
    )
    phase = ops.where(count > 0, total / ops.maximum(count, 1.0), mean)
    filled = ops.reshape(values + (1.0 - flags) * phase, (-1, seasons * season, targets))
    return filled[:, seasons * season - lookback :]
