"""Types of the saved files of language models, against which the files are checked."""

from __future__ import annotations

from typing import Annotated, TypedDict

from kerasseq.data.text.language_reader import LanguageReaderState
from kerasseq.io.schema import Limits
from kerasseq.runs.scores import Averages, NotNegative, NotNegativeInterval

__all__ = ["LanguageModelMetrics", "LanguageModelState"]


class _DataInfo(TypedDict):
    words: Annotated[int, Limits(least=4)]


class LanguageModelState(TypedDict):
    """The JSON values of the state of a language model."""

    data_info: _DataInfo
    reader: LanguageReaderState
    column: str | None


class _LanguageModelMetrics(TypedDict):
    """Entries of metrics.json that only language models have, and scores."""

    test: dict[str, NotNegative]
    interval: dict[str, NotNegativeInterval]
    baselines: dict[str, dict[str, NotNegative]]
    unknown: Annotated[float, Limits(least=0, most=1)]


#: The type of metrics.json of language models; a short text has no intervals.
LanguageModelMetrics = Annotated[_LanguageModelMetrics, Averages()]
