"""Texts become rows of token numbers that mean the same everywhere, and texts again."""

from __future__ import annotations

import itertools
import json
import string
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tokenizers
from hypothesis import assume, given
from hypothesis import strategies as st

from kerasseq.data.tokenizers.tokenizer import END, PADDING, START, UNKNOWN, Tokenizer

WORDS = st.text("abcde", min_size=1, max_size=3)
TEXTS = st.lists(st.lists(WORDS, max_size=12).map(" ".join), min_size=1, max_size=12)
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
KINDS = ("word", "character", "subword")
EACH = pytest.mark.parametrize(("kind", "clean"), list(itertools.product(KINDS, [True, False])))


def _words(text: str, **settings: Any) -> list[str]:
    tokenizer = Tokenizer(min_count=1, **settings).fit([text])
    return [tokenizer.vocabulary[i] for i in tokenizer.tokens([text])[0]]


@given(TEXTS, st.integers(1, 3), st.integers(4, 30))
def test_the_vocabulary_is_by_count_and_then_by_alphabet(
    texts: list[str], min_count: int, size: int
) -> None:
    counts = Counter(" ".join(texts).split())
    expected = sorted(
        (word for word, count in counts.items() if count >= min_count),
        key=lambda word: (-counts[word], word),
    )
    assume(expected)
    tokenizer = Tokenizer(vocabulary_size=size, min_count=min_count).fit(texts)
    assert tokenizer.vocabulary[2:] == expected[: size - 2]
    assert len(tokenizer) == len(tokenizer.vocabulary) <= size
    for same in (texts, [text.split() for text in texts]):
        other = Tokenizer(vocabulary_size=size, min_count=min_count, clean=False).fit(same)
        assert other.vocabulary == tokenizer.vocabulary


@given(TEXTS)
def test_known_words_come_back(texts: list[str]) -> None:
    assume("".join(texts).strip())
    tokenizer = Tokenizer(min_count=1).fit(texts)
    vocabulary = tokenizer.vocabulary
    for text, row in zip(texts, tokenizer.tokens(texts)):
        assert [vocabulary[i] for i in row] == text.split()
    assert tokenizer.decode(tokenizer.tokens(texts)) == [" ".join(text.split()) for text in texts]


@given(TEXTS, st.integers(1, 15), st.sampled_from(["end", "start", "middle"]))
def test_rows_are_cut_and_padded_on_the_right(texts: list[str], length: int, truncate: Any) -> None:
    assume("".join(texts).strip())
    tokenizer = Tokenizer(min_count=1, length=length, truncate=truncate).fit(texts)
    encoded = tokenizer.encode(texts)
    assert encoded.shape == (len(texts), length)
    assert encoded.dtype == np.int32
    for whole, row in zip(tokenizer.tokens(texts), encoded.tolist()):
        used = min(len(whole), length)
        assert row[used:] == [PADDING] * (length - used)
        assert PADDING not in row[:used]
        if len(whole) <= length:
            assert row[:used] == whole
        elif truncate == "end":
            assert row == whole[:length]
        elif truncate == "start":
            assert row == whole[-length:]
        else:
            head = (length + 1) // 2
            assert row == whole[:head] + whole[len(whole) - (length - head) :]


@EACH
@given(
    texts=st.lists(ANY_TEXT, min_size=1, max_size=6),
    new=st.lists(ANY_TEXT, max_size=4),
    boundaries=st.booleans(),
)
def test_the_state_gives_the_same_numbers(
    kind: Any, clean: bool, texts: list[str], new: list[str], boundaries: bool
) -> None:
    tokenizer = Tokenizer(
        kind, vocabulary_size=400, min_count=1, clean=clean, boundaries=boundaries
    )
    tokenizer.fit([*texts, "a word"])
    again = Tokenizer.from_state(json.loads(json.dumps(tokenizer.state())))
    assert again.tokens(texts + new) == tokenizer.tokens(texts + new)
    assert again.vocabulary == tokenizer.vocabulary
    assert again.state() == tokenizer.state()
    np.testing.assert_array_equal(again.encode(new), tokenizer.encode(new))
    assert again.decode(again.encode(new)) == tokenizer.decode(tokenizer.encode(new))


