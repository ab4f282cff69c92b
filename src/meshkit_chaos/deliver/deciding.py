"""An invocation, what went before it, what was told before → what is to be told now, to whom, and why.

Takes values and a history to ask; gives actions, the loudest first. The same inputs give the same actions with the same keys,
and what was decided once is not decided again: an invocation that is decided twice, or that grew, adds only what is new. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from meshkit_chaos.deliver.action import Action, Occasion, Ticket, Told
from meshkit_chaos.deliver.cause import Cause, digest
from meshkit_chaos.deliver.course import branch_of, courses, sights
from meshkit_chaos.deliver.deciding_causes import Here, decide_causes
from meshkit_chaos.deliver.routing import About, reason
from meshkit_chaos.deliver.settings import Routing
from meshkit_chaos.deliver.telling import owners
from meshkit_chaos.deliver.telling_nights import Night, clean_again, joined, left_dirty, summary
from meshkit_chaos.deliver.threads import Thread, opened, threads
from meshkit_chaos.history.model import Ask, HistoryReader, PastInvocation, PastScenario
from meshkit_chaos.judge.verdict import VerdictName
from meshkit_chaos.slo import Duration

_HALF_DAY = timedelta(hours=12)
DIRTY_AGAIN = Duration.parse("1d")
"""A class whose environments are left dirty again and again is told at most so often."""


def decide(
    invocation: PastInvocation,
    scenarios: Sequence[PastScenario],
    *,
    history: HistoryReader,
    told: Sequence[Told],
    routing: Routing,
    now: int,
) -> tuple[Action, ...]:
    """All actions that one invocation gives rise to.

    ``scenarios`` are its results; ``history`` may hold them already. ``told``: what was decided before, in any order. What is
    superseded may be left out, unless it tells of this very invocation. ``now``: wall-clock ns.
    """
    scenarios = sorted(scenarios, key=lambda one: one.scenario)
    around = courses(invocation, scenarios, history, nightly=routing.nightly)
    seen = sights(around)
    night = _night(invocation, scenarios, history, routing)
    before = _night_before(night, history) if night is not None else {}
    known = {one.action.key for one in told}
    found: list[Action] = []
    for channel in routing.channels:
        before_here = threads(told, channel.id)
        here = Here(routing=routing, channel=channel, threads=before_here, around=around, sights=seen, now=now)
        found += _dirty(here, scenarios)
        found += decide_causes(here)
        if night is not None:
            found += _summary(here, night, before)
    return tuple(sorted((one for one in found if one.key not in known), key=lambda one: not one.loud))


def night_of(at: int) -> str:
    """The day on whose morning a night ends. Days end at noon, UTC, so that no night is cut in two at midnight."""
    return (datetime.fromtimestamp(at // 10**9, tz=UTC) + _HALF_DAY).date().isoformat()


def _night(
    invocation: PastInvocation, scenarios: Sequence[PastScenario], history: HistoryReader, routing: Routing
) -> Night | None:
    """The night that an invocation belongs to, with all of its branch; None where it is no nightly."""
    if not routing.nightly.items() <= invocation.subject.items():
        return None
    day = night_of(invocation.at)
    end = int(datetime.fromisoformat(day).replace(tzinfo=UTC, hour=12).timestamp()) * 10**9
    start = end - 24 * 3600 * 10**9
    branch = invocation.subject.get("branch", "")
    invocations = {one.invocation: one for one in history.invocations(since=start, before=end)}
    own = {
        name: one
        for name, one in (invocations | {invocation.invocation: invocation}).items()
        if one.subject.get("branch", "") == branch and routing.nightly.items() <= one.subject.items()
    }
    asked = Ask(subject={"branch": branch} if branch else {}, since=start, before=end, invalidated=True)
    results = {(one.invocation, one.scenario): one for one in history.results(asked) if one.invocation in own}
    results |= {(one.invocation, one.scenario): one for one in scenarios}
    return Night(
        day=day,
        invocations=tuple(sorted(own.values(), key=lambda one: (one.at, one.invocation))),
        results=tuple(sorted(results.values(), key=lambda one: (one.at, one.invocation, one.scenario))),
    )


def _night_before(night: Night, history: HistoryReader) -> dict[str, VerdictName]:
    """How each scenario stood in the newest night before this one in which it was run on the branch."""
    first = night.invocations[0]
    branch = first.subject.get("branch", "")
    names = tuple(sorted({one.scenario for one in night.results}))
    if not names:
        return {}
    asked = Ask(scenarios=names, subject={"branch": branch} if branch else {}, before=first.at, newest=4)
    earlier: dict[str, list[PastScenario]] = {}
    for one in history.results(asked):
        if branch_of(one) == branch:
            earlier.setdefault(one.scenario, []).append(one)
    return {
        name: joined(one.verdict for one in ones if night_of(one.at) == night_of(ones[0].at)) for name, ones in earlier.items()
    }


def _summary(here: Here, night: Night, before: dict[str, VerdictName]) -> Iterator[Action]:
    newest = here.around.invocation
    about = About(occasion="summary", scenarios=night.results, environment_class=_class(night), subject=newest.subject)
    why = reason(here.routing, here.channel, about)
    if not why:
        return
    branch = newest.subject.get("branch", "")
    thread = opened(f"night:{night.day}:{digest(branch)}", here.threads)
    came = [(one.invocation, one.verdict) for one in night.invocations]
    stands = digest(came, [(one.invocation, one.scenario, one.verdict, one.counts, one.environment) for one in night.results])
    yield Action(
        key=f"{here.channel.id}/{thread.key}/{stands}/summary",
        channel=here.channel.id,
        thread=thread.key,
        occasion="summary",
        message=summary(here.routing, night, before=before),
        reason=f"night to {night.day}{f', {branch}' if branch else ''}: summary; {why}",
        at=here.now,
        edits=True,
        replaces=tuple(one.action.key for one in thread.told if one.state == "pending" and not one.attempts),
        invocations=tuple(one.invocation for one in night.invocations),
        turn=thread.turn,
    )


def _class(night: Night) -> str:
    return next((one.environment_class for one in night.results if one.environment_class), "")


def _dirty(here: Here, scenarios: Sequence[PastScenario]) -> Iterator[Action]:
    """Environments that were left dirty, at once; and those that were told so and are clean again."""
    classes: dict[str, list[PastScenario]] = {}
    for one in scenarios:
        classes.setdefault(one.environment_class, []).append(one)
    for name, results in sorted(classes.items()):
        cause = Cause(kind="dirty", environment_class=name)
        thread = opened(cause.key, here.threads)
        dirty = [one for one in results if one.environment == "dirty"]
        clean = [one for one in results if one.environment == "clean"]
        if dirty and not thread.covers(here.invocation):
            yield from _left_dirty(here, thread, cause, dirty)
        elif clean and not dirty and thread.open and max(one.at for one in clean) > thread.failed_at:
            yield from _clean_again(here, thread, cause, clean[-1])


def _left_dirty(here: Here, thread: Thread, cause: Cause, results: Sequence[PastScenario]) -> Iterator[Action]:
    again = thread.open
    why = _why(here, "environment-dirty", results)
    if not why:
        return
    due = thread.next_due(DIRTY_AGAIN) if again else 0
    yield Action(
        key=f"{here.channel.id}/{cause.key}/{thread.episode + (not again)}/{thread.turn if again else 0}/environment-dirty",
        channel=here.channel.id,
        thread=cause.key,
        occasion="still-failing" if again else "environment-dirty",
        message=left_dirty(here.routing, cause, results),
        reason=f"{cause.words}; {why}",
        at=here.now,
        loud=due <= here.now,
        not_before=due if due > here.now else 0,
        replaces=tuple(one.key for one in thread.waiting) if again else (),
        invocations=(here.invocation,),
        ticket=Ticket(wish="failing", failed_at=max(one.at for one in results), owner=next(iter(owners(results)), "")),
        causes=(cause,),
        episode=thread.episode if again else thread.episode + 1,
        turn=thread.turn if again else 0,
    )


def _clean_again(here: Here, thread: Thread, cause: Cause, result: PastScenario) -> Iterator[Action]:
    why = _why(here, "recovered", [result]) or _why(here, "environment-dirty", [result])
    if not why:
        return
    yield Action(
        key=f"{here.channel.id}/{cause.key}/{thread.episode}/{thread.turn}/recovered",
        channel=here.channel.id,
        thread=cause.key,
        occasion="recovered",
        message=clean_again(here.routing, cause, result, begun=thread.now[0].action.at),
        reason=f"{cause.words} before, and clean now; {why}",
        at=here.now,
        replaces=tuple(one.key for one in thread.waiting),
        invocations=(here.invocation,),
        ticket=Ticket(wish="clean", failed_at=thread.failed_at, clean=here.routing.rules.close_after),
        causes=(cause,),
        episode=thread.episode,
        turn=thread.turn,
    )


def _why(here: Here, occasion: Occasion, results: Sequence[PastScenario]) -> str:
    about = About(
        occasion=occasion,
        scenarios=tuple(results),
        environment_class=results[0].environment_class,
        subject=here.around.invocation.subject,
    )
    return reason(here.routing, here.channel, about)
