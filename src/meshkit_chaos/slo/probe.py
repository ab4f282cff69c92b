"""Direct checks of a member: over HTTP, TCP, or by a command the operator allowed."""

from __future__ import annotations

from msgspec import Struct

from meshkit_chaos.slo.quantities import Duration


class HttpCheck(Struct, frozen=True, kw_only=True, tag_field="check", tag="http"):
    """One request. Holds if the status is in ``status`` and, where ``path`` is given, the JSON answer has it.

    ``path`` is dotted (``header.member_id``, list items by number). The value found there must equal ``equals``, or the
    value at
    the dotted path ``equals_path``; with neither it only has to exist. ``url``, ``body``, ``headers`` and ``equals`` may hold
    ``${…}`` templates.
    """

    url: str
    method: str = "GET"
    body: str | None = None
    headers: dict[str, str] = {}
    status: tuple[int, ...] = (200,)
    path: str | None = None
    equals: str | float | bool | None = None
    equals_path: str | None = None


class TcpCheck(Struct, frozen=True, kw_only=True, tag_field="check", tag="tcp"):
    """Holds if ``address`` (``host:port``) accepts a connection and, where ``expect`` is given, says that text.

    ``send`` is what is said first. The answer is read until the text is there, or it is over: the other end closed the
    connection, or said ``until``. All four may hold ``${…}`` templates.
    """

    address: str
    send: str | None = None
    expect: str | None = None
    until: str | None = None


class CommandCheck(Struct, frozen=True, kw_only=True, tag_field="check", tag="command"):
    """Holds if the argument list (never a shell) ends with status 0."""

    argv: tuple[str, ...]


Check = HttpCheck | TcpCheck | CommandCheck


class Probe(Struct, frozen=True, kw_only=True):
    """A check that runs against each member on an open-loop schedule and is recorded as two series per member.

    ``probe_success{probe="NAME",member="M"}`` is 1 or 0; ``probe_duration_seconds{…}`` is the time until the answer or the
    time-out (a stalled probe counts as long as it stalled).
    """

    name: str
    check: Check
    every: Duration
    timeout: Duration


class CheckResult(Struct, frozen=True):
    """Whether a check held, and in a few words what was seen."""

    ok: bool
    detail: str = ""
