"""Captioning: from images to sentences, compared with baseline captions."""

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
    """Train a model that captions images, and compare it with simple baselines.

    Captions are learned and scored in lower case and without punctuation. A frozen network computes
    the features of each image once, and they are cached on disk; or the network is trained as part
    of the model.

    Returns:
        A CaptionRun: `predict`, `evaluate`, `save`, `summary`, and the Keras `model` itself.

    Raises:
        ValueError: if data, settings or the folder cannot be used; it says what to do.
        FileNotFoundError: if the data does not exist.

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
        "folder of the images; default: in or beside `data`",
        stage="read",
    )
    captions: str | os.PathLike[str] | None = setting(
        None, "file of captions, if `data` is a folder with several files", stage="read"
    )
    features: str | os.PathLike[str] | None = setting(
        None, "file of precomputed image features, in place of images", stage="read"
    )
    skip_bad: bool = setting(
        False,
        "whether to list and skip images that cannot be read, in place of an error",
        stage="read",
    )
    encoder: str = setting(
        "auto",
        'image feature extractor: a network of `keras.applications`, such as "mobilenet_v2"; '
        '"cnn", a small network trained from scratch; "auto": "cnn" for the demo, else '
        "mobilenet_v2. With `features`, the network that computed them",
        stage="read",
    )
    weights: str | None = setting(
        "imagenet",
        'weights of the encoder: "imagenet", which is downloaded once, a file, or None for random '
        "weights",
        stage="read",
    )
    size: int | None = setting(
        None,
        "height and width of the images, in pixels; default: the original size of the encoder",
        stage="read",
        least=1,
    )
    fine_tune: int = setting(
        0, "number of the last blocks of the encoder that are trained", least=0
    )
    decoder: Literal["auto", "merge", "init", "pre", "par", "attention"] = setting(
        "auto",
        'where the image enters: "merge" (after the recurrent layer), "init" (initial states), '
        '"pre" (first word), "par" (with each word), or "attention" (over image regions, before '
        'each word); "auto": "attention" for features of several regions and for the small '
        'network, else "init"',
        range=Choice(("merge", "init", "pre", "par")),
    )
    min_count: int = setting(
        5,
        "least number of occurrences of a word in the training captions",
        stage="prepare",
        least=1,
        range=Choice((3, 5, 10)),
    )
    cell: str = "gru"
    units: int = setting(256, range=Int(64, 512, log=True))
    depth: int = setting(1, range=None)
    embedding: int | None = setting(
        None,
        "width of the embedding, and of the layer that joins image and words; default: `units`",
        least=1,
    )
    tie_embeddings: bool = setting(
        True, "whether the output layer shares its matrix with the embedding"
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
        "label smoothing: share of the target probability that is spread over all words",
        least=0,
        below=1,
        range=Float(0.0, 0.2),
    )
    scheduled_sampling: float = setting(
        0.0,
        "scheduled sampling: share of input words that are the model's predictions in training",
        least=0,
        most=1,
    )
    length: int = setting(
        40,
        "largest number of words of a caption, in training and writing",
        stage="prepare",
        least=1,
    )
    beam_width: int = setting(
        3,
        "number of captions that beam search keeps; 1 for greedy decoding",
        least=1,
        most=1000,
    )
    length_penalty: float = setting(
        0.7,
        "length penalty: exponent of the length that divides the log-probability of a caption",
        least=0,
        most=10,
    )
    no_repeat_ngram_size: int = setting(
        0,
        "length of n-grams that must not occur twice in a caption; 0 for no limit",
        least=0,
        most=1000,
    )
    validation: float | str | os.PathLike[str] | pd.DataFrame = setting(
        0.1,
        "share of the images for validation, unless the data is split already; or separate "
        "captions, in a form of `data`",
        stage="split",
        above=0,
        below=1,
        expected="a share above 0 and below 1, the path of captions, or a table of them",
    )
    test: float | str | os.PathLike[str] | pd.DataFrame = setting(
        0.1,
        "share of the images to score on, unless the data is split already; or separate captions, "
        "whose images are removed from the other parts",
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
