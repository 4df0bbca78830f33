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
    "texts that show lists": pd.DataFrame({"tokens": map(str, TOKENS), "tags": map(str, TAGS)}),
    "words between spaces": pd.DataFrame(
        {"words": map(" ".join, TOKENS), "slots": map(" ".join, TAGS), "intent": ["a", "b"]}
    ),
    "spans": pd.DataFrame(
        {"text": ["Ada ran", "In Rome."], "entities": [[[0, 3, "PER"]], [[3, 7, "LOC"]]]}
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
