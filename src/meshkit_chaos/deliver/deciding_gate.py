"""A decision of the gate, and the overrides → what is told of them. Pure.

That the gate is closed is told when it closes, when other things close it, and as a digest after that; that it is open only
where somebody was told that it was closed. An override is told once when it is used and once before it ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from meshkit_chaos.deliver.action import Action, Occasion, Told
from meshkit_chaos.deliver.cause import Cause, digest
from meshkit_chaos.deliver.message import Message
from meshkit_chaos.deliver.routing import About, reason
from meshkit_chaos.deliver.settings import Channel, Routing
from meshkit_chaos.deliver.telling import owners
from meshkit_chaos.deliver.telling_gate import blocked, opened_gate, override_expiring, override_used
from meshkit_chaos.deliver.threads import Thread, opened, threads
from meshkit_chaos.gate.decision import Decision
from meshkit_chaos.gate.overrides import Overrides
from meshkit_chaos.history.model import HistoryReader, PastScenario

LINE = ("version", "branch")
"""What tells one line of releases from another: of each, the gate is one thread, whatever the commit."""


def decide_gate(
    decision: Decision, *, history: HistoryReader, told: Sequence[Told], routing: Routing, now: int
) -> tuple[Action, ...]:
    """All actions that one decision gives rise to. Arguments as those of ``deciding.decide``."""
    known = {one.action.key for one in told}
    scenarios = {one.scenario: one for one in history.known()}
    found: list[Action] = []
    for channel in routing.channels:
        before = threads(told, channel.id)
        thread = opened(gate_thread(decision), before)
        found += _gate(decision, scenarios, thread, channel, routing, now)
        found += _used(decision, scenarios, channel, routing, now)
    return tuple(one for one in found if one.key not in known)


def gate_thread(decision: Decision) -> str:
    """The thread of a decision: its policy, and the line of releases that its subject is of."""
    line = [(key, decision.subject.get(key, "")) for key in LINE]
    return f"gate:{digest(decision.policy.partition(' at ')[0], line)}"


def _gate(
    decision: Decision,
    scenarios: Mapping[str, PastScenario],
    thread: Thread,
    channel: Channel,
    routing: Routing,
    now: int,
) -> Iterator[Action]:
    closed = thread.last is not None and thread.last.occasion == "gate-blocked"
    about = [scenarios[item.scenario] for item in decision.items if item.blocks and item.scenario in scenarios]
    occasion: Occasion = "gate-opened" if decision.open else "gate-blocked"
    why = _why(occasion, about or _asked(decision, scenarios), decision.subject, channel, routing)
    if not why or (decision.open and not closed):
        return
    causes = () if decision.open else _causes(decision)
    if closed and not decision.open and not _news(thread, causes, routing, now):
        return
    message = opened_gate(routing, decision) if decision.open else blocked(routing, decision, mention=owners(about))
    yield Action(
        key=f"{channel.id}/{thread.key}/{thread.turn}.{digest(decision.open, causes)}/{occasion}",
        channel=channel.id,
        thread=thread.key,
        occasion=occasion,
        message=message,
        reason=f"{'open again' if decision.open else _closing(thread, closed=closed)}; {why}",
        at=now,
        loud=not decision.open,
        replaces=tuple(one.action.key for one in thread.told if one.state == "pending" and not one.attempts),
        causes=causes,
        turn=thread.turn,
    )


def _closing(thread: Thread, *, closed: bool) -> str:
    if not closed:
        return "the gate closed"
    return "the gate is still closed, for other reasons or for long" if thread.told else "the gate is closed"


def _causes(decision: Decision) -> tuple[Cause, ...]:
    """What blocks, without any number or sentence: by this, the same blocking is known again."""
    return tuple(
        sorted(
            {
                Cause(
                    kind="gate",
                    environment_class=item.environment_class,
                    scenario=item.scenario,
                    objective=item.code,
                    shared=f"requirement {item.requirement}",
                )
                for item in decision.items
                if item.blocks
            },
            key=lambda one: (one.shared, one.scenario, one.objective),
        )
    )


def _news(thread: Thread, causes: tuple[Cause, ...], routing: Routing, now: int) -> bool:
    last = thread.last
    return last is None or set(last.causes) != set(causes) or now >= last.at + routing.rules.digest_every.ns


def _used(
    decision: Decision, scenarios: Mapping[str, PastScenario], channel: Channel, routing: Routing, now: int
) -> Iterator[Action]:
    for use in decision.overrides:
        about = [scenarios[use.scenario]] if use.scenario in scenarios else []
        why = _why("override-used", about, decision.subject, channel, routing)
        if use.refusal or not why:
            continue
        message = override_used(routing, decision, use)
        yield _once(channel, use.id, use.digest, "override-used", message, f"the exception {use.id} was used; {why}", now)


def decide_overrides(
    overrides: Overrides, *, history: HistoryReader, told: Sequence[Told], routing: Routing, now: int
) -> tuple[Action, ...]:
    """Overrides that end soon, each told once on each channel."""
    known = {one.action.key for one in told}
    scenarios = {one.scenario: one for one in history.known()}
    found: list[Action] = []
    for entry in overrides.entries:
        if not now < entry.expires <= now + routing.rules.expiring_within.ns:
            continue
        about = [scenarios[entry.scenario]] if entry.scenario in scenarios else []
        for channel in routing.channels:
            why = _why("override-expiring", about, entry.subject, channel, routing)
            message = override_expiring(routing, entry, now=now)
            text = f"the exception {entry.id} ends within {routing.rules.expiring_within}; {why}"
            if why:
                found.append(_once(channel, entry.id, entry.digest, "override-expiring", message, text, now))
    return tuple(one for one in found if one.key not in known)


def _once(channel: Channel, name: str, stamp: str, occasion: Occasion, message: Message, why: str, now: int) -> Action:
    thread = f"override:{name}"
    return Action(
        key=f"{channel.id}/{thread}/{stamp[:16]}/{occasion}",
        channel=channel.id,
        thread=thread,
        occasion=occasion,
        message=message,
        reason=why,
        at=now,
    )


def _asked(decision: Decision, scenarios: Mapping[str, PastScenario]) -> list[PastScenario]:
    return [scenarios[item.scenario] for item in decision.items if item.scenario in scenarios]


def _why(
    occasion: Occasion, about: Sequence[PastScenario], subject: Mapping[str, str], channel: Channel, routing: Routing
) -> str:
    classes = [one.environment_class for one in about if one.environment_class]
    named = About(
        occasion=occasion, scenarios=tuple(about), environment_class=classes[0] if classes else "", subject=dict(subject)
    )
    return reason(routing, channel, named)
