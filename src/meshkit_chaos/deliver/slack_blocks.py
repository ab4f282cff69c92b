"""A message as Slack's blocks, the same for a bot and an incoming webhook. Pure.

Takes a message and whom to ping; gives the blocks, the text that notifications show, and what was left out. Texts stand in
``plain_text`` and rich-text elements, in which nothing is markup: a ``<!channel>`` in a title is shown, not obeyed. Limits:
Slack's Block Kit reference (50 blocks, a header of 150 characters); for all blocks together none is documented, but about
13,200 characters are refused with ``msg_blocks_too_long``, so we stay under 12,000.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from msgspec import Struct

from meshkit_chaos.deliver.budget import Room, fitted
from meshkit_chaos.deliver.escaping import cut, one_line, width
from meshkit_chaos.deliver.message import Link, Message, Point, Section, Tone
from meshkit_chaos.deliver.settings import Owner
from meshkit_chaos.deliver.sparkline import figures

BUDGET: Final = 12_000
MARKS: Final[dict[Tone, str]] = {"good": "✅", "bad": "❌", "unsure": "❔", "neutral": "▪️"}
_FALLBACK: Final = 600
_MOST_PEOPLE: Final = 10
_ROOM: Final = Room(title=140, lead=1500)
Block = dict[str, Any]


class Blocks(Struct, frozen=True, kw_only=True):
    """``size`` is of the blocks as JSON, in UTF-16 units."""

    blocks: list[Block]
    text: str
    size: int
    dropped: tuple[str, ...]


def slack_blocks(message: Message, *, people: Sequence[Block] = ()) -> Blocks:
    """``people``: elements of ``pinged`` that really ping."""
    found, dropped = fitted(message, budget=BUDGET, size=lambda one: _size(_blocks(one, people)), room=_ROOM)
    blocks = _blocks(found, people)
    said = f"{MARKS[found.tone]} {found.title}: {one_line(found.lead, _FALLBACK)}"
    return Blocks(blocks=blocks, text=cut(mrkdwn(said), _FALLBACK), size=_size(blocks), dropped=dropped)


def pinged(names: Iterable[str], owners: Sequence[Owner]) -> list[Block]:
    """The people and groups that Slack knows by an id, as elements that ping them; nobody else is pinged, ever."""
    known = {owner.name: owner.slack for owner in owners}
    ids = list(dict.fromkeys(known.get(name, "") for name in names))
    return [
        {"type": "user", "user_id": one} if one[0] in "UW" else {"type": "usergroup", "usergroup_id": one}
        for one in ids
        if re.fullmatch(r"[UWS][A-Z0-9]{2,30}", one)
    ][:_MOST_PEOPLE]


def mrkdwn(text: str) -> str:
    """Slack's three escapes: without a ``<`` there is no link, no mention and no date."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _size(blocks: list[Block]) -> int:
    return width(json.dumps(blocks, ensure_ascii=False))


def _blocks(message: Message, people: Sequence[Block]) -> list[Block]:
    title = f"{MARKS[message.tone]} {message.title}"
    blocks: list[Block] = [{"type": "header", "text": {"type": "plain_text", "text": title, "emoji": False}}]
    body = [*_lead(message, people), *_facts(message)]
    for section in message.sections:
        body += _section(section)
    if message.command:
        body.append({"type": "rich_text_preformatted", "elements": [_text(message.command)]})
    if message.links:
        body.append({"type": "rich_text_section", "elements": _links(message.links)})
    blocks += [{"type": "rich_text", "elements": body}] if body else []
    if message.cause:
        said = {"type": "plain_text", "text": f"cause {message.cause}", "emoji": False}
        blocks.append({"type": "context", "elements": [said]})
    return blocks


def _text(text: str, **style: bool) -> Block:
    return {"type": "text", "text": text, "style": style} if style else {"type": "text", "text": text}


def _lead(message: Message, people: Sequence[Block]) -> list[Block]:
    elements: list[Block] = [_text(message.lead)] if message.lead else []
    for one in people:
        elements += [_text(" "), one]
    return [{"type": "rich_text_section", "elements": elements}] if elements else []


def _facts(message: Message) -> list[Block]:
    """Facts and trend, a line each."""
    facts = [(fact.label, fact.value) for fact in message.facts]
    if message.trend is not None:
        facts.append((message.trend.label, figures(message.trend)))
    lines = [[_text(f"{label}: ", bold=True), _text(value)] for label, value in facts]
    elements: list[Block] = []
    for line in lines:
        elements += [_text("\n"), *line]
    return [{"type": "rich_text_section", "elements": elements}] if elements else []


def _section(section: Section) -> list[Block]:
    points = [{"type": "rich_text_section", "elements": _point(point)} for point in section.points]
    heading = {"type": "rich_text_section", "elements": [_text(f"\n{section.heading}", bold=True)]}
    return [heading, {"type": "rich_text_list", "style": "bullet", "elements": points}] if points else [heading]


def _point(point: Point) -> list[Block]:
    mark = [] if point.tone == "neutral" else [_text(f"{MARKS[point.tone]} ")]
    if point.url:
        return [*mark, {"type": "link", "url": point.url, "text": point.text}]
    return [*mark, _text(point.text)]


def _links(links: Sequence[Link]) -> list[Block]:
    elements: list[Block] = []
    for link in links:
        elements += [_text(" · ")] if elements else []
        elements.append({"type": "link", "url": link.url, "text": link.text} if link.url else _text(link.text))
    return elements
