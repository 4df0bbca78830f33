"""A decoder as two models, whose state comes in as inputs and goes out as outputs."""

from __future__ import annotations

from typing import Any

import keras

__all__ = ["start_model", "step_model"]


def start_model(decoder: Any, context: Any) -> keras.Model:
    """A model from the context of a decoder to the state before the first word.

    Args:
        decoder: a built layer with `start`, see `kerasseq.generation.Decoder`.
        context: symbolic inputs, a nest as `start` takes it.

    Returns:
        A model with a dict of outputs, `first_NAME` for each part of the state by its place.

    Example:

    >>> from kerasseq.models import Captioner
    >>> decoder = Captioner(words=9, features=5, units=4).build().get_layer("decoder")
    >>> sorted(start_model(decoder, keras.Input((5,))).output)
    ['first_image', 'first_states_0']
    """
    state = _by_name(decoder.start(context))
    outputs = {f"first_{name}": _named(part, f"first_{name}") for name, part in state.items()}
    return keras.Model(context, outputs, name="start")


def step_model(decoder: Any, state: Any) -> keras.Model:
    """A model that reads tokens with the state before them.

    Args:
        decoder: a built layer with `read(tokens, state) -> (logits, state)`.
        state: a nest of tensors or arrays as `start` returns it, whose shapes and dtypes count.

    Returns:
        A model with a dict of inputs: `tokens`, int (batch, timesteps), and each part of the state
        by its place; and a dict of outputs: `logits`, (batch, timesteps, words), and `next_NAME`
        for each part of the state that changes.

    Example:

    >>> from kerasseq.models import LanguageModelConfig
    >>> decoder = LanguageModelConfig(words=9, units=4).build().get_layer("decoder")
    >>> step = step_model(decoder, {"states": decoder.first_states(1)})
    >>> sorted(step.input), sorted(step.output)
    (['states_0', 'states_1', 'tokens'], ['logits', 'next_states_0', 'next_states_1'])
    """
    parts = {
        name: keras.Input(tuple(part.shape[1:]), dtype=_dtype(part), name=name)
        for name, part in _by_name(state).items()
    }
    tokens = keras.Input((None,), dtype="int32", name="tokens")
    before = keras.tree.pack_sequence_as(state, list(parts.values()))
    logits, after = decoder.read(tokens, before)
    outputs = {"logits": _named(logits, "logits")}
    for name, tensor in _by_name(after).items():
        if tensor is not parts[name]:  # else it belongs to the context
            outputs[f"next_{name}"] = _named(tensor, f"next_{name}")
    return keras.Model({"tokens": tokens, **parts}, outputs, name="step")


def _by_name(state: Any) -> dict[str, Any]:
    """The tensors of a nest, in the order of `keras.tree.flatten`, by their place in it."""
    flat = keras.tree.flatten_with_path(state)
    return {"_".join(map(str, path)): tensor for path, tensor in flat}


def _named(tensor: Any, name: str) -> Any:
    """A tensor that is the output of a layer of this name."""
    return keras.layers.Identity(name=name, dtype=tensor.dtype)(tensor)


def _dtype(tensor: Any) -> str:
    return str(keras.backend.standardize_dtype(tensor.dtype))
