"""One call from the name of a cell to a Keras layer."""

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
    """A recurrent layer from a cell: one level or many, one direction or two.

    Args:
        cell: The name of a cell (`kerasseq cells` lists them), a ready cell, ours
            (`kerasseq.cells.get("lstm")(units)`) or any other Keras cell, or a list of ready cells,
            one per level.
        units: Width of the cell, where `cell` is a name.
        depth: Number of levels, where `cell` is a name.
        bidirectional: Run each level in both directions and merge before the next.
        merge: How: `"concat"`, `"sum"`, `"mul"`, `"ave"`, or None (two outputs; depth 1 only).
        return_sequences: Return the output of every timestep.
        return_state: Return the final states too, level by level, forward then backward.
        stateful: Start each batch from the last one's final states (on JAX not in `fit` and
            `predict`, where Keras drops them; pass states by hand there).
        go_backwards: Run from the last timestep (one direction only).
        unroll: Unroll the loop over time.
        zero_output_for_mask: Masked timesteps give zeros instead of the previous output (as
            they always do in the sequences of a bidirectional layer).
        residual: Add each level's input to its output where they are equally wide.
        highway: Gate between each level's input and output where they are equally wide.
        kernel: `"auto"`, or the name of the one kernel that may run the layer.
        name: Name of the layer.
        dtype: Dtype or dtype policy, where `cell` is a name.
        trainable: Whether the weights are trained.
        activity_regularizer: Regularizer of the output of each level and direction.
        autocast: Whether floating point inputs are cast to the compute dtype.
        input_shape: Shape of one row, for a first layer without a `keras.Input`.
        implementation: Without effect, taken as `keras.layers` has it: see `kernel`.
        use_cudnn: Without effect, for the same reason.
        **options: Those of the cell, where `cell` is a name: `dropout`, `recurrent_dropout`,
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
    made = _cells(cell, units, depth, dtype, options, trainable)
    alone = len(made) == 1 and not (residual or highway)
    if bidirectional and merge is None and not alone:
        raise ValueError(
            "merge=None gives two outputs, which neither a next level nor a `residual` or "
            "`highway` connection can take: merge them, or leave depth=1 and the connection out."
        )
    if go_backwards and not alone:
        raise ValueError(
            "`go_backwards` is for one level without `residual` or `highway`: reverse the "
            "inputs of a deep network."
        )
    common: dict[str, Any] = {"trainable": trainable, "autocast": autocast}
    outer = {**common, "name": name, "input_shape": input_shape}
    levels = []
    for index, one in enumerate(made):
        last = index == len(made) - 1
        level = _layer_of(one)(
            one,
            return_sequences=return_sequences or not last,
            return_state=return_state,
            stateful=stateful,
            go_backwards=go_backwards,
            unroll=unroll,
            zero_output_for_mask=zero_output_for_mask,
            kernel=kernel,
            activity_regularizer=activity_regularizer,
            **(outer if alone and not bidirectional else common),
        )
        if bidirectional:
            more = {"dtype": level.dtype_policy, **(outer if alone else common)}
            level = Bidirectional(level, merge_mode=merge, **more)
        levels.append(level)
    if alone:
        return levels[0]
    skip = "residual" if residual else "highway" if highway else None
    return Stack(levels, skip=skip, **outer)


def lstm(
    units: int,
    activation: Any = "tanh",
    recurrent_activation: Any = "sigmoid",
    use_bias: bool = True,
    **kwargs: Any,
) -> Any:
    """An LSTM layer: `rnn("lstm", units, ...)`. Weights load from and into `keras.layers.LSTM`.

    Args:
        units: Width of the cell.
        activation: Activation of the hidden state; None is linear.
        recurrent_activation: Activation of the gates; None is linear.
        use_bias: Whether it has biases.
        **kwargs: See `rnn`; the config of the layer of Keras serves.

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
    """A GRU layer: `rnn("gru", units, ...)`. Weights load from and into `keras.layers.GRU`.

    Args:
        units: Width of the cell.
        activation: Activation of the hidden state; None is linear.
        recurrent_activation: Activation of the gates; None is linear.
        use_bias: Whether it has biases.
        **kwargs: See `rnn`; the config of the layer of Keras serves.

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
    """A simple RNN layer: `rnn("simple_rnn", units, ...)`.

    Args:
        units: Width of the cell.
        activation: Activation of the hidden state; None is linear.
        use_bias: Whether it has biases.
        **kwargs: See `rnn`; the config of the layer of Keras serves.

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


def _cells(
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
        kind = cells.get(cell)
        _check_options(kind, options)
        levels = range(positive_int("depth", depth, MOST_LEVELS))
        given = {"dtype": dtype, "trainable": trainable}
        return [kind(units, **given, **_own(options, level)) for level in levels]
    made = list(cell) if isinstance(cell, list | tuple) else [cell]
    if not made:
        raise ValueError("`cell` is an empty list; give one cell per level.")
    for one in made:
        layer = isinstance(one, type | keras.layers.RNN)
        if layer or not (hasattr(one, "state_size") and callable(one)):
            raise ValueError(
                "`cell` must be the name of a cell, a ready cell (with `call` and `state_size`, "
                "such as kerasseq.cells.get('lstm')(8)), or a list of ready cells. "
                f"Received: {one!r}"
            )
    if units is not None or depth != 1 or dtype is not None or options:
        given = {"units": units is not None, "depth": depth != 1, "dtype": dtype is not None}
        excess = [key for key, present in given.items() if present] + list(options)
        raise ValueError(
            f"{', '.join(excess)} cannot be given beside ready cells: they have their own. "
            "Set them where the cells are made, or pass the name of a cell."
        )
    if len({id(one) for one in made}) < len(made):
        raise ValueError(f"`cell` has a cell twice; give each level its own. Received: {made}")
    return made


def _own(options: dict[str, Any], level: int) -> dict[str, Any]:
    """One level's options: noise and starting weights that are not those of another level."""
    own = dict(options)
    if level and own.get("seed") is not None:
        own["seed"] += level
    for name, value in own.items():
        if level and isinstance(value, keras.initializers.Initializer):
            own[name] = value.clone()  # a random one gives the same numbers each time
    return own


def _layer_of(cell: Any) -> type[RNN]:
    return _NAMED.get(getattr(cell, "kind", ""), RNN)


def _check_options(kind: type[cells.Cell], options: dict[str, Any]) -> None:
    known: set[str] = set()
    for base in kind.__mro__[: kind.__mro__.index(cells.Cell) + 1]:
        known |= set(inspect.signature(base).parameters)
    known -= {"self", "units", "args", "kwargs"}
    for option in options:
        if option not in known:
            raise ValueError(
                f"kerasseq.rnn({kind.kind!r}, ...) has no option '{option}'. The cell's options "
                f"are: {', '.join(sorted(known))}."
            )
