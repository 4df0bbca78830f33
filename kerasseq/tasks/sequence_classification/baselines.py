"""Baselines: majority or mean, nearest neighbour under time warping, a model of statistics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from kerasseq.data.classes.labels import class_numbers
from kerasseq.data.sequences.ragged import Ragged
from kerasseq.data.sequences.reader import SequenceReader
from kerasseq.data.sequences.recordings import Sequences

__all__ = ["nearest", "predictions", "statistics"]

#: Share of the longest sequence by which the warping may shift a timestep.
BAND = 0.2
#: Largest number of differences between two values that the nearest neighbour computes.
MOST_DIFFERENCES = 1e10
_PER_CHANNEL = 11  # statistics of a channel
_LONGEST = 256  # timesteps; longer sequences are averaged down to it for the nearest neighbour


def predictions(
    reader: SequenceReader, known: Sequences, test: Sequences
) -> Mapping[str, np.ndarray]:
    """Predictions of all baselines for the test part, by name.

    Args:
        reader: scales the sequences.
        known: the training and validation part.
        test: the test part.

    Returns:
        For each baseline class probabilities, (rows, classes); for a regression numbers, (rows,).
    """
    features, new_features = (
        statistics(_flat(reader, part.values, row) for row in range(len(part)))
        for part in (known, test)
    )
    if reader.target is not None:
        targets = np.array(known.labels, dtype=np.float64)
        return {
            "mean": np.full(len(test), targets.mean()),
            "statistics + ridge regression": _ridge(features, targets, new_features),
        }
    classes = len(reader.classes)
    truth = class_numbers(known.labels or [], reader.classes)
    rows = _affordable(known.values, test.values, truth, features.shape[1] // _PER_CHANNEL)
    name = "1-NN, time warping"
    if len(rows) < len(known):
        name += f" ({len(rows):,} training sequences)"
    neighbours = nearest(
        [_flat(reader, known.values, row) for row in rows],
        [_flat(reader, test.values, row) for row in range(len(test))],
    )
    return {
        "majority": np.tile(np.bincount(truth, minlength=classes) / len(truth), (len(test), 1)),
        name: np.eye(classes)[truth[rows[neighbours]]],
        "statistics + logistic regression": _logistic(features, truth, new_features, classes),
    }


def nearest(known: Sequence[np.ndarray], new: Sequence[np.ndarray]) -> np.ndarray:
    """Number of the nearest known sequence of each new one, under dynamic time warping.

    The distance of two timesteps is Euclidean over all channels; a timestep is shifted by at most
    `BAND` of the longest sequence.

    Args:
        known: sequences, (timesteps, channels).
        new: sequences, (timesteps, channels).

    Example:

    >>> slow, fast = np.repeat([0.0, 1.0, 0.0], 4)[:, None], np.array([[0.0], [1.0], [0.0]])
    >>> nearest([np.zeros((8, 1)), slow], [fast]).tolist()
    [1]
    """
    from dtaidistance import dtw_ndim

    series = [np.ascontiguousarray(_short(x), dtype=np.float64) for x in (*new, *known)]
    longest = max(map(len, series))
    distances = dtw_ndim.distance_matrix(
        series,
        window=max(2, round(BAND * longest)),
        block=((0, len(new)), (len(new), len(series))),
        compact=True,
        use_c=True,
    )
    return np.asarray(distances).reshape(len(new), len(known)).argmin(axis=1)


def statistics(sequences: Iterable[np.ndarray]) -> np.ndarray:
    """Summary statistics of each channel, (sequences, statistics).

    Mean, deviation, least, quartiles and largest value, the first and the last one, mean and
    deviation of the differences in time; and the logarithm of the length.
    """
    return np.stack([_statistics(sequence) for sequence in sequences])


def _statistics(values: np.ndarray) -> np.ndarray:
    steps = np.diff(values, axis=0) if len(values) > 1 else np.zeros_like(values)
    parts = [
        values.mean(axis=0),
        values.std(axis=0),
        *np.quantile(values, [0.0, 0.25, 0.5, 0.75, 1.0], axis=0),
        values[0],
        values[-1],
        np.abs(steps).mean(axis=0),
        steps.std(axis=0),
        [np.log(len(values))],
    ]
    return np.concatenate(parts)


def _flat(reader: SequenceReader, sequences: Ragged, row: int) -> np.ndarray:
    """One scaled sequence; of frames the pixels, averaged to a small grid."""
    values = reader.scaled(sequences[row])
    if values.ndim == 2:
        return values
    step = max(1, values.shape[1] // 8), max(1, values.shape[2] // 8)
    return values[:, :: step[0], :: step[1]].reshape(len(values), -1)


def _affordable(known: Ragged, new: Ragged, truth: np.ndarray, channels: int) -> np.ndarray:
    """Rows of the known sequences that the nearest neighbour may look at, of all classes."""
    length = np.minimum(known.lengths, _LONGEST).mean()
    each = len(new) * length**2 * min(1.0, 2 * BAND) * channels
    most = max(len({*truth.tolist()}), int(MOST_DIFFERENCES / max(each, 1.0)))
    if most >= len(known):
        return np.arange(len(known))
    # The k-th sequence of each class before the next one of any.
    order = np.argsort(truth, kind="stable")
    counts = np.bincount(truth)
    rank = np.empty(len(truth), dtype=np.int64)
    rank[order] = np.concatenate([np.arange(count) for count in counts])
    return np.sort(np.argsort(rank, kind="stable")[:most])


def _short(values: np.ndarray) -> np.ndarray:
    """A sequence of at most `_LONGEST` timesteps, each the mean of several."""
    if len(values) <= _LONGEST:
        return values
    edges = np.linspace(0, len(values), _LONGEST + 1).astype(np.int64)
    return np.add.reduceat(values, edges[:-1], axis=0) / np.diff(edges)[:, None]


def _logistic(features: np.ndarray, truth: np.ndarray, new: np.ndarray, classes: int) -> Any:
    """Class probabilities of logistic regression; classes that are not known have none."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(C=1.0, max_iter=2000))
    probabilities = np.zeros((len(new), classes))
    fitted = model.fit(features, truth)
    probabilities[:, fitted.classes_] = fitted.predict_proba(new)
    return probabilities


def _ridge(features: np.ndarray, targets: np.ndarray, new: np.ndarray) -> Any:
    """Numbers of ridge regression, its strength by cross-validation."""
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-3, 4, 15)))
    return model.fit(features, targets).predict(new)
