"""How a check of a member is written: ``http:``, ``tcp:`` or ``command:``. Both documents use it."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field, PlainValidator, model_validator
from pydantic_core import PydanticCustomError

from meshkit_chaos.scenario.grammar_values import Line, Looks, Scalar, Strict, Text, key, needed, told
from meshkit_chaos.slo import Check, CommandCheck, HttpCheck, TcpCheck


def _argument_list(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        words = value.split()
        hint = f"write [{', '.join(words[:6])}{', …' if len(words) > 6 else ''}]"
        raise PydanticCustomError("text", "{said}", {"said": "a command is an argument list, never shell text", "hint": hint})
    if not isinstance(value, list) or not value:
        said = f"expected a list of arguments, got {told(value) if value != [] else 'an empty list'}"
        raise PydanticCustomError("text", "{said}", {"said": said, "hint": ""})
    for position, argument in enumerate(value):
        if not isinstance(argument, str):
            said = f"argument {position + 1} is {told(argument)}; expected a text"
            hint = f'quote it: "{str(argument).lower() if isinstance(argument, bool) else argument}"'
            raise PydanticCustomError("text", "{said}", {"said": said, "hint": hint})
    if not value[0].strip():
        raise PydanticCustomError("text", "{said}", {"said": "the program's name is empty", "hint": ""})
    return tuple(value)


ArgumentList = Annotated[
    tuple[str, ...],
    PlainValidator(_argument_list),
    Looks("argument list", type="array", items={"type": "string"}, minItems=1),
]


class HttpText(Strict):
    """One HTTP request to a member, and what its answer must be."""

    url: Line = needed("Where to ask. May hold templates.", examples=["http://${member.host}:${member.port.client}/health"])
    method: Line | None = key("The request method.", default="GET", examples=["POST"])
    body: Text | None = key("The request's body, as it is sent. May hold templates.")
    headers: dict[str, Text] | None = key("Header names and values. May hold templates.", examples=[{"Accept": "text/plain"}])
    status: Annotated[list[Annotated[int, Field(ge=100, le=599)]], Field(min_length=1)] | None = key(
        "The statuses that count as an answer.", default=[200]
    )
    path: Line | None = key(
        "Where to look in the JSON answer: keys and list positions, joined by dots. It must be there.",
        examples=["header.member_id"],
    )
    equals: Scalar | None = key("The value that must be found at `path`. May hold templates.", examples=["true"])
    equals_path: Line | None = key("Another place in the same answer that must hold the same value as `path`.")

    @model_validator(mode="after")
    def _compares_something(self) -> HttpText:
        if self.path is None and (self.equals is not None or self.equals_path is not None):
            raise PydanticCustomError("missing_one", "{said}", {"said": "a comparison needs 'path'", "hint": ""})
        if self.equals is not None and self.equals_path is not None:
            said = "'equals' and 'equals_path' exclude each other"
            raise PydanticCustomError("missing_one", "{said}", {"said": said, "hint": "keep one of them"})
        return self

    def value(self) -> HttpCheck:
        return HttpCheck(
            url=self.url,
            method=self.method or "GET",
            body=self.body,
            headers=self.headers or {},
            status=tuple(self.status or (200,)),
            path=self.path,
            equals=self.equals,
            equals_path=self.equals_path,
        )


class TcpText(Strict):
    """One attempt to connect; for a protocol of text, also what is said and what must be answered."""

    address: Line = needed("`host:port`. May hold templates.", examples=["${member.host}:${member.port.client}"])
    send: Text | None = key(
        "What is said once connected, as it is: write line ends yourself. May hold templates.",
        examples=["INFO replication\r\nPING\r\n"],
    )
    expect: Text | None = key(
        "A text that must occur in the answer, before it is over: the other end closed the connection, or said `until`. "
        "May hold templates.",
        examples=["role:master\r\n"],
    )
    until: Text | None = key(
        "A text that ends the answer, so that a *no* needs no time-out: what the member says to a last command that you send. "
        "May hold templates.",
        examples=["+PONG"],
    )

    @model_validator(mode="after")
    def _expects_something(self) -> TcpText:
        if self.expect == "" or self.until == "":
            name = "expect" if self.expect == "" else "until"
            said = f"{name!r} is empty, and every answer has that"
            raise PydanticCustomError("text", "{said}", {"said": said, "hint": "remove it"})
        lonely = next((name for name in ("send", "until") if getattr(self, name) is not None), None)
        if lonely is not None and self.expect is None:
            said = f"{lonely!r} needs 'expect': without it, every answer would do"
            raise PydanticCustomError("missing_one", "{said}", {"said": said, "hint": "say which text must be answered"})
        return self

    def value(self) -> TcpCheck:
        return TcpCheck(address=self.address, send=self.send, expect=self.expect, until=self.until)


class CheckText(Strict):
    """One question to a member: exactly one of `http`, `tcp` and `command`."""

    CHECKS: ClassVar[tuple[str, ...]] = ("http", "tcp", "command")

    http: HttpText | None = key("Ask over HTTP.")
    tcp: TcpText | None = key("Connect over TCP, and ask in a protocol of text.")
    command: ArgumentList | None = key(
        "Run a program (an argument list, never a shell): it holds when the program ends with status 0.",
        examples=[["pg_isready", "--host", "${member.host}"]],
    )

    @model_validator(mode="after")
    def _is_one(self) -> CheckText:
        given = [name for name in self.CHECKS if getattr(self, name) is not None]
        if len(given) == 1:
            return self
        said = f"expected one of http, tcp and command, got {' and '.join(given) or 'none of them'}"
        raise PydanticCustomError("missing_one", "{said}", {"said": said, "hint": ""})

    def value(self) -> Check:
        if self.http is not None:
            return self.http.value()
        if self.tcp is not None:
            return self.tcp.value()
        assert self.command is not None
        return CommandCheck(argv=self.command)
