"""Why each route takes what an invocation shows, or does not: what ``notify preview`` adds to the messages themselves. Pure.

Takes the same as ``deciding.decide``, without what was told before; gives each thing that could be told, with every route's
answer. What is quiet for now says so: no route takes it yet.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from meshkit_chaos.deliver.action import Occasion
from meshkit_chaos.deliver.course import courses, sights
from meshkit_chaos.deliver.routing import About, Match, matches
from meshkit_chaos.deliver.settings import Routing
from meshkit_chaos.history.model import HistoryReader, PastInvocation, PastScenario
from meshkit_chaos.judge.phrases import counted


class Explained(Struct, frozen=True, kw_only=True):
    """One thing that an invocation shows. ``quiet``: why it is only summed up; empty where it is told."""

    what: str
    occasion: Occasion
    matches: tuple[Match, ...]
    quiet: str = ""

    @property
    def untold(self) -> bool:
        """Whether no route takes it."""
        return not self.quiet and not any(one.taken for one in self.matches)


def explained(
    invocation: PastInvocation, scenarios: Sequence[PastScenario], *, history: HistoryReader, routing: Routing
) -> tuple[Explained, ...]:
    """Everything that an invocation shows, as if it were seen for the first time: what is dirty, its causes, its summary."""
    return tuple(_explained(invocation, sorted(scenarios, key=lambda one: one.scenario), history, routing))


def _explained(
    invocation: PastInvocation, scenarios: Sequence[PastScenario], history: HistoryReader, routing: Routing
) -> Iterator[Explained]:
    for name in sorted({one.environment_class for one in scenarios if one.environment == "dirty"}):
        dirty = tuple(one for one in scenarios if one.environment == "dirty" and one.environment_class == name)
        yield _one(f"{name or 'an environment'} left dirty", "environment-dirty", dirty, invocation, routing)
    for sight in sights(courses(invocation, scenarios, history, nightly=routing.nightly)):
        after = routing.rules.unproven_after
        quiet = f"{counted(sight.row, 'result')} of the {after} in a row that are told" if sight.quiet(after) else ""
        yield _one(sight.cause.words, "first-failure", (sight.result,), invocation, routing, quiet=quiet)
    asked = ", ".join(f"{key}={value}" for key, value in routing.nightly.items())
    quiet = "" if routing.nightly.items() <= invocation.subject.items() else f"it is no nightly: the subject lacks {asked}"
    yield _one("the night", "summary", tuple(scenarios), invocation, routing, quiet=quiet)


def _one(
    what: str,
    occasion: Occasion,
    scenarios: tuple[PastScenario, ...],
    invocation: PastInvocation,
    routing: Routing,
    *,
    quiet: str = "",
) -> Explained:
    known = next((one.environment_class for one in scenarios if one.environment_class), "")
    about = About(occasion=occasion, scenarios=scenarios, environment_class=known, subject=invocation.subject)
    return Explained(what=what, occasion=occasion, matches=matches(routing, about), quiet=quiet)
