"""Recurrent layers on top of each other, as one layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from kerasseq.kernels.sequence_call import last_step
from kerasseq.layers.recurrent.initial_states import flatten_states, state_count

Tensor = Any


@keras.saving.register_keras_serializable("kerasseq")
class Stack(keras.layers.Layer):
    """A deep recurrent network as one Keras layer, with residual or highway connections.

    Each level is a recurrent layer or a `keras.layers.Bidirectional` layer with merged directions.
    All levels but the last return sequences. `kerasseq.rnn` creates a stack.

    Args:
        levels: Recurrent layers; the first reads the inputs.
        skip: None, `"residual"` (output + input) or `"highway"` (t * output + (1 - t) * input
            with a learned gate t; Srivastava et al. 2015, arXiv 1505.00387), at every level
            whose input is as wide as its output.
        go_backwards: Raises an error: a stack only runs forwards.
        keras_masks: Ignore the mask of the sequences in a call with an `initial_state`, as
            `keras.layers.RNN` over several cells does; `kerasseq.convert` sets it.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        sequences: (batch, timesteps, inputs).
        initial_state: Flat list of states, level by level, forward then backward.
        mask: (batch, timesteps) booleans.
        training: Whether dropout, zoneout and weight drop are active.
        sequences_mask: The mask that belongs to `sequences`, passed by Keras beside an
            `initial_state`.

    Output shape:
        The output shape of the last level; with `return_state` followed by the states of all
        levels, level by level, forward then backward.

    Raises:
        ValueError: If the levels do not fit each other, if `skip` is set and no level is as wide
            as its input, or if an `initial_state` has too few or too many states.

    Example:
        >>> import numpy as np, kerasseq
        >>> stack = kerasseq.rnn("gru", 4, depth=2, residual=True)
        >>> stack(np.ones((2, 5, 3), "float32")).shape == (2, 4)
        True
    """

    go_backwards = False

    def __init__(
        self,
        levels: Sequence[Any],
        *,
        skip: str | None = None,
        go_backwards: bool = False,
        keras_masks: bool = False,
        **kwargs: Any,
    ) -> None:
        _check(levels, skip)
        if go_backwards:  # keras.layers.Bidirectional passes it to its second direction
            raise ValueError(
                "`go_backwards`: a stack runs forwards. For both directions of a deep network pass "
                "bidirectional=True to kerasseq.rnn, which merges them level by level; for one, "
                "reverse its inputs. Received: go_backwards=True"
            )
        if kwargs.get("dtype") is None:
            kwargs["dtype"] = levels[-1].dtype_policy
        super().__init__(**kwargs)
        self.levels = list(levels)
        self.skip = skip
        self.keras_masks = keras_masks
        self.gates: list[Any] = []
        self.return_sequences = levels[-1].return_sequences
        self.return_state = levels[-1].return_state
        self.stateful = levels[-1].stateful
        self.supports_masking = True

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        """Build every level for the output of the level below."""
        shape = tuple(sequences_shape)
        self.skips = []
        for level in self.levels:
            if not level.built:
                level.build(shape)
            below, shape = shape, _output_shape(level, shape)
            self.skips.append(self.skip is not None and below[-1] == shape[-1])
            if self.skip == "highway" and self.skips[-1]:
                # A negative bias, so that the input is passed on at first, as in the paper.
                bias = keras.initializers.Constant(-1.0)
                gate = keras.layers.Dense(
                    shape[-1],
                    activation="sigmoid",
                    bias_initializer=bias,
                    name=f"highway_{len(self.gates)}",
                    dtype=self.dtype_policy,
                )
                gate.build(below)
                self.gates.append(gate)
        if self.skip and not any(self.skips):
            raise ValueError(
                f"`{self.skip}` needs a level as wide as its input. The input has "
                f"{sequences_shape[-1]} features and the levels give {shape[-1]}: make `units` "
                "fit, or add depth."
            )
        self.built = True

    def call(
        self,
        sequences: Tensor,
        initial_state: Sequence[Tensor] | None = None,
        mask: Tensor | None = None,
        training: bool = False,
        sequences_mask: Tensor | None = None,
    ) -> Any:
        """Run all levels; see the class."""
        if not self.keras_masks:
            mask = sequences_mask if mask is None else mask
        remaining_states = None
        if initial_state is not None:
            count = sum(state_count(level) for level in self.levels)
            remaining_states = flatten_states(
                initial_state, count, ", level by level, forward then backward"
            )
        gates = iter(self.gates)
        states: list[Tensor] = []
        for level, skip in zip(self.levels, self.skips, strict=True):
            count = state_count(level)
            level_state = (
                None
                if remaining_states is None
                else [remaining_states.pop(0) for _ in range(count)]
            )
            result = level(sequences, initial_state=level_state, mask=mask, training=training)
            if level.return_state:
                result, *level_states = result
                states += level_states
            if skip:
                gate = next(gates) if self.skip == "highway" else None
                result = self._connect(level, sequences, result, mask, gate)
            sequences = result
        return (sequences, *states) if self.return_state else sequences

    def _connect(
        self, level: Any, below: Tensor, above: Tensor, mask: Tensor | None, gate: Any
    ) -> Tensor:
        if not level.return_sequences:
            below = _last_unmasked(below, mask)
        if gate is None:
            return above + below
        share = gate(below)
        return below + share * (above - below)

    def compute_output_shape(self, sequences_shape: Any, initial_state_shape: Any = None) -> Any:
        """Shape of the output, and of the states if they are returned."""
        shape, states = tuple(sequences_shape), []
        for level in self.levels:
            result = level.compute_output_shape(shape)
            if level.return_state:
                result, *level_states = result
                states += level_states
            shape = tuple(result)
        return (shape, *states) if self.return_state else shape

    def compute_mask(self, sequences: Tensor, mask: Tensor | None = None) -> Any:
        """The mask if the output has all timesteps, else None; None for states."""
        mask = keras.tree.flatten(mask)[0] if mask is not None else None
        output_mask = mask if self.return_sequences else None
        if not self.return_state:
            return output_mask
        return [output_mask] + [None] * sum(state_count(level) for level in self.levels)

    def reset_state(self) -> None:
        """Reset every level of a stateful stack."""
        for level in self.levels:
            reset = getattr(level, "reset_state", None) or level.reset_states
            reset()

    def get_config(self) -> dict[str, Any]:
        """The config, with the config of every level."""
        levels = [keras.saving.serialize_keras_object(level) for level in self.levels]
        own = {"levels": levels, "skip": self.skip, "keras_masks": self.keras_masks}
        return {**super().get_config(), **own}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Stack:
        """Create the stack from its config."""
        levels = [keras.saving.deserialize_keras_object(level) for level in config["levels"]]
        return cls(**{**config, "levels": levels})


def _check(levels: Sequence[Any], skip: str | None) -> None:
    """Check that the levels can be stacked."""
    if skip not in (None, "residual", "highway"):
        raise ValueError(f"`skip` must be None, 'residual' or 'highway'. Received: skip={skip!r}")
    if not levels:
        raise ValueError("`levels` is empty; give at least one recurrent layer.")
    for index, level in enumerate(levels):
        place = f"Level {index} of {len(levels)}"
        if not isinstance(level, keras.layers.RNN | keras.layers.Bidirectional):
            raise ValueError(
                f"{place} must be a recurrent layer or a `Bidirectional` one. Received: {level!r}"
            )
        if index < len(levels) - 1 and not level.return_sequences:
            raise ValueError(
                f"{place} must have return_sequences=True to feed the next one. Received: {level}"
            )
        for setting in ("return_state", "stateful"):
            if getattr(level, setting) != getattr(levels[-1], setting):
                raise ValueError(
                    f"All levels must have the same `{setting}`. Received: {place.lower()} with "
                    f"{setting}={getattr(level, setting)}, the last level with "
                    f"{setting}={getattr(levels[-1], setting)}"
                )
        if getattr(level, "go_backwards", False):
            raise ValueError(
                f"{place} has go_backwards=True: its outputs would no longer stand beside the "
                "mask and the inputs. Reverse the inputs of the stack."
            )
        if isinstance(level, keras.layers.Bidirectional) and level.merge_mode is None:
            raise ValueError(f"{place} must merge its directions. Received: merge_mode=None")
    last = levels[-1]
    if skip and isinstance(last, keras.layers.Bidirectional) and not last.return_sequences:
        raise ValueError(
            f"`{skip}` needs one output per timestep from a bidirectional last level: pass "
            "return_sequences=True and pool the sequence (kerasseq.layers.SequencePooling)."
        )


def _output_shape(level: Any, shape: Any) -> tuple[int | None, ...]:
    result = level.compute_output_shape(shape)
    return tuple(result[0]) if level.return_state else tuple(result)


def _last_unmasked(sequences: Tensor, mask: Tensor | None) -> Tensor:
    """The last unmasked timestep of each row; zeros for a fully masked row."""
    if sequences.shape[1] == 0:
        return ops.sum(sequences, axis=1)
    if mask is None:
        return sequences[:, -1]
    mask = ops.cast(mask, "bool")
    last = ops.take_along_axis(sequences, last_step(mask)[:, None, None], axis=1)[:, 0]
    return last * ops.cast(ops.any(mask, axis=1, keepdims=True), last.dtype)
