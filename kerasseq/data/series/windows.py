"""Windows over series: the examples of a forecaster, cut out on demand."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from kerasseq.data.series.frequency import format_stamp, next_stamps
from kerasseq.data.series.panel import Panel

__all__ = ["InputsAt", "Windows", "inputs_at", "latest_inputs"]

Inputs = dict[str, np.ndarray]
#: A function of the series and the row of each window, int (batch,), see `inputs_at`.
InputsAt = Callable[[np.ndarray, np.ndarray], Inputs]


class Windows:
    """All windows of a panel: `lookback` steps to read, and the `horizon` steps after them.

    Windows are numbered, series by series, and cut out of the arrays of the panel on demand, so
    that memory does not grow with their number.

    Args:
        panel: scaled series.
        lookback: number of steps to read.
        horizon: number of steps to forecast.
        stride: steps from one window to the next.
        first: for each series, the first row that may be a target, int (series,); default 0. The
            rows before it may be read.
        last: for each series, the row after the last target; default: the length of the series.
        observed: whether inputs include the mask `observed`; None to include it if a target of
            the panel is missing.
        series: whether inputs include the index of the series; or the indices to use, one per
            series.
        dtype: type in which the series are stored and returned.

    Raises:
        ValueError: if a series is too short for a single window.

    Example:

    >>> from kerasseq.data.series.read import read_series
    >>> import pandas as pd
    >>> windows = Windows(read_series(pd.DataFrame({"y": [1, 2, 4, 8, 16]})), lookback=2, horizon=1)
    >>> inputs, targets = windows.batch(np.array([0, 2]))
    >>> inputs["history"][..., 0].tolist(), targets[..., 0].tolist()
    ([[1.0, 2.0], [4.0, 8.0]], [[4.0], [16.0]])
    """

    def __init__(
        self,
        panel: Panel,
        lookback: int,
        horizon: int,
        stride: int = 1,
        *,
        first: Sequence[int] | np.ndarray | None = None,
        last: Sequence[int] | np.ndarray | None = None,
        observed: bool | None = None,
        series: bool | Sequence[int] = False,
        dtype: str = "float32",
    ) -> None:
        for name, value in (("lookback", lookback), ("horizon", horizon), ("stride", stride)):
            whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
            if not whole or value < 1:
                raise ValueError(
                    f"{name} must be a whole number above zero. Received: {name}={value!r}"
                )
        self.lookback, self.horizon, self.stride = lookback, horizon, stride
        self._store = _SeriesArrays(panel, observed, series, dtype)
        self._count(first, last)

    def part(
        self,
        first: Sequence[int] | np.ndarray | None = None,
        last: Sequence[int] | np.ndarray | None = None,
        stride: int = 1,
    ) -> Windows:
        """Windows over another part of the same series; they share the arrays.

        Args:
            first: as for `Windows`.
            last: as for `Windows`.
            stride: as for `Windows`.
        """
        windows = copy.copy(self)
        windows.stride = stride
        windows._count(first, last)
        return windows

    def __len__(self) -> int:
        return int(self._before[-1])

    @property
    def block(self) -> int:
        """Number of successive windows of which each overlaps with the first one."""
        return -(-self.horizon // self.stride)

    @property
    def independent(self) -> int:
        """Number of windows whose targets do not overlap."""
        return int((-(-np.diff(self._before) // self.block)).sum())

    def batch(self, rows: np.ndarray) -> tuple[Inputs, np.ndarray]:
        """Cut out a batch of windows.

        Args:
            rows: numbers of the windows, int (batch,).

        Returns:
            Inputs by name, and the targets, (batch, horizon, targets), NaN where not observed:

            - `history`, (batch, lookback, targets), 0 where not observed;
            - `observed`, (batch, lookback, targets), 1 or 0, if the windows include it;
            - `past`, (batch, lookback, past and future covariates), if there are any; 0 where a
              value is missing, as a lag from before the start of a series;
            - `future`, (batch, horizon, future covariates), if there are any;
            - `static`, (batch, static features), if there are any;
            - `series`, int32 (batch,), if the windows include it.
        """
        series, origins = self.places(rows)
        return self.inputs(series, origins), self._store.targets(series, origins, self.horizon)

    def places(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Series of each window, and the row of that series at which the targets begin.

        Args:
            rows: numbers of the windows, int (batch,).

        Returns:
            Two arrays, int (batch,).
        """
        rows = np.asarray(rows, dtype=np.int64)
        if rows.size and not 0 <= rows.min() <= rows.max() < len(self):
            raise IndexError(f"there are windows 0 to {len(self) - 1:,}. Received: rows={rows!r}")
        series = np.searchsorted(self._before, rows, side="right") - 1
        return series, self._origins[series] + (rows - self._before[series]) * self.stride

    def inputs(self, series: np.ndarray, origins: np.ndarray) -> Inputs:
        """Inputs of windows at any position, also where their targets are not in the series.

        Args:
            series: index of the series of each window, int (batch,).
            origins: row of the series at which the targets begin, int (batch,); the length of the
                series for targets right after its end.
        """
        return self._store.inputs(series, origins, self.lookback, self.horizon)

    def _count(
        self,
        first: Sequence[int] | np.ndarray | None,
        last: Sequence[int] | np.ndarray | None,
    ) -> None:
        """Find the first origin of each series, and the number of windows of earlier series."""
        lengths = self._store.lengths
        begins = np.zeros_like(lengths) if first is None else np.asarray(first, dtype=np.int64)
        ends = lengths if last is None else np.minimum(np.asarray(last, dtype=np.int64), lengths)
        self._origins = np.maximum(begins, self.lookback)
        room = ends - self.horizon - self._origins
        if np.any(room < 0):
            raise self._too_short(int(np.argmin(room)), begins, ends)
        self._before = np.concatenate([[0], np.cumsum(room // self.stride + 1)])

    def _too_short(self, place: int, begin: np.ndarray, end: np.ndarray) -> ValueError:
        name, rows = self._store.describe(place), int(end[place] - begin[place])
        longest = int(end[place]) - self.horizon
        if begin[place] > 0 and rows < self.horizon:
            return ValueError(
                f"{name}: its part from row {begin[place]:,} to row {end[place]:,} is too short "
                f"for horizon={self.horizon}. Make the part longer, or the horizon at most "
                f"{rows:,}."
            )
        works = f"the longest lookback that works is {longest:,}"
        if longest < 1:
            works = f"the longest horizon that works with lookback=1 is {end[place] - 1:,}"
        return ValueError(
            f"{name} is too short for lookback={self.lookback} and horizon={self.horizon}: there "
            f"are {end[place]:,} steps to learn from, and {works}."
        )


def latest_inputs(
    panel: Panel,
    lookback: int,
    horizon: int,
    *,
    observed: bool | None = None,
    series: bool | Sequence[int] = False,
    dtype: str = "float32",
) -> Inputs:
    """Inputs of one window per series: its last `lookback` steps, to forecast the next steps.

    Args:
        panel: scaled series.
        lookback: number of steps to read.
        horizon: number of steps to forecast.
        observed: as for `Windows`.
        series: as for `Windows`.
        dtype: type of the inputs.

    Returns:
        The inputs by name, see `Windows.batch`; one row per series.

    Raises:
        ValueError: if a series is shorter than the lookback, or its future covariates are not known
            over the whole horizon.
    """
    lengths = panel.lengths
    shortest = int(np.argmin(lengths))
    if lengths[shortest] < lookback:
        raise ValueError(
            f"{_describe(panel, shortest)} has {lengths[shortest]:,} steps, and "
            f"lookback={lookback} steps are needed to forecast it. Give more of its history."
        )
    store = _SeriesArrays(panel.cut(lengths - lookback, lengths), observed, series, dtype)
    return store.inputs(np.arange(len(panel)), store.lengths, lookback, horizon)


def inputs_at(
    panel: Panel,
    lookback: int,
    horizon: int,
    *,
    observed: bool | None = None,
    series: bool | Sequence[int] = False,
    dtype: str = "float32",
) -> InputsAt:
    """A function that gives the inputs of windows before any row, as `Windows.inputs` does.

    Series may be too short for a window with its targets.

    Args:
        panel: scaled series.
        lookback: number of steps to read.
        horizon: number of steps to forecast.
        observed: as for `Windows`.
        series: as for `Windows`.
        dtype: type of the inputs.
    """
    store = _SeriesArrays(panel, observed, series, dtype)
    return partial(store.inputs, lookback=lookback, horizon=horizon)


class _SeriesArrays:
    """The arrays of a panel, each concatenated over all series; windows are copied out of them."""

    def __init__(
        self, panel: Panel, observed: bool | None, series: bool | Sequence[int], dtype: str
    ) -> None:
        self._panel = panel
        self.lengths = panel.lengths
        self._targets = _concatenate(panel.targets, dtype)
        self._past = _concatenate(panel.past, dtype)
        self._future = _concatenate(panel.future, dtype)
        self._ahead = np.array([len(values) for values in panel.future], dtype=np.int64)
        self._offsets = np.cumsum(self.lengths) - self.lengths
        self._future_offsets = np.cumsum(self._ahead) - self._ahead
        self._static = panel.static.astype(dtype)
        self._past_missing = bool(np.isnan(self._past).any())
        missing = bool(np.isnan(self._targets).any())
        self._observed = missing if observed is None else observed
        if missing and not self._observed:
            raise ValueError(
                "targets are missing, and the model was made for series without missing targets. "
                "Fill them in with fill='forward', fill='linear' or fill='zero'."
            )
        self._places: np.ndarray | None = None
        if series is not False:
            places = np.arange(len(panel)) if series is True else series
            self._places = np.asarray(places, dtype=np.int32)

    def targets(self, series: np.ndarray, origins: np.ndarray, horizon: int) -> np.ndarray:
        """Targets of windows, (batch, horizon, targets)."""
        return _spans(self._targets, self._offsets[series] + origins, horizon)

    def inputs(
        self, series: np.ndarray, origins: np.ndarray, lookback: int, horizon: int
    ) -> Inputs:
        """Inputs of windows by name, see `Windows.batch`."""
        starts = origins - lookback
        history = _spans(self._targets, self._offsets[series] + starts, lookback)
        inputs = {"history": history}
        if self._observed:
            missing = np.isnan(history)
            history[missing] = 0
            inputs["observed"] = (~missing).astype(history.dtype)
        columns = []
        if self._past.shape[1]:
            past = _spans(self._past, self._offsets[series] + starts, lookback)
            columns.append(np.nan_to_num(past, copy=False) if self._past_missing else past)
        if self._future.shape[1]:
            self._check_known_ahead(series, origins, horizon)
            begin = self._future_offsets[series] + origins
            columns.append(_spans(self._future, begin - lookback, lookback))
            inputs["future"] = _spans(self._future, begin, horizon)
        if columns:
            inputs["past"] = columns[0] if len(columns) == 1 else np.concatenate(columns, axis=-1)
        if self._static.shape[1]:
            inputs["static"] = self._static[series]
        if self._places is not None:
            inputs["series"] = self._places[series]
        return inputs

    def describe(self, place: int) -> str:
        """Name of a series in error messages."""
        return _describe(self._panel, place)

    def _check_known_ahead(self, series: np.ndarray, origins: np.ndarray, horizon: int) -> None:
        short = np.flatnonzero(origins + horizon > self._ahead[series])
        if len(short) == 0:
            return
        place, origin = int(series[short[0]]), int(origins[short[0]])
        panel, known = self._panel, int(self._ahead[series[short[0]]])
        steps = next_stamps(
            panel.stamps[place], origin + horizon - len(panel.stamps[place]), panel.frequency
        )
        missing = steps[known - len(panel.stamps[place])]
        names = panel.encoding.get("roles", {}).get("future") or panel.names["future"]
        raise ValueError(
            f"{self.describe(place)}: future covariates ({', '.join(names[:5])}) are "
            f"not known at {format_stamp(missing)}, and horizon={horizon} needs them up to "
            f"{format_stamp(steps[-1])}. Give rows with them as future=."
        )


def _describe(panel: Panel, place: int) -> str:
    return f"series {panel.ids[place]!r}" if panel.ids[place] else "the series"


def _concatenate(arrays: Sequence[np.ndarray], dtype: str) -> np.ndarray:
    """Concatenate arrays of rows; a single contiguous array of that type is not copied."""
    if len(arrays) == 1:
        return np.ascontiguousarray(arrays[0], dtype=dtype)
    joined = np.empty((sum(map(len, arrays)), arrays[0].shape[1]), dtype)
    np.concatenate(arrays, out=joined, casting="same_kind")
    return joined


def _spans(flat: np.ndarray, starts: np.ndarray, length: int) -> np.ndarray:
    """Copy spans of rows, (batch, length, columns), each as one contiguous block."""
    columns = flat.shape[1]
    spans = sliding_window_view(flat.reshape(-1), length * columns)[::columns][starts]
    return spans.reshape(len(starts), length, columns)
