"""Columns that the data names do not take the names of other columns."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kerasseq.formatting.columns import distinct_names

_NAMES = st.text("a_", max_size=3)


@given(st.lists(_NAMES, max_size=6), st.lists(_NAMES, max_size=4))
def test_all_names_differ_and_only_those_that_must_are_changed(
    names: list[str], taken: list[str]
) -> None:
    result = distinct_names(names, taken)
    assert len({*result, *taken}) == len(result) + len({*taken})
    for place, (name, new) in enumerate(zip(names, result, strict=True)):
        assert new.rstrip("_") == name.rstrip("_")
        assert new.startswith(name)
        if name not in taken and name not in names[:place]:
            assert new == name
