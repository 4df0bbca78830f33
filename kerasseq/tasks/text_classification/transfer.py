"""A warm start from a run of a language model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from kerasseq.settings import raise_faults

if TYPE_CHECKING:
    import keras

    from kerasseq.layers import TextDecoder
    from kerasseq.recipes.sentiment import SentimentSettings
    from kerasseq.runs import Run

__all__ = ["check_layer_rates", "copy_language_model_run"]


def check_layer_rates(settings: SentimentSettings) -> None:
    """Raise a ValueError for settings that conflict with rates that differ between layers."""
    names = [
        n for n, plain in (("layer_decay", 1), ("unfreeze", 0)) if getattr(settings, n) != plain
    ]
    if not names:
        return
    received = f"Received: {', '.join(f'{name}={getattr(settings, name)!r}' for name in names)}"
    if not isinstance(settings.optimizer, str):
        raise ValueError(
            f"an optimizer object brings its own learning rate: leave {' and '.join(names)} out, "
            f"or pass the name of an optimizer. {received}"
        )
    if settings.optimizer.lower() == "ftrl" and settings.unfreeze:
        raise ValueError(
            "optimizer='ftrl' divides by its learning rate, which is 0 while layers are frozen: "
            f"pass another optimizer, or leave unfreeze out. {received}"
        )
    averaged = settings.optimizer.lower() == "asgd"
    if averaged or settings.ema_momentum is not None:
        average = "optimizer='asgd'" if averaged else "ema_momentum"
        raise ValueError(
            f"{average} averages the weights of one optimizer, and layers with learning rates of "
            f"their own have several: leave {average} or {' and '.join(names)} out. {received}"
        )
    frozen = settings.unfreeze * (settings.depth + 1)
    if settings.unfreeze and frozen >= settings.epochs:
        raise ValueError(
            f"the embedding would begin to learn after {frozen} epochs: epochs must be more than "
            f"that, or unfreeze less. {received}, epochs={settings.epochs}"
        )


def copy_language_model_run(
    model: keras.Model, settings: SentimentSettings, tokens: Sequence[str], earlier: Run
) -> str | None:
    """Copy embedding and recurrent layers of a language model into a classifier.

    Args:
        model: model of a `Classifier`.
        settings: settings of the classifier.
        tokens: its tokens, in the order of their numbers. One that the language model does not know
            begins with the embedding of the unknown token, as which the language model reads it.
        earlier: a run.

    Returns:
        A remark; None if the run is no language model.

    Raises:
        ValueError: if the classifier does not fit the language model; it names each setting.
    """
    from kerasseq.data.tokenizers.tokenizer import UNKNOWN
    from kerasseq.models import copy_language_model, language_model_decoder

    decoder = language_model_decoder(earlier.model)
    if decoder is None:
        return None
    reverse = earlier.resolved.reverse
    raise_faults(_faults(settings, earlier, decoder))
    (vocabulary,) = earlier.task.row_names(earlier.state).values()
    row_of = {token: row for row, token in enumerate(vocabulary)}
    rows = np.array([row_of.get(token, UNKNOWN) for token in tokens])
    copy_language_model(model, decoder, rows, reverse)
    known = sum(token in row_of for token in tokens)
    direction, other = ("backward", "forward") if reverse else ("forward", "backward")
    remark = (
        f"embedding and layers that read {direction} of a language model, which knows {known:,} of "
        f"the {len(tokens):,} {settings.tokens}s"
    )
    if settings.bidirectional:
        remark += f"; layers that read {other} keep their weights"
    return remark


def _faults(settings: SentimentSettings, earlier: Run, decoder: TextDecoder) -> list[str]:
    """Settings of a classifier that do not fit a language model."""
    needed = {
        name: getattr(earlier.resolved, name) for name in ("tokens", "cell", "units", "depth")
    }
    needed["embedding"] = decoder.width
    if earlier.resolved.reverse:
        needed["bidirectional"] = True
    return [
        f"{name} must be {value!r} for this warm_start, as in the language model. "
        f"Received: {name}={getattr(settings, name)!r}"
        for name, value in needed.items()
        if getattr(settings, name) != value
    ]
