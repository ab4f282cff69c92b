"""``kill -9`` of the real sender at seeded moments, before a tracker that lists a new issue late: one ticket for each cause."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from fake_github import FakeGitHub
from history_builder import opened
from msgspec import structs
from served import served
from tracker_world import TOKEN, action

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


@dataclass
class Forge:
    """Starts ``meshkit-chaos`` command lines, and kills them."""

    process: subprocess.Popen[str]
    statuses: Counter[int] = field(default_factory=Counter)

    def run(self, *arguments: object, kill_after: float | None = None) -> int:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([str(one) for one in arguments]) + "\n")
        self.process.stdin.flush()
        pid = json.loads(self.process.stdout.readline())["pid"]
        if kill_after is not None:
            time.sleep(kill_after)  # the moment of its death is what is drawn
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        status = int(json.loads(self.process.stdout.readline())["status"])
        self.statuses[status] += 1
        return status


@contextlib.contextmanager
def forging() -> Iterator[Forge]:
    script = Path(__file__).with_name("command_forge.py")
    process = subprocess.Popen(
        [sys.executable, script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "TRACKER_TOKEN": TOKEN},
    )
    try:
        yield Forge(process)
    finally:
        process.kill()
        process.communicate()


def cause(number: int) -> Action:
    """The first failure of the number-th cause."""
    base = action(1)
    name = f"cause {number:03d}"
    return structs.replace(base, key=f"key {number:03d}", thread=name, message=structs.replace(base.message, cause=name))


@dataclass
class Trial:
    """A history with an outbox, a tracker behind HTTP, and senders that die."""

    folder: Path
    fake: FakeGitHub
    forge: Forge
    killed: int = 0

    def put(self, *numbers: int) -> None:
        """New causes. GitHub's hour is forgotten: rates are kept by other tests, and two hundred deaths need no two of them."""
        with opened(self.folder / "h") as history, history.database.writing() as connection:
            enqueue(connection, tuple(cause(number) for number in numbers))
            connection.exec_driver_sql("DELETE FROM rates")

    def flush(self, *, wait: str, kill_after: float | None = None) -> int:
        options = ("--routes", self.folder / "routes.yaml", "--history", self.folder / "h", "--lease", "1s", "--wait", wait)
        status = self.forge.run("notify", "flush", *options, kill_after=kill_after)
        self.killed += status == -signal.SIGKILL
        return status

    def entries(self) -> tuple[Entry, ...]:
        with opened(self.folder / "h") as history:
            return Outbox(history.database).entries()

    def tickets(self) -> Counter[str]:
        """How many issues there are for each cause, by the key in their text."""
        named = [f"cause {number:03d}" for number in range(1000)]
        return Counter(name for issue in self.fake.issues.values() for name in named if name in issue.body)


@contextlib.contextmanager
def trial(folder: Path, *, listed_after: float, lag: str) -> Iterator[Trial]:
    fake = FakeGitHub(token=TOKEN, lag_s=listed_after)
    with served(fake) as api, forging() as forge:
        (folder / "routes.yaml").write_text(ROUTES.format(api=api, lag=lag), encoding="utf-8")
        yield Trial(folder, fake, forge)


def kill_often(found: Trial, times: int, *, wait: str) -> None:
    """A new cause and a sender each time, which is killed within the time that a whole one takes."""
    chance = random.Random(times)
    found.put(999)
    begun = time.monotonic()
    assert found.flush(wait="30s") == 0
    whole = time.monotonic() - begun
    for number in range(times):
        found.put(number)
        found.flush(wait=wait, kill_after=chance.uniform(0.0, whole * 1.1))


def say(text: str) -> None:
    """What was counted, for whoever runs it with ``-s``."""
    sys.stdout.write(f"\n{text}\n")


@pytest.mark.parametrize("times", [5, pytest.param(200, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])])
def test_one_ticket_for_each_cause_whenever_the_sender_dies(tmp_path: Path, times: int) -> None:
    """Killed at seeded moments, before a tracker that lists issues two seconds late: nothing lost, nothing doubled."""
    with trial(tmp_path, listed_after=2.0, lag="3s") as found:
        kill_often(found, times, wait="0s")
        assert found.killed >= times // 4, "many died before they were done"
        found.put()
        assert found.flush(wait="5m") == 0
        states = Counter(one.told.state for one in found.entries())
        again = sum(one.told.attempts > 1 for one in found.entries())
        say(f"{found.killed} of {times} senders killed; {again} rows sent again after it was looked for; {dict(states)}")
        assert states == {"delivered": times + 1}
        assert found.tickets() == {f"cause {number:03d}": 1 for number in (*range(times), 999)}
        assert found.fake.wrong == []


@pytest.mark.parametrize("times", [5, pytest.param(60, marks=[pytest.mark.slow, pytest.mark.timeout(900)])])
def test_what_the_tracker_may_still_show_is_left_ambiguous(tmp_path: Path, times: int) -> None:
    """A tracker that may be late by ten minutes, and nobody waits so long: visible rows and a 2, never a second ticket."""
    with trial(tmp_path, listed_after=600.0, lag="10m") as found:
        kill_often(found, times, wait="0s")
        found.put()
        last = found.flush(wait="4s")
        left = [one for one in found.entries() if one.told.state != "delivered"]
        say(f"{found.killed} of {times} senders killed; {len(left)} rows left ambiguous")
        assert all(one.told.state == "ambiguous" and one.told.error.startswith("it may have arrived") for one in left)
        assert last == (2 if left else 0)
        assert left, "at least one died in the middle of it"
        assert max(found.tickets().values()) == 1
        delivered = {one.told.action.thread for one in found.entries() if one.told.state == "delivered"}
        assert delivered <= found.tickets().keys()
