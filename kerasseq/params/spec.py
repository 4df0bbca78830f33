"""Specs of recurrent cells: their weights as shapes in (inputs, units), without a backend.

A cell builds its weights from its `Spec`, and `count` counts from the same `Spec`, so the two
cannot disagree. `catalogue.py` has the spec of every cell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

FORMS = {
    "row": "one recurrent product per step, then row-wise arithmetic",
    "gated": "a second recurrent product, on a gated state",
    "diagonal": "no recurrent product: each unit sees only itself",
    "linear": "the state is a * previous + b: an associative scan over time",
    "opaque": "any other Keras cell, of which only `call` is known",
}


@dataclass(frozen=True)
class Size:
    """A multiple of one dimension of a cell, such as `4 * UNITS`.

    Example:
        >>> str(4 * UNITS), (4 * UNITS).value({"units": 8})
        ('4*units', 32)
    """

    dimension: str
    factor: int = 1

    def __rmul__(self, factor: int) -> Size:
        return Size(self.dimension, factor * self.factor)

    def __str__(self) -> str:
        return self.dimension if self.factor == 1 else f"{self.factor}*{self.dimension}"

    def value(self, dimensions: Mapping[str, int]) -> int:
        """The size as a number, for given dimensions."""
        return self.factor * dimensions[self.dimension]


ONE = Size("one")  # a constant, as the 2 in a bias of shape (2, 3*units)
INPUTS = Size("inputs")  # features of one timestep
UNITS = Size("units")  # width of the cell
OUTPUT = Size("output")  # width of the output that is fed back: `projection`, else `units`
PROJECTION = Size("projection")  # width of an output projection
STATE = Size("state")  # width of a linear cell's hidden state, `units` by default


@dataclass(frozen=True)
class Weight:
    """One weight of a cell.

    Args:
        name: Name of the cell's attribute.
        shape: Its sizes; the gates, if it has any, lie side by side along the last axis.
        role: `kernel` (multiplies the inputs), `recurrent` (multiplies the state), `diagonal`
            (multiplies it unit by unit), `peephole`, `projection`, `readout`, `gain`, `bias` or
            `initial`.
        gates: The gates that it belongs to, in equal parts.
        when: Options that must be on for the weight to exist (with `!option`, off).
        macs: Multiply-accumulates per element and timestep.
    """

    name: str
    shape: tuple[Size, ...]
    role: str
    gates: tuple[str, ...] = ()
    when: tuple[str, ...] = ()
    macs: int = 1

    def exists(self, options: Mapping[str, object]) -> bool:
        """Whether a cell with these options has the weight."""
        return all(
            not options[name[1:]] if name.startswith("!") else bool(options[name])
            for name in self.when
        )


@dataclass(frozen=True)
class State:
    """Name and width of one state that a cell carries from step to step."""

    name: str
    size: Size


@dataclass(frozen=True)
class Sized:
    """A weight with its shape in numbers."""

    weight: Weight
    shape: tuple[int, ...]

    @property
    def name(self) -> str:
        return self.weight.name

    @property
    def size(self) -> int:
        total = 1
        for length in self.shape:
            total *= length
        return total


# Options of every cell; a spec adds further ones.
COMMON_OPTIONS: Mapping[str, object] = MappingProxyType(
    {"projection": None, "trainable_initial_state": False}
)


@dataclass(frozen=True)
class Spec:
    """Description of one recurrent cell: weights, states, gates, equations and paper.

    Args:
        name: Name of the cell, as in `kerasseq.rnn(name, units)`.
        title: Title of the cell.
        form: How a step uses the state, one of `FORMS`; `form_of` also considers options.
        gates: Its gates, in the order in which they lie in the weights.
        states: Its states; the recurrent product reads the first.
        weights: Its weights, in the order of creation.
        equations: The equations of one timestep, line by line.
        paper: Its source, and differences from it.
        options: Options that decide which weights exist, with their defaults.
        extra_activations: Numbers that backpropagation through time keeps per step and row, in
            addition to every gate and every state.
        gated_unless: The option that must be on, or else the form is `gated`.
    """

    name: str
    title: str
    form: str
    gates: tuple[str, ...]
    states: tuple[State, ...]
    weights: tuple[Weight, ...]
    equations: tuple[str, ...]
    paper: str
    options: Mapping[str, object] = field(default_factory=dict)
    extra_activations: tuple[Size, ...] = ()
    gated_unless: str = ""

    def form_of(self, **options: object) -> str:
        """The form of a cell with these options (a GRU with reset_after=False is `gated`)."""
        if self.gated_unless and not self.settings(**options)[self.gated_unless]:
            return "gated"
        return self.form

    @property
    def feeds_projection(self) -> bool:
        """Whether the recurrence reads the projected output (as in the LSTMP)."""
        return self.states[0].size == OUTPUT

    def settings(self, **options: object) -> dict[str, object]:
        """The options, with defaults for those that are not passed.

        Raises:
            ValueError: If the cell has no such option.
        """
        defaults = {**COMMON_OPTIONS, **self.options}
        unknown = sorted(set(options) - set(defaults))
        if unknown:
            raise ValueError(
                f"The cell '{self.name}' has no option '{unknown[0]}'. "
                f"Its options are: {', '.join(sorted(defaults))}."
            )
        return {**defaults, **options}

    def dimensions(self, inputs: int, units: int, **options: object) -> dict[str, int]:
        """Every dimension of a cell as a number, by name."""
        settings = self.settings(**options)
        projection = settings["projection"]
        width = units if projection is None else positive_int("projection", projection)
        state = settings.get("state")
        return {
            "one": 1,
            "inputs": positive_int("inputs", inputs),
            "units": positive_int("units", units),
            "projection": width,
            "output": width,
            "state": units if state is None else positive_int("state", state),
        }

    def state_sizes(self, units: int, **options: object) -> list[int]:
        """Width of each state."""
        dimensions = self.dimensions(1, units, **options)
        return [state.size.value(dimensions) for state in self.states]

    def sized(self, inputs: int, units: int, **options: object) -> list[Sized]:
        """The weights of a cell with these options, with their shapes in numbers.

        Args:
            inputs: Features of one timestep.
            units: Width of the cell.
            **options: Options of the spec, `projection` and `trainable_initial_state`.

        Example:
            >>> from kerasseq.params import catalogue
            >>> [(w.name, w.shape) for w in catalogue.get("simple_rnn").sized(inputs=3, units=5)]
            [('kernel', (3, 5)), ('recurrent_kernel', (5, 5)), ('bias', (5,))]
        """
        settings = self.settings(**options)
        dimensions = self.dimensions(inputs, units, **options)
        weights = [weight for weight in self.weights if weight.exists(settings)]
        if settings["projection"] is not None:
            weights.append(Weight("projection_kernel", (UNITS, PROJECTION), "projection"))
        if settings["trainable_initial_state"]:
            weights += [
                Weight(f"initial_{state.name}", (state.size,), "initial", macs=0)
                for state in self.states
            ]
        return [
            Sized(weight, tuple(size.value(dimensions) for size in weight.shape))
            for weight in weights
        ]


#: Largest number of levels of a stack of recurrent layers.
MOST_LEVELS = 1_000


def positive_int(name: str, value: object, most: int | None = None) -> int:
    """Validate a positive integer and return it as an int.

    Args:
        name: Name of the argument, for the error.
        value: The value.
        most: Its upper limit, if there is one.

    Raises:
        ValueError: If the value is not a positive integer, or is above the limit.
    """
    if most is not None and getattr(value, "__index__", int)() > most:
        raise ValueError(f"`{name}` must be at most {most:,}. Received: {name}={value!r}")
    if isinstance(value, bool) or not hasattr(value, "__index__") or value.__index__() < 1:
        raise ValueError(f"`{name}` must be a positive integer. Received: {name}={value!r}")
    return value.__index__()
