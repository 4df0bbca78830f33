"""Figures of forecasts show the numbers that they are given."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.dates import num2date

from kerasseq.evaluation.plots import save
from kerasseq.tasks.forecasting import plots
from kerasseq.tasks.forecasting.plots import Fan

HOURS = pd.date_range("2024-03-31", periods=7, freq="h", tz="Europe/Berlin")


def _fan(index: pd.Index, history: list[float], **changes: Any) -> Fan:
    steps = len(index) - len(history)
    point = np.arange(10.0, 10 + steps)
    given: dict[str, Any] = {
        "title": "load",
        "history": pd.Series(history, index[: len(history)]),
        "forecast": pd.Series(point, index[len(history) :]),
        "quantiles": {0.1: point - 2, 0.5: point, 0.9: point + 2},
        "truth": point + 1,
    }
    return Fan(**{**given, **changes})


def _lines(axis: Any) -> dict[str, list[float]]:
    return {line.get_label(): list(line.get_ydata()) for line in axis.lines}


def _legend(figure: Any) -> list[str]:
    (legend,) = figure.legends
    return [text.get_text() for text in legend.get_texts()]


def test_a_fan_opens_where_the_history_ends() -> None:
    figure = plots.fans([_fan(pd.RangeIndex(5), [5.0, 6.0, 7.0])])
    (axis,) = figure.axes
    assert _lines(axis) == {
        "observed": [5, 6, 7],
        "forecast": [7, 10, 11],
        "actual": [7, 11, 12],
    }
    assert [list(line.get_xdata()) for line in axis.lines] == [[0, 1, 2], [2, 3, 4], [2, 3, 4]]
    (band,) = axis.collections
    corners = {tuple(corner) for corner in band.get_paths()[0].vertices}
    assert corners == {(2, 7), (3, 8), (4, 9), (4, 13), (3, 12)}
    assert _legend(figure) == ["observed", "80% interval", "forecast", "actual"]
    assert axis.get_title() == "load"


def test_a_fan_opens_at_what_was_observed_last() -> None:
    (axis,) = plots.fans([_fan(pd.RangeIndex(5), [5.0, 6.0, np.nan])]).axes
    assert list(axis.lines[1].get_xdata()) == [1, 3, 4]
    assert _lines(axis)["forecast"] == [6, 10, 11]
    np.testing.assert_array_equal(axis.lines[0].get_ydata(), [5, 6, np.nan])


def test_without_any_history_or_quantiles_there_is_a_line() -> None:
    fan = _fan(pd.RangeIndex(4), [np.nan, np.nan], quantiles={}, truth=None)
    figure = plots.fans([fan])
    assert _lines(figure.axes[0])["forecast"] == [10, 11]
    assert _legend(figure) == ["observed", "forecast"]


def test_stamps_are_those_of_the_clocks_on_the_spot() -> None:
    (axis,) = plots.fans([_fan(HOURS, [5.0, 6.0, 7.0])]).axes
    shown = axis.xaxis.convert_units(axis.lines[1].get_xdata())
    # The clocks go from 2 to 3 at the second step of the history.
    assert [num2date(own).hour for own in shown] == [3, 4, 5, 6, 7]


def test_intervals_are_nested_and_named_once() -> None:
    point = np.array([1.0])
    quantiles = {q: point * q for q in (0.05, 0.25, 0.5, 0.75, 0.95, 0.99)}
    one = _fan(pd.RangeIndex(2), [1.0], quantiles=quantiles)
    figure = plots.fans([one, one])
    assert [len(axis.collections) for axis in figure.axes] == [2, 2]
    assert _legend(figure) == ["observed", "90%, 50% intervals", "forecast", "actual"]


def test_error_by_step_has_a_line_for_each() -> None:
    errors = {"this model": [1.0, 2.0, 3.0], "last value": [2.0, None, 6.0]}
    (axis,) = plots.error_by_step(errors, "mae").axes
    found = _lines(axis)
    assert found["this model"] == [1, 2, 3]
    np.testing.assert_array_equal(found["last value"], [2, np.nan, 6])
    assert list(axis.lines[0].get_xdata()) == [1, 2, 3]
    assert axis.get_ylabel() == "MAE"
    assert axis.get_ylim()[0] == 0


def test_steps_are_whole_numbers() -> None:
    (axis,) = plots.error_by_step({"this model": [1.0]}).axes
    low, high = axis.get_xlim()
    assert [tick for tick in axis.get_xticks() if low <= tick <= high] == [1]


def test_the_model_stands_out() -> None:
    errors = {name: [1.0, 2.0] for name in "abcdefgh"}
    (axis,) = plots.error_by_step(errors).axes
    model, *others = axis.lines
    assert all(line.get_linewidth() < model.get_linewidth() for line in others)
    assert model.get_color() not in {line.get_color() for line in others}
    assert len(others) == 7


def test_coverage_by_level_stands_beside_the_diagonal() -> None:
    found = {"this model": {"levels": [0.1, 0.9], "shares": [0.2, 0.85]}}
    (axis,) = plots.coverage_by_level(found).axes
    assert _lines(axis) == {"perfect": [0, 1], "this model": [0.2, 0.85]}
    assert list(axis.lines[1].get_xdata()) == [0.1, 0.9]


@pytest.mark.parametrize("index", [HOURS, pd.RangeIndex(7)])
def test_figures_are_saved(tmp_path: Path, index: pd.Index) -> None:
    figures = {
        "forecast": plots.fans([_fan(index, [5.0, 6.0, 7.0])]),
        "error": plots.error_by_step({"this model": [1.0, 2.0]}),
        "coverage": plots.coverage_by_level({"m": {"levels": [0.5], "shares": [0.4]}}),
    }
    save(figures, tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {f"{name}.png" for name in figures}


def test_drawing_leaves_pyplot_alone() -> None:
    code = (
        "import sys; from kerasseq.tasks.forecasting import plots; "
        "plots.error_by_step({'m': [1.0]}); "
        "assert not {'matplotlib.pyplot', 'keras'} & set(sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
