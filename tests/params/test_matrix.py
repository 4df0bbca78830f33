"""The cells side by side."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasseq.params import catalogue, cells, count
from kerasseq.params.matrix import at_a_glance


@given(st.sampled_from(catalogue.names()), st.integers(1, 99), st.integers(1, 99))
def test_the_count_at_a_glance_is_the_count(name: str, inputs: int, units: int) -> None:
    text = at_a_glance(catalogue.get(name)).replace("²", "**2")
    product = re.sub(r"(?<=[\da-z)])(?<!\*\*2)(?=[du(])", "*", text)
    assert eval(product, {"d": inputs, "u": units}) == count(name, inputs, units).total


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("simple_rnn", "u(d + u + 1)"),
        ("lstm", "4u(d + u + 1)"),
        ("gru", "3u(d + u + 2)"),
        ("indrnn", "u(d + 2)"),
        ("lru", "3du + 3u + 2u²"),
    ],
)
def test_counts_that_are_known(name: str, text: str) -> None:
    assert at_a_glance(catalogue.get(name)) == text


def test_every_cell_is_there_with_what_it_takes() -> None:
    rows = {row["cell"]: row for row in cells().to_dict()["rows"]}
    assert list(rows) == catalogue.names()
    assert rows["gru"]["form"] == "row"
    assert "gru without reset_after is gated." in cells().notes
    assert {name for name, row in rows.items() if row["fed back"]} == {
        name for name in rows if name.endswith("lstm") and name != "minlstm"
    }
    assert {name for name, row in rows.items() if not row["weight drop"]} == {
        "mingru", "minlstm", "lru",
    }  # fmt: skip
    assert rows["simple_rnn"]["paper"] == "Elman (1990)"
    assert rows["gru"]["paper"] == "Cho et al. (2014), arXiv 1406.1078"
    assert all(re.search(r" \(\d{4}\)", row["paper"]) for row in rows.values())
