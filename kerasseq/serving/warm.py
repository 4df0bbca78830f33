"""First calls of a run, which compile its model before the first request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kerasseq.formatting.errors import is_input_error
from kerasseq.runs.verbs import read_verb

if TYPE_CHECKING:
    from kerasseq.runs import Run

__all__ = ["warm"]

_TEXTS = (["a"], ["a text"] * 3, ["a longer text, of several words and more than one line"] * 9)


def warm(run: Run) -> None:
    """Call each verb that reads rows of text, with several numbers of rows and lengths."""
    for verb in run.rowwise:
        if not any(
            "list[str]" in option.annotation for option in read_verb(run.task, verb).options
        ):
            continue
        for texts in _TEXTS:
            try:
                getattr(run, verb)(texts)
            except Exception as error:  # a run whose rows are other texts is compiled later
                if not is_input_error(error):
                    raise
                break
