"""Which kernel runs each recurrent layer of a model, and why no faster one does."""

from __future__ import annotations

import os
import warnings
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras

from kerasseq import cells, kernels
from kerasseq.formatting.table import Table, Tabular
from kerasseq.io import atomic, paths
from kerasseq.kernels import vendor
from kerasseq.kernels.sequence_call import backend, device
from kerasseq.layers import RNN

if TYPE_CHECKING:
    import pandas as pd

_KINDS = {keras.layers.LSTM: "lstm", keras.layers.GRU: "gru", keras.layers.SimpleRNN: "simple_rnn"}
_LONG = 400  # letters of an error
_OPTIONS = ("activation", "recurrent_activation", "use_bias", "reset_after", "recurrent_dropout")


@dataclass(frozen=True)
class Explained:
    """What runs one recurrent layer.

    Args:
        layer: Where it stands in the model.
        cell: Class of its cell.
        kernel: The kernel that runs it in training, `keras` for a layer of Keras.
        device: Where it runs.
        reasons: For each faster kernel, why it does not, and what to do.
        notes: When another kernel runs, or what Keras does in a layer of its own.
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
    """

    name: str
    layers: tuple[Explained, ...]

    def table(self) -> Table:
        """One row for each faster kernel of each layer, whose name stands in the first alone."""
        return self._table(repeat=False)

    def render(self, format: str = "table", *, width: int | None = None) -> str:
        """The whole as text in one of `kerasseq.formatting.table.FORMATS`."""
        if format == "csv":  # which no eye reads, but a program
            return self._table(repeat=True).csv()
        return super().render(format, width=width)

    def to_frame(self) -> pd.DataFrame:
        """The rows as a pandas DataFrame."""
        return self._table(repeat=True).frame()

    def to_dict(self) -> dict[str, Any]:
        """Everything, in types that JSON knows."""
        layers = [{**asdict(layer), "notes": list(layer.notes)} for layer in self.layers]
        return {"name": self.name, "layers": layers}

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
            notes=tuple(notes if self.layers else ["There is no recurrent layer."]),
        )


def explain(x: Any) -> Explanation:
    """Which kernel runs each recurrent layer, on which device, and why no faster one does.

    Layers of Keras are told of too: what Keras does in them, and what kerasseq would do.

    Args:
        x: A Keras model or layer; or the path of a .keras file, or of a folder with a model.keras.

    Raises:
        TypeError: If it is something else.
        ValueError: If the file is damaged or another kind of file.
        FileNotFoundError: If there is no such file.

    Example:
        >>> import keras, kerasseq
        >>> layer = kerasseq.rnn("mgu", 8, name="mgu")
        >>> found = explain(keras.Sequential([keras.Input((5, 3)), layer]))
        >>> [(row.layer, row.cell, row.kernel) for row in found.layers]
        [('mgu', 'MGUCell', 'scan')]
        >>> found.layers[0].reasons["associative"]
        "MGUCell is of the form 'gated', and only linear cells can"
    """
    if isinstance(x, str | os.PathLike):
        x = _loaded(paths.user_path(x, "x"))
    if not isinstance(x, keras.layers.Layer):
        raise TypeError(
            "`explain` takes a Keras model or layer, or the path of a .keras file or of a run's "
            f"folder. Received: {x!r} of type {type(x).__name__}"
        )
    found = [_explained(layer, path) for layer, path in _recurrent(x, "", set())]
    return Explanation(f"{x.name} ({type(x).__name__})", tuple(found))


def _loaded(path: Path) -> Any:
    atomic.finish(path)
    file = path / "model.keras" if path.is_dir() else path
    if not file.is_file():
        found = f"The folder '{path}' holds no model.keras." if path.is_dir() else ""
        raise FileNotFoundError(found or f"There is no file '{path}'.")
    if file.suffix != ".keras":
        raise ValueError(f"'{file}' is no .keras file: only these hold the layers of a model.")
    if not zipfile.is_zipfile(file):
        raise ValueError(f"'{file}' is no Keras model, or damaged: restore it from a copy.")
    try:
        return keras.saving.load_model(file, compile=False)
    except Exception as error:  # Keras and its backend have none of their own for such a file
        reason = " ".join(str(error).split()) or type(error).__name__
        if len(reason) > _LONG:  # a whole config, with the cause at either end
            reason = f"{reason[: _LONG // 2]} ... {reason[-_LONG // 2 :]}"
        raise ValueError(f"'{file}' cannot be loaded: {reason}") from error


