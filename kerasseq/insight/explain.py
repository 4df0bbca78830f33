"""Which kernel runs each recurrent layer of a model, and why no faster one does."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import keras

from kerasseq import kernels
from kerasseq.formatting.table import Table, Tabular
from kerasseq.insight.timing import timed
from kerasseq.interop import files, inside
from kerasseq.interop.counterparts import Unconvertible, to_kerasseq
from kerasseq.kernels import vendor
from kerasseq.kernels.sequence_call import backend, device
from kerasseq.layers import RNN, Stack

if TYPE_CHECKING:
    import pandas as pd

_KINDS = {keras.layers.LSTM: "lstm", keras.layers.GRU: "gru", keras.layers.SimpleRNN: "simple_rnn"}


@dataclass(frozen=True)
class Explained:
    """The kernel of one recurrent layer, and why no faster one runs it.

    Args:
        layer: Path of the layer in the model.
        cell: Class of its cell.
        kernel: The kernel that runs it in training; `keras` for a layer of Keras.
        device: Device that it runs on.
        reasons: For each faster kernel, the reason why it does not run, and a remedy.
        notes: Calls for which another kernel runs, or how Keras runs a layer of Keras.
    """

    layer: str
    cell: str
    kernel: str
    device: str
    reasons: dict[str, str]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, repr=False)
class Explanation(Tabular):
    """The kernels of a model; prints as a table, and renders as text, JSON, Markdown, LaTeX or CSV.

    Args:
        name: The model.
        layers: One entry for each recurrent layer.
        times: The time of the model and of its conversion, if they were asked for.
    """

    name: str
    layers: tuple[Explained, ...]
    times: tuple[str, ...] = ()

    def table(self) -> Table:
        """One row for each faster kernel of each layer; only the first has the layer's name."""
        return self._table(repeat=False)

    def render(self, format: str = "table", *, width: int | None = None) -> str:
        """Render as text in one of `kerasseq.formatting.table.FORMATS`."""
        if format == "csv":  # programs need every column in every row
            return self._table(repeat=True).csv()
        return super().render(format, width=width)

    def to_frame(self) -> pd.DataFrame:
        """The rows as a pandas DataFrame, with the layer's name in each."""
        return self._table(repeat=True).frame()

    def to_dict(self) -> dict[str, Any]:
        """All fields as JSON values."""
        layers = [{**asdict(layer), "notes": list(layer.notes)} for layer in self.layers]
        return {"name": self.name, "layers": layers, "times": list(self.times)}

    def _table(self, repeat: bool) -> Table:
        rows: list[tuple[Any, ...]] = []
        for layer in self.layers:
            known = (layer.layer, layer.cell, layer.kernel, layer.device)
            for place, reason in enumerate(layer.reasons.items() or [(None, None)]):
                rows.append((*(known if repeat or not place else [None] * 4), *reason))
        notes = [f"{layer.layer}: {note}" for layer in self.layers for note in layer.notes]
        return Table(
            columns=("layer", "cell", "kernel", "device", "faster", "why not"),
            rows=tuple(rows),
            title=self.name,
            notes=(*(notes if self.layers else ["There is no recurrent layer."]), *self.times),
        )


def explain(x: Any, time: bool = False) -> Explanation:
    """Explain which kernel runs each recurrent layer, on which device, and why no faster one does.

    For layers of Keras, the notes say how Keras runs them, and the reasons which kernel would run
    them after `kerasseq.convert`.

    Args:
        x: A Keras model or layer; or the path of a .keras file, of a folder with a model.keras, or
            of a whole model in the HDF5 format of Keras 2 (.h5).
        time: Time a training step and inference of the model, as it is and after
            `kerasseq.convert`, on random data of its shapes.

    Raises:
        TypeError: If `x` is something else.
        ValueError: If the file is damaged or of another kind; or if the model cannot be timed.
        FileNotFoundError: If there is no such file.

    Example:
        >>> import keras, kerasseq
        >>> layer = kerasseq.rnn("mgu", 8, name="mgu")
        >>> explanation = explain(keras.Sequential([keras.Input((5, 3)), layer]))
        >>> [(row.layer, row.cell, row.kernel) for row in explanation.layers]
        [('mgu', 'MGUCell', 'scan')]
        >>> explanation.layers[0].reasons["associative"]
        "MGUCell is of the form 'gated', and only linear cells can"
    """
    if isinstance(x, str | os.PathLike):
        x, _ = files.load(x, "x", compile=False)
    if not isinstance(x, keras.layers.Layer):
        raise TypeError(
            "`explain` takes a Keras model or layer, or the path of a .keras or .h5 file or of a "
            f"run's folder. Received: {x!r} of type {type(x).__name__}"
        )
    explained = [_explain_layer(layer, path) for layer, path in inside.recurrent_layers(x)]
    times = timed(x) if time and explained else []
    return Explanation(f"{x.name} ({type(x).__name__})", tuple(explained), tuple(times))


