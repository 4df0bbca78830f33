"""What a forecast is, mean or median, follows from output, loss and scaling."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kerasseq.recipes.forecasting import ForecastingSettings
from kerasseq.tasks.forecasting.point import (
    are_counts,
    default_point,
    point_fault,
    sum_ratio,
    sum_remark,
)


@pytest.mark.parametrize(
    ("output", "loss", "scaling", "expected"),
    [
        ("quantiles", "mse", "standard", "median"),
        ("quantiles", "mse", "log", "median"),
        ("normal", "mse", "standard", "mean"),
        ("student_t", "mse", "boxcox", "median"),
        ("negative_binomial", "mse", "none", "mean"),
        ("point", "mse", "robust", "mean"),
        ("point", "mse", "log", "auto"),
        ("point", "mae", "log", "median"),
        ("point", "huber", "standard", "auto"),
    ],
)
def test_the_default_is_what_was_learned(
    output: str, loss: str, scaling: str, expected: str
) -> None:
    point, reason = default_point(output, loss, scaling)
    assert point == expected
    assert ("neither mean nor median" in reason) == (expected == "auto")


@pytest.mark.parametrize(
    ("changes", "remedy"),
    [
        ({"output": "point", "point": "median"}, "loss='mae'"),
        ({"output": "point", "point": "mean", "loss": "huber"}, "loss='mse'"),
        ({"output": "point", "point": "mean", "scaling": "log"}, "output='quantiles'"),
        ({"output": "normal", "point": "mean", "scaling": "boxcox"}, "output='quantiles'"),
        ({"output": "normal", "point": "median", "scaling": "boxcox"}, None),
        ({"output": "quantiles", "point": "mean", "scaling": "log"}, None),
        ({"output": "point", "point": "mean"}, None),
        ({"output": "negative_binomial", "point": "median"}, None),
    ],
    ids=str,
)
def test_what_was_not_learned_is_refused_with_the_remedy(
    changes: dict[str, Any], remedy: str | None
) -> None:
    fault = point_fault(ForecastingSettings(**changes))
    assert fault is None if remedy is None else remedy in str(fault)


def test_only_amounts_add_up() -> None:
    assert sum_ratio(np.array([1.0, np.nan, 3.0]), np.array([1.0, 9.0, 1.0])) == 0.5
    assert sum_ratio(np.array([1.0, -3.0]), np.array([1.0, 1.0])) is None
    assert sum_ratio(np.zeros(3), np.ones(3)) is None


def test_sums_within_five_percent_need_no_remark() -> None:
    assert sum_remark(None, "median") is sum_remark(0.951, "median") is None
    assert "point='mean'" in str(sum_remark(1.2, "median"))
    assert "point" not in str(sum_remark(0.8, "mean"))
    assert "of counts with output='negative_binomial'" in str(sum_remark(0.8, "median", True))
    assert "counts" not in str(sum_remark(0.8, "mean", True))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0, 0.0, np.nan, 7.0], True),
        ([0.5, 0.0, 7.0], False),
        ([-1.0, 0.0, 7.0], False),
        ([3.0, 1.0, 70.0], False),
        ([0.0, 1.0, 1.0, 1.0], False),
        ([np.nan], False),
    ],
    ids=str,
)
def test_counts_have_zeros_and_vary(values: list[float], expected: bool) -> None:
    assert are_counts(np.array(values)) is expected
