"""Splits are partitions, stratified, repeatable, and keep equal texts together."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedKFold, train_test_split

from kerasseq.data.classes.splits import (
    grouped_folds,
    grouped_split,
    stratified_folds,
    stratified_split,
)

LABELS = st.lists(st.sampled_from(["a", "b", "c"]), min_size=20, max_size=200).filter(
    lambda labels: len(set(labels)) > 1 and min(Counter(labels).values()) >= 5
)
FRACTIONS = st.floats(0.05, 0.5)
SEEDS = st.integers(0, 2**32 - 1)


@given(LABELS, FRACTIONS, SEEDS)
def test_a_split_is_a_stratified_partition(labels: list[str], fraction: float, seed: int) -> None:
    keep, held = stratified_split(labels, fraction, seed)
    assert sorted([*keep, *held]) == list(range(len(labels)))
    assert np.all(np.diff(keep) > 0)
    assert np.all(np.diff(held) > 0)
    whole, part = Counter(labels), Counter(labels[i] for i in held)
    for name, count in whole.items():
        assert abs(part[name] - count * len(held) / len(labels)) <= 1


@given(LABELS, FRACTIONS, SEEDS)
def test_a_split_is_repeatable(labels: list[str], fraction: float, seed: int) -> None:
    first, second = (stratified_split(labels, fraction, seed) for _ in range(2))
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])


def test_seeds_give_different_splits() -> None:
    held = {tuple(stratified_split(["a", "b"] * 50, 0.1, seed)[1]) for seed in range(5)}
    assert len(held) == 5


def test_without_groups_it_is_the_split_of_scikit_learn() -> None:
    labels = ["a", "b", "b"] * 30
    _, expected = train_test_split(np.arange(90), test_size=0.13, random_state=3, stratify=labels)
    np.testing.assert_array_equal(stratified_split(labels, 0.13, 3)[1], np.sort(expected))


@given(st.data(), LABELS, FRACTIONS, SEEDS)
def test_groups_do_not_straddle(
    data: st.DataObject, labels: list[str], fraction: float, seed: int
) -> None:
    texts = data.draw(st.lists(st.integers(0, 60), min_size=len(labels), max_size=len(labels)))
    groups = [f"{label} {text}" for label, text in zip(labels, texts)]
    sizes = Counter(group[0] for group in set(groups))
    assume(len(sizes) > 1 and min(sizes.values()) >= 4)
    keep, held = stratified_split(labels, fraction, seed, groups=groups)
    assert sorted([*keep, *held]) == list(range(len(labels)))
    assert not {groups[i] for i in keep} & {groups[i] for i in held}


def test_one_text_with_two_labels_stays_together() -> None:
    groups = [f"text {i // 2}" for i in range(40)]
    labels = ["a", "b"] * 10 + ["b", "b"] * 10
    keep, held = stratified_split(labels, 0.25, 0, groups=groups)
    assert not {groups[i] for i in keep} & {groups[i] for i in held}


def test_at_least_one_example_per_class_is_held_out() -> None:
    keep, held = stratified_split(["a", "b"] * 4, 0.01, 0)
    assert (len(keep), len(held)) == (6, 2)


@given(LABELS, st.integers(2, 5), SEEDS)
def test_folds_are_those_of_scikit_learn(labels: list[str], folds: int, seed: int) -> None:
    pairs = stratified_folds(labels, folds, seed)
    splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
    expected = list(splitter.split(labels, labels))
    assert len(pairs) == len(expected) == folds
    for pair, other in zip(pairs, expected):
        np.testing.assert_array_equal(pair[0], other[0])
        np.testing.assert_array_equal(pair[1], other[1])
    assert sorted(i for _, test in pairs for i in test) == list(range(len(labels)))


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5])
def test_a_fraction_is_between_0_and_1(fraction: float) -> None:
    with pytest.raises(ValueError, match=rf"fraction must lie .* fraction={fraction}"):
        stratified_split(["a", "b"] * 4, fraction, 0)


def test_too_few_examples_are_named() -> None:
    with pytest.raises(ValueError, match="class 'b' has only 1 different example, and at least 2"):
        stratified_split(["a"] * 5 + ["b"], 0.2, 0)
    with pytest.raises(ValueError, match="class 'b' has only 1 different example"):
        stratified_split(["a"] * 5 + ["b"] * 5, 0.2, 0, groups=[*"12345", *"66666"])
    with pytest.raises(ValueError, match="at least two classes are needed"):
        stratified_split(["a"] * 5, 0.2, 0)
    with pytest.raises(ValueError, match="class 'b' has only 2 different examples, and at least 3"):
        stratified_folds(["a"] * 5 + ["b"] * 2, 3, 0)


def test_a_class_whose_texts_are_shared_with_a_larger_one_is_on_both_sides() -> None:
    labels = ["English"] * 60 + ["Scottish"] * 10
    groups = [*range(60), *range(10)]  # each Scottish name is an English one, too
    keep, held = stratified_split(labels, 0.2, 0, groups=groups)
    for rows in (keep, held):
        assert {labels[i] for i in rows} == {"English", "Scottish"}
    assert not {groups[i] for i in keep} & {groups[i] for i in held}


@pytest.mark.parametrize("seed", range(4))
def test_a_class_of_one_group_can_be_spared(seed: int) -> None:
    labels = [*"aaaaaaaab", *"bc"]
    groups = [*"12345678", "x", "x", "y"]
    keep, held = stratified_split(labels, 0.2, seed, groups=groups, spare=True)
    assert {8, 9, 10} <= {*keep.tolist()}
    assert sorted([*keep, *held]) == list(range(len(labels)))
    assert len(held) == 2
    with pytest.raises(ValueError, match="2 different examples beside x of 2 classes are too few"):
        stratified_split(["a", "b"], 0.2, 0, spare=True, among=" beside x")


@given(LABELS, FRACTIONS, SEEDS)
def test_sparing_changes_nothing_where_no_class_is_alone(
    labels: list[str], fraction: float, seed: int
) -> None:
    spared = stratified_split(labels, fraction, seed, spare=True)
    for one, other in zip(spared, stratified_split(labels, fraction, seed)):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("names", [(3, 1), (True, False), (0.5, 0.25)])
def test_labels_need_not_be_text(names: tuple[Any, Any]) -> None:
    labels = [names[i % 3 == 0] for i in range(30)]
    text = [str(label) for label in labels]
    for one, other in zip(stratified_split(labels, 0.2, 0), stratified_split(text, 0.2, 0)):
        np.testing.assert_array_equal(one, other)
    for pair, others in zip(stratified_folds(labels, 3, 0), stratified_folds(text, 3, 0)):
        np.testing.assert_array_equal(pair[1], others[1])


def test_a_split_with_no_room_for_all_classes_is_refused() -> None:
    with pytest.raises(ValueError, match="4 different examples of 2 classes are too few"):
        stratified_split(["a", "a", "b", "b"], 0.9, 0)


def test_arguments_are_checked() -> None:
    with pytest.raises(ValueError, match="groups must have one entry per label"):
        stratified_split(["a", "b"] * 4, 0.2, 0, groups=["x"])
    with pytest.raises(ValueError, match="folds must be at least 2"):
        stratified_folds(["a", "b"] * 4, 1, 0)


@given(
    st.lists(st.sampled_from("abcdefgh"), min_size=2, max_size=40),
    st.floats(0.05, 0.95),
    st.integers(0, 5),
)
def test_groups_stay_on_one_side(groups: list[str], fraction: float, seed: int) -> None:
    if len({*groups}) < 2:
        with pytest.raises(ValueError, match="there is 1 different example, and at least 2"):
            grouped_split(groups, fraction, seed)
        return
    keep, held = grouped_split(groups, fraction, seed)
    assert sorted([*keep, *held]) == [*range(len(groups))]
    kept_groups, held_groups = ({groups[i] for i in rows} for rows in (keep, held))
    assert not kept_groups & held_groups
    assert abs(len(held_groups) - fraction * len({*groups})) <= 1
    again = grouped_split(groups, fraction, seed)
    assert np.array_equal(again[1], held)


@pytest.mark.parametrize("folds", [2, 3, 4])
def test_each_group_is_in_one_fold(folds: int) -> None:
    groups = "abcdabcde"
    pairs = grouped_folds(groups, folds, seed=0)
    held = [{groups[i] for i in test} for _, test in pairs]
    assert sorted(group for part in held for group in part) == list("abcde")
    for (train, test), part in zip(pairs, held):
        assert sorted([*train, *test]) == [*range(9)]
        assert part.isdisjoint(groups[i] for i in train)
    with pytest.raises(ValueError, match="and at least 6 are needed to make 6 folds"):
        grouped_folds(groups, 6, seed=0)
