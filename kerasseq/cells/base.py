"""Base class of all recurrent cells: weights from a spec, and one step in a known form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, ClassVar

import keras
from keras import ops

from kerasseq.params import catalogue
from kerasseq.params.spec import Spec, Weight, positive_int

Tensor = Any  # a tensor of the backend in use
States = list[Tensor]

# By the role of a weight: whose initializer, regularizer and constraint it takes.
_GROUPS = {
    "kernel": "kernel",
    "readout": "kernel",
    "projection": "kernel",
    "recurrent": "recurrent",
    "diagonal": "recurrent",
    "peephole": "recurrent",
    "bias": "bias",
}
_INITIALIZERS = {"gain": "ones", "initial": "zeros", "peephole": "random_uniform"}


@dataclass(frozen=True)
class Frame:
    """Effective recurrent weights and noise of one pass over a sequence, drawn once.

    `Cell.begin` returns it, and kernels pass it to `Cell.advance` at every step.

    Args:
        recurrent_kernel: The recurrent kernel after weight drop, or None if the cell has none.
        recurrent_mask: Multiplies the state before the recurrent kernel does, (batch, width);
            the same at every step.
        noise: Noise that differs from step to step, with time first: `recurrent`, (time, batch,
            width), and `zoneout`, one (time, batch, width) per state, 1 where the old value stays.
        training: Whether zoneout takes the drawn values (True) or their expectation.
        product: Multiplies rows by a weight. A kernel replaces it where it knows the result.

    Example:
        >>> import numpy as np, kerasseq
        >>> cell = kerasseq.cells.get("gru")(4, recurrent_dropout=0.5)
        >>> cell.build((None, 3))
        >>> frame = cell.begin(np.ones((2, 5, 3), "float32"), training=True)
        >>> frame.recurrent_mask.shape == (2, 4)
        True
    """

    recurrent_kernel: Tensor | None
    recurrent_mask: Tensor | None
    noise: dict[str, Any]
    training: bool
    product: Callable[[Tensor, Tensor], Tensor] = ops.matmul


class Cell(keras.layers.Layer):
    """Base class of all cells: one timestep of a recurrent network, in a form that kernels know.

    A subclass names its spec (`kind`) and implements the methods of its form: `step` (row,
    diagonal), `gate` and `step` (gated), or `coefficients` (linear). This class has the weights,
    the dropouts and zoneout, the states, the config and the `call` for `keras.layers.RNN`.

    Args:
        units: Width of the cell.
        use_bias: Whether it has biases.
        kernel_initializer, recurrent_initializer, bias_initializer: Initializers.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: Regularizers.
        kernel_constraint, recurrent_constraint, bias_constraint: Constraints.
        dropout: Share of the input features dropped while training.
        recurrent_dropout: Share of the state dropped before the recurrent product.
        variational: One dropout mask per sequence (Gal & Ghahramani 2016, arXiv 1512.05287)
            rather than a new one at each step.
        zoneout: Probability that a unit keeps its old state (Krueger et al. 2016, arXiv
            1606.01305); one number, or one per state. Its expectation is used at inference.
        weight_drop: Share of the recurrent kernel dropped for a whole sequence (DropConnect,
            as in the AWD-LSTM of Merity et al. 2017, arXiv 1708.02182).
        projection: Width of an output projection. Cells of the LSTM family feed it back
            (Sak et al. 2014, arXiv 1402.1128); the other cells project the output only.
        trainable_initial_state: Learn the first state instead of starting from zeros.
        seed: Seed of the noise.
        **kwargs: Options of the cell's spec, and arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: (batch, inputs), one timestep.
        states: One (batch, width) tensor per state.

    Output shape:
        (batch, `output_size`), and the list of new states.

    Raises:
        ValueError: For a width or rate out of range, or an option that the cell cannot take.

    Example:
        >>> import kerasseq
        >>> cell = kerasseq.cells.get("gru")(4, zoneout=0.1)
        >>> cell.form, cell.state_size, cell.noisy
        ('row', [4], ['zoneout'])
    """

    kind: ClassVar[str]
    # Name of the fused recurrence that computes this class's step. Kernels read it from the class
    # itself and not from a parent, since a subclass may have another step.
    fused: ClassVar[str]
    # Whether `step` reads projected inputs and recurrent product only as their sum, so that a
    # kernel may keep the sum alone; read from the class itself too.
    sums_projected: ClassVar[bool] = False
    unit_forget_bias: bool = False
    # Number of states that `emit` reads, and whether it also reads the projected inputs.
    emits_from: ClassVar[int] = 1
    emits_inputs: ClassVar[bool] = False

    def __init__(
        self,
        units: int,
        *,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        variational: bool = True,
        zoneout: float | Sequence[float] = 0.0,
        weight_drop: float = 0.0,
        projection: int | None = None,
        trainable_initial_state: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units = positive_int("units", units)
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.recurrent_initializer = keras.initializers.get(recurrent_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.recurrent_regularizer = keras.regularizers.get(recurrent_regularizer)
        self.bias_regularizer = keras.regularizers.get(bias_regularizer)
        self.kernel_constraint = keras.constraints.get(kernel_constraint)
        self.recurrent_constraint = keras.constraints.get(recurrent_constraint)
        self.bias_constraint = keras.constraints.get(bias_constraint)
        self.dropout = _rate("dropout", dropout, whole=True)
        self.recurrent_dropout = _rate("recurrent_dropout", recurrent_dropout, whole=True)
        self.variational = variational
        self.weight_drop = _rate("weight_drop", weight_drop)
        self.projection = None if projection is None else positive_int("projection", projection)
        self.trainable_initial_state = trainable_initial_state
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed=seed)
        if not use_bias and "use_bias" not in self.spec.options:
            raise ValueError(f"`use_bias`: the cell '{self.kind}' has no biases; leave it out.")
        # Raises for a wrong width now rather than at the first call.
        self.state_size = self.spec.state_sizes(units, **self.options)
        self.zoneout_rates = self._zoneout_rates(zoneout)
        self.zoneout = self.zoneout_rates[0] if isinstance(zoneout, Real) else self.zoneout_rates
        if self.weight_drop and not self._recurrent_weight:
            raise ValueError(
                f"`weight_drop` drops recurrent weights, and the cell '{self.kind}' has none. "
                f"Received: weight_drop={weight_drop}. Use `zoneout` or `recurrent_dropout`."
            )

    # Weights and states

    @property
    def spec(self) -> Spec:
        """The spec of the cell: its weights, states and gates."""
        return catalogue.get(self.kind)

    @property
    def form(self) -> str:
        """How a step meets the state, one of `kerasseq.params.spec.FORMS`."""
        return self.spec.form_of(**self.options)

    @property
    def options(self) -> dict[str, Any]:
        """The options that decide which weights exist."""
        return {name: getattr(self, name) for name in self.spec.settings()}

    @property
    def output_size(self) -> int:
        """Width of the output."""
        return self.units if self.projection is None else self.projection

    @property
    def state_dtype(self) -> str:
        """Dtype in which states are carried from step to step."""
        return self.compute_dtype

    @property
    def _recurrent_weight(self) -> str | None:
        names = [w.name for w in self.spec.weights if w.role in ("recurrent", "diagonal")]
        return "recurrent_kernel" if "recurrent_kernel" in names else None

    @property
    def _projects_state(self) -> bool:
        return self.projection is not None and self.spec.feeds_projection

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Create the weights that the spec lists."""
        inputs = input_shape[-1]
        if inputs is None:
            raise ValueError(
                f"The cell '{self.name}' needs to know the number of features of a timestep. "
                f"Received: input_shape={tuple(input_shape)}. Give the Input a last dimension."
            )
        for sized in self.spec.sized(inputs, self.units, **self.options):
            weight = sized.weight
            group = _GROUPS.get(weight.role)
            variable = self.add_weight(
                shape=sized.shape,
                name=weight.name,
                initializer=self.initializer_for(weight),
                regularizer=getattr(self, f"{group}_regularizer") if group else None,
                constraint=getattr(self, f"{group}_constraint") if group else None,
            )
            setattr(self, weight.name, variable)
        self.built = True

    def initializer_for(self, weight: Weight) -> Any:
        """The initializer of one weight; cells with special initial values override this method."""
        if weight.role in _INITIALIZERS:
            return _INITIALIZERS[weight.role]
        if weight.name == "bias" and self.unit_forget_bias:
            rest = self.bias_initializer or keras.initializers.GlorotUniform()  # as in Keras
            return _ones_for_gate("forget", self.spec.gates, rest)
        return getattr(self, f"{_GROUPS[weight.role]}_initializer")

    def get_initial_state(self, batch_size: int | Tensor | None = None) -> States:
        """The states before the first step: zeros, or the trained ones."""
        zeros = [ops.zeros((batch_size, size), self.compute_dtype) for size in self.state_size]
        if not self.trainable_initial_state:
            return zeros
        # Added to zeros, not broadcast: rows of a stateful layer must not share memory on PyTorch.
        return [
            zero + ops.cast(getattr(self, f"initial_{state.name}"), self.compute_dtype)
            for zero, state in zip(zeros, self.spec.states, strict=True)
        ]

    # One pass over a sequence

    def drop_inputs(self, sequences: Tensor, training: bool) -> Tensor:
        """Apply dropout to (batch, time, inputs), with one mask per sequence if `variational`."""
        if not (training and self.dropout):
            return sequences
        if not self.variational:
            return keras.random.dropout(sequences, self.dropout, seed=self.seed_generator)
        ones = ops.ones_like(sequences[:, :1])
        return sequences * keras.random.dropout(ones, self.dropout, seed=self.seed_generator)

    def begin(self, sequences: Tensor, training: bool) -> Frame:
        """Draw the noise of one pass over (batch, time, inputs), and apply weight drop."""
        kernel = getattr(self, self._recurrent_weight) if self._recurrent_weight else None
        if kernel is not None:
            kernel = ops.convert_to_tensor(kernel)
        if not training:
            return Frame(kernel, None, {}, False)
        if self.weight_drop:
            kernel = keras.random.dropout(kernel, self.weight_drop, seed=self.seed_generator)
        batch, time = ops.shape(sequences)[0], ops.shape(sequences)[1]
        mask, noise = None, {}
        if self.recurrent_dropout:
            width = self.state_size[0]
            shape = (batch, width) if self.variational else (time, batch, width)
            mask_values = keras.random.dropout(
                ops.ones(shape, self.state_dtype), self.recurrent_dropout, seed=self.seed_generator
            )
            mask, noise = (
                (mask_values, {}) if self.variational else (None, {"recurrent": mask_values})
            )
        if any(self.zoneout_rates):
            noise["zoneout"] = self._draw_zoneout(time, batch)
        return Frame(kernel, mask, noise, True)

    def project(self, inputs: Tensor) -> Tensor:
        """Project (..., inputs) to (..., columns), the part of a step that needs no state."""
        projected = ops.matmul(inputs, self.kernel)
        return projected + self.bias if self.use_bias else projected

    def step(self, projected: Tensor, recurrent: Tensor, states: States) -> States:
        """Compute the new states from projected inputs and recurrent product (all but linear)."""
        raise NotImplementedError

    def gate(self, projected: Tensor, recurrent: Tensor, states: States) -> tuple[Tensor, Tensor]:
        """Compute the gated state that enters the second product, and the gates (gated form)."""
        raise NotImplementedError

    def advance(
        self, projected: Tensor, states: States, frame: Frame, noise: dict[str, Any]
    ) -> States:
        """Compute the new states after one step, with projection, dropout and zoneout.

        Args:
            projected: Projected inputs of the step, (batch, columns).
            states: The states before the step, (batch, width) each.
            frame: The frame of the pass, from `begin`.
            noise: The slice of `frame.noise` at this step.
        """
        new_states = self._recur(projected, states, frame, noise)
        if self._projects_state:
            new_states = [frame.product(new_states[0], self.projection_kernel), *new_states[1:]]
        if any(self.zoneout_rates):
            zoneout = noise["zoneout"] if frame.training else self.zoneout_rates
            new_states = [
                n + k * (s - n) if rate else n
                for n, s, k, rate in zip(
                    new_states, states, zoneout, self.zoneout_rates, strict=True
                )
            ]
        return new_states

    def emit(self, states: States, projected: Tensor) -> Tensor:
        """Compute the output from the states after a step, (..., width) each."""
        output = states[0]
        if self.projection is not None and not self._projects_state:
            output = ops.matmul(output, self.projection_kernel)
        return output

    def call(self, inputs: Tensor, states: States, training: bool = False) -> Any:
        """Run one timestep, as `keras.layers.RNN` calls it."""
        if training and self.noisy:
            raise ValueError(
                f"{', '.join(self.noisy)} of the cell '{self.name}' must be drawn once per "
                "sequence, which neither keras.layers.RNN nor an RNN over a list of cells can do. "
                "Run it by kerasseq.rnn(cell), or kerasseq.rnn([cell, cell]) with one level per "
                "cell."
            )
        return self.call_projected(self.project(inputs), states)

    def call_projected(self, projected: Tensor, states: States) -> tuple[Tensor, States]:
        """Run one timestep in inference from projected inputs, (batch, columns), as `call` does.

        Example:

        >>> import numpy as np, kerasseq
        >>> cell = kerasseq.cells.get("gru")(4)
        >>> inputs, states = np.ones((2, 3), "float32"), [np.zeros((2, 4), "float32")]
        >>> output, _ = cell(inputs, states)
        >>> np.allclose(cell.call_projected(cell.project(inputs), states)[0], output)
        True
        """
        kernel = getattr(self, self._recurrent_weight) if self._recurrent_weight else None
        carried = [ops.cast(state, self.state_dtype) for state in states]
        new_states = self.advance(projected, carried, Frame(kernel, None, {}, False), {})
        output = ops.cast(self.emit(new_states, projected), self.compute_dtype)
        return output, [ops.cast(state, self.compute_dtype) for state in new_states]

    @property
    def noisy(self) -> list[str]:
        """Names of the options that draw noise while training: dropouts, weight drop, zoneout."""
        names = ("dropout", "recurrent_dropout", "weight_drop", "zoneout")
        return [name for name in names if _any_rate(getattr(self, name))]

    def get_config(self) -> dict[str, Any]:
        """One entry per constructor argument."""
        config = super().get_config()
        for group in ("kernel", "recurrent", "bias"):
            for module in (keras.initializers, keras.regularizers, keras.constraints):
                name = f"{group}_{module.__name__.rsplit('.', 1)[-1].removesuffix('s')}"
                config[name] = module.serialize(getattr(self, name))
        for name in (
            *("units", "use_bias", "dropout", "recurrent_dropout", "variational", "zoneout"),
            *("weight_drop", "projection", "trainable_initial_state", "seed"),
        ):
            config[name] = getattr(self, name)
        return config

    # Inside a step

    def _recur(
        self, projected: Tensor, states: States, frame: Frame, noise: dict[str, Any]
    ) -> States:
        state = states[0]
        mask = noise.get("recurrent", frame.recurrent_mask)
        if mask is not None:
            state = state * mask
        kernel: Any = frame.recurrent_kernel
        if self.form == "diagonal":
            return self.step(projected, state * kernel, states)
        if self.form == "row":
            return self.step(projected, frame.product(state, kernel), states)
        columns = ops.shape(kernel)[-1] - self.units
        first = frame.product(state, kernel[:, :columns])
        gated, gates = self.gate(projected, first, [state, *states[1:]])
        second = frame.product(gated, kernel[:, columns:])
        return self.step(projected, ops.concatenate([gates, second], axis=-1), states)

    def _draw_zoneout(self, time: int | Tensor, batch: int | Tensor) -> tuple[Tensor, ...]:
        return tuple(
            ops.cast(
                keras.random.uniform((time, batch, size), seed=self.seed_generator) < rate,
                self.state_dtype,
            )
            for size, rate in zip(self.state_size, self.zoneout_rates, strict=True)
        )

    def _zoneout_rates(self, zoneout: Any) -> tuple[float, ...]:
        count = len(self.state_size)
        rates = [zoneout] * count if isinstance(zoneout, Real) else list(zoneout)
        if len(rates) != count:
            raise ValueError(
                f"`zoneout` must be one rate, or one for each of the {count} states of "
                f"'{self.kind}'. Received: zoneout={zoneout}"
            )
        return tuple(_rate("zoneout", rate) for rate in rates)


