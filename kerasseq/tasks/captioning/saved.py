"""Types of the saved files of captioning runs, against which the files are checked."""

from __future__ import annotations

from typing import Annotated, NotRequired, TypedDict

import numpy as np

from kerasseq.data.tokenizers.tokenizer import EarlierCaptionWords, TokenizerState
from kerasseq.io.schema import Array, Length, Limits
from kerasseq.models.feature_extractor import ExtractorState

__all__ = ["CaptionMetrics", "CaptionState"]

_Features = Annotated[np.ndarray, Array("f", 1)]
_Pixels = Annotated[int, Limits(least=1, most=2**14)]  # height and width of images


class _Network(TypedDict):
    name: str
    size: _Pixels


class _DataInfo(TypedDict):
    words: Annotated[int, Limits(least=4)]
    inputs: Annotated[list[Annotated[int, Limits(least=1)]], Length(1, 3)]
    network: _Network | None
    timesteps: NotRequired[Annotated[float, Limits(least=0)]]  # missing in earlier runs


class _Scaling(TypedDict):
    mean: _Features
    deviation: Annotated[np.ndarray, Array("f", 1, above=0)]


class _Shown(TypedDict, total=False):
    """Images for plots, and the model inputs of the first few of them; both or none."""

    images: Annotated[np.ndarray, Array("u", 4)]
    inputs: Annotated[np.ndarray, Array("fiu")]


class CaptionState(TypedDict):
    """The state of the preprocessing."""

    data_info: _DataInfo
    words: EarlierCaptionWords | TokenizerState
    known: Annotated[np.ndarray, Array("u", 1)]
    extractor: ExtractorState | None
    scaling: _Scaling | None
    shown: NotRequired[_Shown]


class _Scores(TypedDict):
    vocabulary: float


class _Example(TypedDict):
    caption: str
    references: list[str]


class CaptionMetrics(TypedDict):
    """Entries of metrics.json that only captioning has."""

    test: _Scores
    examples: list[_Example]
