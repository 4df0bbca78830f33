"""What is left open is chosen from the series, with a reason."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import kerasseq
from kerasseq import choices
from kerasseq.data.series import Panel, read_series

NONE = {"attention": False, "scheduled": 0.0}
RANDOM = np.random.default_rng(0)


def _panel(values: np.ndarray, season: int = 12) -> Panel:
    return read_series(pd.DataFrame({"y": values}), season=season)


def _wave(steps: int, season: int = 12) -> np.ndarray:
    return np.sin(2 * np.pi * np.arange(steps) / season)


@pytest.mark.parametrize(
    ("steps", "season", "expected"),
    [(1000, 12, 12), (60, 12, 6), (1000, 1, 12), (5000, 1440, 96), (5, 1, 1)],
)
def test_the_horizon_is_a_season_that_the_series_have_room_for(
    steps: int, season: int, expected: int
) -> None:
    assert choices.horizon(_panel(np.arange(steps), season)) == expected


@pytest.mark.parametrize(
    ("season", "back", "ahead", "known", "expected"),
    [
        (24, 336, 96, [], "segment"),
        (24, 30, 24, [], "direct"),
        (1, 4, 4, [], "direct"),
        (24, 336, 1, [], "direct"),
        (24, 336, 96, ["price"], "seq2seq"),
    ],
)
def test_the_network(season: int, back: int, ahead: int, known: list[str], expected: str) -> None:
    assert choices.kind(season, back, ahead, known)[0] == expected


def test_spread_that_grows_with_the_level_is_scaled_by_logarithms() -> None:
    level = np.exp(np.linspace(0, 3, 240))
    steady = 20 * level[0] + 10 * np.linspace(0, 3, 240)
    assert choices.scaling(_panel(level * (10 + _wave(240))), 12)[0] == "log"
    assert choices.scaling(_panel(steady + _wave(240)), 12)[0] == "standard"
    assert choices.scaling(_panel(level * (10 + _wave(240)) - 20), 12)[0] == "standard"
    assert choices.scaling(_panel(level * (10 + _wave(240))), 12, "point")[0] == "standard"


def test_a_season_is_taken_off_where_there_are_few_windows() -> None:
    values = 5 * _wave(300) + RANDOM.normal(size=300)
    assert choices.normalization(_panel(values), 12, 24, 12)[0] == "seasonal"
    assert choices.normalization(_panel(np.tile(values, 20)), 12, 24, 12)[0] == "last"
    walk = np.cumsum(RANDOM.normal(size=300))
    assert choices.normalization(_panel(walk), 12, 24, 12)[0] == "last"
    assert choices.normalization(_panel(values, 1), 1, 24, 12)[0] == "last"


def test_what_is_settled_is_not_chosen() -> None:
    settings = {
        "model": "direct", "segment": 5, "scaling": "mean", "normalization": "none",
        "output": "point", "linear": False, **NONE,
    }  # fmt: skip
    found, notes = choices.of(_panel(np.arange(100.0)), settings, 24, 12)
    assert found == {
        "model": "direct", "segment": 5, "linear": False, "scaling": "mean", "normalization": "none"
    }  # fmt: skip
    assert notes == []


def test_counts_are_left_as_they_are() -> None:
    settings = {
        "model": "auto", "segment": None, "scaling": "auto", "normalization": "auto",
        "output": "negative_binomial", "linear": False, **NONE,
    }  # fmt: skip
    found, notes = choices.of(_panel(np.arange(100.0)), settings, 24, 12)
    assert (found["scaling"], found["normalization"]) == ("none", "instance")
    assert len(notes) == 3


def test_a_network_that_another_setting_asks_for_is_taken() -> None:
    assert choices.asked({"linear": True, **NONE}) == (
        "segment",
        "linear=True is of this one",
    )
    assert choices.asked({**NONE, "linear": False, "attention": True}) == (
        "seq2seq",
        "attention=True is of this one",
    )
    assert choices.asked({**NONE, "linear": False, "scheduled": 0.5}) == (
        "recursive",
        "scheduled=0.5 is of this one",
    )
    assert choices.asked({"linear": None, **NONE}) is None


def test_a_setting_of_another_network_is_refused_before_any_data_is_read() -> None:
    with pytest.raises(ValueError, match=r"`attention` is of the kind 'seq2seq'"):
        kerasseq.forecasting("no such file", model="direct", attention=True)


@pytest.mark.parametrize(
    ("model", "linear", "expected"),
    [("segment", None, True), ("segment", False, False), ("direct", None, False)],
)
def test_segments_have_a_linear_map_unless_it_is_left_out(
    model: str, linear: bool | None, expected: bool
) -> None:
    settings = {
        "model": model, "segment": None, "scaling": "standard", "normalization": "last",
        "output": "point", "linear": linear, **NONE,
    }  # fmt: skip
    found, _ = choices.of(_panel(_wave(100)), settings, 24, 12)
    assert found["linear"] is expected
