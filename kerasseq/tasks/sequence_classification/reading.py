"""How the recipe reads sequences: from its settings, or from the state of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasseq.data.classes.labels import (
    class_name,
    class_numbers,
    has_fractions,
    is_number,
    plain_labels,
)
from kerasseq.data.parts import prefix_errors
from kerasseq.data.sequences.folders import FileReaders
from kerasseq.data.sequences.read import Reading
from kerasseq.data.sequences.reader import TARGET_LIMIT
from kerasseq.data.sequences.recordings import Sequences, channel_numbers

if TYPE_CHECKING:
    from kerasseq.recipes.sequence_classification import SequenceClassificationSettings as Settings
    from kerasseq.tasks.sequence_classification.frames import FrameEncoding

__all__ = ["labelled", "number_labels", "of_new", "of_part", "of_training"]


def of_training(settings: Settings, encoder: FrameEncoding | None = None) -> Reading:
    """How the data of the recipe is read."""
    return Reading(
        label=settings.label,
        channels=settings.channels,
        sequence=settings.sequence,
        step=settings.step,
        groups=settings.groups,
        pattern=settings.pattern,
        joints=settings.joints,
        rate=settings.rate,
        window=settings.window,
        stride=settings.stride,
        numeric=None if settings.target == "auto" else settings.target == "number",
        readers=_readers(settings, settings.rate, encoder=encoder),
    )


def of_part(settings: Settings, source: Sequences, encoder: FrameEncoding | None = None) -> Reading:
    """How a separate validation or test part is read: as the training data was."""
    training = of_training(settings)
    return replace(
        training,
        # Labels and groups of an array are those of the training data.
        label=training.named["label"],
        groups=training.named["groups"],
        shape=source.values.shape,
        dtype=source.values.values.dtype,
        channels=settings.channels or source.reading.get("channels"),
        usual={**_named_channels(source.channels), **source.reading},
        numeric=(
            has_fractions(source.labels or []) if training.numeric is None else training.numeric
        ),
        rate=settings.rate or source.rate,
        readers=_readers(settings, settings.rate or source.rate, encoder=encoder),
    )


def of_new(
    settings: Settings,
    state: Mapping[str, Any],
    encoder: FrameEncoding | None = None,
    *,
    labelled: bool = True,
) -> Reading:
    """How new data of a run is read, with labels or without.

    A sequence that cannot be read is no error.

    It needs no groups; columns of the training data are used where the data has them.
    """
    shape = tuple(state["data_info"]["shape"])
    video = len(shape) == 3 or encoder is not None
    return replace(
        of_training(settings),
        learn=False,
        labelled=labelled,
        groups=None,
        shape=shape,
        dtype=np.promote_types(state["mean"].dtype, np.float32),
        usual={**state.get("reading", {}), **_named_channels(state["channels"])},
        rate=state["rate"],
        numeric=state["target"] is not None,
        readers=_readers(settings, state["rate"], video, encoder),
    )


def _named_channels(names: Sequence[str]) -> dict[str, Any]:
    """The names of the channels, unless they are numbers."""
    return {} if names == channel_numbers(len(names)) else {"channels": names}


def labelled(source: Sequences, parts: Mapping[str, Sequences], target: str) -> Sequences:
    """Check labels, convert them to classes or numbers, and add separate parts.

    Args:
        source: the training data.
        parts: separate parts, "validation", "test" or both.
        target: "class", "number", or "auto": numbers with a fraction are targets of a regression.

    Raises:
        ValueError: if there are no labels, or labels of a part are not known.
    """
    if source.labels is None:
        raise ValueError(
            "the sequences have no labels. Pass label=, the column of labels or a label for each "
            "sequence; or pattern=, if the names of files have them; or a folder with a sub-folder "
            "for each class."
        )
    for name, official in (("validation", source.validation), ("test", source.test)):
        if name in parts and official is not None:
            raise ValueError(
                f"data has an official {name} part: leave {name}= out, or give data without."
            )
    if target == "auto":
        target = "number" if has_fractions(source.labels) else "class"
    notes = list(source.notes)
    separate: dict[str, Sequences | None] = {"validation": source.validation, "test": source.test}
    for name, part in parts.items():
        notes += [f"{name}=: {note}" for note in part.notes]
        separate[name] = part.whole() if part.test is None else part.test
    for name, present in separate.items():
        if present is not None and present.labels is None:
            raise ValueError(f"the sequences of the {name} part have no labels. Give their labels.")
    if target == "number":
        convert = number_labels
        notes.append("the labels are numbers: a regression")
    else:
        classes = sorted({*plain_labels(source.labels)}, key=class_name)

        def convert(labels: Sequence[Any]) -> list[Any]:
            return [classes[number] for number in class_numbers(labels, classes)]

        if len(classes) > max(2, len(source) / 2):
            raise ValueError(
                f"there are {len(classes):,} different labels for {len(source):,} sequences. Are "
                'those classes? Pass label=, or target="number" for a regression.'
            )
    numeric = target == "number"
    result: dict[str, Sequences | None] = {}
    for name, each in separate.items():
        with prefix_errors(name) if name in parts else nullcontext():
            labels = [] if each is None else convert(each.labels or [])
        result[name] = each and replace(each, labels=labels, numeric=numeric)
    return replace(
        source, labels=convert(source.labels), numeric=numeric, notes=notes,
        validation=result["validation"], test=result["test"],
    )  # fmt: skip


def number_labels(labels: Sequence[Any]) -> list[Any]:
    """Labels as numbers to predict.

    Raises:
        ValueError: if one of them is no number, or too large.
    """
    try:
        values = [float(label) for label in labels]
    except (TypeError, ValueError):
        text = next(label for label in labels if not is_number(label))
        raise ValueError(
            f'a regression, target="number", needs numbers as labels. Received: the label {text!r}'
        ) from None
    bad = [value for value in values if not abs(value) < TARGET_LIMIT]
    if bad:
        raise ValueError(
            f"every label must be a number of a size below {TARGET_LIMIT:g}. Leave the others out. "
            f"Received: the label {bad[0]}"
        )
    return values


def _readers(
    settings: Settings,
    rate: float | None,
    video: bool | None = None,
    encoder: FrameEncoding | None = None,
) -> FileReaders:
    """Readers of sound and images."""
    from kerasseq.tasks.sequence_classification.files import file_readers

    return file_readers(
        rate,
        settings.mel_bins,
        settings.top_db,
        image_size=settings.image_size,
        video=video,
        encoder=encoder,
    )
