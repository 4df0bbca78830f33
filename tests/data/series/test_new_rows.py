"""Series go on where they ended: with new rows, and with what is known of the steps to come."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from kerasseq.data.series.new_rows import add_future_covariates, add_lags, append_rows
from kerasseq.data.series.read import Panel, read_series
from kerasseq.data.series.windows import latest_inputs


def _table(*lengths: int, frequency: str = "D", start: int = 0) -> pd.DataFrame:
    """Series a, b, ... from row `start` on, one below the other, with covariates."""
    frames = []
    for i, length in enumerate(lengths):
        rows = np.arange(start, start + length)
        stamps = pd.date_range("2024-01-31", periods=start + length, freq=frequency)[start:]
        columns = {"time": stamps, "y": 100.0 * i + rows**2, "sale": rows % 3, "mood": rows % 5}
        frames.append(pd.DataFrame({"shop": "abc"[i], **columns}))
    return pd.concat(frames, ignore_index=True)


def _panel(table: pd.DataFrame, **arguments: Any) -> Panel:
    return read_series(table, target="y", series="shop", future="sale", past="mood", **arguments)


@pytest.mark.parametrize("frequency", ["h", "D", "B", "ME", "QS-JAN"])
def test_what_is_known_ahead_follows_each_series(frequency: str) -> None:
    panel = _panel(_table(20, 20, frequency=frequency))
    ahead = _table(10, 10, frequency=frequency, start=17).drop(columns=["y", "mood"])
    found = add_future_covariates(panel, ahead.sample(frac=1, random_state=0), steps=5)
    for i in range(2):
        assert found.future[i].ravel().tolist() == [row % 3 for row in range(27)]
    np.testing.assert_array_equal(
        latest_inputs(found, 4, 7)["future"][0, :, 0], [2, 0, 1, 2, 0, 1, 2]
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop(index=2), "'a' lacks a row with the future covariates of 2024-02-22"),
        (lambda f: f.assign(sale=f["sale"].mask(f.index == 0)), "of 2024-02-20: 5 steps"),
        (lambda f: f.iloc[:4], "future covariates of 2024-02-24"),
        (lambda f: f.assign(shop="b"), "does not have series 'a', and its next 5 steps"),
        (lambda f: f.drop(columns="sale"), "has no column named 'sale'"),
        (lambda f: pd.concat([f, f.iloc[:1]]), "series 'a' has two rows for 2024-02-20"),
        (
            lambda f: f.assign(time=f["time"].dt.tz_localize("UTC") + pd.Timedelta("1h")),
            "its stamps are in UTC, but",
        ),
    ],
)
def test_a_future_table_that_misses_steps(change: Any, message: str) -> None:
    panel = _panel(_table(20))
    ahead = _table(5, start=20).drop(columns=["y", "mood"])
    assert len(add_future_covariates(panel, ahead, 5).future[0]) == 25
    with pytest.raises(ValueError, match=message):
        add_future_covariates(panel, change(ahead), 5)


def test_steps_that_are_counted_go_on() -> None:
    table = _table(20).drop(columns="time")
    panel = _panel(table, time=())
    ahead = _table(5, start=20)[["shop", "sale"]]
    assert add_future_covariates(panel, ahead, 5).future[0][20:, 0].tolist() == [2, 0, 1, 2, 0]
    new = read_series(_table(3, start=20).drop(columns="time"), encoding=panel.encoding)
    assert append_rows(panel, new).targets[0][:, 0].tolist() == [row**2 for row in range(23)]
    with pytest.raises(ValueError, match="series 'a' lacks a row with the future covariates of 25"):
        add_future_covariates(panel, ahead, 6)


def test_words_that_are_known_ahead() -> None:
    words = np.array(["none", "easter", "christmas"])
    table = _table(20).assign(sale=lambda f: words[f["sale"]])
    panel = _panel(table)
    ahead = _table(3, start=20).assign(sale=["easter", "ramadan", "none"])
    found = add_future_covariates(panel, ahead, 3).future[0][20:].tolist()
    assert panel.names["future"] == ["sale=christmas", "sale=easter", "sale=none"]
    assert found == [[0, 1, 0], [0, 0, 0], [0, 0, 1]]


def test_new_rows_go_on_where_the_series_ended() -> None:
    whole, early = _panel(_table(25, 25)), _panel(_table(20, 20))
    late = read_series(_table(5, 5, start=20), encoding=early.encoding)
    found = append_rows(early, late)
    for i in range(2):
        for role in ("stamps", "targets", "past", "future"):
            np.testing.assert_array_equal(getattr(found, role)[i], getattr(whole, role)[i])
    only_b = append_rows(early, late.pick([1]))
    assert only_b.lengths.tolist() == [20, 25]


def test_new_rows_replace_what_was_known_ahead() -> None:
    table = _table(25)
    table.loc[20:, "y"] = np.nan
    panel = _panel(table, fill="forward")
    assert [len(panel.targets[0]), len(panel.future[0])] == [20, 25]
    new = _table(2, start=20).assign(sale=7)
    found = append_rows(panel, read_series(new, encoding=panel.encoding))
    assert found.future[0][18:, 0].tolist() == [0, 1, 7, 7, 1, 2, 0]


@pytest.mark.parametrize("start", [19, 21])
def test_new_rows_leave_no_gap(start: int) -> None:
    panel = _panel(_table(20))
    new = read_series(_table(3, start=start), encoding=panel.encoding)
    with pytest.raises(ValueError, match="series 'a' goes on with 2024-02-20, and the new"):
        append_rows(panel, new)
    with pytest.raises(ValueError, match="series 'b' is new"):
        append_rows(panel, _panel(_table(9, 9)).pick([1]))


def test_new_rows_have_the_static_values_of_their_series() -> None:
    table = _table(25, 25).assign(size=lambda own: own["shop"].map({"a": 1.5, "b": 2.0}))
    early = table.groupby("shop").head(20)
    panel = _panel(early, static="size")
    late = table.groupby("shop").tail(5)
    append_rows(panel, read_series(late, encoding=panel.encoding))
    late = late.assign(size=late["size"].replace(2.0, 7.0))
    told = r"^series 'b': static column 'size' is 2, and in the new rows 7\. Write one value"
    with pytest.raises(ValueError, match=told):
        append_rows(panel, read_series(late, encoding=panel.encoding))


def test_lags_are_earlier_targets() -> None:
    panel = add_lags(_panel(_table(20, 15)), [1, 7])
    assert panel.names["past"] == ["mood", "y lag 1", "y lag 7"]
    for own, values in zip(panel.past, panel.targets):
        np.testing.assert_array_equal(own[7:, 1:], np.hstack([values[6:-1], values[:-7]]))
        assert np.isnan(own[:7, 2]).all()


def test_a_lag_longer_than_a_series() -> None:
    assert np.isnan(add_lags(_panel(_table(5)), [7]).past[0][:, 1]).all()


@pytest.mark.parametrize("lag", [0, -1, 1.5, True])
def test_lags_are_whole_numbers(lag: Any) -> None:
    with pytest.raises(ValueError, match=r"lags must be whole numbers above zero\. Received"):
        add_lags(_panel(_table(5)), [lag])
