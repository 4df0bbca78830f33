"""The types of what runs of captioning save, against which their files are checked."""

from __future__ import annotations

from typing import Annotated, NotRequired, TypedDict

import numpy as np

from kerasseq.data.tokenizer import EarlierCaptionWords, TokenizerState
from kerasseq.schema import Array, Length, Limits

__all__ = ["CaptionMetrics", "CaptionState"]

_Features = Annotated[np.ndarray, Array("f", 1)]
_Pixels = Annotated[int, Limits(least=1, most=2**14)]  # height and width of pictures


class _Network(TypedDict):
    name: str
    size: _Pixels


class _Facts(TypedDict):
    words: Annotated[int, Limits(least=4)]
    seen: Annotated[list[Annotated[int, Limits(least=1)]], Length(1, 3)]
    network: _Network | None
    timesteps: NotRequired[Annotated[float, Limits(least=0)]]  # earlier runs do without


class _Sight(TypedDict):
    """A frozen network, see `kerasseq.tasks.captioning.sight.Sight`."""

    network: str
    size: _Pixels
    grid: bool
    key: str
    weights: list[Annotated[np.ndarray, Array("f")]]


class _Scaling(TypedDict):
    mean: _Features
    deviation: Annotated[np.ndarray, Array("f", 1, above=0)]


class _Shown(TypedDict, total=False):
    """Pictures for plots, and of the first few what is seen in them; both or none."""

    pictures: Annotated[np.ndarray, Array("u", 4)]
    seen: Annotated[np.ndarray, Array("fiu")]


class CaptionState(TypedDict):
    """The state of the preprocessing."""

    facts: _Facts
    words: EarlierCaptionWords | TokenizerState
    known: Annotated[np.ndarray, Array("u", 1)]
    sight: _Sight | None
    scaling: _Scaling | None
    shown: NotRequired[_Shown]


class _Scores(TypedDict):
    vocabulary: float


class _Example(TypedDict):
    caption: str
    references: list[str]


class CaptionMetrics(TypedDict):
    """The entries of metrics.json beside those of all recipes."""

    test: _Scores
    examples: list[_Example]
