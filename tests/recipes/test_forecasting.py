"""Forecasting from a table to a saved run, and one clear sentence for whatever cannot be."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kerasseq
from kerasseq.cli import main
from kerasseq.recipes import forecasting
from kerasseq.recipes.forecasting import ForecastingSettings
from kerasseq.runs import ClassificationRun, Run
from kerasseq.tasks import perform
from kerasseq.tasks.forecasting import ForecastRun
from tests.golden.replay import RUNS
from tests.thorough import examples

TASK = kerasseq.forecasting.task
SMALL: dict[str, Any] = {
    "horizon": 3, "lookback": 7, "units": 4, "epochs": 1, "batch_size": 32, "quiet": True,
    "scaling": "standard", "final": "train",
}  # fmt: skip
BASELINES = ["last value", "drift", "nlinear", "seasonal naive", "theta", "exponential smoothing"]
SCORES = ["mae", "rmse", "smape", "mase", "rmsse", "pinball", "crps", "coverage", "width"]


def _table(days: int = 90, names: tuple[str, ...] = ("a", "b"), seed: int = 0) -> pd.DataFrame:
    """Series with a week in them, the second of them ten times the size of the first."""
    frames = []
    for i, name in enumerate(names):
        noise = np.random.default_rng((seed, i)).normal(size=200)[:days]
        steps = np.arange(days)
        values = 10**i * (20 + 0.1 * steps + 5 * np.sin(steps / 7 * 2 * np.pi))
        frame = pd.DataFrame({"day": pd.date_range("2024-01-01", periods=days)})
        frame["sold"] = values + 10**i * noise
        frame["store"] = name
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def _one(days: int = 90) -> pd.DataFrame:
    return _table(days, ("a",)).drop(columns="store")


@pytest.fixture(scope="module")
def run() -> ForecastRun:
    return forecasting(_table(), target="sold", series="store", **SMALL)


@pytest.fixture(scope="module")
def folder(run: ForecastRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run.save(tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture(scope="module")
def streaming() -> ForecastRun:
    """A model that carries its state on."""
    given = {**SMALL, "model": "recursive", "normalization": "none", "calendar": True}
    return forecasting(_table(), target="sold", series="store", **given)


def _same(one: keras.Model, other: keras.Model) -> bool:
    pairs = zip(one.get_weights(), other.get_weights(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


def _numbers(frame: pd.DataFrame) -> np.ndarray:
    return frame.select_dtypes("number").to_numpy()


# The whole life


def test_it_tells_how_good_it_is_beside_baselines(run: ForecastRun) -> None:
    found = run.metrics
    assert list(found["test"]) == SCORES
    assert list(found["baselines"]) == BASELINES
    assert all(list(scores) == SCORES for scores in found["baselines"].values())
    assert found["verdict"].startswith("mase: this model ")
    assert found["rows"] == {"train": 2 * (63 - 9), "validation": 2 * 7, "test": 2 * 16}
    assert found["parameters"] == TASK.count(run.state["data_info"], run.resolved)
    assert found["macs"] == TASK.macs(run.state["data_info"], run.resolved)
    assert [len(own) for own in found["error_by_step"].values()] == [3] * 7
    assert len(found["by_series"]["mae"]) == 2
    assert "forecasting: 32 test windows" in run._repr_html_()
    assert json.loads(json.dumps(found)) == found


def test_it_says_what_it_found_and_chose(run: ForecastRun) -> None:
    notes = " ".join(run.notes)
    assert "2 series of 90 steps, frequency 'D'" in notes
    assert "3 steps ahead, from 7 steps back" in notes
    assert "model='direct': a lookback of 7 steps does not hold two segments of a season" in notes
    assert "normalization='seasonal': there are few windows" in notes
    assert "windows: 108 to learn from, 14 to stop by, 32 to score on" in notes


@pytest.mark.parametrize(
    ("asked", "steps"),
    [
        ({"lookback_seasons": 1.0}, 7),
        ({"lookback_seasons": 3.0}, 21),
        ({"lookback_seasons": 100.0}, 28),
        ({"lookback": 9}, 9),
        ({}, 28),
    ],
    ids=str,
)
def test_the_lookback_is_steps_or_seasons_as_far_as_the_series_go(
    asked: dict[str, Any], steps: int
) -> None:
    given = {"target": "sold", "series": "store", "season": 7, "horizon": 3}
    settings = ForecastingSettings(**given, **asked)
    parts, prepared = perform.prepare(TASK, TASK.load(_table(), settings), settings)
    assert parts.train.lookback == parts.validation.lookback == steps
    assert len(prepared.validation) == 14  # the same ones for each
    resolved, _ = TASK.resolve(prepared.data_info, settings)
    assert (resolved.lookback, resolved.lookback_seasons) == (steps, None)


def test_data_depends_on_no_setting_of_the_model() -> None:
    assert {*TASK.names("split", "prepare")} == {
        *("short", "horizon", "lookback", "lookback_seasons", "validation", "test", "seed"),
        *("series_embedding", "output", "scaling", "per_series", "lags", "calendar", "stride"),
        "holidays",
    }


def test_a_forecast_goes_on_in_the_units_of_the_data(run: ForecastRun) -> None:
    found = run.forecast(quantiles=[0.1, 0.25, 0.9])
    assert found.columns.tolist() == ["store", "day", "forecast", "0.1", "0.25", "0.9"]
    assert found["store"].tolist() == ["a"] * 3 + ["b"] * 3
    assert found["day"].tolist() == [*pd.date_range("2024-03-31", periods=3)] * 2
    assert np.all(np.diff(found[["0.1", "0.25", "0.9"]].to_numpy()) >= 0)
    assert found["forecast"][:3].between(15, 45).all()
    assert found["forecast"][3:].between(150, 450).all()


def test_a_forecast_may_be_shorter(run: ForecastRun) -> None:
    whole, short = run.forecast(), run.forecast(horizon=1, quantiles=[])
    assert short.columns.tolist() == ["store", "day", "forecast"]
    assert short["forecast"].tolist() == whole["forecast"][[0, 3]].tolist()


def test_a_series_never_seen_is_forecast_in_its_own_scale(run: ForecastRun) -> None:
    new = _table(30, ("new",), seed=5)
    found = run.forecast(history=new)
    assert found["store"].tolist() == ["new"] * 3
    larger = run.forecast(history=new.assign(sold=1000 * new["sold"] + 7))
    np.testing.assert_allclose(_numbers(larger), 1000 * _numbers(found) + 7, rtol=1e-4)
    assert run.predict(new).equals(found)


def test_a_series_that_is_shorter_than_the_lookback_has_a_note_and_wider_intervals(
    run: ForecastRun,
) -> None:
    new = _table(30, ("new", "whole"), seed=5)
    short = new.drop(new.index[:26])  # 4 rows of the first series
    found, whole = run.forecast(history=short), run.forecast(history=new)
    notes = ["4 of 7 steps: extended back, interval widened"] * 3 + [""] * 3
    assert found["note"].tolist() == notes
    assert "note" not in whole
    assert found[3:].drop(columns="note").equals(whole[3:])
    assert found["day"].equals(whole["day"])
    widths = [frame["0.9"] - frame["0.1"] for frame in (found, whole)]
    assert (widths[0] > widths[1])[:3].all()
    assert ((found["0.1"] < found["forecast"]) & (found["forecast"] < found["0.9"])).all()
    np.testing.assert_allclose(found["forecast"][:3], whole["forecast"][:3], rtol=0.3)
    one = run.forecast(history=short.tail(1), quantiles=[0.5])
    assert one["note"].str.startswith("1 of 7 steps").all()
    assert np.isfinite(_numbers(one)).all()
    assert "note" not in run.forecast(history=short, columns="nixtla")


def test_a_series_that_was_seen_keeps_its_scale(run: ForecastRun) -> None:
    table = _table()
    end = table.groupby("store").tail(7)
    np.testing.assert_allclose(_numbers(run.forecast(history=end)), _numbers(run.forecast()))
    other_way_round = end[::-1]
    found = run.forecast(history=other_way_round)
    assert found["store"].tolist() == ["b"] * 3 + ["a"] * 3


@pytest.mark.thorough
def test_a_fresh_process_forecasts_the_same(run: ForecastRun, folder: Path) -> None:
    code = f"import kerasseq; print(kerasseq.load({str(folder)!r}).forecast().to_json())"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[2],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    found = pd.DataFrame(json.loads(result.stdout.splitlines()[-1]))
    np.testing.assert_allclose(
        found[["forecast", "0.1", "0.9"]], run.forecast()[["forecast", "0.1", "0.9"]], rtol=1e-5
    )


def test_a_run_folder_has_its_plots_and_the_end_of_the_series(
    run: ForecastRun, folder: Path
) -> None:
    names = sorted(path.name for path in (folder / "plots").iterdir())
    assert names == ["coverage_by_level.png", "curves.png", "error_by_step.png", "forecasts.png"]
    assert (folder / "state.npz").stat().st_size < 5000
    assert kerasseq.load(folder).state["history"]["targets"].shape == (2 * 7, 1)


def test_a_short_series_gets_exponential_smoothing_with_a_network(tmp_path: Path) -> None:
    months = pd.date_range("2015-01-01", periods=108, freq="MS")
    steps = np.arange(108)
    values = (50 + steps) * (1 + 0.3 * np.sin(steps / 12 * 2 * np.pi))
    table = pd.DataFrame({"month": months, "sold": values})
    run = forecasting(table, horizon=6, units=4, epochs=3, quiet=True)
    assert run.resolved.model == "hybrid"
    assert (run.resolved.scaling, run.resolved.normalization) == ("mean", "multiplicative")
    assert run.metrics["parameters"] == TASK.count(run.state["data_info"], run.resolved)
    naive = run.metrics["baselines"]["seasonal naive"]["mae"]
    assert run.metrics["test"]["mae"] < 0.5 * naive
    loaded = kerasseq.load(run.save(tmp_path / "run"))
    np.testing.assert_allclose(_numbers(loaded.forecast()), _numbers(run.forecast()), rtol=1e-5)


@pytest.mark.thorough
def test_equal_seeds_give_equal_runs_also_after_an_interruption(tmp_path: Path) -> None:
    def stop(epoch: int, logs: Any) -> None:
        if epoch == 1:
            raise KeyboardInterrupt

    given = {**SMALL, "epochs": 2, "out": tmp_path / "run"}
    callback = keras.callbacks.LambdaCallback(on_epoch_begin=stop)
    with pytest.raises(KeyboardInterrupt):
        forecasting(_one(), callbacks=[callback], **given)
    resumed, whole = forecasting(_one(), **given), forecasting(_one(), **{**given, "out": None})
    assert resumed.history == whole.history
    assert _same(resumed.model, whole.model)
    assert resumed.metrics["test"] == whole.metrics["test"]
    again = forecasting(_one(), **given)  # lists in run.json, tuples here
    assert again.metrics == resumed.metrics


@pytest.mark.thorough
def test_nothing_is_learned_from_what_comes_after(run: ForecastRun) -> None:
    table = _table()
    late = table["day"] >= table["day"].max() - pd.Timedelta(days=17)  # the test part
    marked = table.assign(sold=table["sold"].where(~late, 1e6))
    other = forecasting(marked, target="sold", series="store", **SMALL)
    assert _same(run.model, other.model)
    assert run.history == other.history
    for name in ("data_info", "reader", "calibration"):
        assert run.state[name] == other.state[name]
    assert other.metrics["test"]["mae"] > 1e5


@pytest.mark.thorough
def test_what_fills_a_gap_tells_nothing_of_what_comes_after_a_part() -> None:
    table = _one().drop(index=range(60, 66))  # the validation part begins with row 63
    runs = [
        forecasting(own, fill="linear", **{**SMALL, "calibrate": False})
        for own in (table, table.assign(sold=table["sold"].where(table.index < 66, 1e6)))
    ]
    assert _same(runs[0].model, runs[1].model)
    assert runs[0].state["reader"] == runs[1].state["reader"]


# The rows that the weights learn from

LEARNING: dict[str, Any] = {
    **{**SMALL, "epochs": 3, "learning_rate": 0.01}, "target": "sold", "series": "store",
}  # fmt: skip


@pytest.fixture(scope="module")
def plain() -> ForecastRun:
    return forecasting(_table(), **LEARNING)


@pytest.fixture(scope="module")
def refitted() -> ForecastRun:
    return forecasting(_table(), **{**LEARNING, "final": "validation"})


@pytest.fixture(scope="module")
def of_all() -> ForecastRun:
    """A run with the default of `final`."""
    return forecasting(_table(), **{name: LEARNING[name] for name in LEARNING if name != "final"})


def _passes(settings: ForecastingSettings) -> int | None:
    """The passes per epoch of the training part."""
    _, data = perform.prepare(TASK, TASK.load(_table(), settings), settings)
    return TASK.resolve(data.data_info, settings)[0].passes_per_epoch


def _learned(learn: Any, epochs: int, **options: Any) -> tuple[Any, Any, perform.Model]:
    """The parts, and a model trained for so many epochs on all that the training part has."""
    settings = ForecastingSettings(**LEARNING)
    source = TASK.load(_table(), settings)
    parts, data = perform.prepare(TASK, source, settings, learn=learn, **options)
    # Passes are those of the training part alone, as every setting of a refit.
    passes = _passes(settings)
    settings, _ = TASK.resolve(
        data.data_info, dataclasses.replace(settings, passes_per_epoch=passes)
    )
    stop_rule = perform.stop_after(epochs)
    model = perform.train(TASK, data, settings, refit=True, stop_rule=stop_rule, quiet=True)
    return parts, data, model


@pytest.mark.thorough
def test_weights_may_learn_from_the_validation_part_too(
    plain: ForecastRun, refitted: ForecastRun
) -> None:
    found = refitted
    parts, data, learned = _learned("validation", plain.metrics["epochs"]["kept"])
    assert parts.train.panel.lengths.tolist() == [72, 72]  # of 90, of which 18 are to score on
    assert _same(found.model, learned.model)
    assert not _same(found.model, plain.model)
    assert found.state["calibration"] == plain.state["calibration"]
    predicted = TASK.predictions(learned.model, data.test, found.state, found.resolved)
    assert found.metrics["test"] == TASK.score(predicted, data.test.targets, found.resolved).values
    assert found.metrics["baselines"] == plain.metrics["baselines"]  # nlinear stops by that part
    assert found.metrics["epochs"] == plain.metrics["epochs"]
    assert found.notes[-1].startswith("weights refitted on the training and validation part for ")


@pytest.mark.thorough
def test_a_refit_on_the_validation_part_has_not_seen_what_comes_after(
    refitted: ForecastRun,
) -> None:
    table = _table()
    late = table["day"] >= table["day"].max() - pd.Timedelta(days=17)  # the test part
    marked = table.assign(sold=table["sold"].where(~late, 1e6))
    other = forecasting(marked, **{**LEARNING, "final": "validation"})
    assert _same(refitted.model, other.model)
    assert other.metrics["test"]["mae"] > 1e5


def test_weights_learn_from_all_rows_and_scores_stay_honest(
    plain: ForecastRun, of_all: ForecastRun, tmp_path: Path
) -> None:
    found = of_all
    parts, _, learned = _learned("all", plain.metrics["epochs"]["kept"], test=False)
    assert parts.train.panel.lengths.tolist() == [90, 90]
    assert _same(found.model, learned.model)
    assert not _same(found.model, plain.model)
    of_the_refit = dict.fromkeys(("seconds", "remarks"))
    assert {**found.metrics, **of_the_refit} == {**plain.metrics, **of_the_refit}
    assert found.metrics["remarks"][-1].startswith("scores and plots are of the weights before")
    assert found.state["calibration"] == plain.state["calibration"]
    assert found.state["reader"]["scalers"] != plain.state["reader"]["scalers"]
    assert found.notes[-1].startswith("weights refitted on all rows for ")
    assert "which has not seen the test part" in found.notes[-1]
    ahead = found.forecast()
    assert ahead["day"].tolist() == [*pd.date_range("2024-03-31", periods=3)] * 2
    assert np.isfinite(_numbers(ahead)).all()
    loaded = kerasseq.load(found.save(tmp_path / "run"))
    np.testing.assert_allclose(_numbers(loaded.forecast()), _numbers(ahead), rtol=1e-5)
    honest = loaded.backtest(2, data=_table())
    expected = plain.backtest(2)
    np.testing.assert_allclose(_numbers(honest.forecasts), _numbers(expected.forecasts), rtol=1e-5)
    assert "before the refit" in honest.weights
    assert honest.weights in honest._repr_html_()
    assert expected.weights == "of the run"


def test_a_damaged_scored_model_is_refused(of_all: ForecastRun, tmp_path: Path) -> None:
    scored = {**of_all.state["scored"], "weights": of_all.state["scored"]["weights"][1:]}
    damaged = dataclasses.replace(of_all, state={**of_all.state, "scored": scored})
    with pytest.raises(ValueError, match=r"the scored model has .* parameters"):
        kerasseq.load(damaged.save(tmp_path / "run"))


def test_a_run_from_before_the_choice_has_the_weights_of_the_training_part() -> None:
    assert "final" not in json.loads((RUNS / "forecasting" / "run.json").read_text())["settings"]
    assert kerasseq.load(RUNS / "forecasting").resolved.final == "train"


@pytest.mark.thorough
def test_a_refit_keeps_the_choices_of_the_first_training() -> None:
    steps = np.arange(2500)  # few windows to learn from without the other parts, and else many
    weekly = 20 + 5 * np.sin(steps / 7 * 2 * np.pi) + np.random.default_rng(0).normal(size=2500)
    table = pd.DataFrame({"day": pd.date_range("2000-01-01", periods=2500), "sold": weekly})
    run = forecasting(table, **{**SMALL, "final": "all"})
    assert "normalization='seasonal': there are few windows (1,741)" in " ".join(run.notes)
    assert run.resolved.normalization == run.model.get_layer("norm").mode == "seasonal"


@pytest.mark.thorough
def test_without_the_scored_model_a_backtest_needs_a_refit(of_all: ForecastRun) -> None:
    state = {name: value for name, value in of_all.state.items() if name != "scored"}
    earlier = dataclasses.replace(of_all, state=state)
    with pytest.raises(ValueError, match=r"final='all'.* refit=True"):
        earlier.backtest(1)
    assert earlier.backtest(1, refit=True).scores["fold"].tolist() == [1] * 7


# Optimizers


def _weights(model: keras.Model) -> dict[str, np.ndarray]:
    return {weight.path: np.asarray(weight).copy() for weight in model.weights}


@pytest.mark.thorough
def test_an_optimizer_has_a_name_or_is_an_object_of_which_a_copy_is_used(tmp_path: Path) -> None:
    own = keras.optimizers.SGD(0.05, momentum=0.9)
    before = own.get_config()
    named = forecasting(_one(), **SMALL, optimizer="sgd", learning_rate=0.05)
    found = forecasting(_one(), **SMALL, optimizer=own, out=tmp_path / "run")
    assert named.settings["optimizer"] == "sgd"
    assert not _same(named.model, found.model)
    assert own.get_config() == before
    assert not own.built
    recorded = found.settings["optimizer"]
    assert recorded["class_name"] == "SGD"
    assert recorded["config"]["momentum"] == 0.9
    assert json.loads(json.dumps(found.settings)) == found.settings
    again = forecasting(_one(), **SMALL, optimizer=own, out=tmp_path / "run")  # this very run
    assert _same(again.model, found.model)
    folds = again.backtest(1, refit=True, data=_one()).scores  # trains by what was recorded
    expected = found.backtest(1, refit=True).scores
    pd.testing.assert_frame_equal(folds, expected)


@pytest.mark.parametrize(
    ("optimizer", "more", "match"),
    [
        ("newton", {}, r"optimizer must be one of .*adam.* Received: optimizer='newton'"),
        (3, {}, "optimizer must be"),
        ("object", {"learning_rate": 0.1}, "brings its own learning_rate: leave learning_rate="),
        ("object", {"weight_decay": 0.1, "clipnorm": None}, "2 settings are wrong: .*clipnorm"),
        ("object", {"schedule": "cosine"}, "brings its own schedule"),
    ],
    ids=str,
)
def test_an_optimizer_that_cannot_be(
    tmp_path: Path, optimizer: Any, more: dict[str, Any], match: str
) -> None:
    own = keras.optimizers.Adam() if optimizer == "object" else optimizer
    _fails(tmp_path, _one(), match, optimizer=own, **more)


@pytest.mark.thorough
def test_weight_decay_acts_and_leaves_weights_of_one_axis_alone() -> None:
    start: dict[str, np.ndarray] = {}

    class Start(keras.callbacks.Callback):
        def on_train_begin(self, logs: Any = None) -> None:
            start.update(_weights(self.model))

    # Gradients as good as none, and a tenth of each weight lost at each of two steps.
    changes = {"optimizer": "sgd", "learning_rate": 1e-9, "weight_decay": 1e8, "batch_size": 32}
    changes["passes_per_epoch"] = 1
    run = forecasting(_one(), **{**SMALL, "cell": "lstm", **changes}, callbacks=[Start()])
    kept = 0.9 ** -(-run.metrics["rows"]["train"] // 32)
    for path, after in _weights(run.model).items():
        factor = kept if after.ndim > 1 else 1.0
        np.testing.assert_allclose(after, factor * start[path], rtol=1e-4, atol=1e-6)
    assert {own.ndim for own in start.values()} == {1, 2}


# New rows, other origins


def test_new_rows_are_read_on(run: ForecastRun, folder: Path, tmp_path: Path) -> None:
    table, again = _table(94), kerasseq.load(folder)
    new = table.groupby("store").tail(4)
    again.update(new.groupby("store").head(2))
    again.update(new.groupby("store").tail(2))
    expected = run.forecast(history=table)
    assert again.forecast().equals(expected)
    saved = again.save(tmp_path / "later")
    assert kerasseq.load(saved).forecast().equals(expected)
    assert run.forecast()["day"][0] == pd.Timestamp("2024-03-31")  # the first run did not go on


def test_a_state_that_is_carried_on_is_that_of_all_rows(
    streaming: ForecastRun, tmp_path: Path
) -> None:
    from kerasseq.models import Stream

    table = _table(95)
    new = table[table["day"] > "2024-03-30"]
    before = dict(streaming.state)
    later = new[(new["store"] == "a") & (new["day"] > "2024-03-31")]
    for rows in (new[new["day"] == "2024-03-31"], later, new[new["store"] == "b"][1:]):
        streaming.update(rows)
    found = streaming.forecast(horizon=5)
    loaded = kerasseq.load(streaming.save(tmp_path / "run"))
    np.testing.assert_allclose(_numbers(loaded.forecast(horizon=5)), _numbers(found), rtol=1e-6)

    # From the beginning of the first window on, in one go.
    reader = TASK.reader(before)
    panel = TASK.load(table, streaming.resolved)
    panel = panel.cut(panel.lengths - 12, panel.lengths)
    sizes = TASK.config(before["data_info"], streaming.resolved)
    from kerasseq.data.series.windows import latest_inputs

    inputs = latest_inputs(reader.scaled(panel)[0], 12, 3)
    whole = Stream(sizes, streaming.model).start(inputs)
    outputs = Stream(sizes, streaming.model).forecast(whole, inputs["future"])
    scaler = reader.scaled(panel)[1]
    expected = scaler.inverse(outputs[..., 1], np.arange(2))
    np.testing.assert_allclose(
        found["forecast"].to_numpy().reshape(2, 5)[:, :3], expected[..., 0], rtol=1e-4
    )
    streaming.state = before


def test_a_recursive_model_goes_as_far_as_it_is_asked_to(streaming: ForecastRun) -> None:
    found, usual = streaming.forecast(horizon=10), streaming.forecast()
    assert len(found) == 20
    np.testing.assert_allclose(_numbers(found)[:3], _numbers(usual)[:3], rtol=1e-5)


def test_new_rows_have_to_go_on(run: ForecastRun) -> None:
    late = _table(93).groupby("store").tail(2)
    with pytest.raises(ValueError, match="goes on with 2024-03-31, and the new rows begin with"):
        run.update(late)


def test_rows_that_the_model_cannot_take_leave_the_run_as_it_was(run: ForecastRun) -> None:
    own = dataclasses.replace(run, state=dict(run.state))
    before, new = own.forecast(), _table(91).groupby("store").tail(1)
    with pytest.raises(
        ValueError, match=r"made for series without missing targets.*fill='forward'"
    ):
        own.update(new.assign(sold=np.nan))
    assert own.forecast().equals(before)
    own.update(new.assign(sold=np.nan), fill="forward")
    last = _table().groupby("store").tail(1)["sold"].to_list()
    assert own.state["history"]["targets"].reshape(2, -1)[:, -1].tolist() == last
    assert own.state["history"]["filled"].reshape(2, -1)[:, -1].all()
    assert own.forecast()["day"][0] == before["day"][1]


@pytest.mark.thorough
def test_a_zero_that_comes_late_is_taken_by_logarithms() -> None:
    run = forecasting(_one(), **{**SMALL, "scaling": "log"})
    day = pd.DataFrame({"day": ["2024-03-31", "2024-04-01"], "sold": [0.0, -1.0]})
    with pytest.raises(ValueError, match="scaling='log' cannot take -1"):
        run.update(day)
    run.update(day[:1])
    assert np.isfinite(_numbers(run.forecast())).all()
    assert run.forecast()["day"][0] == pd.Timestamp("2024-04-01")


@pytest.mark.thorough
def test_a_masked_run_takes_rows_without_a_target() -> None:
    table = _one().assign(sold=_one()["sold"].mask(np.arange(90) % 10 == 7))
    run = forecasting(table, fill="mask", **SMALL)
    later = pd.DataFrame(
        {"day": pd.date_range("2024-03-31", periods=3), "sold": [np.nan, 30, np.nan]}
    )
    whole = run.forecast(history=pd.concat([table, later]))
    assert whole["day"][0] == pd.Timestamp("2024-04-03")
    for row in range(3):
        run.update(later[row : row + 1])
    assert run.forecast().equals(whole)
    with pytest.raises(ValueError, match="is empty: no row has a target"):
        run.forecast(history=table.assign(sold=np.nan))


def test_a_history_is_read_as_it_is_said(run: ForecastRun) -> None:
    table = _table().rename(columns={"sold": "sales"}).drop(index=[80, 85])
    with pytest.raises(ValueError, match=r"has a gap: .*fill='forward'"):
        run.forecast(history=table, target="sales")
    found = run.forecast(history=table, target="sales", fill="linear")
    assert found["day"].tolist() == run.forecast()["day"].tolist()
    hours = _table().assign(day=_table()["day"] + pd.Timedelta(hours=7))
    assert run.forecast(history=hours, resample="D").equals(run.forecast(history=_table()))
    with pytest.raises(ValueError, match="resample must be 'D', the frequency of the series"):
        run.forecast(history=hours, resample="h")
    with pytest.raises(ValueError, match=r"fill= says how to read history=: pass history=, too\."):
        run.forecast(fill="linear")


def test_a_backtest_forecasts_from_several_origins(run: ForecastRun) -> None:
    found = run.backtest(folds=3)
    assert found.scores.columns.tolist() == ["fold", "model", *SCORES]
    assert found.scores["fold"].tolist() == [1] * 7 + [2] * 7 + [3] * 7
    assert found.forecasts["fold"].tolist() == [1] * 6 + [2] * 6 + [3] * 6
    first = found.forecasts.groupby(["fold", "store"])["day"].transform("min")
    assert (found.forecasts["cutoff"] == first - pd.Timedelta(days=1)).all()
    table = _table().set_index(["store", "day"])["sold"]
    stamps = found.forecasts.set_index(["store", "day"])["actual"]
    pd.testing.assert_series_equal(stamps, table[stamps.index], check_names=False)
    validated = run.cross_validation(folds=3)
    assert validated["y"].tolist() == found.forecasts["actual"].tolist()
    assert validated["kerasseq"].tolist() == found.forecasts["forecast"].tolist()
    assert validated["cutoff"].tolist() == found.forecasts["cutoff"].tolist()
    last = found.forecasts[found.forecasts["fold"] == 3]
    before = _table()[_table()["day"] < last["day"].min()]
    again = run.forecast(history=before)
    np.testing.assert_allclose(last["forecast"], again["forecast"], rtol=1e-5)
    errors = (found.forecasts["forecast"] - found.forecasts["actual"]).abs()
    assert found.metrics["test"]["mae"] == pytest.approx(errors.mean())
    assert "this model" in found._repr_html_()


@pytest.mark.thorough
def test_a_backtest_may_train_anew_before_each_origin(run: ForecastRun) -> None:
    found = run.backtest(folds=2, stride=20, refit=True)
    assert found.forecasts["day"].min() == pd.Timestamp("2024-03-31") - pd.Timedelta(days=23)
    assert found.scores.query("model == 'nlinear'")["mae"].notna().all()


def test_a_backtest_needs_the_data(run: ForecastRun, folder: Path) -> None:
    again = kerasseq.load(folder)
    with pytest.raises(ValueError, match=r"comes from a folder.*pass data="):
        again.backtest(2)
    with pytest.raises(ValueError, match="data= differs from the data of the run"):
        again.backtest(2, data=_table(91))
    expected = run.backtest(2).metrics["test"]
    assert again.backtest(2, data=_table()).metrics["test"] == pytest.approx(expected, rel=1e-5)
    with pytest.raises(ValueError, match="has room for 6 folds that are 3 steps apart"):
        run.backtest(7)
    with pytest.raises(ValueError, match="folds must be a whole number above zero"):
        run.backtest(0)


def test_new_data_is_scored(run: ForecastRun, tmp_path: Path) -> None:
    new = _table(40, ("a", "c"), seed=3)
    new.to_csv(tmp_path / "new.csv", index=False)
    found = run.evaluate(new)
    assert found["rows"] == 2 * (40 - 9)
    assert list(found["test"]) == SCORES
    assert run.evaluate(tmp_path / "new.csv")["test"] == pytest.approx(found["test"])
    renamed = new.rename(columns={"sold": "sales"})
    assert run.evaluate(renamed, target="sales") == found


# Anomalies


def test_values_outside_of_their_interval_are_anomalies(run: ForecastRun) -> None:
    later = _table(100)
    later = later[later["day"] > "2024-03-30"].reset_index(drop=True)
    later.loc[4, "sold"] += 1000.0  # the fifth of the ten new days of the first store
    before = dict(run.state)
    found = run.anomalies(later)
    assert run.state == before
    names = ["store", "day", "actual", "forecast", "0.025", "0.975", "anomaly"]
    assert found.columns.tolist() == names
    assert found["actual"].tolist() == later["sold"].tolist()
    assert found["anomaly"].iloc[4]
    outside = (found["actual"] < found["0.025"]) | (found["actual"] > found["0.975"])
    assert found["anomaly"].tolist() == outside.tolist()
    # Each forecast is that of the step after all rows before it.
    levels = {"quantiles": (0.025, 0.975)}
    first = run.forecast(1, **levels)
    rows = found.groupby("store").head(1).drop(columns=["actual", "anomaly"])
    np.testing.assert_allclose(_numbers(rows), _numbers(first), rtol=1e-5)
    history = pd.concat([_table(), later[later["day"] < later["day"].max()]])
    last = run.forecast(1, history=history, **levels)
    rows = found.groupby("store").tail(1).drop(columns=["actual", "anomaly"])
    np.testing.assert_allclose(_numbers(rows), _numbers(last), rtol=1e-5)


def test_a_table_of_its_own_has_its_history_in_its_first_rows(run: ForecastRun) -> None:
    new = _table(12, ("a", "c"), seed=4)
    found = run.anomalies(new, quantiles=(0.1, 0.9))
    assert found["store"].tolist() == ["a"] * 5 + ["c"] * 5
    assert found["day"].tolist() == [*pd.date_range("2024-01-08", periods=5)] * 2
    last = run.forecast(1, history=new[new["day"] < "2024-01-12"], quantiles=(0.1, 0.9))
    rows = found[found["day"] == "2024-01-12"].drop(columns=["actual", "anomaly"])
    known = rows["store"] == "a"  # another series is scaled by its first rows alone
    np.testing.assert_allclose(_numbers(rows[known]), _numbers(last)[:1], rtol=1e-5)


@pytest.mark.thorough
def test_anomalies_of_a_run_with_covariates_that_are_known_ahead() -> None:
    shop = _shop()
    shop.loc[[55, 57], "sold"] = np.nan
    given = {"target": "sold", "series": "store", "future": "sale", "fill": "mask"}
    run = forecasting(shop[shop["day"] < "2024-02-20"], **given, **SMALL)
    found = run.anomalies(shop[shop["day"] >= "2024-02-20"])
    assert found["day"].max() == shop["day"].max()
    missing = found["actual"].isna()
    assert missing.any()
    assert not found["anomaly"][missing].any()


def test_anomalies_that_cannot_be_found(run: ForecastRun) -> None:
    with pytest.raises(ValueError, match=r"'a' has 7 rows, and the first 7 .*give more rows"):
        run.anomalies(_table(7))
    with pytest.raises(ValueError, match=r"goes on with 2024-03-31, .* begin with 2024-04-05"):
        run.anomalies(_table(110)[lambda table: table["day"] > "2024-04-04"])
    with pytest.raises(ValueError, match=r"quantiles must be the two levels"):
        run.anomalies(_table(), quantiles=(0.1, 0.5, 0.9))
    state = {**run.state, "calibration": None}
    settings = {**run.settings, "output": "point", "calibrate": False}
    plain = dataclasses.replace(run, state=state, settings=settings)
    with pytest.raises(ValueError, match=r"no intervals: train with calibrate=True"):
        plain.anomalies(_table())


# Settings


def _shop(days: int = 60) -> pd.DataFrame:
    """With covariates of every kind, and some targets that are missing."""
    random = np.random.default_rng(1)
    table = _table(days, ("a", "b", "c"))
    table["rain"] = random.normal(size=len(table))
    table["wind"] = random.choice(["north", "south"], len(table))
    table["sale"] = random.integers(0, 2, len(table))
    table["size"] = table["store"].map({"a": 1.0, "b": 3.0, "c": 2.0})
    table.loc[[5, 17, 40, 41], "sold"] = np.nan
    return table


@pytest.mark.thorough
def test_covariates_gaps_and_lags() -> None:
    table = _shop()
    run = forecasting(
        table, target="sold", series="store", past=["rain", "wind"], future=["sale"],
        static=["size"], lags=[9], series_embedding=True, attention=True, **SMALL,
    )  # fmt: skip
    data_info = run.state["data_info"]
    assert (run.resolved.model, data_info["masked"], data_info["series"]) == ("seq2seq", True, 3)
    assert (data_info["past"], data_info["future"], data_info["static"]) == (
        3 + 1 + 1 + 2,
        1 + 2,
        1,
    )
    assert "model='seq2seq': only this network has the setting attention=True" in run.notes
    ahead = pd.DataFrame(
        {
            "day": np.tile(pd.date_range("2024-03-01", periods=3), 3),
            "store": np.repeat(["a", "b", "c"], 3),
            "sale": 1,
        }
    )
    found = run.forecast(future=ahead)
    assert np.isfinite(_numbers(found)).all()
    assert not np.allclose(_numbers(run.forecast(future=ahead.assign(sale=0))), _numbers(found))
    with pytest.raises(ValueError, match=r"future covariates \(sale\) are not known at"):
        run.forecast()
    with pytest.raises(ValueError, match="lacks a row with the future covariates of 2024-03-03"):
        run.forecast(future=ahead[ahead["day"] < "2024-03-03"])
    with pytest.raises(ValueError, match="does not have series 'c'"):
        run.forecast(future=ahead[ahead["store"] != "c"])


@pytest.mark.thorough
@pytest.mark.parametrize(
    "changes",
    [
        {"model": "direct", "output": "point", "loss": "mae", "normalization": "instance"},
        {"model": "segment", "output": "normal", "lookback": 14, "horizon": 7, "linear": True},
        {"model": "recursive", "output": "negative_binomial", "scheduled_sampling": 0.5},
    ],
    ids=lambda changes: changes["model"],
)
def test_outputs_that_it_takes(changes: dict[str, Any]) -> None:
    table = _one()
    table["sold"] = table["sold"].round()
    table["other"] = table["sold"][::-1].to_numpy()
    run = forecasting(table, **{**SMALL, "scaling": "auto", **changes})
    assert run.metrics["parameters"] == TASK.count(run.state["data_info"], run.resolved)
    found = run.forecast()
    assert found.columns.tolist() == ["day", "target", "forecast", "0.1", "0.5", "0.9"]
    assert found["target"].tolist()[:4] == ["sold", "other"] * 2
    assert np.all(np.diff(found[["0.1", "0.5", "0.9"]].to_numpy()) >= 0)


@pytest.mark.thorough
def test_calibration_moves_quantiles_and_nothing_else(run: ForecastRun) -> None:
    plain = forecasting(_table(), target="sold", series="store", calibrate=False, **SMALL)
    assert _same(run.model, plain.model)
    assert plain.state["calibration"] is None
    for name in ("mae", "mase"):
        assert plain.metrics["test"][name] == run.metrics["test"][name]
    # Of few windows, intervals are stretched or stay: here the outer ones are too narrow.
    calibration = run.state["calibration"]
    by_level = dict(zip(calibration["levels"], np.array(calibration["factors"])))
    assert by_level[0.025].min() > 1
    assert (by_level[0.9] == 1).all()
    assert plain.metrics["test"]["width"] == run.metrics["test"]["width"]  # of 80%
    stretched, raw = (
        each.forecast(quantiles=(0.1, 0.9))
        for each in (run, dataclasses.replace(plain, state=_with_factor(plain, run, 2.0)))
    )
    point = stretched["forecast"]
    for level in ("0.1", "0.9"):
        expected = point + 2 * (stretched[level] - point)
        np.testing.assert_allclose(raw[level], expected, rtol=1e-4)


def _with_factor(plain: ForecastRun, run: ForecastRun, factor: float) -> dict[str, Any]:
    """The state of a run with all intervals stretched by a factor."""
    calibration = run.state["calibration"]
    factors = np.full_like(np.array(calibration["factors"]), factor).tolist()
    return {**plain.state, "calibration": {**calibration, "factors": factors}}


@pytest.mark.thorough
def test_a_point_forecast_that_is_not_calibrated_has_no_quantiles() -> None:
    changes = {"output": "point", "calibrate": False}
    run = forecasting(_one(), **{**SMALL, **changes})
    assert run.forecast().columns.tolist() == ["day", "forecast"]
    assert "coverage" not in run.metrics["test"]
    assert "coverage" in run.metrics["baselines"]["drift"]
    run.summary()


def test_a_forecast_is_the_mean_or_the_median_and_says_so(run: ForecastRun) -> None:
    assert run.metrics["point"] == run.resolved.point == "median"
    assert "point='median': the forecast is the middle quantile" in " ".join(run.notes)
    ahead = run.forecast()
    assert ahead["forecast"].tolist() == ahead["0.5"].tolist()
    changes = {"point": "mean", "scaling": "log", "calibrate": False, "horizon": 2}
    means = forecasting(_one(), **{**SMALL, **changes})
    assert means.metrics["point"] == "mean"
    levels = [0.025, 0.05, *(n / 10 for n in range(1, 10)), 0.95, 0.975]
    ahead = means.forecast(quantiles=levels)
    quantiles = ahead[[f"{level:g}" for level in levels]].to_numpy()
    # Quantiles in the units of the data, integrated over the level, and the means of both tails.
    mean = np.trapezoid(quantiles, levels, axis=1)
    mean += 0.025 * (quantiles[:, 0] - (quantiles[:, 1] - quantiles[:, 0]) / np.log(2))
    mean += 0.025 * (quantiles[:, -1] + (quantiles[:, -1] - quantiles[:, -2]) / np.log(2))
    np.testing.assert_allclose(ahead["forecast"], mean, rtol=1e-5)
    assert (ahead["forecast"] != ahead["0.5"]).all()


def test_forecasts_that_do_not_add_up_are_noted(run: ForecastRun) -> None:
    table = _table(40, ("a", "c"), seed=3)
    sold = run.forecast(history=table)["forecast"]
    assert run.metrics["sum_ratio"] == pytest.approx(1, abs=0.05)
    assert run.metrics["remarks"] == []
    days = pd.date_range("2024-02-10", periods=3)
    frames = [pd.DataFrame({"day": days, "sold": 2 * sold[:3], "store": "a"})]
    frames.append(pd.DataFrame({"day": days, "sold": 2 * sold[3:], "store": "c"}))
    late = pd.concat([table, *frames])
    late = late[late["day"] > late["day"].max() - pd.Timedelta(days=10)]
    (remark,) = run.evaluate(late)["remarks"]
    assert remark.startswith("forecasts add up to 50% of the actual values; they are medians")


_DRAWN = st.fixed_dictionaries(
    {
        "cell": st.sampled_from(["lstm", "gru", "ligru", "mingru"]),
        "units": st.integers(1, 9),
        "depth": st.integers(1, 2),
        "channels": st.sampled_from(["apart", "together"]),
        "embedding": st.integers(1, 9),
        "output": st.sampled_from(["point", "quantiles", "student_t"]),
        "model": st.sampled_from(["direct", "recursive", "seq2seq", "segment"]),
        "segment": st.none() | st.integers(1, 4),
    }
)
_FACTS = st.fixed_dictionaries(
    {
        "horizon": st.integers(1, 9),
        "lookback": st.integers(4, 9),
        "targets": st.integers(1, 3),
        "future": st.integers(0, 2),
        "static": st.integers(0, 2),
        "series": st.integers(0, 3),
        "masked": st.booleans(),
    }
)


@given(_DRAWN, _FACTS, st.integers(0, 2))
@examples(10)
def test_the_closed_form_is_what_is_built(
    drawn: dict[str, Any], data_info: dict[str, Any], past: int
) -> None:
    suggested = {"model": ["direct", ""], "scaling": ["log", ""], "normalization": ["last", ""]}
    data_info = {
        **data_info,
        "past": past + data_info["future"],
        "season": 1,
        "suggested": suggested,
    }
    chosen, _ = TASK.resolve(data_info, ForecastingSettings(**drawn))
    assert TASK.count(data_info, chosen) == TASK.build(data_info, chosen).count_params()


def test_folds_roll_forward_and_withhold_the_test_part() -> None:
    given = ForecastingSettings(**SMALL)
    panel = TASK.load(_one(), given)
    parts = [TASK.split(panel, given, test=False, fold=(k, 3)) for k in range(3)]
    assert [part.test for part in parts] == [None] * 3
    ends = [part.validation.panel.stamps[0][-1] for part in parts]
    assert ends == [pd.Timestamp("2024-01-01") + pd.Timedelta(days=d) for d in (53, 62, 71)]
    prepared = TASK.prepare(parts[0], given)
    assert prepared.test is None
    assert len(prepared.train) == 45 - 9


# What cannot be


def _fails(
    tmp_path: Path, data: Any, match: str, raises: type[Exception] = ValueError, **given: Any
) -> None:
    with pytest.raises(raises, match=match) as failure:
        forecasting(data, out=tmp_path / "run", **{**SMALL, **given})
    assert "\n" not in str(failure.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("name", "value", "match"),
    [
        ("horizon", 0, "horizon must be a whole number above zero, or None. Received: horizon=0"),
        ("horizon", -3, "horizon must be a whole number above zero"),
        ("horizon", 40, "of which the train part gets 10: too few for horizon=40"),
        ("lookback", 0, "lookback must be a whole number above zero, or None"),
        ("lookback", 2.0, "lookback must be a whole number above zero, or None"),
        ("lookback", True, "lookback must be"),
        ("lookback_seasons", -2.0, "lookback_seasons must be a number above zero, or None"),
        ("lookback_seasons", float("nan"), "lookback_seasons must be"),
        ("lookback_seasons", 2.0, "give lookback= in steps, or lookback_seasons= as a multiple"),
        ("lookback", 70, "too short for lookback=70 and horizon=3.*lookback that works is 60"),
        ("model", "transformer", "model must be one of 'auto', 'direct'"),
        ("cell", "gro", "no cell named 'gro'"),
        ("output", "gamma", "output must be one of"),
        ("point", "mode", "point must be one of 'auto', 'mean', 'median'"),
        ("loss", "mape", "loss must be one of 'mse', 'mae', 'huber'"),
        ("quantiles", (), "quantiles must be levels"),
        ("quantiles", (0.5, 1.0), "quantiles must be a list .* each above 0 and below 1"),
        ("quantiles", (0.9, 0.1), "quantiles must be levels"),
        ("scaling", "minmax", "scaling must be one of"),
        ("normalization", "first", "normalization must be one of"),
        ("channels", "mixed", "channels must be one of"),
        ("lags", [0], "lags must be a list of whole numbers, each above zero"),
        ("lags", 3, r"lags must be a list .* Received: lags=3; pass \[3\]"),
        ("quantiles", 0.5, "quantiles must be a list"),
        ("scheduled_sampling", 0.5, "`scheduled_sampling` is of the kind 'recursive'"),
        ("output", "negative_binomial", "is for counts, and column 'sold' holds"),
        ("validation", 1.5, "validation must be a share above 0 and below 1, a whole"),
        ("test", 0.0, "test must be a share above 0 and below 1, a whole number"),
        ("test", 0, "test must be .*steps.*stamp"),
        ("validation", "soon", "validation must be a share"),
        ("fill", "backward", "fill must be one of"),
        ("season", 0, "season must be"),
        ("epochs", 0, "epochs must be"),
        ("dropout", 1, "dropout must be"),
    ],
)
def test_a_setting_that_cannot_be(tmp_path: Path, name: str, value: Any, match: str) -> None:
    more = {"model": "direct"} if name == "scheduled_sampling" else {}
    more |= {"scaling": "none"} if value == "negative_binomial" else {}
    _fails(tmp_path, _one(), match, **{name: value, **more})


def test_all_that_is_wrong_with_the_settings_is_told_at_once(tmp_path: Path) -> None:
    match = "2 settings are wrong: horizon must be .*; model must be one of"
    _fails(tmp_path, "no such file", match, horizon=0, model="transformer")
    match = "3 settings are wrong: give lookback= .*; quantiles must be .*; test must be a share"
    wrong = {"lookback_seasons": 2.0, "quantiles": (0.9, 0.1), "test": 1.0}
    _fails(tmp_path, "no such file", match, **wrong)


@pytest.mark.parametrize(
    ("old", "new"),
    [("clip", "clipnorm"), ("scheduled", "scheduled_sampling"), ("error", "loss")],
)
def test_a_setting_that_was_renamed_is_answered_with_its_new_name(
    tmp_path: Path, old: str, new: str
) -> None:
    match = rf"forecasting\(\): {old!r} was renamed to {new!r}"
    _fails(tmp_path, "no such file", match, TypeError, **{old: 1})


def test_a_part_of_which_nothing_was_observed(tmp_path: Path) -> None:
    table = _one()
    table.loc[63:71, "sold"] = np.nan
    _fails(tmp_path, table, "the validation part has no observed target", fill="mask")


@pytest.mark.thorough
def test_levels_of_which_none_mirrors_another_cover_what_they_say() -> None:
    random = np.random.default_rng(3)
    noise = pd.DataFrame(
        {"day": pd.date_range("2020-01-01", periods=1500), "sold": random.normal(size=1500)}
    )
    asked = {**SMALL, "epochs": 3, "learning_rate": 0.01, "calendar": False}
    run = forecasting(noise, quantiles=[0.8, 0.9], normalization="none", **asked)
    config = TASK.config(run.state["data_info"], run.resolved)
    assert config.quantiles == (0.1, 0.2, 0.5, 0.8, 0.9)
    below = run.metrics["coverage_by_level"]["this model"]
    assert below["levels"] == [0.8, 0.9]
    np.testing.assert_allclose(below["shares"], [0.8, 0.9], atol=0.06)
    assert abs(run.forecast()["forecast"].mean()) < 0.5  # the median, not the lowest level


def test_data_that_cannot_be_learned_from(tmp_path: Path) -> None:
    one, table = _one(), _table()
    _fails(tmp_path, tmp_path / "none.csv", "none.csv", FileNotFoundError)
    _fails(tmp_path, one, "no column named 'price'", target="price")
    _fails(tmp_path, one.assign(sold=3.0), "column 'sold' is constant", target="sold")
    _fails(tmp_path, one.assign(rain=3.0), "column 'rain' is constant", target="sold", past="rain")
    infinite = one.assign(sold=one["sold"].where(one.index != 7, np.inf))
    _fails(tmp_path, infinite, "column 'sold' is infinite in row 7")
    _fails(tmp_path, one[:12], "the train part gets|too short")
    _fails(tmp_path, one.drop(index=9), "has a gap: 2024-01-10 is missing.*fill=")
    _fails(tmp_path, pd.concat([one, one[:1]]), "2024-01-01")
    _fails(tmp_path, one[:0], "no rows")
    slow = table[(table["store"] == "a") | (table["day"].dt.day_of_week == 0)]
    _fails(tmp_path, slow, "series 'b' has frequency 'W-MON'", target="sold", series="store")
    _fails(tmp_path, 3, "data must be")


def test_faults_of_a_table_are_told_before_a_backend_is_imported(tmp_path: Path) -> None:
    """The import of a backend takes seconds, and that of pandas half a second."""
    table = tmp_path / "table.csv"
    table.write_text("day,sold\n2024-01-01,1\noops,2\n")
    code = f"""
