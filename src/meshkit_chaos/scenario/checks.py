"""What must hold of checks wherever they stand: addresses that can be asked, and templates that something fills."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from meshkit_chaos.scenario.findings import At
from meshkit_chaos.scenario.templates import Known, template_problem
from meshkit_chaos.slo import Check, CommandCheck, HttpCheck, TcpCheck

_ADDRESSES: Final = ("http://", "https://", "${")


def lint_check(check: Check, *, at: At, known: Known) -> None:
    """Find what is wrong with one check; ``at`` is the mapping that holds ``http``, ``tcp`` or ``command``."""
    for place, text in _texts(check, at):
        lint_template(text, at=place, known=known)
    if isinstance(check, HttpCheck):
        lint_url(check.url, at=at.below("http", "url"))
    if isinstance(check, TcpCheck) and ":" not in check.address.replace("${", ""):
        at.below("tcp", "address").say("MC126", f"{check.address!r} has no port", hint="write host:port")


def lint_url(url: str, *, at: At) -> None:
    if not url.startswith(_ADDRESSES):
        hint = f"write http://{url.rsplit('://', maxsplit=1)[-1]}"
        at.say("MC126", f"{url!r} does not start with http:// or https://", hint=hint)


def lint_template(text: str, *, at: At, known: Known) -> None:
    if "${" in text and (found := template_problem(text, known)) is not None:
        at.say("MC116", found[0], hint=found[1])


def _texts(check: Check, at: At) -> Iterator[tuple[At, str]]:
    match check:
        case HttpCheck():
            yield at.below("http", "url"), check.url
            if check.body is not None:
                yield at.below("http", "body"), check.body
            for name, value in check.headers.items():
                yield at.below("http", "headers", name), value
            if isinstance(check.equals, str):
                yield at.below("http", "equals"), check.equals
        case TcpCheck():
            for key in ("address", "send", "expect", "until"):
                if (text := getattr(check, key)) is not None:
                    yield at.below("tcp", key), text
        case CommandCheck():
            for position, argument in enumerate(check.argv):
                yield at.below("command", position), argument
