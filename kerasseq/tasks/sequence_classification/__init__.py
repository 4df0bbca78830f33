"""Classification of sequences of numbers: sensors, skeletons, rows of images, sound."""

from __future__ import annotations

from kerasseq.tasks.sequence_classification.run import SequenceRun
from kerasseq.tasks.sequence_classification.task import SequenceClassification

__all__ = ["SequenceClassification", "SequenceRun"]
