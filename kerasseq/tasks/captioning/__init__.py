"""Image captioning: the task and its Run."""

from __future__ import annotations

from kerasseq.tasks.captioning.run import CaptionRun
from kerasseq.tasks.captioning.task import Captioning

__all__ = ["CaptionRun", "Captioning"]
