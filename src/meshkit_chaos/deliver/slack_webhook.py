"""Slack by an incoming webhook: one message after the other; no edits, no threads, no way to look.

Takes the settings of a channel, whose address is a secret; gives a ``Sender``. Slack answers ``ok`` as text, or a word with a
status. Source: Slack's guide "Sending messages using incoming webhooks".
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from meshkit_chaos.clock import Clock
from meshkit_chaos.deliver.action import Action, CannotLook, Delivered, Look, Outcome, Receipt, Told, Unsure
from meshkit_chaos.deliver.exchange import Exchange, Reply, host_of, open_exchange
from meshkit_chaos.deliver.sending import Rate, Rendered
from meshkit_chaos.deliver.settings import Owner, SlackWebhook
from meshkit_chaos.deliver.slack_blocks import BUDGET, Blocks, pinged, slack_blocks
from meshkit_chaos.measure.access import Secrets
from meshkit_chaos.slo import Duration


def open_slack_webhook(
    settings: SlackWebhook, *, secrets: Secrets, clock: Clock, folder: Path, owners: Sequence[Owner] = ()
) -> SlackWebhookSender:
    """Raises CannotRun where the address cannot be read."""
    url = secrets.read(settings.url, what=f"the address of {settings.id}")
    keep_address(secrets, url)
    exchange = open_exchange(settings.reach, secrets=secrets, folder=folder, clock=clock)
    return SlackWebhookSender(settings, url=url, exchange=exchange, owners=tuple(owners))


def keep_address(secrets: Secrets, url: str) -> None:
    """An address that is a secret is taken out of texts in part too: a server may repeat only its path."""
    rest = url.removeprefix(host_of(url))
    for piece in (rest, rest.partition("?")[0], rest.rpartition("/")[2], rest.rpartition("sig=")[2]):
        if len(piece) > 8:
            secrets.keep(piece)


@dataclass(frozen=True, slots=True)
class SlackWebhookSender:
    """See ``sending.Sender``. Unsure, it sends again: a message twice is less harm than none."""

    settings: SlackWebhook
    url: str = field(kw_only=True, repr=False)
    exchange: Exchange = field(kw_only=True)
    owners: tuple[Owner, ...] = field(default=(), kw_only=True)
    when_unsure: Literal["repeat"] = field(default="repeat", kw_only=True)
    lag: Duration = field(default=Duration(0), kw_only=True)

    @property
    def rates(self) -> tuple[Rate, ...]:
        return (Rate(bucket=f"slack-webhook:{self.settings.id}", count=1, per=Duration(10**9)),)

    def render(self, action: Action, thread: Sequence[Told]) -> Rendered:
        del thread
        made = self._made(action)
        return Rendered(
            method="POST",
            target=f"a webhook at {host_of(self.url)}",
            body=json.dumps(_document(made), ensure_ascii=False, indent=2),
            size=made.size,
            budget=BUDGET,
            unit="characters",
            dropped=made.dropped,
        )

    def send(self, action: Action, thread: Sequence[Told]) -> Outcome:
        del thread
        answer = self.exchange.call("POST", self.url, json=_document(self._made(action)))
        if not isinstance(answer, Reply):
            return answer
        if answer.broken or answer.body.strip() != b"ok":
            return Unsure(why=f"answered {answer.status}, but not `ok`: {answer.broken or self.exchange.said(answer)}")
        return Delivered(receipt=Receipt(did="sent"))

    def look(self, action: Action, thread: Sequence[Told]) -> Look:
        del action, thread
        return CannotLook(why="a webhook of Slack only takes messages; it cannot be asked")

    def _made(self, action: Action) -> Blocks:
        return slack_blocks(action.message, people=pinged(action.message.mention, self.owners) if action.loud else [])

    def close(self) -> None:
        """Nothing is kept open."""


def _document(made: Blocks) -> dict[str, Any]:
    return {"text": made.text, "blocks": made.blocks, "unfurl_links": False, "unfurl_media": False}
