"""Causes → what is told of them on one channel: the beginning, a change, a digest, the end. Pure.

A thread begins loudly with the first failure, or with the n-th result in a row that proves nothing. While it goes on, one
digest waits and is replaced by the next, so that nobody reads the same thing twice in ``digest_every``. It ends with
``close_after`` passes in a row: a single good night is a flap until then, and only the summary tells it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from meshkit_chaos.deliver.action import Action, Occasion, Ticket, Wish
from meshkit_chaos.deliver.cause import UNPROVEN, Cause, digest
from meshkit_chaos.deliver.course import Courses, Sight, clean, clean_row, merged
from meshkit_chaos.deliver.message import Message
from meshkit_chaos.deliver.routing import About, reason
from meshkit_chaos.deliver.settings import TRACKERS, Alertmanager, Channel, Routing
from meshkit_chaos.deliver.storms import Storm, belongs, rolled_up
from meshkit_chaos.deliver.telling import owners
from meshkit_chaos.deliver.telling_causes import (
    Recovery,
    Telling,
    changed,
    clean_so_far,
    first_failure,
    named,
    recovered,
    still_failing,
)
from meshkit_chaos.deliver.threads import Thread, opened
from meshkit_chaos.history.model import PastScenario


@dataclass(frozen=True, kw_only=True)
class Here:
    """One channel while one invocation is decided. ``threads``: what it was told before. ``now``: wall-clock ns."""

    routing: Routing
    channel: Channel
    threads: dict[str, Thread]
    around: Courses
    sights: tuple[Sight, ...]
    now: int

    @property
    def invocation(self) -> str:
        return self.around.invocation.invocation

    @property
    def tracker(self) -> bool:
        return isinstance(self.channel, TRACKERS)

    @cached_property
    def shown(self) -> frozenset[Cause]:
        return frozenset(one.cause for one in self.sights)

    @cached_property
    def known(self) -> frozenset[Cause]:
        """What was told of this very invocation before, whatever became of it since."""
        told = (one.action for thread in self.threads.values() for one in thread.told)
        return frozenset(cause for one in told if self.invocation in one.invocations for cause in one.causes)

    def reason(self, occasion: Occasion, sights: Sequence[Sight]) -> str:
        """Why this goes here; empty where it does not. A tracker with a ticket is told how it goes on, whatever routes say."""
        about = About(
            occasion=occasion,
            scenarios=tuple({one.result.scenario: one.result for one in sights}.values()),
            environment_class=sights[0].result.environment_class,
            subject=self.around.invocation.subject,
        )
        found = reason(self.routing, self.channel, about)
        if not found and self.tracker and occasion in ("still-failing", "changed", "recovered"):
            return "it has a ticket here"
        return found


def decide_causes(here: Here) -> Iterator[Action]:
    """All that one channel is told of the causes of one invocation."""
    going_on, joining, fresh = _assigned(here)
    for key in sorted({*going_on, *joining}):
        thread = here.threads[key]
        if joining.get(key):
            yield from _changed(here, thread, joining[key])
        else:
            yield from _still(here, thread, going_on[key])
    routed = [sight for sight in fresh if here.reason("first-failure", [sight])]
    sizes = Counter(one.environment_class for one in here.around.results)
    storms, alone = rolled_up(routed, storm_at=here.routing.rules.storm_at, scenarios=sizes)
    for storm in (*storms, *(Storm(one.cause, (one,)) for one in alone)):
        yield from _begun(here, storm)
    for key in sorted(here.threads.keys() - going_on.keys() - joining.keys()):
        yield from _not_seen(here, here.threads[key])


def _assigned(here: Here) -> tuple[dict[str, list[Sight]], dict[str, list[Sight]], list[Sight]]:
    """Which thread tells of a sight already; which one it joins; what is new."""
    going_on: dict[str, list[Sight]] = {}
    joining: dict[str, list[Sight]] = {}
    fresh: list[Sight] = []
    threads = [thread for _, thread in sorted(here.threads.items()) if thread.open and thread.members]
    for sight in here.sights:
        holder = next((thread for thread in threads if thread.holds(sight.cause)), None)
        if holder is not None:
            going_on.setdefault(holder.key, []).append(sight)
        elif sight.cause not in here.known and not sight.quiet(here.routing.rules.unproven_after):
            other = next((thread for thread in threads if _moved(here, thread, sight) or _joins(thread, sight)), None)
            if other is None:
                fresh.append(sight)
            else:
                joining.setdefault(other.key, []).append(sight)
    return going_on, joining, fresh


def _moved(here: Here, thread: Thread, sight: Sight) -> bool:
    """Whether the same scenario failed otherwise before, and does no more. What proves nothing does not tell that."""
    if sight.cause.kind in UNPROVEN:
        return False
    same = (sight.cause.scenario, sight.cause.environment_class) in thread.scopes
    newer = sight.result.at > thread.failed_at
    return same and newer and thread.shared is None and here.shown.isdisjoint(thread.members)


def _joins(thread: Thread, sight: Sight) -> bool:
    return thread.shared is not None and belongs(sight, thread.shared)


def _begun(here: Here, storm: Storm) -> Iterator[Action]:
    why = here.reason("first-failure", storm.sights)
    thread = opened(storm.cause.key, here.threads)
    if thread.open or thread.covers(here.invocation):
        return
    reopened = _reopened(here, thread)
    message = first_failure(_telling(here, storm.cause, storm.sights), reopened=reopened)
    causes = tuple(dict.fromkeys((storm.cause, *(one.cause for one in storm.sights))))
    yield _action(
        here,
        thread=storm.cause.key,
        occasion="first-failure",
        message=message,
        reason=f"{named(storm.cause, causes)}: first failure; {why}",
        causes=causes,
        episode=thread.episode + 1,
        loud=True,
        ticket=_ticket(storm.sights, "failing", flapping=_flaps(here, reopened)),
    )


def _reopened(here: Here, thread: Thread) -> int:
    """How often the thread came back soon after it was solved, if it begins again now."""
    last = thread.last
    if last is None or last.occasion != "recovered":
        return 0
    within = here.routing.rules.reopen_within
    return thread.reopened(within) + 1 if here.now - last.at <= within.ns else 0


def _flaps(here: Here, reopened: int) -> bool:
    return reopened >= here.routing.rules.flapping_after


def _changed(here: Here, thread: Thread, sights: Sequence[Sight]) -> Iterator[Action]:
    why = here.reason("changed", sights)
    if not why:
        return
    telling = _telling(here, thread.causes[0], sights)
    names = tuple(dict.fromkeys(one.cause for one in sights))
    yield _action(
        here,
        thread=thread.key,
        occasion="changed",
        message=changed(telling, before=thread.members),
        reason=f"{named(names[0], names)}: it shows itself differently; {why}",
        causes=(thread.causes[0], *names),
        episode=thread.episode,
        turn=thread.turn,
        replaces=tuple(one.key for one in thread.waiting),
        ticket=_ticket(sights, "changed", flapping=_flaps(here, thread.reopened(here.routing.rules.reopen_within))),
        part=digest(names),
    )


def _still(here: Here, thread: Thread, sights: Sequence[Sight]) -> Iterator[Action]:
    why = here.reason("still-failing", sights)
    news = any(one.result.at > thread.failed_at for one in sights)
    if not why or not news or thread.covers(here.invocation):
        return
    begun = thread.now[0].action
    first = begun.ticket.failed_at if begun.ticket else begun.at
    seen_again = here.tracker and thread.turn == 1
    at_once = seen_again or isinstance(here.channel, Alertmanager)
    due = 0 if at_once else thread.next_due(here.routing.rules.digest_every)
    rule = "seen a second time" if seen_again else f"a digest at most every {here.routing.rules.digest_every}"
    yield _action(
        here,
        thread=thread.key,
        occasion="still-failing",
        message=still_failing(_telling(here, thread.causes[0], sights, thread.members), begun=begun.at, first=first),
        reason=f"{named(thread.causes[0], thread.members)}: still failing; {rule}; {why}",
        causes=(thread.causes[0], *(one.cause for one in sights)),
        episode=thread.episode,
        turn=thread.turn,
        not_before=due if due > here.now else 0,
        replaces=tuple(one.key for one in thread.waiting),
        ticket=_ticket(sights, "failing", flapping=_flaps(here, thread.reopened(here.routing.rules.reopen_within))),
    )


def _not_seen(here: Here, thread: Thread) -> Iterator[Action]:
    """What an open thread is told that nothing was seen of: that it is over, or that the digest which waits is out of date."""
    members = thread.members
    if not thread.open or not any(_is_evidence(one, thread) for one in here.around.results):
        return
    row = clean_row(here.around, members, thread.invocations, gone_after=here.routing.rules.digest_every)
    needed = here.routing.rules.close_after
    over = row >= needed
    if not row or (not over and (not thread.waiting or thread.covers(here.invocation))):
        return
    every = merged(*(here.around.of(one, line=False) for one in members), *(here.around.of(one) for one in members))
    of: dict[str, list[Cause]] = {}
    for member in members:
        of.setdefault(member.scenario, []).append(member)
    good = [one for one in every if any(clean(one, member) for member in of.get(one.scenario, ()))]
    occasion: Occasion = "recovered" if over else "still-failing"
    why = here.reason(occasion, [Sight(members[0], one) for one in good])
    if not why:
        return
    flapping = _flaps(here, thread.reopened(here.routing.rules.reopen_within))
    told = Recovery(
        routing=here.routing,
        cause=thread.causes[0],
        members=members,
        row=tuple(good[: row * len({one.scenario for one in members})]),
        clean=row,
        begun=thread.now[0].action.at,
        flapping=flapping,
    )
    yield _action(
        here,
        thread=thread.key,
        occasion=occasion,
        message=recovered(told) if over else clean_so_far(told, needed=needed),
        reason=f"{named(thread.causes[0], members)}: clean {row} times in a row, {needed} are needed; {why}",
        causes=thread.causes,
        episode=thread.episode,
        turn=thread.turn,
        not_before=0 if over else thread.next_due(here.routing.rules.digest_every),
        replaces=tuple(one.key for one in thread.waiting),
        ticket=Ticket(
            wish="clean", failed_at=thread.failed_at, clean=row, flapping=flapping, owner=next(iter(owners(good)), "")
        ),
    )


def _is_evidence(result: PastScenario, thread: Thread) -> bool:
    """Whether a result is clean of a member, and newer than what was told of the thread."""
    members = thread.scopes.get((result.scenario, result.environment_class), ())
    return result.at > thread.failed_at and any(clean(result, one) for one in members)


def _telling(here: Here, cause: Cause, sights: Sequence[Sight], members: tuple[Cause, ...] = ()) -> Telling:
    return Telling(routing=here.routing, around=here.around, cause=cause, sights=tuple(sights), members=members)


def _ticket(sights: Sequence[Sight], wish: Wish, *, flapping: bool) -> Ticket:
    results = [one.result for one in sights]
    severities = sorted({f"severity-{one.severity}" for one in results})
    return Ticket(
        wish=wish,
        failed_at=max(one.at for one in results),
        flapping=flapping,
        owner=next(iter(owners(results)), ""),
        labels=tuple(severities),
    )


def _action(
    here: Here,
    *,
    thread: str,
    occasion: Occasion,
    message: Message,
    reason: str,
    causes: tuple[Cause, ...],
    ticket: Ticket | None,
    episode: int,
    turn: int = 0,
    loud: bool = False,
    not_before: int = 0,
    replaces: tuple[str, ...] = (),
    part: str = "",
) -> Action:
    ordinal = str(turn) + (f".{part}" if part else "")
    return Action(
        key=f"{here.channel.id}/{thread}/{episode}/{ordinal}/{occasion}",
        channel=here.channel.id,
        thread=thread,
        occasion=occasion,
        message=message,
        reason=reason,
        at=here.now,
        loud=loud,
        not_before=not_before,
        replaces=replaces,
        invocations=(here.invocation,),
        ticket=ticket,
        causes=causes,
        episode=episode,
        turn=turn,
    )
