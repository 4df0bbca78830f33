"""Plots of a search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from kerasseq.evaluation.plots import FAINT, TRAIN, VALIDATION, subplots
from kerasseq.formatting import numbers
from kerasseq.tuning import formatting

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["importances", "parallel", "pareto", "score_by_parameters", "score_by_trial"]

_WIDE = 30  # high / low above which an axis is logarithmic
_NOWHERE = -0.12  # height, below the axis, of trials that do not have the setting
_LONG = 14  # characters of an option
_FEW = 15  # with fewer trials, or fewer than two per setting, importances are a hint


def score_by_trial(trials: pd.DataFrame, metric: str, higher_is_better: bool) -> Figure:
    """Plot the score of each trial, in the order in which the trials began, and the best so far."""
    from matplotlib.ticker import MaxNLocator

    searched = _searched(trials).sort_values("trial")
    figure, (axis,) = subplots(width=6.0)
    places = searched["trial"].astype(int)
    if searched["spread"].notna().any():
        spread = searched["spread"].fillna(0.0)
        axis.errorbar(places, searched["score"], spread, fmt="o", color=FAINT, label="trial")
    else:
        axis.plot(places, searched["score"], "o", color=FAINT, label="trial")
    best = searched["score"].cummax() if higher_is_better else searched["score"].cummin()
    axis.step(places, best, where="post", color=TRAIN, label="best so far")
    default = trials.loc[trials["trial"] == "default", "score"].dropna()
    if len(default):  # dashed and on top, since it may coincide with the best so far
        axis.axhline(
            default.item(), color=VALIDATION, linestyle=(0, (5, 5)), zorder=3, label="default"
        )
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.set(xlabel="trial", ylabel=metric.replace("_", " "), title="score by trial")
    axis.legend(frameon=False)
    return figure


def score_by_parameters(trials: pd.DataFrame, metric: str, higher_is_better: bool) -> Figure:
    """Plot the score of each trial against its number of parameters, and the Pareto front."""
    searched = _searched(trials)
    figure, (axis,) = subplots(width=6.0)
    axis.scatter(searched["parameters"], searched["score"], color=FAINT, label="trial")
    front = pareto(searched, higher_is_better)
    axis.step(
        front["parameters"],
        front["score"],
        where="post",
        marker="o",
        color=TRAIN,
        label="best for its size",
    )
    default = trials[(trials["trial"] == "default") & trials["score"].notna()]
    if len(default):
        axis.scatter(
            default["parameters"], default["score"], color=VALIDATION, marker="D", label="default"
        )
    _sizes(axis, pd.concat([searched["parameters"], default["parameters"]]))
    axis.set(xlabel="parameters", ylabel=metric.replace("_", " "), title="score against parameters")
    axis.legend(frameon=False)
    return figure


def pareto(trials: pd.DataFrame, higher_is_better: bool) -> pd.DataFrame:
    """Select the Pareto front: trials that score better than all others of equal or smaller size.

    Args:
        trials: a row for each trial, with its number of `parameters` and its `score`.
        higher_is_better: whether a higher score is better.

    Returns:
        The rows of the front, from the fewest parameters to the most; of two equal trials, one.

    Example:

    >>> trials = pd.DataFrame({"parameters": [9, 5, 7], "score": [0.9, 0.7, 0.6]})
    >>> pareto(trials, higher_is_better=True)["parameters"].tolist()
    [5, 9]
    """
    ordered = trials.sort_values(["parameters", "score"], ascending=[True, not higher_is_better])
    signed_score = ordered["score"] if higher_is_better else -ordered["score"]
    before = signed_score.cummax().shift(fill_value=-np.inf)
    return ordered[signed_score > before]


def parallel(
    trials: pd.DataFrame, metric: str, higher_is_better: bool, space: Mapping[str, str]
) -> Figure:
    """Plot parallel coordinates: a line per trial through its settings to its score.

    Darker lines have better scores.

    Args:
        trials: one row per trial.
        metric: name of the score.
        higher_is_better: whether a higher score is better.
        space: for each setting to show, its range as text, as in the journal.
    """
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable

    ordered = _searched(trials).sort_values("score", ascending=higher_is_better)  # the best on top
    columns = {name: _Column(ordered[name], kind) for name, kind in space.items()}
    score = columns["score"] = _Column(ordered["score"], "")
    figure, (axis,) = subplots(width=min(2.4 + 1.2 * len(columns), 12.0), height=4.2)
    colours = colormaps["viridis_r" if higher_is_better else "viridis"]
    for row, share in enumerate(score.places):
        heights = [column.places[row] for column in columns.values()]
        axis.plot(range(len(columns)), heights, color=colours(share), alpha=0.8)
    for place, column in enumerate(columns.values()):
        axis.axvline(place, color=FAINT, linewidth=0.8)
        for height, text in column.labels:
            box = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
            axis.text(place + 0.04, height, text, fontsize=7, va="center", bbox=box, zorder=4)
    names = [*space, metric]
    logarithmic = ["\n(log)" if column.logarithmic else "" for column in columns.values()]
    ticks = [name.replace("_", "\n") + log for name, log in zip(names, logarithmic)]
    axis.set_xticks(range(len(columns)), ticks, fontsize=8)
    axis.set_yticks([])
    axis.set(title="settings and scores", xlim=(-0.1, len(columns) - 0.5))
    axis.spines[["left", "bottom"]].set_visible(False)
    colour = ScalarMappable(score.norm, colours)
    figure.colorbar(colour, ax=axis, label=metric.replace("_", " "), shrink=0.9, pad=0.01)
    return figure


def importances(importance: pd.DataFrame, trials: int) -> Figure:
    """Plot the importance of each setting.

    Args:
        importance: the table that `kerasseq.tuning.importance.importance` returns.
        trials: number of trials that it was computed from.
    """
    figure, (axis,) = subplots(width=6.0, height=1.2 + 0.32 * len(importance))
    rows = importance.iloc[::-1]
    share, spread = rows["importance"], rows["spread"]
    ends = [np.minimum(spread, share), np.minimum(spread, 1 - share)]  # bars stay within 0 to 1
    axis.barh(rows["setting"], share, xerr=ends, color=TRAIN)
    few = trials < max(_FEW, 2 * len(importance))
    title = f"importance (only {trials} trials: a hint)" if few else "importance"
    axis.set(xlabel="share of what the settings explain", title=title)
    return figure


class _Column:
    """An axis of the parallel coordinates: heights of its values from 0 to 1, and labels.

    Args:
        values: values of the setting, one for each trial.
        kind: range of the setting as text, as in the journal; "" if unknown.
    """

    def __init__(self, values: pd.Series, kind: str) -> None:
        from matplotlib.colors import LogNorm, Normalize

        numeric = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
        present = values.dropna()
        options = sorted(set(present) if numeric else {str(value) for value in present})
        self.logarithmic = False
        if not numeric or "Choice(" in kind or len(options) < 2:
            steps = np.linspace(0, 1, len(options)) if len(options) > 1 else np.array([0.5])
            height = dict(zip(options, steps))
            places = [height.get(v if numeric else str(v), np.nan) for v in values]
            self.norm = Normalize(min(options), max(options)) if numeric and options else None
            self.labels = [
                (height, formatting.cut(numbers.setting(option), _LONG))
                for option, height in height.items()
            ]
        else:
            low, high = float(options[0]), float(options[-1])
            wide = not kind and low > 0 and high / low > _WIDE
            self.logarithmic = "log=True" in kind or wide
            self.norm = LogNorm(low, high) if self.logarithmic else Normalize(low, high)
            places = self.norm(values.to_numpy(float, na_value=np.nan)).filled(np.nan)
            self.labels = [(0.0, f"{low:.3g}"), (1.0, f"{high:.3g}")]
        self.places = np.asarray(places, float)
        missing = values.isna().to_numpy()
        if missing.any():
            self.places[missing] = _NOWHERE
            self.labels = [*self.labels, (_NOWHERE, "none")]


def _sizes(axis: Axes, parameters: pd.Series) -> None:
    """Make the axis of parameters logarithmic, with ticks such as 60k for any range."""
    from matplotlib.ticker import EngFormatter, LogLocator, MaxNLocator, NullLocator

    apart = float(parameters.max() / parameters.min())
    axis.set_xscale("log")
    subs = (1, 2, 3, 5, 7) if apart < 10 else (1, 2, 5) if apart < 1_000 else (1,)
    locator = MaxNLocator(6, steps=(1, 2, 5, 10)) if apart < 2 else LogLocator(subs=subs)
    axis.xaxis.set_major_locator(locator)
    axis.xaxis.set_major_formatter(EngFormatter(sep=""))
    axis.xaxis.set_minor_locator(NullLocator())


def _searched(trials: pd.DataFrame) -> pd.DataFrame:
    return trials[(trials["trial"] != "default") & trials["score"].notna()]
