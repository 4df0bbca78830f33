"""Counterparts of recurrent layers: from Keras to kerasseq, and from kerasseq to Keras."""

from __future__ import annotations

import inspect
from typing import Any

import keras

from kerasseq import cells
from kerasseq.layers.recurrent.bidirectional import Bidirectional
from kerasseq.layers.recurrent.rnn import GRU, LSTM, RNN, SimpleRNN
from kerasseq.layers.recurrent.stack import Stack

__all__ = [
    "KINDS",
    "Unconvertible",
    "cell_of_kerasseq",
    "copied",
    "is_of_kerasseq",
    "to_keras",
    "to_kerasseq",
]

#: Cells of Keras, and the names of their counterparts.
KINDS = {
    keras.layers.LSTMCell: "lstm",
    keras.layers.GRUCell: "gru",
    keras.layers.SimpleRNNCell: "simple_rnn",
}
_CELLS = {kind: cell for cell, kind in KINDS.items()}
_LAYERS = {
    keras.layers.LSTM: LSTM,
    keras.layers.GRU: GRU,
    keras.layers.SimpleRNN: SimpleRNN,
    keras.layers.RNN: RNN,
}
_KERAS_LAYERS = {ours: theirs for theirs, ours in _LAYERS.items()}
# `unroll` is left out: it makes no difference to the values, and keeps the faster kernels away.
_CALL_OPTIONS = (
    "return_sequences",
    "return_state",
    "go_backwards",
    "stateful",
    "zero_output_for_mask",
)
_OF_EVERY_LAYER = ("name", "trainable", "dtype")
# Options of our cells that no cell of Keras has, with their defaults.
_OURS_ALONE = {
    "zoneout": 0.0,
    "weight_drop": 0.0,
    "projection": None,
    "trainable_initial_state": False,
}


class Unconvertible(ValueError):
    """A layer without a counterpart; the message says why."""


def to_kerasseq(layer: Any) -> Any:
    """Create the layer of kerasseq with the outputs of a recurrent layer of Keras.

    It has the options and the name of the layer, and weights of the same order and layout, which
    are not copied. It treats masks as Keras does.

    Args:
        layer: A layer of `keras.layers`: `LSTM`, `GRU`, `SimpleRNN`, `RNN` over a cell or several
            cells, or `Bidirectional` over one of these. A layer of kerasseq is copied.

    Raises:
        Unconvertible: If it is of another class or cannot be created anew.

    Example:
        >>> import keras
        >>> to_kerasseq(keras.layers.GRU(4, name="reader")).name
        'reader'
    """
    kind = type(layer)
    if kind is keras.layers.Bidirectional:
        return Bidirectional(
            to_kerasseq(layer.forward_layer),
            layer.merge_mode,
            backward_layer=to_kerasseq(layer.backward_layer),
            keras_masks=True,
            dtype=layer.dtype_policy,
            **_outer_options(layer),
        )
    if is_of_kerasseq(layer):
        return copied(layer)
    if kind not in _LAYERS:
        raise Unconvertible(
            f"{kind.__name__} is none of LSTM, GRU, SimpleRNN, RNN and Bidirectional of "
            "keras.layers, and kerasseq does not know what it computes"
        )
    if type(layer.cell) is keras.layers.StackedRNNCells:
        return _stack(layer)
    return _LAYERS[kind](cell_of_kerasseq(layer.cell), keras_masks=True, **_options(layer))


def is_of_kerasseq(layer: Any) -> bool:
    """Whether the class of a layer is one of kerasseq."""
    return type(layer).__module__.partition(".")[0] == "kerasseq"


def cell_of_kerasseq(cell: Any) -> Any:
    """Create our cell with the options of a cell of Keras; copy a cell of another class."""
    kind = KINDS.get(type(cell))
    if kind is None:
        return copied(cell)
    options = {name: getattr(cell, name) for name in cell.get_config() if name != "dtype"}
    return cells.get(kind)(**options, dtype=cell.dtype_policy)


def to_keras(layer: Any) -> Any:
    """Create the layer of Keras with the outputs of a recurrent layer of kerasseq.

    A stack becomes one `keras.layers.RNN` over all cells, or a `keras.Sequential` of its levels if
    these are bidirectional.

    Args:
        layer: A layer that `kerasseq.rnn` gives. A layer of Keras is copied.

    Raises:
        Unconvertible: If Keras has no such cell, or no such option.

    Example:
        >>> import kerasseq
        >>> type(to_keras(kerasseq.lstm(4, depth=2))).__name__
        'RNN'
    """
    kind = type(layer)
    if kind is Bidirectional:
        return keras.layers.Bidirectional(
            to_keras(layer.forward_layer),
            layer.merge_mode,
            backward_layer=to_keras(layer.backward_layer),
            dtype=layer.dtype_policy,
            **_outer_options(layer),
        )
    if kind is Stack:
        return _unstacked(layer)
    if not is_of_kerasseq(layer):
        return copied(layer)
    if kind not in _KERAS_LAYERS:
        raise Unconvertible(f"keras.layers has no {kind.__name__}")
    cell, options = _cell_of_keras(layer.cell), _options(layer)
    target = _KERAS_LAYERS[kind]
    if target is keras.layers.RNN:
        return target(cell, **options)
    return target(**{**_cell_options(layer.cell), **options})


