"""Tags of sentences by a trained model, with their probabilities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasseq import training
from kerasseq.data.tags.reader import SENTENCE, TARGET, TaggedExamples, TagReader, Truth
from kerasseq.training import Examples
from kerasseq.training.batches import Batches

if TYPE_CHECKING:
    import keras

__all__ = ["Outputs", "Tagged", "confident_mistakes", "outputs", "predict"]

_BATCH = 128
_MISTAKES = 30  # that are kept
_CONTEXT = 40  # words of a sentence on each side of a mistake


@dataclass(frozen=True)
class Tagged:
    """Predicted tags.

    Args:
        tags: the tags of each sentence, in the scheme of the data.
        probabilities: for each word the probability of its tag; None where it is not known.
        further: the tags of further columns, by the name of the column.
        labels: the label of each sentence; None for none.
        label_probabilities: the probability of each label; None where it is not known.
    """

    tags: list[list[str]]
    probabilities: list[np.ndarray] | None = None
    further: Mapping[str, Tagged] = field(default_factory=dict)
    labels: list[str] | None = None
    label_probabilities: np.ndarray | None = None


@dataclass(frozen=True)
class Outputs:
    """Outputs of a model for rows.

    Args:
        numbers: the best tag numbers of each row, by the name of the output.
        probabilities: their marginal probabilities.
        classes: the probabilities of the classes of each row, (rows, classes); None for none.
    """

    numbers: dict[str, list[np.ndarray]]
    probabilities: dict[str, list[np.ndarray]]
    classes: np.ndarray | None = None


def outputs(model: keras.Model, examples: Examples, names: Sequence[str] = (TARGET,)) -> Outputs:
    """The best tag numbers of each row, and their marginal probabilities.

    Args:
        model: the model.
        examples: rows to tag; the entries of `lengths` are equal.
        names: names of the columns of tags in the model.

    Raises:
        ValueError: if a probability is not finite.
    """
    lengths = next(iter(examples.lengths.values()))
    batches = Batches(examples, _BATCH)
    numbers: dict[str, list[Any]] = {name: [None] * len(examples) for name in names}
    probabilities: dict[str, list[Any]] = {name: [None] * len(examples) for name in names}
    classes: list[Any] = [None] * len(examples)
    order = iter(batches.order)
    for number in range(len(batches)):
        result = model.predict_on_batch(batches[number][0])
        rows = [row for _, row in zip(range(len(result[TARGET])), order)]
        for name in names:
            best = np.asarray(result[name]).astype(np.int64)
            marginals = training.finite(np.asarray(result[f"{name}_marginals"]), model)
            chosen = np.take_along_axis(marginals, best[..., None], axis=-1)[..., 0]
            for tags, shares, row in zip(best, chosen, rows):
                numbers[name][row] = tags[: lengths[row]]
                probabilities[name][row] = shares[: lengths[row]]
        if SENTENCE in result:
            for row, shares in zip(rows, training.finite(np.asarray(result[SENTENCE]), model)):
                classes[row] = shares
    has_classes = bool(classes) and classes[0] is not None
    return Outputs(numbers, probabilities, np.array(classes) if has_classes else None)


def predict(model: keras.Model, examples: TaggedExamples, reader: TagReader) -> Tagged:
    """Tag sentences; the pieces of a long one are joined.

    Args:
        model: the model.
        examples: the sentences.
        reader: the vocabularies of the run.
    """
    columns = reader.columns_of_tags
    result = outputs(model, examples.examples, [*columns])
    tagged = []
    for name, tag_set in columns.items():
        joined = [np.zeros(length, np.int64) for length in examples.lengths]
        shares = [np.zeros(length) for length in examples.lengths]
        for piece, tags, values in zip(
            examples.pieces, result.numbers[name], result.probabilities[name]
        ):
            joined[piece.sentence][piece.start : piece.end] = tags
            shares[piece.sentence][piece.start : piece.end] = values
        tagged.append(Tagged([tag_set.decode(tags) for tags in joined], shares))
    first, further = tagged[0], dict(zip(reader.further, tagged[1:]))
    if result.classes is None:
        return replace(first, further=further)
    # The pieces of a long sentence count by their words.
    totals = np.zeros((len(examples.lengths), len(reader.classes)))
    for piece, values in zip(examples.pieces, result.classes):
        totals[piece.sentence] += (piece.end - piece.start) * values
    mean = totals / np.array(examples.lengths)[:, None]
    labels = [reader.classes[number] for number in mean.argmax(axis=1)]
    return replace(first, further=further, labels=labels, label_probabilities=mean.max(axis=1))


def confident_mistakes(predicted: Tagged, truth: Truth) -> list[dict[str, Any]]:
    """The wrong tags of highest probability, at most one of each sentence, as JSON values."""
    assert predicted.probabilities is not None
    worst = []
    for row, (tags, true, shares) in enumerate(
        zip(predicted.tags, truth.tags, predicted.probabilities)
    ):
        wrong = [(float(shares[i]), row, i) for i, tag in enumerate(tags) if tag != true[i]]
        worst += [max(wrong, key=lambda each: each[0])] if wrong else []
    worst.sort(key=lambda each: (-each[0], each[1]))
    return [
        {
            "before": " ".join(truth.tokens[row][max(0, place - _CONTEXT) : place]),
            "token": truth.tokens[row][place],
            "after": " ".join(truth.tokens[row][place + 1 : place + 1 + _CONTEXT]),
            "true": truth.tags[row][place],
            "predicted": predicted.tags[row][place],
            "probability": round(probability, 6),
        }
        for probability, row, place in worst[:_MISTAKES]
    ]
