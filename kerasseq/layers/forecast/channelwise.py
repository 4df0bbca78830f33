"""A network that forecasts one target, run over each of many targets."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kerasseq.params.spec import positive_int

Tensor = Any
_BY_TARGET = ("history", "observed", "ahead")  # have a column per target; others are common


@keras.saving.register_keras_serializable("kerasseq")
class Channelwise(keras.layers.Layer):
    """Makes a row of each target of a row: one network for all, which sees one at a time.

    It has as many examples as there are rows and targets, and cannot take a coincidence between
    two targets for a rule: on many data sets that is worth more than what they tell of each other
    (Nie et al. 2023, arXiv 2211.14730).

    Args:
        network: A layer from features to (batch, horizon, outputs); see `Forecast`.
        embedding: Width of a learned vector for each target, joined to the `traits`; 0 for none.
        **kwargs: Those of `keras.layers.Layer`.

    Call arguments:
        features: See `Forecast`; also `states`, (batch, targets, width) each.
        **options: Those of the network; the states that it gives are of the form above.

    Output shape:
        (batch, horizon, targets * outputs).

    Raises:
        ValueError: If `embedding` is negative.

    Example:
        >>> import kerasseq, numpy as np
        >>> from kerasseq.layers import DirectForecast
        >>> network = DirectForecast(kerasseq.gru(4), horizon=8, outputs=2, width=4)
        >>> layer = Channelwise(network, embedding=3)
        >>> layer({"history": np.ones((2, 10, 5), "float32")}).shape == (2, 8, 10)
        True
    """

    def __init__(self, network: Any, embedding: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.network = network
        self.embedding = positive_int("embedding", embedding) if embedding else 0

    def build(self, features_shape: Any) -> None:
        """A vector per target, and the network for one."""
        batch, targets = features_shape["history"][0], features_shape["history"][-1]
        shapes = {
            name: (*shape[:-1], 1) if name in _BY_TARGET else shape
            for name, shape in features_shape.items()
        }
        if self.embedding:
            self.targets = self.add_weight(
                shape=(targets, self.embedding), name="targets", initializer="uniform"
            )
            known = features_shape.get("traits", (batch, 0))[-1]
            shapes["traits"] = (batch, known + self.embedding)
        if not self.network.built:  # one that comes from a file is
            self.network.build(shapes)
        self.built = True

    def call(self, features: dict[str, Tensor], training: bool = False, **options: Any) -> Any:
        """Forecast from (batch, lookback, targets); see the class."""
        targets = features["history"].shape[-1]
        rows = {
            name: _by_target(part) if name in _BY_TARGET else ops.repeat(part, targets, axis=0)
            for name, part in features.items()
            if name != "states"
        }
        if "states" in features:
            rows["states"] = [_merged(state) for state in features["states"]]
        if self.embedding:
            own = ops.tile(self.targets, (ops.shape(features["history"])[0], 1))
            known = [rows["traits"]] if "traits" in rows else []
            rows["traits"] = ops.concatenate([*known, own], axis=-1)
        ahead = self.network(rows, training=training, **options)
        if not isinstance(ahead, tuple):
            return _side_by_side(ahead, targets)
        ahead, states = ahead
        apart = [ops.reshape(state, (-1, targets, state.shape[-1])) for state in states]
        return _side_by_side(ahead, targets), apart

    def compute_output_shape(self, features_shape: Any) -> Any:
        """(batch, horizon, targets * outputs)."""
        batch, horizon, outputs = self.network.compute_output_shape(features_shape)
        return (batch, horizon, features_shape["history"][-1] * outputs)

    def get_config(self) -> dict[str, Any]:
        """One entry per constructor argument, the network as its own config."""
        network = keras.saving.serialize_keras_object(self.network)
        return {**super().get_config(), "network": network, "embedding": self.embedding}

    @property
    def horizon(self) -> int:
        """Timesteps ahead."""
        return self.network.horizon

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Channelwise:
        """The layer of a config."""
        network = keras.saving.deserialize_keras_object(config["network"])
        return cls(**{**config, "network": network})


def _by_target(values: Tensor) -> Tensor:
    """(batch, time, targets) as (batch * targets, time, 1)."""
    return _merged(ops.transpose(values, (0, 2, 1)))[..., None]


def _merged(values: Tensor) -> Tensor:
    """(batch, targets, width) as (batch * targets, width)."""
    return ops.reshape(values, (-1, values.shape[-1]))


def _side_by_side(ahead: Tensor, targets: int) -> Tensor:
    """(batch * targets, horizon, outputs) as (batch, horizon, targets * outputs)."""
    horizon, outputs = ahead.shape[1:]
    ahead = ops.transpose(ops.reshape(ahead, (-1, targets, horizon, outputs)), (0, 2, 1, 3))
    return ops.reshape(ahead, (-1, horizon, targets * outputs))
