"""A forecaster of time series: from a window of past values to the next ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import keras

from kerasseq.layers import (
    Channelwise,
    Emission,
    HorizonNorm,
    SeriesEmbedding,
    SmoothingNorm,
    WindowNorm,
)
from kerasseq.layers.forecast.emission import emission_size
from kerasseq.layers.forecast.smoothing_norm import COEFFICIENTS, SMOOTHED
from kerasseq.layers.forecast.window_norm import MODES
from kerasseq.models.forecaster_networks import KINDS
from kerasseq.models.likelihoods import ERRORS, Likelihood
from kerasseq.params.cost import Cost, table
from kerasseq.params.spec import positive_int

__all__ = ["Forecaster"]

#: Settings that only one kind of forecaster has, and that kind.
KIND_OF_SETTING = {"linear": "segment", "attention": "seq2seq", "scheduled_sampling": "recursive"}
_OPTIONS = {
    "kind": tuple(KINDS),
    "channels": ("apart", "together"),
    "normalization": (*MODES, *SMOOTHED),
    "error": ERRORS,
}


@dataclass(frozen=True)
class Forecaster:
    """Config of a forecaster, from which it is counted and built.

    The window is normalised, a network computes outputs for every timestep of the horizon, and
    these become a forecast in the units of the window. The networks: `direct` predicts all
    timesteps at once from the last output of a recurrent layer; `recursive` predicts one timestep
    and feeds the prediction back; `seq2seq` has a decoder for the horizon; `segment` reads and
    predicts several timesteps per recurrent step; `hybrid` corrects the forecast of exponential
    smoothing, whose coefficients are learned with the network, as `direct` does.

    With several `members`, the model is an ensemble: each member has weights of its own, and the
    output is the mean of the members' outputs, of each quantile or parameter of a distribution.
    Members are trained separately and then joined, see `join`.

    Args:
        lookback: number of past timesteps that the model reads.
        horizon: number of timesteps to forecast.
        kind: "direct", "recursive", "seq2seq", "segment" or "hybrid".
        cell: name of the recurrent cell.
        units: width of the cell, and of the dense layers around it.
        depth: number of stacked recurrent layers.
        targets: number of values to forecast at each timestep.
        past: number of covariates known in the window: those known in the past only, followed by
            those of `future`.
        future: number of covariates known in the horizon too.
        static: number of static covariates of a series.
        series: number of series with a learned embedding; 0 for none.
        masked: whether values may be missing; the model then has the input `observed`.
        embedding: width of the embeddings of series, and of targets if `channels` is "apart"; 0 for
            none.
        channels: "apart" applies one network to each target separately (with all covariates);
            "together" to all targets at once.
        segment: timesteps of a segment, if the kind is "segment"; a season, or a part of one.
        linear: whether to add a linear map from past to future segments, if the kind is "segment".
        attention: whether the decoder attends to the window, if the kind is "seq2seq".
        scheduled_sampling: share of the horizon in which the model reads its own predictions during
            training by teacher forcing, if the kind is "recursive"; see `training_model`.
        normalization: "none", "last", "seasonal" or "instance", see `WindowNorm`; of the kind
            "hybrid" it is "additive" or "multiplicative", see `SmoothingNorm`.
        season: timesteps of a season, if the normalization is "seasonal" or the kind is "hybrid".
        output: "point", "quantiles", "normal", "student_t" or "negative_binomial" (for counts that
            were not scaled); see `Emission`.
        quantiles: rising levels, if the output is "quantiles".
        error: loss if the output is "point": "mse", "mae" or "huber".
        dropout: dropout rate before the output layer.
        options: further arguments of `kerasseq.rnn`: zoneout, recurrent_dropout, ...
        members: number of members of an ensemble; 1 for a single forecaster.

    Model inputs:
        `history`, (batch, lookback, targets), 0 for missing values. The others exist if their size
        is not 0: `observed`, (batch, lookback, targets), 1 or 0; `past`, (batch, lookback, past);
        `future`, (batch, horizon, future); `static`, (batch, static); `series`, int (batch,),
        negative for a series that was not in the training data.

    Model output:
        (batch, horizon, targets), with a last axis of quantiles, or of parameters of a
        distribution, unless the output is "point"; in the units of `history`.

    Raises:
        ValueError: if a value is out of range, or values are incompatible.

    Example:

    >>> sizes = Forecaster(lookback=48, horizon=12, units=8, segment=6)
    >>> sizes.count() == sizes.build().count_params()
    True
    """

    lookback: int
    horizon: int
    kind: str = "segment"
    cell: str = "gru"
    units: int = 64
    depth: int = 1
    targets: int = 1
    past: int = 0
    future: int = 0
    static: int = 0
    series: int = 0
    masked: bool = False
    embedding: int = 8
    channels: str = "apart"
    segment: int = 24
    linear: bool = False
    attention: bool = False
    scheduled_sampling: float = 0.0
    normalization: str = "last"
    season: int = 1
    output: str = "point"
    quantiles: tuple[float, ...] = (0.1, 0.5, 0.9)
    error: str = "mse"
    dropout: float = 0.0
    options: Mapping[str, Any] = field(default_factory=dict)
    members: int = 1

    def __post_init__(self) -> None:
        for name in (
            *("lookback", "horizon", "units", "depth"),
            *("targets", "segment", "season", "members"),
        ):
            positive_int(name, getattr(self, name))
        for name in ("past", "future", "static", "series", "embedding"):
            if getattr(self, name) < 0:
                raise ValueError(
                    f"`{name}` must not be negative. Received: {name}={getattr(self, name)!r}"
                )
        for name, known in _OPTIONS.items():
            if getattr(self, name) not in known:
                raise ValueError(
                    f"`{name}` must be one of {', '.join(known)}. "
                    f"Received: {name}={getattr(self, name)!r}"
                )
        if self.past < self.future:
            raise ValueError(
                f"`past` counts the columns of `future` too: what is known ahead was known before. "
                f"Received: past={self.past}, future={self.future}"
            )
        if self.series and not self.embedding:
            raise ValueError(
                f"`embedding` must be positive where series have a vector each. "
                f"Received: embedding=0, series={self.series}"
            )
        if self.normalization == "seasonal" and self.lookback < self.season:
            raise ValueError(
                f"`lookback` must hold a season to be normalised by. "
                f"Received: lookback={self.lookback}, season={self.season}"
            )
        self._check_smoothing()
        if not 0 <= self.scheduled_sampling <= 1:
            raise ValueError(
                "`scheduled_sampling` must be a share from 0 to 1. "
                f"Received: scheduled_sampling={self.scheduled_sampling!r}"
            )
        for name, kind in KIND_OF_SETTING.items():
            if getattr(self, name) and self.kind != kind:
                raise ValueError(f"`{name}` is of the kind {kind!r}. Received: kind={self.kind!r}")
        if self.kind == "recursive" and self.options.get("bidirectional"):
            raise ValueError(
                "A 'recursive' forecaster cannot be bidirectional: it steps into the future. "
                "Choose another kind, or leave `bidirectional` out."
            )
        emission_size(self.output, self.quantiles)

    def _check_smoothing(self) -> None:
        """The part of the checks that the kind "hybrid" needs."""
        if (self.kind == "hybrid") != (self.normalization in SMOOTHED):
            raise ValueError(
                "`normalization` must be 'additive' or 'multiplicative' for the kind 'hybrid', and "
                f"for no other. Received: normalization={self.normalization!r}, kind={self.kind!r}"
            )
        if self.kind == "hybrid" and self.season > 1 and self.lookback < 2 * self.season:
            raise ValueError(
                "`lookback` must hold two seasons for the kind 'hybrid'. "
                f"Received: lookback={self.lookback}, season={self.season}"
            )

    @property
    def apart(self) -> bool:
        """Whether the network is applied to each target separately."""
        return self.channels == "apart" and self.targets > 1

    @property
    def columns(self) -> int:
        """Number of input columns of the network at each timestep of the window."""
        targets = 1 if self.apart else self.targets
        return targets * (2 if self.masked else 1) + self.past

    @property
    def traits(self) -> int:
        """Number of input columns that describe the series: static covariates and embeddings."""
        vectors = (self.series > 0) + self.apart
        return self.static + vectors * self.embedding

    @property
    def outputs(self) -> int:
        """Number of outputs of the network for each timestep of the horizon."""
        targets = 1 if self.apart else self.targets
        return targets * emission_size(self.output, self.quantiles)

    @property
    def causal(self) -> bool:
        """Whether the model can continue from its state when new rows arrive; see `Stream`."""
        single = self.members == 1  # an ensemble would have a state of each member
        return single and self.kind == "recursive" and self.normalization == "none"

    def count(self) -> int:
        """Number of parameters of the model."""
        return self._cost.params

    def macs(self) -> int:
        """Multiply-accumulates with a weight, for one window with all of its targets.

        >>> Forecaster(lookback=9, horizon=4, kind="direct", cell="mingru", units=3).macs()
        66
        """
        return self._cost.macs

    @property
    def _cost(self) -> Cost:
        """Parameters and MACs of the model."""
        vectors = self.series + (self.targets if self.apart else 0)
        network = KINDS[self.kind].cost(self).repeated(self.targets if self.apart else 1)
        coefficients = len(COEFFICIENTS) if self.kind == "hybrid" else 0
        member = network + table(vectors, self.embedding) + table(coefficients, self.targets)
        return Cost(member.params * self.members, member.macs * self.members)

    @property
    def likelihood(self) -> Likelihood:
        """Interpretation of the model's output: loss, mean, quantiles and samples."""
        return Likelihood(self.output, self.quantiles, self.error)

    def loss(self) -> keras.losses.Loss:
        """The training loss; targets that are NaN do not count."""
        return self.likelihood.loss()

    def inputs(self) -> dict[str, keras.KerasTensor]:
        """The Keras inputs of the model, by name."""
        shapes = {
            "history": (self.lookback, self.targets),
            "observed": (self.lookback, self.targets if self.masked else 0),
            "past": (self.lookback, self.past),
            "future": (self.horizon, self.future),
            "static": (self.static,),
        }
        inputs = {
            name: keras.Input(shape, name=name) for name, shape in shapes.items() if shape[-1]
        }
        if self.series:
            inputs["series"] = keras.Input((), dtype="int32", name="series")
        return inputs

    def build(self) -> keras.Model:
        """Build the model, untrained and not compiled; its layers have fixed names.

        In an ensemble, the names of the layers of each member end with its number, from 1 on.
        """
        inputs = self.inputs()
        if self.members == 1:
            return _model(inputs, _connect(inputs, self._layers()))
        outputs = [_connect(inputs, self._layers(ending)) for ending in self._endings]
        return _model(inputs, keras.layers.Average(name="mean", dtype="float32")(outputs))

    @property
    def _endings(self) -> list[str]:
        """What the names of the layers of each member of an ensemble end with."""
        return [f"_{number}" for number in range(1, self.members + 1)]

    def _layers(self, ending: str = "") -> dict[str, Any]:
        """New layers of a forecaster, by their names without the ending."""
        network = KINDS[self.kind].make(self, f"network{ending}")
        if self.apart:
            network = Channelwise(network, self.embedding, name=f"network{ending}")
        layers: dict[str, Any] = {
            "norm": self._norm(f"norm{ending}"),
            "network": network,
            "emission": Emission(
                self.output, self.quantiles, name=f"emission{ending}", dtype="float32"
            ),
        }
        if self.series:
            name = f"vectors{ending}"
            layers["vectors"] = SeriesEmbedding(self.series, self.embedding, name=name)
        if self.series and self.static:
            layers["traits"] = keras.layers.Concatenate(name=f"traits{ending}")
        return layers

    def join(self, models: Sequence[keras.Model]) -> keras.Model:
        """An ensemble with the weights of single forecasters.

        Args:
            models: a model for each member, of this config with `members=1`.

        Example:

        >>> sizes = Forecaster(lookback=8, horizon=3, units=4, segment=2, members=2)
        >>> single = replace(sizes, members=1)
        >>> ensemble = sizes.join([single.build(), single.build()])
        >>> ensemble.count_params() == 2 * single.count()
        True
        """
        ensemble = self.build()
        for ending, model in zip(self._endings, models, strict=True):
            for name, layer in _by_name(ensemble, ending).items():
                layer.set_weights(model.get_layer(name).get_weights())
        return ensemble

    def split(self, model: keras.Model) -> list[keras.Model]:
        """The members of an ensemble, as models of this config with `members=1`.

        Args:
            model: a model that `build` or `join` returned, or a saved one; a single forecaster is
                its only member.
        """
        if self.members == 1:
            return [model]
        models = [replace(self, members=1).build() for _ in self._endings]
        for ending, single in zip(self._endings, models, strict=True):
            for name, layer in _by_name(model, ending).items():
                single.get_layer(name).set_weights(layer.get_weights())
        return models

    def _norm(self, name: str) -> keras.Layer:
        """The layer that normalises windows."""
        common: dict[str, Any] = {"season": self.season, "name": name, "dtype": "float32"}
        if self.kind == "hybrid":
            return SmoothingNorm(self.normalization, self.horizon, **common)
        return WindowNorm(self.normalization, **common)

    def training_model(self, model: keras.Model) -> keras.Model:
        """The model for training, which shares its layers, and so its weights, with `model`.

        For a recursive forecaster it has one more input for teacher forcing, `ahead`,
        (batch, horizon, targets): the targets, NaN where they are missing. In training the network
        reads these instead of its own predictions; in validation it ignores them. For other kinds
        it is `model` itself.

        Args:
            model: The model that `build` returned, or a saved one.

        Raises:
            ValueError: if it is an ensemble, whose members are trained separately.

        Example:

        >>> sizes = Forecaster(lookback=8, horizon=3, kind="recursive", units=4)
        >>> model = sizes.build()
        >>> sorted(tensor.name for tensor in sizes.training_model(model).inputs)
        ['ahead', 'history']
        """
        if self.members > 1:
            raise ValueError(
                "The members of an ensemble are trained separately: train forecasters with "
                f"members=1, and `join` them. Received: members={self.members}"
            )
        if self.kind != "recursive":
            return model
        ahead = keras.Input((self.horizon, self.targets), name="ahead")
        inputs = {**self.inputs(), "ahead": ahead}
        return _model(inputs, _connect(inputs, _by_name(model)))


