"""Images of searches say what the table says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from kerasseq.tuning import figures

SPACE = {
    "cell": "Choice(options=('gru', 'lstm'))",
    "learning_rate": "Float(low=0.0001, high=0.01, log=True)",
    "dropout": "Float(low=0.0, high=0.7, log=False)",
    "zoneout": "Conditional(setting='cell', values=('lstm',), range=Float(low=0, high=1))",
}


def _trials(**columns: Any) -> pd.DataFrame:
    """Trials of rising score and learning rate, and the recipe's own setting."""
    table = pd.DataFrame(
        {
            "trial": [f"{place:04d}" for place in range(4)],
            "cell": ["gru", "lstm"] * 2,
            "learning_rate": np.geomspace(1e-4, 1e-2, 4),
            "dropout": np.linspace(0.01, 0.7, 4),
            "zoneout": [None, 0.5, None, 0.9],
            "score": np.linspace(0.6, 0.9, 4),
            "spread": np.nan,
            "parameters": np.geomspace(60_000, 100_000, 4).astype(int),
        }
    ).assign(**columns)
    default = {"trial": "default", "cell": "lstm", "score": table["score"].max()}
    default |= {"learning_rate": 1e-3, "dropout": 0.5, "parameters": table["parameters"].iloc[-1]}
    frame = pd.concat([table, pd.DataFrame([default])], ignore_index=True)
    return frame.astype({"parameters": "Int64"})


def _axis(figure: Figure) -> Axes:
    figure.draw_without_rendering()
    return figure.axes[0]


def _legend(axis: Axes) -> dict[str, Any]:
    handles, names = axis.get_legend_handles_labels()
    return dict(zip(names, handles))


def _ticks(axis: Axes) -> list[str]:
    low, high = axis.get_xlim()
    ticks = zip(axis.get_xticks(), axis.get_xticklabels())
    return [text.get_text() for place, text in ticks if low <= place <= high]


def test_trials_stand_at_their_names_below_the_line_of_the_default() -> None:
    trials = _trials().drop(index=1)  # which failed
    axis = _axis(figures.score_by_trial(trials, "accuracy", True))
    shown = _legend(axis)
    assert shown["trial"].get_xdata().tolist() == [0, 2, 3]
    assert all(float(text.replace("\N{MINUS SIGN}", "-")).is_integer() for text in _ticks(axis))
    assert shown["default"].get_zorder() > shown["best so far"].get_zorder()
    assert shown["default"].is_dashed()


def test_error_bars_are_drawn_where_there_is_a_spread() -> None:
    assert not _axis(figures.score_by_trial(_trials(), "accuracy", True)).containers
    trials = _trials(spread=0.1)
    assert _axis(figures.score_by_trial(trials, "accuracy", True)).containers


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ([60_000, 70_000, 80_000, 100_000], {"60k", "80k", "100k"}),
        ([450_000, 500_000, 510_000, 1_200_000], {"500k", "700k", "1M"}),
        ([1_000, 2_000, 50_000, 100_000], {"1k", "2k", "5k", "10k", "20k", "50k", "100k"}),
        ([10, 2_000, 50_000, 10_000_000], {"10", "1k", "100k", "10M"}),
        ([80_000] * 4, {"80k"}),
    ],
)
def test_parameters_are_written_out_however_far_apart(
    parameters: list[int], told: set[str]
) -> None:
    trials = _trials(parameters=parameters)
    axis = _axis(figures.score_by_parameters(trials, "accuracy", True))
    assert axis.get_xscale() == "log"
    assert told <= {*_ticks(axis)}
    assert 1 <= len(_ticks(axis)) <= 9


def test_a_default_that_could_not_be_trained_is_in_no_image() -> None:
    trials = _trials()
    trials.loc[4, ["score", "parameters"]] = None
    assert "default" not in _legend(_axis(figures.score_by_parameters(trials, "accuracy", True)))
    assert "default" not in _legend(_axis(figures.score_by_trial(trials, "accuracy", True)))


def test_lines_go_through_settings_as_they_were_drawn() -> None:
    figure = figures.parallel(_trials(), "accuracy", True, SPACE)
    axis = _axis(figure)
    lines = np.array([line.get_ydata() for line in axis.lines[:4]])
    third = np.linspace(0, 1, 4)
    np.testing.assert_allclose(lines[:, 1], third, atol=1e-9)  # rates are even by logarithm
    np.testing.assert_allclose(lines[:, 2], third, atol=1e-9)  # dropouts by themselves
    np.testing.assert_allclose(lines[:, 4], third, atol=1e-9)  # scores; the best is drawn last
    assert lines[:, 0].tolist() == [0, 1, 0, 1]
    assert lines[0, 3] == lines[2, 3] < lines[:, 4].min()  # what has no zoneout is below it
    assert _ticks(axis) == ["cell", "learning\nrate\n(log)", "dropout", "zoneout", "accuracy"]
    assert figure.axes[1].get_ylabel() == "accuracy"  # the colour bar
    assert axis.texts
    boxes = [text.get_bbox_patch() for text in axis.texts if isinstance(text, Text)]
    assert all(box is not None and box.get_facecolor() == (1, 1, 1, 1) for box in boxes)


@pytest.mark.parametrize("higher_is_better", [True, False])
def test_the_best_trial_is_drawn_last_and_darkest(higher_is_better: bool) -> None:
    axis = _axis(figures.parallel(_trials(), "score", higher_is_better, SPACE))
    lines = axis.lines[:4]
    assert [line.get_ydata()[-1] for line in lines][-1] == (1.0 if higher_is_better else 0.0)
    light = [sum(line.get_color()[:3]) for line in lines]
    assert light == sorted(light, reverse=True)


def test_wide_values_without_a_known_range_are_placed_by_logarithm() -> None:
    trials = _trials(units=[1, 10, 100, 1000], score=[0.5, 1.0, 2.0, 3.0])
    axis = _axis(figures.parallel(trials, "mase", False, {"units": ""}))
    assert _ticks(axis) == ["units\n(log)", "mase"]


def test_importance_stays_within_shares_and_says_when_it_is_a_hint() -> None:
    table = pd.DataFrame({"setting": ["a", "b"], "importance": [0.9, 0.1], "spread": [0.3, 0.2]})
    axis = _axis(figures.importances(table, 14))
    assert axis.get_title() == "importance (only 14 trials: a hint)"
    (ends,) = (part.get_segments() for part in axis.collections)
    assert [tuple(np.round(segment[:, 0], 9)) for segment in ends] == [(0.0, 0.3), (0.6, 1.0)]
    assert _axis(figures.importances(table, 15)).get_title() == "importance"
    many = pd.concat([table] * 5)
    assert "a hint" in _axis(figures.importances(many, 19)).get_title()
