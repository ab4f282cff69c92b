"""The history as JSON: each endpoint with its parameters, what it answers, and how. ``openapi`` describes the same list.

Takes what a reader typed into an address; refuses it as UsageError with the name of the parameter. What is not there is None.
Every answer is bounded: lists have a limit, and a run is judged again one at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, get_args

from msgspec import Struct

from meshkit_chaos.dashboard.feeds import Feeds
from meshkit_chaos.dashboard.latest import Latest
from meshkit_chaos.dashboard.sources import Evidence
from meshkit_chaos.dashboard.whatif import LONGEST, WhatIfAnswer, what_if
from meshkit_chaos.errors import UsageError
from meshkit_chaos.history.model import Ask, OverviewReader, PastInvocation, PastScenario
from meshkit_chaos.judge.verdict import VerdictName
from meshkit_chaos.slo import Duration

ROOT: Final = "/api/v1"
MOST: Final = 200
USUAL: Final = 50
_LONGEST_TEXT: Final = 200
_LARGEST: Final = 2**63 - 1

Asked = Mapping[str, str]


class WholeInvocation(Struct, frozen=True, kw_only=True):
    """One invocation, and results of it in the order of their scenarios' names.

    ``more_after``: ask with it as ``after`` for those that follow; empty: there are no more.
    """

    invocation: PastInvocation
    results: tuple[PastScenario, ...]
    more_after: str


class Parameter(Struct, frozen=True, kw_only=True):
    """``schema``: as JSON Schema has it. ``place``: in the path, or behind the question mark."""

    name: str
    about: str
    schema: dict[str, Any]
    place: str = "query"
    required: bool = False


class Endpoint(Struct, frozen=True, kw_only=True):
    """``answers``: the type of what ``make`` gives; None from it means that there is no such thing."""

    path: str
    summary: str
    parameters: tuple[Parameter, ...]
    answers: Any
    make: Callable[[Api, Asked], object | None]


class Api:
    """What the endpoints ask."""

    def __init__(self, reader: OverviewReader, feeds: Feeds, evidence: Evidence) -> None:
        self._reader, self._feeds, self._evidence = reader, feeds, evidence

    def standings(self, asked: Asked) -> tuple[Latest, ...]:
        del asked
        return self._feeds.standings()

    def invocations(self, asked: Asked) -> Sequence[PastInvocation]:
        return self._reader.newest(_limit(asked), before=_instant(asked, "before"))

    def invocation(self, asked: Asked) -> WholeInvocation | None:
        found = self._reader.invocation(_text(asked, "invocation"))
        limit, after = _limit(asked), _text(asked, "after", missing="")
        if found is None:
            return None
        left = sorted((one for one in found[1] if one.scenario > after), key=lambda one: one.scenario)
        shown = tuple(left[:limit])
        return WholeInvocation(invocation=found[0], results=shown, more_after=shown[-1].scenario if len(left) > limit else "")

    def results(self, asked: Asked) -> Sequence[PastScenario]:
        """Of one scenario: a page of many asks for each."""
        ask = Ask(
            scenarios=(_text(asked, "scenario"),),
            environment_class=_text(asked, "environment_class", missing=""),
            verdicts=_verdicts(asked),
            since=_instant(asked, "since"),
            before=_instant(asked, "before"),
            newest=_limit(asked),
            invalidated=_choice(asked, "invalidated", ("false", "true")) == "true",
        )
        return self._reader.results(ask)

    def what_if(self, asked: Asked) -> WhatIfAnswer | None:
        run, objective, within = _text(asked, "run"), _text(asked, "objective"), _within(asked)
        invocation = self._reader.invocation_of_run(run)
        if invocation is None:
            return None
        with self._evidence(invocation) as results:
            return None if results is None else what_if(results, run, objective=objective, within=within)


_INSTANT: Final[dict[str, Any]] = {"type": "integer", "minimum": 0, "maximum": _LARGEST}
_NAME: Final[dict[str, Any]] = {"type": "string", "minLength": 1, "maxLength": _LONGEST_TEXT}
_LIMIT: Final = Parameter(
    name="limit", about="At most so many.", schema={"type": "integer", "minimum": 1, "maximum": MOST, "default": USUAL}
)
_BEFORE: Final = Parameter(name="before", about="Only what began before: nanoseconds since the epoch.", schema=_INSTANT)

ENDPOINTS: Final = (
    Endpoint(
        path=f"{ROOT}/scenarios",
        summary="How every scenario stands now.",
        parameters=(),
        answers=tuple[Latest, ...],
        make=Api.standings,
    ),
    Endpoint(
        path=f"{ROOT}/invocations",
        summary="The newest invocations, newest first.",
        parameters=(_LIMIT, _BEFORE),
        answers=tuple[PastInvocation, ...],
        make=Api.invocations,
    ),
    Endpoint(
        path=f"{ROOT}/invocations/{{invocation}}",
        summary="One invocation with its results, in the order of their scenarios' names.",
        parameters=(
            Parameter(name="invocation", about="Its ULID.", schema=_NAME, place="path", required=True),
            _LIMIT,
            Parameter(name="after", about="Only scenarios behind this one: `more_after` of the last answer.", schema=_NAME),
        ),
        answers=WholeInvocation,
        make=Api.invocation,
    ),
    Endpoint(
        path=f"{ROOT}/results",
        summary="Results of a scenario, newest first, each with its runs and their objectives.",
        parameters=(
            Parameter(name="scenario", about="Its id.", schema=_NAME, required=True),
            Parameter(name="verdict", about="Only those.", schema={"type": "string", "enum": list(get_args(VerdictName))}),
            Parameter(name="environment_class", about="Only in this class of environments.", schema=_NAME),
            Parameter(name="since", about="Only what began then or later: nanoseconds since the epoch.", schema=_INSTANT),
            _BEFORE,
            _LIMIT,
            Parameter(
                name="invalidated",
                about="Also those that people set aside.",
                schema={"type": "string", "enum": ["false", "true"], "default": "false"},
            ),
        ),
        answers=tuple[PastScenario, ...],
        make=Api.results,
    ),
    Endpoint(
        path=f"{ROOT}/runs/{{run}}/what-if",
        summary="Judge a run again by another limit. The answer enters no history and no gate.",
        parameters=(
            Parameter(name="run", about="Its ULID.", schema=_NAME, place="path", required=True),
            Parameter(name="objective", about="One of its objectives that has a limit.", schema=_NAME, required=True),
            Parameter(
                name="within",
                about="The other limit, in seconds.",
                schema={"type": "number", "exclusiveMinimum": 0, "maximum": LONGEST // 10**9},
                required=True,
            ),
        ),
        answers=WhatIfAnswer,
        make=Api.what_if,
    ),
)


def answer(api: Api, endpoint: Endpoint, asked: Asked) -> object | None:
    """Raises UsageError for a parameter that is not one of the endpoint's, or whose value is not allowed."""
    known = [one.name for one in endpoint.parameters]
    unknown = next((name for name in asked if name not in known), None)
    if unknown is not None:
        raise UsageError("there is a parameter that is not known here", hint=f"known: {', '.join(known) or 'none'}")
    return endpoint.make(api, asked)


