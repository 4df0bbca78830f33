"""Records of series, as GluonTS has them, are read as tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kerasseq.data.series.read import read_series
from kerasseq.data.series.records import are_records, unfold_records

RECORDS: list[dict[str, Any]] = [
    {"start": pd.Period("2024-01-01", "D"), "target": [1.0, 2.0, np.nan, 4.0], "item_id": "a"},
    {"start": pd.Period("2024-01-03", "D"), "target": np.arange(5), "item_id": "b"},
]


def test_a_record_is_a_series_from_its_start_on() -> None:
    panel = read_series(RECORDS, fill="mask")
    assert panel.ids == ["a", "b"]
    assert panel.frequency == "D"
    assert [stamps[0] for stamps in panel.stamps] == [
        pd.Timestamp("2024-01-01"),
        pd.Timestamp("2024-01-03"),
    ]
    np.testing.assert_array_equal(panel.targets[0].ravel(), [1, 2, np.nan, 4])
    assert panel.targets[1].ravel().tolist() == [0, 1, 2, 3, 4]
    assert "each record is a series" in panel.notes


def test_new_records_are_read_as_the_first_ones_were() -> None:
    panel = read_series(RECORDS, fill="mask")
    more = [{"start": "2024-01-08", "freq": "D", "target": [9.0, 8.0], "item_id": "b"}]
    again = read_series(more, encoding=panel.encoding)
    assert (again.ids, again.targets[0].ravel().tolist()) == (["b"], [9, 8])


def test_features_have_the_roles_of_their_names() -> None:
    features = {
        "feat_dynamic_real": [[0, 1, 0, 1, 1, 0], np.arange(6)],  # two steps are known ahead
        "past_feat_dynamic_real": [[5, 6, 7, 8]],
        "feat_static_cat": [1, 7],
        "feat_static_real": [0.5],
    }
    record = {"start": "2024-01", "freq": "M", "target": [1, 3, 2, 4], **features}
    panel = read_series([record, {**record, "feat_static_cat": [0, 7], "feat_static_real": [0.7]}])
    assert panel.names["future"] == ["feat_dynamic_real_0", "feat_dynamic_real_1"]
    assert panel.names["past"] == ["past_feat_dynamic_real_0"]
    static = ["feat_static_cat_0=c0", "feat_static_cat_0=c1", "feat_static_real_0"]
    assert sorted(panel.names["static"]) == static  # another category is alike in all series
    assert panel.future[0].tolist() == [[0, 0], [1, 1], [0, 2], [1, 3], [1, 4], [0, 5]]
    assert len(panel.targets[0]) == 4
    assert panel.frequency == "MS"


def test_json_lines_hold_records(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    record = {"start": "2024-01-01 05:00", "freq": "h", "target": [1, 2, 3], "item_id": 7}
    path.write_text(f"{json.dumps(record)}\n")
    panel = read_series(path)
    assert (panel.ids, panel.frequency, len(panel.targets[0])) == (["7"], "h", 3)


def test_a_list_of_rows_is_a_table() -> None:
    rows = [{"day": "2024-01-01", "y": 1}, {"day": "2024-01-02", "y": 3}]
    assert not are_records(pd.DataFrame(rows))
    assert read_series(rows).targets[0].ravel().tolist() == [1, 3]


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"start": "2024-01-01"}, r"no frequency: give its start as pandas\.Period"),
        ({"start": "2024-01-01", "freq": "xx"}, "freq='xx' is no pandas.Period"),
        ({"target": [[1, 2], [3, 4]]}, r"target of shape \(2, 2\)"),
        ({"past_feat_dynamic_real": [[1]]}, "2 targets, and 1 values of past_feat_dynamic_real_0"),
        ({"feat_dynamic_real": [[1, 2], [1, 2, 3]]}, "2 values of feat_dynamic_real_0"),
    ],
)
def test_records_that_cannot_be_read(record: dict[str, Any], message: str) -> None:
    full = {"start": pd.Period("2024", "D"), "target": [1, 2], "item_id": "a", **record}
    with pytest.raises(ValueError, match=f"the list: record 'a'.*{message}"):
        unfold_records(pd.DataFrame([full]), "the list")
