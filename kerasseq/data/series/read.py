"""Read series from a table: check them, and bring them to an even grid of steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from pandas.tseries.frequencies import to_offset

from kerasseq.data.series.columns import Columns, read_columns
from kerasseq.data.series.faults import Faults
from kerasseq.data.series.frequency import format_stamp, season_of
from kerasseq.data.series.layouts import unfold_dates
from kerasseq.data.series.markers import marker_note
from kerasseq.data.series.panel import Panel
from kerasseq.data.series.records import record_roles
from kerasseq.data.series.rows import (
    FILLS,
    Rows,
    align_to_grid,
    fill_missing,
    read_rows,
    resample_rows,
    sort_rows,
)
from kerasseq.data.series.tables import (
    Roles,
    check_columns,
    find_roles,
    has_series_per_row,
    load_table,
    unfold,
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
    """Read series from a table.

    The table has one row per step, with a column for each variable and, for several series, one or
    more columns that identify the series; or it has one row per series, like the tables of M4; or
    it has records with all values of a series, as GluonTS. A missing target stays missing unless
    `fill` replaces it. Rows at the end without a target hold future covariates; if there are no
    `future` columns, these rows are left out.

    Args:
        data: a DataFrame; a list of dictionaries; a CSV, TSV, JSON-lines or Parquet file; or
            "demo", two series that come with kerasseq.
        time: the column of stamps, or columns of year, month, day, hour, minute and second; by
            default it is searched for. `()` counts rows.
        target: the column or columns to forecast; by default all columns of numbers.
        series: the column or columns that identify the series.
        past: covariates known up to the present. A column of words becomes one column per word.
        future: covariates that are also known ahead.
        static: columns that are constant within a series.
        fill: how to fill gaps and missing targets. "forward" repeats the last value. "linear"
            interpolates between the values before and after: it looks ahead within a gap, but
            never beyond the end of a part. "zero" puts zeros, which count as observed. "mask"
            leaves them missing. Values filled by "forward" or "linear" are never scored. Past
            covariates are filled forward, or by zeros with "zero"; future covariates like the
            targets, or forward with "mask".
        resample: a pandas offset alias: average the rows within each step of this frequency.
        season: steps of the season; by default that of the frequency.
        encoding: encoding of an earlier panel, to read new rows in the same way. It supplies the
            arguments that are not given and the known words; given arguments must agree with it.
        whole: whether series extend to their last row even if its target is missing.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the table cannot be read as series; the message says what to change.

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
    encoding = dict(encoding or {})
    given = {
        "time": _as_tuple(time),
        "target": _as_tuple(target),
        "series": _as_tuple(series),
        "past": _as_tuple(past) or None,
        "future": _as_tuple(future) or None,
        "static": _as_tuple(static) or None,
    }
    if not encoding:
        features = record_roles(frame)
        given |= {role: names for role, names in features.items() if given[role] is None}
    if (dated := unfold_dates(frame)) is not None:
        frame, ids = dated
        fixed = {"time": ("time",), "target": ("value",), "series": ids}
        given |= {role: names for role, names in fixed.items() if given[role] is None}
        notes.append("dates are names of columns: each row is a series")
    folded = (
        encoding["folded"] if encoding else not any(given.values()) and has_series_per_row(frame)
    )
    if folded:
        frame = unfold(frame)
    roles, role_notes = _resolve_roles(frame, where, given, encoding, folded)
    settings = {
        "fill": fill or encoding.get("fill"),
        "resample": resample or encoding.get("resample"),
        "season": int(season) if season else encoding.get("season"),
    }
    blocks, rows, row_notes = _read_values(frame, roles, where, encoding)
    panel = _build_panel(rows, blocks, settings, encoding, whole)
    return replace(
        panel,
        encoding={
            "folded": folded,
            "roles": {role: list(names) for role, names in vars(roles).items()},
            "categories": {
                name: levels
                for block in blocks.values()
                for name, levels in block.categories.items()
            },
            "frequency": panel.frequency,
            "timezone": _timezone(rows),
            **settings,
        },
        notes=[*notes, *role_notes, *row_notes, *panel.notes],
    )


def _read_values(
    frame: pd.DataFrame, roles: Roles, where: str, encoding: Mapping[str, Any]
) -> tuple[dict[str, Columns], Rows, list[str]]:
    """Columns by role, the rows, and notes; faults of all columns are told at once."""
    faults, blocks, empty = Faults(), {}, np.empty((len(frame), 0), np.float32)
    for role in _ROLES:
        names, categories = getattr(roles, role), encoding.get("categories")
        words = role != "target"
        blocks[role] = read_columns(frame, names, where, categories, words=words, faults=faults)
    arrays = [block.values for block in blocks.values() if block.names]
    values = arrays[0] if len(arrays) == 1 else np.concatenate([*arrays, empty], axis=1)
    with faults.collect():
        rows, notes = read_rows(frame, roles.time, roles.series, values, where, encoding)
    faults.raise_all()
    for role in ("target", "past"):
        columns = zip(blocks[role].names, blocks[role].values.T)
        notes += [note for name, column in columns if (note := marker_note(column, name))]
    return blocks, rows, notes


