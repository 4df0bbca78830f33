"""Caption decoders, which differ in where the image enters the network."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import keras
from keras import ops

from kerasseq.layers.attention import AdditiveAttention
from kerasseq.layers.decoders.base import CaptionDecoder, mean_features
from kerasseq.layers.decoders.words import State, Tensor

__all__ = [
    "AttentionDecoder",
    "InitInjectDecoder",
    "MergeDecoder",
    "ParInjectDecoder",
    "PreInjectDecoder",
]


@keras.saving.register_keras_serializable("kerasseq")
class InitInjectDecoder(CaptionDecoder):
    """Decoder whose recurrent layer starts from states computed from the image.

    Args:
        recurrent: A recurrent layer that returns sequences and states.
        **kwargs: See `CaptionDecoder`.

    Example:
        >>> import kerasseq, numpy as np
        >>> recurrent = kerasseq.gru(4, return_sequences=True, return_state=True)
        >>> decoder = InitInjectDecoder(recurrent, words=9, embedding=3)
        >>> decoder(np.ones((2, 5), "float32"), np.ones((2, 7), "int32")).shape == (2, 7, 9)
        True

    Reference: Tanti, Gatt & Camilleri (2018), arXiv 1703.09137.
    """

    def build_image(self, features: int, output: int) -> int:
        self.to_states = _dense(self, sum(self.state_widths), "to_states", features, "tanh")
        return output

    def initial_state(self, image: Tensor, training: bool) -> State:
        return {"states": _split(self.to_states(mean_features(image)), self.state_widths)}


@keras.saving.register_keras_serializable("kerasseq")
class PreInjectDecoder(CaptionDecoder):
    """Decoder whose recurrent layer reads the image as its first word.

    Args:
        recurrent: A recurrent layer that returns sequences and states.
        **kwargs: See `CaptionDecoder`.

    Example:
        >>> import kerasseq, numpy as np
        >>> recurrent = kerasseq.gru(4, return_sequences=True, return_state=True)
        >>> decoder = PreInjectDecoder(recurrent, words=9, embedding=3)
        >>> decoder(np.ones((2, 5), "float32"), np.ones((2, 7), "int32")).shape == (2, 7, 9)
        True

    Reference: Vinyals et al. (2015), arXiv 1411.4555.
    """

    def build_image(self, features: int, output: int) -> int:
        self.to_word = _dense(self, self.width, "to_word", features)
        return output

    def initial_state(self, image: Tensor, training: bool) -> State:
        image = mean_features(image)
        word = self.to_word(image)[:, None]
        _, *states = self.recurrent(
            word, initial_state=self.first_states_of(image), training=training
        )
        return {"states": states}


@keras.saving.register_keras_serializable("kerasseq")
class ParInjectDecoder(CaptionDecoder):
    """Decoder whose recurrent layer reads the image together with each word.

    Args:
        recurrent: A recurrent layer that returns sequences and states.
        **kwargs: See `CaptionDecoder`.

    Example:
        >>> import kerasseq, numpy as np
        >>> recurrent = kerasseq.gru(4, return_sequences=True, return_state=True)
        >>> decoder = ParInjectDecoder(recurrent, words=9, embedding=3)
        >>> decoder(np.ones((2, 5), "float32"), np.ones((2, 7), "int32")).shape == (2, 7, 9)
        True

    Reference: Tanti, Gatt & Camilleri (2018), arXiv 1703.09137.
    """

    def recurrent_inputs(self) -> int:
        return 2 * self.width

    def build_image(self, features: int, output: int) -> int:
        self.to_word = _dense(self, self.width, "to_word", features)
        return output

    def initial_state(self, image: Tensor, training: bool) -> State:
        image = mean_features(image)
        return {"states": self.first_states_of(image), "image": self.to_word(image)}

    def inputs(self, embedded: Tensor, state: State) -> Tensor:
        images = state["image"][:, None] + ops.zeros_like(embedded)
        return ops.concatenate([embedded, images], axis=-1)


@keras.saving.register_keras_serializable("kerasseq")
class MergeDecoder(CaptionDecoder):
    """Decoder whose recurrent layer reads words alone; the image is added to its outputs.

    Args:
        recurrent: A recurrent layer that returns sequences and states.
        **kwargs: See `CaptionDecoder`.

    Example:
        >>> import kerasseq, numpy as np
        >>> recurrent = kerasseq.gru(4, return_sequences=True, return_state=True)
        >>> decoder = MergeDecoder(recurrent, words=9, embedding=3)
        >>> decoder(np.ones((2, 5), "float32"), np.ones((2, 7), "int32")).shape == (2, 7, 9)
        True

    Reference: Tanti, Gatt & Camilleri (2018), arXiv 1703.09137.
    """

    def build_image(self, features: int, output: int) -> int:
        self.image_projection = _dense(self, self.width, "image_projection", features)
        self.text_projection = _dense(self, self.width, "text_projection", output)
        return self.width

    def initial_state(self, image: Tensor, training: bool) -> State:
        image = mean_features(image)
        return {
            "states": self.first_states_of(image),
            "image": self.image_projection(image),
        }

    def join(self, output: Tensor, state: State) -> Tensor:
        # Linear, as in the paper: with another tanh, training is much slower.
        return self.text_projection(output) + state["image"][:, None]


@keras.saving.register_keras_serializable("kerasseq")
class AttentionDecoder(CaptionDecoder):
    """Decoder that attends to the regions of the image before each word.

    The recurrent layer starts from the mean of the regions. Its output is the query of the
    attention, and output and context together predict the word. Since attention comes after the
    recurrent layer, as in Lu et al. (2017), arXiv 1612.01887, all words of known captions are read
    in one call.

    Args:
        recurrent: A recurrent layer that returns sequences and states.
        **kwargs: See `CaptionDecoder`.

    Example:
        >>> import kerasseq, numpy as np
        >>> recurrent = kerasseq.gru(4, return_sequences=True, return_state=True)
        >>> decoder = AttentionDecoder(recurrent, words=9, embedding=3)
        >>> decoder(np.ones((2, 6, 5), "float32"), np.ones((2, 7), "int32")).shape == (2, 7, 9)
        True

    Reference: soft attention of Xu et al. (2015), arXiv 1502.03044.
    """

    def build_image(self, features: int, output: int) -> int:
        self.to_states = _dense(self, sum(self.state_widths), "to_states", features, "tanh")
        self.region_keys = _dense(self, self.width, "region_keys", features, "tanh")
        self.attention = AdditiveAttention(self.width, name="attention", dtype=self.dtype_policy)
        self.attention.build((None, None, output), (None, None, self.width))
        self.text_projection = _dense(self, self.width, "text_projection", output)
        self.context_projection = _dense(self, self.width, "context_projection", self.width)
        return self.width

    def initial_state(self, image: Tensor, training: bool) -> State:
        if len(image.shape) != 3:
            raise ValueError(
                "Attention needs images with several regions, (batch, regions, features). "
                f"Received: {image.shape}"
            )
        regions = self.region_keys(image)
        return {
            "states": _split(self.to_states(mean_features(image)), self.state_widths),
            "regions": regions,
            "keys": self.attention.keys(regions),
        }

    def join(self, output: Tensor, state: State) -> Tensor:
        context = self.attention(output, state["regions"], keys=state["keys"])
        return ops.tanh(self.text_projection(output) + self.context_projection(context))

    def look(self, image: Tensor, tokens: Tensor) -> Tensor:
        """Attention weights of the regions for the word after each token.

        Args:
            image: (batch, regions, features), or inputs of the encoder.
            tokens: int (batch, timesteps), the start token and the words.

        Returns:
            (batch, timesteps, regions), with a sum of one over the regions.
        """
        state = self.start(image)
        output, *_ = self.recurrent(self.embedding(tokens), initial_state=state["states"])
        return self.attention(output, state["regions"], keys=state["keys"], return_weights=True)[1]


def _dense(
    decoder: CaptionDecoder, units: int, name: str, inputs: int, activation: str | None = None
) -> Any:
    """A built dense layer with the dtype of the decoder."""
    layer = keras.layers.Dense(units, activation, name=name, dtype=decoder.dtype_policy)
    layer.build((None, inputs))
    return layer


def _split(states: Tensor, widths: list[int]) -> list[Tensor]:
    """Split (batch, sum of widths) into one tensor per width."""
    return ops.split(states, list(accumulate(widths))[:-1], axis=-1) if widths[1:] else [states]
