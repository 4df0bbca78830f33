"""Turn series into scaled windows for a model, and its outputs back into the original units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, NotRequired, TypedDict

import numpy as np

from kerasseq.data.series.calendar import add_calendar
from kerasseq.data.series.extending import extend_back
from kerasseq.data.series.new_rows import add_lags
from kerasseq.data.series.panel import Encoding, Panel
from kerasseq.data.series.scaling import Scaler, ScalerState
from kerasseq.data.series.short_scale import steadied
from kerasseq.data.series.splits import Split
from kerasseq.data.series.windows import InputsAt, Windows, inputs_at, latest_inputs
from kerasseq.io.schema import Limits

__all__ = ["Part", "SeriesExamples", "SeriesReader", "SeriesReaderState", "Steps", "Truth"]

_COVARIATES = ("past", "future", "static")
_PARAMETERS = ("location", "scale", "power", "shift")
_SCORED = 2**20  # most target values to score; with more, the stride between windows grows

_CHUNK = 2**20  # steps of windows in memory at a time


@dataclass(frozen=True)
class Truth:
    """True targets in the units of the series, with the data needed to score forecasts of them.

    Args:
        values: (windows, horizon, targets), NaN where not observed.
        series: index of the series of each window, int (windows,).
        insample: for each series, its targets before the scored part, (time, targets); scaled
            errors such as MASE divide by their seasonal differences.
        season: steps of the season.
        block: number of successive windows that overlap; resampled together for intervals.
        panel: the series.
        origins: row at which the targets of each window begin, int (windows,).
    """

    values: np.ndarray
    series: np.ndarray
    insample: Sequence[np.ndarray]
    season: int
    block: int
    panel: Panel
    origins: np.ndarray

    def take(self, windows: np.ndarray) -> Truth:
        """Select windows by their numbers."""
        arrays = {name: getattr(self, name)[windows] for name in ("values", "series", "origins")}
        return replace(self, **arrays)


@dataclass(frozen=True)
class Part:
    """The training, validation or test part of all series, with preceding rows as context.

    Args:
        panel: the rows of the part, and the context before them.
        first: row at which the part begins in each series, int (series,).
        lookback: number of steps to read.
        horizon: number of steps to forecast.
        masked: whether a target of the series is missing, in any part.
        before: for each series, all targets before the part, (time, targets).
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
        """Cut series into the training, validation and test part.

        Args:
            source: all rows.
            split: first rows of the parts.
            lookback: number of steps to read.
            horizon: number of steps to forecast.
            context: number of preceding rows that each part keeps.
            learn: where the training part ends: "train" at its own end, "validation" at the end of
                the validation part, "all" at the last row.
        """
        masked = any(bool(np.isnan(targets).any()) for targets in source.targets)
        observed = source.observed
        ends = {"train": split.validation, "validation": split.test, "all": split.end}
        parts = []
        for name in ("train", "validation", "test"):
            bounds = replace(split, validation=ends[learn]) if name == "train" else split
            first, _ = bounds.rows(name)
            before = [values[:row] for values, row in zip(observed, first)]
            panel, begin = bounds.cut(source, name, context)
            parts.append(cls(panel, begin, lookback, horizon, masked, before))
        return parts


