"""Trials as TensorBoard reads them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata, plugin_data_pb2

from kerasseq.tuning import tensorboard
from kerasseq.tuning.search import Search
from kerasseq.tuning.task import Task

ENDED = {"score": 0.5, "parameters": 12, "seconds": 3.0, "curve": [0.9, 0.7]}


def _read(folder: Path) -> tuple[dict[str, Any], dict[str, list[float]], Any]:
    """The hyperparameters of a trial, its scalars, and how its log ends."""
    log = EventAccumulator(str(folder)).Reload()
    told = log.SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
    start = plugin_data_pb2.HParamsPluginData.FromString(told).session_start_info
    values = {
        name: getattr(value, value.WhichOneof("kind")) for name, value in start.hparams.items()
    }
    told = log.SummaryMetadata(metadata.SESSION_END_INFO_TAG).plugin_data.content
    end = plugin_data_pb2.HParamsPluginData.FromString(told).session_end_info
    scalars = {tag: [own.value for own in log.Scalars(tag)] for tag in log.Tags()["scalars"]}
    return values, scalars, end.status


def test_a_trial_is_its_settings_and_what_came_of_it(tmp_path: Path) -> None:
    settings = {"units": 8, "cell": "gru", "tied": True, "clip": None}
    tensorboard.write(tmp_path, "error", {"trial": "0003", "settings": settings}, ENDED)
    values, scalars, status = _read(tmp_path / "0003")
    assert values == {"units": 8.0, "cell": "gru", "tied": True, "clip": "None"}
    assert scalars["error"] == [0.5]
    assert scalars["validation by epoch"] == pytest.approx([0.9, 0.7])
    assert status == 1


def test_a_trial_that_failed_has_no_score(tmp_path: Path) -> None:
    ended = {**ENDED, "score": None, "parameters": None, "curve": []}
    tensorboard.write(tmp_path, "error", {"trial": "0", "settings": {"units": 8}}, ended)
    _, scalars, status = _read(tmp_path / "0")
    assert list(scalars) == ["seconds"]
    assert status == 2


def test_what_is_written_again_is_there_once(tmp_path: Path) -> None:
    for score in (0.5, 0.25):
        trial = {"trial": "0", "settings": {"units": 8}}
        tensorboard.write(tmp_path, "error", trial, {**ENDED, "score": score})
    assert _read(tmp_path / "0")[1]["error"] == [0.25]


def test_a_search_logs_each_trial_also_those_before_an_interruption(
    task: Callable[..., Task], quick: list[dict[str, Any]], tmp_path: Path
) -> None:
    search = task(trials=3, tensorboard=tmp_path / "logs")
    Search(search, quiet=True).run()
    names = {"0000", "0001", "0002", "default"}
    assert {path.name for path in (tmp_path / "logs").iterdir()} == names
    gone = tmp_path / "logs" / "0001"
    before = _read(gone)[:2]
    for path in gone.iterdir():
        path.unlink()
    gone.rmdir()
    Search(search, quiet=True).run()
    assert _read(gone)[:2] == before
