"""Data that the processes of a search have in common."""

from __future__ import annotations

import gc
import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kerasseq.data.series.read import read_series
from kerasseq.data.series.windows import Windows
from kerasseq.settings import Choice
from kerasseq.tuning.search import Search
from kerasseq.tuning.shared_arrays import LARGE, Lender, Store, unpack
from kerasseq.tuning.task import Data, Task
from tests.toy import ToySettings


@dataclass(frozen=True)
class _Part:
    rows: np.ndarray
    words: list[str]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "lent")


def _mapped(array: np.ndarray) -> bool:
    while isinstance(array, np.ndarray):
        if isinstance(array, np.memmap):
            return True
        array = array.base
    return False


def test_a_value_comes_back_with_its_large_arrays_mapped(store: Store) -> None:
    wide = np.arange(LARGE, dtype=np.float32).reshape(2, -1)
    value = {
        "part": _Part(wide, ["a", "b"]),
        "few": np.arange(3),
        "times": np.array(["2024-01-01", "NaT"], dtype="datetime64[us]"),
        "turned": np.asfortranarray(wide),
        "words": np.array(["word"] * LARGE, dtype=object),
        "columns": (wide[:, ::2], wide.T, np.zeros((0, 3)), None, 1.5),
        "again": wide,
    }
    copy = unpack(store.pack(value))
    assert type(copy["part"].rows) is np.ndarray  # as if it had been made here
    assert _mapped(copy["part"].rows)
    assert not _mapped(copy["few"])
    assert copy["again"] is copy["part"].rows
    np.testing.assert_array_equal(copy["part"].rows, wide)
    for name in ("words", "times", "turned"):
        np.testing.assert_array_equal(copy[name], value[name])
    assert copy["turned"].flags.f_contiguous
    for mine, other in zip(copy["columns"][:3], value["columns"][:3], strict=True):
        np.testing.assert_array_equal(mine, other)
    assert copy["columns"][3:] == (None, 1.5)
    assert copy["part"].words == ["a", "b"]


def test_a_table_is_lent_with_its_columns_mapped(store: Store) -> None:
    import pandas as pd

    frame = pd.DataFrame({"y": np.arange(40_000.0), "text": ["word"] * 40_000})
    frame.index = pd.date_range("2020", periods=40_000, freq="h")
    copy = unpack(store.pack({"table": frame}))["table"]
    pd.testing.assert_frame_equal(copy, frame)
    assert _mapped(copy["y"].to_numpy())
    copy["y"] += 1
    assert frame["y"].iloc[0] == 0


class _Made:
    """Has its array made whenever it is pickled."""

    def __reduce__(self) -> Any:
        return np.asarray, (np.arange(LARGE),)


def test_an_array_that_is_made_for_the_message_is_sent_in_it(tmp_path: Path) -> None:
    lender = Lender(lambda: None, tmp_path / "lent")
    copy = unpack(lender.pack([_Made(), _Made()]))
    gc.collect()
    np.testing.assert_array_equal(copy, [np.arange(LARGE)] * 2)
    assert not [*(tmp_path / "lent").iterdir()]


def test_what_is_mapped_already_is_lent_as_an_array(store: Store, tmp_path: Path) -> None:
    for number, size in enumerate((3, LARGE)):
        np.save(tmp_path / f"{number}.npy", np.arange(size))
        value = np.load(tmp_path / f"{number}.npy", mmap_mode="r")
        copy = unpack(store.pack(value))
        assert type(copy) is np.ndarray
        np.testing.assert_array_equal(copy, value)


def test_a_masked_array_keeps_its_mask(store: Store) -> None:
    value = np.ma.masked_less(np.arange(LARGE), 9)
    copy = unpack(store.pack(value))
    np.testing.assert_array_equal(copy.mask, value.mask)
    assert copy.sum() == value.sum()


def test_what_is_lent_is_not_changed_by_who_has_it(store: Store) -> None:
    array = np.zeros(LARGE)
    first, second = unpack(store.pack(array)), unpack(store.pack(array))
    first[:] = 1
    assert not second.any()
    assert not array.any()


