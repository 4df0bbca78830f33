"""The network inside a forecaster: how each kind is built and counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kerasseq import layers
from kerasseq.params import Count, count
from kerasseq.params.cost import Cost, dense, over_time, table

if TYPE_CHECKING:
    from kerasseq.models.forecaster import Forecaster

__all__ = ["KINDS", "Kind"]


@dataclass(frozen=True)
class Kind:
    """Functions that build one kind of network, with a name, and count its parameters and MACs."""

    make: Callable[[Forecaster, str], Any]
    cost: Callable[[Forecaster], Cost]


def _rnn(sizes: Forecaster, name: str = "recurrent", **returned: Any) -> Any:
    return layers.rnn(
        sizes.cell, sizes.units, depth=sizes.depth, name=name, **returned, **sizes.options
    )


def _count_recurrent(sizes: Forecaster, inputs: int) -> tuple[Count, int]:
    """The count of the recurrent layer for a number of inputs, and the width of its output."""
    recurrent = count(sizes.cell, inputs, sizes.units, depth=sizes.depth, **sizes.options)
    return recurrent, recurrent.levels[-1].output


def _common(sizes: Forecaster, name: str) -> dict[str, Any]:
    return {
        "horizon": sizes.horizon,
        "outputs": sizes.outputs,
        "width": sizes.units,
        "dropout": sizes.dropout,
        "name": "one" if sizes.apart else name,
    }


def _step_inputs(sizes: Forecaster, steps: int, columns: int) -> Cost:
    """Parameters and MACs of `StepInputs`, with a number of known columns at each step."""
    known = dense(columns, sizes.units, steps, bias=False)
    return table(steps, sizes.units) + known + dense(sizes.traits, sizes.units, bias=False)


def _direct(sizes: Forecaster, name: str) -> Any:
    return layers.DirectForecast(_rnn(sizes), **_common(sizes, name))


def _direct_cost(sizes: Forecaster) -> Cost:
    recurrent, width = _count_recurrent(sizes, sizes.columns + sizes.traits)
    cost = over_time(recurrent, sizes.lookback) + dense(width, sizes.horizon * sizes.outputs)
    if sizes.future:
        cost += dense(sizes.future, sizes.units, sizes.horizon)
        cost += dense(width, sizes.units, bias=False)
        cost += dense(sizes.units, sizes.outputs, sizes.horizon, bias=False)
    return cost


def _hybrid(sizes: Forecaster, name: str) -> Any:
    return layers.DirectForecast(_rnn(sizes), head_initializer="zeros", **_common(sizes, name))


def _recursive(sizes: Forecaster, name: str) -> Any:
    recurrent = _rnn(sizes, return_sequences=True, return_state=True)
    return layers.RecursiveForecast(
        recurrent, scheduled_sampling=sizes.scheduled_sampling, **_common(sizes, name)
    )


def _recursive_cost(sizes: Forecaster) -> Cost:
    recurrent, width = _count_recurrent(sizes, sizes.columns + sizes.traits)
    # The last timestep of the window predicts the first of the horizon: one step is shared.
    timesteps = sizes.lookback - 1 + sizes.horizon
    return over_time(recurrent, timesteps) + dense(width, sizes.outputs, sizes.horizon)


def _seq2seq(sizes: Forecaster, name: str) -> Any:
    encoder = _rnn(sizes, "encoder", return_sequences=sizes.attention, return_state=True)
    decoder = _rnn(sizes, "decoder", return_sequences=True)
    return layers.Seq2SeqForecast(
        encoder, decoder, attention=sizes.attention, **_common(sizes, name)
    )


def _seq2seq_cost(sizes: Forecaster) -> Cost:
    encoder, width = _count_recurrent(sizes, sizes.columns + sizes.traits)
    decoder, _ = _count_recurrent(sizes, sizes.units)
    cost = over_time(encoder, sizes.lookback) + over_time(decoder, sizes.horizon)
    cost += _step_inputs(sizes, sizes.horizon, sizes.future)
    if sizes.attention:  # queries and keys
        cost += dense(width, sizes.units, sizes.horizon, bias=False)
        cost += dense(width, sizes.units, sizes.lookback, bias=False)
        width *= 2
    return cost + dense(width, sizes.outputs, sizes.horizon)


def _segment(sizes: Forecaster, name: str) -> Any:
    recurrent = _rnn(sizes, return_state=True)
    return layers.SegmentForecast(
        recurrent, segment=sizes.segment, linear=sizes.linear, **_common(sizes, name)
    )


def _segment_cost(sizes: Forecaster) -> Cost:
    recurrent, width = _count_recurrent(sizes, sizes.units)
    back, ahead = (-(-timesteps // sizes.segment) for timesteps in (sizes.lookback, sizes.horizon))
    cost = dense(sizes.segment * sizes.columns, sizes.units, back)
    cost += over_time(recurrent, back + ahead)
    cost += _step_inputs(sizes, ahead, sizes.segment * sizes.future)
    if sizes.linear:
        targets = 1 if sizes.apart else sizes.targets
        cost += dense(back, ahead, sizes.segment * targets, bias=False)
    return cost + dense(width, sizes.segment * sizes.outputs, ahead)


KINDS = {
    "direct": Kind(_direct, _direct_cost),
    "recursive": Kind(_recursive, _recursive_cost),
    "seq2seq": Kind(_seq2seq, _seq2seq_cost),
    "segment": Kind(_segment, _segment_cost),
    "hybrid": Kind(_hybrid, _direct_cost),
}
