"""A tagger: a label for every token of a sentence, and optionally one for the whole sentence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from keras import ops

from kerasseq import layers
from kerasseq.params import Count, catalogue, count
from kerasseq.params.cost import Cost, convolution, crf, dense, over_time, table
from kerasseq.params.spec import positive_int

__all__ = ["TaggerConfig", "TaggingLoss", "emission_model", "tag_scores", "tags_of_emissions"]

_SENTENCE = "sentence"
_UNKNOWN = "unknown_words"
_RESERVED = ("words", "characters", _SENTENCE, _UNKNOWN)


class TaggingLoss(keras.losses.Loss):
    """Loss of the training model of a tagger: negative log-likelihood in nats per token.

    The true tags are inputs of that model, and its output is the loss of each sentence, summed over
    its tokens. The targets are the numbers of tokens, by which the mean over the batch is divided.

    Args:
        **kwargs: Arguments of `keras.losses.Loss`.

    Example:

    >>> import numpy as np
    >>> tokens, losses = np.array([2.0, 8.0]), np.array([1.0, 9.0])
    >>> float(TaggingLoss()(tokens, losses))
    1.0
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"name": "tagging_loss", **kwargs})

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Losses of the sentences, so that their mean is the mean over the tokens of the batch."""
        tokens = ops.mean(ops.cast(y_true, y_pred.dtype))
        return ops.reshape(y_pred, (-1,)) / ops.maximum(tokens, keras.config.epsilon())


@dataclass(frozen=True)
class TaggerConfig:
    """Config of a tagger, from which it is counted and built.

    A token is described by the embedding of its word, by a vector computed from its characters, and
    by the embeddings of further columns, all concatenated. A recurrent stack reads the sentence,
    and each column of tags has a linear layer and a CRF over the outputs of the stack.

    Args:
        words: number of words; 0 is padding, 1 the unknown word.
        tags: number of tags of each tag column, by its name.
        cell: name of the recurrent cell.
        units: width of the cell.
        depth: number of stacked recurrent layers.
        bidirectional: whether each layer runs in both directions.
        embedding: width of the word embedding.
        characters: number of characters; 0 is padding, 1 the unknown character; 0 for a tagger that
            does not read characters.
        character_encoder: "cnn" (a convolution, then the maximum over the characters), or the name
            of a cell that reads the characters in both directions.
        character_embedding: width of the character embedding.
        character_units: filters of the convolution, or width of the cell.
        character_window: characters that the convolution reads at once.
        character_dropout: dropout rate on the embedded characters.
        features: further columns by name: number of values (0 is padding) and width of the
            embedding, such as `{"casing": (6, 5), "suffix": (500, 20)}`.
        classes: number of classes of the whole sentence; 0 for none.
        crf: whether neighbouring tags are modelled by a CRF; otherwise each tag is predicted alone.
        constraints: allowed transitions of some tag columns, see `allowed` of
            `kerasseq.layers.CRF`.
        word_dropout: share of the words replaced in training by what stands for them where they
            are unknown, see `training_model`.
        embedding_dropout: dropout rate on the description of a token.
        dropout: dropout rate before the output layers.
        options: further arguments of `kerasseq.rnn`: zoneout, recurrent_dropout, ...

    Model inputs, padded on the right with 0:
        `words`, int (batch, tokens); `characters`, int (batch, tokens, characters), if there are
        characters; int (batch, tokens) of each further column, by its name.

    Model outputs, in a dict:
        NAME, int (batch, tokens), the most probable sequence of tags of each column, 0 at padding;
        NAME_marginals, (batch, tokens, tags), the probability of each tag at each token, 0 at
        padding; `sentence`, (batch, classes), the probability of each class.

    The class of a sentence is predicted from the maximum over its tokens of the recurrent outputs.
    `training_model` adds the true tags as inputs, and its output is the loss.

    Raises:
        ValueError: if values are out of range or incompatible; it names all of them.

    Example:

    >>> sizes = TaggerConfig(words=50, tags={"tag": 5}, units=4, embedding=8, characters=20)
    >>> sizes.count() == sizes.build().count_params()
    True

    Reference: Lample et al. (2016), arXiv 1603.01360; Ma & Hovy (2016), arXiv 1603.01354.
    """

    words: int
    tags: Mapping[str, int]
    cell: str = "lstm"
    units: int = 100
    depth: int = 1
    bidirectional: bool = True
    embedding: int = 100
    characters: int = 0
    character_encoder: str = "lstm"
    character_embedding: int = 25
    character_units: int = 25
    character_window: int = 3
    character_dropout: float = 0.0
    features: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    classes: int = 0
    crf: bool = True
    constraints: Mapping[str, Any] = field(default_factory=dict)
    word_dropout: float = 0.0
    embedding_dropout: float = 0.0
    dropout: float = 0.0
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("words", "units", "depth", "embedding", "character_embedding"):
            positive_int(name, getattr(self, name))
        for name in ("character_units", "character_window"):
            positive_int(name, getattr(self, name))
        faults = [*self._faults()]
        if faults:
            raise ValueError(" ".join(faults))

    def _faults(self) -> Iterator[str]:
        """What is wrong with the columns, in sentences."""
        if not self.tags:
            yield "`tags` must name at least one column of tags. Received: tags={}."
        columns = [*self.tags, *self.features]
        for name in sorted({*columns}):
            if columns.count(name) > 1 or name in _RESERVED or not name or "/" in name:
                yield (
                    "The columns of `tags` and `features` need different names, without '/' and "
                    f"other than {', '.join(_RESERVED)}. Received: {name!r}."
                )
        for name, size in self.tags.items():
            if size < 1:
                yield f"`tags` must have at least one tag a column. Received: {name}: {size!r}."
        for name, (size, width) in self.features.items():
            if size < 1 or width < 1:
                yield f"`features` must be positive sizes. Received: {name}: {(size, width)!r}."
        for name in ("characters", "classes"):
            if getattr(self, name) < 0:
                yield f"`{name}` must not be negative. Received: {name}={getattr(self, name)!r}."
        unknown = [name for name in self.constraints if name not in self.tags]
        if unknown:
            yield (
                f"`constraints` must be of columns of `tags`, {', '.join(self.tags)}. "
                f"Received: {', '.join(unknown)}."
            )
        if self.character_encoder not in ("cnn", *catalogue.names()):
            yield (
                "`character_encoder` must be 'cnn' or the name of a cell, "
                f"{', '.join(catalogue.names())}. "
                f"Received: character_encoder={self.character_encoder!r}."
            )
        if self.constraints and not self.crf:
            yield "`constraints` need transitions: leave them out, or pass crf=True."

    def count(self) -> int:
        """Number of parameters of the model."""
        return self._cost(1, 1).params

    def macs(self, tokens: int, characters: int = 1) -> int:
        """Multiply-accumulates with a weight, for one sentence.

        Args:
            tokens: tokens of the sentence.
            characters: characters of a token, padding included.

        >>> TaggerConfig(words=9, tags={"tag": 2}, cell="mingru", units=4, embedding=3).macs(10)
        760
        """
        return self._cost(tokens, characters).macs

    def _cost(self, tokens: int, characters: int) -> Cost:
        """Parameters and MACs of the model, for a sentence of `tokens` tokens."""
        recurrent = self._recurrent_count
        width = recurrent.levels[-1].output
        cost = table(self.words, self.embedding) + over_time(recurrent, tokens)
        for size, embedding in self.features.values():
            cost += table(size, embedding)
        if self.characters:
            cost += table(self.characters, self.character_embedding)
            cost += self._character_cost(characters).repeated(tokens)
        for tags in self.tags.values():
            cost += dense(width, tags, tokens)
            if self.crf:
                cost += crf(tags, tokens)
        return cost + dense(width, self.classes) if self.classes else cost

    @property
    def _recurrent_count(self) -> Count:
        """The count of the recurrent stack over the tokens."""
        inputs = self.embedding + sum(width for _, width in self.features.values())
        if self.characters:
            inputs += self._character_width
        return count(
            self.cell,
            inputs,
            self.units,
            depth=self.depth,
            bidirectional=self.bidirectional,
            **self.options,
        )

    @property
    def _character_count(self) -> Count:
        """The count of the recurrent layer over the characters."""
        width = self.character_embedding
        return count(self.character_encoder, width, self.character_units, bidirectional=True)

    @property
    def _character_width(self) -> int:
        """Width of the vector that is computed from the characters of a token."""
        if self.character_encoder == "cnn":
            return self.character_units
        return self._character_count.levels[-1].output

    def _character_cost(self, characters: int) -> Cost:
        """The cost of encoding a token of so many characters."""
        if self.character_encoder == "cnn":
            width, filters = self.character_embedding, self.character_units
            return convolution(self.character_window, width, filters, characters)
        return over_time(self._character_count, characters)

    def build(self, vectors: Any = None) -> keras.Model:
        """Build the model, untrained and not compiled; its layers have fixed names.

        Args:
            vectors: first values of the word embedding, (words, embedding); rows of NaN are drawn
                at random.

        Raises:
            ValueError: if `vectors` have another shape.
        """
        words = keras.Input((None,), dtype="int32", name="words")
        inputs = {"words": words}
        embed = keras.layers.Embedding(self.words, self.embedding, mask_zero=True, name="embedding")
        mask = embed.compute_mask(words)
        parts = [embed(words)]
        if self.characters:
            inputs["characters"] = keras.Input((None, None), dtype="int32", name="characters")
            parts.append(self._character_layer()(inputs["characters"]))
        for name, (size, width) in self.features.items():
            inputs[name] = keras.Input((None,), dtype="int32", name=name)
            parts.append(
                keras.layers.Embedding(size, width, name=f"{name}_embedding")(inputs[name])
            )
        sequence = parts[0]
        if parts[1:]:
            sequence = keras.layers.Concatenate(name="tokens")(parts)
        if self.embedding_dropout:
            drop = keras.layers.Dropout(self.embedding_dropout, name="embedding_dropout")
            sequence = drop(sequence)
        recurrent = layers.rnn(
            self.cell,
            self.units,
            depth=self.depth,
            bidirectional=self.bidirectional,
            return_sequences=True,
            name="recurrent",
            **self.options,
        )
        outputs = self._outputs(recurrent(sequence, mask=mask), mask)
        model = keras.Model(inputs, outputs, name="tagger")
        if vectors is not None:
            _set_vectors(embed, vectors)
        return model

    def _character_layer(self) -> layers.CharacterEncoder:
        """The layer that computes a vector of each token from its characters."""
        encoder: Any = None
        if self.character_encoder == "cnn":
            encoder = keras.layers.Conv1D(
                self.character_units, self.character_window, padding="same", name="encoder"
            )
        else:
            encoder = layers.rnn(
                self.character_encoder, self.character_units, bidirectional=True, name="encoder"
            )
        return layers.CharacterEncoder(
            encoder,
            characters=self.characters,
            embedding=self.character_embedding,
            dropout=self.character_dropout,
            name="character_encoder",
        )

    def _outputs(self, sequence: Any, mask: Any) -> dict[str, Any]:
        """Tags and probabilities, from the outputs of the recurrent stack."""
        pooled = layers.pool("max", name="pool")(sequence, mask=mask) if self.classes else None
        if self.dropout:
            sequence = keras.layers.Dropout(self.dropout, name="dropout")(sequence)
        outputs = {}
        for name, tags in self.tags.items():
            # The loss needs float32, as it sums over the tokens.
            emissions = keras.layers.Dense(tags, name=f"{name}_emissions", dtype="float32")(
                sequence
            )
            layer = self._tag_layer(name)
            outputs[name] = layer(emissions, mask=mask)
            outputs[f"{name}_marginals"] = layer(emissions, mask=mask, marginals=True)
        if self.classes:
            if self.dropout:
                pooled = keras.layers.Dropout(self.dropout, name="pool_dropout")(pooled)
            dense = keras.layers.Dense(self.classes, name=f"{_SENTENCE}_logits", dtype="float32")
            outputs[_SENTENCE] = keras.layers.Softmax(name=_SENTENCE, dtype="float32")(
                dense(pooled)
            )
        return outputs

    def _tag_layer(self, name: str) -> Any:
        """The layer that scores a column of tags."""
        if not self.crf:
            return layers.TagSoftmax(self.tags[name], name=f"{name}_softmax")
        return layers.CRF(self.tags[name], allowed=self.constraints.get(name), name=f"{name}_crf")

    def training_model(self, model: keras.Model) -> keras.Model:
        """The model for training, which shares its layers, and so its weights, with `model`.

        It has more inputs: NAME_target, int (batch, tokens), the true tags of each column;
        `sentence_target`, int (batch,), the class of each sentence; and `unknown_words`, int
        (batch, tokens), what stands for each word where word dropout drops it: 1, the unknown word,
        or the number of its shape. Its output, (batch,), is the
        negative log-likelihood of a sentence, in nats, summed over its tokens, its columns of tags
        and its class; see `loss`.

        Args:
            model: the model that `build` returned, or a saved one.

        Example:

        >>> sizes = TaggerConfig(words=50, tags={"tag": 5}, units=4, embedding=8)
        >>> model = sizes.build()
        >>> sorted(tensor.name for tensor in sizes.training_model(model).inputs)
        ['tag_target', 'unknown_words', 'words']
        """
        inputs = {tensor.name: tensor for tensor in model.inputs}
        mask = model.get_layer("embedding").compute_mask(inputs["words"])
        scores = self._scores(model, inputs)
        losses = []
        for name in self.tags:
            target = keras.Input((None,), dtype="int32", name=f"{name}_target")
            inputs[target.name] = target
            layer = model.get_layer(f"{name}_{'crf' if self.crf else 'softmax'}")
            losses.append(layer(scores[f"{name}_emissions"], target, mask=mask))
        if self.classes:
            target = keras.Input((), dtype="int32", name=f"{_SENTENCE}_target")
            inputs[target.name] = target
            logits = scores[f"{_SENTENCE}_logits"]
            # One class is a sequence of one tag.
            alone = layers.TagSoftmax(self.classes, name=f"{_SENTENCE}_softmax")
            losses.append(alone(logits[:, None], target[:, None]))
        total = losses[0] if not losses[1:] else keras.layers.Add(name="loss")(losses)
        return keras.Model(inputs, total, name="tagger_training")

    def _scores(self, model: keras.Model, inputs: dict[str, Any]) -> dict[str, Any]:
        """Emissions and logits for the loss, of words of which some are dropped.

        The input of what stands for the dropped words is added to `inputs`.
        """
        names = [*(f"{name}_emissions" for name in self.tags)]
        names += [f"{_SENTENCE}_logits"] * bool(self.classes)
        scores = {name: model.get_layer(name).output for name in names}
        read = {tensor.name: tensor for tensor in model.inputs}
        inputs[_UNKNOWN] = keras.Input((None,), dtype="int32", name=_UNKNOWN)
        drop = layers.TokenDropout(self.word_dropout, name="word_dropout")
        dropped = drop(read["words"], inputs[_UNKNOWN])
        scorer = keras.Model(read, scores, name="scorer")
        return dict(scorer({**read, "words": dropped}))

    def loss(self) -> TaggingLoss:
        """The loss of the training model, whose targets are the numbers of tokens, (batch,)."""
        return TaggingLoss()


def emission_model(model: keras.Model, names: Sequence[str]) -> keras.Model:
    """The scores of each tag at each token, and the class probabilities, if there are classes.

    It shares the layers of the model, and leaves the search for the best tags to its user.

    Args:
        model: a model that `TaggerConfig.build` returned, or a saved one.
        names: names of the columns of tags.

    Example:

    >>> model = TaggerConfig(words=50, tags={"tag": 5}, units=4, embedding=8).build()
    >>> emission_model(model, ["tag"]).output_shape
    (None, None, 5)
    """
    outputs = [model.get_layer(f"{name}_emissions").output for name in names]
    if _SENTENCE in model.output:
        outputs.append(model.output[_SENTENCE])
    return keras.Model(model.input, outputs, name="emissions")


def tags_of_emissions(
    model: keras.Model, names: Sequence[str], words: Any, outputs: Sequence[Any]
) -> dict[str, np.ndarray]:
    """The outputs of a tagger, from the outputs of its emission model.

    Args:
        model: a model that `TaggerConfig.build` returned, or a saved one.
        names: names of the columns of tags.
        words: the input of words, (batch, tokens).
        outputs: outputs of `emission_model(model, names)`.

    Example:

    >>> model = TaggerConfig(words=50, tags={"tag": 5}, units=4, embedding=8).build()
    >>> words = np.array([[3, 4, 0]], "int32")
    >>> scores = emission_model(model, ["tag"]).predict_on_batch({"words": words})
    >>> result = tags_of_emissions(model, ["tag"], words, [scores])
    >>> bool((result["tag"] == model.predict_on_batch({"words": words})["tag"]).all())
    True
    """
    mask = model.get_layer("embedding").compute_mask(ops.convert_to_tensor(words))
    layers_by_name = {layer.name: layer for layer in model.layers}
    result = {}
    for name, emissions in zip(names, outputs):
        layer = layers_by_name.get(f"{name}_crf") or layers_by_name[f"{name}_softmax"]
        emissions = ops.convert_to_tensor(emissions)
        result[name] = layer(emissions, mask=mask)
        result[f"{name}_marginals"] = layer(emissions, mask=mask, marginals=True)
    values = {name: ops.convert_to_numpy(each) for name, each in result.items()}
    return values | ({_SENTENCE: outputs[-1]} if len(outputs) > len(names) else {})


def tag_scores(model: keras.Model, name: str) -> dict[str, Any] | None:
    """The scores of the CRF of a column of tags, see `CRF.scores`; None for independent tags.

    Args:
        model: a model that `TaggerConfig.build` returned, or a saved one.
        name: name of the column.
    """
    layers_by_name = {layer.name: layer for layer in model.layers}
    crf_layer = layers_by_name.get(f"{name}_crf")
    if crf_layer is None:
        return None
    names = ("transitions", "start", "end")
    values = (ops.convert_to_numpy(each).tolist() for each in crf_layer.scores())
    return dict(zip(names, values, strict=True))


def _set_vectors(embed: Any, vectors: Any) -> None:
    """Give a built embedding its first values, except in rows of NaN."""
    (weights,) = embed.get_weights()
    vectors = np.asarray(vectors, dtype=weights.dtype)
    if vectors.shape != weights.shape:
        raise ValueError(
            f"`vectors` must have a row for each word, {weights.shape}. "
            f"Received: shape {vectors.shape}"
        )
    embed.set_weights([np.where(np.isnan(vectors).any(axis=1, keepdims=True), weights, vectors)])
