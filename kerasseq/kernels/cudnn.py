"""The kernel of cuDNN on TensorFlow and JAX, through a layer of Keras with our cell's weights.

Not run on a GPU yet, which `python -m benchmarks.gpu` is for: the tests run it on a CPU, where the
layer of Keras takes its own loop.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import keras
from keras import ops

from kerasseq.kernels import scan, vendor
from kerasseq.kernels.sequence_call import CallContext, Result, SequenceCall, finish, typed_mask

NAME = "cudnn"

Tensor = Any

# Keras reaches cuDNN for these; for the others it loops.
_KINDS = {"tensorflow": ("lstm", "gru"), "jax": ("lstm",)}


def why_not(cell: Any, context: CallContext) -> str | None:
    """Why it cannot run a cell; None for the cells that Keras runs on cuDNN, on a GPU."""
    if context.backend not in _KINDS:
        return "on PyTorch the fused kernel reaches cuDNN"
    if context.device != "gpu":
        return "it needs a GPU that the backend sees"
    reason = vendor.why_not(cell, context, _KINDS[context.backend])
    if reason is not None:
        return reason
    if not cell.use_bias:
        return "use_bias=False is not what Keras hands to it; use use_bias=True"
    if cell.compute_dtype == "float64":
        return "dtype 'float64' is as slow there as in a loop; use 'float32'"
    if context.backend == "jax" and cell.compute_dtype != "float32":
        # It would raise when the program is compiled, too late for another kernel.
        return f"dtype {cell.compute_dtype!r} is none that JAX hands to it; use 'float32'"
    if context.backend == "jax" and context.masked:
        return "on JAX it takes no mask; cut the padding off, or use PyTorch or TensorFlow"
    return None


def run(cell: Any, sequence: SequenceCall) -> Result:
    """Run in the layer of Keras; in the scan kernel if cuDNN cannot take the mask."""
    mask = typed_mask(sequence.mask)
    if mask is None:
        return _run(cell, sequence, None)
    import tensorflow as tf  # the only one that gets here with a mask

    lengths = tf.reduce_sum(tf.cast(mask, "int32"), axis=1)
    padded = tf.reduce_all(mask == tf.sequence_mask(lengths, tf.shape(mask)[1]))
    takes = padded & tf.reduce_all(lengths > 0)
    return tf.cond(takes, lambda: _run(cell, sequence, mask), lambda: scan.run(cell, sequence))


def _run(cell: Any, sequence: SequenceCall, mask: Tensor | None) -> Result:
    """Run without a mask, or with a mask that is padded on the right and has no empty row."""
    inputs = cell.drop_inputs(sequence.sequences, sequence.training)
    frame = cell.begin(inputs, sequence.training)
    backwards = sequence.go_backwards
    if backwards and mask is None:  # Keras on JAX would give the outputs in the other order
        inputs, backwards = ops.flip(inputs, axis=1), False
    layer = _layer(cell, frame.recurrent_kernel, sequence.return_sequences, backwards)
    states = [ops.cast(state, cell.state_dtype) for state in sequence.states]
    _, outputs, final = layer.inner_loop(inputs, states, mask)
    if mask is not None and backwards:
        mask = ops.flip(mask, axis=1)
    elif mask is not None and sequence.return_sequences:
        # Behind the end it leaves zeros, where our layers repeat the last output.
        seen = ops.sum(ops.cast(mask, "int32"), axis=1, keepdims=True)
        time = ops.minimum(ops.arange(ops.shape(mask)[1])[None], seen - 1)
        outputs = ops.take_along_axis(outputs, time[..., None], axis=1)
    trail = [outputs] if sequence.return_sequences else None
    return finish(cell, replace(sequence, mask=mask), inputs, trail, list(final))


def _layer(cell: Any, recurrent: Tensor, return_sequences: bool, go_backwards: bool) -> Any:
    """Create a layer of Keras with the weights of our cell, with the weight drop of this pass."""
    kind = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}[vendor.kind_of(cell) or ""]
    options = {"return_sequences": return_sequences, "go_backwards": go_backwards}
    with ThreadPoolExecutor(1) as thread:
        # Its random state is a variable, which no trace of this thread may make.
        layer = thread.submit(kind, cell.units, dtype=cell.dtype_policy, **options).result()
    weights = {"kernel": cell.kernel, "recurrent_kernel": recurrent, "bias": cell.bias}
    for name, weight in weights.items():
        # Tensors, so that gradients go on to the cell's own weights and nothing is tracked twice.
        setattr(layer.cell, name, ops.cast(ops.convert_to_tensor(weight), cell.compute_dtype))
    layer.cell.built = True
    return layer
