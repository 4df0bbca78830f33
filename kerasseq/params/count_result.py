"""The result of counting the parameters of a recurrent layer, with memory and work."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import prod
from typing import Any

from kerasseq.formatting.numbers import plural
from kerasseq.formatting.table import Table, Tabular
from kerasseq.params.spec import positive_int

DTYPES = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2, "int8": 1}

# For a cell: the name of PyTorch's layer, and its number of gates.
PYTORCH = {"simple_rnn": ("RNN", 1), "lstm": ("LSTM", 4), "gru": ("GRU", 3)}


@dataclass(frozen=True)
class Row:
    """One weight of one level and direction.

    The direction is `forward` or `backward`, or `merged` for a weight behind both directions.
    """

    level: int
    direction: str
    name: str
    shape: tuple[int, ...]
    gates: tuple[str, ...]
    macs: int

    @property
    def params(self) -> int:
        """Number of elements."""
        return prod(self.shape)


@dataclass(frozen=True)
class Level:
    """One level of a stack: a cell in one or two directions, with its highway gate if it has one.

    Args:
        number: Number of the level, from 1.
        cell: Name of the cell.
        form: Form of the cell with its options.
        inputs: Features of its input.
        units: Width of its cell.
        output: Features of its output, after its directions are merged.
        directions: 1, or 2 if bidirectional.
        weights: Its weights, direction by direction.
        states: Width of each state, direction by direction.
        formula: The sum over its weights, in words and numbers.
        activations: Numbers per timestep and row that backpropagation through time keeps in memory.
    """

    number: int
    cell: str
    form: str
    inputs: int
    units: int
    output: int
    directions: int
    weights: tuple[Row, ...]
    states: tuple[int, ...]
    formula: str
    activations: int

    @property
    def total(self) -> int:
        """Number of parameters."""
        return sum(row.params for row in self.weights)


@dataclass(frozen=True, repr=False)
class Count(Tabular):
    """The parameters of a recurrent layer, with its memory and multiply-accumulates.

    Args:
        cell: Name of the cell, or the names level by level.
        levels: One entry per level.
        timesteps: Length of the sequences, for memory; a single step if None.
        batch: Number of rows, for memory.
        dtype: Dtype of the activations, for memory.
        pytorch: Parameters of PyTorch's layer of the same name and shape, which has two bias
            vectors; None if PyTorch has no such layer.

    Example:
        >>> from kerasseq.params import count
        >>> count("gru", inputs=64, units=128).gates
        {'update': 24832, 'reset': 24832, 'candidate': 24832}
    """

    cell: str
    levels: tuple[Level, ...]
    timesteps: int | None
    batch: int
    dtype: str
    pytorch: int | None

    @property
    def total(self) -> int:
        """Number of parameters of all levels."""
        return sum(level.total for level in self.levels)

    @property
    def weights(self) -> tuple[Row, ...]:
        """Every weight, level by level, forward then backward."""
        return tuple(row for level in self.levels for row in level.weights)

    @property
    def gates(self) -> dict[str, int]:
        """Parameters per gate; weights without gates are summed as `shared`."""
        params: dict[str, int] = {}
        shared = 0
        for row in self.weights:
            for gate in row.gates:
                params[gate] = params.get(gate, 0) + row.params // len(row.gates)
            shared += 0 if row.gates else row.params
        return {**params, "shared": shared} if shared else params

    @property
    def formula(self) -> str:
        """The count in words and numbers; one line per level, and their sum."""
        if len(self.levels) == 1:
            return f"{self.levels[0].formula} = {self.total:,}"
        lines = [
            f"level {level.number}: {level.formula} = {level.total:,}" for level in self.levels
        ]
        addends = " + ".join(f"{level.total:,}" for level in self.levels)
        return "\n".join([*lines, f"all levels: {addends} = {self.total:,}"])

    @property
    def states(self) -> int:
        """Numbers that one row carries from step to step, over all levels and directions."""
        return sum(sum(level.states) for level in self.levels)

    @property
    def macs(self) -> int:
        """Multiply-accumulates with a weight as one factor, for one timestep of one sequence.

        Summed over all levels and directions. Biases, gains of a normalisation, and products of two
        activations do not count.
        """
        return sum(row.macs for row in self.weights)

    def macs_for(self, timesteps: int) -> int:
        """Multiply-accumulates with a weight, for one row of `timesteps` timesteps."""
        return positive_int("timesteps", timesteps) * self.macs

    @property
    def bytes(self) -> dict[str, int]:
        """Size of the parameters in bytes, by dtype."""
        return {name: size * self.total for name, size in DTYPES.items()}

    @property
    def activation_bytes(self) -> int:
        """Bytes that backpropagation through time keeps, for `batch` rows of `timesteps`.

        For every timestep, row, level and direction these are the inputs, every gate, every state
        and the spec's `extra_activations`; a level with a highway has its gate too.
        """
        numbers = sum(level.activations for level in self.levels)
        return numbers * (self.timesteps or 1) * self.batch * DTYPES[self.dtype]

    def table(self) -> Table:
        """The weights as rows, their total, and formula, memory and work as notes."""
        deep, both = len(self.levels) > 1, any(level.directions > 1 for level in self.levels)
        heads = (("level", deep), ("direction", both), ("weight", True), ("shape", True))
        shown_heads = [is_shown for _, is_shown in heads]

        def row(*cells: Any) -> tuple[Any, ...]:
            return (
                *(cell for cell, is_shown in zip(cells[:4], shown_heads, strict=True) if is_shown),
                cells[4],
            )

        total_row = [""] * sum(shown_heads)
        total_row[0] = "total"
        return Table(
            columns=(*(name for name, is_shown in heads if is_shown), "params"),
            rows=tuple(row(w.level, w.direction, w.name, w.shape, w.params) for w in self.weights),
            title=self._title(),
            total=(*total_row, self.total),
            notes=(*self.formula.splitlines(), *self._notes()),
        )

    def to_dict(self) -> dict[str, Any]:
        """All values as types that JSON has."""
        return {
            "cell": self.cell,
            "total": self.total,
            "formula": self.formula,
            "gates": self.gates,
            "states": self.states,
            "macs": self.macs,
            "macs_sequence": None if self.timesteps is None else self.macs_for(self.timesteps),
            "bytes": self.bytes,
            "activation_bytes": self.activation_bytes,
            "timesteps": self.timesteps,
            "batch": self.batch,
            "dtype": self.dtype,
            "pytorch": self.pytorch,
            "levels": [
                {k: v for k, v in asdict(level).items() if k not in ("weights", "activations")}
                | {"total": level.total}
                for level in self.levels
            ],
            "weights": [{**asdict(row), "params": row.params} for row in self.weights],
        }

    def _title(self) -> str:
        first, last = self.levels[0], self.levels[-1]
        return f"{self.cell}: {plural(first.inputs, 'input')} to {plural(last.output, 'output')}"

    def _notes(self) -> list[str]:
        steps = self.timesteps or 1
        macs = f"{self.macs:,} per step"
        if self.timesteps is not None:
            macs += f", {self.macs_for(steps):,} for {plural(steps, 'step')}"
        notes = {
            "per gate": ", ".join(f"{name} {number:,}" for name, number in self.gates.items()),
            "state size": f"{self.states:,}",
            "multiply-accumulates": macs,
            "bytes": ", ".join(f"{name} {size:,}" for name, size in self.bytes.items()),
            "held for backpropagation": f"{self.activation_bytes:,} bytes "
            f"({plural(self.batch, 'row')} x {plural(steps, 'step')}, "
            f"{self.dtype})",
        }
        if self.pytorch is not None:
            name = PYTORCH[self.levels[0].cell][0]
            notes[f"PyTorch's {name}"] = f"{self.pytorch:,}"
        return [f"{name}: {value}" for name, value in notes.items()]
