"""Demo sentences for tagging."""

from __future__ import annotations

from collections import Counter

from kerasseq.data.demo.tagged import TYPES, demo_sentences
from kerasseq.data.tags.schemes import mend
from kerasseq.evaluation.chunks import chunks

PARTS = demo_sentences()


def test_equal_seeds_give_equal_sentences() -> None:
    assert demo_sentences(seed=0) == PARTS
    assert demo_sentences(seed=1) != PARTS


def test_sentences_are_different_and_their_tags_keep_the_scheme() -> None:
    for rows in PARTS.values():
        assert len({*rows}) == len(rows)
        assert all(len(words) == len(tags) for words, tags in rows)
        tags = [list(tags) for _, tags in rows]
        assert mend(tags, "IOB2") == (tags, [])


def test_every_type_is_frequent_and_a_name_says_nothing_about_it() -> None:
    counts: Counter[str] = Counter()
    types_of: dict[str, list[str]] = {}
    for words, tags in PARTS["train"]:
        for chunk in chunks(tags):
            counts[chunk.type] += 1
            if chunk.end - chunk.start == 1:
                types_of.setdefault(words[chunk.start], []).append(chunk.type)
    assert {*counts} == {*TYPES}
    assert min(counts.values()) > 0.25 * counts.total()
    repeated = [types for types in types_of.values() if len(types) > 1]
    assert sum(len({*types}) > 1 for types in repeated) > len(repeated) / 2
