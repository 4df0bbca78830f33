"""A linear-chain conditional random field, and independent tags, over the outputs of a network."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from kerasseq.kernels import linear_chain
from kerasseq.kernels.sequence_call import backend, typed_mask
from kerasseq.layers.softmax import softmax
from kerasseq.params.spec import positive_int

__all__ = ["CRF", "TagSoftmax"]

Tensor = Any

# Score of a forbidden transition: far below all others, and finite, so that no gradient is NaN.
_FORBIDDEN = -1e4


class _TagLayer(keras.layers.Layer):
    """Base class of layers that score sequences of tags: from emissions to a loss or to tags."""

    def __init__(self, tags: int, **kwargs: Any) -> None:
        # Sums over many timesteps need float32: nothing is cast to the policy of the network.
        super().__init__(**{"dtype": "float32", "autocast": False, **kwargs})
        self.tags = positive_int("tags", tags)
        self.supports_masking = True

    def build(self, emissions_shape: Any, tags_shape: Any = None) -> None:
        """Check the number of tags, and create the weights."""
        if emissions_shape[-1] != self.tags:
            raise ValueError(
                f"the emissions must have one score for each of {self.tags} tags. "
                f"Received: emissions of shape {tuple(emissions_shape)}"
            )
        self.create_weights()
        self.built = True

    def create_weights(self) -> None:
        """Create the weights; none by default."""

    def call(
        self,
        emissions: Tensor,
        tags: Tensor | None = None,
        mask: Tensor | None = None,
        emissions_mask: Tensor | None = None,
        marginals: bool = False,
    ) -> Tensor:
        """Score tags, or predict them; see the class."""
        mask = typed_mask(emissions_mask if mask is None else mask)
        if mask is None:
            mask = ops.ones(ops.shape(emissions)[:2], "bool")
        emissions = ops.cast(emissions, "float32")
        if tags is not None:
            return self.loss(emissions, tags, mask)
        if marginals:
            return self.marginals(emissions, mask)
        return self.best_tags(emissions, mask)

    def loss(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        """Negative log-likelihood of tags, (batch,), in nats, summed over the timesteps."""
        raise NotImplementedError

    def best_tags(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """The most probable sequence of tags, int (batch, timesteps)."""
        raise NotImplementedError

    def marginals(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """Probability of each tag at each timestep, (batch, timesteps, tags)."""
        raise NotImplementedError

    def compute_output_spec(
        self,
        emissions: Any,
        tags: Any = None,
        mask: Any = None,
        emissions_mask: Any = None,
        marginals: bool = False,
    ) -> Any:
        """The loss, the marginals or the tags, always one tensor, as `KerasTensor`."""
        if tags is not None:
            return keras.KerasTensor(emissions.shape[:1], "float32")
        if marginals:
            return keras.KerasTensor(emissions.shape, "float32")
        return keras.KerasTensor(emissions.shape[:2], "int32")

    def compute_mask(self, *_: Any, **__: Any) -> None:
        """None: padding is 0 in the tags, and a loss has no timesteps."""
        return None

    def get_config(self) -> dict[str, Any]:
        """The config, with one entry per constructor argument."""
        return {**super().get_config(), "tags": self.tags}


@keras.saving.register_keras_serializable("kerasseq")
class CRF(_TagLayer):
    """Linear-chain conditional random field: a loss for sequences of tags, and their decoding.

    score(tags) = start[tags[0]] + end[tags[-1]]
    + sum over t of emissions[t, tags[t]] + sum over t > 0 of transitions[tags[t - 1], tags[t]]

    p(tags) = exp(score(tags)) / sum over all sequences of exp(score)

    Called with tags, the layer returns their negative log-likelihood; called without, the most
    probable tags (Viterbi). So one layer is the end of two models with the same weights: one to
    train, whose output is the loss, and one that predicts.

    Args:
        tags: Number of tags.
        allowed: Allowed transitions, (tags + 1, tags + 1) booleans, or None to allow all: `[i, j]`
            whether tag j may follow tag i, `[tags, j]` whether a sequence may start with tag j, and
            `[i, tags]` whether it may end with tag i. Forbidden transitions get no probability.
        **kwargs: Arguments of `keras.layers.Layer`. The default `dtype` is float32; with another
            one, weights are kept in it, and scores are summed in float32 or wider all the same.

    Call arguments:
        emissions: (batch, timesteps, tags), the score of each tag at each timestep.
        tags: int (batch, timesteps), numbers from 0 to tags - 1, to get their loss. At masked
            timesteps any number.
        mask: (batch, timesteps) booleans. Masked timesteps are skipped, wherever they are: the tag
            after them follows the tag before them.
        marginals: Return the marginal probability of each tag at each timestep instead of tags.

    Output shape:
        With tags (batch,), their negative log-likelihood in nats, summed over the timesteps, 0 for
        a fully masked sequence. Without, int (batch, timesteps), or with `marginals` (batch,
        timesteps, tags); both 0 where masked.

    Raises:
        ValueError: If `tags` is not a positive integer, `allowed` has another shape or allows no
            start or no end, or the emissions have another number of tags.

    Example:
        >>> import numpy as np
        >>> crf = CRF(3)
        >>> emissions = np.array([[[0, 2, 0], [1, 0, 0], [0, 0, 3]]], "float32")
        >>> np.asarray(crf(emissions)).tolist()
        [[1, 0, 2]]
        >>> crf(emissions, np.array([[1, 0, 2]])).shape == (1,)
        True

    Reference: Lafferty, McCallum & Pereira (2001), Conditional random fields; over a recurrent
    network Huang, Xu & Yu (2015), arXiv 1508.01991.
    """

    def __init__(self, tags: int, *, allowed: Any = None, **kwargs: Any) -> None:
        super().__init__(tags, **kwargs)
        self.allowed = None if allowed is None else _checked(allowed, self.tags)

    @property
    def supports_jit(self) -> bool:
        """Whether XLA can compile the layer; `compile` of a Keras model reads it.

        On TensorFlow it cannot compile an operation of the extension. To use XLA anyway, put
        `kernels.portable()` around `compile` and the first call.
        """
        uses_operation = backend() == "tensorflow" and linear_chain.runs_in_extension()
        return self._supports_jit and not uses_operation

    @supports_jit.setter
    def supports_jit(self, value: bool) -> None:
        self._supports_jit = value

    def create_weights(self) -> None:
        """Create the scores of transitions, starts and ends."""
        shapes = {"transitions": (self.tags, self.tags), "start": (self.tags,), "end": (self.tags,)}
        for name, shape in shapes.items():
            weight = self.add_weight(shape=shape, name=name, initializer="zeros", autocast=False)
            setattr(self, name, weight)

    def loss(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        """Negative log-likelihood of tags, (batch,), in nats, summed over the timesteps."""
        unary, transitions = self._potentials(emissions, mask)
        # Scores less those of the tags sum to the loss itself, which loses no precision in long
        # sequences, as the difference of two large sums would.
        scores = linear_chain.path_scores(unary, transitions, tags, mask)
        return linear_chain.log_partition(unary - scores[..., None], transitions, mask)

    def best_tags(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """The most probable sequence of tags, int (batch, timesteps)."""
        return linear_chain.best_path(*self._potentials(emissions, mask), mask)

    def marginals(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """Probability of each tag at each timestep, (batch, timesteps, tags)."""
        return linear_chain.marginals(*self._potentials(emissions, mask), mask)

    def scores(self) -> tuple[Tensor, Tensor, Tensor]:
        """Scores of transitions, (tags, tags), starts and ends, (tags,), in float32.

        Forbidden ones are far below all others.
        """
        transitions, start, end = (
            ops.cast(weight, "float32") for weight in (self.transitions, self.start, self.end)
        )
        if self.allowed is not None:
            transitions = ops.where(self.allowed[:-1, :-1], transitions, _FORBIDDEN)
            start = ops.where(self.allowed[-1, :-1], start, _FORBIDDEN)
            end = ops.where(self.allowed[:-1, -1], end, _FORBIDDEN)
        return transitions, start, end

    def _potentials(self, emissions: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Unary scores, with those of start and end, and transitions."""
        transitions, start, end = self.scores()
        position = ops.cumsum(ops.cast(mask, "int32"), axis=1)
        first = ops.logical_and(mask, position == 1)[..., None]
        last = ops.logical_and(mask, position == position[:, -1:])[..., None]
        unary = emissions + ops.where(first, start, 0.0) + ops.where(last, end, 0.0)
        return unary, transitions

    def get_config(self) -> dict[str, Any]:
        """The config, with one entry per constructor argument."""
        allowed = None if self.allowed is None else self.allowed.astype(int).tolist()
        return {**super().get_config(), "allowed": allowed}


