"""Whole models, heads over layers: one per file, and no data in sight."""

from kerasseq.models.classifier import Classifier
from kerasseq.models.forecaster import Forecaster

__all__ = ["Classifier", "Forecaster"]
