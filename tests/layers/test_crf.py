"""The CRF against an enumeration of all paths, in NumPy and float64."""

from __future__ import annotations

import functools
import importlib
import itertools
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from kerasseq import kernels
from kerasseq.kernels import linear_chain
from kerasseq.layers import CRF, TagSoftmax
from kerasseq.params import report
from tests.cells.gradients import differences
from tests.layers.harness import array, assert_close
from tests.thorough import examples, first_of, is_thorough, one_in

BACKEND = keras.backend.backend()


@pytest.fixture(scope="module", autouse=True, params=["extension", "loop"])
def sums(request: pytest.FixtureRequest) -> Iterator[None]:
    """Sums over all paths in C++, and in operations of Keras."""
    with kernels.portable() if request.param == "loop" else nullcontext():
        if linear_chain.runs_in_extension() != (request.param == "extension"):
            pytest.skip("the extension was not built")
        yield


@dataclass(frozen=True)
class Chain:
    """A batch of emissions and tags, the weights of a CRF, and what it allows."""

    emissions: np.ndarray
    tags: np.ndarray
    mask: np.ndarray
    transitions: np.ndarray
    start: np.ndarray
    end: np.ndarray
    allowed: np.ndarray

    @property
    def weights(self) -> list[np.ndarray]:
        return [self.transitions, self.start, self.end]

    def layer(self, **options: Any) -> CRF:
        layer = CRF(self.emissions.shape[-1], allowed=self.allowed, **options)
        layer.build(self.emissions.shape)
        layer.set_weights(self.weights)
        return layer

    def run(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Losses, tags and marginals, from a compiled model."""
        is_portable = kernels.is_portable()
        model = _model(self.emissions.shape[1:], self.allowed.tobytes(), is_portable)
        model.set_weights(self.weights)
        inputs = [self.emissions, self.tags, self.mask]
        loss, tags, marginals = model.predict_on_batch(inputs)
        return np.asarray(loss), np.asarray(tags), np.asarray(marginals)

    def paths(self, row: int) -> dict[tuple[int, ...], float]:
        """The score of each allowed path over the unmasked timesteps of a row."""
        emissions = self.emissions[row, self.mask[row]]
        tags = range(emissions.shape[-1])
        scores = {}
        for path in itertools.product(tags, repeat=len(emissions)):
            steps = [(-1, path[0]), *itertools.pairwise(path), (path[-1], -1)] if path else []
            if all(self.allowed[before, after] for before, after in steps):
                score = sum(emissions[place, tag] for place, tag in enumerate(path))
                score += sum(self.transitions[pair] for pair in itertools.pairwise(path))
                score += self.start[path[0]] + self.end[path[-1]] if path else 0
                scores[path] = float(score)
        return scores

    def gold(self, row: int) -> tuple[int, ...]:
        return tuple(self.tags[row, self.mask[row]].tolist())

    def loss(self, row: int) -> float:
        paths = self.paths(row)
        return float(np.logaddexp.reduce([*paths.values()])) - paths[self.gold(row)]

    def marginals(self) -> np.ndarray:
        result = np.zeros(self.emissions.shape)
        for row, mask in enumerate(self.mask):
            paths = self.paths(row)
            total = np.logaddexp.reduce([*paths.values()])
            for path, score in paths.items():
                result[row, np.flatnonzero(mask), path] += np.exp(score - total)
        return result


@functools.cache
def _model(shape: tuple[int, int], allowed: bytes, is_portable: bool) -> keras.Model:
    """Losses, tags and marginals of a CRF; compiled once for each shape and set of constraints."""
    time, width = shape
    emissions, tags = keras.Input(shape), keras.Input((time,), dtype="int32")
    mask = keras.Input((time,), dtype="bool")
    layer = CRF(width, allowed=np.frombuffer(allowed, bool).reshape(width + 1, width + 1))
    loss = layer(emissions, tags, mask=mask)
    outputs = [loss, layer(emissions, mask=mask), layer(emissions, mask=mask, marginals=True)]
    return keras.Model([emissions, tags, mask], outputs)


@functools.cache
def _trained(shape: tuple[int, int, int], allowed: bytes, is_portable: bool) -> keras.Model:
    """A model whose first weights are the emissions, and which steps by the gradient."""
    rows, time, width = shape
    ids, tags = keras.Input((time,), dtype="int32"), keras.Input((time,), dtype="int32")
    mask = keras.Input((time,), dtype="bool")
    layer = CRF(width, allowed=np.frombuffer(allowed, bool).reshape(width + 1, width + 1))
    emissions = keras.layers.Embedding(rows * time, width)(ids)
    model = keras.Model([ids, tags, mask], layer(emissions, tags, mask=mask))
    model.compile(keras.optimizers.SGD(1.0), lambda _, losses: ops.sum(losses))
    return model


ROWS = 3
CONSTRAINED = np.array([[1, 1, 0, 1], [0, 1, 1, 0], [1, 0, 0, 1], [1, 1, 0, 0]], bool)
# Timesteps, and what is allowed.
CASES = [(5, CONSTRAINED), (5, np.ones((4, 4), bool)), (1, CONSTRAINED), (4, np.ones((2, 2), bool))]


@st.composite
def chains(draw: st.DrawFn, scale: float | None = None) -> Chain:
    """Chains of any mask; the tags of each row are an allowed path."""
    time, allowed = draw(st.sampled_from(CASES if is_thorough() else CASES[::2]))
    width = len(allowed) - 1
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scale = draw(st.sampled_from([0.0, 1.0, 30.0])) if scale is None else scale
    row = st.lists(st.booleans(), min_size=time, max_size=time)

    def scores(*shape: int) -> np.ndarray:
        return (scale * rng.normal(size=shape)).astype("float32")

    chain = Chain(
        scores(ROWS, time, width),
        rng.integers(-1, 9, (ROWS, time)).astype("int32"),  # any number where masked
        np.array(draw(st.lists(row, min_size=ROWS, max_size=ROWS))),
        scores(width, width),
        scores(width),
        scores(width),
        allowed,
    )
    for row, mask in enumerate(chain.mask):
        paths = [*chain.paths(row)]
        chain.tags[row, mask] = paths[rng.integers(len(paths))]
    return chain


@given(chains())
@examples(60)
def test_the_loss_is_that_of_all_paths(chain: Chain) -> None:
    expected = [chain.loss(row) for row in range(ROWS)]
    np.testing.assert_allclose(chain.run()[0], expected, rtol=1e-4, atol=1e-4)


@given(chains())
@examples(60)
def test_the_tags_are_those_of_the_best_path(chain: Chain) -> None:
    tags = chain.run()[1]
    assert (tags[~chain.mask] == 0).all()
    for row, mask in enumerate(chain.mask):
        paths = chain.paths(row)
        assert paths[tuple(tags[row, mask].tolist())] >= max(paths.values()) - 1e-3


@given(chains())
@examples(60)
def test_marginals_are_those_of_all_paths(chain: Chain) -> None:
    np.testing.assert_allclose(chain.run()[2], chain.marginals(), atol=1e-4)


def _gradients(chain: Chain) -> list[np.ndarray]:
    """Gradients of the sum of the losses in emissions and weights, by a compiled training step."""
    rows, time, width = chain.emissions.shape
    is_portable = kernels.is_portable()
    model = _trained(chain.emissions.shape, chain.allowed.tobytes(), is_portable)
    before = [chain.emissions.reshape(-1, width), *chain.weights]
    model.set_weights(before)
    numbers = np.arange(rows * time, dtype="int32").reshape(rows, time)
    model.train_on_batch([numbers, chain.tags, chain.mask], np.zeros(rows, "float32"))
    return [old - new for old, new in zip(before, model.get_weights())]


@given(chains(scale=1.0))
@examples(15)
def test_gradients_are_those_of_finite_differences(chain: Chain) -> None:
    def loss(*scores: np.ndarray) -> float:
        moved = Chain(scores[0], chain.tags, chain.mask, *scores[1:], chain.allowed)
        return sum(moved.loss(row) for row in range(ROWS))

    scores = [chain.emissions, *chain.weights]
    expected = differences(loss, [score.astype("float64") for score in scores])
    expected[0] = expected[0].reshape(-1, chain.emissions.shape[-1])
    for gradient, reference in zip(_gradients(chain), expected, strict=True):
        np.testing.assert_allclose(gradient, reference, atol=2e-5)


def _random(rows: int, time: int, width: int, scale: float = 1.0) -> Chain:
    rng = np.random.default_rng(0)
    return Chain(
        (scale * rng.normal(size=(rows, time, width))).astype("float32"),
        rng.integers(0, width, (rows, time)).astype("int32"),
        np.ones((rows, time), bool),
        *(rng.normal(size=shape).astype("float32") for shape in ((width, width), width, width)),
        np.ones((width + 1, width + 1), bool),
    )


def _loss_in_float64(chain: Chain) -> float:
    """The loss of the first row, by the forward algorithm in float64."""
    emissions, tags = chain.emissions[0].astype("float64"), chain.tags[0]
    transitions = chain.transitions.astype("float64")
    state = chain.start + emissions[0]
    for row in emissions[1:]:
        state = row + np.logaddexp.reduce(state[:, None] + transitions, axis=0)
    score = emissions[np.arange(len(tags)), tags].sum() + transitions[tags[:-1], tags[1:]].sum()
    score += chain.start[tags[0]] + chain.end[tags[-1]]
    return float(np.logaddexp.reduce(state + chain.end) - score)


@pytest.mark.parametrize("probable", [False, True])
def test_ten_thousand_tokens_keep_their_digits(probable: bool) -> None:
    chain = _random(1, 10_000, 5, scale=20.0)
    if probable:  # a small loss, the difference of two large scores
        chain = replace(chain, tags=chain.emissions.argmax(axis=-1).astype("int32"))
    layer = chain.layer()
    emissions, tags = keras.Input((None, 5)), keras.Input((None,), dtype="int32")
    model = keras.Model([emissions, tags], layer(emissions, tags))
    loss = model.predict([chain.emissions, chain.tags], verbose=0)
    assert float(loss[0]) == pytest.approx(_loss_in_float64(chain), rel=1e-5, abs=1e-3)


@pytest.mark.parametrize("scale", first_of([2000.0, 200.0]))
def test_scores_that_disagree_by_hundreds_of_nats_give_finite_gradients(scale: float) -> None:
    chain = _random(ROWS, 5, 3, scale)
    gradients = _gradients(chain)
    assert all(np.isfinite(gradient).all() for gradient in gradients)
    # As many tags, transitions, starts and ends in the tags as in expectation.
    assert [float(gradient.sum()) for gradient in gradients] == pytest.approx([0] * 4, abs=1e-3)


def test_a_score_far_behind_still_wins_where_nothing_else_is_allowed() -> None:
    allowed = np.ones((4, 4), bool)
    allowed[:3, 2], allowed[1, 2] = False, True  # tag 2 follows tag 1 alone
    emissions = np.array([[[0, -150, 0], [0, 0, 400]]], "float32")
    layer = CRF(3, allowed=allowed)
    tags, marginals = array(layer(emissions)), array(layer(emissions, marginals=True))
    assert tags.tolist() == [[1, 2]]
    assert_close(marginals[0], np.array([[0, 1, 0], [0, 0, 1]], "float32"))
    assert_close(layer(emissions, tags), np.zeros(1, "float32"))


def test_forbidden_tags_cost_much_and_break_nothing() -> None:
    allowed = np.ones((3, 3), bool)
    allowed[0, 1] = False
    loss = array(CRF(2, allowed=allowed)(np.zeros((1, 2, 2), "float32"), np.array([[0, 1]])))
    assert np.isfinite(loss).all()
    assert loss[0] > 1000


def test_padding_changes_nothing() -> None:
    chain = _random(2, 4, 3)
    layer = chain.layer()
    padding = np.ones((2, 3, 3), "float32")
    emissions = np.concatenate([chain.emissions, padding], axis=1)
    tags = np.pad(chain.tags, [(0, 0), (0, 3)])
    mask = np.arange(7)[None] < np.array([[4], [4]])
    assert_close(layer(emissions, tags, mask=mask), layer(chain.emissions, chain.tags))
    for marginals in (False, True):
        wide = array(layer(emissions, mask=mask, marginals=marginals))
        assert_close(wide[:, :4], layer(chain.emissions, marginals=marginals))
        assert (wide[:, 4:] == 0).all()


def test_the_mask_of_an_embedding_counts() -> None:
    words = np.array([[1, 2, 0], [3, 0, 0]])
    embedding, layer = keras.layers.Embedding(4, 2, mask_zero=True), CRF(2)
    emissions, tags = embedding(words), np.zeros((2, 3), "int32")
    mask = embedding.compute_mask(words)
    plain = ops.convert_to_tensor(array(emissions))
    assert_close(layer(emissions, tags), layer(plain, tags, mask=mask))
    assert_close(layer(emissions), layer(plain, mask=mask))


@pytest.mark.parametrize("policy", one_in(2, ["mixed_float16", "mixed_bfloat16", "float16"]))
def test_half_precision_is_summed_in_float32(policy: str) -> None:
    chain = _random(2, 20, 3, scale=10.0)
    half = keras.backend.standardize_dtype("bfloat16" if policy.endswith("bfloat16") else "float16")
    emissions = ops.cast(chain.emissions, half)
    rounded = array(ops.cast(emissions, "float32"))
    expected = chain.layer()(rounded, chain.tags)
    layer = chain.layer(dtype=policy)
    loss = layer(emissions, chain.tags)
    assert keras.backend.standardize_dtype(loss.dtype) == "float32"
    assert_close(loss, expected, 1e-3 if policy == "float16" else 1e-6)
    assert_close(CRF.from_config(chain.layer().get_config())(emissions),
                 CRF(3, allowed=chain.allowed)(rounded))  # fmt: skip


def _two_models(layer: Any, width: int = 3) -> tuple[keras.Model, keras.Model]:
    """A model that predicts and one to train, of unknown length, with the same weights."""
    words = keras.Input((None,), dtype="int32", name="words")
    tags = keras.Input((None,), dtype="int32", name="tags")
    emissions = keras.layers.Embedding(20, width, mask_zero=True)(words)
    return keras.Model(words, layer(emissions)), keras.Model([words, tags], layer(emissions, tags))


@pytest.mark.parametrize("kind", first_of([CRF, TagSoftmax]))
def test_it_learns_compiled_at_any_length_and_comes_back(kind: Any, tmp_path: Path) -> None:
    predict, train = _two_models(kind(3))
    train.compile(keras.optimizers.Adam(0.1), lambda _, losses: ops.mean(losses))
    rng = np.random.default_rng(0)
    for time in (4, 7, 4, 5) * 6:
        words = rng.integers(1, 20, (16, time)).astype("int32")
        words[::3, time - 2 :] = 0
        train.train_on_batch([words, words % 3], np.zeros(16, "float32"))
    words = np.arange(20, dtype="int32")[None, 1:]
    assert (predict.predict(words, verbose=0) == words % 3).mean() > 0.9
    predict.save(tmp_path / "tagger.keras")
    loaded = keras.models.load_model(tmp_path / "tagger.keras")
    np.testing.assert_array_equal(loaded.predict(words, verbose=0), predict(words))


@pytest.mark.thorough
@pytest.mark.skipif(BACKEND != "tensorflow", reason="XLA is TensorFlow's option here")
def test_xla_compiles_the_loop() -> None:
    tf = importlib.import_module("tensorflow")
    chain = _random(2, 6, 3)
    layer = chain.layer()
    assert layer.supports_jit == kernels.is_portable()
    if not layer.supports_jit:
        return

    def step(emissions: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(emissions)
            loss = layer(emissions, chain.tags)
        predictions = layer(emissions), layer(emissions, marginals=True)
        return loss, tape.gradient(loss, emissions), *predictions

    emissions = tf.constant(chain.emissions)
    compiled, plain = (tf.function(step, jit_compile=jit)(emissions) for jit in (True, False))
    assert_close(compiled, plain)


def test_a_second_derivative_is_refused() -> None:
    transitions, mask = ops.zeros((2, 2)), ops.ones((1, 3), "bool")
    unary = ops.convert_to_tensor(np.ones((1, 3, 2), "float32"))

    def total(unary: Any) -> Any:
        return ops.sum(linear_chain.log_partition(unary, transitions, mask))

    with pytest.raises(Exception, match="has first derivatives only"):
        _twice(total, unary)


def _twice(total: Any, x: Any) -> None:
    """The gradient of the norm of a gradient."""
    if BACKEND == "tensorflow":
        tf = importlib.import_module("tensorflow")
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                value = total(x)
            norm = tf.reduce_sum(inner.gradient(value, x) ** 2)
        outer.gradient(norm, x)
    elif BACKEND == "jax":
        jax = importlib.import_module("jax")
        jax.grad(lambda x: (jax.grad(total)(x) ** 2).sum())(x)
    else:
        torch = importlib.import_module("torch")
        x = x.detach().requires_grad_()
        (slope,) = torch.autograd.grad(total(x), x, create_graph=True)
        torch.autograd.grad((slope**2).sum(), x)


def test_without_transitions_a_crf_is_a_softmax() -> None:
    chain = _random(3, 5, 4)
    crf, softmax = CRF(4), TagSoftmax(4)
    mask = np.arange(5)[None] < np.array([[5], [3], [0]])
    for arguments in ({"tags": chain.tags}, {}, {"marginals": True}):
        assert_close(
            softmax(chain.emissions, mask=mask, **arguments),
            crf(chain.emissions, mask=mask, **arguments),
        )


def test_its_parameters_are_reported() -> None:
    layer = CRF(5)
    layer.build((None, None, 5))
    (entry,) = report(layer).entries
    assert (entry.class_name, entry.weights) == ("CRF", ((5, 5), (5,), (5,)))
    assert entry.params == 5 * 5 + 2 * 5


@pytest.mark.parametrize("kind", [CRF, TagSoftmax])
def test_a_number_of_tags_is_positive_and_that_of_the_emissions(kind: Any) -> None:
    with pytest.raises(ValueError, match=r"`tags` must be a positive integer.*tags=0"):
        kind(0)
    with pytest.raises(ValueError, match=r"one score for each of 3 tags.*\(1, 2, 4\)"):
        kind(3)(np.ones((1, 2, 4), "float32"))


def test_constraints_that_cannot_be_are_named() -> None:
    with pytest.raises(ValueError, match=r"matrix of 4 x 4 booleans.*shape \(3, 3\)"):
        CRF(3, allowed=np.ones((3, 3)))
    nothing = np.ones((4, 4), bool)
    nothing[-1] = False
    with pytest.raises(ValueError, match="at least one tag start a sequence"):
        CRF(3, allowed=nothing)
