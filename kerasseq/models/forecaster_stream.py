"""Streaming forecasts: a recursive forecaster that keeps its state between updates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
from keras import ops

from kerasseq.layers.forecast.window_norm import spread
from kerasseq.models.forecaster import Forecaster, traits

__all__ = ["State", "Stream"]

_ROWS = ("history", "observed", "past")


@dataclass(frozen=True)
class State:
    """State of a stream: arrays with the batch as first axis.

    Args:
        states: states of the recurrent layer before the last row.
        row: last row of each input with a time axis, (batch, 1, columns), by name.
        fixed: inputs without a time axis, by name.
        centre: centre of `WindowNorm`, (batch, season, targets), rotated so that index 0 belongs to
            the next row.
        scale: scale of `WindowNorm`, (batch, 1, targets).
    """

    states: tuple[np.ndarray, ...]
    row: Mapping[str, np.ndarray]
    fixed: Mapping[str, np.ndarray]
    centre: np.ndarray
    scale: np.ndarray


class Stream:
    """Updates the state of a recursive forecaster with new rows, and forecasts from it.

    Args:
        sizes: config of the model.
        model: trained model that `Forecaster.build` returned.

    Raises:
        ValueError: if the kind of the model is not "recursive", or it is an ensemble.

    Example:

    >>> sizes = Forecaster(lookback=8, horizon=3, kind="recursive", units=4, normalization="none")
    >>> model = sizes.build()
    >>> rows = np.arange(10, dtype="float32")[None, :, None]
    >>> stream = Stream(sizes, model)
    >>> state = stream.update(stream.start({"history": rows[:, :8]}), {"history": rows[:, 8:]})
    >>> stream.forecast(state).shape
    (1, 3, 1)
    """

    def __init__(self, sizes: Forecaster, model: keras.Model) -> None:
        if sizes.kind != "recursive":
            raise ValueError(
                f"Only a 'recursive' forecaster can be streamed. Received: kind={sizes.kind!r}"
            )
        if sizes.members > 1:
            raise ValueError(
                "An ensemble cannot be streamed: stream each of its members, see "
                f"`Forecaster.split`. Received: members={sizes.members}"
            )
        self._sizes, self._layers = sizes, _layers_by_name(model)
        # The same weights with a horizon of 1, so that updates do not compute a whole forecast.
        step = replace(sizes, horizon=1).build()
        step.set_weights(model.get_weights())
        self._step = _layers_by_name(step)

    def start(self, inputs: Mapping[str, np.ndarray]) -> State:
        """Read windows of any length, and return the state after them.

        Args:
            inputs: inputs of the model by name; `future` is not needed.
        """
        rows = {name: inputs[name] for name in _ROWS if name in inputs}
        fixed = {name: inputs[name] for name in ("static", "series") if name in inputs}
        window = [ops.convert_to_tensor(rows[name]) for name in _ROWS[:2] if name in rows]
        _, centre, scale = self._layers["norm"](*window)
        centre = np.roll(_array(centre), rows["history"].shape[1], axis=1)
        return self._read(self._step, State((), {}, fixed, centre, _array(scale)), rows)[1]

    def update(self, state: State, rows: Mapping[str, np.ndarray]) -> State:
        """Read new rows; the new state is the same as that of `start` on all rows together.

        Args:
            state: the state before the new rows.
            rows: new timesteps of each input, (batch, timesteps, columns), by name.

        Raises:
            ValueError: if the model normalises each window, since new rows would then change the
                normalised values of the old ones.
        """
        if not self._sizes.causal:
            raise ValueError(
                "Only a forecaster with normalization='none' can go on without reading its window "
                f"again. Received: normalization={self._sizes.normalization!r}"
            )
        return self._read(self._step, state, rows)[1]

    def forecast(self, state: State, future: np.ndarray | None = None) -> np.ndarray:
        """Forecast the horizon after a state.

        Args:
            state: the state.
            future: covariates of the horizon, (batch, horizon, columns), if the model has them.

        Returns:
            The forecast, of the shape of the model's output.
        """
        return self._read(self._layers, state, {}, future)[0]

    def paths(
        self, state: State, paths: int, future: np.ndarray | None = None, seed: int = 0
    ) -> np.ndarray:
        """Sample paths: each value is drawn given the values drawn before it.

        Args:
            state: the state to start from.
            paths: number of paths for each row.
            future: covariates of the horizon, (batch, horizon, columns), if the model has them.
            seed: seed of the samples.

        Returns:
            Samples, (paths, batch, horizon, targets).
        """
        state = _repeat(state, paths)
        future = None if future is None else _tile(future, paths)
        likelihood = self._sizes.likelihood
        random = np.random.default_rng(seed)
        values: list[np.ndarray] = []
        rows: dict[str, np.ndarray] = {}
        for step in range(self._sizes.horizon):
            covariates = None if future is None else future[:, step : step + 1]
            forecast, state = self._read(self._step, state, rows, covariates)
            values.append(likelihood.sample(forecast, 1, random)[0])
            rows = self._next_row(state, values[-1], covariates)
        samples = np.concatenate(values, axis=1)
        return samples.reshape(paths, -1, *samples.shape[1:])

    def _next_row(
        self, state: State, drawn: np.ndarray, future: np.ndarray | None
    ) -> dict[str, np.ndarray]:
        """The drawn values as the next input row; covariates without a future are repeated."""
        row = {"history": drawn.astype(state.row["history"].dtype)}
        if "observed" in state.row:
            row["observed"] = np.ones_like(state.row["observed"])
        if "past" in state.row:
            past_only = state.row["past"][..., : self._sizes.past - self._sizes.future]
            row["past"] = (
                past_only if future is None else np.concatenate([past_only, future], axis=-1)
            )
        return row

    def _read(
        self,
        layers: Mapping[str, Any],
        state: State,
        rows: Mapping[str, np.ndarray],
        future: np.ndarray | None = None,
    ) -> tuple[np.ndarray, State]:
        """Read rows, forecast after them, and return the forecast and the new state.

        The state has the recurrent states before its last row. That row is read again, since its
        output is the first forecast.
        """
        steps = {
            name: np.concatenate([part[name] for part in (state.row, rows) if name in part], axis=1)
            for name in _ROWS
            if name in state.row or name in rows
        }
        timesteps = steps["history"].shape[1]
        centre = np.roll(state.centre, (1 if state.row else 0) - timesteps, axis=1)
        level, scale = (ops.convert_to_tensor(part) for part in (centre, state.scale))
        features: dict[str, Any] = {name: ops.convert_to_tensor(v) for name, v in steps.items()}
        history = (features["history"] - spread(level, timesteps, first=-timesteps)) / scale
        features["history"] = history * features["observed"] if "observed" in steps else history
        if self._sizes.future:
            if future is None:  # covariates of the horizon do not change the state
                future = np.zeros((len(centre), layers["network"].horizon, self._sizes.future))
            features["future"] = ops.convert_to_tensor(future, dtype="float32")
        fixed = {name: ops.convert_to_tensor(values) for name, values in state.fixed.items()}
        features |= traits(fixed, layers)
        if state.states:
            features["states"] = [ops.convert_to_tensor(part) for part in state.states]
        outputs, states = layers["network"](features, training=False, return_states=True)
        last = {name: values[:, -1:] for name, values in steps.items()}
        new_state = State(tuple(map(_array, states)), last, state.fixed, centre, state.scale)
        return _array(layers["emission"](outputs, level, scale)), new_state


def _layers_by_name(model: keras.Model) -> dict[str, Any]:
    return {layer.name: layer for layer in model.layers}


def _array(tensor: Any) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(tensor))


def _tile(values: np.ndarray, times: int) -> np.ndarray:
    return np.tile(values, (times, *[1] * (values.ndim - 1)))


def _repeat(state: State, times: int) -> State:
    """The state with each row of the batch repeated `times` times."""
    return State(
        states=tuple(_tile(part, times) for part in state.states),
        row={name: _tile(values, times) for name, values in state.row.items()},
        fixed={name: _tile(values, times) for name, values in state.fixed.items()},
        centre=_tile(state.centre, times),
        scale=_tile(state.scale, times),
    )
