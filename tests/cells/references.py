"""One step of every cell in NumPy, written from its paper's equations and from nothing else.

A function carries the name of its cell. It takes one timestep `x` (batch, inputs), the list of
states, the weights and the cell's config, and gives the new states. The output is the first
state, unless a function `<cell>_output` says otherwise.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray
States = list[Array]

FUNCTIONS = {
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "tanh": np.tanh,
}


class Weights(dict[str, Array]):
    """The weights of a cell by name; one that is switched off counts as zero."""

    def __missing__(self, name: str) -> Array:
        return np.zeros(())

    def gates(self, name: str, count: int) -> list[Array]:
        """The parts that lie side by side along the last axis, one per gate."""
        value = self[name]
        return np.split(value, count, axis=-1) if value.ndim else [value] * count


def functions(config: dict[str, Any]) -> tuple[Any, Any]:
    """The activation, and that of the gates (sigmoid where a cell has no choice)."""
    gate = config.get("recurrent_activation", "sigmoid")
    return FUNCTIONS[config["activation"]], FUNCTIONS[gate]


def layer_norm(x: Array) -> Array:
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)


def simple_rnn(x: Array, states: States, w: Weights, config: dict[str, Any]) -> States:
    """Elman (1990)."""
    act, _ = functions(config)
    return [act(x @ w["kernel"] + states[0] @ w["recurrent_kernel"] + w["bias"])]


def lstm(x: Array, states: States, w: Weights, config: dict[str, Any]) -> States:
    """Gers, Schmidhuber & Cummins (2000); in the weights: input, forget, cell, output."""
    act, gate = functions(config)
    h, c = states
    w_i, w_f, w_g, w_o = w.gates("kernel", 4)
    u_i, u_f, u_g, u_o = w.gates("recurrent_kernel", 4)
    b_i, b_f, b_g, b_o = w.gates("bias", 4)
    i = gate(x @ w_i + h @ u_i + b_i)
    f = gate(x @ w_f + h @ u_f + b_f)
    o = gate(x @ w_o + h @ u_o + b_o)
    c = f * c + i * act(x @ w_g + h @ u_g + b_g)
    return [o * act(c), c]


def gru(x: Array, states: States, w: Weights, config: dict[str, Any]) -> States:
    """Cho et al. (2014), first version (reset after the product) and last (before it)."""
    act, gate = functions(config)
    (h,) = states
    w_z, w_r, w_n = w.gates("kernel", 3)
    u_z, u_r, u_n = w.gates("recurrent_kernel", 3)
    if config["reset_after"]:
        both = w.gates("bias", 3)  # one row for the inputs, one for the state
        (b_z, d_z), (b_r, d_r), (b_n, d_n) = (b if b.ndim else (b, b) for b in both)
        z = gate(x @ w_z + b_z + h @ u_z + d_z)
        r = gate(x @ w_r + b_r + h @ u_r + d_r)
        n = act(x @ w_n + b_n + r * (h @ u_n + d_n))
    else:
        b_z, b_r, b_n = w.gates("bias", 3)
        z = gate(x @ w_z + h @ u_z + b_z)
        r = gate(x @ w_r + h @ u_r + b_r)
        n = act(x @ w_n + (r * h) @ u_n + b_n)
    return [z * h + (1 - z) * n]


def peephole_lstm(x: Array, states: States, w: Weights, config: dict[str, Any]) -> States:
    """Gers, Schraudolph & Schmidhuber (2002): the output gate peeps at the new cell state."""
    act, gate = functions(config)
    h, old = states
    w_i, w_f, w_g, w_o = w.gates("kernel", 4)
    u_i, u_f, u_g, u_o = w.gates("recurrent_kernel", 4)
    b_i, b_f, b_g, b_o = w.gates("bias", 4)
    p_i, p_f, p_o = w.gates("peephole_kernel", 3)
    i = gate(x @ w_i + h @ u_i + p_i * old + b_i)
    f = gate(x @ w_f + h @ u_f + p_f * old + b_f)
    c = f * old + i * act(x @ w_g + h @ u_g + b_g)
    o = gate(x @ w_o + h @ u_o + p_o * c + b_o)
    return [o * act(c), c]


def coupled_lstm(x: Array, states: States, w: Weights, config: dict[str, Any]) -> States:
    """Greff et al. (2015), CIFG: what is written is what is forgotten."""
    act, gate = functions(config)
    h, c = states
    w_f, w_g, w_o = w.gates("kernel", 3)
    u_f, u_g, u_o = w.gates("recurrent_kernel", 3)
    b_f, b_g, b_o = w.gates("bias", 3)
    f = gate(x @ w_f + h @ u_f + b_f)
    o = gate(x @ w_o + h @ u_o + b_o)
    c = f * c + (1 - f) * act(x @ w_g + h @ u_g + b_g)
    return [o * act(c), c]


def layernorm_lstm(x: Array, states: States, w: Weights, config: dict[str, Any]) -> States:
    """Ba, Kiros & Hinton (2016), equations 20 to 22: each sum normalised over all gates."""
    act, gate = functions(config)
    h, c = states
    inner = layer_norm(h @ w["recurrent_kernel"]) * w["recurrent_gain"]
    inner = inner + layer_norm(x @ w["kernel"]) * w["kernel_gain"] + w["bias"]
    i, f, g, o = np.split(inner, 4, axis=-1)
    c = gate(f) * c + gate(i) * act(g)
    return [gate(o) * act(layer_norm(c) * w["state_gain"] + w["state_shift"]), c]


def layernorm_gru(x: Array, states: States, w: Weights, config: dict[str, Any]) -> States:
    """Ba, Kiros & Hinton (2016), equations 23 to 27: gates together, candidate apart."""
    act, gate = functions(config)
    (h,) = states
    units = h.shape[-1]
    both, last = slice(0, 2 * units), slice(2 * units, None)

    def normed(value: Array, kernel: str, gain: str, part: slice) -> Array:
        return layer_norm(value @ w[kernel][:, part]) * w[gain][part]

    def bias(part: slice) -> Array:
        return w["bias"][part] if w["bias"].ndim else w["bias"]

    gates = normed(h, "recurrent_kernel", "recurrent_gain", both)
    gates = gate(gates + normed(x, "kernel", "kernel_gain", both) + bias(both))
    z, r = np.split(gates, 2, axis=-1)
    inner = normed(h, "recurrent_kernel", "recurrent_gain", last) + w["recurrent_bias"]
    n = act(normed(x, "kernel", "kernel_gain", last) + bias(last) + r * inner)
    return [(1 - z) * h + z * n]


def mgu(x: Array, states: States, w: Weights, config: dict[str, Any]) -> States:
    """Zhou, Wu, Zhang & Zhou (2016)."""
    act, gate = functions(config)
    (h,) = states
    w_f, w_n = w.gates("kernel", 2)
    u_f, u_n = w.gates("recurrent_kernel", 2)
    b_f, b_n = w.gates("bias", 2)
    f = gate(x @ w_f + h @ u_f + b_f)
    n = act(x @ w_n + (f * h) @ u_n + b_n)
    return [(1 - f) * h + f * n]


def janet(x: Array, states: States, w: Weights, config: dict[str, Any]) -> States:
    """van der Westhuizen & Lasenby (2018)."""
    act, gate = functions(config)
    (h,) = states
    w_f, w_n = w.gates("kernel", 2)
    u_f, u_n = w.gates("recurrent_kernel", 2)
    b_f, b_n = w.gates("bias", 2)
    s = x @ w_f + h @ u_f + b_f
    return [gate(s) * h + (1 - gate(s - config["beta"])) * act(x @ w_n + h @ u_n + b_n)]


def ligru(x: Array, states: States, w: Weights, config: dict[str, Any]) -> States:
    """Ravanelli et al. (2018), each gate's inputs layer-normalised instead of batch-normalised."""
    act, gate = functions(config)
    (h,) = states
    w_z, w_n = w.gates("kernel", 2)
    u_z, u_n = w.gates("recurrent_kernel", 2)
    b_z, b_n = w.gates("bias", 2)
    k_z, k_n = w.gates("kernel_gain", 2)
    z = gate(layer_norm(x @ w_z) * k_z + b_z + h @ u_z)
    n = act(layer_norm(x @ w_n) * k_n + b_n + h @ u_n)
    return [z * h + (1 - z) * n]


