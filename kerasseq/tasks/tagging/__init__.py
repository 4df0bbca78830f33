"""Tagging: a label for every token. The task and its Run."""

from __future__ import annotations

from kerasseq.tasks.tagging.run import TaggingRun
from kerasseq.tasks.tagging.task import Tagging

__all__ = ["Tagging", "TaggingRun"]
