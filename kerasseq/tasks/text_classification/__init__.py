"""Text classification: a recurrent branch and a branch of n-grams."""

from __future__ import annotations

from kerasseq.tasks.text_classification.task import TextClassification

__all__ = ["TextClassification"]
