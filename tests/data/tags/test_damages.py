"""Damaged files and tables of tagged sentences are read, or refused in one sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from kerasseq.data.tags.new_sentences import read_new
from kerasseq.data.tags.read import read_tagged
from tests.damaged_files import damaged, damaged_table
from tests.thorough import examples

pytestmark = pytest.mark.thorough

LINES = [("Ada", "N", "B-PER"), ("left", "V", "O"), ("Rome", "N", "B-LOC"), (".", "S", "O")]
_CONLLU = "".join(
    f"{n}\t{word}\t_\t{pos}\t{pos}\tCase=Nom\t0\troot\t_\t_\n"
    for n, (word, pos, _) in enumerate(LINES, 1)
)
_LISTS = '{"tokens": ["Ada", "left", "Rome"], "tags": ["B-PER", "O", "B-LOC"], "intent": "go"}\n'
_SPANS = '{"text": "Ada left Rome.", "spans": [[0, 3, "PER"], [9, 13, "LOC"]], "intent": "go"}\n'
FILES: dict[str, tuple[str, dict[str, Any]]] = {
    "x.conll": ("".join(f"{' '.join(row)}\n" for row in LINES) + "\n", {}),
    "two.conll": ("".join(f"{' '.join(row)}\n" for row in LINES) + "\n", {"tag": [2, "pos"]}),
    "tabs.txt": ("".join("\t".join(row) + "\n" for row in LINES) + "\n", {"features": ("pos",)}),
    "x.conllu": (f"# sent_id = 1\n{_CONLLU}\n", {}),
    "x.csv": ("".join(f"s1,{','.join(row)}\n" for row in LINES), {}),
    "x.tsv": ("".join("s1\t" + "\t".join(row) + "\n" for row in LINES), {}),
    "lists.jsonl": (_LISTS, {"sentence_label": "intent"}),
    "spans.jsonl": (_SPANS, {"sentence_label": "intent"}),
    "lists.csv": ("Ada left Rome,B-PER O B-LOC\n\"['x', 'y']\",\"['O', 'B-PER']\"\n", {}),
}
HEADERS = {
    "x.csv": "sentence,token,pos,tag\n",
    "x.tsv": "sentence\ttoken\tpos\ttag\n",
    "lists.csv": "tokens,tags\n",
}


def _content(name: str) -> bytes:
    """An intact file with three sentences of a kind."""
    return (HEADERS.get(name, "") + 3 * FILES[name][0]).encode()


@pytest.mark.parametrize("name", [*FILES])
@examples(150, suppress_health_check=[*HealthCheck])
@given(draw=st.data())
def test_a_damaged_file_is_read_or_refused(name: str, draw: Any, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(draw.draw(damaged(_content(name))))
    _check(path, FILES[name][1])


TABLES: dict[str, tuple[pd.DataFrame, dict[str, Any]]] = {
    "rows": (
        pd.DataFrame([(n // 4, *row) for n, row in enumerate(3 * LINES)]).set_axis(
            ["sentence", "token", "pos", "tag"], axis=1
        ),
        {"features": ("pos",)},
    ),
    "lists": (pd.DataFrame([json.loads(_LISTS)] * 3), {"tag": ["tags", "tokens_2"]}),
    "labels": (pd.DataFrame([json.loads(_LISTS)] * 3), {"sentence_label": "intent"}),
    "spans": (pd.DataFrame([json.loads(_SPANS)] * 3), {}),
}
TABLES["lists"][0]["tokens_2"] = TABLES["lists"][0]["tokens"]


@pytest.mark.parametrize("name", [*TABLES])
@examples(150, suppress_health_check=[*HealthCheck])
@given(draw=st.data())
def test_a_damaged_table_is_read_or_refused(name: str, draw: Any) -> None:
    frame, reading = TABLES[name]
    _check(draw.draw(damaged_table(frame)), reading)


def _check(data: Any, reading: dict[str, Any]) -> None:
    """Data is read for training and to be tagged, or refused in one sentence."""
    try:
        source = read_tagged(data, reading)
    except (ValueError, FileNotFoundError) as error:
        _check_message(error)
    else:
        sentences = source.sentences
        columns = [sentences.known_tags(), *(sentences.further or {}).values()]
        for values in (*columns, *sentences.columns.values()):
            assert [*map(len, values)] == [*map(len, sentences.tokens)]
        assert all("" not in words for words in sentences.tokens)
        assert sentences.labels is None or len(sentences.labels) == len(sentences)
    try:
        new = read_new(data, {name: v for name, v in reading.items() if name == "features"})
    except (ValueError, FileNotFoundError) as error:
        _check_message(error)
    else:
        assert len(new.texts) == len(new.words) == len(new.reasons)
        for text, words, reason in zip(new.texts, new.words, new.reasons, strict=True):
            assert bool(words) != bool(reason)
            assert all(text[word.start : word.end] == word.text for word in words)


def test_an_intact_file_is_read(tmp_path: Path) -> None:
    for name, (_, reading) in FILES.items():
        (tmp_path / name).write_bytes(_content(name))
        if "sentence_label" in reading:
            with pytest.raises(ValueError, match="every sentence has the label 'go'"):
                read_tagged(tmp_path / name, reading)
            reading = {}
        assert len(read_tagged(tmp_path / name, reading).sentences) > 0


def _check_message(error: Exception) -> None:
    """A message of one sentence or two, that is no message of another library."""
    message = str(error)
    assert 20 < len(message) < 3000
    assert message.rstrip().endswith((".", "'", '"', ")", "...")) or "Received: " in message
