"""Types of the saved files of captioning runs, against which the files are checked."""

from __future__ import annotations

from typing import Annotated, NotRequired, Required, TypedDict

import numpy as np

from kerasseq.data.tokenizers.tokenizer import EarlierCaptionWords, TokenizerState
from kerasseq.io.schema import Array, Length, Limits
from kerasseq.models.feature_extractor import ExtractorState
from kerasseq.runs.scores import Averages, Interval, NotNegative, Share

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


class _Similarities(TypedDict, total=False):
    """Scores of captions; a baseline has no perplexity."""

    bleu_1: NotNegative
    bleu_2: NotNegative
    bleu_3: NotNegative
    bleu_4: NotNegative
    chrf: NotNegative
    rouge_l: NotNegative
    cider: NotNegative
    exact: Share
    new: Share
    vocabulary: Required[NotNegative]


class _Example(TypedDict):
    caption: str
    references: list[str]


class _CaptionMetrics(TypedDict):
    """Entries of metrics.json that only captioning has, and scores."""

    test: _Similarities
    interval: dict[str, Interval]
    baselines: dict[str, _Similarities]
    examples: list[_Example]


#: The type of metrics.json of captioning; BLEU is no average.
CaptionMetrics = Annotated[
    _CaptionMetrics, Averages("rouge_l", "cider", "exact", "new", "perplexity", always=True)
]
