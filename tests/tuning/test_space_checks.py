"""What the caller of a search asks for."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest

import kerasseq
from kerasseq.settings import Choice, Conditional, Float, Int
from kerasseq.tuning.space_checks import check_space
from kerasseq.tuning.task import lookup_recipe
from tests import toy as toys


def _asked(recipe: str, space: Any = None, **settings: Any) -> tuple[Any, dict[str, Any]]:
    task, defaults, _ = lookup_recipe(recipe)
    return check_space(task, defaults, space, settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"target": ["y", "x"]},
        {"target": "a,b"},
        {"target": "2024"},
        {"target": "1..5"},
        {"past": ["x"]},
        {"quantiles": [0.1, 0.5, 0.9]},
        {"lags": [1, 7]},
        {"time": "none"},
    ],
)
def test_an_argument_of_the_recipe_is_taken_as_it_is(settings: dict[str, Any]) -> None:
    space, values = _asked("forecasting", horizon=3, lookback=14, **settings)
    (name,) = settings
    assert name not in space
    assert values[name] == settings[name]


@pytest.mark.thorough
def test_a_search_reads_its_data_as_the_recipe_does(tmp_path: Path) -> None:
    steps = np.arange(150.0)
    table = pd.DataFrame({"time": pd.date_range("2024-01-01", periods=150), "a,b": np.sin(steps)})
    table["other"] = steps
    options: dict[str, Any] = {"horizon": 3, "lookback": 8, "epochs": 1, "model": "direct"}
    values = kerasseq.tune(
        "forecasting",
        table,
        target=["a,b"],
        trials=1,
        space={"units": [2, 3]},
        quiet=True,
        out=tmp_path / "search",
        **options,
    )
    assert set(values.trials["status"]) == {"completed"}, values.trials["reason"].tolist()
    assert "target" not in values.trials
    assert values.best.settings["target"] == ["a,b"]
    assert not any("2 targets" in note for note in values.best.notes)
    with pytest.raises(ValueError, match="nonsense"):
        kerasseq.tune("forecasting", table, target="nonsense", trials=1, quiet=True, **options)


def test_a_range_may_be_given_as_an_argument() -> None:
    space, _ = _asked("sentiment", units=Int(4, 8))
    assert space["units"] == Int(4, 8)


@pytest.mark.parametrize(
    ("recipe", "settings", "name"),
    [
        ("sentiment", {"optimizer": keras.optimizers.Adam(1e-2)}, "learning_rate"),
        ("forecasting", {"lookback": 14}, "lookback_seasons"),
    ],
)
def test_an_argument_takes_the_place_of_a_range_of_the_recipe(
    recipe: str, settings: dict[str, Any], name: str
) -> None:
    assert name in _asked(recipe)[0]
    space, values = _asked(recipe, **settings)
    assert name not in space
    assert values == lookup_recipe(recipe)[1] | settings
    # Also where it is the only value of the space; but the caller's own range is refused.
    assert _asked(recipe, settings) == (space, values)
    with pytest.raises(ValueError, match=f"the range of {name} has 1.5, which is invalid"):
        _asked(recipe, {name: "1.5..2.0"}, **settings)


def test_a_range_takes_the_place_of_one_of_the_recipe_that_excludes_it() -> None:
    space, _ = _asked("forecasting", {"lookback": [None, 14, 28]})
    assert {*_asked("forecasting")[0]} - {*space} == {"lookback_seasons"}
    assert "lookback_seasons" in _asked("forecasting", {"units": "4..8", "segment": [7, 14]})[0]


def test_what_varies_with_a_setting_stays_where_that_is_narrowed() -> None:
    values, _ = _asked("forecasting", {"model": ["segment", "seq2seq"]})
    assert {"attention", "linear", "lookback_seasons"} <= {*values}


def test_a_setting_that_needs_some_of_a_range_is_told() -> None:
    with pytest.raises(ValueError, match="the range of model has 'direct', which is invalid"):
        _asked("forecasting", attention=True)


@pytest.mark.parametrize(
    ("recipe", "name", "value"),
    [
        ("forecasting", "target", ["a", "b"]),
        ("sentiment", "text", ["a", "b"]),
        ("captioning", "size", "32..64"),
    ],
)
def test_how_data_is_read_cannot_vary(recipe: str, name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{name} says how the data is read"):
        _asked(recipe, {name: value})


@pytest.mark.parametrize(
    ("space", "told"),
    [
        ({"cell": ["grux", "gru"]}, "the range of cell has 'grux', which is invalid"),
        ({"cell": [None, "gru"]}, "the range of cell has None"),
        ({"dropout": "0..2"}, "the range of dropout has 2"),
        ({"dropout": [0.1, 5]}, "the range of dropout has 5"),
        ({"units": "-3..8"}, "the range of units has -3"),
        ({"units": "4.5..8"}, "the range of units has 4.5"),
        ({"units": Int(4.5, 8)}, "must have whole numbers"),  # type: ignore[arg-type]
        ({"units": "8..16:0"}, "the steps of units must be at least 1"),
        ({"dropout": Float(0, float("inf"))}, "the range of dropout must have numbers"),
        ({"cell": Choice("gru")}, "the options of cell must be a list"),  # type: ignore[arg-type]
        ({"dropout": Conditional("cell", (), Float(0, 0.5))}, "a list of values of cell"),
        ({"dropout": Conditional("cell", "gru", Float(0, 0.5))}, "a list of values of cell"),  # type: ignore[arg-type]
        (
            {"dropout": Conditional("cell", ("grux",), Float(0, 0.5))},
            "cell='grux', which is not in the range",
        ),
        (
            {"dropout": Conditional("cell", ("gru",), Conditional("units", (8,), Float(0, 0.5)))},  # type: ignore[arg-type]
            "can vary with one other setting alone",
        ),
        ({"seed": [1, 2]}, "seed cannot vary: seeds=3"),
        ({"test": [0.1, 0.3]}, "test says what trials are scored on"),
        ({"validation": "0.1..0.3"}, "validation says what trials are scored on"),
        ({"epochs": [1, 2]}, "epochs cannot vary: trials have a column of that name"),
        ({"units": "2..99999999999:log"}, "the range of units must end at 2,147,483,647 at most"),
        (
            {"zoneout": "0.1,0.2 if cell=gru", "dropout": "0.1..0.2 if zoneout=0.2"},
            "dropout is to vary with zoneout, which is conditional itself",
        ),
        ({"zoneout": "0.1..0.2 if zoneout=0.1"}, "which is conditional itself"),
        ("units=3", "space must be a dict"),
        ({"clip": [0.5, 1.0]}, "'clip' was renamed to 'clipnorm'"),
        ({"unit": "8..16"}, "there is no setting 'unit'. Did you mean 'units'?"),
        (
            {"optimizer": [keras.optimizers.Adam(), "sgd"]},
            "the options of optimizer must be values",
        ),
        ({"optimizer": ["adam", "gradient"]}, "the range of optimizer has 'gradient'"),
        ({"weight_decay": "-1.0..0.1"}, "the range of weight_decay has -1.0"),
    ],
)
def test_ranges_that_cannot_be_are_refused(space: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        _asked("sentiment", space)


def test_options_may_be_a_tuple() -> None:
    assert _asked("sentiment", {"cell": ("gru", "lstm")})[0]["cell"] == Choice(("gru", "lstm"))


def test_how_far_ahead_to_forecast_cannot_vary() -> None:
    with pytest.raises(ValueError, match=r"^horizon says what trials are scored on"):
        _asked("forecasting", {"horizon": [3, 6]})


@pytest.mark.parametrize("name", ["hidden_toy", "sentiment"])  # the latter is another one's
def test_a_recipe_of_which_no_run_can_be_loaded_is_refused_at_once(
    name: str, tmp_path: Path
) -> None:
    unregistered = kerasseq.recipe(toys.ToySettings, toys.Toy, name=name)
    told = f"by which its runs are loaded: '{name}' is not. Call kerasseq.register"
    with pytest.raises(ValueError, match=told):
        kerasseq.tune(unregistered, out=tmp_path / "a", quiet=True)
    assert not (tmp_path / "a").exists()


def test_a_value_that_is_possible_with_some_others_may_vary() -> None:
    space = {"model": ["direct", "seq2seq"], "attention": [True, False]}
    values, _ = _asked("forecasting", space)
    assert values["attention"] == Choice((True, False))
    assert "scheduled_sampling" not in values  # which is of another model


def test_what_the_recipe_varies_with_a_setting_is_narrowed_with_it() -> None:
    values, _ = _asked("sentiment", {"ngrams": [0, 2]})
    assert values["ngram_count"] == Conditional("ngrams", (2,), Choice((1, 2, 3)))
    assert "ngram_count" not in _asked("sentiment", {"ngrams": [0]})[0]
    assert _asked("sentiment", {"ngrams": 2})[0]["ngram_count"] == Choice((1, 2, 3))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"prune": "yes"}, "prune must be one of False, True"),
        ({"seconds": "x"}, "seconds must be a number above zero"),
        ({"seconds": float("inf")}, "seconds must be a number above zero"),
        ({"seconds": True}, "seconds must be a number above zero"),
        ({"out": 3}, "out must be a path"),
        ({"out": ""}, "out must be a path"),
        ({"tensorboard": 3}, "tensorboard must be a path"),
        ({"match_params": 20_000, "units": 8}, "match_params sets units: leave units out"),
        ({"final": "all"}, "training and validation part together: leave final= out.*final='all'"),
        ({"space": {"final": ["train", "all"]}}, "leave final= out"),
        ({"max_bytes": 10}, r"so few bytes of parameters.*max_bytes=10$"),
        ({"folds": 100_000}, "folds"),
        ({"chief": "no.such.host.invalid:7000"}, "chief must be an address of this machine"),
    ],
)
def test_options_that_cannot_be_leave_nothing(
    options: dict[str, Any], told: str, tmp_path: Path
) -> None:
    given = {"out": tmp_path / "search", "quiet": True, "trials": 1, **options}
    with pytest.raises(ValueError, match=told):
        kerasseq.tune("sentiment", ngrams=0, **given)
    assert not (tmp_path / "search").exists()


def test_a_port_that_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ValueError, match="with a free port"):
            kerasseq.tune("sentiment", chief=f"127.0.0.1:{port}", quiet=True)
