"""A panel: several series with the same variables in even steps, from which windows are cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np

from kerasseq.data.series.frequency import Stamps
from kerasseq.io.digest import LATER

if TYPE_CHECKING:
    from kerasseq.data.series.scaling import Scaler

__all__ = ["Encoding", "Names", "Panel"]

_CHUNK = 2**16  # rows scaled at a time, to bound the memory of intermediate arrays


_Columns = list[str | int | float]  # names of table columns


class Names(TypedDict):
    """The names of the columns of a panel."""

    targets: _Columns
    past: _Columns
    future: _Columns
    static: _Columns


class Encoding(TypedDict):
    """How the columns of a table were read, as JSON values."""

    folded: bool
    roles: _Roles
    categories: dict[str, list[str]]
    frequency: str | None
    timezone: str | None
    fill: str | None
    resample: str | None
    season: int | None


class _Roles(TypedDict):
    time: _Columns
    target: _Columns
    series: _Columns
    past: _Columns
    future: _Columns
    static: _Columns


@dataclass(frozen=True)
class Panel:
    """Series with the same variables, in even steps without gaps; a missing value is NaN.

    Args:
        ids: name of each series; "" for a single series without a name.
        stamps: for each series, one stamp per row of its targets.
        frequency: a pandas offset alias, or None where steps are counted.
        season: steps of the season, 1 for none.
        targets: for each series, (time, targets); float64, or float32 if the table has float32.
        past: for each series, (time, covariates): known up to the present.
        future: for each series, (time, covariates): known ahead; may be longer than the targets.
        static: (series, features).
        names: column names of "targets", "past", "future" and "static".
        encoding: how the columns were read, as JSON values: enough to read new rows in the same
            way.
        notes: remarks on how the table was read, to be shown to the user.
        filled: for each series, bool (time, targets): targets that were missing and were filled
            with an estimate from other values; None if there are none.
        keys: for each series, its values in the columns that identify the series.
        begins: first row of the "validation" and "test" part of each series, int64 (series,), if
            these parts came as separate tables.
    """

    ids: list[str]
    stamps: list[Stamps]
    frequency: str | None
    season: int
    targets: list[np.ndarray]
    past: list[np.ndarray]
    future: list[np.ndarray]
    static: np.ndarray
    names: dict[str, list[str]]
    encoding: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    filled: list[np.ndarray] | None = None
    keys: list[list[Any]] = field(default_factory=list)
    begins: dict[str, np.ndarray] | None = field(default=None, metadata=LATER)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def lengths(self) -> np.ndarray:
        """Number of steps of each series, int64 (series,)."""
        return np.array([len(values) for values in self.targets], dtype=np.int64)

    @property
    def observed(self) -> list[np.ndarray]:
        """The targets of each series, with NaN in place of values that were filled in."""
        if self.filled is None:
            return self.targets
        return [np.where(mask, np.nan, values) for values, mask in zip(self.targets, self.filled)]

    def numeric(self, role: str) -> np.ndarray:
        """Mask of the columns that hold numbers, bool (columns,).

        The other columns are indicators of the levels of a category, which need no scaling.

        Args:
            role: "targets", "past", "future" or "static".
        """
        levels = {
            f"{name}={level}"
            for name, known in self.encoding.get("categories", {}).items()
            for level in known
        }
        return np.array([name not in levels for name in self.names[role]], dtype=bool)

    def cut(self, starts: Sequence[int] | np.ndarray, ends: Sequence[int] | np.ndarray) -> Panel:
        """Cut each series to the rows from `starts` to before `ends`, usually without a copy.

        A series that is cut at its end keeps the future covariates of later steps. Targets at the
        end of a cut that were interpolated contain information about later rows: they are replaced
        by the last observed value before them.

        Args:
            starts: first row of each series, int (series,).
            ends: row after the last one of each series, int (series,).
        """
        spans = [(int(start), int(end)) for start, end in zip(starts, ends, strict=True)]
        return replace(
            self,
            begins=None,
            stamps=[index[low:high] for index, (low, high) in zip(self.stamps, spans)],
            targets=[self._cut_targets(place, *span) for place, span in enumerate(spans)],
            filled=self.filled
            and [mask[low:high] for mask, (low, high) in zip(self.filled, spans)],
            past=[values[low:high] for values, (low, high) in zip(self.past, spans)],
            future=[
                values[low : None if high >= length else high]
                for values, length, (low, high) in zip(self.future, self.lengths, spans)
            ],
        )

    def pick(self, series: Sequence[int] | np.ndarray) -> Panel:
        """Select series by their indices, int (series,)."""
        return replace(
            self,
            ids=[self.ids[i] for i in series],
            keys=[self.keys[i] for i in series] if self.keys else [],
            stamps=[self.stamps[i] for i in series],
            targets=[self.targets[i] for i in series],
            filled=self.filled and [self.filled[i] for i in series],
            past=[self.past[i] for i in series],
            future=[self.future[i] for i in series],
            static=self.static[np.asarray(series, dtype=np.intp)],
            begins=self.begins and {name: rows[series] for name, rows in self.begins.items()},
        )

    def scaled(self, scalers: Mapping[str, Scaler], dtype: str = "float32") -> Panel:
        """Scale the series, and store them in another precision.

        Args:
            scalers: scalers of any of "targets", "past", "future" and "static".
            dtype: type of the new arrays.
        """
        parts: dict[str, Any] = {}
        for role in ("targets", "past", "future"):
            scaler = scalers.get(role)
            parts[role] = [
                _scale(values, scaler, i, dtype) for i, values in enumerate(getattr(self, role))
            ]
        parts["static"] = _scale(self.static, scalers.get("static"), 0, dtype)
        return replace(self, **parts)

    def _cut_targets(self, place: int, low: int, high: int) -> np.ndarray:
        """Targets of one series in the rows from `low` to before `high`.

        Targets at the end that were interpolated from later rows get the last observed value.
        """
        rows = self.targets[place][low:high]
        if self.filled is None or self.encoding.get("fill") != "linear" or len(rows) == 0:
            return rows
        filled = self.filled[place][:high]
        gap_columns = np.flatnonzero(filled[-1])
        if len(gap_columns):
            rows = rows.copy()
        for column in gap_columns:
            last = high - 1 - int(np.argmin(filled[::-1, column]))  # the last observed row
            rows[max(last - low, 0) :, column] = self.targets[place][last, column]
        return rows


def _scale(values: np.ndarray, scaler: Scaler | None, series: int, dtype: str) -> np.ndarray:
    if scaler is None or values.size == 0:
        return values.astype(dtype, copy=False)
    scaled = np.empty(values.shape, dtype)
    for start in range(0, len(values), _CHUNK):
        rows = slice(start, start + _CHUNK)
        scaled[rows] = scaler.transform(values[rows], series)
    return scaled
