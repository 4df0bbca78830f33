"""Exact parameter counts of recurrent layers in closed form, from the cells' specs alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kerasseq.params import catalogue, formula
from kerasseq.params.count_result import DTYPES, PYTORCH, Count, Level, Row
from kerasseq.params.spec import COMMON_OPTIONS, MOST_LEVELS, Spec, positive_int

MERGES = ("concat", "sum", "mul", "ave", None)

# Arguments of `kerasseq.rnn` that no weight depends on. They are accepted and ignored here, so that
# the same arguments can be passed to both functions.
WEIGHTLESS = frozenset(
    {
        *("activation", "recurrent_activation", "unit_forget_bias", "beta", "radius"),
        *("phase",),
        *("kernel_initializer", "recurrent_initializer", "bias_initializer"),
        *("kernel_regularizer", "recurrent_regularizer", "bias_regularizer"),
        *("kernel_constraint", "recurrent_constraint", "bias_constraint"),
        *("activity_regularizer", "dropout", "recurrent_dropout", "variational", "zoneout"),
        *("weight_drop", "return_sequences", "return_state", "stateful", "go_backwards"),
        *("unroll", "zero_output_for_mask", "kernel", "seed", "name", "trainable", "autocast"),
        *("input_shape", "implementation", "use_cudnn"),
    }
)


def count(
    cell: str | Sequence[str | tuple[str, int]],
    inputs: int,
    units: int | None = None,
    *,
    depth: int = 1,
    bidirectional: bool = False,
    merge: str | None = "concat",
    residual: bool = False,
    highway: bool = False,
    timesteps: int | None = None,
    batch: int = 1,
    dtype: str = "float32",
    **options: Any,
) -> Count:
    """Count the parameters of `kerasseq.rnn(cell, units, ...)` on `inputs` features, exactly.

    Args:
        cell: Name of a cell, or a list with one per level: names, or (name, units) pairs.
        inputs: Features of one timestep.
        units: Width of every level.
        depth: Number of levels; leave it out with a list of cells.
        bidirectional: Whether every level runs in both directions.
        merge: How the two directions of a level are merged: `concat`, `sum`, `mul`, `ave`, or
            None (two outputs, for a single level).
        residual: Add the input of a level to its output, wherever their widths agree.
        highway: Mix input and output of a level by a learned gate, wherever their widths agree.
        timesteps: Length of the sequences, for memory and multiply-accumulates.
        batch: Number of rows, for memory.
        dtype: Dtype of the activations, for memory.
        **options: Options of the cell (`use_bias`, `reset_after`, `state`), `projection`,
            `trainable_initial_state`, and any other argument of `kerasseq.rnn`, which is ignored.

    Raises:
        ValueError: For an unknown cell or option, or a value out of range.

    Example:
        >>> print(count("lstm", inputs=64, units=128).formula)
        4 gates x (128 units x (64 inputs + 128 units + 1 bias)) = 98,816
    """
    if merge not in MERGES:
        raise ValueError(
            f"`merge` must be one of {', '.join(map(repr, MERGES))}. Received: merge={merge!r}"
        )
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise ValueError(f"`dtype` must be one of {', '.join(DTYPES)}. Received: dtype={dtype!r}")
    if residual and highway:
        raise ValueError("`residual` and `highway` exclude each other: choose one.")
    cells = _specs_and_units(cell, units, depth)
    names = [spec.name for spec, _ in cells]
    if bidirectional and merge is None and len(cells) > 1:
        raise ValueError(
            f"`merge=None` gives two outputs, which a next level cannot take. "
            f"Received: {len(cells)} levels. Merge by 'concat', 'sum', 'mul' or 'ave'."
        )
    settings = _weight_options([spec for spec, _ in cells], options)
    factor = 2 if bidirectional and merge == "concat" else 1
    levels: list[Level] = []
    skips, width = 0, positive_int("inputs", inputs)
    for number, ((spec, width_of_level), level_options) in enumerate(
        zip(cells, settings, strict=True), start=1
    ):
        output = factor * spec.dimensions(width, width_of_level, **level_options)["projection"]
        equal_widths = width == output and not (bidirectional and merge is None)
        skips += equal_widths
        levels.append(
            _level(
                number,
                spec,
                width,
                width_of_level,
                output,
                bidirectional,
                highway and equal_widths,
                level_options,
            )
        )
        width = output
    if (residual or highway) and not skips:
        raise ValueError(
            f"`{'residual' if residual else 'highway'}` needs a level whose input and output "
            f"are equally wide. Received: {levels[0].inputs} inputs and outputs of "
            f"{', '.join(str(level.output) for level in levels)}. Change `units` or `depth`."
        )
    return Count(
        cell=", ".join(names if len({*names}) > 1 else names[:1]),
        levels=tuple(levels),
        timesteps=None if timesteps is None else positive_int("timesteps", timesteps),
        batch=positive_int("batch", batch),
        dtype=dtype,
        pytorch=_pytorch(levels, settings[0], merge, residual or highway),
    )


def _specs_and_units(
    cell: str | Sequence[str | tuple[str, int]], units: int | None, depth: int
) -> list[tuple[Spec, int]]:
    """The spec and the width of every level."""
    if isinstance(cell, str) or not isinstance(cell, Sequence):
        levels: list[Any] = [cell] * positive_int("depth", depth, MOST_LEVELS)
    else:
        levels = list(cell)
        if depth != 1:
            raise ValueError(
                "`depth` must be left out with a list of cells, whose length is the depth. "
                f"Received: depth={depth}"
            )
        if not levels:
            raise ValueError("`cell` must name a cell for at least one level. Received: cell=[]")
    pairs = [level for level in levels if isinstance(level, tuple | list)]
    if any(len(pair) != 2 for pair in pairs):
        raise ValueError(
            f"A level of `cell` must be a name or a (name, units) pair. Received: cell={cell!r}"
        )
    if pairs and units is not None:
        raise ValueError(
            "`units` must be left out with (name, units) pairs, which give the widths. "
            f"Received: units={units}"
        )
    if len(pairs) < len(levels) and units is None:
        raise ValueError("`units`, the width of every level, must be given. Received: units=None")
    named = [level if isinstance(level, tuple | list) else (level, units) for level in levels]
    return [(catalogue.get(name), positive_int("units", width)) for name, width in named]


def _weight_options(specs: Sequence[Spec], options: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The options of every level that its weights depend on."""
    known = {*COMMON_OPTIONS}.union(*(spec.options for spec in specs))
    for name in options:
        if name in known or name in WEIGHTLESS:
            continue
        cells = ", ".join(dict.fromkeys(f"'{spec.name}'" for spec in specs))
        raise ValueError(
            f"There is no option '{name}' for {cells}. Options that weights depend on: "
            f"{', '.join(sorted(known))}. Without weights: {', '.join(sorted(WEIGHTLESS))}."
        )
    return [
        {k: v for k, v in options.items() if k in spec.options or k in COMMON_OPTIONS}
        for spec in specs
    ]


