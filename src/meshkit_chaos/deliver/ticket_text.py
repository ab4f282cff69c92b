"""What stands in a ticket, as blocks that know no markup, and the markers by which it is found again. Pure.

Takes an action and the step that is taken for it; gives blocks, the most important first, that GitHub's Markdown and Jira's
document format are made of. ``fitted`` leaves out from the end what a tracker has no room for, and says how much that was;
what is ``needed`` always stays. Two markers stand in every text, as lines of their own: the ticket's (the cause) and the
delivery's (the action), so that both are found again where our own record was lost.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Final, Literal

from msgspec import Struct, structs

from meshkit_chaos.deliver.action import Action
from meshkit_chaos.deliver.message import Message, Section
from meshkit_chaos.deliver.sparkline import sparkline
from meshkit_chaos.deliver.ticket_life import Shown, Step
from meshkit_chaos.report.escape import clipped, one_line

Kind = Literal["paragraph", "heading", "bullet", "code", "line", "hidden"]
LONGEST_SPAN: Final = 2000
LONGEST_TITLE: Final = 240
"""GitHub takes 256 characters, Jira 255."""
_DIGITS: Final = 16
_TICKET: Final = "Chaos ticket: "
_DELIVERY: Final = "Chaos delivery: "


class Span(Struct, frozen=True, kw_only=True):
    """A piece of text. ``url``: it is a link. ``mention``: the owner's name at the tracker, which is told."""

    text: str
    strong: bool = False
    code: bool = False
    url: str = ""
    mention: str = ""


class Block(Struct, frozen=True, kw_only=True):
    """A paragraph, heading, item of a list, block of code, line of a signature, or a line that only machines see."""

    kind: Kind
    spans: tuple[Span, ...]
    needed: bool = False


class Owned(Struct, frozen=True, kw_only=True):
    """Who owns the cause, as the tracker knows them. ``assignee`` empty: nobody can be assigned."""

    name: str = ""
    assignee: str = ""
    mention: str = ""


def cause_of(action: Action) -> str:
    """What the ticket is about. All test messages of a channel are about the same, so that they leave one ticket behind."""
    if action.occasion == "test":
        return f"test message of {action.channel}"
    return action.message.cause or action.thread


def ticket_key(action: Action) -> str:
    """What marks the ticket of this cause: 16 hexadecimal digits."""
    return sha256(cause_of(action).encode("utf-8", "replace")).hexdigest()[:_DIGITS]


def delivery_key(action: Action) -> str:
    """What marks the text that this action left."""
    return sha256(action.key.encode("utf-8", "replace")).hexdigest()[:_DIGITS]


def ticket_label(key: str) -> str:
    return f"chaos-{key}"


def marks_ticket(text: str, key: str) -> bool:
    """Whether a whole line of the text says that it is this ticket."""
    return _has_line(text, _TICKET, key)


def marks_delivery(text: str, key: str) -> bool:
    """Whether a whole line of the text says that this action left it."""
    return _has_line(text, _DELIVERY, key)


def _has_line(text: str, label: str, key: str) -> bool:
    """The visible line, or the hidden one; a quoted or longer line is not it."""
    name = label.split()[1].rstrip(":")
    visible = rf"{re.escape(label)}`?{key}`?"
    hidden = rf"<!-- meshkit-chaos(?: [a-z]+=[0-9a-f]+)*? {name}={key}(?: [a-z]+=[0-9a-f]+)* -->"
    line = re.compile(f"{visible}|{hidden}")
    return any(line.fullmatch(found.rstrip()) for found in text.splitlines())


def title_of(message: Message) -> str:
    return clipped(one_line(message.title), LONGEST_TITLE) or "(without a title)"


def opening(action: Action, step: Step, owned: Owned) -> tuple[Block, ...]:
    """The description of a new ticket."""
    blocks = [*_told(action.message)]
    if step.earlier is not None:
        blocks.insert(1, _paragraph(Span(text="It was solved before: "), _ticket_link(step.earlier), Span(text=".")))
    if owned.name:
        who = Span(text=_short(owned.name), mention=owned.mention)
        blocks.append(_paragraph(Span(text="Owner: "), who, needed=True))
    why = f"Why here: {_short(action.reason).rstrip('.')}. Changes are told in comments; it is closed when the cause is gone."
    return (*blocks, _line(Span(text=why)), *_signature(action))


def answer(action: Action, step: Step) -> tuple[Block, ...]:
    """A comment on the ticket that is there."""
    said = {"reopen": "Reopened: ", "close": "Closed: "}.get(step.do, "")
    sentence = f"{said}{step.reason}."
    first = _paragraph(Span(text=sentence[:1].upper() + sentence[1:], strong=True), needed=True)
    return (first, *_told(action.message), *_signature(action))


