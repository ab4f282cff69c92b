"""A message fitted into a channel's limit: the most important first, and what there was no room for by name. Pure.

Takes a message, the room of each kind of text, and a measure of the rendered whole; gives a message that fits, plain in every
text, and what was left out. Title, lead and cause stay always. Then come the first link, the facts, the command, the trend, the
points in their order, and the other links; the last of them go first, and a list that is cut says so in the message itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Final, Literal, NamedTuple

from msgspec import Struct, structs

from meshkit_chaos.deliver.escaping import cut, few_lines, one_line, web_address
from meshkit_chaos.deliver.message import Fact, Link, Message, Point, Section, Trend

_Kind = Literal["link", "fact", "command", "trend", "point"]


class Room(Struct, frozen=True, kw_only=True):
    """How long each text may be, in UTF-16 units, and how many of each there may be."""

    title: int = 140
    lead: int = 1000
    label: int = 60
    value: int = 300
    heading: int = 140
    point: int = 500
    command: int = 1000
    facts: int = 12
    points: int = 200
    sections: int = 12
    links: int = 5
    values: int = 100
    mentions: int = 50


class Fitted(NamedTuple):
    """``dropped``: what was left out, each in a few words."""

    message: Message
    dropped: tuple[str, ...]


ROOM: Final = Room()


def fitted(message: Message, *, budget: int, size: Callable[[Message], int], room: Room = ROOM) -> Fitted:
    """The most of a message whose rendering is no larger than ``budget``."""
    whole, dropped = _plain(message, room)
    order = _order(whole)
    kept, low = len(order), 0
    if size(whole) > budget:
        while low < kept:  # the greatest number of parts that fits
            middle = (low + kept + 1) // 2
            low, kept = (middle, kept) if size(_with(whole, order[:middle])) <= budget else (low, middle - 1)
    found = whole if kept == len(order) else _with(whole, order[:kept])
    while size(found) > budget and (found.lead or found.title):
        dropped = (*dropped, "the end of the lead")
        found = structs.replace(found, lead=cut(found.lead, len(found.lead) // 2), title=_shorter(found))
    return Fitted(found, (*_left_out(whole, order[kept:]), *dict.fromkeys(dropped)))


def _shorter(message: Message) -> str:
    return message.title if message.lead else cut(message.title, len(message.title) // 2)


class _Part(NamedTuple):
    kind: _Kind
    section: int
    at: int


def _order(message: Message) -> list[_Part]:
    """The parts that may be left out, the most important first."""
    order = [_Part("link", 0, 0)] if message.links else []
    order += [_Part("fact", 0, at) for at in range(len(message.facts))]
    order += [_Part("command", 0, 0)] if message.command else []
    order += [_Part("trend", 0, 0)] if message.trend is not None else []
    order += [_Part("point", at, of) for at, section in enumerate(message.sections) for of in range(len(section.points))]
    return order + [_Part("link", 0, at) for at in range(1, len(message.links))]


def _with(message: Message, parts: list[_Part]) -> Message:
    """The message with these parts only; a section that is cut says how much more there is."""
    counts: dict[tuple[_Kind, int], int] = {}
    for kind, section, _ in parts:
        counts[kind, section] = counts.get((kind, section), 0) + 1
    sections = tuple(_cut(section, counts.get(("point", at), 0)) for at, section in enumerate(message.sections))
    return structs.replace(
        message,
        links=message.links[: counts.get(("link", 0), 0)],
        facts=message.facts[: counts.get(("fact", 0), 0)],
        command=message.command if ("command", 0) in counts else "",
        trend=message.trend if ("trend", 0) in counts else None,
        sections=tuple(section for section in sections if section.points),
    )


def _cut(section: Section, kept: int) -> Section:
    left = len(section.points) - kept
    if not left or not kept:
        return structs.replace(section, points=section.points[:kept])
    return structs.replace(section, points=(*section.points[:kept], Point(text=f"… and {left} more")))


def _left_out(message: Message, parts: list[_Part]) -> tuple[str, ...]:
    names = {"link": "links", "fact": "facts", "command": "the command", "trend": "the trend", "point": "points"}
    counts: dict[tuple[_Kind, int], int] = {}
    for kind, section, _ in parts:
        counts[kind, section] = counts.get((kind, section), 0) + 1
    return tuple(_named(message, kind, section, names[kind], count) for (kind, section), count in counts.items())


def _named(message: Message, kind: _Kind, section: int, name: str, count: int) -> str:
    if kind == "point":
        return f"{count} of {len(message.sections[section].points)} points of {message.sections[section].heading!r}"
    return name if kind in {"command", "trend"} else f"{count} {name}"


def _plain(message: Message, room: Room) -> tuple[Message, tuple[str, ...]]:
    """Every text plain and no longer than its room, and what that left out."""
    dropped: Mapping[str, int] = {
        "facts": len(message.facts) - room.facts,
        "sections": len(message.sections) - room.sections,
        "links": len(message.links) - room.links,
        "points": sum(max(0, len(section.points) - room.points) for section in message.sections[: room.sections]),
    }
    trend = message.trend
    return (
        Message(
            title=one_line(message.title, room.title) or "(no title)",
            lead=few_lines(message.lead, room.lead),
            tone=message.tone,
            facts=tuple(_fact(fact, room) for fact in message.facts[: room.facts]),
            sections=tuple(_section(section, room) for section in message.sections[: room.sections]),
            trend=None if trend is None else _trend(trend, room),
            command="" if len(message.command) > room.command else few_lines(message.command, room.command),
            links=tuple(_link(link, room) for link in message.links[: room.links]),
            cause=one_line(message.cause, 200),
            mention=tuple(one_line(name, room.label) for name in message.mention[: room.mentions]),
        ),
        (
            *(f"{count} {name}" for name, count in dropped.items() if count > 0),
            *(("the command",) if len(message.command) > room.command else ()),  # half a command is another one
        ),
    )


def _trend(trend: Trend, room: Room) -> Trend:
    """The newest values; what is not finite is no value."""
    values = tuple(value if value is not None and isfinite(value) else None for value in trend.values[-room.values :])
    limit = trend.limit if trend.limit is not None and isfinite(trend.limit) else None
    return Trend(label=one_line(trend.label, room.label), values=values, limit=limit, unit=one_line(trend.unit, 10))


def _fact(fact: Fact, room: Room) -> Fact:
    return Fact(label=one_line(fact.label, room.label) or "—", value=one_line(fact.value, room.value) or "—")


def _link(link: Link, room: Room) -> Link:
    url = web_address(link.url)
    return Link(text=one_line(link.text, room.label) or url or "—", url=url)


def _section(section: Section, room: Room) -> Section:
    points = tuple(
        structs.replace(point, text=one_line(point.text, room.point) or "—", url=web_address(point.url))
        for point in section.points[: room.points]
    )
    whole = Section(heading=one_line(section.heading, room.heading) or "—", points=points)
    left = len(section.points) - len(points)
    return whole if left <= 0 else structs.replace(whole, points=(*points, Point(text=f"… and {left} more")))
