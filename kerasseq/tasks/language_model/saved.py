"""Types of the saved files of language models, against which the files are checked."""

from __future__ import annotations

from typing import Annotated, TypedDict

from kerasseq.data.text.language_reader import LanguageReaderState
from kerasseq.io.schema import Limits

__all__ = ["LanguageModelMetrics", "LanguageModelState"]

_Least = Annotated[float, Limits(least=0)]


class _DataInfo(TypedDict):
    words: Annotated[int, Limits(least=4)]


class LanguageModelState(TypedDict):
    """The JSON values of the state of a language model."""

    data_info: _DataInfo
    reader: LanguageReaderState
    column: str | None


class LanguageModelMetrics(TypedDict):
    """Entries of metrics.json that only language models have, and scores."""

    test: dict[str, _Least]
    interval: dict[str, tuple[_Least, _Least]]
    baselines: dict[str, dict[str, _Least]]
    unknown: Annotated[float, Limits(least=0, most=1)]
