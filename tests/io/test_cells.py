"""Lists of texts that cells spell as text."""

from __future__ import annotations

import numpy as np
import pytest

from kerasseq.io.cells import parse_texts


def test_lists_texts_and_neither() -> None:
    for text in ('["a", "b c"]', "['a', 'b c']", "('a', 'b c')", str(np.array(["a", "b c"]))):
        assert parse_texts(text) == ["a", "b c"]
    assert parse_texts("[]") == []
    assert parse_texts("a ['b']") is parse_texts("[a] b") is None
    for text in ("[1, 2]", "['a' ... 'b']", "['a', 3]"):
        with pytest.raises(ValueError, match="it looks like a list"):
            parse_texts(text)