def _resolve_roles(
    frame: pd.DataFrame,
    where: str,
    given: Mapping[str, tuple[str, ...] | None],
    encoding: Mapping[str, Any],
    folded: bool,
) -> tuple[Roles, list[str]]:
    """Roles of the columns, as given, as in the known encoding, or as found; and notes."""
    if folded:
        note = f"each row is a series: {frame['series'].nunique():,} of them"
        return Roles(target=("value",), series=("series",)), [note]
    if not encoding:
        return find_roles(frame, where, given)
    defaults = encoding["roles"]
    roles = {
        role: tuple(defaults[role] if columns is None else columns)
        for role, columns in given.items()
    }
    check_columns(frame, where, roles)
    return Roles(**roles), []


def _build_panel(
    rows: Rows,
    blocks: Mapping[str, Columns],
    settings: Mapping[str, Any],
    encoding: Mapping[str, Any],
    whole: bool,
) -> Panel:
    """Build a panel from rows: sort and resample them, align them to a grid, fill gaps."""
    rows, notes = sort_rows(rows)
    ends = np.cumsum([len(blocks[role].names) for role in _ROLES])
    parts = dict(zip(_ROLES, (slice(e - len(blocks[r].names), e) for r, e in zip(_ROLES, ends))))
    frequency = encoding.get("frequency")
    if settings["resample"]:
        rows = resample_rows(rows, settings["resample"])
        frequency = to_offset(settings["resample"]).freqstr
        _check_frequency(frequency, encoding)
        notes.append(f"means of the rows in each step of {frequency!r}")
    if not whole:
        _check_has_targets(rows, parts["target"])
    static = _read_static(rows, parts["static"], blocks["static"].names)
    rows, stamps, frequency, grid_notes = align_to_grid(rows, frequency, settings["fill"])
    bounds = rows.bounds
    ahead = bool(blocks["future"].names)
    zeros = settings["fill"] == "zero" and not ahead
    stop = bounds[1:] if whole or zeros else _rows_to_last_target(rows, parts["target"])
    columns = _fill_columns(rows, parts, blocks, stop, settings["fill"])
    season = settings["season"] or season_of(frequency)
    spans = list(zip(bounds[:-1], stop, bounds[1:]))
    # With "zero" the user states that the values were zero, so they count as observed. Other filled
    # values are estimates from their neighbours: they are marked, so that they are never scored.
    estimated = np.isnan(rows.values[:, parts["target"]]) & ~np.isnan(columns["target"])
    any_estimated = settings["fill"] != "zero" and bool(estimated.any())
    panel = Panel(
        ids=rows.ids,
        keys=rows.keys,
        stamps=[index[: int(end - low)] for index, (low, end, _) in zip(stamps, spans)],
        frequency=frequency,
        season=season,
        targets=[columns["target"][low:end] for low, end, _ in spans],
        past=[columns["past"][low:end] for low, end, _ in spans],
        future=[columns["future"][low : high if ahead else end] for low, end, high in spans],
        static=static,
        names={_NAMES[role]: blocks[role].names for role in _ROLES},
        filled=[estimated[low:end] for low, end, _ in spans] if any_estimated else None,
    )
    left_out = 0 if ahead else int((bounds[1:] - stop).sum())
    if left_out:
        grid_notes.append(f"{left_out:,} rows after the last targets are left out")
    return replace(panel, notes=[*notes, *grid_notes, *_summary(panel)])


def _timezone(rows: Rows) -> str | None:
    zone = rows.stamps.tz if isinstance(rows.stamps, pd.DatetimeIndex) else None
    return None if zone is None else str(zone)


def _check_frequency(frequency: str, encoding: Mapping[str, Any]) -> None:
    if encoding.get("frequency", frequency) != frequency:
        raise ValueError(
            f"resample must be {encoding['frequency']!r}, the frequency of the series that these "
            f"rows belong to. Received: resample={frequency!r}"
        )


def _check_has_targets(rows: Rows, target: slice) -> None:
    """Raise a ValueError for the first series without a single target."""
    observed = ~np.isnan(rows.values[:, target]).all(axis=1)
    counts = np.bincount(rows.codes[observed], minlength=len(rows.ids))
    empty = np.flatnonzero(counts == 0)
    if len(empty):
        raise ValueError(
            f"{rows.describe(int(empty[0]))} is empty: it has no target in any row"
            f"{f', and so are {len(empty) - 1:,} others' if len(empty) > 1 else ''}. Leave it out."
        )


def _rows_to_last_target(rows: Rows, target: slice) -> np.ndarray:
    """The row after the last target of each series, int64 (series,)."""
    observed = np.flatnonzero(~np.isnan(rows.values[:, target]).all(axis=1))
    ends: np.ndarray = observed[np.searchsorted(observed, rows.bounds[1:]) - 1] + 1
    return ends


