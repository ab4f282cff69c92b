"""Actions for each occasion, and each chat channel's sender with its fake: what the tests of channels share."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from fake_slack import FakeSlack
from fake_teams import FakeTeams
from served import Fault, Faulty, served
from webhook_receiver import Receiver

from meshkit_chaos.clock import ManualClock
from meshkit_chaos.deliver.action import Action, Delivered, Occasion, Outcome, Told
from meshkit_chaos.deliver.message import Fact, Link, Message, Point, Section, Trend
from meshkit_chaos.deliver.opening import Surroundings, open_sender
from meshkit_chaos.deliver.sending import Sender
from meshkit_chaos.deliver.settings import (
    Alertmanager,
    Channel,
    Email,
    Owner,
    Reach,
    SlackBot,
    SlackWebhook,
    Teams,
    Webhook,
)
from meshkit_chaos.measure.access import Secrets
from meshkit_chaos.measure.loopback import Answer, Handler, Request
from meshkit_chaos.scenario.metric_sources import SecretRef
from meshkit_chaos.slo import Duration

Kind = Literal["slack", "slack-webhook", "teams", "webhook", "alertmanager"]
HTTP_KINDS: tuple[Kind, ...] = ("slack", "slack-webhook", "teams", "webhook", "alertmanager")
START = 1_767_225_600 * 10**9
SECRET = "a-secret-that-both-know"
OWNERS = (
    Owner(name="mesh-team", slack="S0MESHTEAM", email="mesh@acme.example", teams="mesh@acme.example"),
    Owner(name="jo", slack="U0JO", email="jo@acme.example", teams="11111111-2222-3333-4444-555555555555"),
    Owner(name="nobody", slack="@channel", teams="everybody"),
)
CAUSE = "v1:5f0c91d2a4e87b36"
NIGHT = "night:2026-01-01:main"

_FACTS = (
    Fact(label="commit", value="4f2a91c"),
    Fact(label="branch", value="main"),
    Fact(label="environment", value="kind, 5 members"),
    Fact(label="last good", value="0b1e77d, 2025-12-31 02:00Z"),
)
_LINKS = (
    Link(text="report", url="https://chaos.acme.example/01KG/report.html"),
    Link(text="what changed", url="https://git.acme.example/mesh/compare/0b1e77d...4f2a91c"),
)
_TREND = Trend(label="new leader", values=(1.2, 1.4, None, 1.3, 1.2, 9.2), limit=5.0)
_COMMAND = "meshkit-chaos run chaos-scenarios.yaml --scenario leader-killed --seed 7"
_MISSED = Section(
    heading="What was missed",
    points=(
        Point(
            text="new leader: 9.2s to 9.4s, at most 5s", tone="bad", url="https://chaos.acme.example/01KG/leader-killed.html"
        ),
        Point(text="writes: no value for 4s of the fault", tone="unsure"),
        Point(text="no acknowledged write was lost", tone="good"),
    ),
)


def _failure(title: str, lead: str) -> Message:
    return Message(
        title=title,
        lead=lead,
        tone="bad",
        facts=_FACTS,
        sections=(_MISSED,),
        trend=_TREND,
        command=_COMMAND,
        links=_LINKS,
        cause=CAUSE,
        mention=("mesh-team",),
    )


OCCASIONS: dict[Occasion, Message] = {
    "summary": Message(
        title="meshkit, night to 2026-01-01: 12 of 14 passed",
        lead="1 scenario failed and 1 proves nothing.",
        tone="bad",
        facts=_FACTS[:3],
        sections=(
            Section(heading="Failed", points=(Point(text="leader-killed: new leader took 9.2s", tone="bad"),)),
            Section(heading="Not judged", points=(Point(text="clock-skew: the fault did not bite", tone="unsure"),)),
            Section(heading="Passed", points=tuple(Point(text=f"scenario-{n:02}", tone="good") for n in range(1, 13))),
        ),
        links=_LINKS[:1],
    ),
    "first-failure": _failure(
        "meshkit: leader-killed, new leader within 5s: missed its objective",
        "After its leader was killed, the mesh had none for 9.2s; at most 5s are allowed.",
    ),
    "still-failing": _failure(
        "Still: meshkit: leader-killed, new leader within 5s: missed its objective",
        "Told first on 2025-12-25 02:10Z; since then it shows in 6 of 7 results.",
    ),
    "changed": _failure(
        "Changed: meshkit: leader-killed, writes: no evidence", "No value came for 30s. Before: new leader within 5s."
    ),
    "recovered": Message(
        title="Recovered: meshkit: leader-killed, new leader within 5s",
        lead="3 passes in a row since 2026-01-01 02:10Z; first told on 2025-12-25 02:10Z.",
        tone="good",
        facts=_FACTS[:3],
        links=_LINKS[:1],
        cause=CAUSE,
    ),
    "gate-blocked": Message(
        title="meshkit: the gate is closed for 1.4.0",
        lead="2 of 14 required results are missing.\nNothing else is wrong.",
        tone="unsure",
        facts=_FACTS[:2],
        sections=(
            Section(
                heading="Missing", points=(Point(text="split-brain", tone="unsure"), Point(text="disk-full", tone="unsure"))
            ),
        ),
        links=_LINKS[:1],
    ),
    "gate-opened": Message(
        title="meshkit: the gate is open for 1.4.0", lead="All 14 required results passed.", tone="good", facts=_FACTS[:2]
    ),
    "override-used": Message(
        title="meshkit: the exception slow-leader was used for 1.4.0",
        lead="It accepts a new leader after at most 9s.",
        tone="unsure",
        facts=(Fact(label="approved by", value="Ångström, José"), Fact(label="ticket", value="MESH-42")),
    ),
    "override-expiring": Message(
        title="meshkit: the exception slow-leader ends in 2d",
        lead="From 2026-01-03 00:00Z on it accepts nothing more.",
        tone="neutral",
    ),
    "nightly-missing": Message(
        title="meshkit: the nightly of 2026-01-01 02:00Z is missing",
        lead="Nothing came within 3h of its time. Nothing is known of this night.",
        tone="unsure",
        mention=("jo",),
    ),
    "environment-dirty": Message(
        title="meshkit: an environment was left dirty: staging",
        lead="member-3 is still paused. Until it is recovered, no run starts there.",
        tone="bad",
        command="meshkit-chaos recover --environment staging",
        mention=("mesh-team", "jo", "nobody", "unknown"),
    ),
    "test": Message(title="meshkit: a test of this channel", lead="Nothing happened. This can be ignored.", tone="neutral"),
}
LOUD: frozenset[Occasion] = frozenset({"first-failure", "nightly-missing", "environment-dirty"})


def action(occasion: Occasion, number: int = 1, *, message: Message | None = None, **more: object) -> Action:
    """The number-th action of its thread; equal numbers are the same action."""
    thread = {"summary": NIGHT, "gate-blocked": "gate:1", "gate-opened": "gate:1", "test": "test:1"}.get(occasion, CAUSE)
    told: dict[str, object] = {
        "key": f"{thread}/{occasion}/{number}",
        "channel": "here",
        "thread": thread,
        "occasion": occasion,
        "message": OCCASIONS[occasion] if message is None else message,
        "reason": f"{occasion}; route all",
        "at": START + number * 60 * 10**9,
        "edits": occasion == "summary",
        "loud": occasion in LOUD,
        "invocations": ("01KG",),
    }
    return Action(**{**told, **more})  # type: ignore[arg-type]  # a test names the fields


@dataclass(slots=True)
class World:
    """A sender before its fake, which may misbehave; ``told`` is what was delivered in the thread so far."""

    sender: Sender
    faulty: Faulty
    fake: Handler
    told: list[Told] = field(default_factory=list)

    def send(self, one: Action) -> Outcome:
        outcome = self.sender.send(one, tuple(self.told))
        if isinstance(outcome, Delivered):
            self.told.append(Told(action=one, state="delivered", receipt=outcome.receipt))
        return outcome


@dataclass(slots=True, kw_only=True)
class FakeAlertmanager:
    """Takes alerts as the API v2 wants them; the real one is asked in the slow tests."""

    alerts: list[dict[str, object]] = field(default_factory=list)

    async def __call__(self, request: Request) -> Answer:
        if request.path != "/api/v2/alerts" or request.method != "POST":
            return Answer(status=404)
        self.alerts += json.loads(request.body)
        return Answer()


def settings(kind: Kind, url: str, *, timeout: str = "2s") -> tuple[Channel, dict[str, str]]:
    """The channel's settings for a server there, and the variables that its secrets are in."""
    reach = Reach(timeout=Duration.parse(timeout))
    address = SecretRef(env="ADDRESS")
    match kind:
        case "slack":
            token = SecretRef(env="TOKEN")
            return SlackBot(id="here", channel=FakeSlack().channel, token=token, api=f"{url}/api", reach=reach), {
                "TOKEN": FakeSlack().token
            }
        case "slack-webhook":
            return SlackWebhook(id="here", url=address, reach=reach), {"ADDRESS": url + FakeSlack().path}
        case "teams":
            fake = FakeTeams()
            return Teams(id="here", url=address, reach=reach), {"ADDRESS": f"{url}{fake.path}?api-version=1&sig={fake.sig}"}
        case "webhook":
            secret = SecretRef(env="SECRET")
            return Webhook(id="here", url=address, secret=secret, reach=reach), {"ADDRESS": f"{url}/in", "SECRET": SECRET}
        case "alertmanager":
            return Alertmanager(id="here", url=url, bearer=SecretRef(env="TOKEN"), reach=reach), {"TOKEN": "am-token"}