def indrnn(x: Array, states: States, w: Weights, config: dict[str, Any]) -> States:
    """Li, Li, Cook, Zhu & Gao (2018)."""
    act, _ = functions(config)
    return [act(x @ w["kernel"] + w["recurrent_kernel"] * states[0] + w["bias"])]


def mingru(x: Array, states: States, w: Weights, config: dict[str, Any]) -> States:
    """Feng et al. (2024)."""
    act, sigmoid = functions(config)
    w_z, w_n = w.gates("kernel", 2)
    b_z, b_n = w.gates("bias", 2)
    z = sigmoid(x @ w_z + b_z)
    return [(1 - z) * states[0] + z * act(x @ w_n + b_n)]


def minlstm(x: Array, states: States, w: Weights, config: dict[str, Any]) -> States:
    """Feng et al. (2024), with gates that sum to one."""
    act, sigmoid = functions(config)
    w_f, w_i, w_n = w.gates("kernel", 3)
    b_f, b_i, b_n = w.gates("bias", 3)
    f, i = sigmoid(x @ w_f + b_f), sigmoid(x @ w_i + b_i)
    return [f / (f + i) * states[0] + i / (f + i) * act(x @ w_n + b_n)]


def lru(x: Array, states: States, w: Weights, config: dict[str, Any]) -> States:
    """Orvieto et al. (2023), in complex numbers."""
    eigenvalues = np.exp(-np.exp(w["nu_log"]) + 1j * np.exp(w["theta_log"]))
    inputs = x @ (w["kernel_real"] + 1j * w["kernel_imaginary"])
    s = eigenvalues * (states[0] + 1j * states[1]) + np.exp(w["gamma_log"]) * inputs
    return [s.real, s.imag]


def lru_output(x: Array, states: States, w: Weights) -> Array:
    """The real part of the readout, and the inputs past the recurrence."""
    readout = w["readout_real"] + 1j * w["readout_imaginary"]
    return ((states[0] + 1j * states[1]) @ readout).real + x @ w["skip_kernel"]
