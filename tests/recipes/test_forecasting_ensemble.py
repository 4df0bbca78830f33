"""An ensemble of a recipe is one run: its members are independent, and all verbs work on it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest

import kerasseq
from kerasseq.recipes import forecasting
from kerasseq.tasks.forecasting import ForecastRun

TASK = kerasseq.forecasting.task
SMALL: dict[str, Any] = {
    "horizon": 3, "lookback": 7, "units": 4, "epochs": 3, "patience": 1, "batch_size": 32,
    "model": "recursive", "learning_rate": 0.03, "scaling": "standard", "calendar": False,
    "final": "train", "quiet": True,
}  # fmt: skip


def _table(days: int = 90) -> pd.DataFrame:
    steps = np.arange(days)
    noise = np.random.default_rng(0).normal(size=days)
    values = 20 + 0.1 * steps + 5 * np.sin(steps / 7 * 2 * np.pi) + noise
    return pd.DataFrame({"day": pd.date_range("2024-01-01", periods=days), "sold": values})


@pytest.fixture(scope="module")
def run() -> ForecastRun:
    return forecasting(_table(), seeds=2, **SMALL)


def _members(run: ForecastRun) -> list[keras.Model]:
    sizes = TASK.config(run.state["data_info"], run.resolved)
    members: list[keras.Model] = sizes.split(run.model)
    return members


def _same(one: keras.Model, other: keras.Model) -> bool:
    pairs = zip(one.get_weights(), other.get_weights(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


def _numbers(frame: pd.DataFrame) -> np.ndarray:
    return frame.select_dtypes("number").to_numpy()


def test_each_member_is_the_model_of_its_seed(run: ForecastRun) -> None:
    single = forecasting(_table(), seed=1, **SMALL)
    members = _members(run)
    assert _same(members[1], single.model)
    assert not _same(members[0], single.model)
    assert run.metrics["parameters"] == 2 * single.metrics["parameters"]
    assert run.metrics["parameters"] == TASK.count(run.state["data_info"], run.resolved)
    assert run.metrics["macs"] == 2 * single.metrics["macs"]
    assert run.notes[-1].startswith("ensemble of 2 models, from the seeds 0 to 1, whose outputs")
    assert run.notes[-1].endswith(f", {single.metrics['epochs']['kept']}")
    assert run.state["calibration"] != single.state["calibration"]


def test_an_ensemble_is_saved_scored_and_asked_as_one_run(run: ForecastRun, tmp_path: Path) -> None:
    loaded = kerasseq.load(run.save(tmp_path / "run"))
    np.testing.assert_array_equal(_numbers(loaded.forecast()), _numbers(run.forecast()))
    backtest = loaded.backtest(2, data=_table()).forecasts
    expected = _numbers(run.backtest(2).forecasts)
    np.testing.assert_allclose(_numbers(backtest), expected, rtol=1e-5)
    assert loaded.evaluate(_table())["test"]["mae"] > 0
    later = _table(93).tail(3)
    loaded.update(later)
    assert loaded.forecast()["day"].min() == pd.Timestamp("2024-04-03")


def test_sampled_paths_are_pooled(run: ForecastRun) -> None:
    drawn = run.forecast(paths=5)
    assert drawn.filter(like="path ").shape == (3, 5)
    assert drawn.equals(run.forecast(paths=5))
    assert run.forecast(horizon=5, paths=1)["path 1"].notna().all()


def test_what_an_ensemble_cannot_be(run: ForecastRun) -> None:
    with pytest.raises(ValueError, match="seeds must be a whole number above zero"):
        forecasting("no such file", seeds=0)
    with pytest.raises(ValueError, match=r"warm_start would give all models .* the same first"):
        forecasting("no such file", seeds=2, warm_start=run)
    with pytest.raises(ValueError, match=r"must be below 2\*\*32.*seed=4294967295, seeds=2"):
        forecasting("no such file", seeds=2, seed=2**32 - 1)
    for space, given in (({"seeds": [1, 2]}, {}), ({"units": [2, 4]}, {"seeds": 3})):
        with pytest.raises(ValueError, match="a search trains single models, which it compares"):
            kerasseq.hypermodel("forecasting", _table(), space=space, **given)


@pytest.mark.thorough
def test_an_ensemble_resumes_after_an_interruption(tmp_path: Path) -> None:
    trainings = []

    def stop(epoch: int, logs: Any) -> None:
        trainings.append(epoch)
        if trainings == [0, 1, 0, 1]:  # in the second epoch of the second member
            raise KeyboardInterrupt

    given = {**SMALL, "epochs": 2, "seeds": 2, "final": "all", "out": tmp_path / "run"}
    callback = keras.callbacks.LambdaCallback(on_epoch_begin=stop)
    with pytest.raises(KeyboardInterrupt):
        forecasting(_table(), callbacks=[callback], **given)
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names == {"checkpoint.npz", "checkpoint-2.npz"}
    resumed = forecasting(_table(), **given)
    whole = forecasting(_table(), **{**given, "out": None})
    assert resumed.history == whole.history
    assert _same(resumed.model, whole.model)
    assert not [*(tmp_path / "run").glob("*-2.npz")]


@pytest.mark.thorough
def test_each_member_is_refitted_for_its_number_of_epochs() -> None:
    run = forecasting(_table(), seeds=2, **{**SMALL, "final": "all"})
    single = forecasting(_table(), seed=1, **{**SMALL, "final": "all"})
    assert _same(_members(run)[1], single.model)
    scored = forecasting(_table(), seeds=2, **SMALL)
    assert run.metrics["test"] == scored.metrics["test"]
    pairs = zip(run.state["scored"]["weights"], scored.model.get_weights(), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)
    backtests = [_numbers(each.backtest(2).forecasts) for each in (run, scored)]
    np.testing.assert_allclose(*backtests, rtol=1e-5)


@pytest.mark.thorough
def test_an_exported_ensemble_forecasts_alone(run: ForecastRun, tmp_path: Path) -> None:
    folder = run.export(tmp_path / "exported")
    code = "import json, predict; print(json.dumps(predict.Predictor().forecast()))"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 0, result.stderr
    rows = json.loads(result.stdout.splitlines()[-1])
    found = [[row["forecast"], row["0.1"], row["0.9"]] for row in rows]
    expected = run.forecast()[["forecast", "0.1", "0.9"]]
    np.testing.assert_allclose(found, expected, rtol=1e-4)
