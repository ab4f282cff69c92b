"""The generic webhook: one versioned JSON document a message, signed, to an address of one's own.

Takes the settings of a channel, whose address and key are secrets; gives a ``Sender``. ``Idempotency-Key`` is the same however
often a message is sent, so a receiver that keeps the keys it has seen gets each message once. Any 2xx is a delivery.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from meshkit_chaos.clock import Clock, iso
from meshkit_chaos.deliver.action import Action, CannotLook, Delivered, Look, Occasion, Outcome, Receipt, Ticket, Told
from meshkit_chaos.deliver.budget import Room, fitted
from meshkit_chaos.deliver.escaping import one_line, plain
from meshkit_chaos.deliver.exchange import Exchange, Reply, host_of, json_bytes, open_exchange
from meshkit_chaos.deliver.message import Message
from meshkit_chaos.deliver.sending import Rate, Rendered
from meshkit_chaos.deliver.settings import Owner, Webhook
from meshkit_chaos.deliver.signing import HEADER, signature
from meshkit_chaos.deliver.slack_webhook import keep_address
from meshkit_chaos.measure.access import Secrets
from meshkit_chaos.slo import Duration

BUDGET: Final = 256 * 2**10
_ROOM: Final = Room(title=500, lead=10_000, value=2000, point=2000, command=4000, facts=50, points=1000, sections=50, links=50)


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """What is posted. ``version`` changes when a reader would have to; fields may be added without."""

    version: Literal[1] = 1
    key: str
    occasion: Occasion
    channel: str
    thread: str
    decided_at: str
    reason: str
    loud: bool
    edits: bool
    invocations: tuple[str, ...]
    message: Message
    ticket: Ticket | None = None


def open_webhook(
    settings: Webhook, *, secrets: Secrets, clock: Clock, folder: Path, owners: Sequence[Owner] = ()
) -> WebhookSender:
    """Raises CannotRun where the address or the key cannot be read."""
    del owners
    url = secrets.read(settings.url, what=f"the address of {settings.id}")
    keep_address(secrets, url)
    secret = secrets.read(settings.secret, what=f"the secret of {settings.id}")
    exchange = open_exchange(settings.reach, secrets=secrets, folder=folder, clock=clock)
    return WebhookSender(settings, url=url, secret=secret, exchange=exchange)


@dataclass(frozen=True, slots=True)
class WebhookSender:
    """See ``sending.Sender``. Unsure, it sends again: the key is the same."""

    settings: Webhook
    url: str = field(kw_only=True, repr=False)
    secret: str = field(kw_only=True, repr=False)
    exchange: Exchange = field(kw_only=True)
    when_unsure: Literal["repeat"] = field(default="repeat", kw_only=True)
    lag: Duration = field(default=Duration(0), kw_only=True)

    @property
    def rates(self) -> tuple[Rate, ...]:
        return (Rate(bucket=f"webhook:{self.settings.id}", count=10, per=Duration(10**9)),)

    def render(self, action: Action, thread: Sequence[Told]) -> Rendered:
        del thread
        document, dropped = webhook_document(action)
        return Rendered(
            method="POST",
            target=f"a webhook at {host_of(self.url)}",
            body=json.dumps(document, ensure_ascii=False, indent=2),
            size=len(json_bytes(document)),
            budget=BUDGET,
            dropped=dropped,
        )

    def send(self, action: Action, thread: Sequence[Told]) -> Outcome:
        del thread
        body = json_bytes(webhook_document(action)[0])
        signed = signature(self.secret, body, at_s=self.exchange.clock.wall_ns() // 10**9)
        headers = {HEADER: signed, "Idempotency-Key": header_value(action.key)}
        answer = self.exchange.call("POST", self.url, content=body, headers=headers)
        return Delivered(receipt=Receipt(did="sent", reference=action.key)) if isinstance(answer, Reply) else answer

    def look(self, action: Action, thread: Sequence[Told]) -> Look:
        del action, thread
        return CannotLook(why="a webhook only takes messages; it cannot be asked")

    def close(self) -> None:
        """Nothing is kept open."""


def webhook_document(action: Action) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The document, and what was left out of it."""
    found, dropped = fitted(
        action.message, budget=BUDGET - 32 * 2**10, size=lambda one: len(msgspec.json.encode(one)), room=_ROOM
    )
    document = Document(
        key=plain(action.key[:500]),
        occasion=action.occasion,
        channel=plain(action.channel[:200]),
        thread=plain(action.thread[:500]),
        decided_at=iso(action.at),
        reason=one_line(action.reason, 2000),
        loud=action.loud,
        edits=action.edits,
        invocations=tuple(plain(one[:64]) for one in action.invocations[:100]),
        message=found,
        ticket=None if action.ticket is None else _ticket(action.ticket),
    )
    return msgspec.to_builtins(document), dropped


def webhook_schema_json() -> bytes:
    """The JSON Schema of the document, as it is published."""
    schema = msgspec.json.schema(Document)
    for definition in schema["$defs"].values():
        if "description" in definition:  # docstrings keep their indentation before Python 3.13
            definition["description"] = inspect.cleandoc(definition["description"])
    return (
        msgspec.json.format(msgspec.json.encode({"title": "What the webhook of meshkit-chaos is sent", **schema}), indent=2)
        + b"\n"
    )


def header_value(text: str) -> str:
    """A text as one header can hold it."""
    return "".join(character if "!" <= character <= "~" else "-" for character in text[:500])


def _ticket(ticket: Ticket) -> Ticket:
    labels = tuple(one_line(label, 100) for label in ticket.labels[:20])
    return msgspec.structs.replace(ticket, owner=one_line(ticket.owner, 100), labels=labels)
