"""The demo text of language models is a small text of plain characters."""

from __future__ import annotations

from kerasseq.data.demo.play import demo_play


def test_the_play_is_small_and_plain() -> None:
    text = demo_play()
    assert 90_000 < len(text.encode()) <= 100_000
    assert text.isascii()
    assert text.endswith(".\n")
