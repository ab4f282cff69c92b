"""An Alertmanager: what is told becomes an alert, and through it a page, a call, or whatever else people have.

Takes the settings of a channel; gives a ``Sender``. An alert's labels come from the thread alone, so firing again renews it,
Alertmanager's grouping works, and the end resolves the same one. It is ended by evidence (recovered, opened) or, if nobody
renews it, after ``lasting``. Posting twice is posting once, so nothing is looked for. Source: Alertmanager's API v2.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from meshkit_chaos.clock import Clock, iso
from meshkit_chaos.deliver.action import Action, CannotLook, Delivered, Look, Occasion, Outcome, Receipt, Told
from meshkit_chaos.deliver.budget import Room, fitted
from meshkit_chaos.deliver.escaping import one_line, width
from meshkit_chaos.deliver.exchange import Exchange, Reply, host_of, json_bytes, open_exchange
from meshkit_chaos.deliver.message import Message, Tone
from meshkit_chaos.deliver.sending import Rate, Rendered
from meshkit_chaos.deliver.settings import Alertmanager, Owner
from meshkit_chaos.deliver.sparkline import sparkline
from meshkit_chaos.measure.access import Secrets
from meshkit_chaos.slo import Duration

BUDGET: Final = 16_000
"""Ours: Alertmanager has none, but the pagers behind it cut what is longer than a screen."""
_ROOM: Final = Room(lead=2000, points=50)
_KINDS: Final = {"night": "summary", "gate": "gate", "override": "override", "test": "test"}
"""What a thread is about, by how its key begins; every other one is of a cause."""
_ENDS: Final[dict[Occasion, frozenset[Tone]]] = {
    "recovered": frozenset({"good", "neutral"}),
    "gate-opened": frozenset({"good", "neutral", "unsure"}),
    "summary": frozenset({"good"}),
}
"""Occasions that end an alert, where the message looks like this: that a nightly came again, or that an exception opened the
gate, is no good news, and what was told before is over all the same.
"""
_TEST: Final = Duration(5 * 60 * 10**9)


def open_alertmanager(
    settings: Alertmanager, *, secrets: Secrets, clock: Clock, folder: Path, owners: Sequence[Owner] = ()
) -> AlertmanagerSender:
    """Raises CannotRun where a secret cannot be read."""
    del owners
    headers: dict[str, str] = {}
    if settings.bearer is not None:
        headers["Authorization"] = f"Bearer {secrets.read(settings.bearer, what=f'the token of {settings.id}')}"
    elif settings.password is not None:
        password = secrets.read(settings.password, what=f"the password of {settings.id}")
        pair = base64.b64encode(f"{settings.user}:{password}".encode()).decode("ascii")
        secrets.keep(pair)
        headers["Authorization"] = f"Basic {pair}"
    exchange = open_exchange(settings.reach, secrets=secrets, folder=folder, clock=clock, headers=headers)
    return AlertmanagerSender(settings, exchange=exchange)


@dataclass(frozen=True, slots=True)
class AlertmanagerSender:
    """See ``sending.Sender``."""

    settings: Alertmanager
    exchange: Exchange = field(kw_only=True)
    when_unsure: Literal["repeat"] = field(default="repeat", kw_only=True)
    lag: Duration = field(default=Duration(0), kw_only=True)

    @property
    def rates(self) -> tuple[Rate, ...]:
        return (Rate(bucket=f"alertmanager:{self.settings.id}", count=10, per=Duration(10**9)),)

    def render(self, action: Action, thread: Sequence[Told]) -> Rendered:
        alerts, dropped = self._alerts(action, thread)
        return Rendered(
            method="POST /api/v2/alerts",
            target=f"an Alertmanager at {host_of(self.settings.url)}",
            body=json.dumps(alerts, ensure_ascii=False, indent=2),
            size=len(json_bytes(alerts)),
            budget=BUDGET,
            dropped=dropped,
        )

    def send(self, action: Action, thread: Sequence[Told]) -> Outcome:
        alerts, _ = self._alerts(action, thread)
        answer = self.exchange.call("POST", f"{self.settings.url.rstrip('/')}/api/v2/alerts", json=alerts)
        if not isinstance(answer, Reply):
            return answer
        ended = alerts[0]["endsAt"] <= iso(action.at)
        return Delivered(receipt=Receipt(did="resolved" if ended else "fired", reference=alerts[0]["labels"]["thread"]))

    def look(self, action: Action, thread: Sequence[Told]) -> Look:
        del action, thread
        return CannotLook(why="an alert is simply posted again")

    def close(self) -> None:
        """Nothing is kept open."""

    def _alerts(self, action: Action, thread: Sequence[Told]) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
        found, dropped = fitted(
            action.message, budget=BUDGET - 2000, size=lambda one: len(json_bytes(_annotations(one))), room=_ROOM
        )
        alert: dict[str, Any] = {
            "labels": _labels(action),
            "annotations": _annotations(found),
            "startsAt": iso(_began(action, thread)),
            "endsAt": iso(self._ends(action)),
        }
        if found.links and found.links[0].url:
            alert["generatorURL"] = found.links[0].url
        return [alert], dropped

    def _ends(self, action: Action) -> int:
        if action.message.tone in _ENDS.get(action.occasion, ()):
            return action.at
        return action.at + (_TEST if action.occasion == "test" else self.settings.lasting).ns


def _labels(action: Action) -> dict[str, str]:
    """The same for all actions of a thread, whatever they say."""
    thread = one_line(action.thread, 300) or "none"
    return {"alertname": "MeshkitChaos", "kind": _KINDS.get(thread.partition(":")[0], "cause"), "thread": thread}


def _annotations(message: Message) -> dict[str, str]:
    described = [message.lead, *(f"{fact.label}: {fact.value}" for fact in message.facts)]
    described += [] if message.trend is None else [sparkline(message.trend)]
    for section in message.sections:
        described += [section.heading, *(f"- {point.text}" for point in section.points)]
    found = {
        "summary": message.title,
        "description": "\n".join(line for line in described if line),
        "command": message.command,
        "links": "\n".join(link.url for link in message.links if link.url),
        "cause": message.cause,
        "owners": ", ".join(one_line(name, 60) for name in message.mention[:10]),
    }
    return {name: _harmless(value) for name, value in found.items() if width(value)}


def _harmless(text: str) -> str:
    """Alertmanager passes annotations on to Slack unescaped, where ``<!channel>`` would be obeyed."""
    return re.sub(r"<(?=[!@#])", "<\N{WORD JOINER}", text)


def _began(action: Action, thread: Sequence[Told]) -> int:
    """When the alert that is renewed or ended began: at the first message of its thread since the last end."""
    began = action.at
    for told in reversed(thread):
        if told.receipt is not None and told.receipt.did == "resolved":
            break
        began = min(began, told.action.at)
    return began
