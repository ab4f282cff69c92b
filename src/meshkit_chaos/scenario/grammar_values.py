"""The kinds of values that documents are written in, below the level of keys: durations, shares, bands, names, lines of text.

Each takes what YAML gave and gives the project's own value; it refuses with what was written, what was expected and a hint.
Each also says what it looks like as JSON Schema (draft 7) under a title that the reference uses as the name of the type.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, ConfigDict, Discriminator, Field, PlainValidator
from pydantic_core import PydanticCustomError

from meshkit_chaos.slo import Band, Duration, Ratio

IDENTIFIER: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
TAG_MARK: Final = "\0"
"""Starts every tag of a union, so that no key of a document can be mistaken for one (documents hold no NUL)."""

Parsed = TypeVar("Parsed", Band, Duration, Ratio)


class Strict(BaseModel):
    """A mapping of a document: nothing is converted, nothing unknown is let through, nothing changes afterwards."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def key(description: str, *, default: object = None, examples: list[Any] | None = None, alias: str | None = None) -> Any:
    """An optional key. ``default`` is what the key's absence means, for readers; whoever builds the value applies it."""
    extra: dict[str, Any] = {} if default is None else {"default": default}
    return Field(default=None, alias=alias, description=description, examples=examples, json_schema_extra=extra)


def needed(description: str, *, examples: list[Any] | None = None, alias: str | None = None) -> Any:
    """A key that must be there."""
    return Field(alias=alias, description=description, examples=examples)


def told(value: object) -> str:
    """How an error names a value: with its kind in the words of YAML, and never at length."""
    match value:
        case None:
            return "nothing"
        case bool():
            return f"the truth value {str(value).lower()}"
        case int() | float():
            return f"the number {value}"
        case str():
            return repr(value if len(value) <= 60 else value[:57] + "…")
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case _:
            return type(value).__name__


def _refuse(kind: str, message: str, hint: str = "") -> PydanticCustomError:
    # The text goes in as context: a brace in it must not be read as a place to fill in.
    return PydanticCustomError(kind, "{said}", {"said": message, "hint": hint})


def _quantity(parse: Callable[[str], Parsed], what: str, example: Callable[[int | float], str]) -> Callable[[Any], Parsed]:
    def read(value: Any) -> Parsed:
        if isinstance(value, int | float) and not isinstance(value, bool):
            raise _refuse("quantity", f"expected {what}, got {told(value)}", f"write {example(value)}")
        if not isinstance(value, str):
            raise _refuse("quantity", f"expected {what}, got {told(value)}")
        try:
            return parse(value)
        except ValueError as error:
            raise _refuse("quantity", str(error)) from None

    return read


def _positive(value: Any) -> Duration:
    duration = _duration_or_zero(value)
    if duration.ns <= 0:
        raise _refuse("quantity", f"{value!r} is no time at all; expected more than zero")
    return duration


def _share(value: Any) -> Ratio:
    if isinstance(value, float) and 0 < value < 1:
        return Ratio(value)
    return _read_share(value)


def _some_share(value: Any) -> Ratio:
    share = _share(value)
    if share.value <= 0:
        raise _refuse("quantity", f"{value!r} is nothing; expected more than 0%")
    return share


_duration_or_zero = _quantity(lru_cache(1024)(Duration.parse), "a duration such as 200ms or 5s", lambda number: f"{number}s")
_read_share = _quantity(Ratio.parse, "a share such as 5%", lambda number: f"{number}%")
_band = _quantity(Band.parse, "a band such as '== 1'", lambda number: f'"== {number}"')


def _line(value: Any) -> str:
    if not isinstance(value, str):
        raise _refuse("text", f"expected a text, got {told(value)}", _quoted(value))
    if not value.strip():
        raise _refuse("text", "the text is empty")
    if "\n" in value:
        raise _refuse("text", "expected one line, got several")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise _refuse("text", f"expected a text, got {told(value)}", _quoted(value))
    return value


def _quoted(value: object) -> str:
    if isinstance(value, bool):
        return f'quote it: "{str(value).lower()}"'
    return f'quote it: "{value}"' if isinstance(value, int | float) else ""


def _scalar(value: Any) -> str | float | bool:
    if isinstance(value, bool | str):
        return value
    if isinstance(value, int | float):
        return float(value)
    raise _refuse("text", f"expected a text, a number or a truth value, got {told(value)}")


