"""One entry per cell: its weights, states, gates, equations and paper.

Adding a cell takes one entry here and one file in `kerasseq/cells`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from kerasseq.params.spec import (
    FORMS,
    INPUTS,
    ONE,
    OUTPUT,
    STATE,
    UNITS,
    Size,
    Spec,
    State,
    Weight,
)


def _kernels(gates: tuple[str, ...], recurrent: Size = UNITS) -> tuple[Weight, ...]:
    columns = len(gates) * UNITS
    return (
        Weight("kernel", (INPUTS, columns), "kernel", gates),
        Weight("recurrent_kernel", (recurrent, columns), "recurrent", gates),
    )


def _bias(gates: tuple[str, ...]) -> Weight:
    return Weight("bias", (len(gates) * UNITS,), "bias", gates, ("use_bias",), macs=0)


def _gain(name: str, gates: tuple[str, ...]) -> Weight:
    return Weight(name, (max(len(gates), 1) * UNITS,), "gain", gates, macs=0)


_BIAS: Mapping[str, object] = MappingProxyType({"use_bias": True})
_H = State("h", UNITS)
_LSTM_STATES = (State("h", OUTPUT), State("c", UNITS))
_LSTM_GATES = ("input", "forget", "cell", "output")
_GRU_GATES = ("update", "reset", "candidate")
_CIFG_GATES = ("forget", "cell", "output")

_SPECS: dict[str, Spec] = {}


def register(spec: Spec) -> Spec:
    """Register a spec by its name.

    Raises:
        ValueError: If the name is taken or the form is unknown.
    """
    if spec.name in _SPECS:
        raise ValueError(f"A cell named '{spec.name}' is registered already; choose another name.")
    if spec.form not in FORMS:
        raise ValueError(f"`form` must be one of {', '.join(FORMS)}. Received: form={spec.form!r}")
    _SPECS[spec.name] = spec
    return spec


def get(name: str) -> Spec:
    """Look up the spec of a cell.

    Raises:
        ValueError: If there is no cell of that name; the message lists the names.

    Example:
        >>> get("gru").gates
        ('update', 'reset', 'candidate')
    """
    try:
        return _SPECS[name]
    except (KeyError, TypeError):
        close = difflib.get_close_matches(str(name), _SPECS, n=1)
        hint = f" Did you mean '{close[0]}'?" if close else ""
        raise ValueError(
            f"There is no cell named {name!r}.{hint} The cells are: {', '.join(names())}."
        ) from None


def names() -> list[str]:
    """The names of all cells, in the order of their entries."""
    return list(_SPECS)


def specs() -> Iterable[Spec]:
    """All specs, in the order of their entries."""
    return _SPECS.values()


register(
    Spec(
        name="simple_rnn",
        title="Simple (Elman) RNN",
        form="row",
        gates=("hidden",),
        states=(_H,),
        weights=(*_kernels(("hidden",)), _bias(("hidden",))),
        equations=("h = tanh(x W + h' U + b)",),
        paper="Elman (1990), Finding structure in time, Cognitive Science 14. With relu and "
        "recurrent_initializer='identity' the IRNN of Le, Jaitly & Hinton (2015), arXiv 1504.00941",
        options=_BIAS,
    )
)
register(
    Spec(
        name="lstm",
        title="Long short-term memory",
        form="row",
        gates=_LSTM_GATES,
        states=_LSTM_STATES,
        weights=(*_kernels(_LSTM_GATES, OUTPUT), _bias(_LSTM_GATES)),
        equations=(
            "i = sigmoid(x W_i + h' U_i + b_i)",
            "f = sigmoid(x W_f + h' U_f + b_f)",
            "g = tanh(x W_g + h' U_g + b_g)",
            "o = sigmoid(x W_o + h' U_o + b_o)",
            "c = f * c' + i * g",
            "h = o * tanh(c)",
        ),
        paper="Hochreiter & Schmidhuber (1997), Neural Computation 9; forget gate of Gers, "
        "Schmidhuber & Cummins (2000); projection of Sak, Senior & Beaufays (2014)",
        options=_BIAS,
    )
)
register(
    Spec(
        name="gru",
        title="Gated recurrent unit",
        form="row",
        gates=_GRU_GATES,
        states=(_H,),
        weights=(
            *_kernels(_GRU_GATES),
            Weight(
                "bias",
                (2 * ONE, 3 * UNITS),
                "bias",
                _GRU_GATES,
                ("use_bias", "reset_after"),
                macs=0,
            ),
            Weight("bias", (3 * UNITS,), "bias", _GRU_GATES, ("use_bias", "!reset_after"), macs=0),
        ),
        equations=(
            "z = sigmoid(x W_z + h' U_z + b_z)",
            "r = sigmoid(x W_r + h' U_r + b_r)",
            "n = tanh(x W_n + b_n + r * (h' U_n + d_n))    reset_after (default)",
            "n = tanh(x W_n + b_n + (r * h') U_n)          reset_after=False",
            "h = z * h' + (1 - z) * n",
        ),
        paper="Cho et al. (2014), arXiv 1406.1078 (its first version resets after the product, "
        "its last one before it)",
        options=MappingProxyType({"use_bias": True, "reset_after": True}),
        gated_unless="reset_after",
    )
)
register(
    Spec(
        name="peephole_lstm",
        title="LSTM with peepholes",
        form="row",
        gates=_LSTM_GATES,
        states=_LSTM_STATES,
        weights=(
            *_kernels(_LSTM_GATES, OUTPUT),
            Weight("peephole_kernel", (3 * UNITS,), "peephole", ("input", "forget", "output")),
            _bias(_LSTM_GATES),
        ),
        equations=(
            "i = sigmoid(x W_i + h' U_i + p_i * c' + b_i)",
            "f = sigmoid(x W_f + h' U_f + p_f * c' + b_f)",
            "g = tanh(x W_g + h' U_g + b_g)",
            "c = f * c' + i * g",
            "o = sigmoid(x W_o + h' U_o + p_o * c + b_o)",
            "h = o * tanh(c)",
        ),
        paper="Gers, Schraudolph & Schmidhuber (2002), Learning precise timing with LSTM "
        "recurrent networks, JMLR 3",
        options=_BIAS,
    )
)
register(
    Spec(
        name="coupled_lstm",
        title="LSTM with coupled input and forget gates (CIFG)",
        form="row",
        gates=_CIFG_GATES,
        states=_LSTM_STATES,
        weights=(*_kernels(_CIFG_GATES, OUTPUT), _bias(_CIFG_GATES)),
        equations=(
            "f = sigmoid(x W_f + h' U_f + b_f)",
            "g = tanh(x W_g + h' U_g + b_g)",
            "o = sigmoid(x W_o + h' U_o + b_o)",
            "c = f * c' + (1 - f) * g",
            "h = o * tanh(c)",
        ),
        paper="Greff et al. (2015), LSTM: a search space odyssey, arXiv 1503.04069 (in the "
        "paper, i is learned and f = 1 - i; here, f is learned, so that its bias may start at one)",
        options=_BIAS,
    )
)
register(
    Spec(
        name="layernorm_lstm",
        title="Layer-normalised LSTM",
        form="row",
        gates=_LSTM_GATES,
        states=_LSTM_STATES,
        weights=(
            *_kernels(_LSTM_GATES, OUTPUT),
            _bias(_LSTM_GATES),
            _gain("kernel_gain", _LSTM_GATES),
            _gain("recurrent_gain", _LSTM_GATES),
            _gain("state_gain", ()),
            Weight("state_shift", (UNITS,), "bias", macs=0),
        ),
        equations=(
            "[i f g o] = k * LN(x W) + r * LN(h' U) + b",
            "c = sigmoid(f) * c' + sigmoid(i) * tanh(g)",
            "h = sigmoid(o) * tanh(s * LN(c) + d)",
        ),
        paper="Ba, Kiros & Hinton (2016), Layer normalization, arXiv 1607.06450, equations 20-22 "
        "(the two shifts of the sums and the bias are one vector)",
        options=_BIAS,
        extra_activations=(8 * UNITS, UNITS),
    )
)
register(
    Spec(
        name="layernorm_gru",
        title="Layer-normalised GRU",
        form="row",
        gates=_GRU_GATES,
        states=(_H,),
        weights=(
            *_kernels(_GRU_GATES),
            _bias(_GRU_GATES),
            Weight("recurrent_bias", (UNITS,), "bias", ("candidate",), ("use_bias",), macs=0),
            _gain("kernel_gain", _GRU_GATES),
            _gain("recurrent_gain", _GRU_GATES),
        ),
        equations=(
            "[z r] = k_zr * LN(x W_zr) + r_zr * LN(h' U_zr) + b_zr",
            "n = tanh(k_n * LN(x W_n) + b_n + sigmoid(r) * (r_n * LN(h' U_n) + d))",
            "h = (1 - sigmoid(z)) * h' + sigmoid(z) * n",
        ),
        paper="Ba, Kiros & Hinton (2016), Layer normalization, arXiv 1607.06450, equations 23-27 "
        "(shifts that add up are one vector)",
        options=_BIAS,
        extra_activations=(6 * UNITS,),
    )
)
register(
    Spec(
        name="mgu",
        title="Minimal gated unit",
        form="gated",
        gates=("forget", "candidate"),
        states=(_H,),
        weights=(*_kernels(("forget", "candidate")), _bias(("forget", "candidate"))),
        equations=(
            "f = sigmoid(x W_f + h' U_f + b_f)",
            "n = tanh(x W_n + (f * h') U_n + b_n)",
            "h = (1 - f) * h' + f * n",
        ),
        paper="Zhou, Wu, Zhang & Zhou (2016), Minimal gated unit for recurrent neural networks, "
        "arXiv 1603.09420",
        options=_BIAS,
    )
)
register(
    Spec(
        name="janet",
        title="Just another network: an LSTM with the forget gate only",
        form="row",
        gates=("forget", "candidate"),
        states=(_H,),
        weights=(*_kernels(("forget", "candidate")), _bias(("forget", "candidate"))),
        equations=(
            "s = x W_f + h' U_f + b_f",
            "n = tanh(x W_n + h' U_n + b_n)",
            "h = sigmoid(s) * h' + (1 - sigmoid(s - beta)) * n    beta = 1",
        ),
        paper="van der Westhuizen & Lasenby (2018), The unreasonable effectiveness of the forget "
        "gate, arXiv 1804.04849",
        options=_BIAS,
    )
)
register(
    Spec(
        name="ligru",
        title="Light GRU",
        form="row",
        gates=("update", "candidate"),
        states=(_H,),
        weights=(
            *_kernels(("update", "candidate")),
            _bias(("update", "candidate")),
            _gain("kernel_gain", ("update", "candidate")),
        ),
        equations=(
            "z = sigmoid(k_z * LN(x W_z) + b_z + h' U_z)",
            "n = relu(k_n * LN(x W_n) + b_n + h' U_n)",
            "h = z * h' + (1 - z) * n",
        ),
        paper="Ravanelli, Brakel, Omologo & Bengio (2018), Light gated recurrent units for speech "
        "recognition, arXiv 1803.10225 (layer instead of batch normalisation: a departure)",
        options=_BIAS,
        extra_activations=(2 * UNITS,),
    )
)
register(
    Spec(
        name="indrnn",
        title="Independently recurrent network",
        form="diagonal",
        gates=("hidden",),
        states=(_H,),
        weights=(
            Weight("kernel", (INPUTS, UNITS), "kernel", ("hidden",)),
            Weight("recurrent_kernel", (UNITS,), "diagonal", ("hidden",)),
            _bias(("hidden",)),
        ),
        equations=("h = relu(x W + u * h' + b)",),
        paper="Li, Li, Cook, Zhu & Gao (2018), Independently recurrent neural network, "
        "arXiv 1803.04831",
        options=_BIAS,
    )
)
register(
    Spec(
        name="mingru",
        title="Minimal GRU",
        form="linear",
        gates=("update", "candidate"),
        states=(_H,),
        weights=(
            Weight("kernel", (INPUTS, 2 * UNITS), "kernel", ("update", "candidate")),
            _bias(("update", "candidate")),
        ),
        equations=("z = sigmoid(x W_z + b_z)", "h = (1 - z) * h' + z * (x W_n + b_n)"),
        paper="Feng, Tung, Ahmed, Bengio & Hajimirsadeghi (2024), Were RNNs all we needed?, "
        "arXiv 2410.01201",
        options=_BIAS,
    )
)
register(
    Spec(
        name="minlstm",
        title="Minimal LSTM",
        form="linear",
        gates=("forget", "input", "candidate"),
        states=(_H,),
        weights=(
            Weight("kernel", (INPUTS, 3 * UNITS), "kernel", ("forget", "input", "candidate")),
            _bias(("forget", "input", "candidate")),
        ),
        equations=(
            "f = sigmoid(x W_f + b_f)",
            "i = sigmoid(x W_i + b_i)",
            "h = f / (f + i) * h' + i / (f + i) * (x W_n + b_n)",
        ),
        paper="Feng, Tung, Ahmed, Bengio & Hajimirsadeghi (2024), Were RNNs all we needed?, "
        "arXiv 2410.01201",
        options=_BIAS,
    )
)
register(
    Spec(
        name="lru",
        title="Linear recurrent unit",
        form="linear",
        gates=(),
        states=(State("real", STATE), State("imaginary", STATE)),
        weights=(
            Weight("nu_log", (STATE,), "diagonal", macs=2),
            Weight("theta_log", (STATE,), "diagonal", macs=2),
            Weight("gamma_log", (STATE,), "diagonal", macs=2),
            Weight("kernel_real", (INPUTS, STATE), "kernel"),
            Weight("kernel_imaginary", (INPUTS, STATE), "kernel"),
            Weight("readout_real", (STATE, UNITS), "readout"),
            Weight("readout_imaginary", (STATE, UNITS), "readout"),
            Weight("skip_kernel", (INPUTS, UNITS), "kernel"),
        ),
        equations=(
            "a = exp(-exp(nu_log) + i exp(theta_log))",
            "s = a * s' + exp(gamma_log) * (x B)    complex, kept as two real states",
            "y = Re(s C) + x D",
        ),
        paper="Orvieto et al. (2023), Resurrecting recurrent neural networks for long sequences, "
        "arXiv 2303.06349",
        options=MappingProxyType({"state": None}),
        extra_activations=(2 * STATE,),
    )
)
