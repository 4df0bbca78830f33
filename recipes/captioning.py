"""Captioning: from images to sentences, beside captions that need no model."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from kerasseq.settings import Choice, Float, Int, doc, setting
from kerasseq.tasks.captioning import Captioning
from kerasseq.tasks.recipe import recipe
from kerasseq.tasks.settings import RecurrentSettings, TrainingSettings

if TYPE_CHECKING:
    import keras
    import pandas as pd

__all__ = ["CaptioningSettings", "captioning"]


@dataclass(frozen=True, kw_only=True)
class CaptioningSettings(RecurrentSettings, TrainingSettings):
    """Train a model that says what is in images, and tell how good it is beside simple baselines.

    Captions are learned and scored in lower case and without punctuation. Images are seen by a
    frozen network, once, and its features are kept on disk; or the network is part of the model.

    Returns:
        A CaptionRun: `predict`, `evaluate`, `save`, `summary`, and the Keras `model` itself.

    Raises:
        ValueError: for data, settings or a folder that cannot be used; it says what to do.
        FileNotFoundError: if there is no such data.

    Example:

    >>> import numpy as np
    >>> run = captioning(epochs=1, units=4, quiet=True)
    >>> run.predict([np.zeros((32, 32, 3), np.uint8)]).columns.tolist()
    ['image', 'caption', 'log_probability']
    """

    data: str | os.PathLike[str] | pd.DataFrame = field(
        default="demo",
        kw_only=False,
        metadata=doc(
            "a folder with images and their captions; a file of captions (a CSV with columns "
            "`image` and `caption`, the token file of Flickr8k or Flickr30k with lists beside it, "
            "COCO's annotations, Karpathy's JSON) or a DataFrame of them; or "
            '"demo", small images that kerasseq draws itself'
        ),
    )
    images: str | os.PathLike[str] | None = setting(
        None,
        "folder of the images; found in or beside `data` where it is not given",
        stage="read",
    )
    captions: str | os.PathLike[str] | None = setting(
        None, "file of captions, where `data` is a folder with several files", stage="read"
    )
    features: str | os.PathLike[str] | None = setting(
        None, "file of features that were computed elsewhere, in place of images", stage="read"
    )
    skip_bad: bool = setting(
        False, "whether images that cannot be read are listed and left out", stage="read"
    )
    encoder: str = setting(
        "auto",
        'any network of `keras.applications`, such as "mobilenet_v2"; "cnn" for a small one that '
        'is trained from the pixels; "auto" takes that for the demo, else mobilenet_v2. Beside '
        "`features`, the network that they are from",
        stage="read",
    )
    weights: str | None = setting(
        "imagenet",
        'weights of the network: "imagenet", which is downloaded once, a file, or None for random '
        "ones",
        stage="read",
    )
    size: int | None = setting(
        None,
        "height and width of the network's input; those that it was made for where it is not given",
        stage="read",
        least=1,
    )
    fine_tune: int = setting(0, "number of the network's last blocks that are trained too", least=0)
    decoder: Literal["auto", "merge", "init", "pre", "par", "attention"] = setting(
        "auto",
        'place where the image comes in: "merge" (after the words), "init" (as first states), '
        '"pre" (as first word), "par" (beside each word), or "attention" (some regions of it, '
        'before each word); "auto" takes that for features of several regions and for the small '
        'network, else "init"',
        range=Choice(("merge", "init", "pre", "par")),
    )
    min_count: int = setting(
        5,
        "number of times that a word must occur in the training captions",
        stage="prepare",
        least=1,
        range=Choice((3, 5, 10)),
    )
    cell: str = "gru"
    units: int = setting(256, range=Int(64, 512, log=True))
    depth: int = setting(1, range=None)
    embedding: int | None = setting(
        None,
        "width of the embedding, and of the layer in which image and words meet; that of the "
        "cell where it is not given",
        least=1,
    )
    tie_embeddings: bool = setting(
        True, "whether the last layer shares its matrix with the embedding"
    )
    dropout: float = 0.5
    embedding_dropout: float = setting(
        0.3, "dropout rate of the embedded words", least=0, below=1, range=Float(0.0, 0.7)
    )
    image_dropout: float = setting(
        0.3,
        "dropout rate of the features of the image",
        least=0,
        below=1,
        range=Float(0.0, 0.7),
    )
    recurrent_dropout: float = 0.0
    zoneout: float = 0.0
    label_smoothing: float = setting(
        0.0,
        "share of the target that goes to all words alike in training",
        least=0,
        below=1,
        range=Float(0.0, 0.2),
    )
    scheduled_sampling: float = setting(
        0.0, "share of the words that are the model's own guesses in training", least=0, most=1
    )
    length: int = setting(
        40, "words of the longest caption to learn from, and to write", stage="prepare", least=1
    )
    beam_width: int = setting(
        3,
        "number of captions that beam search follows; 1 for greedy decoding",
        least=1,
        most=1000,
    )
    length_penalty: float = setting(
        0.7,
        "exponent of the length that divides the log-probability of a caption",
        least=0,
        most=10,
    )
    no_repeat_ngram_size: int = setting(
        0,
        "words of the shortest run that must not come twice in a caption; 0 for any",
        least=0,
        most=1000,
    )
    validation: float | str | os.PathLike[str] | pd.DataFrame = setting(
        0.1,
        "share of the images that decides when to stop, where the data does not tell; or "
        "captions of their own, as `data`",
        stage="split",
        above=0,
        below=1,
        expected="a share above 0 and below 1, the path of captions, or a table of them",
    )
    test: float | str | os.PathLike[str] | pd.DataFrame = setting(
        0.1,
        "share of the images to score on, where the data does not tell; or captions of their "
        "own, whose images leave the other parts",
        stage="split",
        above=0,
        below=1,
        expected="a share above 0 and below 1, the path of captions, or a table of them",
    )
    epochs: int = 12
    patience: int = 3
    learning_rate: float = 2e-3
    batch_size: int = setting(128, "captions per training step", range=Choice((32, 64, 128, 256)))
    schedule: str | keras.optimizers.schedules.LearningRateSchedule = "cosine"


captioning = recipe(CaptioningSettings, Captioning)