def copied(layer: Any) -> Any:
    """Create a layer or cell anew from its config, with the same name and other weights.

    Raises:
        Unconvertible: If its class cannot do that.
    """
    try:
        config = layer.get_config()
        try:
            return type(layer).from_config(dict(config))
        except Exception:
            # A constructor without **kwargs does not take the arguments of every layer.
            arguments = {
                name: value for name, value in config.items() if name not in _OF_EVERY_LAYER
            }
            if len(arguments) == len(config):
                raise
            new = type(layer).from_config(arguments)
            new.name = layer.name
            new.dtype_policy = layer.dtype_policy
            return new
    except Exception as error:  # a class of somebody else may raise errors of any kind
        reason = " ".join(str(error).split())
        raise Unconvertible(
            f"{type(layer).__name__} cannot be created from its config "
            f"({reason[:200] or type(error).__name__}); give it a `get_config` that names every "
            "argument of its constructor"
        ) from error


def _outer_options(layer: Any) -> dict[str, Any]:
    return {
        "name": layer.name,
        "trainable": layer.trainable,
        "activity_regularizer": layer.activity_regularizer,
    }


def _options(layer: Any) -> dict[str, Any]:
    cell_policy = getattr(layer.cell, "dtype_policy", layer.dtype_policy)
    if layer.dtype_policy != cell_policy and not isinstance(
        layer.cell, keras.layers.StackedRNNCells
    ):
        raise Unconvertible(
            f"its dtype is {layer.dtype_policy.name} and that of its cell {cell_policy.name}; "
            "kerasseq needs one dtype for both"
        )
    options = {name: getattr(layer, name) for name in _CALL_OPTIONS}
    return {**_outer_options(layer), **options, "dtype": layer.dtype_policy}


# Several cells in one layer


def _stack(layer: Any) -> Any:
    if layer.go_backwards:
        raise Unconvertible(
            "go_backwards=True over several cells has no counterpart; reverse its inputs instead"
        )
    options = _options(layer)
    outer = {name: options.pop(name) for name in ("name", "trainable", "dtype")}
    several = layer.cell.cells
    levels = [
        RNN(
            cell_of_kerasseq(cell),
            keras_masks=True,
            **{
                **options,
                "return_sequences": layer.return_sequences or cell is not several[-1],
                "activity_regularizer": options["activity_regularizer"]
                if cell is several[-1]
                else None,
            },
        )
        for cell in several
    ]
    return Stack(levels, keras_masks=True, **outer)


def _unstacked(stack: Any) -> Any:
    if stack.skip:
        raise Unconvertible(f"`{stack.skip}` connections of a stack are no layer of Keras")
    last = stack.levels[-1]
    if all(type(level) in _KERAS_LAYERS for level in stack.levels):
        several = keras.layers.StackedRNNCells(
            [_cell_of_keras(level.cell) for level in stack.levels], dtype=stack.dtype_policy
        )
        return keras.layers.RNN(several, **{**_options(last), "name": stack.name})
    if stack.return_state:
        raise Unconvertible("return_state=True of a bidirectional stack is no layer of Keras")
    levels = [to_keras(level) for level in stack.levels]
    return keras.Sequential(levels, name=stack.name, trainable=stack.trainable)


# Cells of Keras


def _cell_of_keras(cell: Any) -> Any:
    kind = getattr(type(cell), "kind", None)
    if not isinstance(cell, cells.Cell):
        return copied(cell)
    if kind not in _CELLS or type(cell) is not cells.get(kind):
        raise Unconvertible(f"keras.layers has no cell like {type(cell).__name__}")
    for name, default in _OURS_ALONE.items():
        if getattr(cell, name) != default:
            raise Unconvertible(f"keras.layers has no option like {name}={getattr(cell, name)!r}")
    if not cell.variational and (cell.dropout or cell.recurrent_dropout):
        raise Unconvertible(
            "variational=False draws dropout anew at every step, and Keras once for a sequence"
        )
    return _CELLS[kind](**_cell_options(cell), name=cell.name, dtype=cell.dtype_policy)


def _cell_options(cell: Any) -> dict[str, Any]:
    """The options that the cell of Keras has too."""
    names = inspect.signature(_CELLS[cell.kind]).parameters
    return {name: getattr(cell, name) for name in names if hasattr(cell, name)}
