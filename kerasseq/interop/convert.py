"""The same model on the layers of kerasseq, or of Keras."""

from __future__ import annotations

import os
import warnings
from dataclasses import asdict, dataclass
from typing import Any

import keras

from kerasseq.formatting.table import Table, Tabular
from kerasseq.interop import inside
from kerasseq.interop.copying import ModelCopy
from kerasseq.interop.counterparts import is_of_kerasseq, to_keras, to_kerasseq
from kerasseq.interop.files import load
from kerasseq.io import atomic, paths
from kerasseq.layers import RNN

__all__ = ["Conversion", "Converted", "conversion", "convert", "convert_file"]


@dataclass(frozen=True)
class Converted:
    """One recurrent layer of a model before and after.

    Args:
        layer: Path of the layer in the model.
        before: Its class.
        after: Class of its counterpart; the same class if it has none.
        kernel: The kernel that runs it now; `keras` for a layer of Keras.
        reason: Why it has no counterpart; "" if it has one.
    """

    layer: str
    before: str
    after: str
    kernel: str
    reason: str = ""


@dataclass(frozen=True, repr=False)
class Conversion(Tabular):
    """A converted model with a report of its layers; prints as a table.

    Args:
        name: The model, or its file.
        model: The converted model.
        layers: One entry for each recurrent layer.
        notes: Remarks on other layers, on the compile state and on an old file.
    """

    name: str
    model: Any
    layers: tuple[Converted, ...]
    notes: tuple[str, ...] = ()

    def table(self) -> Table:
        """One row for each recurrent layer."""
        return Table(
            columns=("layer", "before", "after", "kernel", "why not"),
            rows=tuple(tuple(asdict(layer).values()) for layer in self.layers),
            title=self.name,
            notes=self.notes,
        )

    def to_dict(self) -> dict[str, Any]:
        """All fields but the model as JSON values."""
        layers = [asdict(layer) for layer in self.layers]
        return {"name": self.name, "layers": layers, "notes": list(self.notes)}

    @property
    def remarks(self) -> list[str]:
        """One sentence for each layer that was not converted, and the notes."""
        kept = [layer for layer in self.layers if layer.reason]
        return [f"{row.layer} was not converted: {row.reason}" for row in kept] + [*self.notes]


def convert(model: Any, back: bool = False) -> Any:
    """Give the same model on the layers of kerasseq: one line that makes a Keras model faster.

    The recurrent layers of `keras.layers` are replaced, wherever they are: in Sequential,
    functional and nested models, shared, in `TimeDistributed` and `Bidirectional`, as stacked
    cells, in `keras.layers.RNN`, and in the attributes of layers and models of other classes. The
    new model has the same weights, names, outputs and gradients, and the compile state with that of
    the optimizer. The model that was passed does not change.

    A warning lists what could not be converted, with the reasons; `kerasseq.explain` tells of each
    layer, too.

    Args:
        model: A Keras model or layer; or the path of a .keras file, of a folder with a model.keras,
            or of a whole model that Keras 2 saved (.h5, or .keras).
        back: Give plain `keras.layers` for those of kerasseq instead.

    Returns:
        The new model.

    Raises:
        TypeError: If `model` is something else.
        ValueError: If it has no recurrent layer, is of a class that cannot be created from its
            config, or is a file that is damaged or of another kind.
        FileNotFoundError: If there is no such file.

    Example:
        >>> import keras, kerasseq
        >>> reader = keras.layers.Bidirectional(keras.layers.LSTM(8), name="reader")
        >>> model = keras.Sequential([keras.Input((5, 3)), reader, keras.layers.Dense(1)])
        >>> faster = convert(model)
        >>> type(faster.get_layer("reader").forward_layer).__module__.partition(".")[0]
        'kerasseq'
        >>> plain = convert(faster, back=True)
        >>> type(plain.get_layer("reader").forward_layer).__module__.partition(".")[0]
        'keras'
    """
    result = conversion(model, back)
    if result.remarks:
        warnings.warn("; ".join(result.remarks), stacklevel=2)
    return result.model


def conversion(model: Any, back: bool = False) -> Conversion:
    """Convert as `convert` does, and tell of each recurrent layer instead of warning.

    Args:
        model: See `convert`.
        back: See `convert`.

    Example:
        >>> import keras
        >>> model = keras.Sequential([keras.Input((5, 3)), keras.layers.GRU(4, name="a")])
        >>> done = conversion(model)
        >>> [(row.layer, row.before, row.reason) for row in done.layers]
        [('a', 'keras.layers.GRU', '')]
    """
    if not isinstance(back, bool):
        raise TypeError(f"`back` must be True or False. Received: back={back!r}")
    notes: list[str] = []
    name = ""
    if isinstance(model, str | os.PathLike):
        name = str(model)
        model, notes = load(model, "model")
    if not isinstance(model, keras.layers.Layer):
        raise TypeError(
            "`model` must be a Keras model or layer, or the path of a .keras or .h5 file. "
            f"Received: {model!r} of type {type(model).__name__}"
        )
    if not any(True for _ in inside.recurrent_layers(model)):
        raise ValueError(
            f"`model` must have a recurrent layer, and the model '{model.name}' has none, so that "
            "there is nothing to convert."
        )
    copy = ModelCopy(model, to_keras if back else to_kerasseq)
    rows = [
        *(
            Converted(path, _class(old), _class(new), _kernels(new))
            for path, old, new in copy.replaced
            if is_of_kerasseq(new) != is_of_kerasseq(old)
        ),
        *(
            Converted(path, _class(layer), _class(layer), _kernels(layer), reason)
            for path, layer, reason in copy.kept
        ),
    ]
    if not rows:
        notes.append(f"All recurrent layers are of {'keras' if back else 'kerasseq'} already")
    name = name or f"{model.name} ({type(model).__name__})"
    return Conversion(name, copy.result, tuple(rows), (*notes, *copy.notes))


def convert_file(
    old: str | os.PathLike[str],
    new: str | os.PathLike[str],
    back: bool = False,
    overwrite: bool = False,
) -> Conversion:
    """Convert a saved model and save the result, as a whole or not at all.

    Args:
        old: The file to convert; see `convert`.
        new: The .keras file to write.
        back: See `convert`.
        overwrite: Whether `new` may be replaced.

    Raises:
        ValueError: If `new` is no .keras file, or is there already.

    Example:
        >>> import keras
        >>> keras.Sequential([keras.Input((5, 3)), keras.layers.GRU(4)]).save("old.keras")
        >>> convert_file("old.keras", "new.keras").layers[0].after
        'kerasseq.layers.GRU'
    """
    path = paths.output_file(new, "new")
    if path.suffix != ".keras":
        raise ValueError(f"`new` must be a .keras file. Received: new={path}")
    if path.exists() and not overwrite:
        raise ValueError(f"`new` is there already: {path}. Pass overwrite=True (--overwrite).")
    done = conversion(os.fspath(old), back)
    with atomic.replacing(path) as temporary:
        done.model.save(temporary)
    return done


def _class(layer: Any) -> str:
    """Module and name of a class, as users import it."""
    package = type(layer).__module__.partition(".")[0]
    module = f"{package}.layers" if package in ("keras", "kerasseq") else type(layer).__module__
    return f"{module}.{type(layer).__name__}"


def _kernels(layer: Any) -> str:
    """The kernels that run a layer in training, or the recurrent layers inside it."""
    inner = [each for each, _ in inside.recurrent_layers(layer)]
    names = [each.choose().name if isinstance(each, RNN) else "keras" for each in inner]
    return ", ".join(dict.fromkeys(names))
