"""PyTorch's own LSTM, GRU and simple RNN: oneDNN or one C++ loop on a CPU, cuDNN on a GPU."""

from __future__ import annotations

from typing import Any

from keras import ops

from kerasseq.kernels import vendor
from kerasseq.kernels.sequence_call import CallContext, Result, SequenceCall, finish, prepare

NAME = "fused"

Tensor = Any

_KINDS = ("lstm", "gru", "simple_rnn")


def why_not(cell: Any, context: CallContext) -> str | None:
    """PyTorch alone, and only what its functions compute."""
    if context.backend != "torch":
        return f"it is PyTorch's, and the backend is {context.backend}; KERAS_BACKEND=torch has it"
    reason = vendor.why_not(cell, context, _KINDS)
    if reason is None and context.device == "cpu" and "16" in cell.compute_dtype:
        return f"dtype {cell.compute_dtype!r} is for GPUs; use 'float32' on a CPU"
    return reason


def run(cell: Any, sequence: SequenceCall) -> Result:
    """Run without a loop of ours; a mask costs two gathers.

    The functions know no masks, and packed sequences miss oneDNN (measured: half the speed of
    running all steps). So the steps that count are moved to the front, in order, the rows run to
    the end whatever their length, and each step shows the output of the last that counted.
    """
    sequence = prepare(cell, sequence)
    mask = sequence.mask
    frame = cell.begin(sequence.sequences, sequence.training)
    inputs = sequence.sequences
    weights = [ops.convert_to_tensor(cell.kernel), frame.recurrent_kernel]
    if cell.use_bias:
        weights.append(ops.convert_to_tensor(cell.bias))
    weights = [ops.cast(weight, cell.compute_dtype) for weight in weights]
    if mask is None:
        outputs, final = _call(cell, inputs, sequence.states, weights)
    else:
        # Zeroed, since what is not a number would reach the weights' gradient from any step.
        inputs = ops.where(mask[..., None], inputs, 0.0)
        time = ops.arange(inputs.shape[1])[None]
        order = ops.argsort(ops.where(mask, time, time + inputs.shape[1]), axis=1)
        inputs = _take(inputs, order)
        lengths = ops.sum(ops.cast(mask, "int32"), axis=1)
        if len(sequence.states) > 1 and sequence.return_state:
            inputs, weights = _close_behind(inputs, weights, lengths)
        outputs, final = _call(cell, inputs, sequence.states, weights)
        last = _take(outputs, ops.maximum(lengths - 1, 0)[:, None])[:, 0]
        final = [ops.where(lengths[:, None] > 0, last, sequence.states[0]), *final[1:]]
        if sequence.return_sequences:
            seen = ops.cumsum(ops.cast(mask, "int32"), axis=1)
            outputs = _take(outputs, ops.maximum(seen - 1, 0))
    trail = [outputs] if sequence.return_sequences else None
    return finish(cell, sequence, inputs, trail, final)


def _call(
    cell: Any, inputs: Tensor, states: list[Tensor], weights: list[Tensor]
) -> tuple[Tensor, list[Tensor]]:
    """All outputs and the final states, from weights in the layout of Keras."""
    import torch

    kind = vendor.kind_of(cell)
    kernel, recurrent, *bias = weights
    if kind == "gru":  # (z, r, n) in Keras, (r, z, n) in PyTorch
        kernel, recurrent, *bias = (_swapped(weight) for weight in weights)
    flat = [kernel.t().contiguous(), recurrent.t().contiguous()]
    if bias:  # that of Keras's LSTM stands for the sum of the two that PyTorch has
        flat += list(bias[0]) if kind == "gru" else [bias[0], torch.zeros_like(bias[0])]
    first = [state.contiguous()[None] for state in states]
    shared = (flat, bool(bias), 1, 0.0, torch.is_grad_enabled(), False, True)
    inputs = inputs.contiguous()
    if kind == "lstm":
        outputs, h, c = torch.lstm(inputs, tuple(first), *shared)
        return outputs, [h[0], c[0]]
    functions = {"tanh": torch.rnn_tanh, "relu": torch.rnn_relu}
    function = torch.gru if kind == "gru" else functions[vendor.activation(cell.activation) or ""]
    outputs, h = function(inputs, first[0], *shared)
    return outputs, [h[0]]


def _swapped(weight: Tensor) -> Tensor:
    """The first two thirds of the last axis exchanged."""
    first, second, third = ops.split(weight, 3, axis=-1)
    return ops.concatenate([second, first, third], axis=-1)


def _close_behind(
    inputs: Tensor, weights: list[Tensor], lengths: Tensor
) -> tuple[Tensor, list[Tensor]]:
    """One feature more, which closes an LSTM's input gate and opens its forget gate behind the end.

    So the cell state arrives at the last step as it was, exactly: the gates are 0 and 1 there.
    """
    kernel = weights[0]
    units = kernel.shape[1] // 4
    behind = ops.arange(inputs.shape[1])[None] >= lengths[:, None]
    inputs = ops.concatenate([inputs, ops.cast(behind, inputs.dtype)[..., None]], axis=-1)
    gates = [-_SHUT, _SHUT, 0.0, 0.0]
    row = ops.concatenate([ops.full((1, units), gate, kernel.dtype) for gate in gates], axis=1)
    return inputs, [ops.concatenate([kernel, row], axis=0), *weights[1:]]


_SHUT = 1e4  # far beyond what any other input to a gate adds up to, and within float16


def _take(values: Tensor, places: Tensor) -> Tensor:
    """Timesteps of (batch, time, width) by their places, (batch, steps)."""
    return ops.take_along_axis(values, places[..., None], axis=1)
