"""Validation and test parts as data of their own: in each recipe alike."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from kerasseq import registry
from kerasseq.tasks.base import Task

RECIPES = registry.builtin()


def _task(name: str) -> Task[Any, Any]:
    return registry.task(name)


@pytest.mark.parametrize("part", ["test", "validation"])
@pytest.mark.parametrize("value", [None, True, 0, 1.5, {}, [], ["a.csv"], "", b"a.csv"], ids=repr)
@pytest.mark.parametrize("name", RECIPES)
def test_what_is_no_part_is_told_all_that_is_accepted(name: str, value: Any, part: str) -> None:
    task = _task(name)
    with pytest.raises(ValueError, match=f"^{part} must be a share above 0 and below 1, ") as told:
        task.settings_to_json(task.make_settings({part: value}))
    assert all(word in str(told.value) for word in ("path", "table", f"Received: {part}="))
    assert ("steps" in str(told.value)) == ("stamp" in str(told.value)) == (name == "forecasting")


@pytest.mark.parametrize("name", RECIPES)
def test_a_column_alone_is_refused_in_one_line(name: str) -> None:
    task = _task(name)
    settings = task.make_settings({"test": pd.Series([1, 2])})
    if name == "forecasting":  # a series of values
        task.settings_to_json(settings)
        return
    with pytest.raises(ValueError, match=r"Received: test=a Series$"):
        task.settings_to_json(settings)


def test_forecasting_takes_dates() -> None:
    task = _task("forecasting")
    for date in (datetime.date(2024, 1, 1), pd.Timestamp("2024-01-01"), "2024-01-01"):
        task.settings_to_json(task.make_settings({"test": date}))


@pytest.mark.parametrize("name", RECIPES)
def test_settings_go_by_the_content_of_parts(name: str, tmp_path: Path) -> None:
    task = _task(name)
    table = pd.DataFrame({"text": ["a"]})

    def alike(**given: Any) -> dict[str, Any]:
        return task.settings_by_content(task.settings_to_json(task.make_settings(given)))

    assert alike(test=tmp_path / "t.csv") == alike(test="t.csv") == alike(test=table)
    assert alike(test="t.csv") != alike(test=0.2)
    assert alike(test="t.csv") != alike(validation="t.csv")
    assert alike(test=0.1) != alike(test=0.2)


def test_stamps_of_forecasting_count_as_they_are() -> None:
    task = _task("forecasting")
    assert task.settings_by_content({"test": "2024-01-01"}) == {"test": "2024-01-01"}


def test_a_table_of_pairs(tmp_path: Path) -> None:
    task = _task("sentiment")
    task.settings_to_json(task.make_settings({"test": (tmp_path / "a.pos", "a.neg")}))
