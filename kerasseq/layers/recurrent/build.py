"""Functions that create a recurrent Keras layer from the name of a cell."""

from __future__ import annotations

import inspect
from typing import Any

import keras

from kerasseq import cells
from kerasseq.layers.recurrent.bidirectional import Bidirectional
from kerasseq.layers.recurrent.rnn import GRU, LSTM, RNN, SimpleRNN
from kerasseq.layers.recurrent.stack import Stack
from kerasseq.params.spec import MOST_LEVELS, positive_int

_NAMED = {"lstm": LSTM, "gru": GRU, "simple_rnn": SimpleRNN}
_MERGES = ("concat", "sum", "mul", "ave", None)


def rnn(
    cell: Any,
    units: int | None = None,
    *,
    depth: int = 1,
    bidirectional: bool = False,
    merge: str | None = "concat",
    return_sequences: bool = False,
    return_state: bool = False,
    stateful: bool = False,
    go_backwards: bool = False,
    unroll: bool = False,
    zero_output_for_mask: bool = False,
    residual: bool = False,
    highway: bool = False,
    kernel: str = "auto",
    name: str | None = None,
    dtype: Any = None,
    trainable: bool = True,
    activity_regularizer: Any = None,
    autocast: bool = True,
    input_shape: Any = None,
    implementation: Any = None,
    use_cudnn: Any = None,
    **options: Any,
) -> Any:
    """Create a recurrent layer from a cell: one level or many, one direction or two.

    Args:
        cell: Name of a cell (`kerasseq cells` lists them); or a cell object, of kerasseq
            (`kerasseq.cells.get("lstm")(units)`) or any other Keras cell; or a list of cell
            objects, one per level.
        units: Width of the cell, if `cell` is a name.
        depth: Number of levels, if `cell` is a name.
        bidirectional: Run each level in both directions and merge before the next.
        merge: How directions are merged: `"concat"`, `"sum"`, `"mul"`, `"ave"`, or None (two
            outputs; depth 1 only).
        return_sequences: Return the output of every timestep.
        return_state: Return the final states too, level by level, forward then backward.
        stateful: Start each batch from the last one's final states (on JAX not in `fit` and
            `predict`, where Keras drops them; pass states by hand there).
        go_backwards: Run from the last timestep (one direction only).
        unroll: Unroll the loop over time.
        zero_output_for_mask: Masked timesteps give zeros instead of the previous output (as
            they always do in the sequences of a bidirectional layer).
        residual: Add each level's input to its output, if they are equally wide.
        highway: Mix each level's input and output by a learned gate, if they are equally wide.
        kernel: `"auto"`, or the name of the one kernel that may run the layer.
        name: Name of the layer.
        dtype: Dtype or dtype policy, if `cell` is a name.
        trainable: Whether the weights are trained.
        activity_regularizer: Regularizer of the output of each level and direction.
        autocast: Whether floating point inputs are cast to the compute dtype.
        input_shape: Shape of one row, for a first layer without a `keras.Input`.
        implementation: Has no effect; accepted as an argument of `keras.layers`. See `kernel`.
        use_cudnn: Has no effect; accepted as an argument of `keras.layers`. See `kernel`.
        **options: Options of the cell, if `cell` is a name: `dropout`, `recurrent_dropout`,
            `variational`, `zoneout`, `weight_drop`, `projection`, `trainable_initial_state`,
            `activation`, initializers, ...

    Returns:
        A Keras layer: an `RNN`, a `Bidirectional` over one, or a `Stack`.

    Raises:
        ValueError: For an unknown cell or option, or arguments that exclude each other.

    Example:
        >>> import keras
        >>> layer = rnn("layernorm_lstm", 8, depth=2, bidirectional=True, zoneout=0.1)
        >>> model = keras.Sequential([keras.Input((None, 3)), layer, keras.layers.Dense(1)])
        >>> model.output_shape
        (None, 1)
    """
    if residual and highway:
        raise ValueError("`residual` and `highway` exclude each other; choose one.")
    if merge not in _MERGES:
        raise ValueError(f"`merge` must be one of {_MERGES}. Received: merge={merge!r}")
    if bidirectional and go_backwards:
        raise ValueError("`go_backwards` has no meaning with bidirectional=True; leave it out.")
    level_cells = _create_cells(cell, units, depth, dtype, options, trainable)
    is_single = len(level_cells) == 1 and not (residual or highway)
    if bidirectional and merge is None and not is_single:
        raise ValueError(
            "merge=None gives two outputs, which a next level, `residual` or `highway` cannot "
            "take. Merge them, or use depth=1 without `residual` and `highway`."
        )
    if go_backwards and not is_single:
        raise ValueError(
            "`go_backwards` is for one level without `residual` or `highway`: reverse the "
            "inputs of a deep network."
        )
    shared_arguments: dict[str, Any] = {"trainable": trainable, "autocast": autocast}
    outer_arguments = {**shared_arguments, "name": name, "input_shape": input_shape}
    levels = []
    for index, level_cell in enumerate(level_cells):
        last = index == len(level_cells) - 1
        level = _layer_class(level_cell)(
            level_cell,
            return_sequences=return_sequences or not last,
            return_state=return_state,
            stateful=stateful,
            go_backwards=go_backwards,
            unroll=unroll,
            zero_output_for_mask=zero_output_for_mask,
            kernel=kernel,
            activity_regularizer=activity_regularizer,
            **(outer_arguments if is_single and not bidirectional else shared_arguments),
        )
        if bidirectional:
            arguments = {
                "dtype": level.dtype_policy,
                **(outer_arguments if is_single else shared_arguments),
            }
            level = Bidirectional(level, merge_mode=merge, **arguments)
        levels.append(level)
    if is_single:
        return levels[0]
    skip = "residual" if residual else "highway" if highway else None
    return Stack(levels, skip=skip, **outer_arguments)


