"""``kill -9`` of the real sender at seeded moments, before a tracker that lists a new issue late: one ticket for each cause."""

from __future__ import annotations

import contextlib
import json
import random
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from deaths import Death, Reaper, When, drawn, forging
from fake_github import FakeGitHub
from fake_slack import FakeSlack
from history_builder import opened
from msgspec import structs
from served import served
from tracker_world import TOKEN, action

from meshkit_chaos.clock import SystemClock
from meshkit_chaos.deliver.action import Action
from meshkit_chaos.deliver.outbox import Entry, Outbox, enqueue

ROUTES = """
version: 1
project: mesh
channels:
  - id: tracker
    github: {{repository: acme/mesh, token: {{env: TRACKER_TOKEN}}, api: "{api}", lag: {lag}}}
routes:
  - {{id: all, to: [tracker]}}
"""


def cause(number: int) -> Action:
    """The first failure of the number-th cause."""
    base = action(1)
    name = f"cause {number:03d}"
    told = structs.replace(base.message, cause=name, title=f"{name} failed")
    return structs.replace(base, key=f"key {number:03d}", thread=name, message=told)


@dataclass
class Trial:
    """A history with an outbox, a server, and senders that die before it. ``deaths``: how many died, by the moment."""

    folder: Path
    fake: FakeGitHub | FakeSlack
    reaper: Reaper
    deaths: Counter[When] = field(default_factory=Counter)

    def put(self, *numbers: int) -> None:
        """New causes. GitHub's hour is forgotten: rates are kept by other tests, and two hundred deaths need no two of them."""
        with opened(self.folder / "h") as history, history.database.writing() as connection:
            enqueue(connection, tuple(cause(number) for number in numbers))
            connection.exec_driver_sql("DELETE FROM rates")

    def flush(self, *, wait: str, death: Death | None = None) -> int:
        options = ("--routes", self.folder / "routes.yaml", "--history", self.folder / "h", "--lease", "1s", "--wait", wait)
        status = self.reaper.run("notify", "flush", *options, death=death)
        if death is not None and status == -signal.SIGKILL:
            self.deaths[death.when] += 1
        return status

    def entries(self) -> tuple[Entry, ...]:
        with opened(self.folder / "h") as history:
            return Outbox(history.database).entries()

    def tickets(self) -> Counter[str]:
        """How many issues there are for each cause, by the key in their text."""
        assert isinstance(self.fake, FakeGitHub)
        named = [f"cause {number:03d}" for number in range(1000)]
        return Counter(name for issue in self.fake.issues.values() for name in named if name in issue.body)


@contextlib.contextmanager
def trial(folder: Path, *, listed_after: float, lag: str) -> Iterator[Trial]:
    fake = FakeGitHub(token=TOKEN, lag_s=listed_after)
    with served(reaper := Reaper(fake)) as api, forging() as reaper.forge:
        (folder / "routes.yaml").write_text(ROUTES.format(api=api, lag=lag), encoding="utf-8")
        yield Trial(folder, fake, reaper)


def kill_often(found: Trial, times: int, *, seed: int = 0) -> int:
    """So many deaths: a new cause and a sender each time, which dies at a moment that is drawn, or was done before it.

    How many causes there were.
    """
    chance = random.Random(1000 * seed + times)
    found.put(999)
    assert found.flush(wait="30s") == 0
    requests, first_s = found.reaper.asked, found.reaper.first_s
    for number in range(4 * times):
        if found.deaths.total() == times:
            return number
        found.put(number)
        status = found.flush(wait="0s", death=drawn(chance, requests=requests, first_s=first_s))
        assert status in (0, 2, -signal.SIGKILL), status
    raise AssertionError(f"only {found.deaths.total()} of {4 * times} were killed")


CHAT_ROUTES = """
version: 1
project: mesh
channels:
  - id: tracker
    {channel}
routes:
  - {{id: all, to: [tracker]}}
"""
BOT = "slack: {{channel: C0123456789, token: {{env: CHAT_TOKEN}}, api: '{url}/api'}}"
HOOK = "slack_webhook: {{url: {{env: CHAT_HOOK}}}}"


def shown(fake: FakeSlack, causes: int) -> Counter[int]:
    """How often each cause was told."""
    texts = [json.dumps(one["blocks"]) + one["text"] for one in fake.messages]
    return Counter({number: sum(f"cause {number:03d}" in text for text in texts) for number in (*range(causes), 999)})


