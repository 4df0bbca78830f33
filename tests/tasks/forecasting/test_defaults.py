"""What is left open is chosen from the series, with a reason."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import kerasseq
from kerasseq.data.series.read import Panel, read_series
from kerasseq.recipes.forecasting import ForecastingSettings
from kerasseq.tasks.forecasting import defaults

RANDOM = np.random.default_rng(0)


def _panel(values: np.ndarray, season: int = 12) -> Panel:
    return read_series(pd.DataFrame({"y": values}), season=season)


def _wave(steps: int, season: int = 12) -> np.ndarray:
    return np.sin(2 * np.pi * np.arange(steps) / season)


def _facts(values: np.ndarray, output: str = "quantiles") -> dict[str, Any]:
    """DataInfo of a series with a season of 12, a lookback of 24 and a horizon of 12."""
    return {
        "suggested": defaults.suggested(_panel(values), output, 24, 12),
        **{"season": 12, "lookback": 24, "horizon": 12},
    }


def _resolved(values: np.ndarray, **given: Any) -> tuple[ForecastingSettings, list[str]]:
    settings = ForecastingSettings(**given)
    return defaults.resolved(_facts(values, settings.output), settings)


@pytest.mark.parametrize(
    ("steps", "season", "expected"),
    [(1000, 12, 12), (60, 12, 6), (1000, 1, 12), (5000, 1440, 96), (5, 1, 1)],
)
def test_the_horizon_is_a_season_that_the_series_have_room_for(
    steps: int, season: int, expected: int
) -> None:
    assert defaults.horizon(_panel(np.arange(steps), season)) == expected


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
    assert defaults.kind(season, back, ahead, known)[0] == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (20 + 0.1 * np.arange(90) + _wave(90), ("hybrid", "standard", "additive")),
        (np.exp(np.arange(90) / 40) * (9 + _wave(90)), ("hybrid", "mean", "multiplicative")),
        (20 + 0.1 * np.arange(300) + 9 * _wave(300), ("hybrid", "standard", "additive")),
        (np.cumsum(RANDOM.normal(size=300)), ("segment", "standard", "last")),
        (np.tile(_wave(300), 20), ("segment", "standard", "last")),
    ],
    ids=["added", "multiplied", "strong", "weak", "many"],
)
def test_few_windows_are_smoothed(values: np.ndarray, expected: tuple[str, str, str]) -> None:
    panel = _panel(values)
    suggested = defaults.suggested(panel, "quantiles", 24, 12)
    seasonality = defaults.seasonality(panel, suggested["scaling"][0])
    facts = {"suggested": suggested, "seasonality": seasonality, "season": 12}
    found, notes = defaults.resolved(
        {**facts, "lookback": 24, "horizon": 12}, ForecastingSettings()
    )
    assert (found.model, found.scaling, found.normalization) == expected
    assert ("windows are few for a network" in notes[0]) == (expected[0] == "hybrid")


def test_smoothing_needs_two_seasons_and_no_counts() -> None:
    panel = _panel(20 + 9 * _wave(300))
    assert defaults.suggested(panel, "quantiles", 24, 12)["model"][0] == "hybrid"
    assert defaults.suggested(panel, "quantiles", 23, 12)["model"][0] != "hybrid"
    assert defaults.suggested(panel, "negative_binomial", 24, 12)["model"][0] != "hybrid"


def test_a_season_of_smoothing_asks_for_the_hybrid() -> None:
    facts = {**_facts(_wave(300)), "seasonality": "additive"}
    found, _ = defaults.resolved(facts, ForecastingSettings(normalization="multiplicative"))
    assert (found.model, found.normalization) == ("hybrid", "multiplicative")
    found, notes = defaults.resolved(facts, ForecastingSettings(model="hybrid"))
    assert (found.model, found.normalization) == ("hybrid", "additive")
    assert "the season is added to the level" in " ".join(notes)
    found, notes = defaults.resolved(facts, ForecastingSettings(normalization="last"))
    assert (found.model, found.normalization) == ("segment", "last")
    assert "holds 2 segments" in notes[0]
    with pytest.raises(ValueError, match="for the kind 'hybrid', and for no other"):
        kerasseq.forecasting("demo", model="hybrid", normalization="last")


def test_spread_that_grows_with_the_level_is_scaled_by_logarithms() -> None:
    level = np.exp(np.linspace(0, 3, 240))
    steady = 20 * level[0] + 10 * np.linspace(0, 3, 240)
    assert defaults.scaling(_panel(level * (10 + _wave(240))), 12)[0] == "log"
    assert defaults.scaling(_panel(steady + _wave(240)), 12)[0] == "standard"
    assert defaults.scaling(_panel(level * (10 + _wave(240)) - 20), 12)[0] == "standard"
    assert defaults.scaling(_panel(level * (10 + _wave(240))), 12, "point")[0] == "standard"


def test_a_season_is_taken_off_where_there_are_few_windows() -> None:
    values = 5 * _wave(300) + RANDOM.normal(size=300)
    assert defaults.normalization(_panel(values), 12, 24, 12)[0] == "seasonal"
    assert defaults.normalization(_panel(np.tile(values, 20)), 12, 24, 12)[0] == "last"
    walk = np.cumsum(RANDOM.normal(size=300))
    assert defaults.normalization(_panel(walk), 12, 24, 12)[0] == "last"
    assert defaults.normalization(_panel(values, 1), 1, 24, 12)[0] == "last"


def test_what_is_settled_is_not_chosen() -> None:
    given = {
        "model": "direct", "segment": 5, "scaling": "mean", "normalization": "none",
        "output": "point", "linear": False, "passes_per_epoch": 1, "point": "mean",
    }  # fmt: skip
    found, notes = _resolved(np.arange(100.0), **given)
    assert found == ForecastingSettings(**given, lookback=24, horizon=12)
    assert notes == []


def test_what_is_left_open_is_chosen_with_a_reason() -> None:
    values = 100 + 5 * _wave(300)
    found, notes = _resolved(values)
    chosen = {name: getattr(found, name) for name in ("model", "scaling", "normalization")}
    assert chosen == {"model": "hybrid", "scaling": "standard", "normalization": "additive"}
    chosen["point"] = "median"
    assert [note.split(": ")[0] for note in notes] == [
        f"{name}={value!r}" for name, value in chosen.items()
    ]
    assert (found.segment, found.linear, found.lookback, found.horizon) == (12, False, 24, 12)
    assert defaults.resolved(_facts(values), found) == (found, [])  # nothing is left open


@pytest.mark.parametrize(
    ("windows", "batch_size", "passes"),
    [(1, 64, 32), (25, 64, 32), (25, 8, 8), (500, 64, 4), (1985, 64, 1), (1984, 64, 2)],
)
def test_an_epoch_of_few_windows_has_enough_training_steps(
    windows: int, batch_size: int, passes: int
) -> None:
    facts = {**_facts(_wave(300)), "windows": windows}
    settings = ForecastingSettings(batch_size=batch_size)
    found, notes = defaults.resolved(facts, settings)
    assert found.passes_per_epoch == passes
    assert passes * -(-windows // batch_size) >= 32
    assert any(note.startswith("passes_per_epoch") for note in notes) == (passes > 1)
    found, notes = defaults.resolved(facts, ForecastingSettings(passes_per_epoch=1))
    assert found.passes_per_epoch == 1


@pytest.mark.parametrize(
    ("windows", "given", "said"),
    [
        (39, {}, "holds 39 windows that do not overlap, and 40 are needed to rely on"),
        (40, {}, ""),
        (189, {"quantiles": (0.025, 0.5)}, "190 are needed to rely on for a 95% interval"),
        (3, {"output": "point"}, "and 4 are needed to calibrate a 80% interval"),
        (4, {"output": "point"}, ""),
        (1, {"calibrate": False}, ""),
    ],
    ids=str,
)
def test_a_validation_part_that_is_too_short_to_calibrate_is_noted(
    windows: int, given: dict[str, Any], said: str
) -> None:
    facts = {**_facts(_wave(300)), "independent": windows}
    notes = list(defaults.resolved(facts, ForecastingSettings(**given))[1])
    assert ("do not overlap" in " ".join(notes)) == bool(said)
    assert said in " ".join(notes)


def test_counts_are_left_as_they_are() -> None:
    found, notes = _resolved(np.arange(100.0), output="negative_binomial")
    assert (found.scaling, found.normalization) == ("none", "instance")
    assert len(notes) == 4


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"linear": True}, ("segment", "only this network has the setting linear=True")),
        ({"attention": True}, ("seq2seq", "only this network has the setting attention=True")),
        (
            {"linear": False, "scheduled_sampling": 0.5},
            ("recursive", "only this network has the setting scheduled_sampling=0.5"),
        ),
        ({}, None),
    ],
    ids=str,
)
def test_a_network_that_another_setting_asks_for_is_taken(
    given: dict[str, Any], expected: tuple[str, str] | None
) -> None:
    settings = ForecastingSettings(**given)
    assert defaults.required_model(settings) == expected
    found, notes = defaults.resolved(_facts(_wave(300)), settings)
    network, why = expected or ("hybrid", "265 windows are few for a network, the season is strong")
    assert found.model == network
    assert notes[0].startswith(f"model={network!r}: {why}")


def test_a_setting_of_another_network_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`attention` is of the kind 'seq2seq'"):
        kerasseq.forecasting("demo", model="direct", attention=True)


@pytest.mark.parametrize(
    ("model", "linear", "expected"),
    [("segment", None, True), ("segment", False, False), ("direct", None, False)],
)
def test_segments_have_a_linear_map_unless_it_is_left_out(
    model: str, linear: bool | None, expected: bool
) -> None:
    found, _ = _resolved(_wave(100), model=model, linear=linear)
    assert found.linear is expected


@pytest.mark.parametrize(
    ("steps", "seasons", "shortest", "expected"),
    [
        (5, None, 10_000, 5),
        (None, None, 10_000, 24),
        (None, 1.0, 10_000, 12),
        (None, 3.5, 10_000, 36),  # whole seasons
        (None, 0.25, 10_000, 3),
        (None, float("inf"), 1012, 492),  # half of what is there
        (None, 4.0, 30, 12),
    ],
)
def test_the_lookback_is_steps_or_a_multiple_that_the_series_have_room_for(
    steps: int | None, seasons: float | None, shortest: int, expected: int
) -> None:
    assert defaults.lookback(steps, seasons, 12, 12, shortest) == expected
