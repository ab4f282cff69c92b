"""Where something goes: which routes take it, and why the others do not. Pure; every answer is also in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Final

from msgspec import Struct

from meshkit_chaos.deliver.action import Occasion
from meshkit_chaos.deliver.settings import TRACKERS, Channel, Route, Routing
from meshkit_chaos.gate.policy import SEVERITIES
from meshkit_chaos.history.model import PastScenario

TICKETED: Final[frozenset[Occasion]] = frozenset(
    {"first-failure", "still-failing", "changed", "recovered", "environment-dirty", "nightly-missing"}
)
"""What a tracker takes: what has a cause and an end."""


class About(Struct, frozen=True, kw_only=True):
    """What an occasion is about, as routes look at it. ``scenarios`` empty: about none in particular."""

    occasion: Occasion
    scenarios: tuple[PastScenario, ...] = ()
    environment_class: str = ""
    subject: dict[str, str] = {}


class Match(Struct, frozen=True, kw_only=True):
    """One route and one thing to tell. ``why``: in words, what it has or lacks."""

    route: str
    to: tuple[str, ...]
    taken: bool
    why: str


def matches(routing: Routing, about: About) -> tuple[Match, ...]:
    """Every route with its answer."""
    return tuple(match(route, about) for route in routing.routes)


def match(route: Route, about: About) -> Match:
    lacking = next(_lacking(route, about), "")
    if lacking:
        return Match(route=route.id, to=route.to, taken=False, why=lacking)
    return Match(route=route.id, to=route.to, taken=True, why="; ".join((*_having(route, about), f"route {route.id}")))


def reason(routing: Routing, channel: Channel, about: About) -> str:
    """Why something goes to a channel; empty where it does not."""
    if isinstance(channel, TRACKERS) and about.occasion not in TICKETED:
        return ""
    taken = [one for one in matches(routing, about) if one.taken and channel.id in one.to]
    return taken[0].why + "".join(f" and {one.route}" for one in taken[1:]) if taken else ""


def weight(severity: str) -> int:
    """How heavy a severity is. An unknown one counts as the heaviest, so that a slip silences nothing."""
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)


def _lacking(route: Route, about: About) -> Iterator[str]:
    """What keeps a route from taking something."""
    if route.occasions and about.occasion not in route.occasions:
        yield f"it takes {', '.join(route.occasions)}"
    for key, pattern in route.subject.items():
        value = about.subject.get(key)
        if value is None:
            yield f"the subject does not say {key}"
        elif not fnmatchcase(value, pattern):
            yield f"{key} is {value}, not {pattern}"
    if route.environment_class and not fnmatchcase(about.environment_class, route.environment_class):
        yield f"the environment class is {about.environment_class or 'not known'}, not {route.environment_class}"
    narrowing = [(what, holds) for what, wanted, holds in _conditions(route) if wanted]
    if narrowing and not about.scenarios:
        yield f"it is about no scenario, and the route asks for {narrowing[0][0]}"
    for what, holds in narrowing:
        if not any(holds(one) for one in about.scenarios):
            yield f"no scenario of it has {what}"
    if not any(all(holds(one) for _, holds in narrowing) for one in about.scenarios) and about.scenarios:
        yield "no scenario of it has all that the route asks for"


def _conditions(route: Route) -> tuple[tuple[str, bool, Callable[[PastScenario], bool]], ...]:
    return (
        (
            f"severity {route.severity} or higher",
            bool(route.severity),
            lambda one: weight(one.severity) >= weight(route.severity),
        ),
        (f"an id like {_any(route.scenarios)}", bool(route.scenarios), lambda one: _like([one.scenario], route.scenarios)),
        (f"an owner like {_any(route.owners)}", bool(route.owners), lambda one: _like([one.owner], route.owners)),
        (f"a module like {_any(route.modules)}", bool(route.modules), lambda one: _like(one.modules, route.modules)),
        (f"a tag like {_any(route.tags)}", bool(route.tags), lambda one: _like(one.tags, route.tags)),
    )


def _any(patterns: Iterable[str]) -> str:
    return " or ".join(patterns)


def _like(values: Iterable[str], patterns: Iterable[str]) -> bool:
    known = list(patterns)
    return any(fnmatchcase(value, pattern) for value in values for pattern in known)


def _having(route: Route, about: About) -> Iterator[str]:
    """What made a route take something, in the order of a reader's questions."""
    fitting = [one for one in about.scenarios if all(holds(one) for _, wanted, holds in _conditions(route) if wanted)]
    if route.severity and fitting:
        heaviest = max(fitting, key=lambda one: weight(one.severity)).severity
        yield f"severity {heaviest} ≥ {route.severity}"
    if route.owners and fitting:
        yield f"owner {', '.join(sorted({one.owner for one in fitting}))}"
    if route.modules and fitting:
        names = sorted({name for one in fitting for name in one.modules if _like([name], route.modules)})
        yield f"module {', '.join(names)}"
    if route.tags and fitting:
        yield f"tag {', '.join(sorted({tag for one in fitting for tag in one.tags if _like([tag], route.tags)}))}"
    for key in route.subject:
        yield f"{key} {about.subject[key]}"
