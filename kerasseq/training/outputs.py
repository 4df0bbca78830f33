"""The outputs of a model, row by row."""

from __future__ import annotations

import keras
import numpy as np

from kerasseq.training.batches import Batches, Examples, Generated

__all__ = ["finite", "outputs"]


def outputs(
    model: keras.Model, examples: Examples | Generated, batch_size: int = 256
) -> np.ndarray:
    """What a model gives for each row, in the order of the rows.

    Raises:
        ValueError: if that is not finite.
    """
    if isinstance(examples, Examples):
        examples = Examples(examples.inputs, lengths=examples.lengths)
    batches = Batches(examples, batch_size)
    found = np.asarray(model.predict(batches, verbose=0))
    ordered = np.empty_like(found)
    ordered[batches.order] = found
    return finite(ordered, model)


def finite(outputs: np.ndarray, model: keras.Model) -> np.ndarray:
    """The outputs of a model, checked to be finite numbers.

    Args:
        outputs: outputs, or states, of shape `(rows, ...)`.
        model: the model that gave them.

    Raises:
        ValueError: if they are not; it names a weight that holds NaN or infinity, if there is one.
    """
    bad = ~np.isfinite(outputs).reshape(len(outputs), -1).all(axis=1)
    if not bad.any():
        return outputs
    weight = next((own.path for own in model.weights if not _is_finite(own)), None)
    if weight is not None:
        raise ValueError(
            f"the model gives no finite numbers for {bad.sum():,} of {len(bad):,} rows, since its "
            f"weight {weight} holds NaN or infinity. Train again with a lower learning_rate or a "
            "smaller clipnorm, or restore the model from a copy."
        )
    raise ValueError(
        f"the model gives no finite numbers for {bad.sum():,} of {len(bad):,} rows, the first of "
        f"them row {bad.argmax()} (counted from 0), though its weights are finite. Check the "
        "values of that row, which may be far from those of the training data."
    )


def _is_finite(weight: keras.Variable) -> bool:
    return bool(np.isfinite(keras.ops.convert_to_numpy(weight)).all())
