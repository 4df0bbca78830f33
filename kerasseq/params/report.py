"""Report of the parameters of a whole model, layer by layer."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import Any

from kerasseq.formatting.table import Table, Tabular
from kerasseq.io.paths import user_path
from kerasseq.params import live
from kerasseq.params.contents import Contents, Entry


@dataclass(frozen=True, repr=False)
class Report(Tabular):
    """The parameters of a model, one entry per layer.

    Args:
        contents: The layers that were read from the model or file.

    Example:
        >>> import keras
        >>> dense = keras.layers.Dense(2)
        >>> dense.build((None, 3))
        >>> report(dense).total
        8
    """

    contents: Contents

    @property
    def entries(self) -> tuple[Entry, ...]:
        """One entry per layer; the layers inside a layer follow it."""
        return self.contents.entries

    @property
    def total(self) -> int:
        """Number of parameters, without the optimizer's variables."""
        return sum(entry.params for entry in self.entries)

    @property
    def trainable(self) -> int | None:
        """Number of parameters that training changes; None if the file does not say."""
        known = [entry.trainable for entry in self.entries if entry.trainable is not None]
        return sum(known) if len(known) == len(self.entries) else None

    @property
    def frozen(self) -> int | None:
        """Number of parameters that training does not change; None if the file does not say."""
        return None if self.trainable is None else self.total - self.trainable

    @property
    def optimizer(self) -> int:
        """Number of elements of the optimizer's variables."""
        return self.contents.optimizer

    @property
    def bytes(self) -> int:
        """Size of the parameters in bytes, as stored."""
        return sum(entry.bytes for entry in self.entries)

    def table(self) -> Table:
        """One row per layer, and their total."""
        knows_trainable = self.trainable is not None
        has_outputs = any(entry.output is not None for entry in self.entries)
        rows: list[dict[str, Any]] = []
        for entry in self.entries:
            row: dict[str, Any] = {"layer": entry.layer, "class": entry.class_name}
            if has_outputs:
                row["output"] = entry.output
            row["weights"] = _weights(entry)
            if knows_trainable:
                row |= {"trainable": entry.trainable, "frozen": entry.frozen}
            rows.append({**row, "params": entry.params})
        total: dict[str, Any] = {"layer": "total", "params": self.total}
        if knows_trainable:
            total |= {"trainable": self.trainable, "frozen": self.frozen}
        columns = (
            *("layer", "class"),
            *(["output"] if has_outputs else []),
            "weights",
            *(["trainable", "frozen"] if knows_trainable else []),
            "params",
        )
        return Table(
            columns=columns,
            rows=tuple(tuple(row[name] for name in columns) for row in rows),
            title=self.contents.name,
            total=tuple(total.get(name) for name in columns),
            notes=(*self._notes(), *self.contents.notes),
        )

    def to_dict(self) -> dict[str, Any]:
        """All values as types that JSON has."""
        return {
            "name": self.contents.name,
            "total": self.total,
            "trainable": self.trainable,
            "frozen": self.frozen,
            "optimizer": self.optimizer,
            "bytes": self.bytes,
            "layers": [{**asdict(entry), "frozen": entry.frozen} for entry in self.entries],
            "notes": list(self.contents.notes),
        }

    def _notes(self) -> list[str]:
        notes = [f"parameters: {self.total:,} ({self.bytes:,} bytes)"]
        if self.trainable is not None:
            notes.append(f"trainable: {self.trainable:,}, frozen: {self.frozen:,}")
        if self.optimizer:
            notes.append(f"optimizer variables (not parameters): {self.optimizer:,}")
        return notes


def report(x: Any) -> Report:
    """The parameters of a model, layer by layer, opened inside Bidirectional, RNN and stacks.

    Args:
        x: A built Keras model or layer; or the path of a .keras or .weights.h5 file, of a folder
            with a model.keras, of an .h5 file of Keras 2, or of a .safetensors file of PyTorch,
            which are read without loading a backend.

    Raises:
        TypeError: If it is something else.
        ValueError: If the model is not built, or the file is damaged or another kind of file.
        FileNotFoundError: If there is no such file.

    Example:
        >>> import keras
        >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="head")])
        >>> print(report(model).table().markdown())  # doctest: +ELLIPSIS
        sequential... (Sequential)
        <BLANKLINE>
        | layer | class | output | weights | trainable | frozen | params |
        | --- | --- | --- | --- | ---: | ---: | ---: |
        | head | Dense | (None, 2) | (3, 2) (2,) | 8 | 0 | 8 |
        | total |  |  |  | 8 | 0 | 8 |
        <BLANKLINE>
        parameters: 8 (32 bytes)
        <BLANKLINE>
        trainable: 8, frozen: 0
    """
    if isinstance(x, str | os.PathLike):
        from kerasseq.params import archive  # imported only to read files

        return Report(archive.read(user_path(x, "x")))
    return Report(live.read(x))


def _weights(entry: Entry) -> Any:
    """The shapes of the weights, or the layer that they are shared with."""
    if not entry.shared:
        return entry.weights
    shapes = " ".join(str(shape) for shape in entry.weights)
    return f"{shapes} shared with {entry.shared}".strip()
