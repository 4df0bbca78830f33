"""Settings that recipes share, each declared once.

They are apart from the layers and the training that they configure, because these import a backend,
and the help of a recipe must work without one.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from kerasseq.settings import Choice, Float, Int, setting

if TYPE_CHECKING:
    import keras

    from kerasseq.runs import Run

__all__ = ["BidirectionalSettings", "RecurrentSettings", "TrainingSettings"]


@dataclass(frozen=True, kw_only=True)
class RecurrentSettings:
    """Settings of recurrent layers that read forward in time: cell, width, depth, dropout."""

    cell: str = setting(
        "lstm",
        "name of the recurrent cell; `kerasseq cells` lists them",
        range=Choice(("lstm", "gru", "mgu", "ligru", "mingru")),
    )
    units: int = setting(64, "width of the cell", least=1, range=Int(16, 256, log=True))
    depth: int = setting(1, "number of recurrent layers", least=1, range=Int(1, 3))
    dropout: float = setting(
        0.5,
        "dropout rate of the features before the last layer",
        least=0,
        below=1,
        range=Float(0.0, 0.7),
    )
    recurrent_dropout: float = setting(0.0, "dropout rate of the recurrent state", least=0, below=1)
    zoneout: float = setting(
        0.0, "share of the state that keeps its previous value in training", least=0, below=1
    )

    @property
    def cell_options(self) -> dict[str, Any]:
        """Arguments of `kerasseq.rnn`: `recurrent_dropout` and `zoneout`, each unless it is 0."""
        values = {"recurrent_dropout": self.recurrent_dropout, "zoneout": self.zoneout}
        return {name: value for name, value in values.items() if value}


@dataclass(frozen=True, kw_only=True)
class BidirectionalSettings(RecurrentSettings):
    """Settings of recurrent layers that read forward in time, or in both directions."""

    bidirectional: bool = setting(True, "whether each layer reads in both directions")


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """Settings of the training, and of a run as a whole."""

    epochs: int = setting(30, "largest number of passes over the training data", least=1)
    patience: int = setting(
        2, "number of epochs without improvement after which training stops", least=1
    )
    optimizer: str | keras.optimizers.Optimizer = setting(
        "adam",
        'name of a Keras optimizer, such as "adam", "sgd" or "lion"; "asgd" for SGD whose weights '
        "are averaged from the epoch on in which the validation score stops improving; or an "
        "optimizer, which brings its own learning rate, weight decay, clipping and average",
    )
    learning_rate: float = setting(
        1e-3, "learning rate of the optimizer", above=0, range=Float(1e-4, 1e-2, log=True)
    )
    batch_size: int = setting(
        32, "rows per training step", least=1, range=Choice((16, 32, 64, 128))
    )
    schedule: str | keras.optimizers.schedules.LearningRateSchedule = setting(
        "constant", 'learning rate schedule: "constant", "cosine", or a Keras schedule'
    )
    weight_decay: float | None = setting(
        None, "decoupled weight decay of all weights but biases and gains; None for none", least=0
    )
    clipnorm: float | None = setting(
        1.0, "largest norm of the gradient of all weights together; None for no limit", above=0
    )
    ema_momentum: float | None = setting(
        None,
        "momentum of a moving average of the weights, which is validated and kept in place of the "
        "weights of the last step; None for none",
        above=0,
        below=1,
    )
    final: Literal["train", "validation", "all"] = setting(
        "train",
        'rows that the saved weights learn from: the training part ("train"); training and '
        'validation part ("validation"), or all rows ("all"), refitted for the best number of '
        "epochs; the test scores always come from a model that has not seen the test part",
    )
    seed: int = setting(
        0,
        "seed of all random numbers; on a CPU the same seed gives the same run, bit for bit",
        stage="prepare",
        least=0,
        below=2**32,
    )
    out: str | os.PathLike[str] | None = setting(
        None,
        "folder to write to; after an interruption the same call resumes from it",
        stage="option",
    )
    callbacks: Sequence[keras.callbacks.Callback] = setting(
        (), "further Keras callbacks", stage="option"
    )
    warm_start: Run | str | os.PathLike[str] | Sequence[Run | str | os.PathLike[str]] | None = (
        setting(
            None,
            "an earlier run, or its folder, whose weights are copied; or several, one after the "
            "other",
            stage="option",
        )
    )
    quiet: bool = setting(False, "whether to hide progress", stage="option")
