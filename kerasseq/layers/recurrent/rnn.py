"""`keras.layers.RNN` with the loop replaced by a kernel; the rest is the code of Keras."""

from __future__ import annotations

import warnings
from typing import Any

import keras
from keras import ops

from kerasseq import kernels
from kerasseq.cells import Cell
from kerasseq.kernels.sequence_call import backend, device
from kerasseq.layers.recurrent.initial_states import check_shapes, flatten_states, state_count

Tensor = Any


@keras.saving.register_keras_serializable("kerasseq")
class RNN(keras.layers.RNN):
    """A recurrent layer over any cell, run by the fastest kernel that can run it.

    It has the arguments and the results of `keras.layers.RNN`, with every kernel.

    Args:
        cell: A cell of `kerasseq.cells` or any other Keras cell.
        return_sequences: Return the output of every timestep.
        return_state: Return the final states too.
        go_backwards: Run from the last timestep; outputs come in the order of the run.
        stateful: Start each batch from the last one's final states (on JAX not in `fit` and
            `predict`, where Keras drops them; pass states by hand there).
        unroll: Unroll the loop over time.
        zero_output_for_mask: Masked timesteps give zeros instead of the previous output.
        kernel: `"auto"`, or the name of the one kernel that may run the layer.
        keras_masks: Ignore the mask of the sequences in a call with an `initial_state`, as
            `keras.layers.RNN` does; `kerasseq.convert` sets it.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        sequences: (batch, timesteps, inputs).
        initial_state: One (batch, width) tensor per state.
        mask: (batch, timesteps) booleans; masked steps are skipped.
        training: Whether dropout, zoneout and weight drop are active.
        sequences_mask: The mask that belongs to `sequences`, passed by Keras beside an
            `initial_state` (`keras.layers.RNN` drops it, and so does `keras_masks`).

    Output shape:
        (batch, timesteps, width) with `return_sequences`, else (batch, width); with
        `return_state` followed by the states. Sequences without timesteps give an empty output
        (zeros without `return_sequences`) and the initial states.

    Raises:
        ValueError: If `kernel` is unknown or cannot run the cell, if `dtype` is not that of the
            cell, or if an `initial_state` has a wrong number of states or a wrong shape.

    Example:
        >>> import numpy as np
        >>> from kerasseq.cells.lstm import LSTMCell
        >>> layer = RNN(LSTMCell(4), return_sequences=True)
        >>> layer(np.ones((2, 5, 3), "float32")).shape == (2, 5, 4)
        True
        >>> layer.kernel.name in kernels.names()
        True
        >>> print(RNN(LSTMCell(4), kernel="scan").kernel)
        scan
    """

    def __init__(
        self,
        cell: Any,
        *args: Any,
        kernel: str = "auto",
        keras_masks: bool = False,
        **kwargs: Any,
    ) -> None:
        if isinstance(cell, keras.layers.Layer):
            kwargs["dtype"] = _policy(cell, kwargs.get("dtype"))
        super().__init__(cell, *args, **kwargs)
        if hasattr(cell, "advance"):  # other cells may take timesteps of more than one axis
            self.input_spec = keras.layers.InputSpec(ndim=3)
        self.keras_masks = keras_masks
        self._kernel_argument = kernel
        self._strict = True
        self._last_choice: kernels.KernelChoice | None = None
        self.choose()  # raises for a wrong name

    @property
    def kernel(self) -> kernels.KernelChoice:
        """The kernel of the last call, and for each faster kernel the reason why it cannot run.

        Before the first call, it is the kernel that would run in training.
        """
        return self._last_choice or self.choose()

    @property
    def supports_jit(self) -> bool:
        """Whether XLA can compile the layer; `compile` of a Keras model reads it.

        On TensorFlow it cannot compile a kernel that is an operation of the extension, in training
        or in inference. To use XLA anyway, pass `kernel="scan"`, or put `kernels.portable()` around
        `compile` and the first call.
        """
        both = (self.choose(training=training) for training in (True, False))
        return self._supports_jit and all(
            kernels.compiles_with_xla(choice, backend()) for choice in both
        )

    @supports_jit.setter
    def supports_jit(self, value: bool) -> None:
        self._supports_jit = value

    def choose(
        self, sequences: Tensor = None, *, masked: bool = False, training: bool = True
    ) -> kernels.KernelChoice:
        """Choose the kernel of a call.

        Args:
            sequences: The input of the call; by default, its shape is unknown.
            masked: Whether the call has a mask.
            training: Whether the call is in training.

        Raises:
            ValueError: If the layer has a fixed kernel and that cannot run.
        """
        shape: Any = (None, 1, None) if sequences is None else sequences.shape
        context = kernels.CallContext(
            backend=backend(),
            timesteps=shape[1],
            unroll=self.unroll,
            device=device(sequences),
            masked=masked,
            training=bool(training),
            batch=shape[0],
            inputs=shape[-1],
        )
        return kernels.choose(self.cell, context, self._kernel_argument, strict=self._strict)

    def inner_loop(
        self, sequences: Tensor, initial_state: Any, mask: Tensor | None, training: bool = False
    ) -> Any:
        """Run the cell over time: the one part of `keras.layers.RNN` that kernels replace."""
        fallback = super().inner_loop
        if self.stateful:
            # On PyTorch the states share memory with the variables, and the final states are
            # written into these before the gradient is computed.
            initial_state = keras.tree.map_structure(ops.copy, initial_state)
        self._last_choice = choice = self.choose(
            sequences, masked=mask is not None, training=training
        )
        sequence = kernels.SequenceCall(
            sequences=sequences,
            states=initial_state,
            mask=mask,
            training=bool(training),
            go_backwards=self.go_backwards,
            return_sequences=self.return_sequences,
            zero_output_for_mask=self.zero_output_for_mask,
            unroll=self.unroll,
            fallback=lambda: fallback(sequences, initial_state, mask, training),
            return_state=self.return_state or self.stateful,
        )
        return kernels.run(choice, self.cell, sequence)

    def call(
        self,
        sequences: Tensor,
        initial_state: Any = None,
        mask: Tensor | None = None,
        training: bool = False,
        sequences_mask: Tensor | None = None,
    ) -> Any:
        """Run over (batch, timesteps, inputs); see the class."""
        if not self.keras_masks:
            mask = sequences_mask if mask is None else mask
        if initial_state is not None:
            states = flatten_states(initial_state, state_count(self))
            if hasattr(self.cell, "advance"):  # other cells may have states of more than two axes
                check_shapes(states, self.state_size, sequences.shape[0])
                initial_state = states
        if sequences.shape[1] == 0:
            return self._no_timesteps(sequences, initial_state)
        return super().call(sequences, initial_state, mask, training)

    def _no_timesteps(self, sequences: Tensor, initial_state: Any) -> Any:
        batch = ops.shape(sequences)[0]
        states = initial_state
        if states is None:
            states = self.states if self.stateful else self.get_initial_state(batch)
        states = list(states) if isinstance(states, list | tuple) else [states]
        width = getattr(self.cell, "output_size", None) or self.state_size[0]
        shape = (batch, 0, width) if self.return_sequences else (batch, width)
        output = ops.zeros(shape, self.compute_dtype)
        if not self.return_state:
            return output
        # The states of a cell of Keras may be nested.
        return output, *keras.tree.map_structure(
            lambda state: ops.convert_to_tensor(state, self.compute_dtype), states
        )

    def reset_state(self) -> None:
        """Reset the states of a stateful layer to the initial ones (zeros, or the trained ones)."""
        if self.states is None:
            return
        batch = keras.tree.flatten(self.states)[0].shape[0]
        initial = keras.tree.flatten(self.get_initial_state(batch))
        for variable, value in zip(keras.tree.flatten(self.states), initial, strict=True):
            variable.assign(value)

    def get_config(self) -> dict[str, Any]:
        """The config of `keras.layers.RNN`, and the arguments `kernel` and `keras_masks`."""
        own = {"kernel": self._kernel_argument, "keras_masks": self.keras_masks}
        return {**super().get_config(), **own}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> RNN:
        """Create the layer from its config; a fixed kernel that cannot run is replaced.

        A saved model must load on a machine without the extension, the backend or the GPU that it
        was saved with. A warning names the kernel that runs instead.
        """
        kernel = config.get("kernel", "auto")
        if kernel == "fastest":  # an option of earlier versions, which timed the kernels
            kernel = "auto"
        layer: RNN = super().from_config({**config, "kernel": "auto"}, custom_objects)
        layer._kernel_argument, layer._strict = kernel, False
        reason = layer.choose().reasons.get(kernel)
        if reason and not kernels.is_portable():
            warnings.warn(
                f"kernel={kernel!r} cannot run the layer '{layer.name}' here: {reason}. "
                f"'{layer.choose().name}' runs instead, with the same results.",
                stacklevel=2,
            )
        return layer


