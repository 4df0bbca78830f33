"""A long text on disk is the same as the string, cut in pieces that tokens do not cross."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseq.data.text import corpus, long_text
from kerasseq.data.text.corpus import read_corpus
from kerasseq.data.text.corpus_split import TextPart
from kerasseq.data.text.language_reader import LanguageReader
from kerasseq.data.text.long_text import LongText, Pieces, pieces
from kerasseq.data.tokenizers.splitting import Kind
from kerasseq.io.digest import digest
from tests.thorough import examples, first_of

WORDS = st.sampled_from(["a", "To", "be,", "don't", "Ω", "\n", "\n\n", " ", "  ", "\n ", "x" * 9])
TEXTS = st.lists(WORDS, min_size=1, max_size=60).map(" ".join)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_text, "LARGE", 1)
    monkeypatch.setattr(long_text, "_PIECE", 20)
    monkeypatch.setattr(long_text, "_BLOCK", 7)


@pytest.mark.parametrize("sign", ["e", "é", "Ω", "🙂"])
@pytest.mark.parametrize("line_break", ["\n", "\r\n"])
def test_a_file_is_read_as_it_is_in_memory(sign: str, line_break: str, tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    content = f"Caf{sign} \n{sign}{sign}\n\nend {sign}" * 5
    path.write_bytes(b"\xef\xbb\xbf" + content.replace("\n", line_break).encode())
    text = LongText.read(path)
    assert text is not None
    assert str(text) == content
    assert len(text) == len(content)
    assert [text.find("\n", n) for n in range(30)] == [content.find("\n", n) for n in range(30)]
    assert text.find("#") == -1
    assert text[3] == sign
    assert str(text[4:40]) == content[4:40]
    assert "".join(pieces(text)) == content == "".join(pieces(content))
    again = LongText.read(path)
    assert again is not None
    assert digest([text]) == digest([again]) != digest([content])


def test_other_encodings_are_read_in_memory_and_binary_files_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes("Café au lait\n".encode("cp1252") * 9)
    assert read_corpus(path).texts == ["Café au lait\n" * 9]
    path.write_bytes("Café au lait\n".encode("utf-16") * 3)
    assert read_corpus(path).texts[0].startswith("Café au lait\n")
    path.write_bytes(b"text\0" * 100)
    with pytest.raises(ValueError, match="binary file"):
        read_corpus(path)
    path.write_bytes(b" \n" * 100)
    with pytest.raises(ValueError, match="no text in"):
        read_corpus(path)


@given(TEXTS)
@examples(30)
def test_pieces_are_the_text_and_are_cut_where_no_token_is(text: str) -> None:
    cut = [*pieces(text)]
    assert "".join(cut) == text
    for piece, following in itertools.pairwise(cut):
        at_line = piece.endswith("\n") and not following[0].isspace()
        at_word = following[0] == " " and not piece[-1].isspace()
        assert at_line or at_word or len(piece) == 20


@pytest.mark.parametrize("kind", first_of(["word", "character", "subword"], 3))
@pytest.mark.parametrize("separated", first_of([False, True], 1))
def test_tokens_are_those_of_the_whole_text(
    kind: Kind, separated: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["Ada", "saw", "Rome,", "didn't", "she?", "\n", "\n", "<unk>" if separated else "Bob"]
    drawn = np.random.default_rng(0).choice(words, 3000)
    content = " ".join(drawn).replace(" \n ", "\n").replace("\n\n", "\n") + "\n"
    (tmp_path / "text.txt").write_text(content)
    (long,) = read_corpus(tmp_path / "text.txt").texts
    assert isinstance(long, LongText)

    def tokens(text: long_text.Text) -> tuple[LanguageReader, np.ndarray]:
        part = TextPart([text, text])
        options = {"vocabulary_size": 300, "min_count": 1, "lowercase": False}
        reader = LanguageReader.fit(part, kind, **options)
        return reader, reader.read(part)

    reader, mapped = tokens(long)
    assert isinstance(mapped, np.memmap)
    assert mapped.dtype == np.uint16
    monkeypatch.setattr(long_text, "LARGE", 2**30)
    monkeypatch.setattr(long_text, "_PIECE", 2**30)
    whole_reader, whole = tokens(content)
    assert (
        reader.state()["tokenizer"]["tokenizer"] == whole_reader.state()["tokenizer"]["tokenizer"]
    )
    assert whole.dtype == np.int32
    np.testing.assert_array_equal(mapped, whole)


def test_pieces_can_be_read_again() -> None:
    texts = Pieces(["To be, or not to be", "that is the question, is it not?"])
    assert [*texts] == [*texts]
    assert len(texts) == len([*texts]) > 2
    assert corpus.lines_of(["a\nb", LongText(np.frombuffer(b"c\n\nd", np.uint8))]) == [*"abcd"]
