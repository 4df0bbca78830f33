"""Series are read from whatever table they are in; what is wrong with one is said in a sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseq.data.series.read import Panel, read_series


def _hours(rows: int = 48, **columns: Any) -> pd.DataFrame:
    """A regular table: hours from the first of January 2024, and y counting in jumps."""
    time = pd.date_range("2024-01-01", periods=rows, freq="h")
    return pd.DataFrame({"time": time, "y": 10.0 * np.arange(rows) ** 1.5, **columns})


def _long(*lengths: int) -> pd.DataFrame:
    """Daily series a, b, c, ... one below the other."""
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "shop": "abcdef"[i],
                    "day": pd.date_range("2024-01-01", periods=length, freq="D"),
                    "sold": 100.0 * i + np.arange(length) ** 2,
                    "price": np.arange(length) % 7.0,
                    "size": float(i),
                }
            )
            for i, length in enumerate(lengths)
        ],
        ignore_index=True,
    )


# Layouts and files


@pytest.mark.parametrize("kind", ["frame", "indexed", "periods", "csv", "tsv", "parquet", "text"])
def test_wide_tables(kind: str, tmp_path: Path) -> None:
    frame = _hours(z=np.arange(48) ** 2 % 17).rename(columns={"y": "x"})
    data: Any = frame
    if kind == "indexed":
        data = frame.set_index("time")
    elif kind == "periods":
        data = frame.set_index(pd.PeriodIndex(frame["time"], freq="h")).drop(columns="time")
    elif kind == "parquet":
        data = tmp_path / "table.parquet"
        frame.to_parquet(data)
    elif kind in ("csv", "tsv"):
        data = str(tmp_path / f"table.{kind}")
        frame.to_csv(data, index=False, sep="," if kind == "csv" else "\t")
    elif kind == "text":
        data = frame.astype(str)
    panel = read_series(data)
    assert panel.ids == [""]
    assert (panel.frequency, panel.season) == ("h", 24)
    assert panel.names == {"targets": ["x", "z"], "past": [], "future": [], "static": []}
    np.testing.assert_allclose(panel.targets[0], frame[["x", "z"]], rtol=1e-15)
    assert panel.stamps[0].equals(pd.DatetimeIndex(frame["time"]))
    assert [len(own[0]) for own in (panel.past, panel.future)] == [48, 48]
    assert panel.static.shape == (1, 0)
    assert panel.notes[-1] == (
        "1 series of 48 steps, frequency 'h' from 2024-01-01 to 2024-01-02 23:00, season 24"
    )


def test_ids_of_series_are_read_as_windows_1252(tmp_path: Path) -> None:
    rows = "".join(f"{name},{step},{step}\n" for name in ("Joe’s", "Zoë") for step in range(1, 9))
    (tmp_path / "a.csv").write_bytes(f"unique_id,ds,y\n{rows}".encode("cp1252"))
    assert read_series(tmp_path / "a.csv").ids == ["Joe’s", "Zoë"]


def test_long_tables_keep_the_order_of_their_series() -> None:
    frame = _long(30, 20, 25).sort_values(["day", "shop"], ascending=[True, False])
    panel = read_series(frame, target="sold", series="shop", static="size")
    assert panel.ids == ["c", "b", "a"]
    assert panel.lengths.tolist() == [25, 20, 30]
    whole = _long(30, 20, 25)
    for i, name in enumerate(panel.ids):
        expected = whole[whole["shop"] == name]
        np.testing.assert_array_equal(panel.targets[i][:, 0], expected["sold"])
        assert panel.stamps[i].equals(pd.DatetimeIndex(expected["day"]))
    assert panel.static.ravel().tolist() == [2, 1, 0]
    assert "rows were sorted by time" not in panel.notes


def test_several_columns_may_tell_the_series_apart() -> None:
    frame = _long(9, 9).assign(town=np.repeat(["x", "y"], 9))
    panel = read_series(frame, target="sold", series=["town", "shop"])
    assert panel.ids == ["x/a", "y/b"]
    assert panel.keys == [["x", "a"], ["y", "b"]]
    assert panel.pick([1]).keys == [["y", "b"]]


def test_series_that_are_called_alike_stay_apart() -> None:
    frame = _long(9, 9, 9).assign(town=np.repeat(["x/y", "x", "x\\"], 9))
    frame["shop"] = np.repeat(["z", "y/z", "y/z"], 9)
    panel = read_series(frame, target="sold", series=["town", "shop"])
    assert panel.lengths.tolist() == [9, 9, 9]
    assert len(set(panel.ids)) == 3
    assert panel.keys == [["x/y", "z"], ["x", "y/z"], ["x\\", "y/z"]]


def test_numbers_that_tell_series_apart_stay_numbers() -> None:
    frame = _long(9, 8).assign(shop=np.repeat([7, 10], [9, 8]))
    panel = read_series(frame, target="sold", series="shop")
    assert (panel.ids, panel.keys) == (["7", "10"], [[7], [10]])
    assert json.loads(json.dumps(panel.keys)) == panel.keys


def test_a_usual_name_tells_the_series_apart_unasked() -> None:
    panel = read_series(_long(9, 8).rename(columns={"shop": "unique_id"}), target="sold")
    assert panel.ids == ["a", "b"]
    assert "series from column 'unique_id'" in panel.notes


def test_one_series_per_row_of_unequal_length(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    path.write_text('"V1","V2","V3","V4","V5"\n"H1","1","2","",""\n"H2","3","","4.5","6"\n')
    panel = read_series(path)
    assert panel.ids == ["H1", "H2"]
    assert panel.frequency is None
    assert [own.ravel().tolist()[:2] for own in panel.targets] == [
        [1, 2],
        [3, pytest.approx(np.nan, nan_ok=True)],
    ]
    assert [list(own) for own in panel.stamps] == [[0, 1], [0, 1, 2, 3]]
    again = read_series(pd.DataFrame({"V1": ["H9"], "V2": [7]}), encoding=panel.encoding)
    assert again.ids == ["H9"]
    assert again.targets[0].tolist() == [[7]]


def test_a_pandas_series() -> None:
    panel = read_series(_hours().set_index("time")["y"])
    assert panel.names["targets"] == ["y"]
    assert panel.frequency == "h"


def test_the_demo_needs_no_file() -> None:
    panel = read_series("demo")
    assert panel.ids == ["air passengers", "sunspots"]
    assert panel.lengths.tolist() == [144, 2820]
    assert (panel.frequency, panel.season) == ("MS", 12)


@given(
    rows=st.integers(2, 60),
    start=st.datetimes(pd.Timestamp("1800-01-01"), pd.Timestamp("2200-01-01")),
)
def test_a_table_comes_back_whatever_its_order(rows: int, start: pd.Timestamp) -> None:
    values = np.random.default_rng(rows).normal(size=rows)
    stamps = pd.date_range(pd.Timestamp(start).floor("s"), periods=rows, freq="D")
    frame = pd.DataFrame({"ds": stamps, "y": values}).sample(frac=1, random_state=rows)
    panel = read_series(frame)
    np.testing.assert_array_equal(panel.targets[0][:, 0], values)
    assert panel.stamps[0].equals(stamps)


# Stamps


def test_a_time_in_several_columns() -> None:
    frame = _hours()
    parts = {p: getattr(frame["time"].dt, p) for p in ("year", "month", "day", "hour")}
    panel = read_series(pd.DataFrame({**parts, "y": frame["y"]}).astype(str))
    assert panel.stamps[0].equals(pd.DatetimeIndex(frame["time"]))
    assert panel.names["targets"] == ["y"]


def test_a_date_and_a_time_of_day() -> None:
    frame = _hours()
    columns = {"Date": frame["time"].dt.strftime("%d/%m/%Y"), "Time": frame["time"].dt.time}
    panel = read_series(pd.DataFrame({**columns, "y": frame["y"]}).astype(str))
    assert panel.stamps[0].equals(pd.DatetimeIndex(frame["time"]))


def test_a_time_of_day_with_points_and_decimal_commas(tmp_path: Path) -> None:
    """The form of the UCI air quality data."""
    hours = pd.date_range("2004-03-10 18:00", periods=30, freq="h")
    text = hours.strftime("%d/%m/%Y;%H.%M.%S;") + [f"{i * i},6" for i in range(30)]
    (tmp_path / "a.csv").write_text("\n".join(["Date;Time;CO", *text]))
    panel = read_series(tmp_path / "a.csv")
    assert panel.stamps[0].equals(hours)
    np.testing.assert_allclose(panel.targets[0][:, 0], [i * i + 0.6 for i in range(30)])
    assert "column 'CO' is read with decimal commas" in panel.notes


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("text", [False, True])
def test_a_date_and_an_hour(first: int, text: bool) -> None:
    frame = _hours()
    days, hours = frame["time"].dt.normalize(), frame["time"].dt.hour + first
    table = pd.DataFrame({"date": days, "hour": hours, "y": frame["y"]})
    panel = read_series(table.astype(str) if text else table)
    assert panel.stamps[0].equals(pd.DatetimeIndex(frame["time"] + pd.Timedelta(hours=first)))
    assert panel.names["targets"] == ["y"]


def test_the_hour_beside_full_stamps_is_no_part_of_the_time() -> None:
    frame = pd.concat([_hours(s="a"), _hours(s="b")]).rename(columns={"time": "date"})
    frame["hour"] = frame["date"].dt.hour
    panel = read_series(frame.astype(str), series="s", target="y")
    assert panel.stamps[1].equals(pd.DatetimeIndex(_hours()["time"]))


def test_a_year_and_a_week_or_a_quarter() -> None:
    weeks = pd.date_range("2019-12-30", periods=60, freq="W-MON")
    iso = weeks.isocalendar().reset_index(drop=True)
    panel = read_series(iso[["year", "week"]].assign(y=np.arange(60) ** 2))
    assert panel.stamps[0].equals(weeks)
    quarters = pd.date_range("2019-04-01", periods=12, freq="QS")
    columns = {"Year": quarters.year, "Quarter": [f"Q{q}" for q in quarters.quarter]}
    panel = read_series(pd.DataFrame({**columns, "y": np.arange(12) ** 2}))
    assert panel.stamps[0].equals(quarters)
    wrong = pd.DataFrame({"year": [2024] * 3, "week": [52, 53, 54], "y": [1, 2, 4]})
    with pytest.raises(ValueError, match=r"column 'week' must be from 1 to 53\. Received: 54"):
        read_series(wrong)


def test_columns_as_other_libraries_name_them_are_found() -> None:
    frame = _long(9, 8).rename(columns={"shop": "unique_id", "day": "ds", "sold": "y"})
    panel = read_series(frame.drop(columns=["price", "size"]))
    assert (panel.ids, panel.names["targets"], panel.frequency) == (["a", "b"], ["y"], "D")


@pytest.mark.parametrize("kind", [int, float, str])
def test_ids_are_the_same_as_text_or_numbers(kind: type) -> None:
    frame = _long(9, 8).assign(shop=lambda f: f["shop"].map({"a": 1, "b": 2}))
    read = {"target": "sold", "series": "shop"}
    panel = read_series(frame, **read)
    other = read_series(frame.assign(shop=frame["shop"].astype(kind)), **read)
    assert panel.ids == other.ids == ["1", "2"]


def test_dates_and_numbered_variables_are_no_series_per_row() -> None:
    frame = _long(9).rename(columns={"sold": "x1", "price": "x2"})[["day", "x1", "x2"]]
    panel = read_series(frame.astype(str))
    assert (panel.ids, panel.names["targets"]) == ([""], ["x1", "x2"])


def test_steps_that_are_numbered_in_each_of_several_series() -> None:
    frame = pd.DataFrame({"series": [*"aaabb"], "step": [0, 1, 2, 5, 6], "y": [1.0, 3, 2, 5, 4]})
    panel = read_series(frame)
    assert [list(own) for own in panel.stamps] == [[0, 1, 2], [5, 6]]


def test_numbers_in_words_are_no_dates() -> None:
    frame = pd.DataFrame(
        {"gauge": ["T1", "T2", "T3"], "version": ["1.2", "1.3", "x5"], "y": [1, 5, 3]}
    )
    assert read_series(frame, target="y").frequency is None


def test_without_stamps_rows_are_steps() -> None:
    panel = read_series(pd.DataFrame({"y": [1.0, 5.0, 2.0]}), season=2)
    assert isinstance(panel.stamps[0], pd.RangeIndex)
    assert (panel.frequency, panel.season) == (None, 2)
    ignored = read_series(_hours(), time=(), target="y")
    assert ignored.frequency is None


def test_numbered_steps() -> None:
    panel = read_series(pd.DataFrame({"time": [0, 5, 10, 15], "y": [1.0, 5.0, 2.0, 3.0]}))
    assert list(panel.stamps[0]) == [0, 5, 10, 15]
    with pytest.raises(ValueError, match=r"has a gap: 10 is missing after 5 \(even steps; 1 step"):
        read_series(pd.DataFrame({"time": [0, 5, 15, 20], "y": [1.0, 5.0, 2.0, 3.0]}))


@pytest.mark.parametrize(
    ("column", "frequency", "first"),
    [
        (["2024-01", "2024-02", "2024-03"], "MS", "2024-01-01"),
        (["2024-01-31", "2024-02-29", "2024-03-31"], "ME", "2024-01-31"),
        (["31.01.2024", "29.02.2024", "31.03.2024"], "ME", "2024-01-31"),
        (["01/31/2024", "02/29/2024", "03/31/2024"], "ME", "2024-01-31"),
        (["01/12/2023", "01/01/2024", "01/02/2024", "01/03/2024"], "MS", "2023-12-01"),
        (["Jan 2024", "Feb 2024", "Mar 2024"], "MS", "2024-01-01"),
        ([2021, 2022, 2023], "YS-JAN", "2021-01-01"),
        ([202411, 202412, 202501], "MS", "2024-11-01"),
        ([20240228, 20240229, 20240301], "D", "2024-02-28"),
        ([1704067200, 1704070800, 1704074400], "h", "2024-01-01"),
        ([1704067200000, 1704067260000], "min", "2024-01-01"),
        (["2024-01-01 23:30", "2024-01-02", "2024-01-02 00:30"], "30min", "2024-01-01 23:30"),
    ],
)
@pytest.mark.parametrize("text", [True, False])
def test_stamps_of_all_kinds(column: list[Any], frequency: str, first: str, text: bool) -> None:
    values = np.arange(len(column)) ** 2
    frame = pd.DataFrame({"date": pd.Series(column).astype(str) if text else column, "y": values})
    panel = read_series(frame)
    assert panel.frequency == frequency
    assert panel.stamps[0][0] == pd.Timestamp(first)


def test_dates_that_can_be_read_in_two_ways_are_refused() -> None:
    frame = pd.DataFrame({"date": ["01/02/2024", "02/03/2024", "03/04/2024"], "y": [1, 2, 4]})
    with pytest.raises(ValueError, match="as month/day or as day/month, as '01/02/2024'"):
        read_series(frame)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "UTC"])
@pytest.mark.parametrize("frequency", ["15min", "h", "D", "W-SUN", "ME"])
def test_time_zones_stay_and_changes_of_the_clock_are_no_gaps(zone: str, frequency: str) -> None:
    stamps = pd.date_range("2023-10-22", periods=24 * 20, freq=frequency, tz=zone)
    panel = read_series(pd.DataFrame({"t": stamps, "y": np.arange(len(stamps)) ** 2}))
    assert panel.frequency == frequency
    assert panel.stamps[0].equals(stamps)
    assert panel.encoding["timezone"] == zone


def test_offsets_from_utc_that_change_are_read_in_utc() -> None:
    stamps = pd.date_range("2024-03-30 22:00", periods=8, freq="h", tz="Europe/Berlin")
    text = [stamp.isoformat() for stamp in stamps]
    panel = read_series(pd.DataFrame({"t": text, "y": np.arange(8) ** 2}))
    assert panel.stamps[0].equals(stamps.tz_convert("UTC"))
    assert "column 't' has several offsets from UTC: its stamps are in UTC" in panel.notes


@pytest.mark.parametrize("name", ["date", "when"])
@pytest.mark.parametrize("bad", ["2024-13-45", "oops", "sometime in 2024"])
@pytest.mark.parametrize("row", [0, 4, 18])
def test_one_bad_date_does_not_hide_the_others(name: str, bad: str, row: int) -> None:
    days = pd.date_range("2024-01-01", periods=30).astype(str).to_list()
    days[row] = bad
    frame = pd.DataFrame({name: days, "y": np.arange(30) ** 2})
    told = rf"'{name}' does not hold dates throughout: row {row} \(counted from 0\) holds '{bad}'"
    with pytest.raises(ValueError, match=told):
        read_series(frame)


@pytest.mark.parametrize("name", ["Date", "time", "ds", "TS", "month", "Week", "day", "timestamp"])
@pytest.mark.parametrize("word", ["Jan-20", "week 3", "W07", "00:00", "Monday"])
def test_a_usual_name_for_stamps_that_cannot_be_read_is_no_silence(name: str, word: str) -> None:
    frame = pd.DataFrame({name: [word] * 9, "y": np.arange(9) ** 2})
    with pytest.raises(ValueError, match=rf"row 0 .* holds '{word}'. .* time=\(\) to count rows"):
        read_series(frame)
    assert read_series(frame, time=()).frequency is None
    assert read_series(frame.assign(date=pd.date_range("2024", periods=9))).frequency == "D"


def test_dates_that_are_no_text_are_stamps() -> None:
    days = pd.date_range("2024-01-01", periods=9)
    panel = read_series(pd.DataFrame({"on": days.date, "y": np.arange(9) ** 2}))
    assert panel.stamps[0].equals(days)


@pytest.mark.parametrize("form", ["%Y-%m-%d %H:%M:%S%z", "%Y-%m-%dT%H:%M%z", "%Y/%m/%d %H:%M %z"])
def test_days_of_a_zone_with_summer_time_stay_days(form: str) -> None:
    stamps = pd.date_range("2024-03-28", periods=9, freq="D", tz="Europe/Berlin")
    frame = pd.DataFrame({"day": stamps.strftime(form), "y": np.arange(9) ** 2})
    panel = read_series(frame)
    assert panel.frequency == "D"
    assert panel.stamps[0].equals(stamps.tz_localize(None))
    note = "column 'day' has several offsets from UTC, and midnights only: days are kept"
    assert note in panel.notes
    later = read_series(frame[-2:], encoding=panel.encoding)  # of one offset
    assert later.stamps[0].equals(stamps[-2:].tz_localize(None))


def test_several_columns_of_dates_are_not_told_apart() -> None:
    frame = _hours().rename(columns={"time": "sent"})
    frame["received"] = frame["sent"] + pd.Timedelta(hours=2)
    with pytest.raises(ValueError, match="columns 'sent' and 'received' all hold dates"):
        read_series(frame)
    named = frame.rename(columns={"sent": "Time"})
    assert read_series(named).stamps[0][0] == pd.Timestamp("2024-01-01")


def test_rows_out_of_order_are_sorted_and_told() -> None:
    panel = read_series(_hours().iloc[::-1])
    np.testing.assert_array_equal(panel.targets[0][:, 0], _hours()["y"])
    assert "rows were sorted by time" in panel.notes


def test_a_stamp_twice() -> None:
    frame = pd.concat([_hours(), _hours().iloc[[5, 7]]])
    with pytest.raises(
        ValueError,
        match="has two rows for 2024-01-01 05:00, and 2 such rows in all: leave one of them out, "
        "name the column that identifies the series as series= or take their mean with "
        "resample='h'",
    ):
        read_series(frame)
    panel = read_series(frame, resample="h")
    np.testing.assert_allclose(panel.targets[0][:, 0], _hours()["y"])


def test_a_gap_and_what_mends_it() -> None:
    frame = _hours().drop(index=[10, 11, 20])
    with pytest.raises(
        ValueError,
        match=r"the DataFrame has a gap: 2024-01-01 10:00 is missing after 2024-01-01 09:00 "
        r"\(frequency 'h'; 3 steps missing in all\). Pass fill='forward', .* or fill='mask'",
    ):
        read_series(frame)
    values = _hours()["y"].to_numpy()
    expected = {
        "forward": [values[9], values[9], values[19]],
        "linear": [*np.interp([10, 11, 20], frame.index, frame["y"])],
        "zero": [0, 0, 0],
        "mask": [np.nan] * 3,
    }
    for fill, found in expected.items():
        panel = read_series(frame, fill=fill)
        np.testing.assert_allclose(panel.targets[0][[10, 11, 20], 0], found)
        rest = np.delete(np.arange(48), [10, 11, 20])
        np.testing.assert_array_equal(panel.targets[0][rest, 0], values[rest])
        assert panel.stamps[0].equals(pd.DatetimeIndex(_hours()["time"]))
        assert f"3 missing rows were inserted (fill={fill!r})" in panel.notes


def test_a_gap_in_one_of_several_series() -> None:
    frame = _long(10, 12).drop(index=15)
    with pytest.raises(ValueError, match="series 'b' has a gap: 2024-01-06 is missing"):
        read_series(frame, target="sold", series="shop")
    panel = read_series(frame, target="sold", series="shop", fill="linear")
    assert panel.lengths.tolist() == [10, 12]
    assert panel.targets[1][5] == (panel.targets[1][4] + panel.targets[1][6]) / 2


def test_a_gap_is_not_filled_from_another_series() -> None:
    frame = _long(6, 6).assign(sold=lambda f: f["sold"].mask(f.index.isin([5, 6])))
    panel = read_series(frame, target="sold", series="shop", fill="linear")
    assert np.isnan(panel.targets[1][0])
    assert panel.lengths.tolist() == [5, 6]


def test_irregular_stamps() -> None:
    frame = _hours()
    frame.loc[7, "time"] += pd.Timedelta(minutes=20)
    with pytest.raises(
        ValueError,
        match=r"is irregular: 2024-01-01 07:20 does not fit frequency 'h', and 1 of 48 rows do "
        r"not\. Take means of even steps with resample='D'",
    ):
        read_series(frame)
    assert read_series(frame, resample="h").lengths.tolist() == [48]


def test_resampling_takes_means_and_leaves_gaps_gaps() -> None:
    frame = _hours(96)
    panel = read_series(frame, resample="D")
    expected = frame.set_index("time")["y"].resample("D").mean()
    np.testing.assert_allclose(panel.targets[0][:, 0], expected)
    assert (panel.frequency, panel.season) == ("D", 7)
    with pytest.raises(ValueError, match="has a gap: 2024-01-02 is missing after 2024-01-01"):
        read_series(frame.drop(index=range(24, 48)), resample="D")
    with pytest.raises(ValueError, match=r"resample must be a pandas offset alias .*'often'"):
        read_series(frame, resample="often")
    with pytest.raises(ValueError, match="resample= needs stamps"):
        read_series(frame, time=(), target="y", resample="D")


def test_resampling_several_series_of_one_length() -> None:
    frame = _long(10, 10)
    panel = read_series(frame, target="sold", series="shop", resample="2D")
    for i, own in enumerate(panel.targets):
        pairs = frame["sold"].to_numpy()[10 * i : 10 * i + 10].reshape(5, 2)
        np.testing.assert_allclose(own[:, 0], pairs.mean(axis=1))


def test_frequencies_that_are_mixed() -> None:
    hourly = pd.date_range("2024-01-01", periods=30, freq="h")
    frame = pd.concat(
        [_long(9), pd.DataFrame({"shop": "b", "day": hourly, "sold": np.arange(30.0) ** 2})]
    )
    with pytest.raises(ValueError, match="series 'a' has frequency 'D', and others have 'h'"):
        read_series(frame, target="sold", series="shop")
    assert read_series(frame, target="sold", series="shop", resample="D").lengths.tolist() == [9, 2]


@pytest.mark.parametrize("fill", ["forward", "linear", "zero", "mask"])
def test_filling_does_not_mix_frequencies(fill: str) -> None:
    months = pd.date_range("2023-02-01", periods=9, freq="MS")
    monthly = pd.DataFrame({"shop": "z", "day": months, "sold": np.arange(9.0) ** 2})
    frame = pd.concat([_long(400), monthly])
    with pytest.raises(ValueError, match="series 'z' has frequency 'MS', and others have 'D'"):
        read_series(frame, target="sold", series="shop", fill=fill)
    assert len(read_series(frame[:-4], target="sold", series="shop", fill=fill)) == 2  # by chance
    now_and_then = _long(400, 400).drop(index=[400 + day for day in range(400) if day % 7 % 4])
    assert len(read_series(now_and_then, target="sold", series="shop", fill=fill)) == 2


# Values


def test_missing_targets_stay_missing_and_are_told() -> None:
    frame = _hours().astype({"y": object})
    frame.loc[[3, 4], "y"] = ["NA", None]
    panel = read_series(frame, target="y")
    assert np.flatnonzero(np.isnan(panel.targets[0])).tolist() == [3, 4]
    assert panel.lengths.tolist() == [48]
    assert "2 targets are missing (4.2%): they are masked" in panel.notes
    assert not np.isnan(read_series(frame, target="y", fill="forward").targets[0]).any()


def test_categories_become_columns() -> None:
    frame = _hours(wind=["NW", "SE", None, "cv"] * 12, rain=["0", "1.5", "0", "2"] * 12)
    panel = read_series(frame, target="y", past=["wind", "rain"])
    assert panel.names["past"] == ["wind=NW", "wind=SE", "wind=cv", "rain"]
    assert panel.past[0][:3].tolist() == [[1, 0, 0, 0], [0, 1, 0, 1.5], [0, 0, 0, 0]]
    assert panel.numeric("past").tolist() == [False, False, False, True]
    assert panel.encoding["categories"] == {"wind": ["NW", "SE", "cv"]}
    new = _hours(4, wind=["SE", "gale", "NW", "cv"], rain=1)
    again = read_series(new, encoding=json.loads(json.dumps(panel.encoding)))
    assert again.past[0][:2].tolist() == [[0, 1, 0, 1], [0, 0, 0, 1]]


def test_missing_covariates_are_refused_or_filled() -> None:
    frame = _hours(x=np.arange(48.0))
    frame.loc[[0, 5], "x"] = np.nan
    with pytest.raises(ValueError, match=r"past covariate 'x' is missing in 2 rows\. .*'zero'"):
        read_series(frame, target="y", past="x")
    found = {
        fill: read_series(frame, target="y", past="x", fill=fill).past[0][[0, 5], 0].tolist()
        for fill in ("forward", "linear", "zero", "mask")
    }
    assert found == {"forward": [1, 4], "linear": [1, 4], "zero": [0, 0], "mask": [1, 4]}
    ahead = read_series(frame, target="y", future="x", fill="linear").future[0]
    assert ahead[[0, 5], 0].tolist() == [1, 5]


def test_rows_without_targets_at_the_end_tell_what_is_known_ahead() -> None:
    frame = _hours(holiday=np.arange(48) % 3, temperature=np.arange(48) % 5.0)
    frame.loc[40:, ["y", "temperature"]] = np.nan
    panel = read_series(frame, target="y", past="temperature", future="holiday")
    assert panel.lengths.tolist() == [40]
    assert len(panel.stamps[0]) == len(panel.past[0]) == 40
    assert panel.future[0][:, 0].tolist() == frame["holiday"].tolist()
    assert "8 rows after the last targets hold future covariates" in panel.notes
    without = read_series(frame.drop(columns="temperature"), target="y")
    assert [len(without.future[0]), len(without.targets[0])] == [40, 40]
    assert "8 rows after the last targets are left out" in without.notes


def test_float32_stays_float32() -> None:
    frame = _hours().astype({"y": np.float32})
    assert read_series(frame).targets[0].dtype == np.float32
    assert read_series(_hours()).targets[0].dtype == np.float64


def test_row_numbers_and_constants_are_no_targets_unasked() -> None:
    panel = read_series(_hours(number=range(1, 49), unit=1.0, place="here"))
    assert panel.names["targets"] == ["y"]
    assert read_series(pd.DataFrame({"y": range(10)})).names["targets"] == ["y"]
    assert read_series(_hours(target=np.arange(48) ** 2)).names["targets"] == ["target"]


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        ({"y": [np.inf] + [1.0] * 47}, {}, r"column 'y' is infinite in row 0 \(counted from 0\)"),
        ({"y": 3.0}, {"target": "y"}, "column 'y' is constant, 3 in every row"),
        ({"x": 3.0}, {"target": "y", "past": "x"}, "column 'x' is constant, 3 in every row"),
        ({"x": "a"}, {"target": "y", "past": "x"}, "column 'x' is constant, 'a' in every row"),
        ({"x": None}, {"target": "y", "past": "x"}, "column 'x' is empty"),
        ({"y": ["7,500"] + ["1", "2"] * 23 + ["3"]}, {"target": "y"}, "row 0 .* '7,500'. Write"),
        ({"y": ["kWh"] + ["1", "2"] * 23 + ["3"]}, {}, "holds 'kWh'. Leave this row out if it is"),
        (
            {"time": [*map(str, pd.date_range("2024", periods=47, freq="h")), "Total"]},
            {},
            "row 47 .* holds 'Total'. Leave the last row out, 'Total', if it is a total",
        ),
        (
            {"y": ["a", "b"] * 24, "x": 3.0, "time": ["w1"] * 48},
            {"target": "y", "past": "x", "time": "time"},
            "has 3 faults: .*'y' must hold numbers.*'x' is constant.*'time' does not hold",
        ),
        ({}, {"target": "z", "past": "w"}, "has 2 faults: .*named 'z'.*named 'w'"),
        (
            {"y": [*map(str, range(47)), "oops"]},
            {"target": "y"},
            "'y' must hold .* row 47 .*'oops'",
        ),
        ({"y": [*map(str, range(47)), "oops"]}, {}, "'y' must hold numbers, and row 47 .*'oops'"),
        ({"y": ["a", "b"] * 24}, {"target": "y"}, "'y' must hold numbers, and row 0 .* holds 'a'"),
        ({"y": [1.0] * 40 + [-2e30] * 8}, {}, r"'y' is -2e\+30, beyond 1e\+30, in row 40"),
        ({}, {"target": []}, "target= names no column: name those to forecast, or leave it out"),
        ({}, {"target": "z"}, "has no column named 'z'. Its columns are 'time', 'y'. .* target="),
        ({}, {"time": "when"}, "has no column named 'when'. .* as time="),
        ({}, {"target": "y", "past": ["y"]}, "column 'y' is given as target= and as past="),
        ({"x": [f"w{i}" for i in range(48)]}, {"time": "x"}, "row 0 .* holds 'w0'"),
        ({"y": "a"}, {}, "has no column of numbers left to forecast"),
        ({}, {"fill": "cubic"}, "fill must be one of 'forward', .* Received: fill='cubic'"),
        ({}, {"season": 0}, "season must be a whole number above zero. Received: season=0"),
        ({"s": None}, {"series": "s", "target": "y"}, "row 0 .* belongs to no series"),
        ({"s": [1, 2] * 24}, {"target": "y", "static": "s"}, "static column 's' changes within"),
    ],
)
def test_what_is_wrong_is_said(
    change: dict[str, Any], arguments: dict[str, Any], message: str
) -> None:
    frame = _hours().assign(**change)
    with pytest.raises(ValueError, match=message) as caught:
        read_series(frame, **arguments)
    assert "\n" not in str(caught.value)


def test_one_empty_series_of_ten_thousand_is_named() -> None:
    ids = np.repeat([f"s{i}" for i in range(10_000)], 5)
    values = np.tile([1.0, 3.0, 2.0, 5.0, 4.0], 10_000)
    values[5 * 7321 : 5 * 7322] = np.nan
    frame = pd.DataFrame({"series": ids, "y": values})
    with pytest.raises(ValueError, match="series 's7321' is empty: it has no target in any row"):
        read_series(frame)
    frame.loc[5 * 7321, "y"] = 1
    assert len(read_series(frame)) == 10_000


def test_an_empty_row_is_an_empty_series() -> None:
    frame = pd.DataFrame({"V1": ["H1", "H2"], "V2": [1.0, np.nan], "V3": [2.0, np.nan]})
    with pytest.raises(ValueError, match="series 'H2' is empty"):
        read_series(frame)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"there is no file .*none\.csv"):
        read_series(tmp_path / "none.csv")
    (tmp_path / "a.xlsx").write_bytes(b"PK")
    with pytest.raises(ValueError, match=r"has an ending that is not known\. Known are \.csv"):
        read_series(tmp_path / "a.xlsx")
    with pytest.raises(
        ValueError, match=r"a DataFrame, a list of dictionaries, a path or 'demo'\. Received: int"
    ):
        read_series(3)
    with pytest.raises(ValueError, match="the DataFrame has no rows"):
        read_series(pd.DataFrame({"y": []}))


# New rows


def test_new_rows_are_read_like_the_old_ones() -> None:
    frame = _hours(72, x=np.arange(72) % 5)
    panel = read_series(frame, target="y", past="x", season=12)
    new = read_series(frame.iloc[50:51], encoding=panel.encoding)
    assert (new.frequency, new.season, new.names) == (panel.frequency, 12, panel.names)
    np.testing.assert_array_equal(new.targets[0], panel.targets[0][50:51])
    np.testing.assert_array_equal(new.past[0], panel.past[0][50:51])
    halves = frame.iloc[:3].assign(time=pd.date_range("2024-01-01", periods=3, freq="30min"))
    with pytest.raises(ValueError, match=r"is irregular: .* does not fit frequency 'h'"):
        read_series(halves, encoding=panel.encoding)
    zoned = read_series(frame.assign(time=frame["time"].dt.tz_localize("UTC")), target="y")
    with pytest.raises(ValueError, match=r"have no time zone, .* they belong to are in UTC"):
        read_series(frame, encoding=zoned.encoding)


def test_an_encoding_is_json(tmp_path: Path) -> None:
    panel = read_series(_long(9, 8), target="sold", series="shop", past="price", static="size")
    encoding = json.loads(json.dumps(panel.encoding))
    again = read_series(_long(9, 8), encoding=encoding)
    assert again.encoding == panel.encoding == encoding
    np.testing.assert_array_equal(again.static, panel.static)


# Panels


def test_what_was_filled_in_is_known_and_tells_nothing_of_what_comes_after_a_cut() -> None:
    frame = _hours(z=np.arange(48) ** 2 % 17)
    frame.loc[20:25, "y"] = np.nan
    marked = frame.assign(y=frame["y"].where(frame.index != 26, 1e9))
    panel = read_series(marked, target=["y", "z"], fill="linear")
    assert panel.filled is not None
    assert np.argwhere(panel.filled[0]).tolist() == [[row, 0] for row in range(20, 26)]
    assert "6 targets were filled in from others: they are not scored" in panel.notes
    assert np.flatnonzero(np.isnan(panel.observed[0][:, 0])).tolist() == [*range(20, 26)]
    assert panel.targets[0][23, 0] > 1e8
    for start in (0, 22):
        early = panel.cut([start], [24])
        assert early.targets[0][-4:, 0].max() == frame["y"][19]
        assert early.targets[0][:, 1].tolist() == frame["z"][start:24].tolist()
        assert early.observed[0].shape == early.targets[0].shape
    np.testing.assert_array_equal(panel.cut([0], [27]).targets[0], panel.targets[0][:27])
    for fill, made in (("forward", 6), ("zero", 0), ("mask", 0)):
        other = read_series(frame, fill=fill)
        assert sum(own.sum() for own in other.filled or ()) == made


def test_a_cut_shares_memory_and_keeps_what_is_known_ahead() -> None:
    frame = _hours(holiday=np.arange(48) % 3)
    frame.loc[40:, "y"] = np.nan
    panel = read_series(frame, target="y", future="holiday")
    early, late = panel.cut([0], [30]), panel.cut([25], [40])
    assert [len(early.targets[0]), len(early.future[0]), len(early.stamps[0])] == [30, 30, 30]
    assert [len(late.targets[0]), len(late.future[0]), len(late.past[0])] == [15, 23, 15]
    assert np.shares_memory(early.targets[0], panel.targets[0])


def test_some_series_are_picked() -> None:
    panel = read_series(_long(9, 8, 7), target="sold", series="shop", static="size")
    found = panel.pick([2, 0])
    assert (found.ids, found.lengths.tolist()) == (["c", "a"], [7, 9])
    assert found.static.ravel().tolist() == [2, 0]


def test_scaling_a_panel_is_scaling_its_arrays() -> None:
    from kerasseq.data.series.scaling import Scaler

    panel = read_series(_long(90, 80), target="sold", series="shop", past="price")
    scaler = Scaler.fit("standard", panel.targets, per_series=True)
    scaled: Panel = panel.scaled({"targets": scaler})
    for i in range(2):
        expected = scaler.transform(panel.targets[i], i).astype("float32")
        np.testing.assert_array_equal(scaled.targets[i], expected)
        np.testing.assert_array_equal(scaled.past[i], panel.past[i].astype("float32"))
    assert {values.dtype.name for values in (*scaled.past, *scaled.future)} == {"float32"}


def test_many_columns_are_not_looked_through() -> None:
    stamps = {"day": pd.date_range("2024", periods=9)}
    values = pd.DataFrame(np.arange(27_000.0).reshape(9, 3_000)).rename(columns="v{}x".format)
    frame = pd.concat([pd.DataFrame(stamps), values], axis=1)
    with pytest.raises(ValueError, match=r"3,001 columns, and at most 2,048 .* time= and target="):
        read_series(frame)
    found = read_series(frame, time="day", target=["v1x", "v2x"])
    assert [targets.shape for targets in found.targets] == [(9, 2)]


def test_half_a_character_in_a_name_is_a_question_mark() -> None:
    frame = _long(9, 9)
    names = frame["shop"].astype(object).replace("a", "a\ud83d")
    found = read_series(frame.assign(shop=names), series="shop", time="day", target="sold")
    assert found.ids == ["a?", "b"]