def _rate(name: str, value: Any, *, whole: bool = False) -> float:
    """Validate a rate and return it as a float; 1 is allowed only if `whole`."""
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if not is_number or not (0 <= value < 1 or (whole and value == 1)):
        span = "[0, 1]" if whole else "[0, 1)"
        raise ValueError(f"`{name}` must be a share in {span}. Received: {name}={value!r}")
    return float(value)


def _any_rate(value: float | Sequence[float]) -> bool:
    return bool(value) if isinstance(value, float) else any(value)


def _ones_for_gate(gate: str, gates: Sequence[str], initializer: Any) -> Callable[..., Tensor]:
    """An initializer of a bias with ones for one gate (Jozefowicz et al. 2015)."""

    def initialize(shape: Sequence[int], dtype: Any = None, **_: Any) -> Tensor:
        parts = list(split(initializer(shape, dtype=dtype), len(gates)))
        parts[gates.index(gate)] = ops.ones_like(parts[0])
        return ops.concatenate(parts)

    return initialize


def split(tensor: Tensor, parts: int) -> list[Tensor]:
    """Split the last axis into equal parts, such as the gates that lie there side by side."""
    return ops.split(tensor, parts, axis=-1)


def normalize(tensor: Tensor) -> Tensor:
    """Normalise to zero mean and unit variance along the last axis, without gain or shift."""
    # Not ops.layer_normalization: its second derivative is wrong on TensorFlow, which treats the
    # mean in the variance as constant.
    centered = tensor - ops.mean(tensor, axis=-1, keepdims=True)
    variance = ops.mean(ops.square(centered), axis=-1, keepdims=True)
    return centered * ops.rsqrt(variance + 1e-5)


