"""Series from whatever table they are in, checked, on an even grid of steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from pandas.tseries.frequencies import to_offset

from kerasseq.data.series.columns import Columns, read_columns
from kerasseq.data.series.frequency import season_of, shown
from kerasseq.data.series.panel import Panel
from kerasseq.data.series.rows import FILLS, Rows, filled, in_order, on_grid, read_rows, resampled
from kerasseq.data.series.tables import (
    Roles,
    check_known,
    find_roles,
    load_table,
    one_per_row,
    unfolded,
)

__all__ = ["Panel", "read_series"]

_ROLES = ("target", "past", "future", "static")
_NAMES = {"target": "targets", "past": "past", "future": "future", "static": "static"}


def read_series(
    data: Any,
    *,
    time: str | Sequence[str] | None = None,
    target: str | Sequence[str] | None = None,
    series: str | Sequence[str] | None = None,
    past: str | Sequence[str] = (),
    future: str | Sequence[str] = (),
    static: str | Sequence[str] = (),
    fill: str | None = None,
    resample: str | None = None,
    season: int | None = None,
    encoding: Mapping[str, Any] | None = None,
    whole: bool = False,
) -> Panel:
    """Series from whatever table they are in.

    The table has one row per step, with a column for each variable, and one (or several) that tells
    the series apart if there is more than one; or it has one row per series, as that of M4 has. A
    missing target stays missing unless `fill` says otherwise. Rows at the end that have no target
    tell what is known ahead; without `future` they are left out.

    Args:
        data: a DataFrame; a CSV, TSV, JSON-lines or Parquet file; or "demo", figures that come with
            kerasseq.
        time: the column of stamps, or those of year, month, day, hour, minute and second; found
            where it is not given. `()` counts rows.
        target: the column to forecast, or several; all that hold numbers where it is not given.
        series: the column, or columns, that tell the series apart.
        past: covariates known up to now. A column that holds words becomes one column per word.
        future: covariates that are also known ahead.
        static: columns that do not change within a series.
        fill: what to put into gaps and for missing targets: "forward" the last value before,
            "linear" between those before and after (which looks ahead within a gap, though never
            beyond the part that it is in), "zero" zeros, as if they had been observed, "mask"
            nothing: they stay missing. What went forward or was interpolated is never scored.
            Covariates known up to now go forward unless they are to be zero, and all of them do
            where targets are masked.
        resample: a pandas offset alias: take the mean of the rows in each such step.
        season: steps of the natural season; from the frequency where it is not given.
        encoding: that of the panel that the new rows are to be read like; it stands in for the
            arguments that are not given, knows the words, and may not be contradicted by them.
        whole: whether series go on to their last row even if its target is missing.

    Raises:
        FileNotFoundError: if there is nothing at the path.
        ValueError: if the table cannot be read as series; it says what to do.

    Example:

    >>> table = pd.DataFrame({"month": ["2024-01", "2024-02", "2024-03"], "sold": [7, 9, 8]})
    >>> panel = read_series(table)
    >>> panel.frequency, panel.season, panel.targets[0].ravel().tolist()
    ('MS', 12, [7.0, 9.0, 8.0])
    """
    _check_options(fill, season)
    if target is not None and len(target) == 0:
        raise ValueError("target= names no column: name those to forecast, or leave it out.")
    frame, where, notes = load_table(data)
    known = dict(encoding or {})
    given = {
        "time": _listed(time),
        "target": _listed(target),
        "series": _listed(series),
        "past": _listed(past) or None,
        "future": _listed(future) or None,
        "static": _listed(static) or None,
    }
    folded = known["folded"] if known else not any(given.values()) and one_per_row(frame)
    if folded:
        frame = unfolded(frame)
    roles, found = _roles(frame, where, given, known, folded)
    settings = {
        "fill": fill or known.get("fill"),
        "resample": resample or known.get("resample"),
        "season": int(season) if season else known.get("season"),
    }
    blocks = {
        role: read_columns(
            frame, getattr(roles, role), where, known.get("categories"), words=role != "target"
        )
        for role in _ROLES
    }
    full = [block.values for block in blocks.values() if block.names]
    values = full[0] if len(full) == 1 else np.concatenate(full, axis=1)
    rows, more = read_rows(frame, roles.time, roles.series, values, where, known)
    panel = _panel(rows, blocks, settings, known, whole)
    return replace(
        panel,
        encoding={
            "folded": folded,
            "roles": {role: list(names) for role, names in vars(roles).items()},
            "categories": {n: own for b in blocks.values() for n, own in b.categories.items()},
            "frequency": panel.frequency,
            "timezone": _timezone(rows),
            **settings,
        },
        notes=[*notes, *found, *more, *panel.notes],
    )


def _roles(
    frame: pd.DataFrame,
    where: str,
    given: Mapping[str, tuple[str, ...] | None],
    known: Mapping[str, Any],
    folded: bool,
) -> tuple[Roles, list[str]]:
    """What the columns hold, as it is given, or known from other rows, or found out; and notes."""
    if folded:
        note = f"each row is a series: {frame['series'].nunique():,} of them"
        return Roles(target=("value",), series=("series",)), [note]
    if not known:
        return find_roles(frame, where, given)
    before = known["roles"]
    roles = {role: tuple(before[role] if own is None else own) for role, own in given.items()}
    check_known(frame, where, roles)
    return Roles(**roles), []


def _panel(
    rows: Rows,
    blocks: Mapping[str, Columns],
    settings: Mapping[str, Any],
    known: Mapping[str, Any],
    whole: bool,
) -> Panel:
    """The series in rows, put in order and on a grid."""
    rows, notes = in_order(rows)
    ends = np.cumsum([len(blocks[role].names) for role in _ROLES])
    parts = dict(zip(_ROLES, (slice(e - len(blocks[r].names), e) for r, e in zip(_ROLES, ends))))
    frequency = known.get("frequency")
    if settings["resample"]:
        rows = resampled(rows, settings["resample"])
        frequency = to_offset(settings["resample"]).freqstr
        _check_like(frequency, known)
        notes.append(f"means of the rows in each step of {frequency!r}")
    if not whole:
        _check_filled(rows, parts["target"])
    static = _statics(rows, parts["static"], blocks["static"].names)
    rows, stamps, frequency, more = on_grid(rows, frequency, settings["fill"])
    bounds = rows.bounds
    ahead = bool(blocks["future"].names)
    zeros = settings["fill"] == "zero" and not ahead
    stop = bounds[1:] if whole or zeros else _ends(rows, parts["target"])
    columns = _covered(rows, parts, blocks, stop, settings["fill"])
    season = settings["season"] or season_of(frequency)
    spans = list(zip(bounds[:-1], stop, bounds[1:]))
    # Zeros are what somebody knows to have been there; other values are made of those around them.
    made = np.isnan(rows.values[:, parts["target"]]) & ~np.isnan(columns["target"])
    from_others = settings["fill"] != "zero" and bool(made.any())
    panel = Panel(
        ids=rows.ids,
        keys=rows.keys,
        stamps=[own[: int(end - low)] for own, (low, end, _) in zip(stamps, spans)],
        frequency=frequency,
        season=season,
        targets=[columns["target"][low:end] for low, end, _ in spans],
        past=[columns["past"][low:end] for low, end, _ in spans],
        future=[columns["future"][low : high if ahead else end] for low, end, high in spans],
        static=static,
        names={_NAMES[role]: blocks[role].names for role in _ROLES},
        filled=[made[low:end] for low, end, _ in spans] if from_others else None,
    )
    left_out = 0 if ahead else int((bounds[1:] - stop).sum())
    if left_out:
        more.append(f"{left_out:,} rows after the last targets are left out")
    return replace(panel, notes=[*notes, *more, *_summary(panel)])


def _timezone(rows: Rows) -> str | None:
    zone = rows.stamps.tz if isinstance(rows.stamps, pd.DatetimeIndex) else None
    return None if zone is None else str(zone)


def _check_like(frequency: str, known: Mapping[str, Any]) -> None:
    if known.get("frequency", frequency) != frequency:
        raise ValueError(
            f"resample must be {known['frequency']!r}, the frequency of the series that these are "
            f"to go with. Received: resample={frequency!r}"
        )


def _check_filled(rows: Rows, target: slice) -> None:
    """Raise a ValueError for the first series without a single target."""
    seen = ~np.isnan(rows.values[:, target]).all(axis=1)
    counts = np.bincount(rows.codes[seen], minlength=len(rows.ids))
    empty = np.flatnonzero(counts == 0)
    if len(empty):
        raise ValueError(
            f"{rows.called(int(empty[0]))} is empty: it has no target in any row"
            f"{f', and so are {len(empty) - 1:,} others' if len(empty) > 1 else ''}. Leave it out."
        )


def _ends(rows: Rows, target: slice) -> np.ndarray:
    """Where each series ends: after its last target."""
    seen = np.flatnonzero(~np.isnan(rows.values[:, target]).all(axis=1))
    last: np.ndarray = seen[np.searchsorted(seen, rows.bounds[1:]) - 1] + 1
    return last


def _statics(rows: Rows, static: slice, names: Sequence[str]) -> np.ndarray:
    """What does not change within each series; raises a ValueError for what does."""
    values = rows.values[:, static]
    found = values[rows.bounds[:-1]]
    same = values == found[rows.codes]
    if not same.all():
        row, column = np.argwhere(~same)[0]
        what = "is missing" if np.isnan(values[row, column]) else "changes"
        raise ValueError(
            f"{rows.called(int(rows.codes[row]))}: static column {names[column]!r} {what} within "
            "the series. Pass it as past= or future=, or mend it."
        )
    return found


def _covered(
    rows: Rows,
    parts: Mapping[str, slice],
    blocks: Mapping[str, Columns],
    stop: np.ndarray,
    fill: str | None,
) -> dict[str, np.ndarray]:
    """Targets, past and future of all rows, filled in; raises a ValueError for what is missing."""
    columns = {role: rows.values[:, parts[role]] for role in ("target", "past", "future")}
    inside = np.arange(len(rows.codes)) < stop[rows.codes]
    if fill is not None:
        if fill != "mask":
            columns["target"] = np.where(
                inside[:, None], filled(columns["target"], rows.codes, fill), np.nan
            )
        ways = {"past": "zero" if fill == "zero" else "forward", "future": fill}
        for role, way in ways.items():
            columns[role] = _filled_covariates(columns[role], blocks[role], rows.codes, way)
    for role in ("past", "future"):
        missing = np.isnan(columns[role]) & (inside[:, None] if role == "past" else True)
        if missing.any():
            row, column = np.argwhere(missing)[0]
            raise ValueError(
                f"{rows.called(int(rows.codes[row]))}: {role} covariate "
                f"{blocks[role].names[column]!r} is missing in {int(missing[:, column].sum()):,} "
                f"rows. Fill it in, or pass fill='forward', fill='linear' or fill='zero'."
            )
    return columns


def _filled_covariates(
    values: np.ndarray, block: Columns, codes: np.ndarray, fill: str
) -> np.ndarray:
    if not np.isnan(values).any():
        return values
    values = values.copy()
    numeric = block.numeric
    values[:, numeric] = filled(values[:, numeric], codes, "forward" if fill == "mask" else fill)
    # A category goes on until there is another one; what comes before the first value is like it.
    values = filled(values, codes, "forward")
    return filled(values[::-1], codes[::-1], "forward")[::-1]


def _check_options(fill: str | None, season: int | None) -> None:
    if fill is not None and fill not in FILLS:
        known = ", ".join(map(repr, FILLS))
        raise ValueError(f"fill must be one of {known}. Received: fill={fill!r}")
    whole = isinstance(season, int | np.integer) and not isinstance(season, bool)
    if season is not None and not (whole and season >= 1):
        raise ValueError(f"season must be a whole number above zero. Received: season={season!r}")


def _listed(names: str | Sequence[str] | None) -> tuple[str, ...] | None:
    return None if names is None else (names,) if isinstance(names, str) else tuple(names)


def _summary(panel: Panel) -> list[str]:
    """What was found, in words."""
    lengths = panel.lengths
    steps = f"{lengths.min():,}" + f" to {lengths.max():,}" * bool(lengths.min() < lengths.max())
    what = "1 series" if len(panel) == 1 else f"{len(panel):,} series"
    if panel.frequency:
        first = shown(min(own[0] for own in panel.stamps))
        last = shown(max(own[-1] for own in panel.stamps))
        every = f"frequency {panel.frequency!r} from {first} to {last}"
    else:
        every = "counted from first to last"
    found = [f"{what} of {steps} steps, {every}, season {panel.season}"]
    missing = sum(int(np.isnan(values).sum()) for values in panel.targets)
    if missing:
        share = missing / sum(values.size for values in panel.targets)
        found.append(f"{missing:,} targets are missing ({share:.1%}): they are masked")
    made = sum(int(own.sum()) for own in panel.filled or ())
    if made:
        found.append(f"{made:,} targets were filled in from others: they are not scored")
    ahead = sum(len(f) - n for f, n in zip(panel.future, lengths)) if panel.names["future"] else 0
    if ahead:
        found.append(f"{ahead:,} rows after the last targets tell what is known ahead")
    return found
