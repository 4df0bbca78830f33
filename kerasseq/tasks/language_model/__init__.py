"""Language modelling: the probability of a text, and texts that go on. The task and its Run."""

from __future__ import annotations

from kerasseq.tasks.language_model.run import LanguageModelRun
from kerasseq.tasks.language_model.task import LanguageModelling

__all__ = ["LanguageModelRun", "LanguageModelling"]
