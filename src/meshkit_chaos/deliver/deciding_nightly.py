"""The nightly that did not come: it cannot tell by itself, so a watch asks the policy's schedule and history. Pure.

The first one that is missing is told loudly; while more are missing a digest waits; and when one comes again, that is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from meshkit_chaos.clock import minute
from meshkit_chaos.deliver.action import Action, Occasion, Ticket, Told
from meshkit_chaos.deliver.cause import Cause
from meshkit_chaos.deliver.message import Message
from meshkit_chaos.deliver.routing import About, reason
from meshkit_chaos.deliver.settings import Channel, Routing
from meshkit_chaos.deliver.telling_nights import nightly_came, nightly_missing
from meshkit_chaos.deliver.threads import Thread, opened, threads
from meshkit_chaos.gate.evidence import SLACK
from meshkit_chaos.gate.policy import Nightly
from meshkit_chaos.gate.schedule import expected
from meshkit_chaos.history.model import HistoryReader, PastInvocation


@dataclass(frozen=True, slots=True, kw_only=True)
class _Here:
    """One channel while a watch looks at one expected instant, ``at`` (as ``now`` in wall-clock ns)."""

    routing: Routing
    channel: Channel
    nightly: Nightly
    thread: Thread
    cause: Cause
    at: int
    now: int

    @property
    def reason(self) -> str:
        return reason(self.routing, self.channel, About(occasion="nightly-missing", subject=self.nightly.subject))


def decide_nightly(
    nightly: Nightly, *, history: HistoryReader, told: Sequence[Told], routing: Routing, now: int
) -> tuple[Action, ...]:
    """What is to be told of the schedule's last nightly. Arguments as those of ``deciding.decide``."""
    at = expected(nightly, now=now)
    if at is None:
        return ()
    known = {one.action.key for one in told}
    came = [one for one in history.invocations(since=at - SLACK.ns, before=now + 1) if _is(one, nightly)]
    pairs = " ".join(f"{key}={value}" for key, value in sorted(nightly.subject.items()))
    cause = Cause(kind="nightly-missing", shared=f"{nightly.cron} {nightly.timezone} {pairs}".rstrip())
    found: list[Action] = []
    for channel in routing.channels:
        thread = opened(cause.key, threads(told, channel.id))
        here = _Here(routing=routing, channel=channel, nightly=nightly, thread=thread, cause=cause, at=at, now=now)
        found += _came(here, came[-1]) if came else _missing(here, history)
    return tuple(one for one in found if one.key not in known)


def _is(one: PastInvocation, nightly: Nightly) -> bool:
    return nightly.subject.items() <= one.subject.items()


def _missing(here: _Here, history: HistoryReader) -> Iterator[Action]:
    if here.thread.failed_at == here.at:
        return
    again = here.thread.open
    due = here.thread.next_due(here.routing.rules.digest_every) if again else 0
    newest = next((one for one in history.invocations(before=here.at) if _is(one, here.nightly)), None)
    message = nightly_missing(here.routing, here.cause, here.nightly, expected=here.at, newest=newest)
    why = f"the nightly of {minute(here.at)} did not come within {here.nightly.grace}"
    ticket = Ticket(wish="failing", failed_at=here.at)
    occasion: Occasion = "still-failing" if again else "nightly-missing"
    yield from _action(here, occasion, message=message, why=why, ticket=ticket, not_before=due if due > here.now else 0)


def _came(here: _Here, newest: PastInvocation) -> Iterator[Action]:
    if not here.thread.open:
        return
    message = nightly_came(here.routing, here.cause, newest, begun=here.thread.now[0].action.at)
    ticket = Ticket(wish="clean", failed_at=here.thread.failed_at, clean=here.routing.rules.close_after)
    yield from _action(here, "recovered", message=message, why="the nightly came again", ticket=ticket)


def _action(
    here: _Here, occasion: Occasion, *, message: Message, why: str, ticket: Ticket, not_before: int = 0
) -> Iterator[Action]:
    begins = occasion == "nightly-missing"
    episode, turn = (here.thread.episode + 1, 0) if begins else (here.thread.episode, here.thread.turn)
    if not here.reason:
        return
    yield Action(
        key=f"{here.channel.id}/{here.cause.key}/{episode}/{turn}/{occasion}",
        channel=here.channel.id,
        thread=here.cause.key,
        occasion=occasion,
        message=message,
        reason=f"{why}; {here.reason}",
        at=here.now,
        loud=begins,
        not_before=not_before,
        replaces=() if begins else tuple(one.key for one in here.thread.waiting),
        ticket=ticket,
        causes=(here.cause,),
        episode=episode,
        turn=turn,
    )