def _version(value: Any) -> int:
    if value is True or value != 1 or not isinstance(value, int):
        raise _refuse("value", f"expected 1, the only version there is, got {told(value)}")
    return 1


def _name(pattern: re.Pattern[str], what: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        text = _line(value)
        if pattern.fullmatch(text):
            return text
        proposal = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:64]
        fits = pattern.fullmatch(proposal)
        raise _refuse("name", f"{told(text)} is not a name; expected {what}", f"write {proposal}" if fits else "")

    return read


KIND: Final = "x-kind"
"""Where a schema says what kind of value it is, among titles that only repeat the names of keys."""


class Looks:
    """What a kind of value looks like as JSON Schema. Unlike pydantic's own, it can stand in a union (it has a hash)."""

    def __init__(self, title: str, **schema: Any) -> None:
        self._schema = {KIND: title, **schema}

    def __get_pydantic_json_schema__(self, core: object, handler: object) -> dict[str, Any]:  # pydantic's hook
        return dict(self._schema)


_DURATION_PATTERN = r"^([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h|d))+$"
_SHARE_SCHEMA = {
    "anyOf": [{"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?%?$"}, {"type": "number", "minimum": 0, "maximum": 1}]
}
_BAND_PATTERN = r"^\s*((==|!=|<=|>=|<|>)\s*[-+]?[0-9.]+([eE][-+]?[0-9]+)?|between\s+\S+\s+and\s+\S+)\s*$"

Span = Annotated[Duration, PlainValidator(_positive), Looks("duration", type="string", pattern=_DURATION_PATTERN)]
SpanOrZero = Annotated[Duration, PlainValidator(_duration_or_zero), Looks("duration", type="string", pattern=_DURATION_PATTERN)]
Share = Annotated[Ratio, PlainValidator(_share), Looks("share", **_SHARE_SCHEMA)]
SomeShare = Annotated[Ratio, PlainValidator(_some_share), Looks("share", **_SHARE_SCHEMA)]
BandText = Annotated[Band, PlainValidator(_band), Looks("band", type="string", pattern=_BAND_PATTERN)]
Identifier = Annotated[
    str,
    PlainValidator(_name(IDENTIFIER, "small letters, digits and '-', at most 64")),
    Looks("name", type="string", pattern=f"^{IDENTIFIER.pattern}$"),
]
VariableName = Annotated[
    str,
    PlainValidator(_name(VARIABLE, "letters, digits and '_', not starting with a digit")),
    Looks("variable", type="string", pattern=f"^{VARIABLE.pattern}$"),
]
Line = Annotated[str, PlainValidator(_line), Looks("line", type="string", minLength=1, pattern=r"^[^\n]*\S[^\n]*$")]
Text = Annotated[str, PlainValidator(_text), Looks("text", type="string")]
Scalar = Annotated[str | float | bool, PlainValidator(_scalar), Looks("scalar", type=["string", "number", "boolean"])]
Version = Annotated[int, PlainValidator(_version), Looks("whole number", const=1)]


def one_of_keys(*keys: str, what: str) -> Discriminator:
    """Tell the members of a union of mappings apart by the key that each needs; a misspelt key counts for the nearest one."""

    def choose(value: Any) -> str | None:
        if not isinstance(value, dict):
            return None
        exact = next((name for name in keys if name in value), None)
        if exact is not None:
            return TAG_MARK + exact
        close = (name for written in value for name in close_names(str(written), keys))
        found = next(close, None)
        return None if found is None else TAG_MARK + found

    expected = f"{what} is a mapping with one of the keys {', '.join(keys)}"
    return Discriminator(choose, custom_error_type="union", custom_error_message=expected)


def close_names(written: str, names: Any, *, cutoff: float = 0.6) -> list[str]:
    """The one name that looks most like what was written, if any does."""
    return difflib.get_close_matches(written, names, n=1, cutoff=cutoff)


def flow(value: object) -> str:
    """A value as flow YAML for people: without the quotes that the eye does not need."""
    match value:
        case str():
            return value if value.isprintable() else json.dumps(value, ensure_ascii=False)
        case dict():
            return "{" + ", ".join(f"{key}: {flow(found)}" for key, found in value.items()) + "}"
        case list():
            return "[" + ", ".join(flow(found) for found in value) + "]"
        case bool():
            return str(value).lower()
    return str(value)
