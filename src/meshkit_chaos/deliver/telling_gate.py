"""What is said of the release gate and of its overrides. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from meshkit_chaos.clock import minute
from meshkit_chaos.deliver.message import Link, Message, Point, Section
from meshkit_chaos.deliver.settings import Routing
from meshkit_chaos.deliver.telling import facts, filled, line, short
from meshkit_chaos.deliver.telling_nights import dashboard
from meshkit_chaos.gate.decision import EVIDENCE, Decision, Item, OverrideUse
from meshkit_chaos.gate.overrides import Override
from meshkit_chaos.judge.phrases import counted, listed
from meshkit_chaos.report.gate_words import name, ordered, pairs


def blocked(routing: Routing, decision: Decision, *, mention: Sequence[str]) -> Message:
    """A release cannot go out: why, and what would open the gate."""
    items = [item for item in ordered(decision) if item.blocks]
    first = items[0] if items else None
    refused = [use for use in decision.overrides if use.refusal]
    sections = (
        Section(heading=f"what blocks: {len(items)}", points=tuple(_point(item) for item in items)),
        Section(heading="overrides that do not count", points=tuple(_use(use) for use in refused)),
    )
    return Message(
        title=line(f"{routing.project}: the gate is closed for {_build(decision.subject)}", 200),
        lead=line(decision.sentence, 600),
        tone="bad" if any(item.code in EVIDENCE for item in items) else "unsure",
        facts=facts(
            (
                *_subject(decision.subject),
                ("policy", decision.policy),
                ("first bad", _sighted(first, "first_bad")),
                ("last good", _sighted(first, "last_good")),
                ("to open", first.remedy if first else ""),
            )
        ),
        sections=tuple(section for section in sections if section.points),
        links=(*_compare(routing, first), *dashboard(routing)),
        mention=tuple(mention),
    )


def opened_gate(routing: Routing, decision: Decision) -> Message:
    """It was closed, and is open now. With exceptions it is no plain good news."""
    used = [use for use in decision.overrides if not use.refusal]
    exceptions = (Section(heading="by exception", points=tuple(_use(use) for use in used)),) if used else ()
    return Message(
        title=line(f"{routing.project}: the gate is open for {_build(decision.subject)}", 200),
        lead=line(decision.sentence, 600),
        tone="unsure" if used else "good",
        facts=facts((*_subject(decision.subject), ("policy", decision.policy))),
        sections=exceptions,
        links=dashboard(routing),
    )


def override_used(routing: Routing, decision: Decision, use: OverrideUse) -> Message:
    """Something that did not pass was let through on somebody's word."""
    return Message(
        title=line(f"{routing.project}: the exception {use.id} was used for {_build(decision.subject)}", 200),
        lead=line(use.sentence, 600),
        tone="unsure",
        facts=facts(
            (
                ("scenario", use.scenario),
                ("objective", use.objective),
                ("approved", use.identity),
                *_subject(decision.subject),
            )
        ),
        links=dashboard(routing),
    )


def override_expiring(routing: Routing, entry: Override, *, now: int) -> Message:
    """An exception ends soon: then what it accepts blocks again."""
    hours = (entry.expires - now) // (3600 * 10**9)
    left = counted(hours // 24, "day") if hours >= 48 else counted(hours, "hour")
    return Message(
        title=line(f"{routing.project}: the exception {entry.id} ends in {left}", 200),
        lead=line(
            f"From {minute(entry.expires)} on {entry.accept} is accepted no more. It was granted because: {entry.reason}", 600
        ),
        tone="unsure",
        facts=facts(
            (
                ("scenario", entry.scenario),
                ("objective", entry.objective),
                ("ticket", entry.ticket),
                ("author", entry.author),
                ("approver", entry.approver),
                *_subject(entry.subject),
            )
        ),
        links=dashboard(routing),
    )


def _build(subject: Mapping[str, str]) -> str:
    """The shortest name of what is to be released."""
    named = next((f"{key} {short(subject[key])}" for key in ("version", "commit") if key in subject), "")
    return named or pairs(subject)


def _subject(subject: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    first = [key for key in ("version", "commit", "branch") if key in subject]
    rest = listed(f"{key}={value}" for key, value in subject.items() if key not in first)
    return (*((key, short(subject[key])) for key in first), ("subject", rest))


def _sighted(item: Item | None, which: str) -> str:
    sighting = getattr(item, which, None)
    return f"{minute(sighting.at)}, {_build(sighting.subject)}" if sighting is not None else ""


def _point(item: Item) -> Point:
    return Point(text=line(f"{name(item)}: {item.sentence}"), tone="bad" if item.code in EVIDENCE else "unsure")


def _use(use: OverrideUse) -> Point:
    return Point(text=line(f"{use.id}: {use.sentence}"), tone="unsure")


def _compare(routing: Routing, item: Item | None) -> tuple[Link, ...]:
    """What changed between the last good and the first bad commit of a blocking item."""
    first = item.last_good.subject.get("commit", "") if item and item.last_good else ""
    last = item.first_bad.subject.get("commit", "") if item and item.first_bad else ""
    url = filled(routing.links.compare, first=first, last=last) if first != last else ""
    return (Link(text="what changed", url=url),) if url else ()
