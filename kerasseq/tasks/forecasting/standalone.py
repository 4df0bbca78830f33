"""Forecast series with an exported model.

It needs Python 3.11, NumPy and onnxruntime, and the files beside it; a model of the distributions
"student_t" and "negative_binomial" needs SciPy, too.

    python predict.py                    # the steps after the rows that the run has seen
    python predict.py sales.csv          # the steps after these rows; one JSON object for each step
    python predict.py sales.csv --future prices.csv --quantiles 0.05 0.95

In Python:

    from predict import Predictor
    Predictor().forecast("sales.csv")
    Predictor().forecast({"month": ["2024-01", "2024-02"], "sold": [7, 9]})
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import math
import re
from calendar import monthrange
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import onnxruntime

BATCH = 256
LARGEST = 1e30  # numbers of a table; float32 ends at 3.4e38, and scales are squared
MISSING = {"", "na", "n/a", "nan", "null", "none", "-", "?", "."}
HEADROOM = 0.01  # share of the median that is added to positive values before a power transform
NORMAL_QUARTILES = 1.3489795003921634  # interquartile range of a standard normal distribution
POWERS = np.linspace(0.0, 1.0, 21)


class Predictor:
    """A forecaster with its preprocessing.

    Args:
        folder: The folder with model.onnx and preprocessing.json; by default that of this file.
    """

    def __init__(self, folder: str | Path = Path(__file__).parent) -> None:
        folder = Path(folder)
        text = (folder / "preprocessing.json").read_text(encoding="utf-8")
        self._state: dict[str, Any] = json.loads(text)
        self._reader = Reader(self._state)
        self._inputs = Inputs(self._state)
        self._session = onnxruntime.InferenceSession(
            folder / "model.onnx", providers=["CPUExecutionProvider"]
        )

    def predict(self, history: Any = None, **options: Any) -> list[dict[str, Any]]:
        """The same as `forecast`."""
        return self.forecast(history, **options)

    def forecast(
        self,
        history: Any = None,
        future: Any = None,
        horizon: int | None = None,
        quantiles: Sequence[float] = (0.1, 0.5, 0.9),
    ) -> list[dict[str, Any]]:
        """Forecast the steps that come next, in the units of the data.

        Args:
            history: The series, also new ones, with the columns of the training data: the path of a
                CSV file (or TSV), a list of rows (dicts), or the columns by name. Stamps are whole
                numbers, dates, or text as 2024-01-31 06:00, in the steps of the training data. None
                for the rows that the run has seen.
            future: A table of the covariates of the steps ahead, for a model that reads them.
            horizon: Number of steps, at most that of the model; None for all.
            quantiles: Levels between 0 and 1.

        Returns:
            For each series, step and target a dict: what identifies the series, the stamp, the
            `target` if there are several, `forecast`, and each quantile by its level.

        Raises:
            ValueError: If a table cannot be read, or does not fit the model.
        """
        state = self._state
        levels = self._checked_levels(quantiles)
        steps = state["horizon"] if horizon is None else horizon
        if isinstance(steps, bool) or not isinstance(steps, int) or steps < 1:
            raise ValueError(f"horizon must be a whole number above zero. Received: {horizon!r}")
        if steps > state["horizon"]:
            raise ValueError(
                f"This model forecasts {state['horizon']} steps. Received: horizon={horizon}"
            )
        series = self._reader.stored() if history is None else self._reader.read(history)
        if future is not None:
            series = self._reader.with_future(series, future)
        parameters = self._inputs.parameters(series)
        inputs = self._inputs.windows(series, parameters)
        parts = [
            self._session.run(
                None, {name: values[start : start + BATCH] for name, values in inputs.items()}
            )[0]
            for start in range(0, len(series), BATCH)
        ]
        outputs = np.concatenate(parts)
        if not np.isfinite(outputs).all():
            raise ValueError("The model has outputs that are not finite: the values are too large.")
        point, levelled = self._calibrated(outputs, levels)
        return self._rows(
            series,
            steps,
            parameters.original(point),
            {level: parameters.original(values) for level, values in levelled.items()},
        )

    def _checked_levels(self, quantiles: Sequence[float]) -> list[float]:
        low, high = self._state["levels"]
        for level in quantiles:
            if not 0 < level < 1 or not low <= level <= high:
                raise ValueError(
                    f"quantiles must be levels between 0 and 1, here from {low:g} to {high:g}. "
                    f"Received: {level!r}"
                )
        return sorted({float(level) for level in quantiles})

    def _calibrated(
        self, outputs: np.ndarray, levels: Sequence[float]
    ) -> tuple[np.ndarray, dict[float, np.ndarray]]:
        """Point forecasts and quantiles in scaled units, (series, horizon, targets)."""
        likelihood = Likelihood(self._state["output"], self._state["learned"])
        point, calibration = likelihood.middle(outputs), self._state["calibration"]
        if self._state["output"] == "point":
            values = dict.fromkeys(levels if calibration else [], point)
        else:
            values = {level: likelihood.quantile(outputs, level) for level in levels}
        if calibration is None or not values:
            return point, values
        kind = np.result_type(point, np.float32)
        shift, factor = (
            between(calibration[name], calibration["levels"], [*values]).astype(kind)
            if name in calibration
            else np.ones(len(values), kind)
            for name in ("offsets", "factors")
        )
        moved = np.stack(
            [
                (each if "factors" not in calibration else point + by * (each - point)) + add
                for each, by, add in zip(values.values(), factor, shift, strict=True)
            ]
        )
        return point, dict(zip(values, np.sort(moved, axis=0), strict=True))

    def _rows(
        self,
        series: Sequence[Series],
        steps: int,
        point: np.ndarray,
        quantiles: Mapping[float, np.ndarray],
    ) -> list[dict[str, Any]]:
        *keys, time = self._state["columns"]
        targets = self._state["roles"]["target"]
        rows = []
        for place, one in enumerate(series):
            for step, stamp in enumerate(one.ahead(steps)):
                for number, target in enumerate(targets):
                    row = {**dict(zip(keys, one.key, strict=True)), time: one.steps.text(stamp)}
                    if targets[1:]:
                        row["target"] = target
                    row["forecast"] = float(point[place, step, number])
                    for level, values in quantiles.items():
                        row[f"{level:g}"] = float(values[place, step, number])
                    rows.append(row)
        return rows


def between(values: Any, levels: Sequence[float], wanted: Sequence[float]) -> np.ndarray:
    """Values at some levels, interpolated between the values at known levels."""
    known = np.array(values)
    places = np.interp(wanted, levels, np.arange(len(known)))
    low = places.astype(int)
    high = np.minimum(low + 1, len(known) - 1)
    share = (places - low)[:, None, None]
    interpolated: np.ndarray = (1 - share) * known[low] + share * known[high]
    return interpolated


@dataclass(frozen=True)
class Series:
    """One series in even steps, NaN for a missing value.

    Args:
        key: Values that identify it.
        first: Its first stamp.
        steps: The steps from stamp to stamp.
        targets: (time, targets).
        past: Covariates known up to the present, (time, columns).
        future: Covariates known ahead, (time, columns), longer than the targets.
        static: Covariates that are constant, (columns,).
    """

    key: list[Any]
    first: Any
    steps: Steps
    targets: np.ndarray
    past: np.ndarray
    future: np.ndarray
    static: np.ndarray

    @property
    def name(self) -> str:
        """The key as one text."""
        return name_of(self.key)

    def __str__(self) -> str:
        return f"series {self.name!r}" if self.name else "the series"

    def ahead(self, steps: int) -> list[Any]:
        """The stamps after its last one."""
        count = len(self.targets)
        return [self.steps.after(self.first, n) for n in range(count, count + steps)]


def name_of(key: Sequence[Any]) -> str:
    """The values that identify a series, as one text."""
    if len(key) < 2:
        return "".join(map(str, key))
    return "/".join(str(part).replace("\\", "\\\\").replace("/", "\\/") for part in key)


@dataclass(frozen=True)
class Steps:
    """Even steps of a unit: microseconds, days, weekdays, months, or numbers that are counted.

    Args:
        unit: The unit of time; "count" for whole numbers.
        count: Number of these units in a step.
        end: Whether months are stamped by their last day.
        cycle: Months of the cycle that `month` belongs to, 3 or 12; None for any month.
        month: A month in which a cycle begins, or ends.
        weekday: The day of the week of all stamps, Monday is 0; None for any.
    """

    unit: str
    count: int
    end: bool = False
    cycle: int | None = None
    month: int = 1
    weekday: int | None = None

    def after(self, first: Any, number: int) -> Any:
        """The stamp a number of steps after another one."""
        number *= self.count
        if self.unit == "count":
            return first + number
        if self.unit == "months":
            years, month = divmod(first.month - 1 + number, 12)
            year = first.year + years
            day = monthrange(year, month + 1)[1] if self.end else 1
            return first.replace(year=year, month=month + 1, day=day)
        if self.unit == "weekdays":
            weeks, weekday = divmod(first.weekday() + number, 5)
            number, unit = 7 * weeks + weekday - first.weekday(), "days"
        else:
            unit = self.unit
        return first + timedelta(**{unit: number})

    def between(self, first: Any, stamp: Any) -> int | None:
        """The number of steps from a stamp to another one; None if that lies between two steps."""
        if self.unit == "count":
            units = stamp - first
        elif self.unit == "months":
            units = 12 * (stamp.year - first.year) + stamp.month - first.month
        elif self.unit == "weekdays":
            weeks, day = divmod((stamp.date() - first.date()).days + first.weekday(), 7)
            units = 5 * weeks + min(day, 5) - first.weekday()
        else:
            units = (stamp - first) // timedelta(**{self.unit: 1})
        number = units // self.count
        return number if self.after(first, number) == stamp else None

    def begins(self, stamp: Any) -> bool:
        """Whether a stamp can be the first one."""
        if self.unit == "weekdays":
            return bool(stamp.weekday() < 5)
        if self.unit == "months":
            day = monthrange(stamp.year, stamp.month)[1] if self.end else 1
            in_cycle = self.cycle is None or (stamp.month - self.month) % self.cycle == 0
            return bool(stamp.day == day and in_cycle)
        return self.weekday is None or bool(stamp.weekday() == self.weekday)

    def text(self, stamp: Any) -> Any:
        """A stamp as text, which has a time if steps are shorter than days; a number stays one."""
        return stamp.isoformat(sep=" ") if self.unit == "microseconds" else written(stamp)

    def __str__(self) -> str:
        return f"steps of {self.count} {'' if self.unit == 'count' else self.unit}".rstrip()


class Reader:
    """Reads tables as the training data was read.

    Args:
        state: The values of preprocessing.json.
    """

    def __init__(self, state: Mapping[str, Any]) -> None:
        self._state, self._roles, self._fill = state, state["roles"], state["fill"]
        self._categories: dict[str, list[str]] = state["categories"]
        self._steps = None if state["steps"] is None else Steps(**state["steps"])
        history = state["history"] or []
        self._keys = {name_of(each["key"]): each["key"] for each in history}

    def stored(self) -> list[Series]:
        """The series that the run has seen, their last rows."""
        if self._state["history"] is None:
            raise ValueError("This folder has no rows to go on from: give history.")
        return [
            Series(
                each["key"],
                each["first"] if self._steps is None else datetime.fromisoformat(each["first"]),
                self._steps or Steps("count", each["step"]),
                *(np.array(each[role], float) for role in ("targets", "past", "future", "static")),
            )
            for each in self._state["history"]
        ]

    def read(self, data: Any) -> list[Series]:
        """The series of a table, in the order in which they appear."""
        table = Table(data, [name for names in self._roles.values() for name in names])
        stamps, groups = self._stamps(table), self._groups(table)
        blocks = {role: self._block(table, role) for role in ("target", "past", "future", "static")}
        steps = self._steps
        if steps is None:
            longest = max(groups.values(), key=len)
            steps = Steps("count", common_step([stamps[row] for row in longest]))
        return [
            self._one(key, rows, stamps, steps, {role: b[rows] for role, b in blocks.items()})
            for key, rows in groups.items()
        ]

    def with_future(self, series: Sequence[Series], data: Any) -> list[Series]:
        """Series with the covariates of the steps after their ends."""
        roles, horizon = self._roles, self._state["horizon"]
        if not roles["future"]:
            raise ValueError("This model has no future covariates: leave future out.")
        table = Table(data, [name for role in ("time", "series", "future") for name in roles[role]])
        stamps, groups = self._stamps(table), self._groups(table)
        block = self._block(table, "future")
        rows_of = {name_of(key): rows for key, rows in groups.items()}
        results = []
        for one in series:
            rows, last = rows_of.get(one.name, []), one.ahead(1)[0]
            if not roles["time"]:  # rows without stamps are counted on from the end of the series
                values = dict(enumerate(block[rows]))
            else:
                places = [one.steps.between(last, stamps[row]) for row in rows]
                pairs = zip(places, block[rows], strict=True)
                values = {place: row for place, row in pairs if place is not None}
            known: list[np.ndarray] = []
            while (row := values.get(len(known))) is not None and not np.isnan(row).any():
                known.append(row)
            if len(known) < horizon:
                stamp = written(one.ahead(len(known) + 1)[-1])
                raise ValueError(
                    f"future lacks the covariates of {one} at {stamp}: {horizon} steps from "
                    f"{written(last)} on are needed."
                )
            count = len(one.targets)
            results.append(replace(one, future=np.concatenate([one.future[:count], known])))
        return results

    def _one(
        self,
        key: tuple[Any, ...],
        rows: Sequence[int],
        stamps: Sequence[Any],
        steps: Steps,
        blocks: Mapping[str, np.ndarray],
    ) -> Series:
        """One series on its grid of steps, with missing values filled in as in training."""
        name = name_of(key)
        shown = f"series {name!r}" if name else "the series"
        order = sorted(range(len(rows)), key=lambda row: stamps[rows[row]])
        ordered = [stamps[rows[row]] for row in order]
        places = self._places(ordered, steps, shown)
        grid = {}
        for role, values in blocks.items():
            grid[role] = np.full((places[-1] + 1, values.shape[1]), np.nan)
            grid[role][places] = values[order]
        static = blocks["static"][order]
        if np.any(static != static[0]):
            raise ValueError(f"{shown}: a static column changes, or misses values.")
        observed = np.flatnonzero(~np.isnan(grid["target"]).all(axis=1))
        if not len(observed):
            raise ValueError(f"{shown} is empty: no row has a target. Leave it out.")
        to_the_end = not self._roles["future"] and (self._state["masked"] or self._fill == "zero")
        stop = len(grid["target"]) if to_the_end else int(observed[-1]) + 1
        targets, past, future = grid["target"][:stop], grid["past"][:stop], grid["future"]
        if self._fill is not None:
            if self._fill != "mask":
                targets = fill_missing(targets, self._fill)
            past = self._filled(past, "past", "zero" if self._fill == "zero" else "forward")
            future = self._filled(
                future, "future", "forward" if self._fill == "mask" else self._fill
            )
        for role, values in (("past", past), ("future", future)):
            if np.isnan(values).any():
                raise ValueError(f"{shown}: a {role} covariate is missing. Fill it in.")
        if np.isnan(targets).any() and not self._state["masked"]:
            raise ValueError(
                f"{shown}: targets are missing, and the model was made for series without missing "
                "targets. Fill them in."
            )
        key_of = self._keys.get(name, list(key))
        return Series(key_of, ordered[0], steps, targets, past, future, static[0])

    def _places(self, stamps: Sequence[Any], steps: Steps, shown: str) -> list[int]:
        """The number of each stamp in the steps of its series, from 0 on."""
        places = [steps.between(stamps[0], stamp) for stamp in stamps]
        off = [] if steps.begins(stamps[0]) else [0]
        off += [row for row, place in enumerate(places) if place is None]
        if off:
            raise ValueError(
                f"{shown}: {written(stamps[off[0]])} does not fit the {steps} of the training data."
            )
        numbers = [place for place in places if place is not None]
        for row, (before, after) in enumerate(itertools.pairwise(numbers), 1):
            if before == after:
                raise ValueError(f"{shown} has two rows for {written(stamps[row])}.")
            if after > before + 1 and self._fill is None:
                missing = written(steps.after(stamps[0], before + 1))
                raise ValueError(f"{shown} has a gap: {missing} is missing. Add that row.")
        return numbers

    def _filled(self, values: np.ndarray, role: str, way: str) -> np.ndarray:
        """Covariates without missing values: a category stays until the next one appears."""
        numeric = self.numeric(role)
        values = values.copy()
        values[:, numeric] = fill_missing(values[:, numeric], way)
        values = fill_missing(values, "forward")
        return fill_missing(values[::-1], "forward")[::-1]

    def numeric(self, role: str) -> np.ndarray:
        """Which columns of a role are numbers, and no indicators of a category."""
        return np.array(
            [
                name not in self._categories
                for name in self._roles[role]
                for _ in self._categories.get(name, [name])
            ],
            bool,
        )

    def _block(self, table: Table, role: str) -> np.ndarray:
        """The columns of a role as numbers, (rows, columns)."""
        blocks = []
        for name in self._roles[role]:
            if (levels := self._categories.get(name)) is not None:
                words = [str(value).strip() for value in table.columns[name]]
                blocks.append(np.array([[word == level for level in levels] for word in words]))
            else:
                blocks.append(table.numbers(name)[:, None])
        return np.concatenate(blocks, axis=1, dtype=float) if blocks else np.empty((table.rows, 0))

    def _groups(self, table: Table) -> dict[tuple[Any, ...], list[int]]:
        """The rows of each series, by its key."""
        names = self._roles["series"]
        columns = [[plain(value) for value in table.columns[name]] for name in names]
        groups: dict[str, list[int]] = {}
        keys: dict[str, tuple[Any, ...]] = {}
        for row in range(table.rows):
            key = tuple(column[row] for column in columns)
            if any(part is None or part == "" for part in key):
                raise ValueError(f"Row {row} (counted from 0) belongs to no series.")
            groups.setdefault(name_of(key), []).append(row)
            keys.setdefault(name_of(key), key)
        return {keys[name]: rows for name, rows in groups.items()}

    def _stamps(self, table: Table) -> list[Any]:
        if not self._roles["time"]:
            counts: dict[tuple[Any, ...], int] = {}
            numbers = [0] * table.rows
            for key, rows in self._groups(table).items():
                counts[key] = len(rows)
                for number, row in enumerate(rows):
                    numbers[row] = number
            return numbers
        (name,) = self._roles["time"]
        read = whole if self._steps is None else moment
        stamps = []
        for row, value in enumerate(table.columns[name]):
            try:
                stamps.append(read(value))
            except (ValueError, TypeError) as error:
                form = "a whole number" if self._steps is None else "as 2024-01-31 06:00"
                raise ValueError(
                    f"Column {name!r} must be {form}, without a time zone. Received: {value!r} in "
                    f"row {row} (counted from 0)"
                ) from error
        return stamps


class Table:
    """Columns by name, from a file, rows or columns.

    Args:
        data: The path of a CSV or TSV file, a list of dicts, or columns by name.
        needed: Names of columns.
    """

    def __init__(self, data: Any, needed: Sequence[str]) -> None:
        if isinstance(data, str | Path):
            delimiter = "\t" if str(data).lower().endswith(".tsv") else ","
            try:
                with open(data, encoding="utf-8-sig", newline="") as file:
                    data = list(csv.DictReader(file, delimiter=delimiter))
            except (UnicodeDecodeError, csv.Error) as error:
                raise ValueError(f"{data} cannot be read as a table: {error}") from error
        if isinstance(data, list | tuple):
            names = list(data[0]) if data else []
            data = {name: [row.get(name) for row in data] for name in names}
        by_text = {str(name): data[name] for name in data}
        if missing := [name for name in needed if name not in by_text]:
            known = ", ".join(map(repr, by_text)) or "none"
            raise ValueError(f"The table has no column {missing[0]!r}. Its columns: {known}")
        self.columns = {name: list(by_text[name]) for name in needed}
        sizes = {len(column) for column in self.columns.values()}
        if sizes == {0} or len(sizes) > 1:
            raise ValueError(f"The columns must have a row for each step. Received: {sizes} rows")
        (self.rows,) = sizes

    def numbers(self, name: str) -> np.ndarray:
        """A column of numbers, NaN where one is missing."""
        result = np.empty(self.rows)
        for row, value in enumerate(self.columns[name]):
            try:
                missing = value is None or str(value).strip().lower() in MISSING
                result[row] = math.nan if missing else float(value)
            except (ValueError, TypeError) as error:
                raise ValueError(
                    f"Column {name!r} must hold numbers, and row {row} (counted from 0) holds "
                    f"{value!r}. Write a number there, such as 1234.5, or leave it empty."
                ) from error
        if np.any(np.abs(result) > LARGEST):
            raise ValueError(f"Column {name!r} holds infinite values, or too large ones.")
        return result


def plain(value: Any) -> Any:
    """A value that identifies a series; 7.0 is the series 7."""
    value = value.item() if hasattr(value, "item") else value
    return int(value) if isinstance(value, float) and value.is_integer() else value


def whole(value: Any) -> int:
    """A whole number."""
    number = float(value)
    if not number.is_integer():
        raise ValueError("not a whole number")
    return int(number)


def moment(value: Any) -> datetime:
    """A point in time, of a date, of text, or of a year, month or day in digits."""
    if isinstance(value, datetime):
        stamp = datetime.fromisoformat(value.isoformat())
    elif isinstance(value, date):
        stamp = datetime(value.year, value.month, value.day)
    else:
        text = str(value).strip().removesuffix(".0")
        if match := re.fullmatch(r"(\d{4})(?:-?(\d\d))?", text):
            stamp = datetime(int(match[1]), int(match[2] or 1), 1)
        else:
            stamp = datetime.fromisoformat(text)
    if stamp.tzinfo is not None:
        raise ValueError("it has a time zone")
    return stamp


def written(stamp: Any) -> Any:
    """A stamp as text, without a time if it is midnight; a number stays one."""
    if not isinstance(stamp, datetime):
        return stamp
    midnight = stamp == datetime(stamp.year, stamp.month, stamp.day)
    return stamp.date().isoformat() if midnight else stamp.isoformat(sep=" ")


def common_step(numbers: Sequence[int]) -> int:
    """The most common step between whole numbers, the smallest of several; 1 if there is none."""
    steps = np.diff(np.sort(numbers))
    values, counts = np.unique(steps[steps > 0], return_counts=True)
    return int(values[counts.argmax()]) if len(values) else 1


def fill_missing(values: np.ndarray, way: str) -> np.ndarray:
    """A copy in which NaN is replaced: "forward", "linear" (between known values) or "zero"."""
    result, rows = values.copy(), np.arange(len(values))
    if way == "zero":
        result[np.isnan(result)] = 0
        return result
    for column in result.T:
        gaps = np.isnan(column)
        known = rows[~gaps]
        if not len(known):
            continue
        gaps &= rows > known[0]
        if way == "linear":
            gaps &= rows < known[-1]
            column[gaps] = np.interp(rows[gaps], known, column[known])
        else:
            column[gaps] = column[known[np.searchsorted(known, rows[gaps]) - 1]]
    return result


class Inputs:
    """Turns series into the inputs of the model.

    Args:
        state: The values of preprocessing.json.
    """

    def __init__(self, state: Mapping[str, Any]) -> None:
        self._state = state
        self._scalers = {role: Scaler(values) for role, values in state["scalers"].items()}
        self._places = {name: place for place, name in enumerate(state["ids"])}

    def places(self, series: Sequence[Series]) -> list[int]:
        """The number of each series among the training series; -1 for a new one."""
        return [self._places.get(one.name, -1) for one in series]

    def parameters(self, series: Sequence[Series]) -> Scaler:
        """The scaler of the targets: as fitted for training series, fitted anew for others."""
        scaler = self._scalers["targets"]
        return scaler.adapted(self.places(series), [one.targets for one in series])

    def windows(self, series: Sequence[Series], targets: Scaler) -> dict[str, np.ndarray]:
        """The inputs of one window for each series, by name."""
        windows = [self._window(one, place, targets) for place, one in enumerate(series)]
        inputs = {
            name: np.stack([window[name] for window in windows]).astype(np.float32)
            for name in windows[0]
        }
        if self._state["series_ids"]:
            inputs["series"] = np.array(self.places(series), np.int32)
        return inputs

    def _window(self, one: Series, place: int, targets: Scaler) -> dict[str, np.ndarray]:
        state = self._state
        lookback, horizon, count = state["lookback"], state["horizon"], len(one.targets)
        if count < lookback:
            raise ValueError(
                f"{one} has {count} steps, and {lookback} are needed to forecast it. Give more of "
                "its history."
            )
        begin = count - lookback
        scaled = targets.scaled(one.targets, place)
        lagged = np.full((count, len(state["lags"]), scaled.shape[1]), np.nan)
        for number, lag in enumerate(state["lags"]):
            lagged[lag:, number] = scaled[: max(count - lag, 0)]
        past = [
            self._covariates("past", one.past[begin:]),
            np.nan_to_num(lagged[begin:]).reshape(lookback, -1),
        ]
        history = scaled[begin:]
        window = {"history": np.nan_to_num(history)}
        if state["masked"]:
            window["observed"] = ~np.isnan(history)
        ahead = [self._covariates("future", one.future[begin : count + horizon])]
        if one.future.shape[1] and len(ahead[0]) < lookback + horizon:
            stamps = one.ahead(horizon)
            raise ValueError(
                f"{one}: future covariates are not known up to {written(stamps[-1])}. Give rows "
                "with them as future."
            )
        if state["cycles"]:
            stamps = [one.steps.after(one.first, begin + n) for n in range(lookback + horizon)]
            ahead.append(np.array([calendar_features(stamp, state["cycles"]) for stamp in stamps]))
        known = np.concatenate([each for each in ahead if each.shape[1]] or ahead, axis=1)
        if known.shape[1]:
            past.append(known[:lookback])
            window["future"] = known[lookback:]
        columns = np.concatenate(past, axis=1)
        if columns.shape[1]:
            window["past"] = columns
        if len(one.static):
            window["static"] = self._covariates("static", one.static[None])[0]
        return window

    def _covariates(self, role: str, values: np.ndarray) -> np.ndarray:
        return self._scalers[role].scaled(values) if values.shape[1] else values


def calendar_features(stamp: datetime, cycles: Sequence[str]) -> list[float]:
    """Sine and cosine of the place of a stamp in each cycle."""
    leap = monthrange(stamp.year, 2)[1] == 29
    phases = {
        "hour": (stamp - datetime(stamp.year, stamp.month, stamp.day)) / timedelta(days=1),
        "weekday": stamp.weekday() / 7,
        "day of year": (stamp.timetuple().tm_yday - 1) / (366 if leap else 365),
        "month": (stamp.month - 1) / 12,
    }
    angles = [2 * math.pi * phases[name] for name in cycles]
    return [wave(angle) for angle in angles for wave in (math.sin, math.cos)]


class Scaler:
    """Scales columns: (p(x + shift) - location) / scale, with a power transform p.

    Args:
        state: Its values in preprocessing.json; `location`, `scale`, `power` and `shift` have a row
            for each series, or one for all.
    """

    def __init__(self, state: Mapping[str, Any]) -> None:
        self._kind, self._per_series = state["kind"], state["per_series"]
        self._only = np.array(state["only"], bool)
        names = ("location", "scale", "power", "shift")
        self._parameters = np.stack([np.array(state[name], float) for name in names])
        self._transforms = self._kind in ("log", "boxcox")

    def scaled(self, values: np.ndarray, place: int = 0) -> np.ndarray:
        """Scaled values of one series, (time, columns)."""
        location, scale, power, shift = self._of(place)
        shifted = values + shift
        if self._transforms:
            low = self._only & ((values < 0) | (shifted <= 0) & (power == 0))
            if low.any():
                raise ValueError(
                    f"The scaling {self._kind!r} cannot take {values[low].min():g}: it was fitted "
                    "on values that are not negative."
                )
            shifted = np.where(self._only, transformed(shifted, power, self._only), shifted)
        result: np.ndarray = (shifted - location) / scale
        return result

    def original(self, values: np.ndarray) -> np.ndarray:
        """Values of all series in the original units, (series, time, columns)."""
        places = range(len(values)) if self._per_series else [0] * len(values)
        location, scale, power, shift = self._parameters[:, [*places], None]
        values = values * scale + location
        if self._transforms:
            safe = np.where(power > 0, power, 1)
            least = np.where(power > 0, -1 / safe, -np.inf)
            raised = np.maximum(values, least)
            with np.errstate(all="ignore"):  # of the branch that is not taken
                powers = np.exp(np.log1p(safe * raised) / safe)
                inverse = np.where(power > 0, powers, np.exp(raised))
            values = np.where(self._only, np.maximum(inverse, shift), values)
        result: np.ndarray = values - shift
        return result

    def adapted(self, places: Sequence[int], histories: Sequence[np.ndarray]) -> Scaler:
        """The scaler of series at such places among the training series, -1 for new ones."""
        if not self._per_series:
            return self
        result = object.__new__(Scaler)
        result.__dict__.update(self.__dict__)
        result._parameters = self._parameters[:, places]
        new = [number for number, place in enumerate(places) if place < 0]
        if new:
            result._parameters[:, new] = self._fitted(histories)[:, new]
        return result

    def _of(self, place: int) -> np.ndarray:
        return self._parameters[:, place if self._per_series else 0]

    def _fitted(self, histories: Sequence[np.ndarray]) -> np.ndarray:
        """Parameters of series, (4, series, columns), as a scaler is fitted in training."""
        columns = range(len(self._only))
        shifts = [self._shift([values[:, c] for values in histories]) for c in columns]
        pooled = [self._fit(np.concatenate([h[:, c] for h in histories]), shifts[c], c)
                  for c in columns]  # fmt: skip
        rows = [
            [self._fit(values[:, c], shifts[c], c) or pooled[c] or (0.0, 1.0, 1.0, 0.0)
             for c in columns] for values in histories
        ]  # fmt: skip
        return np.moveaxis(np.array(rows), -1, 0)

    def _fit(
        self, values: np.ndarray, shift: float | None, column: int
    ) -> tuple[float, float, float, float] | None:
        """Location, scale, power and shift of values; None if there are none."""
        values = values[~np.isnan(values)]
        if not len(values):
            return None
        if self._kind == "none" or not self._only[column]:
            return 0.0, 1.0, 1.0, 0.0
        if self._kind == "mean":
            return 0.0, float(np.abs(values).mean()) or 1.0, 1.0, 0.0
        shift = HEADROOM * float(np.median(values)) if shift is None else shift
        power = 1.0
        if self._transforms:
            values = values + shift
            power = 0.0 if self._kind == "log" else likeliest_power(values)
            values = transformed(values, power)
        location, scale = float(values.mean()), float(values.std())
        if self._kind == "robust":
            low, location, high = map(float, np.quantile(values, [0.25, 0.5, 0.75]))
            robust = (high - low) / NORMAL_QUARTILES
            scale = robust if robust > 1e-12 * np.abs(values).max() else scale
        return location, scale if scale > 1e-12 * abs(location) else 1.0, power, shift

    def _shift(self, columns: Sequence[np.ndarray]) -> float | None:
        """The number to add before a power transform; None for a share of the median."""
        if not self._transforms:
            return 0.0
        observed = [values[~np.isnan(values)] for values in columns]
        least = min((float(values.min()) for values in observed if len(values)), default=1.0)
        if least < 0:
            raise ValueError(
                f"The scaling {self._kind!r} is for values that are never negative. "
                f"Received: {least:g}"
            )
        if least == 0 or all(np.array_equal(values, np.round(values)) for values in observed):
            return 1.0
        return None


def transformed(values: np.ndarray, power: Any, where: Any = True) -> np.ndarray:
    """The power transform of Box and Cox; 1 takes the place of values that are not transformed."""
    logs = np.log(np.where(where, values, 1))
    safe = np.where(power == 0, 1, power)
    return np.where(power == 0, logs, np.expm1(safe * logs) / safe)


def likeliest_power(values: np.ndarray) -> float:
    """The power with the largest likelihood of positive values."""
    values = values[:: max(1, len(values) // 10_000)]
    logs = np.log(values).sum()

    def likelihood(power: float) -> float:
        spread = float(transformed(values, power).var())
        if spread == 0:
            return -math.inf
        return float((power - 1) * logs - len(values) / 2 * math.log(spread))

    return float(max(POWERS[::-1], key=likelihood))


class Likelihood:
    """Point forecasts and quantiles of the outputs of the model, (..., parameters).

    Args:
        output: The kind of output.
        learned: Levels of the outputs, if these are quantiles.
    """

    def __init__(self, output: str, learned: Sequence[float]) -> None:
        self._output, self._learned = output, learned

    def middle(self, outputs: np.ndarray) -> np.ndarray:
        """The mean of a distribution, or the median of quantiles."""
        if self._output == "point":
            return outputs
        if self._output == "quantiles":
            return self.quantile(outputs, 0.5)
        if self._output == "normal":
            return outputs[..., 0].astype(float)
        return np.asarray(self._distribution(outputs).mean())

    def quantile(self, outputs: np.ndarray, level: float) -> np.ndarray:
        """Quantiles at a level; learned ones are interpolated, and constant outside."""
        if self._output == "normal":
            outputs = outputs.astype(float)
            return outputs[..., 0] + outputs[..., 1] * NormalDist().inv_cdf(level)
        if self._output != "quantiles":
            return np.asarray(self._distribution(outputs).ppf(level))
        place = float(np.interp(level, self._learned, np.arange(len(self._learned))))
        low = int(place)
        high = min(low + 1, len(self._learned) - 1)
        share = np.float32(place - low)
        result: np.ndarray = outputs[..., low] + share * (outputs[..., high] - outputs[..., low])
        return result

    def _distribution(self, outputs: np.ndarray) -> Any:
        from scipy import stats  # type: ignore[import-untyped]  # it has no types

        first, second, *rest = np.moveaxis(outputs.astype(float), -1, 0)
        if self._output == "student_t":
            return stats.t(rest[0], first, second)
        return stats.nbinom(1 / second, 1 / (1 + first * second))


def main() -> None:
    """Print one JSON object for each series, step and target."""
    parser = argparse.ArgumentParser(description="Forecast the next steps of series.")
    parser.add_argument("history", nargs="?", help="a CSV file; default: the rows of the run")
    parser.add_argument("--future", help="a CSV file with the covariates of the steps ahead")
    parser.add_argument("--horizon", type=int, help="number of steps; default: all")
    parser.add_argument("--quantiles", type=float, nargs="*", default=[0.1, 0.5, 0.9])
    arguments = parser.parse_args()
    try:
        rows = Predictor().forecast(
            arguments.history, arguments.future, arguments.horizon, arguments.quantiles
        )
    except (ValueError, OSError) as error:
        parser.exit(2, f"{error}\n")
    for row in rows:
        print(json.dumps(row, ensure_ascii=False))


if __name__ == "__main__":
    main()
