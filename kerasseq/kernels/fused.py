"""The kernel of PyTorch: its LSTM, GRU and simple RNN, on cuDNN, oneDNN or one loop in C++."""

from __future__ import annotations

from typing import Any

from keras import ops

from kerasseq.kernels import vendor
from kerasseq.kernels.sequence_call import CallContext, Result, SequenceCall, finish, prepare

NAME = "fused"

Tensor = Any

_KINDS = ("lstm", "gru", "simple_rnn")


def why_not(cell: Any, context: CallContext) -> str | None:
    """Why it cannot run a cell; None on PyTorch for the cells that its functions compute."""
    if context.backend != "torch":
        return f"it runs on PyTorch, and the backend is {context.backend}; use KERAS_BACKEND=torch"
    reason = vendor.why_not(cell, context, _KINDS)
    if reason is None and context.device == "cpu" and "16" in cell.compute_dtype:
        return f"dtype {cell.compute_dtype!r} is for GPUs; use 'float32' on a CPU"
    return reason


def run(cell: Any, sequence: SequenceCall) -> Result:
    """Run a cell by the functions of PyTorch; a mask costs two gathers.

    The functions take no masks, and packed sequences do not use oneDNN (measured: half the speed
    of running all steps). So the unmasked steps are moved to the front, in order; the rows run over
    all timesteps, whatever their length; and each masked step gets the output of the last unmasked
    step before it.
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
        # Zeros, since a NaN at a masked step would reach the gradient of the weights.
        inputs = ops.where(mask[..., None], inputs, 0.0)
        time = ops.arange(inputs.shape[1])[None]
        order = ops.argsort(ops.where(mask, time, time + inputs.shape[1]), axis=1)
        inputs = _take(inputs, order)
        lengths = ops.sum(ops.cast(mask, "int32"), axis=1)
        if len(sequence.states) > 1 and sequence.return_state:
            inputs, weights = _hold_behind_end(inputs, weights, lengths)
        outputs, final = _call(cell, inputs, sequence.states, weights)
        last = _take(outputs, ops.maximum(lengths - 1, 0)[:, None])[:, 0]
        final = [ops.where(lengths[:, None] > 0, last, sequence.states[0]), *final[1:]]
        if sequence.return_sequences:
            counts = ops.cumsum(ops.cast(mask, "int32"), axis=1)
            outputs = _take(outputs, ops.maximum(counts - 1, 0))
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
        kernel, recurrent, *bias = (_swap_gates(weight) for weight in weights)
    flat = [kernel.t().contiguous(), recurrent.t().contiguous()]
    if bias:  # PyTorch adds two biases; the LSTM of Keras has one, so the second is zeros
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


def _swap_gates(weight: Tensor) -> Tensor:
    """Exchange the first and the second third of the last axis."""
    first, second, third = ops.split(weight, 3, axis=-1)
    return ops.concatenate([second, first, third], axis=-1)


def _hold_behind_end(
    inputs: Tensor, weights: list[Tensor], lengths: Tensor
) -> tuple[Tensor, list[Tensor]]:
    """Hold the cell state of an LSTM behind the end of each row, by one more input feature.

    The feature is 1 behind the end. Its weights close the input gate and open the forget gate, to
    exactly 0 and 1, so that the cell state at the last step is that at the end of the row.
    """
    kernel = weights[0]
    units = kernel.shape[1] // 4
    behind = ops.arange(inputs.shape[1])[None] >= lengths[:, None]
    inputs = ops.concatenate([inputs, ops.cast(behind, inputs.dtype)[..., None]], axis=-1)
    gates = [-_SATURATING, _SATURATING, 0.0, 0.0]
    row = ops.concatenate([ops.full((1, units), gate, kernel.dtype) for gate in gates], axis=1)
    return inputs, [ops.concatenate([kernel, row], axis=0), *weights[1:]]


_SATURATING = 1e4  # far larger than the other inputs of a gate together, and within float16


def _take(values: Tensor, indices: Tensor) -> Tensor:
    """Take timesteps of (batch, time, width) by their indices, (batch, steps)."""
    return ops.take_along_axis(values, indices[..., None], axis=1)
