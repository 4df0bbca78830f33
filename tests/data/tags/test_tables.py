"""Tagged sentences in tables of three forms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from kerasseq.data.tags.tables import Roles, read_frame

TOKENS = [["Ada", "ran"], ["In", "Rome", "."]]
TAGS = [["B-PER", "O"], ["O", "B-LOC", "O"]]


def _long(**names: str) -> pd.DataFrame:
    flat = [(number, *pair) for number, rows in enumerate(zip(TOKENS, TAGS)) for pair in zip(*rows)]
    return pd.DataFrame(flat, columns=["sentence_id", "token", "tag"]).rename(columns=names)


FORMS = {
    "long": _long(),
    "other names": _long(sentence_id="Sentence #", token="Word", tag="Tag").assign(POS="NN"),
    "the first row alone names a sentence": _long().assign(
        sentence_id=["Sentence: 1", None, "Sentence: 2", None, None]
    ),
    "rows of a sentence apart": _long().iloc[[0, 2, 1, 3, 4]],
    "lists": pd.DataFrame({"id": [0, 1], "tokens": TOKENS, "ner_tags": TAGS}),
    "arrays": pd.DataFrame(
        {"tokens": [np.array(t) for t in TOKENS], "tags": [np.array(t) for t in TAGS]}
    ),
    "texts that show arrays": pd.DataFrame(
        {
            "tokens": [str(np.array(t)) for t in TOKENS],
            "tags": [str(np.array(t)) for t in TAGS],
        }
    ),
    "texts that show lists": pd.DataFrame({"tokens": map(str, TOKENS), "tags": map(str, TAGS)}),
    "words between spaces": pd.DataFrame(
        {"words": map(" ".join, TOKENS), "slots": map(" ".join, TAGS), "intent": ["a", "b"]}
    ),
    "spans": pd.DataFrame(
        {"text": ["Ada ran", "In Rome."], "entities": [[[0, 3, "PER"]], [[3, 7, "LOC"]]]}
    ),
    "spans as texts": pd.DataFrame(
        {"text": ["Ada ran", "In Rome."], "spans": ["[[0, 3, 'PER']]", '[[3, 7, "LOC"]]']}
    ),
    "arrays of tuples": pd.DataFrame(
        {
            "text": ["Ada ran", "In Rome."],
            "spans": [
                ((np.int64(0), np.int64(3), "PER"),),
                np.array([np.array([3, 7, "LOC"], dtype=object), None], dtype=object)[:1],
            ],
        }
    ),
    "mappings": pd.DataFrame(
        {
            "text": ["Ada ran", "In Rome."],
            "label": [
                [{"start": 0, "end": 3, "label": "PER"}],
                [{"start_offset": 3, "end_offset": 7, "entity_group": "LOC"}],
            ],
        }
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_forms_of_a_table(name: str) -> None:
    sentences, _, notes = read_frame(FORMS[name], Roles(), "the table")
    assert sentences.tokens == TOKENS
    assert sentences.tags == TAGS
    assert notes


def test_columns_may_be_named_and_further_ones_read() -> None:
    frame = _long(token="said", tag="meant", sentence_id="turn").assign(pos=list("abcde"))
    roles = Roles("said", "meant", "turn", ("pos",))
    sentences, used, _ = read_frame(frame, roles, "the table")
    assert sentences.tags == TAGS
    assert sentences.columns == {"pos": [["a", "b"], ["c", "d", "e"]]}
    assert used == roles


def test_numbers_of_classes_become_tags() -> None:
    frame = pd.DataFrame({"tokens": TOKENS, "ner_tags": [[1, 0], [0, 2, 0]]})
    assert read_frame(frame, Roles(), "t")[0].tags == [["1", "0"], ["0", "2", "0"]]


def test_words_without_tags() -> None:
    sentences, _, _ = read_frame(_long().drop(columns="tag"), Roles(), "t", tagged=False)
    assert sentences.tokens == TOKENS
    assert sentences.tags is None


def test_tags_are_not_read_where_they_are_not_needed() -> None:
    frame = _long().drop(columns="tag").assign(pos=list("abcde"))
    sentences, _, _ = read_frame(frame, Roles(tag="tag", columns=("pos",)), "t", tagged=False)
    assert sentences.tokens == TOKENS
    assert sentences.columns == {"pos": [["a", "b"], ["c", "d", "e"]]}


def test_new_rows_that_cannot_be_read_have_a_reason() -> None:
    lists = pd.DataFrame({"tokens": [["Ada"], None, [], 3.5], "pos": [["N"], [], [], ["V"]]})
    sentences, _, _ = read_frame(lists, Roles(columns=("pos",)), "t", tagged=False)
    assert sentences.tokens == [["Ada"], [], [], []]
    assert sentences.reasons == {
        1: "column 'tokens' has no value",
        3: "column 'tokens' holds '3.5'",
    }
    unequal = pd.DataFrame({"tokens": [["Ada"], ["ran", "."]], "pos": [["N"], ["V"]]})
    sentences, _, _ = read_frame(unequal, Roles(columns=("pos",)), "t", tagged=False)
    assert sentences.reasons == {1: "has 2 of 'tokens', 1 of 'pos'"}
    long = _long().assign(token=["Ada", None, "In", "Rome", "."])
    sentences, _, _ = read_frame(long, Roles(), "t", tagged=False)
    assert sentences.tokens == [[], TOKENS[1]]
    assert sentences.reasons == {0: "column 'token' has no value in row 1"}


def test_rows_of_a_sentence_that_stand_apart_have_a_note() -> None:
    notes = read_frame(_long(), Roles(), "t")[2]
    apart = read_frame(_long().iloc[[0, 2, 1, 3, 4]], Roles(), "t")[2]
    assert len(notes) == 1
    assert apart[1].startswith("2 values of column 'sentence_id' are in rows that others separate")


def test_numbers_that_numpy_writes_are_tags() -> None:
    frame = pd.DataFrame({"tokens": ["['Ada' 'ran']", "Ada ran"], "ner_tags": ["[1 0]", "[1, 0]"]})
    assert read_frame(frame, Roles(), "t")[0].tags == [["1", "0"], ["1", "0"]]


@pytest.mark.parametrize(
    ("roles", "match"),
    [
        (Roles(token="tag", tag="tag"), "token= and tag= are both 'tag'"),
        (Roles(columns=("tag",)), "features= and tag= both have 'tag'"),
        (Roles(columns=("pos", "pos")), "features= has pos twice"),
    ],
)
def test_a_column_has_one_role(roles: Roles, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        read_frame(_long().assign(pos=list("abcde")), roles, "t")


def test_texts_without_spans_are_counted() -> None:
    frame = pd.DataFrame({"text": ["Ada ran", "Hi"], "spans": [[[0, 3, "PER"]], None]})
    sentences, _, notes = read_frame(frame, Roles(), "t")
    assert sentences.tags == [["B-PER", "O"], ["O"]]
    assert notes[1:] == ["1 texts without a value in 'spans', read as texts without spans"]


def test_notes_on_spans() -> None:
    frame = pd.DataFrame(
        {
            "text": ["Adas ran", "In Rome.", " "],
            "spans": [[[0, 3, "PER"]], [[3, 7, "LOC"], [3, 8, "X"]], []],
        }
    )
    sentences, _, notes = read_frame(frame, Roles(), "the table")
    assert sentences.tags == [["B-PER", "O"], ["O", "B-X", "I-X"]]
    assert notes[1:] == [
        "1 spans that begin or end inside a word, widened to whole words",
        "1 spans left out, since they overlap another one or hold no word",
        "1 texts without a word left out",
    ]


@pytest.mark.parametrize(
    ("frame", "roles", "match"),
    [
        (_long()[:0], Roles(), "the table has no rows"),
        (_long(), Roles(token="word"), r"named column once.*'token'.*Received: token='word'"),
        (_long(token="x"), Roles(), "not clear which column of the table holds the tokens"),
        (_long(tag="x"), Roles(), r"holds the tags.*Pass token= and tag="),
        (_long(sentence_id="x"), Roles(), "no column that says which sentence it belongs to"),
        (_long().assign(tag=[None, *"OOOO"]), Roles(), "'tag' has no value in 1 rows, the first"),
        (_long().assign(sentence_id=[None, 1, 1, 1, 1]), Roles(), "no value in its first row"),
        (
            pd.DataFrame({"tokens": [["a"], ["b", "c"]], "tags": [["O"], ["O"]]}),
            Roles(),
            r"as many tags as tokens, and row 1 has 2 of 'tokens', 1 of 'tags'",
        ),
        (
            pd.DataFrame({"text": ["Ada ran"], "spans": [[[0, 9, "PER"]]]}),
            Roles(),
            r"row 0 has \[0, 9, 'PER'\] in a text of 7 characters",
        ),
        (
            pd.DataFrame({"text": ["Ada", "Bob"], "spans": [[[0, 3, "PER"]], 7]}),
            Roles(),
            "row 1 has '7' in place of a list",
        ),
        (
            pd.DataFrame({"tokens": ["['Ada' ... 'ran']"], "tags": ["O O"]}),
            Roles(),
            "row 0 holds \"\\['Ada' ... 'ran'\\]\"",
        ),
        (_long().assign(token=["Ada", "\n2\t", "a\nb", *"ab"]), Roles(), "line break or tab"),
        (
            pd.DataFrame({"tokens": [["a"], 3.5], "tags": [["O"], ["O"]]}),
            Roles(),
            "'tokens' must hold a list of tokens or tags in each row, and row 1 holds '3.5'",
        ),
    ],
)  # fmt: skip
def test_tables_that_cannot_be_read(frame: Any, roles: Roles, match: str) -> None:
    with pytest.raises(ValueError, match=match) as info:
        read_frame(frame, roles, "the table")
    assert "\n" not in str(info.value)


def test_a_sentence_that_is_named_by_a_list_is_refused() -> None:
    table = pd.DataFrame({"sentence": [[], 1], "token": ["a", "b"], "tag": ["O", "X"]})
    with pytest.raises(ValueError, match=r"column 'sentence' must hold the name .* Received: \[\]"):
        read_frame(table, Roles(), "the table")
