"""Data-driven defaults of forecasting, for settings left at "auto" or not given, with reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasseq.data.series.panel import Panel
from kerasseq.models.forecaster import KIND_OF_SETTING
from kerasseq.tasks.forecasting.conformal import least_windows, windows_for
from kerasseq.tasks.forecasting.point import default_point

if TYPE_CHECKING:
    from kerasseq.recipes.forecasting import ForecastingSettings

__all__ = [
    "LEVELS",
    "SMALLEST",
    "check",
    "horizon",
    "is_stretched",
    "kind",
    "learned",
    "linear_lookbacks",
    "lookback",
    "normalization",
    "passes",
    "required_model",
    "resolved",
    "scaling",
    "seasonality",
    "segment",
    "suggested",
    "rows_remark",
]

_DEFAULT_HORIZON = 12  # steps of the horizon, for data without a season
_LONGEST_HORIZON = 96  # largest default horizon, in steps
_LONGEST_SEGMENT = 48  # largest segment, in steps
_LOG_EXPONENT = 0.6  # scaling="log" from this exponent of the level on, see `scaling`
_STEPS_PER_EPOCH = 32  # least number of training steps of an epoch, see `passes`
_FEW_WINDOWS = 100  # fewer windows are few for a network, whatever the series
_LINEAR_LOOKBACK = 336  # most steps of a lookback that the linear baseline chooses
_SEASONAL_WINDOWS = 2000  # a season is not left for fewer windows to learn
#: Levels at which quantiles are calibrated, and which are learned to compute a mean.
LEVELS = (0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975)
_LEAST_PIECES = 5  # least number of pieces of a series to estimate the exponent from


def horizon(panel: Panel) -> int:
    """Default horizon in steps: a season, but at most a tenth of the shortest series."""
    steps = panel.season if panel.season > 1 else _DEFAULT_HORIZON
    return int(max(1, min(steps, _LONGEST_HORIZON, panel.lengths.min() // 10)))


def lookback(
    steps: int | None,
    seasons: float | None,
    season: int,
    ahead: int,
    shortest: int,
    rows: int | None = None,
) -> int:
    """Number of past steps that the model reads.

    Args:
        steps: the setting `lookback`; None if it was not given.
        seasons: the setting `lookback_seasons`, a multiple of the longer of season and horizon;
            None for the default, 2.
        season: steps of the season.
        ahead: steps of the horizon.
        shortest: steps of the shortest training part, which limits a multiple.
        rows: steps of all training parts and targets; of few, the default is four seasons, from
            which a trend can be told. None for enough of them.

    Example:

    >>> lookback(None, None, 24, 24, 10_000), lookback(None, None, 12, 12, 30)
    (48, 12)
    >>> lookback(None, None, 12, 12, 500, 500), lookback(None, None, 12, 12, 500, 5000)
    (48, 24)
    >>> lookback(None, 4.0, 24, 24, 10_000), lookback(4, None, 24, 24, 10_000)
    (96, 4)
    """
    if steps is not None:
        return steps
    multiple, least = (2.0, 16) if seasons is None else (seasons, 1)
    if seasons is None and rows is not None and rows < _SEASONAL_WINDOWS:
        least = max(least, 4 * season)
    target, room = max(multiple * season, multiple * ahead, least), shortest - ahead
    # Two seasons of few windows are better than one of more.
    result = int(max(1, min(target, max(room // 2, min(2 * season, room - 1)))))
    return result // season * season if result > season else result


def linear_lookbacks(lookback: int, room: int) -> list[int]:
    """Lookbacks that the linear baseline chooses from: the model's, and two to eight times as many.

    Args:
        lookback: steps of the model's lookback.
        room: steps of the shortest training part without the horizon.

    Example:

    >>> linear_lookbacks(48, 10_000), linear_lookbacks(24, 60), linear_lookbacks(400, 10_000)
    ([48, 96, 192], [24], [400])
    """
    longest = min(_LINEAR_LOOKBACK, room // 2)  # so that windows are left to fit on
    longer = [lookback * factor for factor in (2, 4, 8)]
    return [lookback, *(steps for steps in longer if steps <= longest)]


def suggested(panel: Panel, output: str, lookback: int, horizon: int) -> dict[str, list[str]]:
    """Data-driven values for settings left at "auto", each with its reason.

    Args:
        panel: the training part.
        output: the setting `output`.
        lookback: past steps that the model reads.
        horizon: steps to forecast.
    """
    season, counts = panel.season, output == "negative_binomial"
    reason = "a negative binomial distribution takes counts as they are"
    norm = normalization(panel, season, lookback, horizon)
    model = kind(season, lookback, horizon, panel.names["future"])
    scale, why = scaling(panel, season, output)
    if not counts and (hybrid := _hybrid(panel, lookback, horizon, norm[0])):
        model = "hybrid", hybrid
        if scale == "log" and seasonality(panel, "mean") == "multiplicative":
            scale = "mean"  # the network itself multiplies level and season
    return {
        "model": list(model),
        "scaling": ["none", reason] if counts else [scale, why],
        "normalization": ["instance", reason] if counts else list(norm),
    }


def _hybrid(panel: Panel, back: int, ahead: int, normalization: str) -> str | None:
    """The reason for the network "hybrid"; None for another one.

    Args:
        panel: the training part.
        back: steps of the lookback.
        ahead: steps of the horizon.
        normalization: the default normalization of other networks.
    """
    windows = _windows(panel, back, ahead)
    if panel.season > 1 and back < 2 * panel.season:
        return None
    few = f"{windows:,} windows are few for a network"
    if windows < _FEW_WINDOWS:
        return f"{few}, and it corrects exponential smoothing"
    if normalization == "seasonal":
        return f"{few}, the season is strong, and it corrects exponential smoothing"
    return None


def resolved(
    data_info: Mapping[str, Any], settings: ForecastingSettings
) -> tuple[ForecastingSettings, list[str]]:
    """Replace "auto" and missing settings by data-driven values, and say why in remarks.

    Args:
        data_info: `suggested`, `season`, `lookback` and `horizon` of the data.
        settings: settings of the user.
    """
    values: dict[str, Any] = {name: data_info[name] for name in ("lookback", "horizon")}
    notes = []
    for name, choice in data_info["suggested"].items():
        values[name] = getattr(settings, name)
        if values[name] == "auto":
            values[name], why = _required(name, values, data_info, settings) or choice
            notes.append(f"{name}={values[name]!r}: {why}")
    if settings.point == "auto":
        values["point"], why = default_point(settings.output, settings.loss, values["scaling"])
        notes.append(f"point={values['point']!r}: {why}")
    if settings.segment is None:
        values["segment"] = segment(
            data_info["season"], data_info["lookback"], data_info["horizon"]
        )
    if settings.linear is None:
        values["linear"] = values["model"] == "segment"
    if settings.passes_per_epoch is None:
        size = settings.batch_size
        # Runs that were saved before there was a choice have no number of windows.
        windows = int(data_info.get("windows", size * _STEPS_PER_EPOCH))
        values["passes_per_epoch"] = count = passes(windows, size)
        if count > 1:
            notes.append(
                f"passes_per_epoch={count}: {windows:,} windows make {-(-windows // size)} batches "
                f"of {size}, and an epoch has at least {_STEPS_PER_EPOCH} training steps"
            )
    if settings.calibrate and (
        note := _calibration_remark(data_info, settings.output, settings.quantiles)
    ):
        notes.append(note)
    return replace(settings, **values, lookback_seasons=None), notes


def _required(
    name: str, values: Mapping[str, Any], data_info: Mapping[str, Any], settings: Any
) -> tuple[str, str] | None:
    """The value of a setting that other settings require, and the reason; None for any value."""
    if name == "model":
        no_smoothing = settings.normalization not in ("auto", "additive", "multiplicative")
        if no_smoothing and data_info["suggested"]["model"][0] == "hybrid":
            season, back, ahead = (data_info[name] for name in ("season", "lookback", "horizon"))
            return required_model(settings) or kind(season, back, ahead, ())
        return required_model(settings)
    if name == "normalization" and values["model"] == "hybrid":
        season = data_info.get("seasonality", "additive")
        verb = "multiplies" if season == "multiplicative" else "is added to"
        return season, f"the season {verb} the level that the network 'hybrid' smooths"
    return None


def is_stretched(data_info: Mapping[str, Any], output: str, levels: Sequence[float]) -> bool:
    """Whether the validation part is too short to calibrate the widest interval by itself.

    Args:
        data_info: `independent`, the number of validation windows that do not overlap.
        output: the setting `output`; a point forecast has no intervals to stretch.
        levels: levels of the quantiles.
    """
    count = data_info.get("independent")
    return output != "point" and count is not None and count < windows_for(_widest(levels))


def _calibration_remark(
    data_info: Mapping[str, Any], output: str, levels: Sequence[float]
) -> str | None:
    """A remark if the validation part is too short to calibrate the widest interval."""
    count, probability = data_info.get("independent"), _widest(levels)
    holds = f"the validation part holds {count} windows that do not overlap, and "
    if is_stretched(data_info, output, levels):
        return (
            f"{holds}{windows_for(probability):,} are needed to rely on for a {probability:.0%} "
            "interval: intervals are stretched to cover the errors that the best simple baseline "
            "has from rolling origins"
        )
    if output == "point" and count is not None and count < (least := least_windows(probability)):
        return (
            f"{holds}{least:,} are needed to calibrate a {probability:.0%} interval: all steps are "
            "calibrated together"
        )
    return None


def _widest(levels: Sequence[float]) -> float:
    """The probability of the widest interval that ends at one of these levels."""
    return max(abs(2 * level - 1) for level in levels)


def passes(windows: int, batch_size: int) -> int:
    """Passes over the training windows in each epoch, so that an epoch has enough training steps.

    Args:
        windows: number of training windows.
        batch_size: windows per training step.

    Example:

    >>> passes(25, 64), passes(200, 64), passes(2000, 64)
    (32, 8, 1)
    """
    return max(1, -(-_STEPS_PER_EPOCH // -(-windows // batch_size)))


def required_model(settings: ForecastingSettings) -> tuple[str, str] | None:
    """The network that a setting of the user requires, and the reason; None for any network."""
    for name, network in KIND_OF_SETTING.items():
        if value := getattr(settings, name):
            return network, f"only this network has the setting {name}={value}"
    value = settings.normalization
    if value in ("additive", "multiplicative"):
        return "hybrid", f"only this network has the setting normalization={value!r}"
    return None


#: `data_info` of nearly the smallest possible data, to check settings before data is read.
SMALLEST: dict[str, Any] = {
    **dict.fromkeys(("past", "future", "static", "series", "masked"), 0),
    **{"horizon": 2, "lookback": 2, "season": 1, "targets": 1},
    "suggested": {"model": ["direct", ""], "scaling": ["none", ""], "normalization": ["none", ""]},
}


def learned(levels: Sequence[float], point: str = "median") -> list[float]:
    """Levels that the model learns: the given levels, their mirror images, and the median.

    Calibration moves both ends of a central interval, and the median is the forecast; a mean is
    computed from `LEVELS`.

    Args:
        levels: the setting `quantiles`.
        point: the setting `point`.

    >>> learned([0.8, 0.9])
    [0.1, 0.2, 0.5, 0.8, 0.9]
    """
    also = LEVELS if point == "mean" else (0.5,)
    return sorted({*also, *map(float, levels), *(round(1 - level, 9) for level in levels)})


def rows_remark(learned: Any, stopping: Any, scored: Any) -> str:
    """A remark with the number of windows to learn from, to stop by, and to score on."""
    uses = zip((learned, stopping, scored), ("learn from", "stop by", "score on"))
    counts = [f"{len(part):,} to {use}" for part, use in uses if part is not None]
    few = "; so few that a network may not beat the baselines" * (len(learned) < _FEW_WINDOWS)
    return f"windows: {', '.join(counts)}{few}"


def check(parts: Any, output: str) -> None:
    """Raise a ValueError if a part has no observed target, or targets do not fit the output.

    Args:
        parts: training, validation and test `Part`.
        output: output of the model.
    """
    for name in ("train", "validation", "test"):
        part = getattr(parts, name)
        if part is not None and all(
            np.isnan(targets[row:]).all() for targets, row in zip(part.panel.targets, part.first)
        ):
            raise ValueError(
                f"the {name} part has no observed target. Choose validation= and test= so that "
                "each part has observed targets, or leave the empty rows out."
            )
    if output != "negative_binomial":
        return
    panel = parts.train.panel
    for place, column in enumerate(panel.names["targets"]):
        values = np.concatenate([targets[:, place] for targets in panel.targets])
        not_counts = values[~np.isnan(values) & ((values < 0) | (values != np.floor(values)))]
        if len(not_counts):
            raise ValueError(
                f"output='negative_binomial' is for counts, and column {column!r} holds "
                f"{not_counts[0]:g}. Choose another output."
            )


def kind(season: int, back: int, ahead: int, future: Sequence[str]) -> tuple[str, str]:
    """The default network for enough windows, and the reason.

    Args:
        season: steps of the season.
        back: steps of the lookback.
        ahead: steps of the horizon.
        future: names of the covariates that are known ahead, without the calendar.
    """
    if ahead == 1:
        return "direct", "there is one step to forecast"
    if future:
        return "seq2seq", f"its decoder reads the covariates of each step ahead ({future[0]!r})"
    length = segment(season, back, ahead)
    if length < 4 or back < 2 * length:
        return "direct", f"a lookback of {back} steps does not hold two segments of a season"
    return "segment", (
        f"a lookback of {back} steps holds {back // length} segments of {length}, read and "
        "forecast as a whole"
    )


def segment(season: int, back: int, ahead: int) -> int:
    """Steps of a segment: a season, or its longest divisor that fits.

    >>> segment(24, 336, 96), segment(52, 104, 52), segment(96, 192, 96)
    (24, 26, 48)
    """
    most = min(_LONGEST_SEGMENT, back, max(ahead, 2))
    if season == 1:
        return max(1, min(8, most // 2))
    return max(part for part in range(1, season + 1) if season % part == 0 and part <= most)


def normalization(panel: Panel, season: int, back: int, ahead: int) -> tuple[str, str]:
    """The default normalization of windows, and the reason.

    Args:
        panel: the training part.
        season: steps of the season.
        back: steps of the lookback.
        ahead: steps of the horizon.
    """
    if not 1 < season <= back:
        return "last", "there is no season to subtract"
    windows = _windows(panel, back, ahead)
    last, seasonal = (_mean_change(panel, steps) for steps in (min(season // 2, ahead), season))
    if windows < _SEASONAL_WINDOWS and seasonal < last:
        return "seasonal", (
            f"there are few windows ({windows:,}), and values are nearer to those of a season "
            f"before than to those of {min(season // 2, ahead)} steps before"
        )
    return "last", f"{windows:,} windows are enough to learn the season from"


def seasonality(panel: Panel, scaling: str) -> str:
    """How the season of the network "hybrid" acts on the level.

    Args:
        panel: the training part.
        scaling: scaling of the targets; only "mean" keeps positive values in proportion.
    """
    positive = scaling == "mean" and all(
        (targets[~np.isnan(targets)] > 0).all() for targets in panel.targets
    )
    return "multiplicative" if positive else "additive"


def _windows(panel: Panel, back: int, ahead: int) -> int:
    """Number of windows of single targets in the training part."""
    windows = int(np.maximum(panel.lengths - back - ahead + 1, 1).sum())
    return windows * len(panel.names["targets"])


def scaling(panel: Panel, season: int, output: str = "quantiles") -> tuple[str, str]:
    """The default scaling of targets, and the reason: "log" if the spread grows with the level.

    Series are cut into pieces. The slope of log spread over log level of these pieces is the
    exponent with which the spread grows (Tukey, Exploratory Data Analysis, 1977): 0 for a constant
    spread, 1 for a spread proportional to the level, which logarithms make constant.

    Args:
        panel: the training part.
        season: steps of the season.
        output: output of the model; only quantiles do not depend on a monotone scaling.
    """
    if output != "quantiles":
        return "standard", f"output={output!r} depends on the scale"
    least = min(
        float(np.nanmin(targets)) for targets in panel.targets if not np.isnan(targets).all()
    )
    if least < 0:
        return "standard", "there are values below 0"
    length = season if season >= 4 else 12
    exponents = [
        exponent
        for targets in panel.targets
        for column in targets.T
        if (exponent := _spread_exponent(column[~np.isnan(column)], length)) is not None
    ]
    if not exponents:
        return "standard", "the series are too short to tell whether their spread grows"
    exponent = float(np.median(exponents))
    reason = f"the spread grows with the level to the power of {exponent:.1f}"
    return ("log" if exponent >= _LOG_EXPONENT else "standard"), reason


def _spread_exponent(values: np.ndarray, length: int) -> float | None:
    """The exponent of the level with which the spread of pieces grows; None for too few pieces."""
    pieces = values[: len(values) // length * length].reshape(-1, length)
    level, spread = pieces.mean(axis=1), pieces.std(axis=1)
    positive = (level > 0) & (spread > 0)
    level, spread = np.log(level[positive]), np.log(spread[positive])
    if len(level) < _LEAST_PIECES or level.std() < 0.05:
        return None
    return float(np.polyfit(level, spread, 1)[0])


def _mean_change(panel: Panel, steps: int) -> float:
    """Mean absolute change over `steps`, relative to the standard deviation; mean over series."""
    changes = []
    for column in (column for targets in panel.targets for column in targets.T):
        differences = np.abs(column[steps:] - column[:-steps])
        observed, spread = ~np.isnan(differences), column[~np.isnan(column)]
        if observed.any() and spread.std() > 0:
            changes.append(differences[observed].mean() / spread.std())
    return float(np.mean(changes)) if changes else np.inf
