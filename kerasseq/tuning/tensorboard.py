"""Logs of trials for TensorBoard's HParams dashboard: `tensorboard --logdir DIR`."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["write"]


def write(folder: Path, metric: str, trial: Mapping[str, Any], ended: Mapping[str, Any]) -> None:
    """Write the log of a trial; an earlier log of the same trial is replaced.

    Args:
        folder: folder with one log per trial; other files in it are left alone.
        metric: name of the score.
        trial: name and settings of the trial.
        ended: outcome of the trial.
    """
    # TensorBoard's own packages alone, so that this works with every backend.
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import api, api_pb2, metadata, plugin_data_pb2
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    log_folder = folder / trial["trial"]
    shutil.rmtree(log_folder, ignore_errors=True)
    settings = {name: _plain(value) for name, value in trial["settings"].items()}
    status = api_pb2.STATUS_FAILURE if ended["score"] is None else api_pb2.STATUS_SUCCESS
    numbers = {
        metric: ended["score"],
        **{name: ended[name] for name in ("parameters", "macs", "seconds") if name in ended},
    }
    writer = EventFileWriter(str(log_folder))
    writer.add_event(Event(summary=api.hparams_pb(settings, trial_id=trial["trial"])))
    for step, value in enumerate(ended["curve"], 1):
        scalar = Summary(value=[Summary.Value(tag="validation by epoch", simple_value=value)])
        writer.add_event(Event(step=step, summary=scalar))
    scalars = [
        Summary.Value(tag=name, simple_value=value)
        for name, value in numbers.items()
        if value is not None
    ]
    writer.add_event(Event(summary=Summary(value=scalars)))
    # Like `hparams.summary.session_end_pb`, which would need TensorFlow.
    end = plugin_data_pb2.HParamsPluginData(
        version=metadata.PLUGIN_DATA_VERSION,
        session_end_info=plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=time.time()),
    )
    last = Summary.Value(
        tag=metadata.SESSION_END_INFO_TAG,
        metadata=metadata.create_summary_metadata(end),
        tensor=metadata.NULL_TENSOR,
    )
    writer.add_event(Event(summary=Summary(value=[last])))
    writer.close()


def _plain(value: Any) -> bool | int | float | str:
    """Convert a value to a type that the dashboard supports."""
    return value if isinstance(value, (bool, int, float, str)) else str(value)