@pytest.mark.parametrize(
    ("channel", "times"),
    [
        pytest.param(HOOK, 4, id="webhook"),
        pytest.param(HOOK, 24, id="webhook-often", marks=[pytest.mark.slow, pytest.mark.timeout(900)]),
        pytest.param(BOT, 24, id="bot-often", marks=[pytest.mark.slow, pytest.mark.timeout(900)]),
    ],
)
def test_chat_is_told_as_often_as_it_promises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, channel: str, times: int
) -> None:
    """A bot looks, so each message comes once; a webhook cannot, so each comes at least once, and twice after some deaths."""
    fake = FakeSlack(clock_s=SystemClock().wall_ns() // 10**9)
    with served(reaper := Reaper(fake)) as url:
        monkeypatch.setenv("CHAT_TOKEN", fake.token)
        monkeypatch.setenv("CHAT_HOOK", f"{url}{fake.path}")
        (tmp_path / "routes.yaml").write_text(CHAT_ROUTES.format(channel=channel.format(url=url)), encoding="utf-8")
        with forging() as reaper.forge:
            found = Trial(tmp_path, fake, reaper)
            causes = kill_often(found, times)
            found.put()
            assert found.flush(wait="5m") == 0
        counts = shown(fake, causes)
        attempts = {one.told.action.thread: one.told.attempts for one in found.entries()}
    doubled = sum(count > 1 for count in counts.values())
    say(f"{times} of {causes} senders killed {dict(found.deaths)}; {doubled} messages came more than once")
    assert {one.told.state for one in found.entries()} == {"delivered"}
    assert min(counts.values()) >= 1, "nothing is lost"
    if channel == BOT:
        assert doubled == 0
    assert all(count <= attempts[f"cause {number:03d}"] for number, count in counts.items())


def say(text: str) -> None:
    """What was counted, for whoever runs it with ``-s``."""
    sys.stdout.write(f"\n{text}\n")


@pytest.mark.parametrize(
    ("times", "seed"),
    [pytest.param(50, seed, marks=[pytest.mark.slow, pytest.mark.timeout(900)]) for seed in (1, 2, 3, 4)],
)
def test_one_ticket_for_each_cause_whenever_the_sender_dies(tmp_path: Path, times: int, seed: int) -> None:
    """Killed at seeded moments, before a tracker that lists issues two seconds late: nothing lost, nothing doubled.

    Two hundred in all, in four hours of the tracker's own: what GitHub lets one create in an hour would end a longer trial.
    """
    with trial(tmp_path, listed_after=2.0, lag="3s") as found:
        causes = kill_often(found, times, seed=seed)
        found.put()
        assert found.flush(wait="5m") == 0
        states = Counter(one.told.state for one in found.entries())
        again = sum(one.told.attempts > 1 for one in found.entries())
        say(f"{times} of {causes} senders killed {dict(found.deaths)}; {again} rows tried more than once; {dict(states)}")
        assert states == {"delivered": causes + 1}
        assert found.tickets() == {f"cause {number:03d}": 1 for number in (*range(causes), 999)}
        assert found.fake.wrong == []


@pytest.mark.parametrize("processed", [True, False])
@pytest.mark.parametrize("lag", ["1s", pytest.param("10m", marks=pytest.mark.slow)])
def test_killed_in_the_middle_of_a_request(tmp_path: Path, processed: bool, lag: str) -> None:
    """Killed while the tracker has the request, and did or did not do it: one ticket once it may be looked for, else
    ambiguous.
    """
    with trial(tmp_path, listed_after=0.5 if lag == "1s" else 600.0, lag=lag) as found:
        found.put(0)
        death = Death(when="processed" if processed else "arrived", writing=True)
        assert found.flush(wait="0s", death=death) == -signal.SIGKILL
        assert [one.told.state for one in found.entries()] == ["sending"]
        assert found.flush(wait="20s" if lag == "1s" else "3s") == (0 if lag == "1s" else 2)
        (entry,) = found.entries()
        assert entry.told.state == ("delivered" if lag == "1s" else "ambiguous")
        assert found.tickets() == ({"cause 000": 1} if processed or lag == "1s" else {})


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("times", [24])
def test_what_the_tracker_may_still_show_is_left_ambiguous(tmp_path: Path, times: int) -> None:
    """A tracker that may be late by ten minutes, and nobody waits so long: visible rows and a 2, never a second ticket."""
    with trial(tmp_path, listed_after=600.0, lag="10m") as found:
        kill_often(found, times)
        found.put()
        last = found.flush(wait="4s")
        left = [one for one in found.entries() if one.told.state != "delivered"]
        say(f"{found.deaths.total()} senders killed; {len(left)} rows left ambiguous")
        assert all(one.told.state == "ambiguous" and one.told.error.startswith("it may have arrived") for one in left)
        assert last == (2 if left else 0)
        assert left, "at least one died in the middle of it"
        assert max(found.tickets().values()) == 1
        delivered = {one.told.action.thread for one in found.entries() if one.told.state == "delivered"}
        assert delivered <= found.tickets().keys()
