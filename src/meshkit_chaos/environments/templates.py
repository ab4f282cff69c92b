"""Fill ``${…}`` in an environment's texts. An unknown name is an error, never an empty text."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from meshkit_chaos.errors import EnvironmentProblem
from meshkit_chaos.slo import Check, CommandCheck, HttpCheck, TcpCheck

_PLACE: Final = re.compile(r"\$\{([^{}]*)\}")


def render(text: str, values: Mapping[str, str]) -> str:
    """Replace every ``${name}``. Raises EnvironmentProblem with the nearest known name."""

    def value(found: re.Match[str]) -> str:
        name = found[1].strip()
        if name not in values:
            near = difflib.get_close_matches(name, values, n=1)
            raise EnvironmentProblem(
                f"unknown template ${{{name}}} in {text!r}", hint=f"did you mean ${{{near[0]}}}?" if near else ""
            )
        return values[name]

    return _PLACE.sub(value, text)


def render_check(check: Check, values: Mapping[str, str]) -> Check:
    """The same check with every text filled in."""
    return each_text(check, lambda text: render(text, values))


def each_text(check: Check, change: Callable[[str], str]) -> Check:
    """The same check with every text changed."""
    match check:
        case HttpCheck():
            return msgspec.structs.replace(
                check,
                url=change(check.url),
                body=None if check.body is None else change(check.body),
                headers={name: change(text) for name, text in check.headers.items()},
                equals=change(check.equals) if isinstance(check.equals, str) else check.equals,
            )
        case TcpCheck():
            return TcpCheck(
                address=change(check.address),
                send=None if check.send is None else change(check.send),
                expect=None if check.expect is None else change(check.expect),
                until=None if check.until is None else change(check.until),
            )
        case CommandCheck():
            return CommandCheck(argv=tuple(map(change, check.argv)))