def _recurrent(layer: Any, path: str, seen: set[int]) -> Iterator[tuple[Any, str]]:
    """Every recurrent layer inside, once, with its path; that of a model begins in it."""
    if id(layer) in seen:
        return
    seen.add(id(layer))
    if isinstance(layer, keras.layers.RNN):
        yield layer, path or layer.name
        return
    if isinstance(layer, keras.Model):
        inside = layer.layers
    else:
        path = path or layer.name
        inside = _held(layer)
    for child in inside:
        yield from _recurrent(child, f"{path}/{child.name}".lstrip("/"), seen)


def _held(layer: Any) -> list[Any]:
    """The layers that attributes lead to, in the order in which they were built."""
    held = []
    public = {name for name in dir(layer) if not name.startswith("_")}
    for name in public | {*vars(layer)}:
        if hasattr(keras.layers.Layer, name):
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of attributes that are on their way out
            try:
                values = keras.tree.flatten(getattr(layer, name))
            except Exception:  # a property may refuse, in any way it likes
                continue
        held += [value for value in values if isinstance(value, keras.layers.Layer)]
    places = {id(weight): place for place, weight in enumerate(layer.weights)}
    return sorted(
        held, key=lambda child: min((places.get(id(w), 0) for w in child.weights), default=0)
    )


def _explained(layer: Any, path: str) -> Explained:
    sequences = _sequences(layer)
    shown = device(sequences)
    cell = type(layer.cell).__name__
    if not isinstance(layer, RNN):
        return Explained(path, cell, "keras", shown, *_of_keras(layer, shown))
    choice = layer.choose(sequences)
    notes = []
    for told, call in (
        ("with a mask", {"masked": True}),
        ("in inference", {"training": False}),
    ):
        other = layer.choose(sequences, **call)
        if other.name != choice.name:
            why = other.reasons.get(choice.name)
            notes.append(f"{told} {other.name} runs" + (f": {why}" if why else ""))
    return Explained(path, cell, choice.name, shown, dict(choice.reasons), tuple(notes))


def _sequences(layer: Any) -> Any:
    """What the layer was called on, where it was called once and symbolically."""
    try:
        inputs = keras.tree.flatten(layer.input)
    except (AttributeError, ValueError):
        return None
    return inputs[0] if len(inputs[0].shape) == 3 else None


# Layers of Keras


def _of_keras(layer: Any, shown: str) -> tuple[dict[str, str], tuple[str, ...]]:
    """The reasons and the notes of a layer that Keras runs."""
    kind = _KINDS.get(type(layer))
    name = f"keras.layers.{type(layer).__name__}"
    if kind is not None:
        options = {key: getattr(layer.cell, key) for key in _OPTIONS if hasattr(layer.cell, key)}
        # As a layer of Keras draws it: a new mask at every step.
        cell = cells.get(kind)(layer.cell.units, variational=False, **options)
        remedy = f"kerasseq.{kind}({layer.cell.units}, ...) takes the same weights"
    elif isinstance(layer.cell, cells.Cell):
        cell, remedy = layer.cell, "kerasseq.rnn(cell, ...) runs it"
    else:
        known = kernels.choose(layer.cell, kernels.CallContext(backend(), 1, device=shown))
        return known.reasons, (_path(layer, shown),)
    ours = kernels.choose(cell, kernels.CallContext(backend(), 1, device=shown, training=True))
    path = _path(layer, shown)
    if "cuDNN" in path and ours.name in ("cudnn", "fused"):
        return {}, (path,)
    if ours.name == "keras":
        return ours.reasons, (path,)
    return {**ours.reasons, ours.name: f"{name} takes the path of Keras; {remedy}"}, (path,)


def _path(layer: Any, shown: str) -> str:
    """What Keras does: checked by running it, release 3.15."""
    kind = _KINDS.get(type(layer))
    each = "Keras projects the inputs at every step"
    once = "Keras projects the inputs once"
    if kind not in ("lstm", "gru") or _barred(layer):
        return f"{each}, in a loop" if backend() != "torch" else f"{each}, in a Python loop"
    after = getattr(layer.cell, "reset_after", True)
    if shown == "gpu" and after and _standard(layer) and (backend(), kind) != ("jax", "gru"):
        masks = "" if backend() == "tensorflow" else ", without a mask; with one it loops"
        return f"Keras calls cuDNN{masks}"
    if backend() == "torch" and after:
        return f"{once}, in a Python loop; with a mask at every step"
    if backend() == "jax" and kind == "gru" and after:
        return f"{once}, in a loop; with a mask at every step"
    return f"{each}, in a loop"


def _barred(layer: Any) -> bool:
    """Whether Keras takes its generic loop by an option of the layer."""
    return bool(layer.cell.recurrent_dropout) or layer.use_cudnn is False


def _standard(layer: Any) -> bool:
    """Whether cuDNN computes it."""
    cell = layer.cell
    used = [vendor.activation(f) for f in (cell.activation, cell.recurrent_activation)]
    return used == ["tanh", "sigmoid"] and cell.use_bias and not layer.unroll
