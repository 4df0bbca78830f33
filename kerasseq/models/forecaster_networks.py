"""The network inside a forecaster, built and counted, for each kind that there is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kerasseq import layers
from kerasseq.params import count

if TYPE_CHECKING:
    from kerasseq.models.forecaster import Forecaster

__all__ = ["KINDS", "Kind"]


@dataclass(frozen=True)
class Kind:
    """How one kind of network is made from the sizes of a forecaster, and counted."""

    make: Callable[[Forecaster], Any]
    count: Callable[[Forecaster], int]


def _rnn(sizes: Forecaster, name: str = "recurrent", **returned: Any) -> Any:
    return layers.rnn(
        sizes.cell, sizes.units, depth=sizes.depth, name=name, **returned, **sizes.options
    )


def _counted(sizes: Forecaster, inputs: int) -> tuple[int, int]:
    """Parameters of the recurrent layer on so many inputs, and the width of its output."""
    found = count(sizes.cell, inputs, sizes.units, depth=sizes.depth, **sizes.options)
    return found.total, found.levels[-1].output


def _common(sizes: Forecaster) -> dict[str, Any]:
    return {
        "horizon": sizes.horizon,
        "outputs": sizes.outputs,
        "width": sizes.units,
        "dropout": sizes.dropout,
        "name": "one" if sizes.apart else "network",
    }


def _step_inputs(sizes: Forecaster, steps: int, columns: int) -> int:
    """Parameters of `StepInputs` where so many columns are known of each step."""
    return (steps + columns + sizes.traits) * sizes.units


def _direct(sizes: Forecaster) -> Any:
    return layers.DirectForecast(_rnn(sizes), **_common(sizes))


def _direct_count(sizes: Forecaster) -> int:
    recurrent, width = _counted(sizes, sizes.columns + sizes.traits)
    known = sizes.units * (sizes.future + 1 + width + sizes.outputs) if sizes.future else 0
    return recurrent + (width + 1) * sizes.horizon * sizes.outputs + known


def _recursive(sizes: Forecaster) -> Any:
    recurrent = _rnn(sizes, return_sequences=True, return_state=True)
    return layers.RecursiveForecast(recurrent, scheduled=sizes.scheduled, **_common(sizes))


def _recursive_count(sizes: Forecaster) -> int:
    recurrent, width = _counted(sizes, sizes.columns + sizes.traits)
    return recurrent + (width + 1) * sizes.outputs


def _seq2seq(sizes: Forecaster) -> Any:
    encoder = _rnn(sizes, "encoder", return_sequences=sizes.attention, return_state=True)
    decoder = _rnn(sizes, "decoder", return_sequences=True)
    return layers.Seq2SeqForecast(encoder, decoder, attention=sizes.attention, **_common(sizes))


def _seq2seq_count(sizes: Forecaster) -> int:
    encoder, width = _counted(sizes, sizes.columns + sizes.traits)
    decoder, _ = _counted(sizes, sizes.units)
    steps = _step_inputs(sizes, sizes.horizon, sizes.future)
    attention = 2 * width * sizes.units if sizes.attention else 0
    decoded = 2 * width if sizes.attention else width
    return encoder + decoder + steps + attention + (decoded + 1) * sizes.outputs


def _segment(sizes: Forecaster) -> Any:
    recurrent = _rnn(sizes, return_state=True)
    return layers.SegmentForecast(
        recurrent, segment=sizes.segment, linear=sizes.linear, **_common(sizes)
    )


def _segment_count(sizes: Forecaster) -> int:
    recurrent, width = _counted(sizes, sizes.units)
    embed = (sizes.segment * sizes.columns + 1) * sizes.units
    segments = -(-sizes.horizon // sizes.segment)
    steps = _step_inputs(sizes, segments, sizes.segment * sizes.future)
    linear = segments * -(-sizes.lookback // sizes.segment) if sizes.linear else 0
    return embed + recurrent + steps + linear + (width + 1) * sizes.segment * sizes.outputs


KINDS = {
    "direct": Kind(_direct, _direct_count),
    "recursive": Kind(_recursive, _recursive_count),
    "seq2seq": Kind(_seq2seq, _seq2seq_count),
    "segment": Kind(_segment, _segment_count),
}
