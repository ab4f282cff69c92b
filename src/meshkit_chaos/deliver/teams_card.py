"""A message as an Adaptive Card in the envelope that the app Workflows takes. Pure.

Takes a message and whom to ping; gives the envelope, its size, and what was left out. Texts stand in text runs, which know no
Markdown. Teams refuses a message over 28 KB as it is *after* the service has widened it (one of 24,453 bytes was refused as
28,897), so we stay under 20,000 bytes, counted with every character outside ASCII written as an escape. Version 1.4, for that
is what Teams shows everywhere. Source: Microsoft's Adaptive Cards schema, and "Create incoming webhooks with Workflows".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from msgspec import Struct

from meshkit_chaos.deliver.budget import Room, fitted
from meshkit_chaos.deliver.escaping import one_line
from meshkit_chaos.deliver.message import Message, Point, Section, Tone
from meshkit_chaos.deliver.settings import Owner
from meshkit_chaos.deliver.sparkline import figures

BUDGET: Final = 20_000
VERSION: Final = "1.4"
_ROOM: Final = Room(lead=1500, points=60, command=600)
_MARKS: Final[dict[Tone, str]] = {"good": "✓", "bad": "✗", "unsure": "?", "neutral": "•"}
_STYLES: Final[dict[Tone, str]] = {"good": "good", "bad": "attention", "unsure": "warning", "neutral": "emphasis"}
_MOST_PEOPLE: Final = 10
Element = dict[str, Any]


class Card(Struct, frozen=True, kw_only=True):
    """``size`` in bytes, as the budget counts them."""

    envelope: Element
    size: int
    dropped: tuple[str, ...]


def teams_card(message: Message, *, people: Sequence[Owner] = ()) -> Card:
    """``people``: owners of ``pinged`` that are really to be pinged."""
    found, dropped = fitted(message, budget=BUDGET, size=lambda one: _size(_envelope(one, people)), room=_ROOM)
    envelope = _envelope(found, people)
    return Card(envelope=envelope, size=_size(envelope), dropped=dropped)


def pinged(names: Iterable[str], owners: Sequence[Owner]) -> list[Owner]:
    """The owners whom Teams knows by an address or id; nobody else is pinged, ever."""
    wanted = set(names)
    return [
        owner
        for owner in owners
        if owner.name in wanted
        and re.fullmatch(r"[\w.+-]+@[\w.-]+|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", owner.teams)
    ][:_MOST_PEOPLE]


def _size(envelope: Element) -> int:
    return len(json.dumps(envelope))


def _envelope(message: Message, people: Sequence[Owner]) -> Element:
    card: Element = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": VERSION,
        "fallbackText": _text(f"{message.title}: {one_line(message.lead, 300)}"),
        "msteams": {"width": "Full"},
        "body": [_title(message), *_body(message, people)],
    }
    actions = [{"type": "Action.OpenUrl", "title": link.text, "url": link.url} for link in message.links if link.url]
    if actions:
        card["actions"] = actions
    if people:
        card["msteams"]["entities"] = [_entity(owner) for owner in people]
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _title(message: Message) -> Element:
    run = _run(f"{_MARKS[message.tone]} {message.title}", size="Large", weight="Bolder")
    return {"type": "Container", "style": _STYLES[message.tone], "bleed": True, "items": [_line(run)]}


def _body(message: Message, people: Sequence[Owner]) -> list[Element]:
    body = [_line(_run(line)) for line in message.lead.split("\n") if line]
    if people:
        body.append({"type": "TextBlock", "text": " ".join(_at(owner) for owner in people), "wrap": True})
    facts = [(fact.label, fact.value) for fact in message.facts]
    if message.trend is not None:
        facts.append((message.trend.label, figures(message.trend)))
    for at, (label, value) in enumerate(facts):
        body.append(_line(_run(f"{label}: ", weight="Bolder"), _run(value), spacing="Small" if at else "Medium"))
    for section in message.sections:
        body += _section(section)
    if message.command:
        lines = [_line(_run(line, fontType="Monospace", size="Small"), spacing="None") for line in message.command.split("\n")]
        body.append({"type": "Container", "style": "emphasis", "items": lines})
    if message.cause:
        body.append(_line(_run(f"cause {message.cause}", size="Small", isSubtle=True)))
    return body


def _section(section: Section) -> list[Element]:
    heading = _line(_run(section.heading, weight="Bolder"), spacing="Medium")
    return [heading, *(_line(_point(point), spacing="Small") for point in section.points)]


def _point(point: Point) -> Element:
    run = _run(f"{_MARKS[point.tone]} {point.text}")
    return {**run, "selectAction": {"type": "Action.OpenUrl", "url": point.url}} if point.url else run


def _line(*runs: Element, **more: str) -> Element:
    return {"type": "RichTextBlock", "inlines": list(runs), **more}


def _run(text: str, **style: object) -> Element:
    return {"type": "TextRun", "text": _text(text), **style}


def _text(text: str) -> str:
    """Cards know one thing beside Markdown: ``{{DATE(…)}}``. Without two braces together there is none."""
    return text.replace("{{", "{\N{WORD JOINER}{")


def _at(owner: Owner) -> str:
    return f"<at>{_name(owner)}</at>"


def _name(owner: Owner) -> str:
    """An owner's name as both places of a mention hold it: without anything that is Markdown or markup."""
    return re.sub(r"[^\w .]", " ", one_line(owner.name, 60)).replace("_", " ").strip() or "owner"


def _entity(owner: Owner) -> Element:
    return {"type": "mention", "text": _at(owner), "mentioned": {"id": owner.teams, "name": _name(owner)}}
