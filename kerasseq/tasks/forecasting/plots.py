"""Figures of forecasts: how they look, how they age, and whether their spread can be believed."""

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
_MARKED = 48  # points on a line; more run into each other
_OTHERS = ("#d1603d", "#5b9f78", "#8a7bb0", "#c2a13c", "#4ba3b5")


@dataclass(frozen=True)
class Fan:
    """A forecast of one series and target, and what came before and after.

    Args:
        title: of which series and target.
        history: what was observed before, by its stamps; NaN where it was not.
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
    return figure


def error_by_step(errors: Mapping[str, Sequence[float | None]], metric: str = "mae") -> Figure:
    """A metric of a model, and of what it stands beside, at each step of the horizon.

    Args:
        errors: by name, the model's first; (horizon,) each, None where there is no value.
        metric: what it is called.
    """
    figure, (axis,) = subplots(width=5.6)
    for look, (name, values) in zip(_looks(), errors.items()):
        known = np.array([np.nan if value is None else value for value in values])
        steps = np.arange(1, len(known) + 1)
        marker = "." if len(known) <= _MARKED else None
        axis.plot(steps, known, label=name, marker=marker, **look)
        axis.set_xlim(0.5, len(known) + 0.5)
    axis.set(xlabel="step of the horizon", ylabel=_NAMES.get(metric, metric), title="error by step")
    axis.set_ylim(bottom=0)
    _whole(axis)
    axis.legend(frameon=False)
    return figure


def coverage_by_level(found: Mapping[str, Mapping[str, Sequence[float]]]) -> Figure:
    """How often the truth was at most each quantile: on the diagonal, levels can be believed.

    Args:
        found: by name, the model's first; `levels` and `shares` of each (see
            `kerasseq.evaluation.forecast_metrics.score`).
    """
    figure, (axis,) = subplots(width=4.6, height=4.3)
    axis.plot([0, 1], [0, 1], color=FAINT, linestyle=":", label="perfect")
    for look, (name, own) in zip(_looks(), found.items()):
        axis.plot(own["levels"], own["shares"], marker=".", label=name, **look)
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


def _looks() -> Iterator[dict[str, Any]]:
    """How to draw the model, and then what it stands beside."""
    yield {"color": TRAIN, "linewidth": 2.0, "zorder": 3}
    for color in cycle(_OTHERS):
        yield {"color": color, "linewidth": 1.2}


def _draw_fan(axis: Axes, fan: Fan) -> None:
    before = fan.history.dropna()
    stamps = _clocks(before.index[-1:].append(fan.forecast.index))

    def on(values: Any) -> np.ndarray:
        """What follows, from what was observed last on."""
        return np.concatenate([before.to_numpy()[-1:], np.asarray(values)])

    axis.plot(
        _clocks(fan.history.index),
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
            on(fan.quantiles[low]),
            on(fan.quantiles[high]),
            color=TRAIN,
            alpha=0.2,
            linewidth=0,
            label=f"{shares} interval" + "s" * (len(pairs) > 1),
        )
    axis.plot(stamps, on(fan.forecast), color=TRAIN, linewidth=1.8, label="forecast")
    if fan.truth is not None:
        axis.plot(stamps, on(fan.truth), color=VALIDATION, linewidth=1.2, label="what came")
    axis.set_title(fan.title)
    if isinstance(fan.history.index, pd.DatetimeIndex):
        from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

        locator = AutoDateLocator()
        axis.xaxis.set_major_locator(locator)
        axis.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    else:
        _whole(axis)


def _whole(axis: Axes) -> None:
    """Steps are whole numbers."""
    from matplotlib.ticker import MaxNLocator

    axis.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def _clocks(index: pd.Index) -> np.ndarray:
    """Stamps as clocks show them where the series is from."""
    return np.asarray(index.tz_localize(None) if isinstance(index, pd.DatetimeIndex) else index)
