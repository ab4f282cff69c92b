"""Actions about one cause, and a sender with its fake: what the tests of trackers share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from fake_github import FakeGitHub
from fake_jira import FakeJira
from served import Fault, Faulty, served

from meshkit_chaos.clock import ManualClock
from meshkit_chaos.deliver.action import Action, Delivered, Occasion, Outcome, Ticket, Told, Wish
from meshkit_chaos.deliver.github import open_github
from meshkit_chaos.deliver.jira import open_jira
from meshkit_chaos.deliver.message import Fact, Link, Message, Point, Section, Trend
from meshkit_chaos.deliver.sending import Sender
from meshkit_chaos.deliver.settings import GitHubIssues, Jira, Owner, Reach, Rules
from meshkit_chaos.measure.access import Secrets
from meshkit_chaos.scenario.metric_sources import SecretRef
from meshkit_chaos.slo import Duration

SECOND = 10**9
DAY = 86_400 * SECOND
START = 1_767_225_600 * SECOND
TOKEN = "ghp_verysecrettoken"
CAUSE = "leader-killed · new leader within 5s · missed · etcd-lab"
USER = "bot@acme.example"
OWNERS = (Owner(name="mesh-team", github="octocat", jira="acc-mesh"), Owner(name="core", github="acme/core"))
OCCASIONS: dict[Wish, Occasion] = {"failing": "first-failure", "changed": "changed", "clean": "recovered"}


def message(**changes: object) -> Message:
    """A failure as it is told to a tracker."""
    told: dict[str, object] = {
        "title": "leader-killed: no new leader within 5s",
        "lead": "After its leader was killed, the mesh had none for 9.2s; at most 5s are allowed.",
        "tone": "bad",
        "facts": (
            Fact(label="commit", value="4f2a91c"),
            Fact(label="first bad", value="4f2a91c"),
            Fact(label="last good", value="0b1e77d"),
        ),
        "sections": (Section(heading="What failed", points=(Point(text="new leader: 9.2s, at most 5s", tone="bad"),)),),
        "trend": Trend(label="new leader", values=(1.2, 1.4, None, 9.2), limit=5.0),
        "command": "meshkit-chaos run --scenario leader-killed --seed 7",
        "links": (Link(text="the run", url="https://ci.example/runs/7"),),
        "cause": CAUSE,
        "mention": ("mesh-team",),
    }
    return Message(**{**told, **changes})  # type: ignore[arg-type]  # a test names the fields


def action(
    number: int, wish: Wish = "failing", *, at: int = START, clean: int = 0, flapping: bool = False, **told: object
) -> Action:
    """The number-th action about the cause; equal numbers are the same action."""
    ticket = Ticket(wish=wish, failed_at=at, clean=clean, flapping=flapping, owner="mesh-team", labels=("module:leadership",))
    return Action(
        key=f"tracker/{CAUSE}/{number}",
        channel="tracker",
        thread=CAUSE,
        occasion=OCCASIONS[wish],
        message=message(**told),
        reason="the route everything sends failures of leader-killed here",
        at=at,
        ticket=ticket,
    )


Fake = TypeVar("Fake", FakeGitHub, FakeJira)


@dataclass(slots=True, kw_only=True)
class World(Generic[Fake]):
    """A sender, what stands behind it, and our record of what was delivered. The clock is both sides'."""

    sender: Sender
    fake: Fake
    faulty: Faulty
    clock: ManualClock
    thread: list[Told] = field(default_factory=list)

    def send(self, sent: Action, *faults: Fault | None, thread: Sequence[Told] | None = None) -> Outcome:
        """Send once; what is delivered is recorded. ``faults``: of the next requests; None is none."""
        self.faulty.faults = list(faults)  # type: ignore[arg-type]  # None is no fault
        outcome = self.sender.send(sent, self.thread if thread is None else thread)
        if isinstance(outcome, Delivered):
            self.thread.append(Told(action=sent, state="delivered", attempts=1, receipt=outcome.receipt))
        return outcome

    def did(self, sent: Action, *faults: Fault | None) -> str:
        """Send, expect a delivery, and give what was done."""
        outcome = self.send(sent, *faults)
        assert isinstance(outcome, Delivered), outcome
        return outcome.receipt.did

    def days(self, count: float) -> int:
        """Let time go by; gives now."""
        self.clock.advance_to(self.clock.monotonic_ns() + round(count * DAY))
        return self.clock.wall_ns()


@contextmanager
def github(
    folder: Path, *, timeout: str = "10s", rules: Rules | None = None, lag: str = "1m", **fake: object
) -> Iterator[World]:
    """GitHub Issues behind a server that can be made to fail."""
    clock = ManualClock(wall_ns=START)
    behind = FakeGitHub(token=TOKEN, wall=clock.wall_ns, **fake)  # type: ignore[arg-type]  # a test names the fields
    faulty = Faulty(behind)
    with served(faulty) as url:
        settings = GitHubIssues(
            id="tracker",
            repository="acme/mesh",
            token=SecretRef(env="TOKEN"),
            api=url,
            lag=Duration.parse(lag),
            reach=Reach(timeout=Duration.parse(timeout)),
        )
        secrets = Secrets(folder=folder, variables={"TOKEN": TOKEN})
        sender = open_github(settings, secrets=secrets, clock=clock, folder=folder, rules=rules or Rules(), owners=OWNERS)
        yield World(sender=sender, fake=behind, faulty=faulty, clock=clock)


@contextmanager
def jira(
    folder: Path, *, timeout: str = "10s", rules: Rules | None = None, settings: dict[str, str] | None = None, **fake: object
) -> Iterator[World[FakeJira]]:
    """Jira Cloud behind a server that can be made to fail. ``settings`` are the channel's where they differ."""
    clock = ManualClock(wall_ns=START)
    behind = FakeJira(user=USER, token=TOKEN, wall=clock.wall_ns, **fake)  # type: ignore[arg-type]  # a test names the fields
    faulty = Faulty(behind)
    with served(faulty) as url:
        told = {"project": "MESH", "issue_type": "Bug", "user": USER, **(settings or {})}
        reach = Reach(timeout=Duration.parse(timeout))
        channel = Jira(id="tracker", site=url, token=SecretRef(env="TOKEN"), reach=reach, **told)
        secrets = Secrets(folder=folder, variables={"TOKEN": TOKEN})
        sender = open_jira(channel, secrets=secrets, clock=clock, folder=folder, rules=rules or Rules(), owners=OWNERS)
        yield World(sender=sender, fake=behind, faulty=faulty, clock=clock)
