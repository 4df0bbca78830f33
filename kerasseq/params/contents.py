"""The layers and parameters of a model, read from memory or from a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Shape = tuple[int | None, ...]

# How many of the weights of a layer, counted from the last, are never trained.
_UNTRAINED = {"BatchNormalization": 2, "Normalization": 3, "SpectralNormalization": 1}


@dataclass(frozen=True)
class Entry:
    """One layer, with its weights; not those of layers inside it or of entries before it.

    Args:
        layer: Path of the layer: the names of the layers around it and its name, with slashes.
        class_name: Name of its class; empty if the file does not say.
        output: Shape of its output, or a shape per output; None if it is unknown.
        weights: Shape of each weight.
        params: Number of elements of the weights.
        trainable: Number of elements that training changes; None if the file does not say.
        bytes: Size of the weights as stored.
        shared: Path of the layer where its shared weights were counted; empty without shared ones.
    """

    layer: str
    class_name: str
    output: Shape | tuple[Shape, ...] | None = None
    weights: tuple[tuple[int, ...], ...] = ()
    params: int = 0
    trainable: int | None = 0
    bytes: int = 0
    shared: str = ""

    @property
    def frozen(self) -> int | None:
        """Number of elements that training does not change; None if the file does not say."""
        return None if self.trainable is None else self.params - self.trainable


@dataclass(frozen=True)
class Contents:
    """The layers and the optimizer of a model.

    Args:
        name: Name and class of the model, or of its file.
        entries: One per layer; their `params` sum to the total.
        optimizer: Number of elements of the optimizer's variables, which are no parameters.
        notes: Remarks on the numbers, for the reader of a report.
    """

    name: str
    entries: tuple[Entry, ...]
    optimizer: int = 0
    notes: tuple[str, ...] = ()


def trained_weights(class_name: str, config: Mapping[str, Any], arrays: Sequence[Any]) -> list[Any]:
    """The weights that training changes in a trainable layer, by the config that was saved.

    Args:
        class_name: Name of its class.
        config: Its config.
        arrays: All its weights, in order.
    """
    last = len(arrays) - _UNTRAINED.get(class_name, 0)
    if any(array.dtype.kind in "iu" for array in arrays[:last]):
        # A quantised layer: integers and their scales are fixed; only a bias is trained.
        has_bias = "use_bias" in config and config["use_bias"]
        return list(arrays[1:2]) if has_bias else []
    return list(arrays[:last])
