"""Series to windows for a model, by the scalers of a run, and what it gives back to their units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, NotRequired, TypedDict

import numpy as np

from kerasseq.data.series.calendar import add_calendar
from kerasseq.data.series.new_rows import add_lags
from kerasseq.data.series.panel import Encoding, Panel
from kerasseq.data.series.scaling import Scaler, ScalerState
from kerasseq.data.series.splits import Split
from kerasseq.data.series.windows import Windows, latest
from kerasseq.io.schema import Limits

__all__ = ["Part", "SeriesExamples", "SeriesReader", "SeriesReaderState", "Steps", "Truth"]

_COVARIATES = ("past", "future", "static")
_FIGURES = ("location", "scale", "power", "shift")
_SCORED = 2**20  # values of targets that are scored; windows are passed over where there are more

_CHUNK = 2**20  # steps of windows that are in memory at a time


@dataclass(frozen=True)
class Truth:
    """What came, in the units of the series, and what it takes to score forecasts of it.

    Args:
        values: (windows, horizon, targets), NaN where not observed.
        series: the place of the series of each window, int (windows,).
        insample: of each series what is known of it from before, (time, targets).
        season: steps.
        block: how many windows in a row overlap.
        panel: the series themselves.
        origins: the row at which the targets of each window begin, int (windows,).
    """

    values: np.ndarray
    series: np.ndarray
    insample: Sequence[np.ndarray]
    season: int
    block: int
    panel: Panel
    origins: np.ndarray

    def take(self, windows: np.ndarray) -> Truth:
        """That of some of the windows."""
        own = {name: getattr(self, name)[windows] for name in ("values", "series", "origins")}
        return replace(self, **own)


@dataclass(frozen=True)
class Part:
    """Some rows of all series, and rows before them to read.

    Args:
        panel: the rows.
        first: the row at which the part begins in each series.
        lookback: steps to read.
        horizon: steps to forecast.
        masked: whether anything in the series, in any part, was not observed.
        before: all targets before the part, of each series.
    """

    panel: Panel
    first: np.ndarray
    lookback: int
    horizon: int
    masked: bool
    before: Sequence[np.ndarray]

    @classmethod
    def split(
        cls,
        source: Panel,
        split: Split,
        lookback: int,
        horizon: int,
        context: int,
        learn: str = "train",
    ) -> list[Part]:
        """The parts for training, validation and test.

        Args:
            source: all rows.
            split: where the parts begin.
            lookback: steps to read.
            horizon: steps to forecast.
            context: rows before a part that belong to it.
            learn: "validation" lets the training part go on to the end of the validation part,
                "all" to that of the rows.
        """
        masked = any(bool(np.isnan(own).any()) for own in source.targets)
        observed = source.observed
        ends = {"train": split.validation, "validation": split.test, "all": split.end}
        found = []
        for name in ("train", "validation", "test"):
            own = replace(split, validation=ends[learn]) if name == "train" else split
            first, _ = own.rows(name)
            before = [values[:row] for values, row in zip(observed, first)]
            panel, begin = own.cut(source, name, context)
            found.append(cls(panel, begin, lookback, horizon, masked, before))
        return found


class SeriesExamples:
    """Windows over series, cut out when they are asked for, and what they stand for.

    Args:
        windows: over the scaled series.
        panel: the same series in their own units.
        scaler: of their targets.
        first: for each series the first row that is forecast; None for all that can be.
        insample: of each series what is known of it from before; its own rows if not given.
        teach: whether inputs have `ahead`, the targets themselves, for teacher forcing; see
            `Forecaster.training_model`.
    """

    def __init__(
        self,
        windows: Windows,
        panel: Panel,
        scaler: Scaler,
        first: np.ndarray | None = None,
        insample: Sequence[np.ndarray] | None = None,
        teach: bool = False,
    ) -> None:
        self.windows, self.panel, self.scaler, self.first = windows, panel, scaler, first
        self._insample, self._teach = insample, teach

    def __len__(self) -> int:
        return len(self.windows)

    def batch(self, rows: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Inputs by name and targets of some windows, in the units of the model."""
        inputs, targets = self.windows.batch(rows)
        if self._teach:
            inputs["ahead"] = targets
        return inputs, targets

    @property
    def teacher_forced(self) -> SeriesExamples:
        """The same windows with `ahead`."""
        first, insample = self.first, self._insample
        return SeriesExamples(self.windows, self.panel, self.scaler, first, insample, teach=True)

    @property
    def targets(self) -> Truth:
        """All targets, in the units of the series; NaN where they were filled in."""
        series, origins = self.windows.places(np.arange(len(self)))
        observed = self.panel.observed
        return Truth(
            values=np.concatenate(observed)[self._steps],
            series=series,
            insample=self._insample or observed,
            season=self.panel.season,
            block=-(-self.windows.horizon // self.windows.stride),
            panel=self.panel,
            origins=origins,
        )

    @property
    def scaled_targets(self) -> np.ndarray:
        """All `targets` in the units of the model, (windows, horizon, targets)."""
        step = max(1, _CHUNK // (self.windows.lookback + self.windows.horizon))
        found = np.concatenate(
            [
                self.windows.batch(np.arange(start, min(start + step, len(self))))[1]
                for start in range(0, len(self), step)
            ]
        )
        if self.panel.filled is not None:
            found[np.concatenate(self.panel.filled)[self._steps]] = np.nan
        return found

    @property
    def _steps(self) -> np.ndarray:
        """The rows that the targets of all windows are, series after series, (windows, horizon)."""
        series, origins = self.windows.places(np.arange(len(self)))
        offsets = np.cumsum(self.panel.lengths) - self.panel.lengths
        steps: np.ndarray = (offsets[series] + origins)[:, None] + np.arange(self.windows.horizon)
        return steps

    def restored(self, values: np.ndarray) -> np.ndarray:
        """Values of all windows, (windows, horizon, targets), in the units of the series."""
        series, _ = self.windows.places(np.arange(len(self)))
        return self.scaler.inverse(values, series)


#: Steps of a window, for which memory is set aside.
Steps = Annotated[int, Limits(least=1, most=2**24)]


class SeriesReaderState(TypedDict):
    """The JSON values of a reader."""

    lookback: Steps
    horizon: Steps
    masked: bool
    series_ids: bool
    lags: list[Steps]
    cycles: list[str]
    ids: list[str]
    scalers: _Scalers
    encoding: Encoding


class _Scalers(TypedDict):
    targets: ScalerState
    past: NotRequired[ScalerState]
    future: NotRequired[ScalerState]
    static: NotRequired[ScalerState]


@dataclass(frozen=True)
class SeriesReader:
    """Turns series into windows for a model, by scalers that were fitted on the training part.

    Args:
        lookback: steps to read.
        horizon: steps to forecast.
        lags: earlier targets that are given as past covariates, steps back.
        cycles: those of the calendar that are given as future covariates.
        masked: whether the model is told which targets were observed.
        series_ids: whether the model reads the number of each series.
        ids: of the series to learn from.
        scalers: by "targets" and those of "past", "future" and "static" that there are.
        encoding: how tables of such series are read.
    """

    lookback: int
    horizon: int
    lags: tuple[int, ...]
    cycles: tuple[str, ...]
    masked: bool
    series_ids: bool
    ids: tuple[str, ...]
    scalers: Mapping[str, Scaler]
    encoding: Mapping[str, Any]

    @classmethod
    def fitted(cls, panel: Panel, scaling: str, per_series: bool, **options: Any) -> SeriesReader:
        """One whose scalers are fitted on series.

        Args:
            panel: the training part.
            scaling: of the targets, one of `kerasseq.data.series.scaling.KINDS`; covariates
                that are numbers are standardised.
            per_series: whether the targets of each series are scaled by themselves.
            **options: the other fields.
        """
        scalers = {"targets": Scaler.fit(scaling, panel.targets, per_series)}
        for role in _COVARIATES:
            if panel.names[role]:
                arrays = [panel.static] if role == "static" else getattr(panel, role)
                scalers[role] = Scaler.fit("standard", arrays, only=panel.numeric(role))
        return cls(ids=tuple(panel.ids), scalers=scalers, encoding=panel.encoding, **options)

    def state(self) -> dict[str, Any]:
        """JSON values, from which `from_state` makes the same reader."""
        return {
            **{
                name: getattr(self, name)
                for name in ("lookback", "horizon", "masked", "series_ids")
            },
            **{name: list(getattr(self, name)) for name in ("lags", "cycles", "ids")},
            "scalers": {role: scaler.state() for role, scaler in self.scalers.items()},
            "encoding": self.encoding,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> SeriesReader:
        """The reader that has this state."""
        return cls(
            lookback=state["lookback"],
            horizon=state["horizon"],
            lags=tuple(state["lags"]),
            cycles=tuple(state["cycles"]),
            masked=state["masked"],
            series_ids=state["series_ids"],
            ids=tuple(state["ids"]),
            scalers={role: Scaler.from_state(values) for role, values in state["scalers"].items()},
            encoding=state["encoding"],
        )

    @property
    def kept(self) -> int:
        """How many rows of a series it takes to forecast what follows."""
        return self.lookback + max(self.lags, default=0)

    def columns(self, panel: Panel) -> dict[str, int]:
        """How wide the inputs of a model of such series are."""
        widths = {role: len(names) for role, names in panel.names.items()}
        future = widths["future"] + 2 * len(self.cycles)
        past = widths["past"] + len(self.lags) * widths["targets"] + future
        return {**widths, "past": past, "future": future}

    def scaled(
        self, panel: Panel, known: Sequence[int] | np.ndarray | None = None
    ) -> tuple[Panel, Scaler]:
        """Series as a model takes them, with lags and calendar, and the scaler of their targets.

        Args:
            panel: series in their own units.
            known: from how many rows of each series it is scaled, where each is scaled by itself
                and the reader was not fitted on it; all if not given.
        """
        scaler = self._targets_scaler(panel, known)
        found = panel.scaled({**self.scalers, "targets": scaler})
        return add_calendar(add_lags(found, self.lags), self.horizon, self.cycles), scaler

    def examples(
        self,
        panel: Panel,
        first: np.ndarray | None = None,
        *,
        stride: int | None = None,
        insample: Sequence[np.ndarray] | None = None,
    ) -> SeriesExamples:
        """The windows of series.

        Args:
            panel: series in their own units.
            first: for each of them the first row that is to be forecast.
            stride: steps from one window to the next; as few as keep what is scored in bounds if
                not given.
            insample: see `SeriesExamples`.
        """
        known = np.full(len(panel), self.lookback)
        scaled, scaler = self.scaled(panel, known if first is None else np.maximum(first, known))
        windows = Windows(
            scaled,
            self.lookback,
            self.horizon,
            first=first,
            observed=self.masked,
            series=self.places(panel) if self.series_ids else False,
        )
        if stride is None:
            values = len(windows) * self.horizon * len(panel.names["targets"])
            stride = -(-values // _SCORED)
        if stride > 1:
            windows = windows.part(first, stride=stride)
        return SeriesExamples(windows, panel, scaler, first, insample)

    def latest(self, panel: Panel) -> tuple[dict[str, np.ndarray], Scaler]:
        """The inputs of one window per series, to forecast what follows; and their scaler."""
        scaled, scaler = self.scaled(panel)
        inputs = latest(
            scaled,
            self.lookback,
            self.horizon,
            observed=self.masked,
            series=self.places(panel) if self.series_ids else False,
        )
        return inputs, scaler

    def places(self, panel: Panel) -> list[int]:
        """The place of each series among those that it was fitted on; -1 for others."""
        known = {name: place for place, name in enumerate(self.ids)}
        return [known.get(name, -1) for name in panel.ids]

    def _targets_scaler(
        self, panel: Panel, rows: Sequence[int] | np.ndarray | None = None
    ) -> Scaler:
        fitted = self.scalers["targets"]
        if not fitted.per_series or tuple(panel.ids) == self.ids:
            return fitted
        histories = panel.targets
        if rows is not None:
            histories = [own[:row] for own, row in zip(histories, rows)]
        own, places = fitted.adapt(histories), np.array(self.places(panel))
        known = (places >= 0)[:, None]
        figures = {
            name: np.where(known, getattr(fitted, name)[places], getattr(own, name))
            for name in _FIGURES
        }
        return replace(own, **figures)
