"""Sentences with coloured spans."""

from __future__ import annotations

from kerasseq.tasks.tagging.html import Highlighted

SHOWN = Highlighted(
    ["Ada & <Bob> left.", "", "No names."],
    [[(0, 3, "PER"), (6, 11, "<X>")], [], []],
    ["", "no word", ""],
)


def test_a_notebook_shows_spans_in_colours_and_no_markup_of_the_text() -> None:
    page = SHOWN._repr_html_()
    assert page.count("<p ") == 3
    assert "Ada<span" in page
    assert " &amp; " in page
    assert "&lt;Bob&gt;" in page
    assert "&lt;X&gt;" in page
    assert "<Bob>" not in page
    assert "<X>" not in page
    assert "(no word)" in page


def test_types_have_different_colours_and_keep_them() -> None:
    colours = {part.split(";")[0] for part in SHOWN._repr_html_().split("background:")[1:]}
    assert len(colours) == 2


def test_elsewhere_it_is_a_text_with_brackets() -> None:
    assert repr(SHOWN).split("\n") == ["[Ada PER] & [<Bob> <X>] left.", "(no word)", "No names."]
    assert "\x1b" not in repr(Highlighted(["a\x1b[2J"], [[]], [""]))
