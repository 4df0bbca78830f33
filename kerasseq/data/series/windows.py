"""Windows over series: what a forecaster learns from, cut out when they are asked for."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from kerasseq.data.series.frequency import after, shown
from kerasseq.data.series.panel import Panel

__all__ = ["Windows", "latest"]

Inputs = dict[str, np.ndarray]


class Windows:
    """All windows of a panel: `lookback` steps to read, and the `horizon` steps after them.

    They are numbered, series by series, and cut out of the panel's arrays when they are asked for:
    nothing grows with their number.

    Args:
        panel: scaled series.
        lookback: steps to read.
        horizon: steps to forecast.
        stride: steps from one window to the next.
        first: for each series the first row that may be a target; 0 where it is not given. The
            rows before it may be read.
        last: for each series the row before which targets end; its length where it is not given.
        observed: whether inputs tell which targets were observed; None for whether any of the panel
            was not.
        series: whether inputs tell the place of the series; or the places to tell, one for each.
        dtype: in which the series are kept, and given.

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
        self._store = _Store(panel, observed, series, dtype)
        self._count(first, last)

    def part(
        self,
        first: Sequence[int] | np.ndarray | None = None,
        last: Sequence[int] | np.ndarray | None = None,
        stride: int = 1,
    ) -> Windows:
        """The windows of another part of the same series, which share their memory."""
        other = copy.copy(self)
        other.stride = stride
        other._count(first, last)
        return other

    def __len__(self) -> int:
        return int(self._before[-1])

    def batch(self, rows: np.ndarray) -> tuple[Inputs, np.ndarray]:
        """Some of the windows.

        Args:
            rows: their numbers, int (batch,).

        Returns:
            Inputs by name, and the targets, (batch, horizon, targets), NaN where not observed:

            - `history`, (batch, lookback, targets), 0 where not observed;
            - `observed`, (batch, lookback, targets), 1 or 0, if that is to be told;
            - `past`, (batch, lookback, past and future covariates), if there are any, 0 where there
              is none (a lag before the series began);
            - `future`, (batch, horizon, future covariates), if there are any;
            - `static`, (batch, static features), if there are any;
            - `series`, int32 (batch,), if that is to be told.
        """
        series, origins = self.places(rows)
        return self.inputs(series, origins), self._store.targets(series, origins, self.horizon)

    def places(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The series of each of some windows, and the row of it at which its targets begin."""
        rows = np.asarray(rows, dtype=np.int64)
        if rows.size and not 0 <= rows.min() <= rows.max() < len(self):
            raise IndexError(f"there are windows 0 to {len(self) - 1:,}. Received: rows={rows!r}")
        series = np.searchsorted(self._before, rows, side="right") - 1
        return series, self._origins[series] + (rows - self._before[series]) * self.stride

    def inputs(self, series: np.ndarray, origins: np.ndarray) -> Inputs:
        """The inputs of windows wherever they lie, with or without the rows of their targets.

        Args:
            series: the place of the series of each, int (batch,).
            origins: the row of it at which its targets begin, which may be the series' length.
        """
        return self._store.inputs(series, origins, self.lookback, self.horizon)

    def _count(
        self,
        first: Sequence[int] | np.ndarray | None,
        last: Sequence[int] | np.ndarray | None,
    ) -> None:
        """Finds the first origin of each series, and how many windows lie before it."""
        lengths = self._store.lengths
        begin = np.zeros_like(lengths) if first is None else np.asarray(first, dtype=np.int64)
        end = lengths if last is None else np.minimum(np.asarray(last, dtype=np.int64), lengths)
        self._origins = np.maximum(begin, self.lookback)
        room = end - self.horizon - self._origins
        if np.any(room < 0):
            raise self._too_short(int(np.argmin(room)), begin, end)
        self._before = np.concatenate([[0], np.cumsum(room // self.stride + 1)])

    def _too_short(self, place: int, begin: np.ndarray, end: np.ndarray) -> ValueError:
        called, rows = self._store.called(place), int(end[place] - begin[place])
        longest = int(end[place]) - self.horizon
        if begin[place] > 0 and rows < self.horizon:
            return ValueError(
                f"{called}: the part of it from row {begin[place]:,} to row {end[place]:,} is too "
                f"short for horizon={self.horizon}. Make the part longer, or the horizon at most "
                f"{rows:,}."
            )
        works = f"the longest lookback that works is {longest:,}"
        if longest < 1:
            works = f"the longest horizon that works with lookback=1 is {end[place] - 1:,}"
        return ValueError(
            f"{called} is too short for lookback={self.lookback} and horizon={self.horizon}: there "
            f"are {end[place]:,} steps to learn from, and {works}."
        )


def latest(
    panel: Panel,
    lookback: int,
    horizon: int,
    *,
    observed: bool | None = None,
    series: bool | Sequence[int] = False,
    dtype: str = "float32",
) -> Inputs:
    """The inputs of one window per series: its last `lookback` steps, to forecast what follows.

    Args:
        panel: scaled series.
        lookback: steps to read.
        horizon: steps to forecast.
        observed: as for `Windows`.
        series: as for `Windows`.
        dtype: of the inputs.

    Raises:
        ValueError: if a series is shorter than the lookback, or its future covariates are not known
            over the whole horizon.
    """
    lengths = panel.lengths
    shortest = int(np.argmin(lengths))
    if lengths[shortest] < lookback:
        raise ValueError(
            f"{_called(panel, shortest)} has {lengths[shortest]:,} steps, and lookback={lookback} "
            "steps are needed to forecast it. Give more of its history."
        )
    store = _Store(panel.cut(lengths - lookback, lengths), observed, series, dtype)
    return store.inputs(np.arange(len(panel)), store.lengths, lookback, horizon)


class _Store:
    """The arrays of a panel, each of them in one piece, and windows out of them."""

    def __init__(
        self, panel: Panel, observed: bool | None, series: bool | Sequence[int], dtype: str
    ) -> None:
        self._panel = panel
        self.lengths = panel.lengths
        self._targets = _joined(panel.targets, dtype)
        self._past = _joined(panel.past, dtype)
        self._future = _joined(panel.future, dtype)
        self._ahead = np.array([len(values) for values in panel.future], dtype=np.int64)
        self._offsets = np.cumsum(self.lengths) - self.lengths
        self._future_offsets = np.cumsum(self._ahead) - self._ahead
        self._static = panel.static.astype(dtype)
        self._past_missing = bool(np.isnan(self._past).any())
        missing = bool(np.isnan(self._targets).any())
        self._observed = missing if observed is None else observed
        if missing and not self._observed:
            raise ValueError(
                "targets are missing, and the model was made for series without missing ones. "
                "Fill them in with fill='forward', fill='linear' or fill='zero'."
            )
        self._places: np.ndarray | None = None
        if series is not False:
            places = np.arange(len(panel)) if series is True else series
            self._places = np.asarray(places, dtype=np.int32)

    def targets(self, series: np.ndarray, origins: np.ndarray, horizon: int) -> np.ndarray:
        """The targets of windows, (batch, horizon, targets)."""
        return _spans(self._targets, self._offsets[series] + origins, horizon)

    def inputs(
        self, series: np.ndarray, origins: np.ndarray, lookback: int, horizon: int
    ) -> Inputs:
        """The inputs of windows by name, see `Windows.batch`."""
        starts = origins - lookback
        history = _spans(self._targets, self._offsets[series] + starts, lookback)
        found = {"history": history}
        if self._observed:
            missing = np.isnan(history)
            history[missing] = 0
            found["observed"] = (~missing).astype(history.dtype)
        columns = []
        if self._past.shape[1]:
            past = _spans(self._past, self._offsets[series] + starts, lookback)
            columns.append(np.nan_to_num(past, copy=False) if self._past_missing else past)
        if self._future.shape[1]:
            self._check_known_ahead(series, origins, horizon)
            begin = self._future_offsets[series] + origins
            columns.append(_spans(self._future, begin - lookback, lookback))
            found["future"] = _spans(self._future, begin, horizon)
        if columns:
            found["past"] = columns[0] if len(columns) == 1 else np.concatenate(columns, axis=-1)
        if self._static.shape[1]:
            found["static"] = self._static[series]
        if self._places is not None:
            found["series"] = self._places[series]
        return found

    def called(self, place: int) -> str:
        """What to call a series in an error."""
        return _called(self._panel, place)

    def _check_known_ahead(self, series: np.ndarray, origins: np.ndarray, horizon: int) -> None:
        short = np.flatnonzero(origins + horizon > self._ahead[series])
        if len(short) == 0:
            return
        place, origin = int(series[short[0]]), int(origins[short[0]])
        panel, known = self._panel, int(self._ahead[series[short[0]]])
        steps = after(
            panel.stamps[place], origin + horizon - len(panel.stamps[place]), panel.frequency
        )
        missing = steps[known - len(panel.stamps[place])]
        names = panel.encoding.get("roles", {}).get("future") or panel.names["future"]
        raise ValueError(
            f"{self.called(place)}: future covariates ({', '.join(names[:5])}) are "
            f"not known at {shown(missing)}, and horizon={horizon} needs them up to "
            f"{shown(steps[-1])}. Give rows with them as future=."
        )


def _called(panel: Panel, place: int) -> str:
    return f"series {panel.ids[place]!r}" if panel.ids[place] else "the series"


def _joined(arrays: Sequence[np.ndarray], dtype: str) -> np.ndarray:
    """Arrays of rows, one after another; the very array if it is the only one, and as it should."""
    if len(arrays) == 1:
        return np.ascontiguousarray(arrays[0], dtype=dtype)
    found = np.empty((sum(map(len, arrays)), arrays[0].shape[1]), dtype)
    np.concatenate(arrays, out=found, casting="same_kind")
    return found


def _spans(flat: np.ndarray, starts: np.ndarray, length: int) -> np.ndarray:
    """Spans of rows, (batch, length, columns): each of them is copied in one go."""
    columns = flat.shape[1]
    spans = sliding_window_view(flat.reshape(-1), length * columns)[::columns][starts]
    return spans.reshape(len(starts), length, columns)