def lstm(
    units: int,
    activation: Any = "tanh",
    recurrent_activation: Any = "sigmoid",
    use_bias: bool = True,
    **kwargs: Any,
) -> Any:
    """Create an LSTM layer by `rnn("lstm", ...)`, with the weights of `keras.layers.LSTM`.

    Args:
        units: Width of the cell.
        activation: Activation of the hidden state; None is linear.
        recurrent_activation: Activation of the gates; None is linear.
        use_bias: Whether the layer has biases.
        **kwargs: Arguments of `rnn`, or of the layer of `keras.layers`.

    Example:
        >>> import numpy as np
        >>> lstm(4, depth=2)(np.ones((2, 5, 3), "float32")).shape == (2, 4)
        True
    """
    return rnn(
        "lstm",
        units,
        activation=activation,
        recurrent_activation=recurrent_activation,
        use_bias=use_bias,
        **kwargs,
    )


def gru(
    units: int,
    activation: Any = "tanh",
    recurrent_activation: Any = "sigmoid",
    use_bias: bool = True,
    **kwargs: Any,
) -> Any:
    """Create a GRU layer by `rnn("gru", ...)`, with the weights of `keras.layers.GRU`.

    Args:
        units: Width of the cell.
        activation: Activation of the hidden state; None is linear.
        recurrent_activation: Activation of the gates; None is linear.
        use_bias: Whether the layer has biases.
        **kwargs: Arguments of `rnn`, or of the layer of `keras.layers`.

    Example:
        >>> import numpy as np
        >>> gru(4, bidirectional=True)(np.ones((2, 5, 3), "float32")).shape == (2, 8)
        True
    """
    return rnn(
        "gru",
        units,
        activation=activation,
        recurrent_activation=recurrent_activation,
        use_bias=use_bias,
        **kwargs,
    )


def simple_rnn(
    units: int,
    activation: Any = "tanh",
    use_bias: bool = True,
    **kwargs: Any,
) -> Any:
    """Create a simple RNN layer by `rnn("simple_rnn", ...)`.

    Args:
        units: Width of the cell.
        activation: Activation of the hidden state; None is linear.
        use_bias: Whether the layer has biases.
        **kwargs: Arguments of `rnn`, or of the layer of `keras.layers`.

    Example:
        >>> import numpy as np
        >>> simple_rnn(4)(np.ones((2, 5, 3), "float32")).shape == (2, 4)
        True
    """
    return rnn(
        "simple_rnn",
        units,
        activation=activation,
        use_bias=use_bias,
        **kwargs,
    )


def _create_cells(
    cell: Any,
    units: int | None,
    depth: int,
    dtype: Any,
    options: dict[str, Any],
    trainable: bool,
) -> list[Any]:
    if isinstance(cell, str):
        if units is None:
            raise ValueError(f"`units` is missing: kerasseq.rnn({cell!r}, units) needs a width.")
        cell_class = cells.get(cell)
        _check_options(cell_class, options)
        levels = range(positive_int("depth", depth, MOST_LEVELS))
        arguments = {"dtype": dtype, "trainable": trainable}
        return [
            cell_class(units, **arguments, **_level_options(options, level)) for level in levels
        ]
    objects = list(cell) if isinstance(cell, list | tuple) else [cell]
    if not objects:
        raise ValueError("`cell` is an empty list; give one cell per level.")
    for item in objects:
        is_layer = isinstance(item, type | keras.layers.RNN)
        if is_layer or not (hasattr(item, "state_size") and callable(item)):
            raise ValueError(
                "`cell` must be the name of a cell, a cell object (with `call` and `state_size`, "
                "such as kerasseq.cells.get('lstm')(8)), or a list of cell objects. "
                f"Received: {item!r}"
            )
    if units is not None or depth != 1 or dtype is not None or options:
        arguments = {"units": units is not None, "depth": depth != 1, "dtype": dtype is not None}
        names = [key for key, present in arguments.items() if present] + list(options)
        raise ValueError(
            f"{', '.join(names)} cannot be passed with cell objects, which have these "
            "settings. Pass them to the cells, or pass the name of a cell."
        )
    if len({id(item) for item in objects}) < len(objects):
        raise ValueError(
            f"`cell` has a cell twice; create one object for each level. Received: {objects}"
        )
    return objects


def _level_options(options: dict[str, Any], level: int) -> dict[str, Any]:
    """The options of one level, so that levels differ in noise and initial weights."""
    level_options = dict(options)
    if level and level_options.get("seed") is not None:
        level_options["seed"] += level
    for name, value in level_options.items():
        if level and isinstance(value, keras.initializers.Initializer):
            # One object would give the same numbers to every level.
            level_options[name] = value.clone()
    return level_options


def _layer_class(cell: Any) -> type[RNN]:
    return _NAMED.get(getattr(cell, "kind", ""), RNN)


def _check_options(cell_class: type[cells.Cell], options: dict[str, Any]) -> None:
    names: set[str] = set()
    for base in cell_class.__mro__[: cell_class.__mro__.index(cells.Cell) + 1]:
        names |= set(inspect.signature(base).parameters)
    names -= {"self", "units", "args", "kwargs"}
    for option in options:
        if option not in names:
            raise ValueError(
                f"kerasseq.rnn({cell_class.kind!r}, ...) has no option '{option}'. The options of "
                f"the cell are: {', '.join(sorted(names))}."
            )