def fake(kind: Kind) -> Handler:
    match kind:
        case "slack" | "slack-webhook":
            return FakeSlack()
        case "teams":
            return FakeTeams()
        case "webhook":
            return Receiver(secret=SECRET, clock=ManualClock())
        case "alertmanager":
            return FakeAlertmanager()


def opened(channel: Channel, variables: dict[str, str], folder: Path) -> Sender:
    around = Surroundings(
        secrets=Secrets(folder=folder, variables=variables),
        clock=ManualClock(),
        folder=folder,
        owners=OWNERS,
        variables=variables,
    )
    return open_sender(channel, around)


@contextmanager
def world(kind: Kind, folder: Path, *faults: Fault, timeout: str = "2s", handler: Handler | None = None) -> Iterator[World]:
    """A sender whose next requests meet these faults."""
    behind = handler or fake(kind)
    faulty = Faulty(behind, list(faults))
    with served(faulty) as url:
        channel, variables = settings(kind, url, timeout=timeout)
        yield World(opened(channel, variables, folder), faulty, behind)


def arrived(fake: Handler) -> list[object]:
    """What the fake has taken in, whatever it is."""
    match fake:
        case FakeSlack():
            return list(fake.messages)
        case FakeTeams():
            return list(fake.cards)
        case Receiver():
            return [*fake.messages.values(), *fake.again]
        case FakeAlertmanager():
            return list(fake.alerts)
    raise AssertionError(fake)


def complaints(fake: Handler) -> Sequence[str]:
    """What the fake found wrong with what it was sent."""
    match fake:
        case FakeSlack():
            return fake.wrong
        case FakeTeams():
            return fake.not_shown
    return ()


def mail_settings(port: int, *, timeout: str = "3s", **more: object) -> Email:
    told: dict[str, object] = {
        "id": "here",
        "sender": "chaos@acme.example",
        "to": ("team@acme.example", "releases@acme.example"),
        "server": "localhost",
        "port": port,
        "reach": Reach(timeout=Duration.parse(timeout)),
    }
    return Email(**{**told, **more})  # type: ignore[arg-type]  # a test names the fields