import sys, kerasseq
try:
    kerasseq.forecasting("nowhere.csv")
except FileNotFoundError as error:
    print(error, *(name in sys.modules for name in ("keras", "pandas")))
for settings in ({{}}, {{"lookback": 9, "lookback_seasons": 1.0}}):
    try:
        kerasseq.forecasting({str(table)!r}, **settings)
    except ValueError as error:
        print(error, "keras" in sys.modules)
"""
    command = [sys.executable, "-c", code]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert said[0] == "there is no file nowhere.csv. Check the path. False False"
    assert "'oops'" in said[1]
    assert said[1].endswith(" False")
    assert said[2].startswith("give lookback= in steps")
    assert said[2].endswith(" False")


def test_many_series_of_which_one_is_empty(tmp_path: Path) -> None:
    steps = 40
    values = np.random.default_rng(0).random((10_000, steps))
    wide = pd.DataFrame(values, columns=[f"V{i}" for i in range(2, steps + 2)])
    wide.insert(0, "V1", [f"s{i}" for i in range(len(wide))])
    wide.loc[1234, "V2":] = np.nan
    _fails(tmp_path, wide, "series 's1234' is empty")


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"horizon": 0}, "horizon must be a whole number above zero"),
        ({"horizon": 4}, "this run forecasts 3 steps.*model='recursive'"),
        ({"quantiles": [0.5, 1.0]}, "quantiles must be levels between 0 and 1"),
        ({"quantiles": [0.001]}, "here from 0.025 to 0.975; for other levels, train with them"),
        ({"quantiles": 0.5}, "quantiles must be a list"),
        ({"future": pd.DataFrame({"day": ["2024-04-01"]})}, "has no future covariates"),
        ({"history": _table().drop(columns="sold")}, "no column named 'sold'"),
    ],
    ids=str,
)
def test_forecasts_that_cannot_be(run: ForecastRun, given: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        run.forecast(**given)


def test_gaps_where_there_were_none_are_refused(run: ForecastRun) -> None:
    table = _table(30)
    table.loc[28, "sold"] = np.nan
    with pytest.raises(ValueError, match=r"made for series without missing targets"):
        run.forecast(history=table)


# Its class


def test_a_run_is_loaded_as_what_it_is(folder: Path, tmp_path: Path) -> None:
    loaded = ForecastRun.load(folder)
    assert type(loaded) is ForecastRun
    assert loaded.forecast().equals(kerasseq.load(folder).forecast())
    shutil.copytree(RUNS / "sentiment", tmp_path / "sentiment")
    match = r"sentiment is a run of sentiment, a ClassificationRun: .*kerasseq\.load"
    with pytest.raises(ValueError, match=match):
        ForecastRun.load(tmp_path / "sentiment")
    assert type(Run.load(tmp_path / "sentiment")) is ClassificationRun


# The shell, and what it is


def test_the_shell_forecasts(
    run: ForecastRun, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _table(94).to_csv(tmp_path / "later.csv", index=False)
    _table(94).drop(index=90).to_csv(tmp_path / "gap.csv", index=False)
    for flags, expected in (
        (["--quantiles", "0.2"], run.forecast(quantiles=[0.2])),
        (["--history", str(tmp_path / "later.csv")], run.forecast(history=_table(94))),
        (
            ["--history", str(tmp_path / "gap.csv"), "--fill", "linear", "--resample", "D"],
            run.forecast(history=_table(94).drop(index=90), fill="linear"),
        ),
    ):
        assert main(["forecast", str(folder), "--format", "csv", *flags]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[0] == ",".join(expected.columns)
        assert lines[1].startswith(f"a,{expected['day'][0].date()},")
        shown = [float(line.split(",")[2]) for line in lines[1:]]
        np.testing.assert_allclose(shown, expected["forecast"], rtol=1e-5)
    assert main(["forecast", str(folder), "--format", "csv"]) == 0
    expected = capsys.readouterr().out
    assert main(["predict", str(folder), "--format", "csv"]) == 0  # its first verb
    assert capsys.readouterr().out == expected
    assert main(["predict", str(folder), "hello"]) == 2
    assert "unexpected extra argument" in capsys.readouterr().err


def test_the_shell_takes_lists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen = {}

    def performed(task: Any, settings: Any) -> Any:
        seen.update(vars(settings))
        raise ValueError("enough")

    monkeypatch.setattr(perform, "perform", performed)
    flags = "--target a --target b --past rain --lags 7 --lags 14 --test 24 --validation 0.2"
    assert main(["forecasting", "data.csv", *flags.split()]) == 2
    assert "enough" in capsys.readouterr().err
    assert [*seen["target"]] == ["a", "b"]
    assert [*seen["past"]] == ["rain"]
    assert [*seen["lags"]] == [7, 14]
    assert (seen["test"], seen["validation"], seen["time"]) == (24, 0.2, None)
    assert [*seen["quantiles"]] == [0.1, 0.5, 0.9]
    for word in ("()", "none"):
        assert main(["forecasting", "data.csv", "--time", word]) == 2
        assert seen["time"] == ()


@pytest.mark.thorough
def test_paths_are_drawn_step_by_step(run: ForecastRun) -> None:
    asked = {**SMALL, "model": "recursive", "output": "normal"}
    own = forecasting(_table(), target="sold", series="store", **asked)
    found = own.forecast(paths=400)
    drawn = found.filter(like="path ").to_numpy()
    assert drawn.shape == (6, 400)
    spread = own.forecast(paths=400, seed=1).filter(like="path ").std(axis=1).to_numpy()
    np.testing.assert_allclose(drawn.std(axis=1), spread, rtol=0.3)
    assert found.equals(own.forecast(paths=400))
    assert found[["forecast"]].equals(own.forecast()[["forecast"]])
    first = drawn[[0, 3]].mean(axis=1)  # the first step is drawn around its forecast
    error = 4 * drawn[[0, 3]].std(axis=1) / 20
    assert (abs(first - found["forecast"].to_numpy()[[0, 3]]) < error).all()
    with pytest.raises(ValueError, match="needs model='recursive' and an output that is not"):
        run.forecast(paths=3)
    with pytest.raises(ValueError, match="paths must be a whole number above zero"):
        own.forecast(paths=-1)
