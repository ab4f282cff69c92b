"""A decision of the gate, and the overrides → what is told of them. Pure.

That the gate is closed is told when it closes, when other things close it, and as a digest after that; that it is open only
where somebody was told that it was closed. An override is told once when it is used and once before it ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Here:
    """One channel while something of the gate is decided. ``scenarios``: what history knows of each, by its id."""

    routing: Routing
    channel: Channel
    scenarios: Mapping[str, PastScenario]
    now: int

    def known(self, names: Iterable[str]) -> list[PastScenario]:
        return [self.scenarios[name] for name in dict.fromkeys(names) if name in self.scenarios]

    def reason(self, occasion: Occasion, about: Sequence[PastScenario], subject: Mapping[str, str]) -> str:
        """Why this goes here; empty where it does not."""
        known = next((one.environment_class for one in about if one.environment_class), "")
        named = About(occasion=occasion, scenarios=tuple(about), environment_class=known, subject=dict(subject))
        return reason(self.routing, self.channel, named)


def decide_gate(
    decision: Decision, *, history: HistoryReader, told: Sequence[Told], routing: Routing, now: int
) -> tuple[Action, ...]:
    """All actions that one decision gives rise to. Arguments as those of ``deciding.decide``."""
    found: list[Action] = []
    for here in _everywhere(history, routing, now=now):
        thread = opened(gate_thread(decision), threads(told, here.channel.id))
        found += _gate(here, thread, decision)
        found += _used(here, decision)
    return _new(found, told)


def _everywhere(history: HistoryReader, routing: Routing, *, now: int) -> Iterator[_Here]:
    scenarios = {one.scenario: one for one in history.known()}
    for channel in routing.channels:
        yield _Here(routing=routing, channel=channel, scenarios=scenarios, now=now)


def _new(found: Iterable[Action], told: Iterable[Told]) -> tuple[Action, ...]:
    known = {one.action.key for one in told}
    return tuple(one for one in found if one.key not in known)


def gate_thread(decision: Decision) -> str:
    """The thread of a decision: its policy, and the line of releases that its subject is of."""
    line = [(key, decision.subject.get(key, "")) for key in LINE]
    return f"gate:{digest(decision.policy.partition(' at ')[0], line)}"


def _gate(here: _Here, thread: Thread, decision: Decision) -> Iterator[Action]:
    if decision.at < max((one.action.as_of for one in thread.told), default=0):
        return  # a later decision was told: what an older one says is over
    closed = thread.last is not None and thread.last.occasion == "gate-blocked"
    blocking = here.known(item.scenario for item in decision.items if item.blocks)
    occasion: Occasion = "gate-opened" if decision.open else "gate-blocked"
    why = here.reason(occasion, blocking or here.known(item.scenario for item in decision.items), decision.subject)
    if not why or (decision.open and not closed):
        return
    causes = () if decision.open else _causes(decision)
    if closed and not decision.open and not _news(here, thread, causes):
        return
    message = (
        opened_gate(here.routing, decision) if decision.open else blocked(here.routing, decision, mention=owners(blocking))
    )
    yield Action(
        key=f"{here.channel.id}/{thread.key}/{thread.turn}.{digest(decision.open, causes)}/{occasion}",
        channel=here.channel.id,
        thread=thread.key,
        occasion=occasion,
        message=message,
        reason=f"{_what(decision, closed=closed)}; {why}",
        at=here.now,
        loud=not decision.open,
        replaces=tuple(one.action.key for one in thread.told if one.state == "pending" and not one.attempts),
        causes=causes,
        turn=thread.turn,
        as_of=decision.at,
    )


def _what(decision: Decision, *, closed: bool) -> str:
    if decision.open:
        return "the gate is open again"
    return "the gate is still closed, for other reasons or for long" if closed else "the gate is closed"


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


def _news(here: _Here, thread: Thread, causes: tuple[Cause, ...]) -> bool:
    """Whether anything blocks that was not told since the gate closed, or it was told long ago. Fewer reasons are no news.

    What the channel refused, nobody received, unless a person gave it up.
    """
    if thread.valid and thread.valid[-1].state == "dead" and thread.valid[-1].receipt is None:
        return True
    known: set[Cause] = set()
    for one in thread.valid:
        known = known | set(one.action.causes) if one.action.occasion == "gate-blocked" else set()
    last = thread.last
    return last is None or not known.issuperset(causes) or here.now >= last.at + here.routing.rules.digest_every.ns


def _used(here: _Here, decision: Decision) -> Iterator[Action]:
    for use in decision.overrides:
        why = here.reason("override-used", here.known([use.scenario]), decision.subject)
        if not use.refusal and why:
            message = override_used(here.routing, decision, use)
            why = f"the exception {use.id} was used; {why}"
            yield _once(here, (use.id, use.digest), "override-used", message=message, why=why)


def decide_overrides(
    overrides: Overrides, *, history: HistoryReader, told: Sequence[Told], routing: Routing, now: int
) -> tuple[Action, ...]:
    """Overrides that end soon, each told once on each channel."""
    soon = [one for one in overrides.entries if now < one.expires <= now + routing.rules.expiring_within.ns]
    found: list[Action] = []
    for here in _everywhere(history, routing, now=now) if soon else ():
        for entry in soon:
            if why := here.reason("override-expiring", here.known([entry.scenario]), entry.subject):
                message = override_expiring(routing, entry, now=now)
                why = f"the exception {entry.id} ends within {routing.rules.expiring_within}; {why}"
                found.append(_once(here, (entry.id, entry.digest), "override-expiring", message=message, why=why))
    return _new(found, told)


def _once(here: _Here, override: tuple[str, str], occasion: Occasion, *, message: Message, why: str) -> Action:
    """What is told of an override, by its name and digest, once and for all."""
    thread = f"override:{override[0]}"
    return Action(
        key=f"{here.channel.id}/{thread}/{override[1][:16]}/{occasion}",
        channel=here.channel.id,
        thread=thread,
        occasion=occasion,
        message=message,
        reason=why,
        at=here.now,
    )
