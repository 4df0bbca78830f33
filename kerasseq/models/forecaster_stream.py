"""A recursive forecaster that goes on from where it was, instead of reading everything again."""

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
    """What a stream knows, in arrays with the batch first.

    Args:
        states: of the recurrent layer, before the last row.
        row: the last row of each input that has rows, (batch, 1, columns), by name.
        fixed: the inputs that have no rows, by name.
        centre: from `WindowNorm`, (batch, season, targets), the row that follows coming first.
        scale: from `WindowNorm`, (batch, 1, targets).
    """

    states: tuple[np.ndarray, ...]
    row: Mapping[str, np.ndarray]
    fixed: Mapping[str, np.ndarray]
    centre: np.ndarray
    scale: np.ndarray


class Stream:
    """Carries the state of a recursive forecaster over new rows, and forecasts from it.

    Args:
        sizes: those of the model.
        model: what `Forecaster.build` gave, trained.

    Raises:
        ValueError: if the model is of another kind.

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
        self._sizes, self._layers = sizes, _by_name(model)
        # Its weights do not depend on the horizon: nothing ahead is computed to no purpose.
        step = replace(sizes, horizon=1).build()
        step.set_weights(model.get_weights())
        self._step = _by_name(step)

    def start(self, inputs: Mapping[str, np.ndarray]) -> State:
        """The state after windows of any length.

        Args:
            inputs: those of the model; `future` may be left out.
        """
        rows = {name: inputs[name] for name in _ROWS if name in inputs}
        fixed = {name: inputs[name] for name in ("static", "series") if name in inputs}
        window = [ops.convert_to_tensor(rows[name]) for name in _ROWS[:2] if name in rows]
        _, centre, scale = self._layers["norm"](*window)
        centre = np.roll(_array(centre), rows["history"].shape[1], axis=1)
        return self._run(self._step, State((), {}, fixed, centre, _array(scale)), rows)[1]

    def update(self, state: State, rows: Mapping[str, np.ndarray]) -> State:
        """The state after more rows: that of `start` on all of them.

        Args:
            state: the one before them.
            rows: new timesteps by the name of the input, (batch, timesteps, columns) each.

        Raises:
            ValueError: if the model normalises each window by itself: new rows would change what it
                made of the old ones.
        """
        if not self._sizes.causal:
            raise ValueError(
                "Only a forecaster with normalization='none' can go on without reading its window "
                f"again. Received: normalization={self._sizes.normalization!r}"
            )
        return self._run(self._step, state, rows)[1]

    def forecast(self, state: State, future: np.ndarray | None = None) -> np.ndarray:
        """What the model forecasts from a state.

        Args:
            state: where to start.
            future: (batch, horizon, columns), if the model has that input.
        """
        return self._run(self._layers, state, {}, future)[0]

    def paths(
        self, state: State, paths: int, future: np.ndarray | None = None, seed: int = 0
    ) -> np.ndarray:
        """Draws of whole forecasts: each value follows from those drawn before it.

        Args:
            state: where to start.
            paths: how many for each row.
            future: (batch, horizon, columns), if the model has that input.
            seed: of the draws.

        Returns:
            (paths, batch, horizon, targets).
        """
        state = _repeated(state, paths)
        future = None if future is None else _tiled(future, paths)
        likelihood = self._sizes.likelihood
        random = np.random.default_rng(seed)
        drawn: list[np.ndarray] = []
        rows: dict[str, np.ndarray] = {}
        for step in range(self._sizes.horizon):
            now = None if future is None else future[:, step : step + 1]
            forecast, state = self._run(self._step, state, rows, now)
            drawn.append(likelihood.sample(forecast, 1, random)[0])
            rows = self._drawn_row(state, drawn[-1], now)
        found = np.concatenate(drawn, axis=1)
        return found.reshape(paths, -1, *found.shape[1:])

    def _drawn_row(
        self, state: State, drawn: np.ndarray, future: np.ndarray | None
    ) -> dict[str, np.ndarray]:
        """What was drawn as if it had been observed; what is observed only is held."""
        row = {"history": drawn.astype(state.row["history"].dtype)}
        if "observed" in state.row:
            row["observed"] = np.ones_like(state.row["observed"])
        if "past" in state.row:
            held = state.row["past"][..., : self._sizes.past - self._sizes.future]
            row["past"] = held if future is None else np.concatenate([held, future], axis=-1)
        return row

    def _run(
        self,
        layers: Mapping[str, Any],
        state: State,
        rows: Mapping[str, np.ndarray],
        future: np.ndarray | None = None,
    ) -> tuple[np.ndarray, State]:
        """A forecast after more rows, and the state there."""
        block = {
            name: np.concatenate([part[name] for part in (state.row, rows) if name in part], axis=1)
            for name in _ROWS
            if name in state.row or name in rows
        }
        timesteps = block["history"].shape[1]
        centre = np.roll(state.centre, (1 if state.row else 0) - timesteps, axis=1)
        level, scale = (ops.convert_to_tensor(part) for part in (centre, state.scale))
        features: dict[str, Any] = {name: ops.convert_to_tensor(v) for name, v in block.items()}
        history = (features["history"] - spread(level, timesteps, first=-timesteps)) / scale
        features["history"] = history * features["observed"] if "observed" in block else history
        if self._sizes.future:
            if future is None:  # of no consequence for the state
                future = np.zeros((len(centre), layers["network"].horizon, self._sizes.future))
            features["future"] = ops.convert_to_tensor(future, dtype="float32")
        fixed = {name: ops.convert_to_tensor(values) for name, values in state.fixed.items()}
        features |= traits(fixed, layers)
        if state.states:
            features["states"] = [ops.convert_to_tensor(part) for part in state.states]
        numbers, states = layers["network"](features, training=False, return_states=True)
        last = {name: values[:, -1:] for name, values in block.items()}
        after = State(tuple(map(_array, states)), last, state.fixed, centre, state.scale)
        return _array(layers["emission"](numbers, level, scale)), after


def _by_name(model: keras.Model) -> dict[str, Any]:
    return {layer.name: layer for layer in model.layers}


def _array(tensor: Any) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(tensor))


def _tiled(values: np.ndarray, times: int) -> np.ndarray:
    return np.tile(values, (times, *[1] * (values.ndim - 1)))


def _repeated(state: State, times: int) -> State:
    """The state of so many copies of each row."""
    return State(
        states=tuple(_tiled(part, times) for part in state.states),
        row={name: _tiled(values, times) for name, values in state.row.items()},
        fixed={name: _tiled(values, times) for name, values in state.fixed.items()},
        centre=_tiled(state.centre, times),
        scale=_tiled(state.scale, times),
    )