def _model(inputs: dict[str, keras.KerasTensor], outputs: Any) -> keras.Model:
    return keras.Model(inputs, outputs, name="forecaster")


def _by_name(model: keras.Model, ending: str = "") -> dict[str, Any]:
    """The layers of a model whose names have an ending, by their names without it."""
    return {
        layer.name.removesuffix(ending): layer
        for layer in model.layers
        if layer.name.endswith(ending)
    }


def _connect(inputs: dict[str, keras.KerasTensor], layers: Mapping[str, Any]) -> Any:
    """The output of a forecaster, from inputs and layers by name."""
    names = ("observed", "past", "future")
    features: dict[str, Any] = {name: inputs[name] for name in names if name in inputs}
    observed = [features["observed"]] if "observed" in features else []
    features["history"], centre, scale = layers["norm"](inputs["history"], *observed)
    if "ahead" in inputs:
        norm = HorizonNorm(name="ahead_norm", dtype="float32")
        features["ahead"] = norm(inputs["ahead"], centre, scale)
    features |= traits(inputs, layers)
    numbers = layers["network"](features)
    return layers["emission"](numbers, centre, scale)


def traits(inputs: Mapping[str, Any], layers: Mapping[str, Any]) -> dict[str, Any]:
    """The network's input `traits`: static covariates and the embedding of the series.

    Args:
        inputs: inputs of the model by name.
        layers: layers of the model by name.

    Returns:
        A dictionary with `traits`, (batch, columns); empty if there are none.
    """
    parts = [inputs["static"]] if "static" in inputs else []
    if "series" in inputs:
        parts.append(layers["vectors"](inputs["series"]))
    if not parts:
        return {}
    return {"traits": layers["traits"](parts) if parts[1:] else parts[0]}
