"""Series of one kind, in even steps: what tables are read into, and windows are cut from."""

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

_CHUNK = 2**16  # rows that are scaled at a time: what is in between stays small


_Columns = list[str | int | float]  # whatever columns of a table are called


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
    """Series of one kind, in even steps and without gaps; what was not observed is NaN.

    Args:
        ids: one per series, "" where there is only one.
        stamps: of each series, one per row of its targets.
        frequency: a pandas offset alias, or None where steps are counted.
        season: steps of the natural season, 1 for none.
        targets: of each series, (time, targets); float64, or float32 where the table has that.
        past: of each series, (time, covariates): known up to now.
        future: of each series, (time and perhaps further, covariates): known ahead.
        static: (series, features).
        names: of the columns of "targets", "past", "future" and "static".
        encoding: how the columns were read, as JSON values: enough to read new rows in the same
            way.
        notes: what was found and done, for the reader.
        filled: of each series, bool (time, targets), which targets were not observed, and have a
            value from others; None where there are none.
        keys: of each series, what the columns that tell the series apart hold.
        begins: the first row of the "validation" and "test" part of each series, int64 (series,),
            where they came as tables of their own.
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
        """The steps of each series, int64."""
        return np.array([len(values) for values in self.targets], dtype=np.int64)

    @property
    def observed(self) -> list[np.ndarray]:
        """The targets of each series, NaN where they were filled in."""
        if self.filled is None:
            return self.targets
        return [np.where(own, np.nan, values) for values, own in zip(self.targets, self.filled)]

    def numeric(self, role: str) -> np.ndarray:
        """Which columns of "targets", "past", "future" or "static" are numbers as they came.

        The others stand for a level of a category, and are better left unscaled.
        """
        levels = {
            f"{name}={level}"
            for name, known in self.encoding.get("categories", {}).items()
            for level in known
        }
        return np.array([name not in levels for name in self.names[role]], dtype=bool)

    def cut(self, starts: Sequence[int] | np.ndarray, ends: Sequence[int] | np.ndarray) -> Panel:
        """The rows from `starts` to before `ends` of each series, as a rule without a copy.

        A series that is cut at its very end keeps what is known of the steps after it. Targets at
        the end of a cut that were filled in tell nothing of what comes after it: they go on from
        the last one before them that was observed.

        Args:
            starts: one row number per series.
            ends: one row number per series.
        """
        spans = [(int(start), int(end)) for start, end in zip(starts, ends, strict=True)]
        return replace(
            self,
            begins=None,
            stamps=[own[low:high] for own, (low, high) in zip(self.stamps, spans)],
            targets=[self._until(place, *span) for place, span in enumerate(spans)],
            filled=self.filled and [own[low:high] for own, (low, high) in zip(self.filled, spans)],
            past=[own[low:high] for own, (low, high) in zip(self.past, spans)],
            future=[
                own[low : None if high >= length else high]
                for own, length, (low, high) in zip(self.future, self.lengths, spans)
            ],
        )

    def pick(self, series: Sequence[int] | np.ndarray) -> Panel:
        """Some of the series, by their places."""
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
            begins=self.begins and {name: own[series] for name, own in self.begins.items()},
        )

    def scaled(self, scalers: Mapping[str, Scaler], dtype: str = "float32") -> Panel:
        """The same series in the units of scalers, stored in another precision.

        Args:
            scalers: by any of "targets", "past", "future" and "static".
            dtype: of the new arrays.
        """
        parts: dict[str, Any] = {}
        for role in ("targets", "past", "future"):
            scaler = scalers.get(role)
            parts[role] = [
                _scaled(values, scaler, i, dtype) for i, values in enumerate(getattr(self, role))
            ]
        parts["static"] = _scaled(self.static, scalers.get("static"), 0, dtype)
        return replace(self, **parts)

    def _until(self, place: int, low: int, high: int) -> np.ndarray:
        """Targets of a series up to a row, of which none was filled in from that row on."""
        rows = self.targets[place][low:high]
        if self.filled is None or self.encoding.get("fill") != "linear" or len(rows) == 0:
            return rows
        put_in = self.filled[place][:high]
        ends = np.flatnonzero(put_in[-1])
        if len(ends):
            rows = rows.copy()
        for column in ends:
            last = high - 1 - int(np.argmin(put_in[::-1, column]))  # that was observed
            rows[max(last - low, 0) :, column] = self.targets[place][last, column]
        return rows


def _scaled(values: np.ndarray, scaler: Scaler | None, series: int, dtype: str) -> np.ndarray:
    if scaler is None or values.size == 0:
        return values.astype(dtype, copy=False)
    found = np.empty(values.shape, dtype)
    for start in range(0, len(values), _CHUNK):
        rows = slice(start, start + _CHUNK)
        found[rows] = scaler.transform(values[rows], series)
    return found
