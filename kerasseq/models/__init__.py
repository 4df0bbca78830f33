"""Whole models, heads over layers: one per file, and no data in sight."""

from kerasseq.models.classifier import Classifier

__all__ = ["Classifier"]
