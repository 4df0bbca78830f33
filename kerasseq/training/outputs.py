"""The outputs of a model, row by row."""

from __future__ import annotations

import keras
import numpy as np

from kerasseq.training.batches import Batches, Examples, Generated
from kerasseq.training.retracing import without_retracing_warnings

__all__ = ["finite", "outputs"]


def outputs(
    model: keras.Model, examples: Examples | Generated, batch_size: int = 256
) -> np.ndarray:
    """Outputs of a model, `(rows, ...)`, in the order of the rows.

    Args:
        model: the model.
        examples: rows to run it over.
        batch_size: rows per batch.

    Raises:
        ValueError: if an output is NaN or infinite.
    """
    if isinstance(examples, Examples):
        examples = Examples(examples.inputs, lengths=examples.lengths)
    batches = Batches(examples, batch_size)
    with without_retracing_warnings():
        # `predict` sets up threads and callbacks, which takes many times as long as one batch.
        by_batch = np.asarray(
            model.predict_on_batch(batches[0][0])
            if len(batches) == 1
            else model.predict(batches, verbose=0)
        )
    by_row = np.empty_like(by_batch)
    by_row[batches.order] = by_batch
    return finite(by_row, model)


def finite(outputs: np.ndarray, model: keras.Model) -> np.ndarray:
    """Check that the outputs of a model are finite, and return them.

    Args:
        outputs: outputs, or states, of shape `(rows, ...)`.
        model: the model that computed them.

    Raises:
        ValueError: if some are not finite; it names a weight that holds NaN or infinity, if any.
    """
    bad = ~np.isfinite(outputs).reshape(len(outputs), -1).all(axis=1)
    if not bad.any():
        return outputs
    weight = next((w.path for w in model.weights if not _is_finite(w)), None)
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