def _read_static(rows: Rows, static: slice, names: Sequence[str]) -> np.ndarray:
    """Static features (series, features); raises a ValueError if one changes within a series."""
    values = rows.values[:, static]
    features = values[rows.bounds[:-1]]
    same = values == features[rows.codes]
    if not same.all():
        row, column = np.argwhere(~same)[0]
        problem = "is missing" if np.isnan(values[row, column]) else "changes"
        raise ValueError(
            f"{rows.describe(int(rows.codes[row]))}: static column {names[column]!r} {problem} "
            "within the series. Pass it as past= or future=, or correct it."
        )
    return features


def _fill_columns(
    rows: Rows,
    parts: Mapping[str, slice],
    blocks: Mapping[str, Columns],
    stop: np.ndarray,
    fill: str | None,
) -> dict[str, np.ndarray]:
    """Fill targets and covariates of all rows; raises a ValueError if a covariate stays missing.

    Args:
        rows: rows on the grid.
        parts: columns of `rows.values` by role.
        blocks: the columns of the table by role.
        stop: row after the last one of each series, int64 (series,).
        fill: see `read_series`.

    Returns:
        "target", "past" and "future", each (rows, columns).
    """
    columns = {role: rows.values[:, parts[role]] for role in ("target", "past", "future")}
    inside = np.arange(len(rows.codes)) < stop[rows.codes]
    if fill is not None:
        if fill != "mask":
            columns["target"] = np.where(
                inside[:, None], fill_missing(columns["target"], rows.codes, fill), np.nan
            )
        ways = {"past": "zero" if fill == "zero" else "forward", "future": fill}
        for role, way in ways.items():
            columns[role] = _fill_covariates(columns[role], blocks[role], rows.codes, way)
    for role in ("past", "future"):
        missing = np.isnan(columns[role]) & (inside[:, None] if role == "past" else True)
        if missing.any():
            row, column = np.argwhere(missing)[0]
            raise ValueError(
                f"{rows.describe(int(rows.codes[row]))}: {role} covariate "
                f"{blocks[role].names[column]!r} is missing in {int(missing[:, column].sum()):,} "
                f"rows. Fill it in, or pass fill='forward', fill='linear' or fill='zero'."
            )
    return columns


def _fill_covariates(
    values: np.ndarray, block: Columns, codes: np.ndarray, fill: str
) -> np.ndarray:
    if not np.isnan(values).any():
        return values
    values = values.copy()
    numeric = block.numeric
    numeric_fill = "forward" if fill == "mask" else fill
    values[:, numeric] = fill_missing(values[:, numeric], codes, numeric_fill)
    # A category stays until the next one appears. Rows before the first value get that value.
    values = fill_missing(values, codes, "forward")
    return fill_missing(values[::-1], codes[::-1], "forward")[::-1]


def _check_options(fill: str | None, season: int | None) -> None:
    if fill is not None and fill not in FILLS:
        known = ", ".join(map(repr, FILLS))
        raise ValueError(f"fill must be one of {known}. Received: fill={fill!r}")
    whole = isinstance(season, int | np.integer) and not isinstance(season, bool)
    if season is not None and not (whole and season >= 1):
        raise ValueError(f"season must be a whole number above zero. Received: season={season!r}")


def _as_tuple(names: str | Sequence[str] | None) -> tuple[str, ...] | None:
    return None if names is None else (names,) if isinstance(names, str) else tuple(names)


def _summary(panel: Panel) -> list[str]:
    """Notes on the size, frequency, season and missing values of a panel."""
    lengths = panel.lengths
    steps = f"{lengths.min():,}" + f" to {lengths.max():,}" * bool(lengths.min() < lengths.max())
    count = "1 series" if len(panel) == 1 else f"{len(panel):,} series"
    if panel.frequency:
        first = format_stamp(min(stamps[0] for stamps in panel.stamps))
        last = format_stamp(max(stamps[-1] for stamps in panel.stamps))
        every = f"frequency {panel.frequency!r} from {first} to {last}"
    else:
        every = "counted from first to last"
    notes = [f"{count} of {steps} steps, {every}, season {panel.season}"]
    missing = sum(int(np.isnan(values).sum()) for values in panel.targets)
    if missing:
        share = missing / sum(values.size for values in panel.targets)
        notes.append(f"{missing:,} targets are missing ({share:.1%}): they are masked")
    filled = sum(int(mask.sum()) for mask in panel.filled or ())
    if filled:
        notes.append(f"{filled:,} targets were filled in from others: they are not scored")
    ahead = sum(len(f) - n for f, n in zip(panel.future, lengths)) if panel.names["future"] else 0
    if ahead:
        notes.append(f"{ahead:,} rows after the last targets hold future covariates")
    return notes
