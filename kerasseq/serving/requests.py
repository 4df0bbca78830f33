"""Requests to a server: JSON bodies with the arguments of a verb."""

from __future__ import annotations

import contextlib
import inspect
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from kerasseq.runs.verbs import Verb, read_verb
from kerasseq.serving.limits import Limits
from kerasseq.settings import union_members
from kerasseq.settings.annotations import item_type, literal_options
from kerasseq.settings.signature import Option

if TYPE_CHECKING:
    from kerasseq.runs import Run

__all__ = ["Entry", "Refused", "Request", "Requests"]

_SCALARS = {"bool": bool, "int": int, "float": float, "str": str}
_WORDS = {"bool": "true or false", "int": "a whole number", "float": "a number", "str": "a text"}
_UNBOUNDED = "seed"  # a whole number that costs nothing
_LENGTH = "length"  # a whole number that costs a call of the model each


class Refused(Exception):
    """A request that is refused, with the status of the answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Entry:
    """An argument of a verb as an entry of a JSON object.

    Args:
        option: the argument.
        types: Python types of its JSON values.
        words: these types in words.
        rows: whether it is a list of rows.
    """

    option: Option
    types: tuple[Any, ...]
    words: tuple[str, ...]
    rows: bool = False

    @property
    def required(self) -> bool:
        """Whether a request must have it."""
        return self.option.default is inspect.Parameter.empty

    @property
    def labelled(self) -> bool:
        """Whether its rows are a table, and no list of other values."""
        return "list[" not in self.option.annotation


@dataclass(frozen=True)
class Request:
    """A call of a verb.

    Args:
        verb: name of the verb.
        values: arguments, as JSON values.
        rows: names of the arguments that are lists of rows, and whether each is a table alone.
    """

    verb: str
    values: Mapping[str, Any]
    rows: Mapping[str, bool] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """The number of rows."""
        return sum(len(self.values[name]) for name in self.rows)

    @cached_property
    def others(self) -> str:
        """The verb and all arguments but the rows, as text."""
        others = {name: value for name, value in self.values.items() if name not in self.rows}
        return json.dumps([self.verb, [*self.rows], others], sort_keys=True)

    @contextlib.contextmanager
    def arguments(self, run: Run) -> Iterator[dict[str, Any]]:
        """Context with the arguments of the method, of which rows are data of the run."""
        with contextlib.ExitStack() as stack:
            values = dict(self.values)
            for name, labelled in self.rows.items():
                data = run.data_of_request(values[name], labelled=labelled)
                values[name] = stack.enter_context(data)
            yield values


class Requests:
    """Requests to one verb of a run.

    Args:
        run: the run.
        name: name of the verb.
        limits: limits of rows, texts and whole numbers.
    """

    def __init__(self, run: Run, name: str, limits: Limits) -> None:
        self.name, self.verb, self._limits = name, read_verb(run.task, name), limits
        self._rows_are_texts = "string" in run.row_schema.get("type", ()) and (
            "contentEncoding" not in run.row_schema
        )
        entries = _entries(self.verb)
        self.entries = {entry.option.name: entry for entry in entries}
        self._model = _model(name, entries, run.row_schema, limits)

    def read(self, body: bytes) -> Request:
        """Read the body of a request.

        Raises:
            Refused: 422 if it is no JSON object with arguments of the verb; 413 if it has too many
                rows, or a text that is too long.
        """
        try:
            sent = self._model.model_validate_json(body)
        except ValidationError as error:
            raise Refused(422, self._sentence(error)) from None
        self._check_constants(body)
        values = {name: getattr(sent, name) for name in sent.model_fields_set}
        reading = {option.name for option in self.verb.reading}
        values = {n: v for n, v in values.items() if n not in reading or v not in (None, False)}
        rows = {
            name: self.entries[name].labelled
            for name, value in values.items()
            if self.entries[name].rows and value is not None
        }
        request = Request(self.name, values, rows)
        if request.size > self._limits.rows:
            raise Refused(
                413,
                f"a request may have {self._limits.rows:,} rows. Received: {request.size:,}. Send "
                "several requests.",
            )
        for name, value in values.items():
            self._check_length(name, value)
        return request

    def _check_constants(self, body: bytes) -> None:
        """Refuse NaN and infinities, which pydantic reads and JSON does not have."""

        def refuse(constant: str) -> None:
            raise Refused(422, f"the body is no JSON (it has {constant}). Send null instead")

        if b"NaN" in body or b"Infinity" in body:  # which may also be in a text
            json.loads(body, parse_constant=refuse)

    def _check_length(self, name: str, value: Any) -> None:
        """Refuse a text that is so long that other requests would wait for it."""
        if self.entries[name].rows:
            texts = (value or []) if self._rows_are_texts else []
        else:
            texts = [value]
        longest = max(map(_characters, texts), default=0)
        if longest > self._limits.characters:
            raise Refused(
                413,
                f"{name} may have texts of {self._limits.characters:,} characters on this server. "
                f"Received: {longest:,}. Send a shorter text.",
            )

    @property
    def schema(self) -> dict[str, Any]:
        """JSON schema of the body."""
        return self._model.model_json_schema()

    @property
    def example(self) -> str:
        """The required entries of a body."""
        names = [name for name, entry in self.entries.items() if entry.required]
        values = {n: ["..."] if self.entries[n].rows else "..." for n in names}
        return json.dumps(values).replace('"..."', "...")

    def _sentence(self, error: ValidationError) -> str:
        """What is wrong with a body, in one sentence, and what to send."""
        faults = error.errors(include_url=False)
        # A misspelt argument also leaves the right one missing: the cause comes first.
        fault = next((each for each in faults if each["type"] == "extra_forbidden"), faults[0])
        kind, place = fault["type"], fault["loc"]
        if kind == "json_invalid":
            reason = fault["ctx"]["error"]
            return f"the body is no JSON ({reason}). Send an object such as {self.example}"
        if not place:
            return f"the body must be a JSON object such as {self.example}"
        name, received = str(place[0]), fault["input"]
        if kind == "extra_forbidden":
            known = ", ".join(self.entries)
            return f"{self.name} has no argument {name!r:.60}. It has: {known}"
        entry = self.entries[name]
        if kind == "missing":
            return f"{name} is missing: send an object such as {self.example}"
        if kind == "too_short":
            return f"{name} is empty: send at least one row"
        if kind in ("greater_than_equal", "less_than_equal"):
            return (
                f"{name} may be at most {_bound(name, self._limits):,} in size on this server. "
                f"Received: {received}"
            )
        return (
            f"{name} must be {' or '.join(entry.words)}. Received: "
            f"{json.dumps(received, ensure_ascii=False, default=str):.60}"
        )


def _bound(name: str, limits: Limits) -> int:
    """The largest size of a whole number."""
    return limits.length if name == _LENGTH else limits.rows


def _characters(value: Any) -> int:
    """The number of characters of a text, of one in words, or of the longest one of a table's row.

    >>> [_characters(each) for each in ("four", ["two", "words"], {"text": "four", "day": 12})]
    [4, 8, 4]
    """
    if isinstance(value, str):
        return len(value)
    if isinstance(value, list):
        return sum(map(_characters, value))
    return max(map(_characters, value.values()), default=0) if isinstance(value, dict) else 0


def _entries(verb: Verb) -> list[Entry]:
    """The arguments of a verb that JSON can say; paths are none."""
    entries = [_entry(option) for option in (*verb.options, *verb.reading)]
    return [entry for entry in entries if entry.types]


def _entry(option: Option) -> Entry:
    members = union_members(option.annotation)
    is_path = "Path" in option.annotation
    is_data = any(m in ("pd.DataFrame", "Any") for m in members) or (
        option.argument and any(member.startswith("list[") for member in members)
    )
    types: list[Any] = []
    words: list[str] = []
    for member in members:
        if literal := literal_options(member):
            types += [_literal(literal)]
            words += [" or ".join(json.dumps(value) for value in literal)]
        elif not is_data and (item := item_type(member)):
            types += [list[_SCALARS[item]]]  # type: ignore[misc, valid-type]  # a type that is looked up
            words += [f"a list, each {_WORDS[item]}"]
        elif member in _SCALARS and not (member == "str" and is_path):
            types += [_SCALARS[member]]
            words += [_WORDS[member]]
    if is_data:
        lists = any(member.startswith("list[") for member in members)
        types, words = [list[Any]], [f"a list of rows{'' if lists else ', each an object'}"]
    if types and "None" in members:
        types, words = [*types, None], [*words, "null"]
    return Entry(option, tuple(types), tuple(words), is_data)


def _literal(values: tuple[Any, ...]) -> Any:
    from typing import Literal

    return Literal[values]  # type: ignore[valid-type]  # values that are looked up


def _model(
    name: str, entries: list[Entry], row_schema: Mapping[str, Any], limits: Limits
) -> type[BaseModel]:
    """The class of the bodies of a verb."""
    fields: dict[str, Any] = {}
    for entry in entries:
        option = entry.option
        kind: Any = entry.types[0]
        for each in entry.types[1:]:
            kind = kind | each
        bounds: dict[str, Any] = {}
        if entry.rows:
            items = dict(row_schema) if not entry.labelled else {"type": "object"}
            bounds = {"min_length": 1, "json_schema_extra": {"items": items}}
        elif {*entry.types} <= {int, None} and option.name != _UNBOUNDED:
            bound = _bound(option.name, limits)
            bounds = {"ge": -bound, "le": bound}
        default = ... if entry.required else option.default
        fields[option.name] = (kind, Field(default, description=option.doc, **bounds))
    config = ConfigDict(extra="forbid", strict=True)
    made = create_model(f"{name}_request", __config__=config, **fields)
    return cast(type[BaseModel], made)
