"""The nightly that did not come: it cannot tell by itself, so a watch asks the policy's schedule and history. Pure.

The first one that is missing is told loudly; while more are missing a digest waits; and when one comes again, that is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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
        in_time = [one for one in came if one.at <= at + nightly.grace.ns]
        if in_time or (came and thread.open):
            found += _came(thread, channel, routing, cause, came[-1], now)
        elif not came:
            found += _missing(thread, channel, routing, cause, nightly, at, _newest(history, nightly), now)
    return tuple(one for one in found if one.key not in known)


def _is(one: PastInvocation, nightly: Nightly) -> bool:
    return nightly.subject.items() <= one.subject.items()


def _newest(history: HistoryReader, nightly: Nightly) -> PastInvocation | None:
    return next((one for one in history.invocations() if _is(one, nightly)), None)


def _missing(
    thread: Thread,
    channel: Channel,
    routing: Routing,
    cause: Cause,
    nightly: Nightly,
    at: int,
    newest: PastInvocation | None,
    now: int,
) -> Iterator[Action]:
    why = _why("nightly-missing", nightly.subject, channel, routing)
    if not why or any(at == one.action.ticket.failed_at for one in thread.now if one.action.ticket):
        return
    again = thread.open
    due = thread.next_due(routing.rules.digest_every) if again else 0
    message = nightly_missing(routing, cause, nightly, expected=at, newest=newest)
    yield _action(
        thread,
        channel,
        cause,
        "still-failing" if again else "nightly-missing",
        message,
        f"the nightly of {minute(at)} did not come within {nightly.grace}; {why}",
        now,
        ticket=Ticket(wish="failing", failed_at=at),
        not_before=due if due > now else 0,
    )


def _came(
    thread: Thread, channel: Channel, routing: Routing, cause: Cause, newest: PastInvocation, now: int
) -> Iterator[Action]:
    why = _why("nightly-missing", newest.subject, channel, routing)
    if not thread.open or not why:
        return
    message = nightly_came(routing, cause, newest, begun=thread.now[0].action.at)
    missed = max((one.action.ticket.failed_at for one in thread.now if one.action.ticket), default=0)
    ticket = Ticket(wish="clean", failed_at=missed, clean=routing.rules.close_after)
    yield _action(thread, channel, cause, "recovered", message, f"the nightly came again; {why}", now, ticket=ticket)


def _action(
    thread: Thread,
    channel: Channel,
    cause: Cause,
    occasion: Occasion,
    message: Message,
    why: str,
    now: int,
    *,
    ticket: Ticket,
    not_before: int = 0,
) -> Action:
    begins = occasion == "nightly-missing"
    episode, turn = (thread.episode + 1, 0) if begins else (thread.episode, thread.turn)
    return Action(
        key=f"{channel.id}/{cause.key}/{episode}/{turn}/{occasion}",
        channel=channel.id,
        thread=cause.key,
        occasion=occasion,
        message=message,
        reason=why,
        at=now,
        loud=begins,
        not_before=not_before,
        replaces=() if begins else tuple(one.key for one in thread.waiting),
        ticket=ticket,
        causes=(cause,),
        episode=episode,
        turn=turn,
    )


def _why(occasion: Occasion, subject: dict[str, str], channel: Channel, routing: Routing) -> str:
    return reason(routing, channel, About(occasion=occasion, subject=subject))
