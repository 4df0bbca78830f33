"""Point forecasts: the mean or the median, and whether they add up.

It needs no backend, so that settings that contradict each other are told at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from kerasseq.recipes.forecasting import ForecastingSettings

__all__ = ["are_counts", "default_point", "point_fault", "sum_ratio", "sum_remark"]

_SKEWING = ("log", "boxcox")  # scalings whose inverse does not keep the mean
_ADDS_UP = 0.05  # deviation of sums, as a share, from which a remark says so
_ZEROS = 0.05  # least share of zeros of counts whose median is far from their mean


def default_point(output: str, loss: str, scaling: str) -> tuple[str, str]:
    """What a forecast is by default, "mean", "median" or "auto" for neither, and the reason.

    Args:
        output: the setting `output`.
        loss: the setting `loss`, for the output "point".
        scaling: scaling of the targets.

    Example:

    >>> default_point("quantiles", "mse", "log")[0], default_point("point", "mse", "standard")[0]
    ('median', 'mean')
    """
    skewing = scaling in _SKEWING
    if output == "quantiles":
        return "median", "the forecast is the middle quantile; means add up better (point='mean')"
    if output != "point":
        if skewing:
            return "median", f"scaling={scaling!r} keeps the median of the output {output!r}"
        return "mean", f"the forecast is the mean of the output {output!r}"
    if loss == "mae":
        return "median", "loss='mae' learns the median"
    if loss == "mse" and not skewing:
        return "mean", "loss='mse' learns the mean"
    scaled = f" of values with scaling={scaling!r}" * skewing
    return "auto", f"the forecast is what loss={loss!r} learns{scaled}, neither mean nor median"


def point_fault(settings: ForecastingSettings) -> str | None:
    """The reason why the setting `point` cannot be met; None if it can."""
    if settings.point == "auto" or settings.output == "quantiles":
        return None
    remedy = f"Received: point={settings.point!r}"
    if settings.output == "point":
        loss = "mae" if settings.point == "median" else "mse"
        if settings.loss != loss:
            return (
                f"a point forecast is the {settings.point} with loss={loss!r}, or take "
                f"output='quantiles'. {remedy}, loss={settings.loss!r}"
            )
    if settings.point == "mean" and settings.scaling in _SKEWING:
        return (
            f"point='mean' with scaling={settings.scaling!r} needs output='quantiles', over which "
            f"it is computed in the units of the data. {remedy}, output={settings.output!r}"
        )
    return None


def sum_ratio(truth: np.ndarray, point: np.ndarray) -> float | None:
    """Sum of forecasts relative to the sum of actual values; None if values are negative or 0.

    Args:
        truth: actual values, of any shape; NaN where not observed.
        point: forecasts, of the same shape.

    Example:

    >>> sum_ratio(np.array([4.0, np.nan, 6.0]), np.array([4.0, 5.0, 5.0]))
    0.9
    """
    observed = ~np.isnan(truth)
    total = float(truth[observed].sum(dtype=float))
    if total <= 0 or (truth[observed] < 0).any():
        return None
    return float(point[observed].sum(dtype=float)) / total


def are_counts(values: np.ndarray) -> bool:
    """Whether values are counts with zeros, and more dispersed than a Poisson distribution.

    Args:
        values: actual values, of any shape; NaN where not observed.

    Example:

    >>> are_counts(np.array([0, 0, 5, 1])), are_counts(np.array([1, 2, 5])), are_counts(np.ones(3))
    (True, False, False)
    """
    observed = values[~np.isnan(values)].astype(float)
    if not observed.size or (observed < 0).any() or (observed != np.floor(observed)).any():
        return False
    return bool(np.mean(observed == 0) >= _ZEROS and observed.var() > observed.mean())


def sum_remark(ratio: float | None, point: str, counts: bool = False) -> str | None:
    """A remark for forecasts that do not add up; None if they do.

    Args:
        ratio: the result of `sum_ratio`.
        point: what the forecasts are, "mean", "median" or "auto".
        counts: whether they are of counts, see `are_counts`.

    Example:

    >>> print(sum_remark(0.62, "mean"))
    forecasts add up to 62% of the actual values
    """
    if ratio is None or abs(ratio - 1) <= _ADDS_UP:
        return None
    remedy = "point='mean'" + ", of counts with output='negative_binomial'" * counts
    cause = f"; they are medians, which need not add up: {remedy}" * (point == "median")
    return f"forecasts add up to {ratio:.0%} of the actual values{cause}"
