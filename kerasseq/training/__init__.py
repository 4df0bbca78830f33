"""Training: config, batches, optimizers, fit, checkpoints, progress, and outputs of a model."""

from kerasseq.io.limits import Damaged
from kerasseq.training.batches import Batches, Examples, Generated, Repeated
from kerasseq.training.checkpoint import read_stamp
from kerasseq.training.config import (
    SETTINGS,
    History,
    StopRule,
    TrainingConfig,
    direction,
    main_logs,
)
from kerasseq.training.fit import FitResult, fit, mean_result
from kerasseq.training.layer_rates import LayerRates
from kerasseq.training.lines import Lines
from kerasseq.training.optimizers import check, setting_to_json
from kerasseq.training.outputs import finite, outputs
from kerasseq.training.retracing import without_retracing_warnings
from kerasseq.training.streams import Streams

__all__ = [
    "SETTINGS",
    "Batches",
    "Damaged",
    "StopRule",
    "Streams",
    "Examples",
    "Generated",
    "LayerRates",
    "Lines",
    "Repeated",
    "History",
    "TrainingConfig",
    "FitResult",
    "check",
    "finite",
    "fit",
    "outputs",
    "read_stamp",
    "setting_to_json",
    "direction",
    "main_logs",
    "mean_result",
    "without_retracing_warnings",
]