@keras.saving.register_keras_serializable("kerasseq")
class TagSoftmax(_TagLayer):
    """Tags that are predicted one by one: the calls of `CRF`, without transitions and weights.

    Args:
        tags: Number of tags.
        **kwargs: Arguments of `keras.layers.Layer`; the default `dtype` is float32.

    Call arguments:
        emissions: (batch, timesteps, tags), the logits of each tag at each timestep.
        tags: int (batch, timesteps), numbers from 0 to tags - 1, to get their loss.
        mask: (batch, timesteps) booleans; masked timesteps do not count.
        marginals: Return the probability of each tag at each timestep instead of tags.

    Output shape:
        As in `CRF`.

    Raises:
        ValueError: If `tags` is not a positive integer, or the emissions have another number.

    Example:
        >>> import numpy as np
        >>> emissions = np.array([[[0, 2, 0], [1, 0, 0]]], "float32")
        >>> np.asarray(TagSoftmax(3)(emissions)).tolist()
        [[1, 0]]
    """

    def loss(self, emissions: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        """Negative log-likelihood of tags, (batch,), in nats, summed over the timesteps."""
        tags = ops.where(mask, ops.cast(tags, "int32"), 0)
        scores = ops.log_softmax(emissions, axis=-1)
        chosen = ops.take_along_axis(scores, tags[..., None], axis=-1)[..., 0]
        return -ops.sum(ops.where(mask, chosen, 0.0), axis=1)

    def best_tags(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """The most probable tag of each timestep, int (batch, timesteps)."""
        return ops.where(mask, ops.cast(ops.argmax(emissions, axis=-1), "int32"), 0)

    def marginals(self, emissions: Tensor, mask: Tensor) -> Tensor:
        """Probability of each tag at each timestep, (batch, timesteps, tags)."""
        return ops.where(mask[..., None], softmax(emissions, axis=-1), 0.0)


def _checked(allowed: Any, tags: int) -> np.ndarray:
    """Allowed transitions as an array of booleans."""
    array = np.asarray(allowed, dtype=bool)
    if array.shape != (tags + 1, tags + 1):
        raise ValueError(
            f"`allowed` must be a matrix of {tags + 1} x {tags + 1} booleans, for {tags} tags and "
            f"the start (last row) and the end (last column). Received: shape {array.shape}"
        )
    for place, ways in {"start": array[-1, :-1], "end": array[:-1, -1]}.items():
        if not ways.any():
            raise ValueError(
                f"`allowed` must let at least one tag {place} a sequence. Received: none"
            )
    return array