def _text(asked: Asked, name: str, *, missing: str | None = None) -> str:
    value = asked.get(name, missing)
    if value is None or (not value and name in asked) or len(value) > _LONGEST_TEXT or "\0" in value:
        raise UsageError(f"{name} is wanted, 1 to {_LONGEST_TEXT} characters long")
    return value


def _integer(asked: Asked, name: str, *, least: int, most: int) -> int | None:
    value = asked.get(name)
    if value is None:
        return None
    if not (value.isascii() and value.isdigit()) or len(value) > len(str(_LARGEST)) or not least <= int(value) <= most:
        raise UsageError(f"{name} must be a whole number from {least} to {most}")
    return int(value)


def _limit(asked: Asked) -> int:
    return _integer(asked, "limit", least=1, most=MOST) or USUAL


def _instant(asked: Asked, name: str) -> int | None:
    return _integer(asked, name, least=0, most=_LARGEST)


def _choice(asked: Asked, name: str, allowed: Sequence[str]) -> str | None:
    value = asked.get(name)
    if value is not None and value not in allowed:
        raise UsageError(f"{name} must be one of {', '.join(allowed)}")
    return value


def _verdicts(asked: Asked) -> tuple[VerdictName, ...]:
    chosen = _choice(asked, "verdict", get_args(VerdictName))
    return tuple(name for name in get_args(VerdictName) if name == chosen)


def _within(asked: Asked) -> Duration:
    text = asked.get("within", "")
    try:
        ns = round(float(text) * 10**9)
    except (ValueError, OverflowError):
        ns = 0
    if not 0 < ns <= LONGEST:
        raise UsageError("within must be a number of seconds, more than 0 and at most a year")
    return Duration(ns)
