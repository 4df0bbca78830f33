"""Runs: trained models with their preprocessing and scores, in memory and as folders."""

from __future__ import annotations

from kerasseq.runs.claim import claim
from kerasseq.runs.classification import (
    ClassificationMetrics,
    ClassificationRun,
    Unlabelled,
    check_classes,
)
from kerasseq.runs.exported import Standalone
from kerasseq.runs.folder import (
    CHECKPOINT,
    METRICS,
    MODEL,
    RECORD,
    REFIT,
    STATE,
    lock_folder,
    member_checkpoint,
    open_folder,
    tidy,
    versions,
)
from kerasseq.runs.run import Run, load
from kerasseq.runs.scores import LossHistory
from kerasseq.runs.warm_start import copy_weights

__all__ = [
    "CHECKPOINT",
    "METRICS",
    "MODEL",
    "RECORD",
    "REFIT",
    "STATE",
    "ClassificationMetrics",
    "ClassificationRun",
    "LossHistory",
    "Run",
    "Standalone",
    "Unlabelled",
    "check_classes",
    "claim",
    "copy_weights",
    "load",
    "lock_folder",
    "member_checkpoint",
    "open_folder",
    "tidy",
    "versions",
]