def _explain_layer(layer: Any, path: str) -> Explained:
    sequences = _symbolic_input(layer)
    device_name = device(sequences)
    cell = type(layer.cell).__name__
    if not isinstance(layer, RNN):
        reasons, keras_notes = _explain_keras_layer(layer, device_name)
        return Explained(path, cell, "keras", device_name, reasons, keras_notes)
    choice = layer.choose(sequences)
    notes = []
    for condition, call in (
        ("with a mask", {"masked": True}),
        ("in inference", {"training": False}),
    ):
        alternative = layer.choose(sequences, **call)
        if alternative.name != choice.name:
            reason = alternative.reasons.get(choice.name)
            notes.append(f"{condition} {alternative.name} runs" + (f": {reason}" if reason else ""))
    return Explained(path, cell, choice.name, device_name, dict(choice.reasons), tuple(notes))


def _symbolic_input(layer: Any) -> Any:
    """The symbolic input of the layer; None if there is none, or several."""
    try:
        inputs = keras.tree.flatten(layer.input)
    except (AttributeError, ValueError):
        return None
    return inputs[0] if len(inputs[0].shape) == 3 else None


# Layers of Keras


def _explain_keras_layer(layer: Any, device_name: str) -> tuple[dict[str, str], tuple[str, ...]]:
    """Reasons and notes for a layer of Keras."""
    context = kernels.CallContext(backend(), 1, device=device_name, training=True)
    path = _describe_keras(layer, device_name)
    try:
        counterpart = to_kerasseq(layer)
    except Unconvertible as error:
        choice = kernels.choose(layer.cell, context)
        return choice.reasons, (path, f"kerasseq.convert leaves it as it is: {error}")
    is_stack = isinstance(counterpart, Stack)
    ours = kernels.choose((counterpart.levels[0] if is_stack else counterpart).cell, context)
    if "cuDNN" in path and ours.name in ("cudnn", "fused"):
        return {}, (path,)
    if ours.name == "keras":
        return ours.reasons, (path,)
    name = f"keras.layers.{type(layer).__name__}"
    remedy = f"kerasseq.convert(model) gives kerasseq.layers.{type(counterpart).__name__}"
    reason = f"{name} takes the path of Keras; {remedy}, with the same weights"
    return {**ours.reasons, ours.name: reason}, (path,)


def _describe_keras(layer: Any, device_name: str) -> str:
    """How Keras runs the layer, as observed with Keras 3.15."""
    kind = _KINDS.get(type(layer))
    each = "Keras projects the inputs at every step"
    once = "Keras projects the inputs once"
    if kind not in ("lstm", "gru") or _uses_generic_loop(layer):
        return f"{each}, in a loop" if backend() != "torch" else f"{each}, in a Python loop"
    after = getattr(layer.cell, "reset_after", True)
    has_cudnn = device_name == "gpu" and (backend(), kind) != ("jax", "gru")
    if has_cudnn and after and _is_cudnn_compatible(layer):
        masks = "" if backend() == "tensorflow" else ", without a mask; with one it loops"
        return f"Keras calls cuDNN{masks}"
    if backend() == "torch" and after:
        return f"{once}, in a Python loop; with a mask at every step"
    if backend() == "jax" and kind == "gru" and after:
        return f"{once}, in a loop; with a mask at every step"
    return f"{each}, in a loop"


def _uses_generic_loop(layer: Any) -> bool:
    """Whether an option of the layer makes Keras use its generic loop."""
    return bool(layer.cell.recurrent_dropout) or layer.use_cudnn is False


def _is_cudnn_compatible(layer: Any) -> bool:
    """Whether cuDNN supports the options of the layer."""
    cell = layer.cell
    activations = [vendor.activation(f) for f in (cell.activation, cell.recurrent_activation)]
    return activations == ["tanh", "sigmoid"] and cell.use_bias and not layer.unroll
