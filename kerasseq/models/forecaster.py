"""A forecaster of series: from a window of what was, to what comes next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import keras

from kerasseq.layers import Channelwise, Emission, HorizonNorm, SeriesEmbedding, WindowNorm
from kerasseq.layers.forecast.emission import emission_size
from kerasseq.layers.forecast.window_norm import MODES
from kerasseq.models.forecaster_networks import KINDS
from kerasseq.models.likelihoods import ERRORS, Likelihood
from kerasseq.params.cost import Cost, table
from kerasseq.params.spec import positive_int

__all__ = ["Forecaster"]

#: Settings that one kind alone has.
OF_ONE = {"linear": "segment", "attention": "seq2seq", "scheduled_sampling": "recursive"}
_CHOICES = {
    "kind": tuple(KINDS),
    "channels": ("apart", "together"),
    "normalization": MODES,
    "error": ERRORS,
}


@dataclass(frozen=True)
class Forecaster:
    """The sizes of a forecaster, from which it is counted and built.

    The window is normalised, a network makes numbers of it for every timestep ahead, and these
    become a forecast, put back where the window was. The networks: `direct` gives all timesteps at
    once from the last output of a recurrent layer; `recursive` gives one, and goes on from it;
    `seq2seq` has a decoder for the horizon; `segment` reads and forecasts many timesteps per step.

    Args:
        lookback: timesteps of the window.
        horizon: timesteps ahead.
        kind: "direct", "recursive", "seq2seq" or "segment".
        cell: name of the recurrent cell.
        units: width of the cell, and of the dense layers around it.
        depth: levels of the recurrent layer.
        targets: how many values are forecast at each timestep.
        past: columns known over the window: what is observed only, and then those of `future`.
        future: columns known over the horizon, too.
        static: columns known of the series.
        series: how many series have a learned vector; 0 for none.
        masked: whether values may be missing, so that `observed` comes with the window.
        embedding: width of the vectors of series, and of targets that run apart; 0 for none.
        channels: "apart", one network for all targets, which sees one at a time (and all other
            columns); or "together".
        segment: timesteps of a segment, where the kind is "segment"; those of a season, or of a
            part of it.
        linear: whether a linear map of the segments is added, where the kind is "segment".
        attention: whether the decoder looks back at the window, where the kind is "seq2seq".
        scheduled_sampling: share of the horizon that is the model's own forecast in training, where
            the kind is "recursive" and it is trained by teacher forcing; see `training_model`.
        normalization: "none", "last", "seasonal" or "instance"; see `WindowNorm`.
        season: timesteps of a season, where the normalization is "seasonal".
        output: "point", "quantiles", "normal", "student_t" or "negative_binomial" (for counts that
            are not scaled before they come here); see `Emission`.
        quantiles: rising levels, where the output is "quantiles".
        error: "mse", "mae" or "huber", what to lower where the output is "point".
        dropout: dropout before the last layer.
        options: further arguments of `kerasseq.rnn`: zoneout, recurrent_dropout, ...

    Model inputs:
        `history`, (batch, lookback, targets), 0 where nothing was observed, and where there are any
        `observed`, 1 or 0, as wide; `past`, (batch, lookback, past); `future`,
        (batch, horizon, future); `static`, (batch, static); `series`, int (batch,), negative for a
        series that was not seen in training.

    Model output:
        (batch, horizon, targets), with a last axis of quantiles, or of parameters of a
        distribution, unless the output is "point"; in the units of `history`.

    Raises:
        ValueError: if a size is out of range, or sizes exclude each other.

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

    def __post_init__(self) -> None:
        for name in ("lookback", "horizon", "units", "depth", "targets", "segment", "season"):
            positive_int(name, getattr(self, name))
        for name in ("past", "future", "static", "series", "embedding"):
            if getattr(self, name) < 0:
                raise ValueError(
                    f"`{name}` must not be negative. Received: {name}={getattr(self, name)!r}"
                )
        for name, known in _CHOICES.items():
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
        if not 0 <= self.scheduled_sampling <= 1:
            raise ValueError(
                "`scheduled_sampling` must be a share from 0 to 1. "
                f"Received: scheduled_sampling={self.scheduled_sampling!r}"
            )
        for name, kind in OF_ONE.items():
            if getattr(self, name) and self.kind != kind:
                raise ValueError(f"`{name}` is of the kind {kind!r}. Received: kind={self.kind!r}")
        if self.kind == "recursive" and self.options.get("bidirectional"):
            raise ValueError(
                "A 'recursive' forecaster cannot be bidirectional: it steps into the future. "
                "Choose another kind, or leave `bidirectional` out."
            )
        emission_size(self.output, self.quantiles)

    @property
    def apart(self) -> bool:
        """Whether the network sees one target at a time."""
        return self.channels == "apart" and self.targets > 1

    @property
    def columns(self) -> int:
        """What the network sees at each timestep of the window."""
        targets = 1 if self.apart else self.targets
        return targets * (2 if self.masked else 1) + self.past

    @property
    def traits(self) -> int:
        """What the network is told of the series."""
        vectors = (self.series > 0) + self.apart
        return self.static + vectors * self.embedding

    @property
    def outputs(self) -> int:
        """What the network gives for each timestep ahead."""
        targets = 1 if self.apart else self.targets
        return targets * emission_size(self.output, self.quantiles)

    @property
    def causal(self) -> bool:
        """Whether it can go on over new rows without reading the old ones again; see `Stream`."""
        return self.kind == "recursive" and self.normalization == "none"

    def count(self) -> int:
        """The parameters of the model."""
        return self._cost.params

    def macs(self) -> int:
        """Multiply-accumulates with a weight, for one window with all of its targets.

        >>> Forecaster(lookback=9, horizon=4, kind="direct", cell="mingru", units=3).macs()
        66
        """
        return self._cost.macs

    @property
    def _cost(self) -> Cost:
        """What the model costs."""
        vectors = self.series + (self.targets if self.apart else 0)
        network = KINDS[self.kind].cost(self).repeated(self.targets if self.apart else 1)
        return network + table(vectors, self.embedding)

    @property
    def likelihood(self) -> Likelihood:
        """How to read what the model gives: its loss, mean, quantiles and draws."""
        return Likelihood(self.output, self.quantiles, self.error)

    def loss(self) -> keras.losses.Loss:
        """What to lower in training; targets that are NaN do not count."""
        return self.likelihood.loss()

    def inputs(self) -> dict[str, keras.KerasTensor]:
        """The inputs that the model has, by name."""
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
        """The model, untrained and not compiled; its layers have fixed names."""
        network = KINDS[self.kind].make(self)
        if self.apart:
            network = Channelwise(network, self.embedding, name="network")
        layers = [
            WindowNorm(self.normalization, self.season, name="norm", dtype="float32"),
            network,
            Emission(self.output, self.quantiles, name="emission", dtype="float32"),
        ]
        if self.series:
            layers.append(SeriesEmbedding(self.series, self.embedding, name="vectors"))
        return _connected(self.inputs(), {layer.name: layer for layer in layers})

    def training_model(self, model: keras.Model) -> keras.Model:
        """The model as it is to be trained: with the same layers, so that it is trained with it.

        A recursive one has one more input, `ahead`, (batch, horizon, targets): the targets
        themselves, NaN where nothing was observed. In training it goes on from these instead of its
        own forecasts; in validation it does not look at them. The other kinds are trained as they
        are.

        Args:
            model: What `build` gave, or what was saved of it.

        Example:

        >>> sizes = Forecaster(lookback=8, horizon=3, kind="recursive", units=4)
        >>> model = sizes.build()
        >>> sorted(tensor.name for tensor in sizes.training_model(model).inputs)
        ['ahead', 'history']
        """
        if self.kind != "recursive":
            return model
        ahead = keras.Input((self.horizon, self.targets), name="ahead")
        layers = {layer.name: layer for layer in model.layers}
        return _connected({**self.inputs(), "ahead": ahead}, layers)


def _connected(inputs: dict[str, keras.KerasTensor], layers: Mapping[str, Any]) -> keras.Model:
    """A model of layers by name."""
    names = ("observed", "past", "future")
    features: dict[str, Any] = {name: inputs[name] for name in names if name in inputs}
    observed = [features["observed"]] if "observed" in features else []
    features["history"], centre, scale = layers["norm"](inputs["history"], *observed)
    if "ahead" in inputs:
        norm = HorizonNorm(name="ahead_norm", dtype="float32")
        features["ahead"] = norm(inputs["ahead"], centre, scale)
    features |= traits(inputs, layers)
    numbers = layers["network"](features)
    return keras.Model(inputs, layers["emission"](numbers, centre, scale), name="forecaster")


def traits(inputs: Mapping[str, Any], layers: Mapping[str, Any]) -> dict[str, Any]:
    """What the network is told of the series, if there is anything.

    Args:
        inputs: those of the model by name.
        layers: those of the model by name.
    """
    known = [inputs["static"]] if "static" in inputs else []
    if "series" in inputs:
        known.append(layers["vectors"](inputs["series"]))
    if not known:
        return {}
    join = keras.layers.Concatenate(name="traits")
    return {"traits": join(known) if known[1:] else known[0]}
