"""N-grams are the sets they should be; their ratios are those of the paper."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseq.data.text import ngrams
from kerasseq.data.text.ngrams import NgramEncoder

# 1 is the unknown token.
ROWS = st.lists(st.lists(st.integers(1, 9), max_size=12), max_size=12)
ORDERS = st.integers(1, 3)


def _sets(rows: list[list[int]], order: int) -> list[set[tuple[int, ...]]]:
    return [
        {
            tuple(row[i : i + n])
            for n in range(1, order + 1)
            for i in range(len(row) - n + 1)
            if 1 not in row[i : i + n]
        }
        for row in rows
    ]


def _numbers(
    rows: list[list[int]], order: int, min_count: int, size: int
) -> dict[tuple[int, ...], int]:
    counts = Counter(gram for grams in _sets(rows, order) for gram in grams)
    # Codes put short n-grams before long ones, and compare tokens from the left.
    ranked = sorted(
        (gram for gram, count in counts.items() if count >= min_count),
        key=lambda gram: (-counts[gram], len(gram), gram),
    )
    return {gram: number for number, gram in enumerate(ranked[:size], 1)}


@given(ROWS, ROWS, ORDERS, st.integers(1, 3), st.integers(1, 30), st.integers(1, 15))
def test_each_row_is_the_set_of_its_ngrams(
    rows: list[list[int]], new: list[list[int]], order: int, min_count: int, size: int, width: int
) -> None:
    encoder = NgramEncoder(order, min_count, size, width).fit(rows)
    known = _numbers(rows, order, min_count, size)
    assert encoder.size == len(known)
    expected = [sorted(known[g] for g in s if g in known) for s in _sets(rows + new, order)]
    longest = max(map(len, expected[: len(rows)]), default=0)
    assert encoder.width == max(1, min(width, longest))
    encoded = encoder.encode(rows + new)
    assert encoded.shape == (len(rows) + len(new), encoder.width)
    assert encoded.dtype == np.int32
    for found, numbers in zip(encoded.tolist(), expected):
        kept = numbers[-encoder.width :]
        assert found == kept + [0] * (encoder.width - len(kept))


@given(ROWS, ROWS, ORDERS, st.integers(1, 2))
def test_each_token_has_the_ngrams_that_end_there(
    rows: list[list[int]], new: list[list[int]], order: int, min_count: int
) -> None:
    encoder = NgramEncoder(order, min_count).fit(rows)
    known = _numbers(rows, order, min_count, 300_000)
    found = encoder.ending(rows + new)
    assert len(found) == len(rows) + len(new)
    for row, numbers in zip(rows + new, found):
        assert numbers.shape == (len(row), order)
        for end in range(len(row)):
            for n in range(1, order + 1):
                gram = tuple(row[end + 1 - n : end + 1]) if end + 1 >= n else None
                assert numbers[end, n - 1] == known.get(gram, 0)


@given(ROWS, ORDERS, st.integers(1, 20))
def test_batches_change_nothing(rows: list[list[int]], order: int, batch: int) -> None:
    whole = NgramEncoder(order).fit(rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ngrams, "_BATCH", batch)
        parts = NgramEncoder(order).fit(rows)
        assert parts.state() == whole.state()
        np.testing.assert_array_equal(parts.encode(rows), whole.encode(rows))
        for one, other in zip(parts.ending(rows), whole.ending(rows), strict=True):
            np.testing.assert_array_equal(one, other)


@given(ROWS, ROWS, ORDERS)
def test_the_state_gives_the_same_numbers(
    rows: list[list[int]], new: list[list[int]], order: int
) -> None:
    encoder = NgramEncoder(order, width=5).fit(rows)
    again = NgramEncoder.from_state(json.loads(json.dumps(encoder.state())))
    assert (again.size, again.width) == (encoder.size, encoder.width)
    np.testing.assert_array_equal(again.encode(rows + new), encoder.encode(rows + new))
    for one, other in zip(again.ending(new), encoder.ending(new), strict=True):
        np.testing.assert_array_equal(one, other)


@st.composite
def _labelled(draw: st.DrawFn) -> tuple[list[list[int]], list[int], int]:
    classes = draw(st.integers(2, 4))
    rows = draw(st.lists(st.lists(st.integers(2, 6), max_size=8), min_size=1, max_size=15))
    sizes = {"min_size": len(rows), "max_size": len(rows)}
    return rows, draw(st.lists(st.integers(0, classes - 1), **sizes)), classes


@given(_labelled(), st.sampled_from([0.5, 1.0, 2.0]))
def test_ratios_are_those_of_the_paper(
    labelled: tuple[list[list[int]], list[int], int], alpha: float
) -> None:
    rows, labels, classes = labelled
    encoder = NgramEncoder(order=2).fit(rows)
    ids = encoder.encode(rows)
    ratios = encoder.log_ratios(ids, labels, classes, alpha)
    outputs = [1] if classes == 2 else range(classes)
    assert ratios.shape == (encoder.size + 1, len(outputs))
    assert ratios.dtype == np.float32
    # Wang and Manning (2012), section 2.1, with binarised counts f.
    f = np.zeros((len(rows), encoder.size))
    for i, row in enumerate(ids):
        f[i, row[row > 0] - 1] = 1
    y = np.array(labels)
    for column, positive in enumerate(outputs):
        p = alpha + f[y == positive].sum(axis=0)
        q = alpha + f[y != positive].sum(axis=0)
        expected = np.log((p / np.abs(p).sum()) / (q / np.abs(q).sum()))
        np.testing.assert_allclose(ratios[1:, column], expected, rtol=1e-5, atol=1e-6)
        assert ratios[0, column] == 0


def test_what_does_not_fit_is_the_most_frequent() -> None:
    encoder = NgramEncoder(order=1, width=2).fit([[2, 3, 4], [2, 3], [2]])
    assert encoder.encode([[2, 3, 4]]).tolist() == [[2, 3]]


def test_tokens_beyond_those_fitted_on_form_no_ngram() -> None:
    encoder = NgramEncoder(order=2).fit([[2, 3]])
    assert encoder.encode([[2, 3, 1_000_000_007]]).tolist() == [[1, 2, 3]]


def test_nothing_known_gives_rows_of_padding() -> None:
    encoder = NgramEncoder(min_count=2).fit([[2], [3]])
    assert encoder.size == 0
    assert encoder.encode([[2, 3]]).tolist() == [[0]]
    assert encoder.ending([[2]])[0].tolist() == [[0, 0]]


@pytest.mark.parametrize("order", [0, 6])
def test_the_order_is_1_to_5(order: int) -> None:
    with pytest.raises(ValueError, match=f"order must be 1 to 5. Received: order={order}"):
        NgramEncoder(order)


@pytest.mark.parametrize("name", ["min_count", "size", "width"])
def test_settings_are_checked(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least 1. Received: {name}=0"):
        NgramEncoder(**{name: 0})


def test_too_many_tokens_for_the_order_are_refused() -> None:
    with pytest.raises(ValueError, match="token numbers must be below 1048576 for order=3"):
        NgramEncoder(3).fit([[1 << 20]])
    assert NgramEncoder(3).fit([[(1 << 20) - 1]] * 3).size == 1


def test_arguments_of_log_ratios_are_checked() -> None:
    encoder = NgramEncoder(1).fit([[2], [3]])
    ids = encoder.encode([[2], [3]])
    with pytest.raises(TypeError, match=r"ids must be the n-gram numbers that encode\(\) gives"):
        encoder.log_ratios([[2], [3]], [0, 1], 2)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="labels must be 2 class numbers, from 0 to 1"):
        encoder.log_ratios(ids, [0, 2], 2)
    with pytest.raises(ValueError, match=r"labels must be 2 class numbers.*Received: 1 labels"):
        encoder.log_ratios(ids, [0], 2)
    with pytest.raises(ValueError, match="classes must be at least 2"):
        encoder.log_ratios(ids, [0, 0], 1)
    with pytest.raises(ValueError, match="alpha must be above 0"):
        encoder.log_ratios(ids, [0, 1], 2, alpha=0)
