"""Tags of sentences by a trained model, with their probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasseq import training
from kerasseq.data.tags.reader import TARGET, TaggedExamples, TagReader, Truth
from kerasseq.training import Examples
from kerasseq.training.batches import Batches

if TYPE_CHECKING:
    import keras

__all__ = ["Tagged", "confident_mistakes", "outputs", "predict"]

_BATCH = 128
_MISTAKES = 30  # that are kept
_CONTEXT = 40  # words of a sentence on each side of a mistake


@dataclass(frozen=True)
class Tagged:
    """Predicted tags.

    Args:
        tags: the tags of each sentence, in the scheme of the data.
        probabilities: for each word the probability of its tag; None where it is not known.
    """

    tags: list[list[str]]
    probabilities: list[np.ndarray] | None = None


def outputs(model: keras.Model, examples: Examples) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The best tag numbers of each row, and their marginal probabilities.

    Args:
        model: the model.
        examples: rows to tag; the entries of `lengths` are equal.

    Raises:
        ValueError: if a probability is not finite.
    """
    lengths = next(iter(examples.lengths.values()))
    batches = Batches(examples, _BATCH)
    numbers: list[Any] = [None] * len(examples)
    probabilities: list[Any] = [None] * len(examples)
    order = iter(batches.order)
    for number in range(len(batches)):
        result = model.predict_on_batch(batches[number][0])
        best = np.asarray(result[TARGET]).astype(np.int64)
        marginals = training.finite(np.asarray(result[f"{TARGET}_marginals"]), model)
        chosen = np.take_along_axis(marginals, best[..., None], axis=-1)[..., 0]
        for tags, shares, row in zip(best, chosen, order):  # the rows of a batch, then stop
            numbers[row], probabilities[row] = tags[: lengths[row]], shares[: lengths[row]]
    return numbers, probabilities


def predict(model: keras.Model, examples: TaggedExamples, reader: TagReader) -> Tagged:
    """Tag sentences; the pieces of a long one are joined.

    Args:
        model: the model.
        examples: the sentences.
        reader: the vocabularies of the run.
    """
    numbers, probabilities = outputs(model, examples.examples)
    joined = [np.zeros(length, np.int64) for length in examples.lengths]
    shares = [np.zeros(length) for length in examples.lengths]
    for piece, tags, values in zip(examples.pieces, numbers, probabilities):
        joined[piece.sentence][piece.start : piece.end] = tags
        shares[piece.sentence][piece.start : piece.end] = values
    return Tagged([reader.decode(tags) for tags in joined], shares)


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