@pytest.mark.parametrize("kind", KINDS)
def test_a_fresh_process_fits_and_reads_the_same(kind: Any) -> None:
    texts = [f"the {word} film number {i}" for i, word in enumerate(["good", "bad", "ugly"] * 9)]
    tokenizer = Tokenizer(kind, vocabulary_size=400).fit(texts)
    program = (
        "import json, sys; from kerasseq.data.tokenizers.tokenizer import Tokenizer; "
        "state, texts = json.load(sys.stdin); "
        f"fitted = Tokenizer({kind!r}, vocabulary_size=400).fit(texts); "
        "print(json.dumps([Tokenizer.from_state(state).tokens(texts), fitted.state()]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps([tokenizer.state(), texts]),
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == [tokenizer.tokens(texts), tokenizer.state()]


@given(st.lists(ANY_TEXT, max_size=5))
def test_subwords_leave_nothing_unknown(texts: list[str]) -> None:
    tokenizer = Tokenizer("subword", vocabulary_size=300, min_count=1).fit(["some words"])
    assert not {PADDING, UNKNOWN} & {number for row in tokenizer.tokens(texts) for number in row}


@given(st.lists(st.text(string.printable.replace("<", ""), max_size=60), max_size=5))
def test_subwords_spell_the_whole_text(texts: list[str]) -> None:
    tokenizer = Tokenizer("subword", vocabulary_size=300, min_count=1).fit(["some words"])
    for text, spelled in zip(texts, tokenizer.decode(tokenizer.tokens(texts))):
        assert "".join(spelled.split()) == "".join(text.lower().split())
        assert spelled == " ".join(spelled.split())


@given(st.lists(ANY_TEXT, min_size=1, max_size=5), st.lists(ANY_TEXT, max_size=5))
def test_subwords_of_texts_as_they_are_give_them_back(texts: list[str], new: list[str]) -> None:
    settings = {"vocabulary_size": 400, "min_count": 1, "lowercase": False, "clean": False}
    tokenizer = Tokenizer("subword", **settings, boundaries=True).fit([*texts, "a word, a word"])
    rows = tokenizer.tokens([*texts, *new])
    assert tokenizer.decode(rows) == [*texts, *new]
    assert tokenizer.decode([[START, *row, END, PADDING] for row in rows]) == [*texts, *new]


@given(st.lists(ANY_TEXT, min_size=1, max_size=5), st.booleans())
def test_characters_give_texts_back_with_all_whitespace(texts: list[str], boundaries: bool) -> None:
    settings: dict[str, Any] = {"vocabulary_size": None, "min_count": 1, "lowercase": False}
    tokenizer = Tokenizer("character", **settings, clean=False, boundaries=boundaries)
    rows = tokenizer.fit([*texts, " \t\n"]).tokens([*texts, " \n\n"])
    assert list(map(len, rows)) == [*map(len, texts), 3]
    assert tokenizer.decode(rows) == [*texts, " \n\n"]


def test_words_are_split_as_they_are_meant() -> None:
    text = "It's n't 'quoted' o'clock: she didn’t, we'd CAN'T... <br />a<BR>b"
    assert _words(text) == [
        *("it", "'s", "n't", "'", "quoted", "'", "o'clock", ":", "she", "did", "n't", ","),
        *("we", "'d", "ca", "n't", ".", ".", ".", "a", "b"),
    ]


def test_capitals_are_kept_on_request() -> None:
    assert _words("Good GOOD DON'T", lowercase=False) == ["Good", "GOOD", "DO", "N'T"]
    assert _words("Good GOOD DON'T") == ["good", "good", "do", "n't"]


@EACH
def test_the_names_of_special_tokens_are_plain_text(kind: Any, clean: bool) -> None:
    texts = ["[padding] [unknown] [start] [end] a word"] * 2
    settings: dict[str, Any] = {"vocabulary_size": 400, "clean": clean}
    names = ["[padding]", "[unknown]", "[start]", "[end]"]
    tokenizer = Tokenizer(kind, **settings, boundaries=True).fit(texts)
    assert tokenizer.vocabulary[:4] == names
    assert len({*tokenizer.vocabulary}) == len(tokenizer)
    numbers = {*tokenizer.tokens(texts)[0]}
    # A word that is spelt like one is no word that can be known.
    known = {UNKNOWN} if (kind, clean) == ("word", False) else set()
    assert not numbers & ({*range(4)} - known)
    without = Tokenizer(kind, **settings).fit(texts)
    assert without.vocabulary[:2] == names[:2]
    assert PADDING not in without.tokens(texts)[0]


def test_rows_begin_and_end_where_it_is_asked_for() -> None:
    tokenizer = Tokenizer(min_count=1, length=2, boundaries=True).fit(["a a b"])
    texts = ["b a b", "b", ""]
    assert tokenizer.encode(texts).tolist() == [[5, 4], [5, 0], [0, 0]]
    assert tokenizer.encode(texts, start=True).tolist() == [[2, 5, 4], [2, 5, 0], [2, 0, 0]]
    assert tokenizer.encode(texts, end=True).tolist() == [[5, 4, 3], [5, 3, 0], [3, 0, 0]]
    both = tokenizer.encode(texts, start=True, end=True)
    assert both.tolist() == [[2, 5, 4, 3], [2, 5, 3, 0], [2, 3, 0, 0]]
    assert both.dtype == np.int32
    assert tokenizer.decode(both) == ["b a", "b", ""]
    assert tokenizer.encode([], start=True, end=True).shape == (0, 4)


@pytest.mark.parametrize(
    ("truncate", "row"), [("end", [2, 4, 5, 6, 3]), ("start", [2, 6, 7, 8, 3])]
)
def test_a_text_that_is_cut_keeps_its_start_and_end(truncate: Any, row: list[int]) -> None:
    tokenizer = Tokenizer(min_count=1, length=3, truncate=truncate, boundaries=True)
    assert tokenizer.fit(["a b c d e"]).encode(["a b c d e"], start=True, end=True).tolist() == [
        row
    ]


def test_a_start_that_there_is_not_is_refused() -> None:
    tokenizer = Tokenizer(min_count=1).fit(["a b"])
    with pytest.raises(ValueError, match=r"with boundaries=True. Received: start=True, end=False"):
        tokenizer.encode(["a"], start=True)
    with pytest.raises(ValueError, match=r"with boundaries=True. Received: start=False, end=True"):
        tokenizer.pad([[2]], end=True)


def test_a_text_ends_at_its_end_and_has_no_special_tokens() -> None:
    tokenizer = Tokenizer(min_count=1, boundaries=True).fit(["a b"])
    assert tokenizer.decode([[4, END, 5, 5], [5, 4, 4, 5]]) == ["a", "b a a b"]
    assert tokenizer.decode(np.array([[START, UNKNOWN, 5, PADDING, 4]])) == ["b a"]
    assert tokenizer.decode([[], [PADDING], [END, 4]]) == ["", "", ""]
    assert tokenizer.decode([]) == []
    assert Tokenizer(min_count=1).fit(["a b"]).decode([[2, 3, 2]]) == ["a b a"]


def test_only_rows_of_numbers_of_the_vocabulary_are_decoded() -> None:
    tokenizer = Tokenizer(min_count=1).fit(["a b"])
    for rows in ([4], [[[4]]], [[0.5]], ["a b"]):
        with pytest.raises(TypeError, match=r"rows must be rows of token numbers. Received: "):
            tokenizer.decode(rows)  # type: ignore[arg-type]
    for number in (-1, 4):
        with pytest.raises(ValueError, match=rf"must be 0 to 3, .* Received: {number} to"):
            tokenizer.decode([[number]])


def test_words_that_are_given_stay_whole() -> None:
    texts = [["New York", "didn't", "", "<br>"], ("new york", "DIDN’T")]
    tokenizer = Tokenizer(min_count=1).fit(texts)
    assert tokenizer.vocabulary[2:] == ["didn't", "new york", " "]
    assert tokenizer.tokens(texts) == [[3, 2, UNKNOWN, 4], [3, 2]]
    assert tokenizer.unknown_share(texts).tolist() == [0.25, 0]
    kept = Tokenizer(min_count=1, lowercase=False, clean=False).fit(texts)
    assert kept.decode(kept.tokens(texts)) == ["New York didn't <br>", "new york DIDN’T"]
    assert tokenizer.tokens([[], ["x"]]) == [[], [UNKNOWN]]


def test_words_are_given_in_every_text_or_in_none() -> None:
    with pytest.raises(TypeError, match=r"must be a list of words, .* Received: texts\[1\]='a b'"):
        Tokenizer().fit([["a", "b"], "a b"])
    with pytest.raises(
        TypeError, match=r"must be a list of words, .* Received: texts\[0\]=\['a', 1"
    ):
        Tokenizer().fit([["a", 1]])  # type: ignore[list-item]
    with pytest.raises(TypeError, match=r"must be a string. Received: texts\[1\]=\['a'\]"):
        Tokenizer().fit(["a b", ["a"]])
    for kind in ("character", "subword"):
        with pytest.raises(TypeError, match=r"must be a string. Received: texts\[0\]=\['a'\]"):
            Tokenizer(kind).fit([["a"]])


@EACH
@given(texts=st.lists(ANY_TEXT, max_size=4))
def test_the_library_reads_the_saved_vocabulary_alike(
    kind: Any, clean: bool, texts: list[str]
) -> None:
    assume(not any(sign in text for text in texts for sign in "\x1c\x1d\x1e\x1f"))
    tokenizer = Tokenizer(kind, vocabulary_size=400, min_count=1, clean=clean)
    tokenizer.fit([*texts, "some words"])
    read = tokenizers.Tokenizer.from_str(json.dumps(tokenizer.state()["tokenizer"]))
    assert [read.encode(text).ids for text in texts] == tokenizer.tokens(texts)


def test_words_between_whitespace_are_taken_as_they_are() -> None:
    assert _words("It's  n't,\n<br> ﬁne", clean=False) == ["it's", "n't,", "<br>", "ﬁne"]
    assert _words("It's ﬁne", clean=False, lowercase=False) == ["It's", "ﬁne"]


def test_cleaned_characters_keep_their_whitespace() -> None:
    assert "".join(_words("It’s\t ﬁne<br />\n", kind="character")) == "it's\t fine \n"


def test_subwords_keep_the_space_before_a_word() -> None:
    texts = ["good film, good film\n\n"] * 9
    tokenizer = Tokenizer("subword", vocabulary_size=400, clean=False).fit(texts)
    spelled = [tokenizer.vocabulary[number] for number in tokenizer.tokens(texts)[0]]
    assert spelled == ["good", "Ġfilm", ",", "Ġgood", "Ġfilm", "ĊĊ"]


def test_an_unknown_word_is_1() -> None:
    tokenizer = Tokenizer(min_count=1).fit(["good film"])
    assert tokenizer.tokens(["a good one", "", "zzz"]) == [[1, 3, 1], [], [1]]
    shares = tokenizer.unknown_share(["a good one", "", "zzz", "good film"])
    np.testing.assert_allclose(shares, [2 / 3, 1, 1, 0])


def test_the_length_is_what_95_of_100_texts_need() -> None:
    texts = ["word " * n for n in range(1, 101)]
    tokenizer = Tokenizer().fit(texts)
    assert tokenizer.length == 96
    assert tokenizer.encode(texts).shape == (100, 96)
    assert tokenizer.notes == [
        "3 words in the vocabulary",
        "length 96 chosen from the training texts: 4.0% of them are longer and lose their end",
    ]
    tokenizer.fit(["word word", "word word"])
    assert tokenizer.length == 2


def test_the_length_is_at_most_400() -> None:
    assert Tokenizer().fit(["word " * 1000] * 3).length == 400


def test_a_given_length_is_kept() -> None:
    tokenizer = Tokenizer(length=3).fit(["word " * 9])
    assert tokenizer.length == 3
    assert tokenizer.notes[1].startswith("length 3 given for the training texts: 100.0%")


@pytest.mark.thorough
@pytest.mark.parametrize(("kind", "words"), [("word", 1_000_000), ("subword", 100_000)])
def test_a_text_may_be_very_long(kind: Any, words: int) -> None:
    texts = ["good film " * (words // 2), "ab" * 100_000, "!" * 50_000, "n't'" * 50_000]
    tokenizer = Tokenizer(kind, vocabulary_size=400).fit(texts)
    rows = tokenizer.tokens(texts)
    assert len(rows[0]) == words
    assert tokenizer.pad(rows).shape == (4, 400)


def test_half_surrogates_become_question_marks() -> None:
    assert _words("a \ud83d b") == ["a", "?", "b"]


def test_rows_with_channels_are_padded_alike() -> None:
    tokenizer = Tokenizer(min_count=1, length=3, truncate="middle").fit(["a b c d"])
    rows = [np.arange(10).reshape(5, 2), np.arange(2).reshape(1, 2), np.zeros((0, 2), np.int32)]
    padded = tokenizer.pad(rows)
    assert padded.tolist() == [
        [[0, 1], [2, 3], [8, 9]],
        [[0, 1], [0, 0], [0, 0]],
        [[0, 0], [0, 0], [0, 0]],
    ]


def test_no_texts_give_no_rows() -> None:
    tokenizer = Tokenizer(min_count=1, length=3).fit(["a b"])
    assert tokenizer.encode([]).shape == (0, 3)
    assert tokenizer.unknown_share([]).shape == (0,)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "letter"}, "kind must be 'word', 'character' or 'subword'. Received: kind='le"),
        ({"kind": "subword", "vocabulary_size": None}, "vocabulary_size must be .*=None"),
        ({"vocabulary_size": 4, "boundaries": True}, "vocabulary_size must be at least 5 .*=4"),
        ({"truncate": "both"}, "truncate must be .* Received: truncate='both'"),
        ({"vocabulary_size": 2}, "vocabulary_size must be at least 3 .*=2"),
        ({"kind": "subword", "vocabulary_size": 200}, "vocabulary_size must be at least 300 .*=20"),
        ({"min_count": 0}, "min_count must be at least 1. Received: min_count=0"),
        ({"length": 0}, "length must be 1 to 1,048,576, or None. Received: length=0"),
    ],
)
def test_settings_are_checked(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Tokenizer(**settings)


def test_an_tokenizer_must_be_fitted_first() -> None:
    with pytest.raises(ValueError, match=r"call fit\(\)"):
        Tokenizer().encode(["a"])
    with pytest.raises(ValueError, match=r"call fit\(\)"):
        _ = Tokenizer().length


def test_texts_must_be_a_list_of_strings() -> None:
    with pytest.raises(TypeError, match="texts must be a list of texts, not one text"):
        Tokenizer().fit("a good film")
    with pytest.raises(TypeError, match=r"every text must be a string. Received: texts\[1\]=nan"):
        Tokenizer().fit(["a", float("nan")])  # type: ignore[list-item]


def test_texts_without_a_frequent_word_are_refused() -> None:
    with pytest.raises(ValueError, match=r"no word occurs min_count=2 times in the 2 texts"):
        Tokenizer().fit(["a b", "c d"])
    with pytest.raises(ValueError, match=r"no word occurs min_count=2 times in the 2 texts"):
        Tokenizer().fit([["a"], ["b"]])
    with pytest.raises(ValueError, match=r"no character occurs min_count=2 times in the 1 texts"):
        Tokenizer("character").fit(["abc"])


def _earlier(name: str) -> Any:
    """A state that an earlier class wrote."""
    return json.loads((Path(__file__).parent / "states" / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("kind", "size", "rows", "text"),
    [
        ("word", 8, [[2, 6, 1, 4, 1], [2, 1, 0, 0, 0]], "film is good"),
        ("subword", 274, [[269, 271, 267, 222, 2], [261, 267, 84, 0, 0]], "' t good !"),
    ],
)
def test_the_earlier_states_of_texts_are_read(
    kind: str, size: int, rows: list[list[int]], text: str
) -> None:
    state = _earlier(f"text_{kind}s.json")
    tokenizer = Tokenizer.from_state(state)
    texts = ["A film isn’t good<br>!", "<BR/>ﬁlm goods"]
    assert tokenizer.encode(texts).tolist() == rows
    assert tokenizer.decode(rows)[0] == text
    assert tokenizer.notes == state["notes"]
    assert (len(tokenizer), tokenizer.length, tokenizer.truncate) == (size, 5, "start")
    assert (tokenizer.kind, tokenizer.clean, tokenizer.boundaries) == (kind, True, False)
    again = Tokenizer.from_state(json.loads(json.dumps(tokenizer.state())))
    assert again.encode(texts).tolist() == rows
    assert again.state() == tokenizer.state()


def test_the_earlier_state_of_captions_is_read() -> None:
    tokenizer = Tokenizer.from_state(_earlier("captions.json"))
    names = ["[padding]", "[unknown]", "[start]", "[end]", "dog", "a", "runs", "the"]
    assert tokenizer.vocabulary == names
    rows = tokenizer.encode(["the dog sees a cat", "a"], start=True, end=True)
    assert rows.tolist() == [[START, 7, 4, UNKNOWN, END], [START, 5, END, PADDING, PADDING]]
    assert tokenizer.decode([[5, 4, END, 4]]) == ["a dog"]
    again = Tokenizer.from_state(json.loads(json.dumps(tokenizer.state())))
    assert (again.vocabulary, again.length) == (names, 3)
