"""Figures of forecasts: how they look, how they age, and whether their spread can be believed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from kerasseq.forecast_metrics import intervals
from kerasseq.plots import FAINT, TRAIN, VALIDATION, subplots

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Fan", "coverage_by_level", "error_by_step", "fans"]

_NAMES = {"mae": "MAE", "rmse": "RMSE", "smape": "sMAPE, %", "mase": "MASE", "crps": "CRPS"}
_OBSERVED = "#333333"
_OTHERS = ("#d1603d", "#5b9f78", "#8a7bb0", "#c2a13c", "#4ba3b5")


@dataclass(frozen=True)
class Fan:
    """A forecast of one series and target, and what came before and after.

    Args:
        title: of which series and target.
        history: what was observed before, by its stamps.
        forecast: what was expected, by its stamps.
        quantiles: by level, (horizon,) each.
        truth: what came, (horizon,), or None where that is not known.
    """

    title: str
    history: pd.Series
    forecast: pd.Series
    quantiles: Mapping[float, np.ndarray]
    truth: np.ndarray | None = None


def fans(forecasts: Sequence[Fan]) -> Figure:
    """History, forecast with its central intervals, and what came, one below the other.

    Args:
        forecasts: a few of them.
    """
    count = len(forecasts)
    figure, axes = subplots(count, width=8.0, height=0.5 + 2.6 * count)
    for axis, fan in zip(axes, forecasts):
        _draw_fan(axis, fan)
    axes[0].legend(frameon=False, loc="upper left")
    return figure


def error_by_step(errors: Mapping[str, Sequence[float | None]], metric: str = "mae") -> Figure:
    """A metric of a model, and of what it stands beside, at each step of the horizon.

    Args:
        errors: by name, the model's first; (horizon,) each, None where there is no value.
        metric: what it is called.
    """
    figure, (axis,) = subplots(width=5.6)
    for color, (name, values) in zip(cycle((TRAIN, *_OTHERS)), errors.items()):
        known = np.array([np.nan if value is None else value for value in values])
        steps = np.arange(1, len(known) + 1)
        own = color == TRAIN
        axis.plot(
            steps,
            known,
            color=color,
            label=name,
            marker="." if len(known) <= 48 else None,
            linewidth=2 if own else 1.2,
            zorder=3 if own else 2,
        )
    axis.set(xlabel="step of the horizon", ylabel=_NAMES.get(metric, metric), title="error by step")
    axis.set_ylim(bottom=0)
    _whole(axis.xaxis)
    axis.legend(frameon=False)
    return figure


def coverage_by_level(found: Mapping[str, Mapping[str, Sequence[float]]]) -> Figure:
    """How often the truth was at most each quantile: on the diagonal, levels can be believed.

    Args:
        found: by name, the model's first; `levels` and `shares` of each (see
            `kerasseq.forecast_metrics.score`).
    """
    figure, (axis,) = subplots(width=4.6, height=4.3)
    axis.plot([0, 1], [0, 1], color=FAINT, linestyle=":", label="perfect")
    for color, (name, own) in zip(cycle((TRAIN, *_OTHERS)), found.items()):
        axis.plot(own["levels"], own["shares"], marker="o", color=color, label=name)
    axis.set(
        xlabel="level of the quantile",
        ylabel="share of the truth at most that",
        title="coverage by level",
        xlim=(0, 1),
        ylim=(0, 1),
        aspect="equal",
    )
    axis.legend(frameon=False, loc="upper left")
    return figure


def _draw_fan(axis: Axes, fan: Fan) -> None:
    before, after = _times(fan.history.index), _times(fan.forecast.index)
    axis.plot(before, fan.history.to_numpy(), color=_OBSERVED, linewidth=1.2, label="observed")
    for low, high in intervals(fan.quantiles):
        axis.fill_between(
            after,
            fan.quantiles[low],
            fan.quantiles[high],
            color=TRAIN,
            alpha=0.2,
            linewidth=0,
            label=f"{high - low:.0%} interval",
        )
    axis.plot(after, fan.forecast.to_numpy(), color=TRAIN, linewidth=1.8, label="forecast")
    if fan.truth is not None:
        axis.plot(after, fan.truth, color=VALIDATION, linewidth=1.2, label="what came")
    axis.set_title(fan.title)
    if isinstance(fan.history.index, pd.DatetimeIndex):
        from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

        locator = AutoDateLocator()
        axis.xaxis.set(major_locator=locator, major_formatter=ConciseDateFormatter(locator))
    else:
        _whole(axis.xaxis)


def _whole(axis: Any) -> None:
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(integer=True))


def _times(index: pd.Index) -> np.ndarray:
    """Stamps as clocks on the spot show them."""
    if isinstance(index, pd.DatetimeIndex):
        return np.asarray(index.tz_localize(None))
    return np.asarray(index)
