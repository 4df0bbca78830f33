"""Sequences in tables: a row for each timestep, of one sequence or of many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasseq.data.sequences.recordings import Recording
from kerasseq.io.tables import check_few, list_columns

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Columns", "find_columns", "is_long", "notes_on_columns", "split_table"]

_NAMES: dict[str, tuple[str, ...]] = {
    "label": ("label", "labels", "class", "activity", "target"),
    "sequence": ("sequence", "sequence_id", "series", "series_id", "recording", "case", "id"),
    "step": (
        *("step", "time", "timestamp", "datetime", "date", "frame", "t"),
        *("time_s", "time (s)", "time [s]", "seconds"),
    ),
    "groups": ("subject", "subject_id", "speaker", "participant", "person", "group"),
}
_INDEX = "unnamed: 0"  # the index that pandas writes
_ROW_NUMBERS = ("index", "row")
_REPEATED_STEPS = 0.25  # largest share of rows with the step of another, where steps are detected


@dataclass(frozen=True)
class Columns:
    """Names of the columns of a table; None where it has no such column.

    Args:
        channels: the columns of numbers.
        label: labels, the same for all rows of a sequence, or a label for each timestep.
        sequence: names of the sequences; None if the table is one sequence.
        step: order of the timesteps: numbers or times; None for the order of the rows.
        groups: subjects or speakers.
        identifiers: columns that number the sequences a second time, or the rows, or are further
            steps or groups by their names, and are no channels.
        unordered: a column that is a step by its name, and does not order the timesteps.
        by_group: whether each group numbers its sequences anew, so that a sequence has the rows of
            one name and one group.
    """

    channels: tuple[str, ...]
    label: str | None = None
    sequence: str | None = None
    step: str | None = None
    groups: str | None = None
    identifiers: tuple[str, ...] = ()
    unordered: str | None = None
    by_group: bool = False

    @property
    def roles(self) -> dict[str, str | None]:
        """The columns that are no channels, by what they are."""
        return {
            "label": self.label,
            "sequence": self.sequence,
            "step": self.step,
            "groups": self.groups,
        }

    @property
    def keys(self) -> list[str]:
        """The columns that tell the sequences apart; none if the table is one."""
        names = (self.groups if self.by_group else None, self.sequence)
        return [name for name in names if name is not None]


def find_columns(
    frame: pd.DataFrame,
    where: str,
    *,
    channels: Sequence[str] | None = None,
    named: Mapping[str, str | None],
    usual: Mapping[str, Any],
) -> Columns:
    """Find the columns of a table by their usual names, unless they are named.

    Args:
        frame: a table whose column names are strings.
        where: name of the table, for errors.
        channels: columns of numbers; default: all further columns that hold numbers, but
            identifiers, which are named like one and are the same in all rows of a sequence, or
            another whole number or text in every row, as the index that pandas writes is; or which
            are named like a step or a group.
        named: names of the columns `label`, `sequence`, `step` and `groups`, or None to find them.
        usual: names of the columns in the training data, used where the table has them.

    Raises:
        ValueError: if a named column is missing, two columns have one name, no column holds
            numbers, or a column holds lists or objects.
    """
    names = list(frame.columns)
    repeated = sorted({name for name, count in Counter(names).items() if count > 1})
    if repeated:
        raise ValueError(
            f"{where} has several columns of one name: {list_columns(repeated)}. Rename them."
        )
    missing = [f"{role}={name!r}" for role, name in named.items() if name and name not in names]
    missing += [f"channels has {name!r}" for name in channels or () if name not in names]
    if missing:
        raise ValueError(
            f"{where} has no such column: {', '.join(missing)}. Its columns are "
            f"{list_columns(names)}."
        )
    lower = {name.strip().lower(): name for name in names}
    roles: dict[str, str | None] = {}
    detected: set[str] = set()
    for role, candidates in _NAMES.items():
        name = named.get(role) or (usual.get(role) if usual.get(role) in names else None)
        if name is None and not {*usual} - {"channels"}:
            matches = [lower[candidate] for candidate in candidates if candidate in lower]
            free = [match for match in matches if match not in {*(channels or ()), *roles.values()}]
            name = free[0] if free else None
            detected |= {role} if free else set()
        roles[role] = name
    if channels is None:
        channels = _usual_channels(names, usual.get("channels") or (), where)
    identifiers: tuple[str, ...] = ()
    if channels is None:
        check_few(frame, where, "channels=")
        # A second column of labels would tell the first one.
        others = [
            name
            for name in names
            if name not in roles.values() and name.strip().lower() not in _NAMES["label"]
        ]
        identifiers = tuple(
            name for name in others if _is_identifier(frame, name, roles["sequence"])
        )
        channels = [
            name for name in others if name not in identifiers and _holds_numbers(frame[name])
        ]
    if not channels:
        commas = [name for name in names if _has_decimal_commas(frame[name])]
        remedy = "Write decimal points in place of commas" if commas else "Pass channels="
        raise ValueError(
            f"{where} has no column of numbers beside those of {', '.join(filter(None, roles))}. "
            f"Its columns are {list_columns(names)}. {remedy}."
        )
    for name in (*channels, *roles.values()):
        if name is not None and (nested := _nested(frame[name])):
            raise ValueError(
                f"{where}: the column {name!r} holds {nested[0]!s:.40}, and a number or a text is "
                "expected."
            )
    columns = Columns(
        tuple(channels), **roles, identifiers=identifiers, unordered=None, by_group=False
    )
    columns = replace(columns, by_group=_is_numbered_by_group(frame, columns))
    if "step" not in detected or _orders(frame, columns):
        return columns
    columns = replace(columns, step=None, unordered=columns.step)
    return replace(columns, by_group=_is_numbered_by_group(frame, columns))


def is_long(frame: pd.DataFrame, sequence: str) -> bool:
    """Whether a table has several rows for each name in a column, and numbers beside it."""
    roles = {name for names in _NAMES.values() for name in names}
    others = [name for name in frame.columns if name.strip().lower() not in roles]
    return frame[sequence].nunique() <= len(frame) / 2 and any(
        _holds_numbers(frame[name])
        for name in others
        if name != sequence and not _is_identifier(frame, name, sequence)
    )


def notes_on_columns(columns: Columns, *, channels: bool = True) -> list[str]:
    """Notes on what the columns of a table are read as.

    Args:
        columns: the columns.
        channels: whether to list the channels.
    """
    notes = [f"{role} from column {name!r}" for role, name in columns.roles.items() if name]
    if columns.by_group:
        notes.append(f"a sequence for each {columns.sequence!r} of each {columns.groups!r}")
    if channels:
        notes.append(f"channels {list_columns(columns.channels)}")
    if columns.identifiers:
        notes.append(f"no channels but identifiers {list_columns(columns.identifiers)}")
    if columns.unordered:
        notes.append(f"column {columns.unordered!r} does not order the timesteps and is ignored")
    return notes


def _orders(frame: pd.DataFrame, columns: Columns) -> bool:
    """Whether a column of steps orders the timesteps of the sequences, but for a few of them."""
    assert columns.step is not None
    steps = frame[columns.keys].assign(**{columns.step: _seconds(frame[columns.step])})
    repeated = steps[columns.step].notna() & steps.duplicated()
    return bool(repeated.mean() <= _REPEATED_STEPS)


def _is_numbered_by_group(frame: pd.DataFrame, columns: Columns) -> bool:
    """Whether groups number their sequences anew: each name of several groups begins anew.

    It begins anew where a timestep occurs twice, or without timesteps where other sequences
    lie between its rows.
    """
    sequence, groups, step = columns.sequence, columns.groups, columns.step
    if sequence is None or groups is None or sequence == groups:
        return False
    rows = frame[[sequence, groups]].astype(str).where(frame[[sequence, groups]].notna())
    shared = rows.groupby(sequence, sort=False)[groups].nunique() > 1
    if not shared.any():
        return False
    if step is not None:
        anew = frame[step].astype(str).groupby(rows[sequence]).agg(lambda x: x.duplicated().any())
    else:
        stretches = (rows[sequence] != rows[sequence].shift()).groupby(rows[sequence]).sum()
        anew = stretches > 1
    return bool(anew[shared[shared].index].all())


def _is_identifier(frame: pd.DataFrame, name: str, sequence: str | None) -> bool:
    """Whether a column is named as an identifier, and numbers sequences or rows, or is a step."""
    plain = name.strip().lower()
    if plain in (_INDEX, *_ROW_NUMBERS) and _are_whole_numbers(frame[name]):
        return plain == _INDEX or frame[name].is_unique
    if plain in (*_NAMES["step"], *_NAMES["groups"]):
        return True
    if sequence is None or not (plain in _NAMES["sequence"] or plain.endswith(("_id", " id"))):
        return False
    if frame[name].dtype.kind != "f" and frame[name].is_unique:
        return True
    values = frame[name].astype(str).groupby(frame[sequence].astype(str), sort=False)
    return bool((values.nunique() <= 1).all())


def _are_whole_numbers(column: pd.Series) -> bool:
    """Whether a column has a whole number, as text or not, in every row."""
    import pandas as pd

    if _nested(column):
        return False
    return bool((pd.to_numeric(column, errors="coerce") % 1 == 0).all())


def _usual_channels(names: Sequence[str], usual: Sequence[str], where: str) -> Sequence[str] | None:
    """The channels of the training data; None if a table has none of them.

    Raises:
        ValueError: if it has only some of them.
    """
    lacking = [name for name in usual if name not in names]
    if len(lacking) == len(usual):
        return None
    if lacking:
        raise ValueError(
            f"{where} lacks the channels {list_columns(lacking)}. Its columns are "
            f"{list_columns(names)}."
        )
    return usual


def split_table(frame: pd.DataFrame, columns: Columns, name: str) -> list[Recording]:
    """Split a table into its sequences, in the order of their first rows.

    Args:
        frame: the table.
        columns: names of its columns.
        name: name of the sequence, if the table is one.

    Returns:
        A recording for each sequence. Its label is an array where it varies over the timesteps.
    """
    if columns.sequence is None:
        return [_recording(frame, columns, name)]
    recordings = []
    rows = frame.dropna(how="all").groupby(columns.keys, sort=False, dropna=False, observed=True)
    for key, part in rows:
        nameless = bool(part[columns.sequence].isna().any())
        named = ": ".join(map(str, key))
        recording = _recording(part, columns, "without a name" if nameless else named)
        if nameless:
            recording.fault = f"{len(part):,} rows have no name in the column {columns.sequence!r}"
        recordings.append(recording)
    return recordings


def _recording(frame: pd.DataFrame, columns: Columns, name: str) -> Recording:
    """The recording of the rows of one sequence."""
    import pandas as pd

    recording = Recording(name, channels=list(columns.channels))
    order = None
    if columns.step is not None:
        order, recording.rate, fault = _steps(frame[columns.step])
        if fault:
            recording.fault = fault
            return recording
        frame = frame.iloc[order]
    numbers = [pd.to_numeric(frame[channel], errors="coerce") for channel in columns.channels]
    for channel, values in zip(columns.channels, numbers):
        bad = values.isna() & frame[channel].notna()
        if bad.any() and not recording.fault:
            recording.fault = f"{channel} holds {str(frame[channel][bad].iloc[0])[:40]!r}"
    if not recording.fault:
        recording.values = np.stack([np.asarray(v, dtype=np.float64) for v in numbers], axis=1)
    if columns.label is not None:
        recording.label = _label(frame[columns.label])
    if columns.groups is not None:
        groups = frame[columns.groups].dropna().unique()
        if len(groups) > 1:
            recording.fault = recording.fault or (
                f"it belongs to {len(groups):,} groups of the column {columns.groups!r}"
            )
        recording.group = groups[0] if len(groups) else None
    return recording


def _label(column: pd.Series) -> Any:
    """The label of a sequence, or an array where it varies over the timesteps."""
    values = column.dropna().unique()
    if not len(values):
        return None
    first = values[0]
    if len(values) > 1:
        return np.array([None if gap else v for v, gap in zip(column, column.isna())], dtype=object)
    return first.item() if isinstance(first, np.generic) else first


def _steps(column: pd.Series) -> tuple[np.ndarray, float | None, str]:
    """The order of the timesteps, their rate, and the reason why they have no order, or ""."""
    steps = _seconds(column).to_numpy(dtype=np.float64, na_value=np.nan)
    bad = ~np.isfinite(steps)
    if bad.any():
        first = str(column[bad].iloc[0])[:40]
        return np.arange(0), None, f"{column.name} holds {first!r}, neither number nor time"
    order = np.argsort(steps, kind="stable")
    gaps = np.diff(steps[order])
    if (gaps == 0).any():
        fault = f"{column.name} has {steps[order][1:][gaps == 0][0]:g} twice"
        return order, None, f"{fault}: pass another step=, or drop the column"
    rate = float(1 / np.median(gaps)) if len(gaps) else None
    return order, rate, ""


def _seconds(column: pd.Series) -> pd.Series:
    """Numbers unchanged, times in seconds, and NaN for other values."""
    import pandas as pd

    kind = column.dtype.kind  # to_numeric would count the nanoseconds of times
    if kind == "m":
        return column.dt.total_seconds()
    if kind != "M":
        numbers = pd.to_numeric(column, errors="coerce")
        if numbers.notna().all():
            return numbers
        # Times of day, and durations as pandas writes them; to_datetime reads neither.
        if pd.notna(pd.to_timedelta(str(column.iloc[0]), errors="coerce")):
            durations = pd.to_timedelta(column.astype(str), errors="coerce")
            return durations.dt.total_seconds()
    times = pd.to_datetime(column, errors="coerce", utc=True, format="mixed")
    return (times - times.min()).dt.total_seconds()


def _holds_numbers(column: pd.Series) -> bool:
    """Whether the first values of a column are numbers, as text or not."""
    import pandas as pd

    values = column.dropna().head(1000)
    if column.dtype.kind in "mM" or _nested(values):
        return False
    return bool(len(values)) and bool(pd.to_numeric(values, errors="coerce").notna().mean() > 0.9)


def _nested(column: pd.Series) -> list[Any]:
    """The values of a column that are lists, objects, as JSON may have, or complex numbers."""
    import pandas as pd

    kinds = ("mixed", "complex")
    if column.dtype.kind not in "Oc" or not pd.api.types.infer_dtype(column).startswith(kinds):
        return []
    return [value for value in column if isinstance(value, list | dict | np.ndarray | complex)]


def _has_decimal_commas(column: pd.Series) -> bool:
    """Whether the first values of a column are numbers with a comma, such as 0,5."""
    values = column.dropna().head(10).astype(str)
    return bool(len(values)) and bool(values.str.fullmatch(r"-?\d+,\d+").all())
