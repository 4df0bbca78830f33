"""Plots of forecasts: fans, error by step of the horizon, and coverage by level."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from kerasseq.evaluation.forecast_metrics import intervals
from kerasseq.evaluation.plots import FAINT, TRAIN, VALIDATION, subplots

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Fan", "coverage_by_level", "error_by_step", "fans"]

_NAMES = {"mae": "MAE", "rmse": "RMSE", "smape": "sMAPE, %", "mase": "MASE", "crps": "CRPS"}
_OBSERVED = "#333333"
_MARKED = 48  # largest number of points with markers
_OTHERS = ("#d1603d", "#5b9f78", "#8a7bb0", "#c2a13c", "#4ba3b5", "#a5577f", "#8c6d4f", "#777777")


@dataclass(frozen=True)
class Fan:
    """A forecast of one series and target, with history and actual values.

    Args:
        title: names of series and target.
        history: values before the forecast, by stamp; NaN where not observed.
        forecast: point forecasts, by stamp.
        quantiles: quantile forecasts by level, (horizon,) each.
        truth: actual values, (horizon,); None if they are not known.
    """

    title: str
    history: pd.Series
    forecast: pd.Series
    quantiles: Mapping[float, np.ndarray]
    truth: np.ndarray | None = None


def fans(forecasts: Sequence[Fan], subtitle: str = "") -> Figure:
    """Plot forecasts with central intervals, history and actual values, one per row.

    Args:
        forecasts: forecasts to plot, a few.
        subtitle: line below the plots, such as which weights they are of.
    """
    count = len(forecasts)
    figure, axes = subplots(count, width=8.0, height=0.6 + 2.6 * count)
    entries: dict[str, Any] = {}
    for axis, fan in zip(axes, forecasts):
        _draw_fan(axis, fan)
        handles, labels = axis.get_legend_handles_labels()
        entries |= dict(zip(labels, handles))
    figure.legend(
        entries.values(),
        entries.keys(),
        loc="outside upper center",
        ncols=4,
        frameon=False,
    )
    return _add_subtitle(figure, subtitle)


def error_by_step(
    errors: Mapping[str, Sequence[float | None]], metric: str = "mae", subtitle: str = ""
) -> Figure:
    """Plot a metric of a model and its baselines at each step of the horizon.

    Args:
        errors: metric by method, the model first; (horizon,) each, None where undefined.
        metric: name of the metric.
        subtitle: as in `fans`.
    """
    figure, (axis,) = subplots(width=7.4)
    for style, (name, values) in zip(_line_styles(), errors.items()):
        numbers = np.array([np.nan if value is None else value for value in values])
        steps = np.arange(1, len(numbers) + 1)
        marker = "." if len(numbers) <= _MARKED else None
        axis.plot(steps, numbers, label=name, marker=marker, **style)
        axis.set_xlim(0.5, len(numbers) + 0.5)
    axis.set(xlabel="step of the horizon", ylabel=_NAMES.get(metric, metric), title="error by step")
    axis.set_ylim(bottom=0)
    _use_whole_ticks(axis)
    figure.legend(loc="outside right upper", frameon=False)
    return _add_subtitle(figure, subtitle)


def coverage_by_level(
    coverage: Mapping[str, Mapping[str, Sequence[float]]], subtitle: str = ""
) -> Figure:
    """Plot the share of values at most each quantile; on the diagonal, levels are calibrated.

    Args:
        coverage: `levels` and `shares` by method, the model first (see
            `kerasseq.evaluation.forecast_metrics.score`).
        subtitle: as in `fans`.
    """
    figure, (axis,) = subplots(width=6.9, height=4.3)
    axis.plot([0, 1], [0, 1], color=FAINT, linestyle=":", label="perfect")
    for style, (name, curve) in zip(_line_styles(), coverage.items()):
        axis.plot(curve["levels"], curve["shares"], marker=".", label=name, **style)
    axis.set(
        xlabel="level of the quantile",
        ylabel="share of values at most the quantile",
        title="coverage by level",
        xlim=(0, 1),
        ylim=(0, 1),
        box_aspect=1,
    )
    figure.legend(loc="outside right upper", frameon=False)
    return _add_subtitle(figure, subtitle)


def _add_subtitle(figure: Figure, text: str) -> Figure:
    """Write a line below the plots of a figure, unless it is empty."""
    if text:
        figure.supxlabel(text, fontsize="small", color=FAINT)
    return figure


def _line_styles() -> Iterator[dict[str, Any]]:
    """Line styles: the model, then its baselines."""
    yield {"color": TRAIN, "linewidth": 2.0, "zorder": 3}
    for color in cycle(_OTHERS):
        yield {"color": color, "linewidth": 1.2}


def _draw_fan(axis: Axes, fan: Fan) -> None:
    history = fan.history.dropna()
    stamps = _local_times(history.index[-1:].append(fan.forecast.index))

    def connect(values: Any) -> np.ndarray:
        """Values with the last observed value in front, so that the lines connect."""
        return np.concatenate([history.to_numpy()[-1:], np.asarray(values)])

    axis.plot(
        _local_times(fan.history.index),
        fan.history.to_numpy(),
        color=_OBSERVED,
        linewidth=1.2,
        label="observed",
    )
    pairs = intervals(fan.quantiles)
    shares = ", ".join(f"{high - low:.0%}" for low, high in pairs)
    for low, high in pairs:
        axis.fill_between(
            stamps,
            connect(fan.quantiles[low]),
            connect(fan.quantiles[high]),
            color=TRAIN,
            alpha=0.2,
            linewidth=0,
            label=f"{shares} interval" + "s" * (len(pairs) > 1),
        )
    axis.plot(stamps, connect(fan.forecast), color=TRAIN, linewidth=1.8, label="forecast")
    if fan.truth is not None:
        axis.plot(stamps, connect(fan.truth), color=VALIDATION, linewidth=1.2, label="actual")
    axis.set_title(fan.title)
    if isinstance(fan.history.index, pd.DatetimeIndex):
        from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

        locator = AutoDateLocator()
        axis.xaxis.set_major_locator(locator)
        axis.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    else:
        _use_whole_ticks(axis)


def _use_whole_ticks(axis: Axes) -> None:
    """Put ticks at whole numbers only."""
    from matplotlib.ticker import MaxNLocator

    axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def _local_times(index: pd.Index) -> np.ndarray:
    """Stamps in the local time of their time zone."""
    return np.asarray(index.tz_localize(None) if isinstance(index, pd.DatetimeIndex) else index)