def farewell(action: Action, kept: Shown) -> tuple[Block, ...]:
    """The comment on a ticket of ours that is closed as a duplicate."""
    text = "One cause has one ticket, and this is the younger one of two. It goes on in "
    return (_paragraph(Span(text=text), _ticket_link(kept), Span(text="."), needed=True), *_signature(action))


def _told(message: Message) -> list[Block]:
    blocks = [_paragraph(Span(text=_short(message.lead) or title_of(message)), needed=True)]
    for fact in message.facts:
        value = Span(text=_short(fact.value), code=True) if fact.value.strip() else Span(text="(nothing)")
        blocks.append(_bullet(Span(text=_short(fact.label), strong=True), Span(text=": "), value))
    if message.trend is not None:
        blocks.append(_paragraph(Span(text=_short(sparkline(message.trend)), code=True)))
    for link in message.links:
        blocks.append(_bullet(Span(text=_short(link.text), url=safe_url(link.url))))
    if message.command.strip():
        blocks.append(_heading("See it yourself"))
        blocks.append(Block(kind="code", spans=(Span(text=clipped(_unmarked(message.command), LONGEST_SPAN)),)))
    for section in message.sections:
        blocks.extend(_section(section))
    return blocks


def _section(section: Section) -> list[Block]:
    points = [_bullet(Span(text=_short(point.text), url=safe_url(point.url))) for point in section.points]
    return [_heading(_short(section.heading)), *points] if points else []


def _signature(action: Action) -> tuple[Block, ...]:
    ticket, delivery = ticket_key(action), delivery_key(action)
    hidden = Span(text=f"<!-- meshkit-chaos ticket={ticket} delivery={delivery} -->")
    return (
        Block(kind="hidden", spans=(hidden,), needed=True),
        _line(Span(text="Cause: "), Span(text=clipped(_plain(cause_of(action)), 500), code=True), needed=True),
        _line(Span(text=_TICKET), Span(text=ticket, code=True), needed=True),
        _line(Span(text=_DELIVERY), Span(text=delivery, code=True), needed=True),
    )


def safe_url(url: str) -> str:
    """The address if it may be a link: http or https, and nothing in it that could end it; else nothing."""
    return url if re.fullmatch(r"https?://[A-Za-z0-9\-._~:/?#@!$&+,;=%]{1,1900}", url) else ""


def fitted(blocks: Sequence[Block], *, size: Callable[[Block], int], budget: int) -> tuple[tuple[Block, ...], tuple[str, ...]]:
    """What there is room for, in order, and what was left out. ``size``: of one block with what parts it from the next."""
    note = _line(Span(text=f"Left out for want of room: {len(blocks)} parts."))
    room = budget - size(note) - sum(size(block) for block in blocks if block.needed)
    kept: list[Block] = []
    dropped: list[str] = []
    for block in blocks:
        if block.needed:
            kept.append(block)
        elif not dropped and size(block) <= room:
            room -= size(block)
            kept.append(block)
        else:
            dropped.append("".join(span.text for span in block.spans)[:60])
    if not dropped:
        return tuple(kept), ()
    below = [*(block.kind for block in kept[1:]), "line"]
    kept = [block for block, after in zip(kept, below, strict=True) if block.kind != "heading" or after in {"bullet", "code"}]
    told = structs.replace(note, spans=(Span(text=f"Left out for want of room: {len(dropped)} parts."),))
    last = next((place for place, block in enumerate(kept) if block.kind in {"line", "hidden"}), len(kept))
    return (*kept[:last], told, *kept[last:]), tuple(dropped)


def _short(text: str) -> str:
    return clipped(_plain(text), LONGEST_SPAN)


def _plain(text: str) -> str:
    return _unmarked(one_line(text))


def _unmarked(text: str) -> str:
    """Foreign text in which no line can be taken for a marker of ours."""
    return re.sub(r"(?i)(chaos (?:ticket|delivery)):", r"\1 :", text.replace("<!--", "<! --"))


def _ticket_link(ticket: Shown) -> Span:
    return Span(text=f"ticket {ticket.reference}", url=safe_url(ticket.url))


def _paragraph(*spans: Span, needed: bool = False) -> Block:
    return Block(kind="paragraph", spans=spans, needed=needed)


def _bullet(*spans: Span) -> Block:
    return Block(kind="bullet", spans=spans)


def _heading(text: str) -> Block:
    return Block(kind="heading", spans=(Span(text=text),))


def _line(*spans: Span, needed: bool = False) -> Block:
    return Block(kind="line", spans=spans, needed=needed)