class SeriesExamples:
    """Examples of a forecaster: windows over scaled series, cut out on demand.

    Args:
        windows: windows over the scaled series.
        panel: the same series in their original units.
        scaler: scaler of the targets.
        first: for each series, the first row to forecast; None for the first possible one.
        insample: for each series, its targets before the part, for scaled errors; by default the
            targets of the panel.
        teach: whether inputs include `ahead`, the targets, for teacher forcing; see
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
        """Scaled inputs by name and scaled targets of windows, see `Windows.batch`.

        Args:
            rows: numbers of the windows, int (batch,).
        """
        inputs, targets = self.windows.batch(rows)
        if self._teach:
            inputs["ahead"] = targets
        return inputs, targets

    @property
    def independent(self) -> int:
        """Number of windows whose targets do not overlap."""
        return self.windows.independent

    @property
    def teacher_forced(self) -> SeriesExamples:
        """The same windows, whose inputs include `ahead` for teacher forcing."""
        first, insample = self.first, self._insample
        return SeriesExamples(self.windows, self.panel, self.scaler, first, insample, teach=True)

    @property
    def targets(self) -> Truth:
        """All targets, in the original units; NaN where they were filled in."""
        series, origins = self.windows.places(np.arange(len(self)))
        observed = self.panel.observed
        return Truth(
            values=np.concatenate(observed)[self._steps],
            series=series,
            insample=self._insample or observed,
            season=self.panel.season,
            block=self.windows.block,
            panel=self.panel,
            origins=origins,
        )

    @property
    def scaled_targets(self) -> np.ndarray:
        """All `targets`, scaled, (windows, horizon, targets)."""
        chunk = max(1, _CHUNK // (self.windows.lookback + self.windows.horizon))
        targets = np.concatenate(
            [
                self.windows.batch(np.arange(start, min(start + chunk, len(self))))[1]
                for start in range(0, len(self), chunk)
            ]
        )
        if self.panel.filled is not None:
            targets[np.concatenate(self.panel.filled)[self._steps]] = np.nan
        return targets

    @property
    def _steps(self) -> np.ndarray:
        """Rows of the targets of all windows in the concatenated series, (windows, horizon)."""
        series, origins = self.windows.places(np.arange(len(self)))
        offsets = np.cumsum(self.panel.lengths) - self.panel.lengths
        steps: np.ndarray = (offsets[series] + origins)[:, None] + np.arange(self.windows.horizon)
        return steps

    def in_original_units(self, values: np.ndarray) -> np.ndarray:
        """Convert scaled values of all windows to the original units.

        Args:
            values: (windows, horizon, targets).
        """
        series, _ = self.windows.places(np.arange(len(self)))
        return self.scaler.inverse(values, series)

    def in_scaled_units(self, values: np.ndarray, series: np.ndarray) -> np.ndarray:
        """Convert values in the units of the series to scaled values.

        Values below those that the scaling takes become the least of those.

        Args:
            values: (windows, horizon, targets).
            series: index of the series of each window, int (windows,).
        """
        return self.scaler.transform(self.scaler.clipped(values), series)


#: Number of steps of a window in a saved run; bounded, since memory is allocated for them.
Steps = Annotated[int, Limits(least=1, most=2**24)]


class SeriesReaderState(TypedDict):
    """The JSON values of a `SeriesReader`."""

    lookback: Steps
    horizon: Steps
    masked: bool
    series_ids: bool
    lags: list[Steps]
    cycles: list[str]
    ids: list[str]
    scalers: _Scalers
    encoding: Encoding
    holidays: NotRequired[str | None]


class _Scalers(TypedDict):
    targets: ScalerState
    past: NotRequired[ScalerState]
    future: NotRequired[ScalerState]
    static: NotRequired[ScalerState]


@dataclass(frozen=True)
class SeriesReader:
    """Turn series into windows for a model, by scalers that were fitted on the training part.

    Args:
        lookback: number of steps to read.
        horizon: number of steps to forecast.
        lags: lags of the targets that are added to the past covariates, in steps.
        cycles: calendar cycles that are added to the future covariates.
        masked: whether inputs include the mask of observed targets.
        series_ids: whether inputs include the index of each series.
        ids: names of the training series.
        scalers: scalers of "targets", and of "past", "future" and "static" if there are any.
        encoding: how tables of such series are read, see `Panel`.
        holidays: place whose public holidays are added to the future covariates, see
            `kerasseq.data.series.public_holidays`; None for none.
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
    holidays: str | None = None

    @classmethod
    def fit(cls, panel: Panel, scaling: str, per_series: bool, **options: Any) -> SeriesReader:
        """Fit the scalers of a new reader.

        Args:
            panel: the training part.
            scaling: kind of scaling of the targets, one of `kerasseq.data.series.scaling.KINDS`;
                numeric covariates are standardised.
            per_series: whether each series gets its own location and scale of the targets.
            **options: the other fields of the reader.
        """
        scalers = {"targets": Scaler.fit(scaling, panel.targets, per_series)}
        for role in _COVARIATES:
            if panel.names[role]:
                arrays = [panel.static] if role == "static" else getattr(panel, role)
                scalers[role] = Scaler.fit("standard", arrays, only=panel.numeric(role))
        return cls(ids=tuple(panel.ids), scalers=scalers, encoding=panel.encoding, **options)

    def state(self) -> dict[str, Any]:
        """The JSON values from which `from_state` restores the reader."""
        return {
            **{
                name: getattr(self, name)
                for name in ("lookback", "horizon", "masked", "series_ids")
            },
            **{name: list(getattr(self, name)) for name in ("lags", "cycles", "ids")},
            "scalers": {role: scaler.state() for role, scaler in self.scalers.items()},
            "encoding": self.encoding,
            "holidays": self.holidays,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> SeriesReader:
        """Restore a reader from the value of `state`."""
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
            holidays=state.get("holidays"),  # runs of earlier versions have none
        )

    @property
    def rows_needed(self) -> int:
        """Number of latest rows of a series that are needed to forecast the next ones."""
        return self.lookback + max(self.lags, default=0)

    def columns(self, panel: Panel) -> dict[str, int]:
        """Number of columns of each input of a model, by role."""
        widths = {role: len(names) for role, names in panel.names.items()}
        future = widths["future"] + 2 * len(self.cycles) + (self.holidays is not None)
        past = widths["past"] + len(self.lags) * widths["targets"] + future
        return {**widths, "past": past, "future": future}

    def scaled(
        self, panel: Panel, known: Sequence[int] | np.ndarray | None = None
    ) -> tuple[Panel, Scaler]:
        """Scale series, and add lags and calendar features; also returns the scaler of the targets.

        Args:
            panel: series in their original units.
            known: number of first rows of each series from which a scaler may be fitted, int
                (series,), for series that the reader was not fitted on if each series has its own
                scaling; by default all rows.
        """
        scaler = self._targets_scaler(panel, known)
        return self._scaled_by(scaler, panel), scaler

    def _scaled_by(self, scaler: Scaler, panel: Panel) -> Panel:
        """Series scaled by a scaler of the targets, with lags and calendar features."""
        scaled = panel.scaled({**self.scalers, "targets": scaler})
        lagged = add_lags(scaled, self.lags)
        return add_calendar(lagged, self.horizon, self.cycles, self.holidays)

    def examples(
        self,
        panel: Panel,
        first: np.ndarray | None = None,
        *,
        stride: int | None = None,
        insample: Sequence[np.ndarray] | None = None,
    ) -> SeriesExamples:
        """Examples of series: all windows over them.

        Args:
            panel: series in their original units.
            first: first row of each series to forecast, int (series,).
            stride: steps from one window to the next; by default the smallest stride that keeps
                the number of target values below a limit.
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
        """Inputs of one window per series, to forecast its next steps; and the targets' scaler.

        A series that is shorter than the lookback is extended back, see `extend_back`; the fewer
        rows it has, the more its scale is that of the training series, see `steadied`.
        """
        scaler = self._targets_scaler(panel)
        is_short = panel.lengths < self.lookback
        if is_short.any():
            is_new = np.array(self.places(panel)) < 0
            shares = (panel.lengths - 1) / max(self.lookback - 1, 1)
            weights = np.where(is_short & is_new, shares, 1)
            scaler = steadied(scaler, self.scalers["targets"], weights)
            panel = extend_back(panel, np.where(is_short, self.rows_needed, 0))
        inputs = latest_inputs(
            self._scaled_by(scaler, panel),
            self.lookback,
            self.horizon,
            observed=self.masked,
            series=self.places(panel) if self.series_ids else False,
        )
        return inputs, scaler

    def at_any_row(
        self, panel: Panel, known: Sequence[int] | np.ndarray
    ) -> tuple[InputsAt, Scaler]:
        """Inputs of windows before any row, also where their targets are not in the series.

        Args:
            panel: series in their original units.
            known: as in `scaled`.

        Returns:
            A function of the series and the row of each window, int (batch,), that gives the
            inputs; and the scaler of the targets.
        """
        scaled, scaler = self.scaled(panel, known)
        inputs = inputs_at(
            scaled,
            self.lookback,
            self.horizon,
            observed=self.masked,
            series=self.places(panel) if self.series_ids else False,
        )
        return inputs, scaler

    def places(self, panel: Panel) -> list[int]:
        """Index of each series among the training series; -1 for a new series."""
        known = {name: place for place, name in enumerate(self.ids)}
        return [known.get(name, -1) for name in panel.ids]

    def _targets_scaler(
        self, panel: Panel, rows: Sequence[int] | np.ndarray | None = None
    ) -> Scaler:
        """Scaler of the targets: as fitted for training series, fitted anew for other series."""
        fitted = self.scalers["targets"]
        if not fitted.per_series or tuple(panel.ids) == self.ids:
            return fitted
        histories = panel.targets
        if rows is not None:
            histories = [targets[:row] for targets, row in zip(histories, rows)]
        adapted, places = fitted.adapt(histories), np.array(self.places(panel))
        known = (places >= 0)[:, None]
        parameters = {
            name: np.where(known, getattr(fitted, name)[places], getattr(adapted, name))
            for name in _PARAMETERS
        }
        return replace(adapted, **parameters)
