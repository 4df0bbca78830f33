"""A layer that applies a network for one target to each of many targets."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kerasseq.params.spec import positive_int

Tensor = Any
_BY_TARGET = ("history", "observed", "ahead")  # features with a column per target


@keras.saving.register_keras_serializable("kerasseq")
class Channelwise(keras.layers.Layer):
    """Forecast each target by itself, with one network for all targets (channel independence).

    Every target of a row becomes a row of its own. So the network has more examples, and cannot
    overfit to chance relations between targets; on many data sets this is worth more than the
    information that targets have about each other (Nie et al. 2023, arXiv 2211.14730).

    Args:
        network: A layer from features to (batch, horizon, outputs), such as a `Forecast`.
        embedding: Width of a learned vector of each target, appended to the `traits`; 0 for none.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        features: See `Forecast`; also `states`, (batch, targets, width) each.
        **options: Call arguments of the network. States that it returns have the shape above.

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
        """Create a vector per target, and build the network for one target."""
        batch, targets = features_shape["history"][0], features_shape["history"][-1]
        shapes = {
            name: (*shape[:-1], 1) if name in _BY_TARGET else shape
            for name, shape in features_shape.items()
        }
        if self.embedding:
            self.targets = self.add_weight(
                shape=(targets, self.embedding), name="targets", initializer="uniform"
            )
            traits = features_shape.get("traits", (batch, 0))[-1]
            shapes["traits"] = (batch, traits + self.embedding)
        if not self.network.built:  # a layer that was loaded from a file is built
            self.network.build(shapes)
        self.built = True

    def call(self, features: dict[str, Tensor], training: bool = False, **options: Any) -> Any:
        """Forecast from (batch, lookback, targets); see the class."""
        targets = features["history"].shape[-1]
        rows = {
            name: _split_targets(part) if name in _BY_TARGET else ops.repeat(part, targets, axis=0)
            for name, part in features.items()
            if name != "states"
        }
        if "states" in features:
            rows["states"] = [_merge_rows(state) for state in features["states"]]
        if self.embedding:
            every_row = ops.zeros_like(features["history"][:, 0, :, None])
            vectors = _merge_rows(every_row + self.targets)
            traits = [rows["traits"]] if "traits" in rows else []
            rows["traits"] = ops.concatenate([*traits, vectors], axis=-1)
        ahead = self.network(rows, training=training, **options)
        if not isinstance(ahead, tuple):
            return _join_targets(ahead, targets)
        ahead, states = ahead
        states_by_target = [ops.reshape(state, (-1, targets, state.shape[-1])) for state in states]
        return _join_targets(ahead, targets), states_by_target

    def compute_output_shape(self, features_shape: Any) -> Any:
        """(batch, horizon, targets * outputs)."""
        batch, horizon, outputs = self.network.compute_output_shape(features_shape)
        return (batch, horizon, features_shape["history"][-1] * outputs)

    def get_config(self) -> dict[str, Any]:
        """The config, with the config of the network."""
        network = keras.saving.serialize_keras_object(self.network)
        return {**super().get_config(), "network": network, "embedding": self.embedding}

    @property
    def horizon(self) -> int:
        """Number of timesteps ahead."""
        return self.network.horizon

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Channelwise:
        """Create the layer from its config."""
        network = keras.saving.deserialize_keras_object(config["network"])
        return cls(**{**config, "network": network})


def _split_targets(values: Tensor) -> Tensor:
    """Reshape (batch, time, targets) to (batch * targets, time, 1)."""
    return _merge_rows(ops.transpose(values, (0, 2, 1)))[..., None]


def _merge_rows(values: Tensor) -> Tensor:
    """Reshape (batch, targets, width) to (batch * targets, width)."""
    return ops.reshape(values, (-1, values.shape[-1]))


def _join_targets(ahead: Tensor, targets: int) -> Tensor:
    """Reshape (batch * targets, horizon, outputs) to (batch, horizon, targets * outputs)."""
    horizon, outputs = ahead.shape[1:]
    ahead = ops.transpose(ops.reshape(ahead, (-1, targets, horizon, outputs)), (0, 2, 1, 3))
    return ops.reshape(ahead, (-1, horizon, targets * outputs))
