"""Validation and test parts as tables of their own: the same split as one table gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import kerasseq
from kerasseq.data.series.part_values import is_table
from kerasseq.data.series.parts import add_parts
from kerasseq.data.series.read import Panel, read_series
from kerasseq.io.digest import digest
from kerasseq.recipes.forecasting import ForecastingSettings
from kerasseq.tasks import perform

TASK = kerasseq.forecasting.task


def _table(stamps: bool = True, series: tuple[str, ...] = ("a", "b")) -> pd.DataFrame:
    days = pd.date_range("2024-01-01", periods=60, freq="D")
    parts = []
    for number, name in enumerate(series):
        part = pd.DataFrame({"y": np.sin(np.arange(60.0) + number), "shop": name})
        if stamps:
            part.insert(0, "day", days)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _rows(table: pd.DataFrame, first: int, last: int) -> pd.DataFrame:
    return table.groupby("shop").nth(list(range(first, last)))


def _loaded(data: Any, **settings: Any) -> tuple[Panel, ForecastingSettings]:
    own = ForecastingSettings(
        target="y", series="shop", horizon=3, lookback=4, quiet=True, **settings
    )
    return TASK.load(data, own), own


@pytest.mark.parametrize("stamps", [True, False])
def test_tables_of_their_own_are_the_parts_that_steps_of_one_table_give(stamps: bool) -> None:
    table = _table(stamps)
    whole, by_steps = _loaded(table, validation=10, test=20)
    parted, given = _loaded(
        _rows(table, 0, 30), validation=_rows(table, 30, 40), test=_rows(table, 40, 60)
    )
    for one, other in zip(whole.targets, parted.targets):
        np.testing.assert_array_equal(one, other)
    assert parted.begins is not None
    assert parted.begins["validation"].tolist() == [30, 30]
    assert parted.begins["test"].tolist() == [40, 40]
    expected, found = (
        perform.prepare(TASK, source, own)[1]
        for source, own in ((whole, by_steps), (parted, given))
    )
    for part in ("train", "validation", "test"):
        one, other = getattr(expected, part), getattr(found, part)
        assert len(one) == len(other) > 0
        np.testing.assert_array_equal(one.targets.values, other.targets.values)


def test_a_share_stays_one_beside_a_test_table() -> None:
    table = _table()
    parted, own = _loaded(_rows(table, 0, 40), validation=10, test=_rows(table, 40, 60))
    _, data = perform.prepare(TASK, parted, own)
    same, by_steps = _loaded(table, validation=10, test=20)
    _, expected = perform.prepare(TASK, same, by_steps)
    assert [len(part) for part in (data.train, data.validation)] == [
        len(part) for part in (expected.train, expected.validation)
    ]


def test_shared_and_later_rows_leave_the_part_before_it() -> None:
    table = _table()
    parted, _ = _loaded(_rows(table, 0, 45), test=_rows(table, 40, 60))
    assert parted.begins is not None
    assert parted.begins["test"].tolist() == [40, 40]
    assert parted.lengths.tolist() == [60, 60]
    assert parted.notes[-1].startswith("10 rows of data that overlap")


def test_a_part_may_be_a_file_and_is_a_part_of_the_fingerprint(tmp_path: Path) -> None:
    table = _table()
    path = tmp_path / "later.csv"
    _rows(table, 40, 60).to_csv(path, index=False)
    one, own = _loaded(_rows(table, 0, 40), test=path)
    other, _ = _loaded(_rows(table, 0, 40), test=_rows(table, 40, 60))
    whole, _ = _loaded(table)
    assert digest(one) == digest(other) != digest(whole)
    assert TASK.settings_to_json(own)["test"] == str(path)
    frame = ForecastingSettings(test=_rows(table, 40, 60))
    assert TASK.settings_to_json(frame)["test"] == "a table of 40 rows"


def test_what_is_a_table(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("y\n1\n")
    assert is_table(_table())
    assert is_table(_table()["y"])
    assert is_table(Path("x"))
    assert is_table(str(tmp_path / "plain"))
    assert is_table("none.parquet")
    assert not any(map(is_table, (0.2, 7, "2024-01-01", "2024-01-01 12:00")))


def test_a_part_that_does_not_fit_is_told() -> None:
    table = _table()
    with pytest.raises(
        ValueError,
        match=r"with 2024-02-10, and the rows of test= begin with 2024-02-15.* from 2024-02-10 on",
    ):
        _loaded(_rows(table, 0, 40), test=_rows(table, 45, 60))
    with pytest.raises(ValueError, match="series 'b' is in data and not in test="):
        _loaded(_rows(table, 0, 40), test=_rows(_table(series=("a",)), 40, 60))
    with pytest.raises(ValueError, match="series 'c' is in test= and not in data"):
        _loaded(_rows(table, 0, 40), test=_rows(_table(series=("a", "b", "c")), 40, 60))
    with pytest.raises(ValueError, match="give test= as a table, too"):
        _loaded(_rows(table, 0, 40), validation=_rows(table, 40, 60))
    with pytest.raises(ValueError, match="series 'a' has no row before the first one of test="):
        _loaded(_rows(table, 20, 40), test=_rows(table, 10, 60))
    with pytest.raises(FileNotFoundError, match=r"^test=: there is no file none\.csv"):
        _loaded(table, test="none.csv")
    with pytest.raises(ValueError, match=r"^validation=: the DataFrame has no column named 'y'"):
        _loaded(table, validation=table[["day", "shop"]], test=_rows(table, 40, 60))
    with pytest.raises(ValueError, match="and the rows of validation= begin with 2024-02-15"):
        _loaded(_rows(table, 0, 40), validation=_rows(table, 45, 50), test=_rows(table, 50, 60))


@pytest.mark.parametrize(
    ("values", "later", "told"),
    [
        ((1.5, 2.0), 3.25, "'size' is 1.5, and in the rows of test= 3.25"),
        (("north", "south"), "south", "'size' is 'north', and in the rows of test= 'south'"),
        (("north", "south"), "west", "'size' is 'north', and in the rows of test= a word that"),
    ],
)
def test_a_static_column_stays_what_it_is(values: Any, later: Any, told: str) -> None:
    table = _table()
    table["size"] = table["shop"].map(dict(zip("ab", values)))
    first, last = _rows(table, 0, 40), _rows(table, 40, 60)
    _loaded(first, test=last, static="size")
    last = last.assign(size=last["size"].where(last["shop"] == "b", later))
    with pytest.raises(ValueError, match=f"series 'a': static column {told}"):
        _loaded(first, test=last, static="size")


def test_parts_are_forgotten_where_rows_are_cut() -> None:
    panel = read_series(pd.DataFrame({"y": range(9)}))
    whole = add_parts(panel, {"test": read_series(pd.DataFrame({"y": range(3)}))})
    assert whole.begins is not None
    assert whole.pick([0]).begins == whole.begins
    assert whole.cut([0], [9]).begins is None
