"""The kernel of LiteRT files: its fused LSTM, or a loop that its converter reads.

It is none of the kernels that a layer chooses: `run_by(litert.run)` traces a model with it on
TensorFlow, and LiteRT's converter turns the trace into a file.

- The converter replaces a function that says it implements an LSTM by the operation
  UNIDIRECTIONAL_SEQUENCE_LSTM. This reads all timesteps and knows no mask, so the unmasked ones are
  moved to the front, and the outputs back. It carries its states from one call of the file to the
  next, for a number of rows that the file fixes.
- Every other cell is a While loop. The outputs of all timesteps are one tensor, into which each
  step writes: arrays of tensors, as in `timeloop`, need a fixed batch in LiteRT.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf  # what LiteRT's converter reads
from keras import ops

from kerasseq.kernels import scan
from kerasseq.kernels.sequence_call import Result, SequenceCall, finish, prepare
from kerasseq.kernels.timeloop import Step

NAME = "litert"

Tensor = Any

# Of a function that the converter replaces: its arguments and results have a fixed order.
_FUSED = {"api_implements": "lstm_kerasseq", "time_major": True, "go_backwards": False}


def run(cell: Any, sequence: SequenceCall) -> Result:
    """Run a cell over sequences, while a function is traced for LiteRT."""
    if not hasattr(cell, "advance"):
        return sequence.fallback()
    if _is_fused(cell, sequence):
        return _run_fused(cell, sequence)
    return scan.run(cell, sequence, _loop)


# The fused LSTM


def _is_fused(cell: Any, sequence: SequenceCall) -> bool:
    """Whether the operation of LiteRT computes the call.

    It is a plain LSTM, begins with zeros for a fixed batch, and does not return its cell state. One
    of a single unit is left out: LiteRT computes other outputs.
    """
    return (
        vars(type(cell)).get("fused") == "lstm"
        and cell.activation is keras.activations.tanh
        and cell.recurrent_activation is keras.activations.sigmoid
        and cell.units > 1
        and cell.projection is None
        and not any(cell.zoneout_rates)
        and not sequence.return_state
        and sequence.sequences.shape[0] is not None
        and all(map(_is_zero, sequence.states))
    )


def _is_zero(state: Tensor) -> bool:
    value = tf.get_static_value(state)
    return value is not None and not value.any()


def _run_fused(cell: Any, sequence: SequenceCall) -> Result:
    sequence = prepare(cell, sequence)
    sequences, mask = sequence.sequences, sequence.mask
    if mask is not None:
        sequences = tf.gather(sequences, _unmasked_first(mask), batch_dims=1)
    bias = cell.bias if cell.use_bias else tf.zeros((4 * cell.units,))
    weights = [tf.convert_to_tensor(w) for w in (cell.kernel, cell.recurrent_kernel, bias)]
    _, outputs, *_ = _lstm(_time_first(sequences), *sequence.states, *weights)
    outputs = _time_first(outputs)
    if mask is None:
        last = outputs[:, -1]
    else:
        # At a masked timestep the previous output, of which there is none before the first.
        place = tf.maximum(tf.cumsum(tf.cast(mask, tf.int32), axis=1) - 1, 0)
        if sequence.return_sequences:
            outputs = tf.gather(outputs, place, batch_dims=1)
            last = outputs[:, -1]
        else:
            last = tf.gather(outputs, place[:, -1:], batch_dims=1)[:, 0]
    trail = [outputs] if sequence.return_sequences else None
    return finish(cell, sequence, outputs, trail, [last])


def _unmasked_first(mask: Tensor) -> Tensor:
    """The order in which the unmasked timesteps of each row come first, int32 (batch, time)."""
    time = tf.shape(mask)[1]
    rank = tf.cast(mask, tf.int32) * time - tf.range(time)
    return tf.math.top_k(rank, k=time).indices


@tf.function(autograph=False, experimental_attributes=_FUSED)
def _lstm(
    sequences: Tensor, h: Tensor, c: Tensor, kernel: Tensor, recurrent: Tensor, bias: Tensor
) -> tuple[Tensor, ...]:
    """An LSTM over (time, batch, inputs), in the form that LiteRT's converter replaces.

    Returns:
        The last output, all outputs, the states, and a fifth result that the form asks for. No more
        than the first two may be used.
    """

    def step(states: list[Tensor], inputs: Tensor) -> list[Tensor]:
        h, c = states
        i, f, g, o = tf.split(inputs @ kernel + h @ recurrent + bias, 4, axis=-1)
        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
        return [tf.sigmoid(o) * tf.tanh(c), c]

    (h, c), (outputs,) = _loop(step, [h, c], sequences, 1)
    return h, outputs, h, c, tf.zeros(())


# The loop


def _loop(
    step: Step, states: list[Tensor], steps: Any, keep: int, unroll: bool = False
) -> tuple[list[Tensor], list[Tensor]]:
    """Carry states over time, as `timeloop.run` does."""
    count = tf.shape(keras.tree.flatten(steps)[0])[0]
    trail = [
        tf.zeros(tf.concat([count[None], tf.shape(state)], 0), state.dtype)
        for state in states[:keep]
    ]

    def body(n: Tensor, states: list[Tensor], trail: list[Tensor]) -> Any:
        new_states = step(states, keras.tree.map_structure(lambda x: tf.gather(x, n), steps))
        for new, old in zip(new_states, states, strict=True):
            new.set_shape(old.shape)
        trail = [
            tf.tensor_scatter_nd_update(over_time, [[n]], state[None])
            for over_time, state in zip(trail, new_states, strict=False)
        ]
        return n + 1, new_states, trail

    start = (tf.constant(0), list(states), trail)
    _, final, trail = tf.while_loop(lambda n, *_: n < count, body, start)
    return final, trail


def _time_first(tensor: Tensor) -> Tensor:
    """Swap batch and time."""
    return ops.transpose(tensor, (1, 0, 2))
