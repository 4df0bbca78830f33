"""Calls of the verbs of a run, for one request or for several in one call."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from kerasseq.formatting.errors import is_input_error, one_line
from kerasseq.runs.verbs import FIRST
from kerasseq.serving.answers import to_json, to_values

if TYPE_CHECKING:
    from kerasseq.runs import Run
    from kerasseq.serving.requests import Request

__all__ = ["Answer", "Calls", "failure"]

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answer:
    """The answer to a request: its status, and its body as JSON."""

    status: int
    body: bytes


def failure(status: int, message: str) -> Answer:
    """An answer that says what is wrong, in one sentence.

    >>> failure(404, "there is no verb 'sing'").body
    b'{"error":"there is no verb \\'sing\\'"}'
    """
    return Answer(status, to_json({"error": message}))


class Calls:
    """Calls of the verbs of a run; never two at a time.

    Args:
        run: the run.
        save: called after a verb has changed the run; None to change it in memory alone.
    """

    def __init__(self, run: Run, save: Callable[[], Any] | None = None) -> None:
        self._run, self._save = run, save

    def can_join(self, request: Request) -> bool:
        """Whether a request may be answered in one call with others like it."""
        tables = [*request.rows.values()]
        return (
            self._method(request) in self._run.rowwise
            and tables == [False]
            and not any(
                isinstance(row, dict) for name in request.rows for row in request.values[name]
            )
        )

    def answer(self, requests: Sequence[Request]) -> list[Answer]:
        """Answer one request, or several that can be joined and differ in their rows alone."""
        if len(requests) > 1:
            try:
                return self._answer_together(requests)
            except Exception:  # of one request among them: each has its own answer
                _LOGGER.debug("requests that failed together are answered alone", exc_info=True)
        return [self._answer_alone(request) for request in requests]

    def _answer_alone(self, request: Request) -> Answer:
        try:
            result = self._call(request)
            if result is None:
                return Answer(200, to_json({"updated": True, "saved": self._save is not None}))
            return Answer(200, to_json(to_values(result)))
        except Exception as error:
            if is_input_error(error) and not isinstance(error, OSError | ImportError):
                return failure(422, one_line(error))
            _LOGGER.exception("%s failed", request.verb)
            return failure(500, f"{type(error).__name__} in {request.verb}: see the server's log")

    def _answer_together(self, requests: Sequence[Request]) -> list[Answer]:
        (name,) = requests[0].rows
        joined = [row for request in requests for row in request.values[name]]
        first = requests[0]
        result = self._call(replace(first, values={**first.values, name: joined}))
        sizes = [request.size for request in requests]
        rows = to_values(result)["rows"]
        column = self._run.rowwise[self._method(first)]
        parts = _by_number(rows, sizes, column) if column else _by_place(rows, sizes)
        return [Answer(200, to_json({"rows": part})) for part in parts]

    def _call(self, request: Request) -> Any:
        with request.arguments(self._run) as arguments:
            result = getattr(self._run, self._method(request))(**arguments)
        if result is None and self._save is not None:
            self._save()
        return result

    def _method(self, request: Request) -> str:
        return self._run.verbs[0] if request.verb == FIRST else request.verb


def _by_place(rows: list[Any], sizes: Sequence[int]) -> list[list[Any]]:
    """Rows of a result with a row for each row of the data, by request."""
    if len(rows) != sum(sizes):
        raise ValueError(f"expected {sum(sizes):,} rows of the result. Received: {len(rows):,}")
    ends = pd.Series(sizes).cumsum()
    return [rows[end - size : end] for end, size in zip(ends, sizes)]


def _by_number(rows: list[Any], sizes: Sequence[int], column: str) -> list[list[Any]]:
    """Rows of a result by request, with the numbers in a column counted anew for each."""
    owners = [(part, place) for part, size in enumerate(sizes) for place in range(size)]
    parts: list[list[Any]] = [[] for _ in sizes]
    for row in rows:
        part, place = owners[row[column]]
        parts[part].append({**row, column: place})
    return parts
