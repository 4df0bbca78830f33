"""Prepared data that processes have in common."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kerasseq.tuning import cache
from kerasseq.tuning.task import Data, Task
from tests import toy as toys


def _never() -> Any:
    raise AssertionError("made again")


def test_a_value_is_made_once_and_mapped(tmp_path: Path) -> None:
    value = {"a": np.arange(4000.0), "b": ["words", None], "empty": np.zeros((0, 3))}
    cache.shared(tmp_path, "own", lambda: value)
    found = cache.shared(tmp_path, "own", _never)
    assert isinstance(found["a"], np.memmap)
    np.testing.assert_array_equal(found["a"], value["a"])
    assert found["b"] == value["b"]
    assert found["empty"].shape == (0, 3)


def test_what_one_does_to_its_arrays_is_its_own(tmp_path: Path) -> None:
    cache.shared(tmp_path, "own", lambda: np.zeros(100))
    cache.shared(tmp_path, "own", _never)[:] = 1
    assert not cache.shared(tmp_path, "own", _never).any()


def test_values_have_their_names(tmp_path: Path) -> None:
    assert [cache.shared(tmp_path, name, lambda n=name: n) for name in "abca"] == [*"abca"]


def test_the_folder_stays_bounded_and_what_was_used_last_stays(tmp_path: Path) -> None:
    for number in range(20):
        cache.shared(tmp_path, str(number), lambda n=number: np.full(1000, n))
        cache.shared(tmp_path, "0", lambda: np.zeros(1000))
    assert len([path for path in tmp_path.iterdir() if not path.suffix]) == 8
    assert not cache.shared(tmp_path, "0", _never).any()


def test_what_cannot_be_written_is_each_process_s_own(tmp_path: Path) -> None:
    value = threading.Lock()  # which cannot be pickled
    assert cache.shared(tmp_path, "own", lambda: value) is value
    assert not [path for path in tmp_path.iterdir() if path.suffix != ".lock"]


def _count(folder: Path, log: Path) -> None:
    def make() -> np.ndarray:
        with open(log, "a") as file:
            file.write("made\n")
        return np.arange(100_000)

    assert cache.shared(folder, "own", make).sum() == 4999950000


def test_processes_that_come_together_make_it_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    given = (cache.renew(tmp_path), tmp_path / "log")
    processes = [context.Process(target=_count, args=given) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    assert given[1].read_text().splitlines() == ["made"]


def test_data_prepared_by_one_is_that_of_the_other(
    task: Callable[..., Task], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = replace(task(), shared=tmp_path)
    mine, other = (
        Data(search.stages, search.source, search.settings, search.shared) for _ in range(2)
    )
    parts, prepared = mine.prepared(search.settings)
    monkeypatch.setattr(type(toys.STAGES), "prepare", lambda *given: _never())
    same_parts, same = other.prepared(search.settings)
    np.testing.assert_array_equal(same_parts.train["x"], parts.train["x"])
    assert same.facts == prepared.facts
