"""Series become windows in the units of the model, and what it gives goes back to their own."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from kerasseq.data.series.read import Panel, read_series
from kerasseq.data.series.reader import Part, SeriesReader
from kerasseq.data.series.splits import chronological


def _panel(names: tuple[str, ...] = ("a", "b"), steps: int = 40) -> Panel:
    frames = [
        pd.DataFrame(
            {
                "day": pd.date_range("2024-01-01", periods=steps),
                "y": (i + 1) * np.sin(np.arange(steps)) + 10 * i,
                "x": np.cos(np.arange(steps) + i),
                "id": name,
            }
        )
        for i, name in enumerate(names)
    ]
    return read_series(pd.concat(frames), target="y", series="id", past="x")


def _reader(panel: Panel, per_series: bool = True, series_ids: bool = False) -> SeriesReader:
    return SeriesReader.fit(
        panel, "standard", per_series, lookback=5, horizon=2, lags=(7,), cycles=("weekday",),
        masked=False, series_ids=series_ids,
    )  # fmt: skip


def test_a_reader_comes_back_from_json() -> None:
    panel = _panel()
    reader = _reader(panel)
    again = SeriesReader.from_state(json.loads(json.dumps(reader.state())))
    rows = np.arange(len(reader.examples(panel)))
    one, other = (own.examples(panel).batch(rows) for own in (reader, again))
    assert one[0].keys() == other[0].keys() == {"history", "past", "future"}
    for name in one[0]:
        np.testing.assert_array_equal(one[0][name], other[0][name])
    assert again.rows_needed == 12


def test_inputs_are_as_wide_as_is_said() -> None:
    panel = _panel()
    reader = _reader(panel)
    columns = reader.columns(panel)
    inputs, targets = reader.examples(panel).batch(np.array([5, 6, 7]))
    assert columns == {"targets": 1, "past": 1 + 1 + 2, "future": 2, "static": 0}
    assert {name: inputs[name].shape[2] for name in ("past", "future")} == {"past": 4, "future": 2}
    np.testing.assert_allclose(inputs["past"][2, :, 1], reader.scaled(panel)[0].targets[0][0:5, 0])
    assert targets.shape == (3, 2, 1)


def test_truth_is_in_the_units_of_the_series() -> None:
    panel = _panel()
    examples = _reader(panel).examples(panel, np.array([30, 20]), stride=3)
    truth = examples.targets
    assert len(examples) == len(truth.values) == 3 + 7
    assert truth.block == 1
    for values, place, origin in zip(truth.values, truth.series, truth.origins):
        np.testing.assert_array_equal(values, panel.targets[place][origin : origin + 2])
    np.testing.assert_allclose(
        examples.in_original_units(examples.scaled_targets), truth.values, atol=1e-5
    )
    taken = truth.take(np.array([1, 8]))
    np.testing.assert_array_equal(taken.values, truth.values[[1, 8]])
    assert taken.series.tolist() == [0, 1]


def test_windows_are_passed_over_where_there_are_too_many_to_score(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    panel = _panel()
    reader = _reader(panel)
    assert len(reader.examples(panel)) == 2 * 34
    monkeypatch.setattr("kerasseq.data.series.reader._SCORED", 2 * 2 * 34 // 5)
    few = reader.examples(panel)
    assert few.windows.stride == 6
    assert len(few) == 2 * 6


def test_series_that_were_not_seen_are_scaled_by_themselves() -> None:
    panel = _panel()
    reader = _reader(panel, series_ids=True)
    other = _panel(("c", "b"))  # the first of them is like the first one here
    scaled, scaler = reader.scaled(other)
    np.testing.assert_allclose(scaled.targets[0].mean(), 0, atol=1e-6)
    np.testing.assert_array_equal(scaled.targets[1], reader.scaled(panel)[0].targets[1])
    np.testing.assert_allclose(scaler.inverse(scaled.targets[1], 1), other.targets[1], atol=1e-5)
    inputs, _ = reader.latest(other)
    assert inputs["series"].tolist() == [-1, 1]
    assert _reader(panel, per_series=False).scaled(other)[1].location.shape == (1, 1)


def test_windows_to_score_are_not_scaled_by_what_comes_after_them() -> None:
    panel = _panel()
    reader = _reader(panel)
    other = _panel(("c", "d"))
    late = other.targets[0].copy()
    late[5:] *= 100
    marked = read_series(
        pd.DataFrame(
            {"day": other.stamps[0], "y": late[:, 0], "x": other.past[0][:, 0], "id": "c"}
        ),
        encoding=panel.encoding,
    )
    one, other_ = (own.batch(np.array([0]))[0]["history"] for own in (
        reader.examples(other), reader.examples(marked)))  # fmt: skip
    np.testing.assert_array_equal(one, other_)


def test_teaching_gives_the_targets_as_an_input() -> None:
    panel = _panel()
    examples = _reader(panel).examples(panel)
    inputs, targets = examples.teacher_forced.batch(np.arange(4))
    assert inputs["ahead"] is targets
    assert "ahead" not in examples.batch(np.arange(4))[0]


def test_what_was_filled_in_is_neither_scored_nor_calibrated_on() -> None:
    table = pd.DataFrame({"step": np.arange(40), "y": np.sin(np.arange(40.0))})
    panel = read_series(table.assign(y=table["y"].mask(table.index == 33)), fill="linear")
    options = {
        "lookback": 5,
        "horizon": 2,
        "lags": (),
        "cycles": (),
        "masked": False,
        "series_ids": False,
    }
    reader = SeriesReader.fit(panel, "standard", False, **options)
    examples = reader.examples(panel, np.array([30]))
    truth = examples.targets
    expected = truth.origins[:, None] + np.arange(2) == 33
    np.testing.assert_array_equal(np.isnan(truth.values[..., 0]), expected)
    np.testing.assert_array_equal(np.isnan(examples.scaled_targets[..., 0]), expected)
    assert np.flatnonzero(np.isnan(truth.insample[0])).tolist() == [33]
    inputs, targets = examples.batch(np.arange(len(examples)))
    assert np.isfinite(inputs["history"]).all()
    assert np.isfinite(targets).all()


def test_parts_do_not_show_what_comes_after_them() -> None:
    table = pd.DataFrame({"step": np.arange(40), "y": np.sin(np.arange(40.0))})
    table.loc[17:22, "y"] = np.nan
    panel = read_series(table.assign(y=table["y"].where(table.index < 23, 1e9)), fill="linear")
    split = chronological(panel, 10, 10)
    train, validation, _ = Part.split(panel, split, 5, 2, 7)
    assert np.abs(train.panel.targets[0]).max() <= 1
    assert train.panel.targets[0][17:, 0].tolist() == [table["y"][16]] * 3
    assert np.flatnonzero(np.isnan(validation.before[0])).tolist() == [17, 18, 19]
    assert validation.panel.targets[0].max() == 1e9
