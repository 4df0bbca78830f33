"""What a model holds, layer by layer, whether it was read from memory or from a file."""

from __future__ import annotations

from dataclasses import dataclass

Shape = tuple[int | None, ...]


@dataclass(frozen=True)
class Entry:
    """One layer, with the weights that it owns itself and that no entry before it has.

    Args:
        layer: Its path: the names of the layers around it and its own, joined by slashes.
        class_name: Its class; empty where a file does not tell.
        output: The shape of its output, where it is known; several for several outputs.
        weights: The shape of each weight.
        params: Their elements.
        trainable: The elements that training changes; None where a file does not tell.
        bytes: What they take as stored.
        shared: The path under which what it shares was counted already.
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
        """The elements that training leaves alone."""
        return None if self.trainable is None else self.params - self.trainable


@dataclass(frozen=True)
class Contents:
    """A model's layers and optimiser.

    Args:
        name: What was read.
        entries: One per layer; their `params` sum to the total.
        optimizer: Elements of the optimiser's variables, which are no parameters.
        notes: What a reader of the numbers should know.
    """

    name: str
    entries: tuple[Entry, ...]
    optimizer: int = 0
    notes: tuple[str, ...] = ()