class GatedCell(Cell):
    """A cell with sigmoid-like gates and a tanh-like candidate.

    Args:
        units: Width of the cell.
        activation: Activation of the candidate, and of an LSTM's emitted cell state; None is
            linear, as in `keras.layers`.
        recurrent_activation: Activation of the gates; None is linear.
        **kwargs: See `Cell`.
    """

    def __init__(
        self,
        units: int,
        *,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        **kwargs: Any,
    ) -> None:
        super().__init__(units, **kwargs)
        self.activation = keras.activations.get(activation)
        self.recurrent_activation = keras.activations.get(recurrent_activation)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "activation": keras.activations.serialize(self.activation),
            "recurrent_activation": keras.activations.serialize(self.recurrent_activation),
        }


class ForgetBiasCell(GatedCell):
    """A gated cell with the option to start the bias of the forget gate at one.

    Args:
        units: Width of the cell.
        unit_forget_bias: Start the forget gate's bias at one (Jozefowicz et al. 2015).
        **kwargs: See `GatedCell`.
    """

    def __init__(self, units: int, *, unit_forget_bias: bool = True, **kwargs: Any) -> None:
        super().__init__(units, **kwargs)
        self.unit_forget_bias = unit_forget_bias

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "unit_forget_bias": self.unit_forget_bias}
