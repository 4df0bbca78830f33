"""Tables without names of columns are refused, and dates as names of columns are read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kerasseq.data.series.layouts import unfold_dates
from kerasseq.data.series.read import read_series


def _wide(names: list[str]) -> pd.DataFrame:
    values = np.random.default_rng(0).random((3, len(names))).round(3)
    frame = pd.DataFrame(values, columns=names)
    frame.insert(0, "shop", ["a", "a", "b"])
    frame.insert(1, "item", ["x", "y", "x"])
    return frame


@pytest.mark.parametrize(
    ("names", "frequency"),
    [
        (["2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30"], "ME"),
        (["2024-01", "2024-02", "2024-03", "2024-04"], "MS"),
        (["1/1/2024", "1/2/2024", "1/3/2024", "1/13/2024"], None),
        (["1990", "1991", "1992", "1993"], "YS-JAN"),
        ([f"2024-01-01 0{hour}:00" for hour in range(6)], "h"),
    ],
    ids=str,
)
def test_dates_as_names_of_columns(names: list[str], frequency: str | None) -> None:
    frame = _wide(names)
    panel = read_series(frame, fill="mask")
    assert panel.ids == ["a/x", "a/y", "b/x"]
    assert panel.encoding["roles"]["series"] == ["shop", "item"]
    assert "dates are names of columns: each row is a series" in panel.notes
    observed = np.concatenate([own[~np.isnan(own)] for own in panel.targets])
    np.testing.assert_array_equal(observed, frame[names].to_numpy().ravel())
    assert panel.stamps[0][0] == pd.Timestamp(names[0])
    if frequency:
        assert panel.frequency == frequency
    again = read_series(frame, encoding=panel.encoding, fill="mask")
    assert again.ids == panel.ids


def test_empty_fields_around_a_series_are_left_out() -> None:
    names = [f"2024-01-0{day}" for day in range(1, 7)]
    frame = _wide(names)
    frame.loc[0, names[:2]] = np.nan
    frame.loc[1, names[4:]] = np.nan
    panel = read_series(frame)
    assert panel.lengths.tolist() == [4, 4, 6]
    assert panel.stamps[0][0] == pd.Timestamp("2024-01-03")


def test_rows_without_a_name_are_numbered() -> None:
    frame = _wide(["2024-01-01", "2024-01-02", "2024-01-03"]).drop(columns=["shop", "item"])
    assert read_series(frame).ids == ["0", "1", "2"]
    assert read_series(frame[:1]).ids == [""]


def test_other_tables_are_not_unfolded() -> None:
    assert unfold_dates(pd.DataFrame({"shop": ["a"], "2024-01": [3], "2024-02": [5]})) is None
    names = ["2024-01", "2024-02", "2024-03"]
    assert unfold_dates(_wide(names).assign(total=1.0)) is None
    assert unfold_dates(pd.DataFrame({"V1": ["H1"], "V2": [1], "V3": [2], "V4": [3]})) is None


@pytest.mark.parametrize(
    "lines",
    [
        "2024-01-01,112\n2024-01-02,118\n",
        "112\n118\n132\n",
        "7,112\n8,118\n",
        "a,1/2/2024,3\nb,1/3/2024,4\n",
    ],
)
def test_a_file_without_a_line_of_names_is_told(tmp_path: Path, lines: str) -> None:
    (tmp_path / "a.csv").write_text(lines)
    first = ", ".join(map(repr, lines.split("\n")[0].split(",")))
    with pytest.raises(ValueError, match=f"has no line of names: its first line holds {first}"):
        read_series(tmp_path / "a.csv")


def test_columns_that_are_numbered_have_names(tmp_path: Path) -> None:
    frame = pd.DataFrame(np.random.default_rng(0).random((9, 3)))
    frame.to_csv(tmp_path / "a.csv", index=False)
    assert read_series(tmp_path / "a.csv").names["targets"] == ["0", "1", "2"]


@pytest.mark.parametrize("swapped", [False, True])
def test_a_table_of_prices_has_a_series_for_each_ticker(swapped: bool) -> None:
    columns = pd.MultiIndex.from_product(
        [["Close", "Volume"], ["AAPL", "MSFT"]], names=["Price", "Ticker"]
    )
    days = pd.date_range("2024-01-01", periods=4, name="Date")
    prices = pd.DataFrame(np.arange(16.0).reshape(4, 4), index=days, columns=columns)
    prices.loc[days[0], ("Close", "MSFT")] = np.nan
    prices.loc[days[0], ("Volume", "MSFT")] = np.nan
    panel = read_series(prices.swaplevel(axis=1) if swapped else prices, target="Close")
    assert panel.ids == ["AAPL", "MSFT"]
    assert [values.ravel().tolist() for values in panel.targets] == [[0, 4, 8, 12], [5, 9, 13]]
    assert "series from the level 'Ticker' of the columns" in panel.notes


def test_other_levels_of_columns_are_joined() -> None:
    columns = pd.MultiIndex.from_tuples([("north", "load"), ("south", "load"), ("time", "")])
    table = pd.DataFrame([[1, 2, "2024-01-01"], [3, 5, "2024-01-02"]], columns=columns)
    assert read_series(table).names["targets"] == ["north load", "south load"]