def _policy(cell: Any, dtype: Any) -> Any:
    """The dtype policy of a layer: the cell's by default; other cells may have a different one."""
    if dtype is None:
        return cell.dtype_policy
    policy = keras.dtype_policies.get(dtype)
    # Kernels read the weights of our cells in the dtype of the layer.
    if isinstance(cell, Cell) and policy != cell.dtype_policy:
        raise ValueError(
            f"`dtype` must be that of the cell, {cell.dtype_policy.name}. Received: "
            f"dtype={policy.name!r}. Pass it to the cell, and leave it out here."
        )
    return policy


# Keras names the groups of a weights file after classes. These three have the class names of Keras,
# so that weights load in both directions.


@keras.saving.register_keras_serializable("kerasseq")
class LSTM(RNN):
    """`RNN` over an LSTM cell, with the weights of `keras.layers.LSTM`; see `kerasseq.lstm`.

    Args:
        cell: A cell of the kind `lstm`.
        **kwargs: See `RNN`.

    Example:
        >>> import kerasseq
        >>> type(kerasseq.lstm(4)).__name__
        'LSTM'
    """


@keras.saving.register_keras_serializable("kerasseq")
class GRU(RNN):
    """`RNN` over a GRU cell, with the weights of `keras.layers.GRU`; see `kerasseq.gru`.

    Args:
        cell: A cell of the kind `gru`.
        **kwargs: See `RNN`.

    Example:
        >>> import kerasseq
        >>> type(kerasseq.gru(4)).__name__
        'GRU'
    """


@keras.saving.register_keras_serializable("kerasseq")
class SimpleRNN(RNN):
    """`RNN` over a simple cell, with the weights of `keras.layers.SimpleRNN`.

    Args:
        cell: A cell of the kind `simple_rnn`.
        **kwargs: See `RNN`.

    Example:
        >>> import kerasseq
        >>> type(kerasseq.simple_rnn(4)).__name__
        'SimpleRNN'
    """
