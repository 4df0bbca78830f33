"""Classification of sequences of numbers: sensors, skeletons, rows of images, sound."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from kerasseq.settings import Choice, Float, Int, doc, setting
from kerasseq.tasks.recipe import recipe
from kerasseq.tasks.sequence_classification import SequenceClassification
from kerasseq.tasks.settings import BidirectionalSettings, TrainingSettings

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

__all__ = ["SequenceClassificationSettings", "sequence_classification"]


@dataclass(frozen=True, kw_only=True)
class SequenceClassificationSettings(BidirectionalSettings, TrainingSettings):
    """Train a recurrent classifier of sequences of numbers, and compare it with simple baselines.

    Sequences have one or several channels and may differ in length: readings of sensors, joints of
    a skeleton, rows of an image, features of sound. Labels that are numbers with a fraction make it
    a regression. The baselines are the majority class; the nearest neighbour under dynamic time
    warping (Sakoe & Chiba 1978, https://doi.org/10.1109/TASSP.1978.1163055); and a linear model on
    summary statistics of each channel.

    Returns:
        A SequenceRun: `predict`, `evaluate`, `stream`, `save`, `summary`, and the Keras `model`
        itself.

    Raises:
        ValueError: if data, settings or the folder cannot be used; it says what to do.
        FileNotFoundError: if the data does not exist.

    Example:

    >>> import numpy as np
    >>> up, down = np.linspace(0, 1, 20), np.linspace(1, 0, 20)
    >>> data = [up, down] * 20, ["up", "down"] * 20
    >>> run = sequence_classification(data, epochs=1, units=4, quiet=True)
    >>> run.predict([up]).columns.tolist()
    ['sequence', 'label', 'down', 'up', 'note']
    """

    data: Any = field(
        default="demo",
        kw_only=False,
        metadata=doc(
            "an array (sequences, timesteps, channels), a list of arrays of unequal length, or a "
            "pair of such sequences and their labels; a long table with a row per timestep, as a "
            "DataFrame or a CSV, TSV, JSON-lines or Parquet file; a .ts or .arff file of the UEA/"
            "UCR archive; an .npz file; a folder, or a zip archive of one, with a file per "
            "sequence (CSV, NPZ, text, skeletons, sound, images) and labels by sub-folder, by "
            '`pattern` or in a column; a table of file names; or "demo", motions of simple bodies'
        ),
    )
    label: str | Sequence[Any] | np.ndarray | None = setting(
        None,
        "name of the column of labels, or a label for each sequence of an array; default: detected",
        stage="read",
        range=None,
    )
    channels: Sequence[str] | None = setting(
        None, "names of the columns of numbers; default: all that are no other column", stage="read"
    )
    sequence: str | None = setting(
        None, "name of the column that tells the sequences apart; default: detected", stage="read"
    )
    step: str | None = setting(
        None,
        "name of the column with the order of the timesteps, numbers or times; default: detected",
        stage="read",
    )
    groups: str | Sequence[Any] | np.ndarray | None = setting(
        None,
        "name of the column of groups, such as subjects or speakers, or a group for each sequence "
        "of an array; a group is never on both sides of a split; default: detected",
        stage="read",
    )
    pattern: str | None = setting(
        None,
        "pattern of the names of files with {label} and perhaps {group}, such as "
        '"a{label}_s{group}_*"; * stands for any text',
        stage="read",
    )
    joints: int | None = setting(
        None,
        "rows of a skeleton file that are one frame, each x, y, z and perhaps a confidence; "
        'default: 20 in files with "skeleton" in their name',
        stage="read",
        least=1,
    )
    rate: float | None = setting(
        None,
        "timesteps per second to resample to, for sound samples per second; default: the rate of "
        "most sequences, where it is known",
        stage="read",
        above=0,
    )
    window: int | None = setting(
        None,
        "timesteps of the windows into which recordings are cut; a window has the most frequent "
        "label of its timesteps, or for a regression their mean; default: whole recordings",
        stage="read",
        least=1,
    )
    stride: int | None = setting(
        None, "timesteps from one window to the next; default: `window`", stage="read", least=1
    )
    image_size: int | None = setting(
        None,
        "height and width in pixels to which images are scaled; default: as they are",
        stage="read",
        least=1,
    )
    encoder: str = setting(
        "cnn",
        'feature extractor of the frames of a video: "cnn", a small network trained with the rest; '
        'or a frozen network of `keras.applications`, such as "mobilenet_v2"',
        stage="read",
    )
    weights: str | None = setting(
        "imagenet",
        'weights of a frozen encoder: "imagenet", which must be in the cache of Keras, a file, or '
        "None for random weights",
        stage="read",
    )
    mel_bins: int = setting(
        40, "bands of the log-mel spectrogram of a sound", stage="read", least=1
    )
    top_db: float | None = setting(
        40.0,
        "decibels below the loudest value of a sound at which its spectrogram is cut off, so that "
        "the noise of a microphone is not read; None for the whole range, for instance of a stream "
        "whose loudest value is not known yet",
        stage="read",
        above=0,
    )
    target: Literal["auto", "class", "number"] = setting(
        "auto",
        'kind of the labels: "class", or "number" for a regression; "auto": numbers with a '
        "fraction are a regression",
        stage="read",
    )
    cell: str = "gru"
    units: int = 64
    depth: int = setting(2, range=Int(1, 3))
    bidirectional: bool = True
    causal: bool = setting(
        False,
        "whether the model reads no later timestep, so that `run.stream()` can follow a sequence; "
        "it sets bidirectional=False",
        stage="prepare",
    )
    pooling: str = setting(
        "max+mean",
        "pooling of the states over time: last, mean, max or attention, or several joined by +",
        range=Choice(("last", "mean", "max", "attention", "max+mean")),
    )
    convolutions: int = setting(
        2,
        "number of convolutions before the recurrent layers",
        least=0,
        range=Int(0, 3),
    )
    filters: int = setting(64, "width of each convolution", least=1)
    kernel_size: int = setting(5, "timesteps that a convolution reads", least=1)
    convolution_stride: int = setting(
        1, "timesteps between two outputs of a convolution; 2 shortens long sequences", least=1
    )
    frame_features: int = setting(64, 'features of each frame of a video by encoder="cnn"', least=1)
    normalize: Literal["auto", "channel", "sequence", "together"] = setting(
        "auto",
        'scaling of the channels: "channel" by mean and deviation in the training part; "sequence" '
        'after each sequence is centred by its own mean; "together" by one deviation of all '
        'channels; "auto": "together" for skeletons and images, whose channels have one unit, '
        '"sequence" for sounds unless the model is causal, else "channel"',
        stage="prepare",
    )
    differences: bool = setting(
        True,
        "whether differences between successive timesteps are further channels",
        stage="prepare",
        range=Choice((False, True)),
    )
    jitter: float | Literal["auto"] = setting(
        "auto",
        "standard deviation of the noise added in training, in deviations of the channel; "
        '"auto": 0.5 for sounds, of which there are few speakers, else 0.1',
        least=0,
        range=Float(0.0, 0.5),
    )
    scaling: float = setting(
        0.1,
        "standard deviation of the factors of channels in training",
        least=0,
        range=Float(0.0, 0.3),
    )
    time_warp: float = setting(
        0.2, "strength of the warping of time in training", least=0, range=Float(0.0, 0.5)
    )
    cropping: float = setting(
        0.2,
        "largest share of a sequence that is cropped in training",
        least=0,
        below=1,
        range=Float(0.0, 0.5),
    )
    channel_dropout: float = setting(
        0.0,
        "share of the channels that are set to zero in training",
        least=0,
        below=1,
        range=Float(0.0, 0.3),
    )
    dropout: float = 0.5
    recurrent_dropout: float = 0.0
    zoneout: float = 0.0
    validation: float | str | os.PathLike[str] | pd.DataFrame | tuple[Any, Any] = setting(
        0.25,
        "share of the training sequences for validation; or separate sequences, in a form of "
        "`data`",
        stage="split",
        above=0,
        below=1,
        expected="a share above 0 and below 1, or sequences as a path, a table or a pair with "
        "their labels",
    )
    test: float | str | os.PathLike[str] | pd.DataFrame | tuple[Any, Any] = setting(
        0.2,
        "share of the sequences to score on, unless the data has a test part, such as a file "
        "NAME_TEST beside NAME_TRAIN; or separate sequences, in a form of `data`",
        stage="split",
        above=0,
        below=1,
        expected="a share above 0 and below 1, or sequences as a path, a table or a pair with "
        "their labels",
    )
    test_groups: Sequence[str] | Sequence[int] | None = setting(
        None,
        "groups to score on, such as the subjects 2, 4 and 6; default: as `test` says",
        stage="split",
    )
    class_weights: bool = setting(
        False, "whether all classes have the same total weight in training", stage="prepare"
    )
    epochs: int = 100
    patience: int = 20
    final: Literal["train", "validation", "all"] = "validation"
    learning_rate: float = 2e-3
    ema_momentum: float | Literal["auto"] | None = setting(  # type: ignore[assignment]
        "auto",
        "momentum of a moving average of the weights, which is validated and kept in place of the "
        'weights of the last step; None for none; "auto": 0.99 if an epoch has at least 30 steps',
        above=0,
        below=1,
    )
    batch_size: int = setting(32, "sequences per training step")


sequence_classification = recipe(SequenceClassificationSettings, SequenceClassification)
