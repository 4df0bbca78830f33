"""The trials of a search for TensorBoard's HParams dashboard: `tensorboard --logdir DIR`."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["write"]


def write(folder: Path, metric: str, trial: Mapping[str, Any], ended: Mapping[str, Any]) -> None:
    """Write what came of a trial, in place of what may be there of it.

    Args:
        folder: for one log per trial; files of another kind are left alone.
        metric: the name of the score.
        trial: its name and settings.
        ended: its outcome.
    """
    # The packages of TensorBoard alone: it is read and written with any backend.
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import api, api_pb2, metadata, plugin_data_pb2
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    own = folder / trial["trial"]
    shutil.rmtree(own, ignore_errors=True)
    settings = {name: _plain(value) for name, value in trial["settings"].items()}
    status = api_pb2.STATUS_FAILURE if ended["score"] is None else api_pb2.STATUS_SUCCESS
    numbers = {
        metric: ended["score"],
        **{name: ended[name] for name in ("parameters", "macs", "seconds") if name in ended},
    }
    writer = EventFileWriter(str(own))
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
    # As `hparams.summary.session_end_pb` has it, which wants TensorFlow.
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
    """A value of a kind that the dashboard knows."""
    return value if isinstance(value, (bool, int, float, str)) else str(value)
