"""Data-driven defaults of forecasting, for settings left at "auto" or not given, with reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasseq.data.series.panel import Panel
from kerasseq.models.forecaster import KIND_OF_SETTING

if TYPE_CHECKING:
    from kerasseq.recipes.forecasting import ForecastingSettings

__all__ = [
    "SMALLEST",
    "check",
    "horizon",
    "kind",
    "learned",
    "lookback",
    "normalization",
    "required_model",
    "resolved",
    "scaling",
    "segment",
    "suggested",
    "rows_remark",
]

_HORIZON = 12  # steps, where there is no season
_LONGEST = 96  # steps of a horizon that nobody asked for
_SEGMENT = 48  # steps of a segment, at most
_SPREAD = 0.6  # of the power of the level with which the spread grows: from here on logarithms
_PIECES = 5  # the least pieces of a series of which that power is found


def horizon(panel: Panel) -> int:
    """How far ahead to forecast: a season, though not more than a tenth of the shortest series."""
    steps = panel.season if panel.season > 1 else _HORIZON
    return int(max(1, min(steps, _LONGEST, panel.lengths.min() // 10)))


def lookback(
    steps: int | None, seasons: float | None, season: int, ahead: int, shortest: int
) -> int:
    """Number of past steps that the model reads.

    Args:
        steps: the number, where it was given.
        seasons: a multiple of the longer of season and horizon; twice where neither was given.
        season: steps of the season.
        ahead: steps of the horizon.
        shortest: steps of the shortest training part, which bounds a multiple.

    Example:

    >>> lookback(None, None, 24, 24, 10_000), lookback(None, None, 12, 12, 30)
    (48, 12)
    >>> lookback(None, 4.0, 24, 24, 10_000), lookback(4, None, 24, 24, 10_000)
    (96, 4)
    """
    if steps is not None:
        return steps
    times, least = (2.0, 16) if seasons is None else (seasons, 1)
    wanted, room = max(times * season, times * ahead, least), shortest - ahead
    found = int(max(1, min(wanted, max(room // 2, min(season, room - 1)))))
    return found // season * season if found > season else found


def suggested(panel: Panel, output: str, lookback: int, horizon: int) -> dict[str, list[str]]:
    """Values for settings left at "auto", each with its reason.

    Args:
        panel: the training part.
        output: the setting.
        lookback: steps to read.
        horizon: steps to forecast.
    """
    season, counts = panel.season, output == "negative_binomial"
    said = "a negative binomial distribution takes counts as they are"
    return {
        "model": list(kind(season, lookback, horizon, panel.names["future"])),
        "scaling": ["none", said] if counts else list(scaling(panel, season, output)),
        "normalization": (
            ["instance", said] if counts else list(normalization(panel, season, lookback, horizon))
        ),
    }


def resolved(
    data_info: Mapping[str, Any], settings: ForecastingSettings
) -> tuple[ForecastingSettings, list[str]]:
    """Settings with the choices by the data in place of "auto", and remarks that say why.

    Args:
        data_info: `suggested`, `season`, `lookback` and `horizon` of the data.
        settings: settings as they were given.
    """
    values: dict[str, Any] = {name: data_info[name] for name in ("lookback", "horizon")}
    notes = []
    for name, choice in data_info["suggested"].items():
        values[name] = getattr(settings, name)
        if values[name] == "auto":
            required = required_model(settings) if name == "model" else None
            values[name], why = required or choice
            notes.append(f"{name}={values[name]!r}: {why}")
    if settings.segment is None:
        values["segment"] = segment(
            data_info["season"], data_info["lookback"], data_info["horizon"]
        )
    if settings.linear is None:
        values["linear"] = values["model"] == "segment"
    return replace(settings, **values, lookback_seasons=None), notes


def required_model(settings: ForecastingSettings) -> tuple[str, str] | None:
    """The network that has a setting which was given, and why; None where any network will do."""
    for name, network in KIND_OF_SETTING.items():
        if value := getattr(settings, name):
            return network, f"{name}={value} is a setting of this network"
    return None


#: DataInfo of about the smallest data that there is.
SMALLEST: dict[str, Any] = {
    **dict.fromkeys(("past", "future", "static", "series", "masked"), 0),
    **{"horizon": 2, "lookback": 2, "season": 1, "targets": 1},
    "suggested": {"model": ["direct", ""], "scaling": ["none", ""], "normalization": ["none", ""]},
}


def learned(levels: Sequence[float]) -> list[float]:
    """The levels to learn: those asked for, their mirror images, and the median.

    Intervals are moved on both sides by the same amount, and the median is the forecast.

    >>> learned([0.8, 0.9])
    [0.1, 0.2, 0.5, 0.8, 0.9]
    """
    return sorted({0.5, *map(float, levels), *(round(1 - level, 9) for level in levels)})


def rows_remark(learned: Any, stopping: Any, scored: Any) -> str:
    """How many windows there are of each kind of examples."""
    used = zip((learned, stopping, scored), ("learn from", "stop by", "score on"))
    counts = [f"{len(own):,} to {use}" for own, use in used if own is not None]
    return f"windows: {', '.join(counts)}"


def check(parts: Any, output: str) -> None:
    """Raise a ValueError for parts that cannot be learned from, stopped by or scored on.

    Args:
        parts: the `Part` of each name.
        output: of the model.
    """
    for name in ("train", "validation", "test"):
        part = getattr(parts, name)
        if part is not None and all(
            np.isnan(own[row:]).all() for own, row in zip(part.panel.targets, part.first)
        ):
            raise ValueError(
                f"no target in the {name} part was observed. Choose validation= and test= so that "
                "each part has some, or leave those rows out."
            )
    if output != "negative_binomial":
        return
    panel = parts.train.panel
    for place, column in enumerate(panel.names["targets"]):
        values = np.concatenate([own[:, place] for own in panel.targets])
        other = values[~np.isnan(values) & ((values < 0) | (values != np.floor(values)))]
        if len(other):
            raise ValueError(
                f"output='negative_binomial' is for counts, and column {column!r} holds "
                f"{other[0]:g}. Choose another output."
            )


def kind(season: int, back: int, ahead: int, known: Sequence[str]) -> tuple[str, str]:
    """Which network to take, and why.

    Args:
        season: steps.
        back: steps of the lookback.
        ahead: steps of the horizon.
        known: names of what is known ahead beside the calendar.
    """
    if ahead == 1:
        return "direct", "there is one step to forecast"
    if known:
        return "seq2seq", f"its decoder reads what is known of each step ahead ({known[0]!r})"
    length = segment(season, back, ahead)
    if length < 4 or back < 2 * length:
        return "direct", f"a lookback of {back} steps holds no two segments of a season"
    return "segment", (
        f"a lookback of {back} steps holds {back // length} segments of {length}, read and "
        "forecast as a whole"
    )


def segment(season: int, back: int, ahead: int) -> int:
    """Steps of a segment: a season, or the longest part of one that fits.

    >>> segment(24, 336, 96), segment(52, 104, 52), segment(96, 192, 96)
    (24, 26, 48)
    """
    most = min(_SEGMENT, back, max(ahead, 2))
    if season == 1:
        return max(1, min(8, most // 2))
    return max(part for part in range(1, season + 1) if season % part == 0 and part <= most)


def normalization(panel: Panel, season: int, back: int, ahead: int) -> tuple[str, str]:
    """What to take off each window, and why.

    Args:
        panel: the training part.
        season: steps.
        back: steps of the lookback.
        ahead: steps of the horizon.
    """
    if not 1 < season <= back:
        return "last", "there is no season to take off"
    windows = int(np.maximum(panel.lengths - back - ahead, 1).sum()) * len(panel.names["targets"])
    last, seasonal = (_moved(panel, steps) for steps in (min(season // 2, ahead), season))
    if windows < 2000 and seasonal < last:
        return "seasonal", (
            f"there are few windows ({windows:,}), and values are nearer to those of a season "
            f"before than to those of {min(season // 2, ahead)} steps before"
        )
    return "last", f"{windows:,} windows are enough to learn the season from"


def scaling(panel: Panel, season: int, output: str = "quantiles") -> tuple[str, str]:
    """How to scale targets, and why: by logarithms where the spread grows with the level.

    The power with which it does is the slope of the logarithm of the spread over that of the level,
    of pieces of the series (Tukey, Exploratory Data Analysis, 1977).

    Args:
        panel: the training part.
        season: steps.
        output: of the model; only quantiles are the same whatever the scale.
    """
    if output != "quantiles":
        return "standard", f"output={output!r} is about the units themselves"
    least = min(float(np.nanmin(own)) for own in panel.targets if not np.isnan(own).all())
    if least < 0:
        return "standard", "there are values below 0"
    length = season if season >= 4 else 12
    powers = [
        power
        for own in panel.targets
        for column in own.T
        if (power := _power(column[~np.isnan(column)], length)) is not None
    ]
    if not powers:
        return "standard", "the series are too short to see whether their spread grows"
    power = float(np.median(powers))
    said = f"the spread goes with the level to the power of {power:.1f}"
    return ("log" if power >= _SPREAD else "standard"), said


def _power(values: np.ndarray, length: int) -> float | None:
    """The power of the level with which the spread of pieces grows; None for too few."""
    pieces = values[: len(values) // length * length].reshape(-1, length)
    level, spread = pieces.mean(axis=1), pieces.std(axis=1)
    kept = (level > 0) & (spread > 0)
    level, spread = np.log(level[kept]), np.log(spread[kept])
    if len(level) < _PIECES or level.std() < 0.05:
        return None
    return float(np.polyfit(level, spread, 1)[0])


def _moved(panel: Panel, steps: int) -> float:
    """How far values are from those so many steps before, in terms of how they vary."""
    found = []
    for column in (column for own in panel.targets for column in own.T):
        apart = np.abs(column[steps:] - column[:-steps])
        seen, spread = ~np.isnan(apart), column[~np.isnan(column)]
        if seen.any() and spread.std() > 0:
            found.append(apart[seen].mean() / spread.std())
    return float(np.mean(found)) if found else np.inf