def _level(
    number: int,
    spec: Spec,
    inputs: int,
    units: int,
    output: int,
    bidirectional: bool,
    highway: bool,
    options: Mapping[str, Any],
) -> Level:
    dimensions = spec.dimensions(inputs, units, **options)
    weights = spec.sized(inputs, units, **options)
    states = spec.state_sizes(units, **options)
    directions = ("forward", "backward") if bidirectional else ("forward",)
    rows = [
        Row(number, direction, w.name, w.shape, w.weight.gates, w.size * w.weight.macs)
        for direction in directions
        for w in weights
    ]
    extra = sum(size.value(dimensions) for size in spec.extra_activations)
    activations = len(directions) * (inputs + len(spec.gates) * units + sum(states) + extra)
    if highway:
        rows.append(Row(number, "merged", "highway_kernel", (output, output), (), output**2))
        rows.append(Row(number, "merged", "highway_bias", (output,), (), 0))
        activations += output
    return Level(
        number=number,
        cell=spec.name,
        form=spec.form_of(**options),
        inputs=inputs,
        units=units,
        output=output,
        directions=len(directions),
        weights=tuple(rows),
        states=tuple(states * len(directions)),
        formula=formula.of_level(
            formula.of_cell(spec, weights, dimensions),
            len(directions),
            output if highway else None,
        ),
        activations=activations,
    )


def _pytorch(
    levels: Sequence[Level], options: Mapping[str, Any], merge: str | None, skips: bool
) -> int | None:
    """Parameters of torch.nn.RNN, LSTM or GRU of the same shape; None if PyTorch has none."""
    first = levels[0]
    directions, units, projection = first.directions, first.units, options.get("projection")
    has_no_counterpart = (
        first.cell not in PYTORCH
        or any((level.cell, level.units) != (first.cell, units) for level in levels)
        or (directions == 2 and merge != "concat")
        or not options.get("reset_after", True)
        or bool(options.get("trainable_initial_state"))
        or (projection is not None and (first.cell != "lstm" or projection >= units))
    )
    if has_no_counterpart or skips:
        return None
    gates = PYTORCH[first.cell][1]
    recurrent_width = units if projection is None else projection
    biases = 2 if options.get("use_bias", True) else 0
    per_level = [gates * units * (level.inputs + recurrent_width + biases) for level in levels]
    projected = 0 if projection is None else projection * units
    return directions * (sum(per_level) + len(levels) * projected)
