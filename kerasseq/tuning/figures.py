"""Pictures of a search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from kerasseq.plots import FAINT, TRAIN, VALIDATION, subplots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["importances", "parallel", "pareto", "score_by_parameters", "score_by_trial"]


def score_by_trial(trials: pd.DataFrame, metric: str, higher_is_better: bool) -> Figure:
    """The score of each trial in the order in which they began, and the best so far."""
    own = _searched(trials).sort_values("trial")
    figure, (axis,) = subplots(width=6.0)
    places = np.arange(1, len(own) + 1)
    best = own["score"].cummax() if higher_is_better else own["score"].cummin()
    axis.errorbar(
        places, own["score"], own["spread"].fillna(0.0), fmt="o", color=FAINT, label="trial"
    )
    axis.step(places, best, where="post", color=TRAIN, label="best so far")
    _default(axis, trials)
    axis.set(xlabel="trial", ylabel=metric.replace("_", " "), title="score by trial")
    axis.legend(frameon=False)
    return figure


def score_by_parameters(trials: pd.DataFrame, metric: str, higher_is_better: bool) -> Figure:
    """The score of each trial against its parameters, and those that none beats in both."""
    own = _searched(trials)
    figure, (axis,) = subplots(width=6.0)
    axis.scatter(own["parameters"], own["score"], color=FAINT, label="trial")
    front = pareto(own, higher_is_better)
    axis.step(
        front["parameters"],
        front["score"],
        where="post",
        marker="o",
        color=TRAIN,
        label="best for its size",
    )
    default = trials[trials["trial"] == "default"]
    axis.scatter(
        default["parameters"], default["score"], color=VALIDATION, marker="D", label="default"
    )
    axis.set(
        xscale="log",
        xlabel="parameters",
        ylabel=metric.replace("_", " "),
        title="score against parameters",
    )
    axis.legend(frameon=False)
    return figure


def pareto(trials: pd.DataFrame, higher_is_better: bool) -> pd.DataFrame:
    """The trials that no other one beats with as few parameters, by parameters.

    >>> trials = pd.DataFrame({"parameters": [9, 5, 7], "score": [0.9, 0.7, 0.6]})
    >>> pareto(trials, higher_is_better=True)["parameters"].tolist()
    [5, 9]
    """
    own = trials.sort_values(["parameters", "score"], ascending=[True, not higher_is_better])
    worth = own["score"] if higher_is_better else -own["score"]
    before = worth.cummax().shift(fill_value=-np.inf)
    return own[worth > before]


def parallel(trials: pd.DataFrame, settings: list[str], metric: str) -> Figure:
    """A line for each trial through its settings to its score, coloured by the score."""
    from matplotlib import colormaps

    own = _searched(trials)
    figure, (axis,) = subplots(width=min(1.6 + 1.3 * (len(settings) + 1), 11.0), height=4.2)
    columns = [*settings, "score"]
    scaled = {name: _placed(own[name]) for name in columns}
    colours = colormaps["viridis"](scaled["score"][0])
    for row, colour in enumerate(colours):
        axis.plot(
            range(len(columns)), [scaled[n][0][row] for n in columns], color=colour, alpha=0.7
        )
    for place, name in enumerate(columns):
        axis.axvline(place, color=FAINT, linewidth=0.8)
        for height, text in scaled[name][1]:
            axis.text(place + 0.04, height, text, fontsize=7, va="center")
    names = [*settings, metric]
    axis.set_xticks(range(len(names)), [name.replace("_", "\n") for name in names], fontsize=8)
    axis.set_yticks([])
    axis.set(title="settings and scores", xlim=(-0.1, len(columns) - 0.5))
    axis.spines[["left", "bottom"]].set_visible(False)
    return figure


def importances(found: pd.DataFrame) -> Figure:
    """How much each setting matters; see `kerasseq.tuning.importance`."""
    figure, (axis,) = subplots(width=6.0, height=1.2 + 0.32 * len(found))
    own = found.iloc[::-1]
    axis.barh(own["setting"], own["importance"], xerr=own["spread"], color=TRAIN)
    axis.set(xlabel="share of what the settings explain", title="importance")
    return figure


def _searched(trials: pd.DataFrame) -> pd.DataFrame:
    return trials[(trials["trial"] != "default") & trials["score"].notna()]


def _default(axis: Any, trials: pd.DataFrame) -> None:
    score = trials.loc[trials["trial"] == "default", "score"].dropna()
    if len(score):
        axis.axhline(score.item(), color=VALIDATION, linestyle=":", label="default")


def _placed(values: pd.Series) -> tuple[np.ndarray, list[tuple[float, str]]]:
    """Where values stand between 0 and 1, and what is written there."""
    if not pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
        options = sorted({str(value) for value in values})
        heights = np.linspace(0, 1, len(options)) if len(options) > 1 else np.array([0.5])
        place = dict(zip(options, heights))
        return np.array([place[str(value)] for value in values]), [
            (height, option) for option, height in place.items()
        ]
    own = values.to_numpy(float)
    low, high = float(np.nanmin(own)), float(np.nanmax(own))
    if low == high:
        return np.full(len(own), 0.5), [(0.5, f"{low:.3g}")]
    logarithmic = low > 0 and high / low > 20
    scale = np.log if logarithmic else np.asarray
    share = (scale(own) - scale(low)) / (scale(high) - scale(low))
    return np.nan_to_num(share), [(0.0, f"{low:.3g}"), (1.0, f"{high:.3g}")]