def test_windows_are_lent_with_the_series_that_they_share(store: Store) -> None:
    import pandas as pd

    series = read_series(pd.DataFrame({"y": np.arange(40_000.0)}))
    windows = Windows(series, lookback=4, horizon=2)
    both = unpack(store.pack([windows, windows.part(first=[100])]))
    assert both[0]._store is both[1]._store
    for mine, other in zip(both, [windows, windows.part(first=[100])], strict=True):
        rows = np.array([0, len(other) - 1])
        np.testing.assert_array_equal(mine.batch(rows)[1], other.batch(rows)[1])
        np.testing.assert_array_equal(
            mine.batch(rows)[0]["history"], other.batch(rows)[0]["history"]
        )


def test_files_go_with_their_arrays(store: Store, tmp_path: Path) -> None:
    kept, gone = np.zeros(LARGE), np.ones(LARGE)
    store.pack([kept, gone, kept])
    store.pack(kept)
    assert len([*(tmp_path / "lent").iterdir()]) == 2
    copy = unpack(store.pack(gone))
    del gone
    gc.collect()
    assert len([*(tmp_path / "lent").iterdir()]) == 1
    assert copy.all()  # who has mapped it keeps it
    store.remove()
    assert not [*tmp_path.iterdir()]


def test_what_the_disk_does_not_take_is_sent_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lender = Lender(lambda: None, tmp_path / "lent")

    def full(path: Path, *given: Any, **options: Any) -> None:
        path.write_bytes(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    value = [np.zeros(LARGE)]
    np.testing.assert_array_equal(unpack(lender.pack(value)), value)
    assert not [*(tmp_path / "lent").iterdir()]


@pytest.mark.parametrize("given", ["an error", "what no link takes", "nothing wrong"])
def test_what_cannot_be_lent_is_left_to_who_asks(tmp_path: Path, given: str) -> None:
    def prepare(settings: dict[str, int], *rest: Any) -> Any:
        if given == "an error":
            raise MemoryError
        return [settings, lambda: None] if given == "what no link takes" else [settings]

    here, there = Pipe()
    Lender(prepare, tmp_path / "lent").serve(here)
    for _ in range(2):  # it goes on
        there.send(({"a": 1}, None, False, False))
        assert unpack(there.recv_bytes()) == ([{"a": 1}] if given == "nothing wrong" else None)


def test_who_gets_nothing_prepares_for_itself(task: Callable[..., Task]) -> None:
    search = task()
    asked: list[Any] = []
    data = Data(search.recipe, search.source, search.settings, lambda *given: asked.append(given))
    parts, prepared = data.prepared(search.settings, (0, 3))
    assert asked == [({"scale": True, "seed": 0}, (0, 3), False, False)]
    assert prepared.data_info == {"width": 2}
    assert data.prepared(search.settings, (0, 3))[0] is parts  # which is kept


RECIPE = """
import os
from tests.toy import Toy

class Logged(Toy):
    def prepare(self, parts, settings):
        with open(os.environ["PREPARED_BY"], "a") as log:
            log.write(f"{os.getpid()} {settings.scale}\\n")
        return super().prepare(parts, settings)
"""


@pytest.mark.thorough
def test_data_is_prepared_once_for_all_workers(
    task: Callable[..., Task], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "lent_toy.py").write_text(RECIPE)
    monkeypatch.syspath_prepend(tmp_path / "own")  # workers import it, too
    monkeypatch.setenv("PREPARED_BY", str(tmp_path / "log"))
    logged = importlib.import_module("lent_toy").Logged("toy", ToySettings)
    space = {"scale": Choice((True, False)), "units": Choice((2, 3))}
    search = Search(replace(task(space, trials=4, tuner="grid"), recipe=logged), quiet=True)
    search.run_workers(2)
    search.journal.close()
    ended = [event["status"] for event in search.events if event["event"] == "ended"]
    assert ended == ["completed"] * 4
    prepared = sorted(line.split() for line in (tmp_path / "log").read_text().splitlines())
    assert prepared == [[str(os.getpid()), "False"], [str(os.getpid()), "True"]]
    assert not [*search.task.folder.glob(".lent*")]
