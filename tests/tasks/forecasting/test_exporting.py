"""An exported forecaster reads tables, and forecasts, as its run does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest

import kerasseq
from kerasseq.tasks.forecasting.exporting import _steps
from kerasseq.tasks.forecasting.standalone import Predictor, Steps
from tests.golden.replay import RUNS

SMALL: dict[str, Any] = {
    "horizon": 3, "lookback": 8, "units": 3, "epochs": 1, "batch_size": 32, "quiet": True,
}  # fmt: skip


def table(frequency: str | None, names: tuple[str, ...] = ("a", "b"), rows: int = 90) -> Any:
    """Series of positive numbers, with covariates of numbers and of words."""
    frames = []
    for place, name in enumerate(names):
        random = np.random.default_rng(place)
        steps = np.arange(rows)
        stamps = 10 * steps if frequency is None else None
        if frequency is not None:
            stamps = pd.date_range("2021-03-05 00:00", periods=rows, freq=frequency)
        sold = 10**place * (20 + 0.1 * steps + 5 * np.sin(steps) + random.normal(size=rows))
        frames.append(
            pd.DataFrame(
                {
                    "time": stamps,
                    "sold": np.round(sold),
                    "stock": random.normal(size=rows) + place,
                    "wind": random.choice(["N", "SE", "W"], rows),
                    "price": random.normal(size=rows),
                    "sale": random.choice(["no", "yes"], rows),
                    "size": 1.5 + 7 * place,
                    "shop": name,
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def assert_same(predictor: Predictor, run: Any, **arguments: Any) -> None:
    """Compare forecasts, from tables in DataFrames."""
    alone = pd.DataFrame(predictor.forecast(**arguments))
    expected = run.forecast(**arguments)
    assert [*alone] == [*expected]
    for name in expected:
        if pd.api.types.is_datetime64_any_dtype(expected[name]):
            alone[name] = pd.to_datetime(alone[name])
    pd.testing.assert_frame_equal(alone, expected, check_dtype=False, rtol=1e-5, atol=1e-6)


def exported(run: Any, folder: Path) -> Predictor:
    return Predictor(run.export(folder / "exported"))


COVARIATES: dict[str, Any] = {
    "series": "shop", "past": ["stock", "wind"], "future": ["price", "sale"], "static": "size",
    "target": "sold", "lags": [5],
}  # fmt: skip


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Predictor, pd.DataFrame]:
    """A run that reads everything that can be read, and forecasts series that are new to it."""
    data = table("6h")
    data.loc[[7, 100], "sold"] = np.nan
    options = {**COVARIATES, "fill": "mask", "series_embedding": True, "scaling": "standard"}
    run = kerasseq.forecasting(data, **options, **SMALL)
    return run, exported(run, tmp_path_factory.mktemp("rich")), data


def test_covariates_gaps_and_new_series(rich: Any) -> None:
    run, predictor, _ = rich
    ahead = table("6h", rows=93).groupby("shop").tail(3)
    known = ["time", "shop", "price", "sale"]
    assert_same(predictor, run, future=ahead[known])
    new = table("6h", ("b", "new"), rows=40)
    new.loc[:3, "sold"] = np.nan
    new = new.drop(index=[12, 55]).sample(frac=1, random_state=0)  # neither complete nor in order
    without = new.groupby("shop")["time"].rank(ascending=False) <= 4
    new.loc[without, "sold"] = np.nan  # rows ahead, with covariates alone
    assert_same(predictor, run, history=new, horizon=2, quantiles=[0.05, 0.5, 0.7])


def test_tables_in_files_rows_and_columns(rich: Any, tmp_path: Path) -> None:
    _, predictor, data = rich
    ahead = table("6h", rows=93).groupby("shop").tail(3)
    data, future = data.astype({"time": str}), ahead.astype({"time": str})
    data.to_csv(tmp_path / "data.csv", index=False)
    future.to_csv(tmp_path / "future.tsv", index=False, sep="\t")
    expected = predictor.forecast(data, future)
    assert predictor.forecast(str(tmp_path / "data.csv"), tmp_path / "future.tsv") == expected
    assert predictor.forecast(data.to_dict("records"), future.to_dict("list")) == expected
    assert json.loads(json.dumps(expected)) == expected


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data.drop(columns="price"), "no column 'price'"),
        (lambda data: data.assign(stock="much"), "'stock' must hold numbers.*'much'"),
        (
            lambda data: data.assign(time=data["time"] + pd.to_timedelta(range(180), unit="h")),
            "fit",
        ),
        (lambda data: data.assign(time="soon"), "as 2024-01-31 06:00.*'soon'"),
        (lambda data: data.assign(time="2024-01-01 00:00+01:00"), "without a time zone"),
        (lambda data: pd.concat([data, data.tail(1)]), "two rows for 2021-03-27 06:00:00"),
        (lambda data: data.assign(sold=None), "is empty"),
        (lambda data: data.assign(size=range(180)), "static column"),
        (lambda data: data.head(5), "has 5 steps, and 8 are needed"),
        (lambda data: data.head(0), "a row for each step"),
        (lambda data: data, "future covariates are not known up to 2021-03-28"),
    ],
)
def test_tables_that_cannot_be_read(rich: Any, change: Any, message: str) -> None:
    _, predictor, data = rich
    with pytest.raises(ValueError, match=message):
        predictor.forecast(change(data))


def test_arguments_that_do_not_fit(rich: Any) -> None:
    _, predictor, data = rich
    with pytest.raises(ValueError, match="forecasts 3 steps"):
        predictor.forecast(horizon=4)
    with pytest.raises(ValueError, match=r"from 0.025 to 0.975. Received: 0.99"):
        predictor.forecast(quantiles=[0.99])
    with pytest.raises(ValueError, match="lacks the covariates of series 'a' at 2021-03-27"):
        predictor.forecast(future=data)


OTHERS: dict[str, tuple[str | None, dict[str, Any]]] = {
    "points": ("B", {"scaling": "boxcox", "output": "point", "model": "hybrid", "season": 4}),
    "weeks": ("W-MON", {"output": "normal", "target": ["sold", "stock"], "model": "direct"}),
    "months": ("ME", {"output": "student_t", "fill": "linear", "calibrate": False}),
    "quarters": ("QS-FEB", {"scaling": "robust", "model": "segment", "past": "stock"}),
    "counted": (None, {"scaling": "none", "output": "negative_binomial", "quantiles": [0.3, 0.8]}),
    "minutes": ("15min", {"model": "recursive", "scaling": "log", "fill": "zero"}),
    "years": ("YE", {"model": "seq2seq", "attention": True, "scaling": "mean", "fill": "forward"}),
    "numbered": (None, {"time": (), "per_series": False, "normalization": "instance"}),
}


@pytest.mark.thorough
@pytest.mark.parametrize("name", OTHERS)
def test_other_runs(name: str, tmp_path: Path) -> None:
    frequency, options = OTHERS[name]
    data = table(frequency)
    if "past" not in options:
        data = data[["time", "sold", "stock", "shop"]]
    if options.get("time") == ():
        data = data.drop(columns="time")
    run = kerasseq.forecasting(data, **{"target": "sold", **options}, series="shop", **SMALL)
    predictor = exported(run, tmp_path)
    assert_same(predictor, run)
    new = table(frequency, ("new", "a"), rows=30)
    if "fill" in options:
        new = new.drop(index=[5, 40, 41])
    assert_same(predictor, run, history=new)
    if frequency is not None:  # rows that follow
        update = table(frequency, rows=95).groupby("shop").tail(5)
        run.update(update.drop(columns=[name for name in update if name not in data]))
        assert_same(exported(run, tmp_path / "updated"), run)


ALIASES = ["h", "15min", "2D", "B", "W-TUE", "ME", "QS-FEB", "YE-MAR", "2MS", "2W-SUN", "QE-NOV"]


@pytest.mark.parametrize("alias", [*ALIASES, "YS", "3ME", "90s", "D", "2B"])
def test_steps_are_those_of_pandas(alias: str) -> None:
    stamps = pd.date_range("2023-11-30", periods=40, freq=alias).to_pydatetime().tolist()
    steps = Steps(**_steps(alias))
    assert [steps.after(stamps[3], n - 3) for n in range(40)] == stamps
    assert [steps.between(stamps[3], stamp) for stamp in stamps] == [*range(-3, 37)]
    assert steps.begins(stamps[0])
    between = stamps[3] + (stamps[4] - stamps[3]) / 2
    assert steps.between(stamps[3], between) is None


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the run is of TensorFlow")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"frequency": "BMS"}, "the frequency 'BMS'"),
        ({"encoding": {"timezone": "UTC"}}, "a time zone"),
        ({"encoding": {"folded": True}}, "a row for each series"),
    ],
)
def test_runs_that_cannot_be_exported(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    run = kerasseq.load(RUNS / "forecasting")
    history = {**run.state["history"], **change}
    history["encoding"] = {**run.state["history"]["encoding"], **change.get("encoding", {})}
    run.state = {**run.state, "history": history}
    with pytest.raises(ValueError, match=f"{message} cannot be exported"):
        run.export(tmp_path / "exported")
    assert not (tmp_path / "exported").exists()
